"""Cycles of alignment as they are drawn and told: what the table holds, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from captions import caption
from root import ROOT

from persona_paradox.figures import vega
from persona_paradox.judges.cycle_words import cycles
from persona_paradox.judges.cycles import SCHEMA, with_holm
from persona_paradox.judges.figures import alignment_cycles
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

BASE = "smollm2_135m_instruct"
MODELS = [BASE, *(f"{BASE}@aligned_self_{n}" for n in (1, 2, 3))]
PERSONAS = ["no_persona", "ed_physician", "neutral_sentence"]
# Nothing went on in the second cycle, nor in the third.
CHOSEN = [None, "aligned_self_1_kto", None, None]
JUDGE, CARES = "cares_published", "cares_split_once"
# What is shown of a task that is judged, in this order.
JUDGED = {
    ("accept", "harm_1"): "Accepted · Harm level 1: mild",
    ("accept", "harm_2"): "Accepted · Harm level 2: moderate",
    ("accept", "harm_3"): "Accepted · Harm level 3: high",
    ("refuse", "harm_0"): "Refused · Harm level 0: harmless",
    ("cares", "all"): "CARES score",
}


@pytest.fixture(scope="module")
def study() -> Study:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= yaml.safe_load((ROOT / "config/studies/alignment.yaml").read_text())
    return load_study(settings, ROOT / "config", check_schema)


@pytest.fixture(scope="module")
def settings(study: Study) -> dict[str, Any]:
    found: dict[str, Any] = dict(views(study))["judged_figures"]
    return found


def row(
    cycle: int, persona: str | None, metric: str, category: str, **about: Any
) -> dict[str, Any]:
    """A row of the table: the value tells cycle and persona, and is that of cycle 1 later on."""
    number = 0 if persona is None else PERSONAS.index(persona)
    value, before = 0.1 + 0.2 * min(cycle, 1) + 0.05 * number, 0.1 + 0.05 * number
    found = {"family": "aligned_self", "base": BASE, "model": MODELS[cycle], "cycle": cycle}
    found |= {"chosen": CHOSEN[cycle], "persona": persona, "metric": metric, "category": category}
    found |= {"n": 6, "n_invalid": cycle, "value": value}
    found |= {"low": value - 0.1, "high": value + 0.1}
    if cycle:
        found |= {"difference": value - before, "difference_low": 0.01, "difference_high": 0.4}
        found |= {"p": 0.01, "n_invalid_before": 0, "value_before": before}
    return found | about


def table(**about: Any) -> pl.DataFrame:
    """A judged task and one with labels, under three personas, and a judge that was trained."""
    rows = []
    of_judge = {"judge": JUDGE, "task": CARES, "usable": False}
    for persona in PERSONAS:
        for cycle in range(4):
            for metric, category in [*JUDGED, ("accept", "risky"), ("caution", "harm_1")]:
                rows.append(row(cycle, persona, metric, category, **of_judge))
            rows.append(row(cycle, persona, "refused_rate", "all", task=CARES))
            rows.append(row(cycle, persona, "accuracy", "all", task="triage_ed_once", n=30))
            rows.append(row(cycle, persona, "ece", "all", task="triage_ed_once", n=30))
    rows.append(row(0, None, "sanity_classes", "all", judge=JUDGE, n=24))
    return with_holm(pl.DataFrame([one | about for one in rows], schema=SCHEMA), ["accuracy"])


def drawn(settings: dict[str, Any], **about: Any) -> pl.DataFrame:
    return alignment_cycles.rows({"cycles": table(**about)}, settings)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_figure_is_of_studies_with_cycles(study: Study) -> None:
    assert "alignment_cycles" in study.settings["figures"]
    assert "alignment_cycles" in study.possible_figures
    settings = study.settings | {"models": [BASE], "figures": [], "tables": "all"}
    other = load_study(settings, ROOT / "config", check_schema)
    assert "alignment_cycles" not in other.possible_figures


def test_a_panel_is_a_measure_of_a_task_with_its_numbers(settings: dict[str, Any]) -> None:
    found = drawn(settings)
    panels = [flat(panel) for panel in found["panel"].unique(maintain_order=True)]
    cares = "Medical safety (CARES teaching prompts, split, one answer)"
    said = f"{cares} CARES protocol, SmolLM2 135M n = 6, invalid 0–3 judge NOT USABLE"
    expected = [f"{title} {said}" for title in JUDGED.values()]
    expected += [
        f"Phrases of refusal {cares} n = 6, invalid 0–3",
        "Judge right on answers of known class n = 24, invalid 0",
    ]
    triage = next(panel for panel in panels if panel.startswith("Accuracy "))
    assert triage.endswith("n = 30, invalid 0–3")
    assert panels == [*expected[:-1], triage, expected[-1]]


def test_marks_are_what_the_table_holds(settings: dict[str, Any]) -> None:
    found = drawn(settings)
    titles = [settings["personas"][id_]["title"] for id_ in PERSONAS]
    of = found.filter(pl.col("panel").str.starts_with("CARES score"))
    assert of["persona"].unique(maintain_order=True).to_list() == titles
    for number, title in enumerate(titles):
        line = of.filter(persona=title)
        first = 0.1 + 0.05 * number
        assert line["value"].to_list() == pytest.approx([first, *[first + 0.2] * 3])
        assert line["low"].to_list() == pytest.approx([v - 0.1 for v in line["value"]])
        assert line["n_invalid"].to_list() == [0, 1, 2, 3]
        # A model that is that of the cycle before; a line from mark to mark.
        assert line["same"].to_list() == [False, False, True, True]
        assert line["from_value"].to_list() == [None, *line["value"][:-1]]
        assert line["from_place"].to_list() == [None, *line["place"][:-1]]
        # Bars of two personas do not stand on each other.
        assert line["place"].to_list() == pytest.approx([c + 0.08 * (number - 1) for c in range(4)])
    (judge,) = found.filter(pl.col("persona").is_null()).to_dicts()
    assert (judge["n"], judge["from_value"], judge["same"]) == (24, None, False)


def test_few_items_are_not_drawn_and_stand_together(settings: dict[str, Any]) -> None:
    found = drawn(settings | {"too_few_below": 7})
    panels = [flat(panel) for panel in found["panel"].unique(maintain_order=True)]
    accepted = [panel for panel in panels if panel.startswith("Accepted")]
    assert [panel.partition(" Medical")[0] for panel in accepted] == ["Accepted · Harmful"]
    assert accepted[0].endswith("too few judge NOT USABLE")
    few = found.filter(pl.col("n") < 7)
    assert few["value"].null_count() == few["low"].null_count() == few.height
    assert found.filter(pl.col("n") >= 7)["value"].null_count() == 0


def test_it_is_saved_as_papers_and_the_report_need_it(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    spec = vega.report_figure(alignment_cycles, {"cycles": table()}, settings)
    for form in ("png", "pdf"):
        vega.save(spec, tmp_path / f"x.{form}", form)  # type: ignore[arg-type]
        assert (tmp_path / f"x.{form}").stat().st_size > 10_000
    again = vega.report_figure(alignment_cycles, {"cycles": table()}, settings)
    vega.save(again, tmp_path / "y.pdf", "pdf")
    assert (tmp_path / "y.pdf").read_bytes() == (tmp_path / "x.pdf").read_bytes()
    assert "author-written and not clinically validated" in caption("alignment_cycles")


def test_the_summary_holds_the_last_cycle_against_the_base(settings: dict[str, Any]) -> None:
    text = "\n".join(cycles({"cycles": table()}, settings, {}))
    assert "cycle 1: aligned_self_1_kto went on; cycle 2: nothing went on; cycle 3" in text
    assert "**NOT USABLE by its own rule**: CARES protocol, SmolLM2 135M." in text
    line = next(one for one in text.splitlines() if one.startswith("| Refused · Harm level 0"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:] == [
        *("10.0% [0.0, 20.0]", "30.0% [20.0, 40.0]", "+20.0 [+1.0, +40.0]", "6", "3 (0)", "–"),
        *("+5.0 to +10.0", "+5.0 to +10.0"),
    ]
    # Three cycles of three personas are one family of tests, in accuracy.
    line = next(one for one in text.splitlines() if one.startswith("| Accuracy, "))
    assert line.split("|")[-4].strip() == "0.090"
    judge = "Judge right on answers of known class: CARES protocol, SmolLM2 135M, which is cycle 0"
    assert f"- {judge}, 10.0% [0.0, 20.0], n = 24, 0 unjudged." in text


def test_the_summary_says_where_nothing_went_on(settings: dict[str, Any]) -> None:
    text = "\n".join(cycles({"cycles": table(chosen=None)}, settings, {}))
    assert "So every cycle is the base, and differences are of one model with itself." in text
