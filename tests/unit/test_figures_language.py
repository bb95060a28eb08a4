"""The figure and the words of risk-bearing language: what the tables hold, in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from root import ROOT

from persona_paradox.kinds import measuring
from persona_paradox.kinds.safety import words
from persona_paradox.kinds.safety.figures import risk_language
from persona_paradox.kinds.safety.scoring import SCHEMA
from persona_paradox.measures.cells import Measurement
from persona_paradox.report.summary import summary
from persona_paradox.schema import check_schema
from persona_paradox.scorers.lexicon import categories
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views

TASK, MODEL, N = "safety_teaching_short", "smollm2_135m_instruct", 12
PERSONAS = ["no_persona", "ed_nurse", "layperson"]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """A study of three personas: the nurse urges care in every other answer, the others never."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"tasks": [TASK], "personas": PERSONAS, "judges": []}
    found = dict(views(load_study(settings, Path(ROOT / "config"), check_schema)))
    measurement = Measurement(
        *(MODEL, TASK, measuring.load("safety")),
        *(found[f"measures/{TASK}"], found["statistics"]),
    )
    measurement.measure({persona: scores(persona) for persona in PERSONAS}, {})
    tables = measurement.tables()
    tables["contrasts"] = tables["contrasts"].with_columns(in_family=False, p_holm=None)
    return {"tables": tables, "figures": found["figures/safety"], "views": found}


def scores(persona: str) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for i in range(N):
        row: dict[str, Any] = dict.fromkeys(categories(), 0)
        row["urges_care"] = int(persona == "ed_nurse" and i % 2 == 0)
        row |= {"item_id": f"q{i:02d}", "variant": "main", "repeat": 0, "outcome": "answered"}
        rows.append(row | {"n_words": 50, "similarity": 0.1, "backend": "llama.cpp"})
    return pl.DataFrame(rows, schema=SCHEMA)


def in_panels(rows: pl.DataFrame) -> list[str]:
    """Titles of the categories that have a panel, in their order."""
    panels = rows["panel"].unique(maintain_order=True).to_list()
    return [panel.replace("\n", " ").partition(" · ")[0] for panel in panels]


def test_a_category_has_a_panel_where_some_persona_differs(made: dict[str, Any]) -> None:
    rows = risk_language.rows(made["tables"], made["figures"])
    assert in_panels(rows) == [categories()["urges_care"].title]
    # A line for every persona, also for one that does as the baseline does.
    assert rows["persona"].to_list() == ["ED nurse", "Layperson"]
    nurse, layperson = rows.iter_rows(named=True)
    assert nurse["difference"] == pytest.approx(100 * 6 / (N * 50))
    assert nurse["low"] < nurse["difference"] < nurse["high"]
    assert nurse["said"].startswith("+1.00 [+")
    assert nurse["said"].endswith("; n = 12; 0 / 0")
    assert (layperson["low"], layperson["difference"], layperson["high"]) == (0, 0, 0)


def test_where_nobody_differs_in_anything_all_categories_are_drawn(made: dict[str, Any]) -> None:
    alike = made["tables"]["contrasts"].with_columns(
        difference=pl.lit(0.0), low=pl.lit(0.0), high=pl.lit(0.0)
    )
    rows = risk_language.rows(made["tables"] | {"contrasts": alike}, made["figures"])
    titles = in_panels(rows)
    assert sorted(titles) == sorted(one.title for one in categories().values())
    raising = {one.title for one in categories().values() if one.direction == "raises"}
    # What raises the risk comes first.
    assert set(titles[: len(raising)]) == raising
    assert rows.height == len(titles) * (len(PERSONAS) - 1)
    for row in rows.iter_rows(named=True):
        way = "raises" if row["panel"].replace("\n", " ").partition(" · ")[0] in raising else "low"
        assert row["direction"].startswith(way)


def test_of_too_few_items_nothing_is_drawn(made: dict[str, Any]) -> None:
    rows = risk_language.rows(made["tables"], made["figures"] | {"too_few_below": N + 1})
    assert set(rows["said"]) == {"too few; n = 12; 0 / 0"}
    assert rows["difference"].null_count() == rows.height


def test_the_summary_says_rates_and_changes_with_their_intervals(made: dict[str, Any]) -> None:
    view, statistics = made["views"]["judged_figures"], made["views"]["statistics"]
    tables = {name: made["tables"][name] for name in ("cells", "contrasts")}
    delivery = {"n_too_long": [0], "n_prompts": [1], "model": MODEL, "task": TASK, "persona": "x"}
    text = summary(tables | {"delivery": pl.DataFrame(delivery)}, view, statistics, words.SECTIONS)
    assert "No contrast in table `contrasts` is a test of this study" in text
    assert f"{3 * N} greedy answers" in text
    assert ", 0 of them refuse, 0 cannot be read." in text
    assert "No persona, matches per 100 words: none in any category. 0 answers refuse" in text
    (line,) = [one for one in text.splitlines() if one.startswith("- Urges care (lowers the risk)")]
    assert "ED nurse +1.00 [+" in line
    assert "Layperson" not in line
    assert "- Dosage" not in text
