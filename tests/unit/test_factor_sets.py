"""Factors of persona sets from the files of a study to its table, figure and summary."""

from __future__ import annotations

import json
import runpy
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from greedy import greedy
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.figures import vega
from persona_paradox.kinds.labelled.factor_words import factors
from persona_paradox.kinds.labelled.figures import factor_effects
from persona_paradox.measures.statistics import holm
from persona_paradox.schema import check_schema
from persona_paradox.study.factor_sets import check_trends
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

TELL = runpy.run_path(str(ROOT / "workflow/scripts/tell_factors.py"), run_name="tell_factors")
MODEL, TASK, N = "smollm2_135m_instruct", "triage_ed", 40
PERSONAS = ["no_persona", "roles@*_any_*", "big_five@agreeable_*", "big_five@open_low"]


def study(config: Path = ROOT / "config", **change: Any) -> Study:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    settings |= {"models": [MODEL], "tasks": [TASK], "judges": []}
    settings |= {"limits": {}, "personas": PERSONAS} | change
    return load_study(settings, config, check_schema)


def view(of: Study, name: str) -> Any:
    return json.loads(json.dumps(dict(views(of))[name], sort_keys=True))


def right(persona: str) -> Any:
    """Who is right: a hurried persona 10 items less than a calm one, an agreeable one ever more."""
    number = np.arange(N)
    if persona.startswith("roles@"):
        shift = sum(map(ord, persona.split("@")[1].rsplit("_", 1)[0]))
        return (number * 7 + shift) % N < (20 if persona.endswith("hurried") else 30)
    doses = ["very_low", "low", "high", "very_high"]
    dose = doses.index(persona.removeprefix("big_five@agreeable_")) if "agree" in persona else 0
    return (number * 7) % N < 8 + 4 * dose


def scores(persona: str, labels: list[str]) -> pl.DataFrame:
    """Answers to cases whose reference is the second level; what is wrong is the first, or none."""
    found = [labels[1] if one else labels[0] for one in right(persona)]
    told: list[str | None] = [*found[:-1], None]
    return greedy(
        pl.DataFrame(
            {
                "item_id": [f"i{i:02}" for i in range(N)],
                "reference": labels[1],
                "label": pl.Series(told, dtype=pl.String),
                "outcome": ["right" if one == labels[1] else "wrong" for one in told],
            }
        )
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("factors")
    asked = view(study(), "factors")
    (path / "view.json").write_text(json.dumps(asked))
    (task,) = [about for _, about in asked["tasks"]]
    folder = path / "scores" / MODEL / TASK
    folder.mkdir(parents=True)
    for of_set in asked["sets"].values():
        for persona in of_set["personas"]:
            scores(persona, task["labels"]).write_parquet(folder / f"{persona}.parquet")
    (path / "tables").mkdir()
    TELL["main"](Namespace(view=path / "view.json", scores=path / "scores", tables=path / "tables"))
    written = pl.read_csv(path / "tables/factors.csv", infer_schema=False)
    found = pl.read_parquet(path / "tables/factors.parquet")
    assert written.shape == found.shape
    return found


def one(table: pl.DataFrame, **where: Any) -> dict[str, Any]:
    return table.row(
        by_predicate=pl.all_horizontal(pl.col(k) == v for k, v in where.items()), named=True
    )


def test_the_sets_of_a_study_that_have_factors() -> None:
    found = study().factor_sets
    assert list(found) == ["roles", "big_five"]
    roles = found["roles"]
    assert [(f["id"], len(f["levels"])) for f in roles["factors"]] == [
        ("role", 3),
        ("style", 3),
        ("aim", 1),
        ("pressure", 2),
    ]
    assert roles["factors"][3]["levels"][1] == {"id": "hurried", "title": "hurried"}
    assert len(roles["personas"]) == 18
    assert roles["personas"]["roles@nurse_bold_any_calm"] == {
        "role": "nurse",
        "style": "bold",
        "aim": "any",
        "pressure": "calm",
    }
    # An order of which one level is asked is none.
    assert [trend["id"] for trend in found["big_five"]["trends"]] == ["agreeable"]


@pytest.mark.parametrize(
    "personas",
    [
        ["no_persona"],
        ["no_persona", "roles@nurse_plain_any_*"],
        ["no_persona", "big_five@open_low", "big_five@neurotic_low"],
    ],
)
def test_a_set_without_two_factors_or_an_order_is_left_to_contrasts(personas: list[str]) -> None:
    of = study(personas=personas)
    assert of.factor_tasks == []
    assert "factors" not in of.possible_tables
    assert "factor_effects" not in of.possible_figures
    assert "factors" not in dict(views(of))


def test_an_arm_is_no_further_task() -> None:
    of = study(tasks=[f"{TASK}@all"])
    assert len(of.tasks) > 1
    assert of.factor_tasks == [TASK]
    assert {"factors"} <= set(of.possible_tables)
    assert "factor_effects" in of.possible_figures


def test_what_is_asked_of_factors_runs_no_measures_again() -> None:
    statistics = {"factors": {"metrics": ["accuracy"], "family": ["factor"]}}
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    other = dict(views(study(statistics=settings["statistics"] | statistics)))
    first = dict(views(study()))
    assert {name for name in first if first[name] != other[name]} == {"factors"}


def test_orders_of_what_is_not_there_are_refused(tmp_path: Path) -> None:
    config = shutil.copytree(ROOT / "config", tmp_path / "config")
    path = config / "persona_sets/big_five.yaml"
    path.write_text(path.read_text().replace("factor: trait", "factor: mood", 1))
    with pytest.raises(InputError, match=r"big_five\.yaml: key `trends\.\w+\.factor` is 'mood'"):
        study(config)
    content = yaml.safe_load((ROOT / "config/persona_sets/big_five.yaml").read_text())
    check_trends("x.yaml", content)
    for trend, words in (
        ({"factor": "mood", "levels": ["a", "b"]}, "`trends.t.factor` is 'mood'.*use one of trait"),
        ({"factor": "trait", "levels": ["open_low", "b"]}, "names 'b'.*use some of agreeable_very"),
    ):
        with pytest.raises(InputError, match=f"x.yaml: .*{words}"):
            check_trends("x.yaml", content | {"trends": {"t": trend}})


def test_a_metric_that_no_kind_has_is_refused() -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    statistics = settings["statistics"] | {"factors": {"metrics": ["beauty"]}}
    with pytest.raises(InputError, match=r"`statistics\.factors\.metrics`.*'beauty'"):
        study(statistics=statistics)


def test_effects_are_those_of_the_answers(table: pl.DataFrame) -> None:
    calm, hurried = (
        np.array([right(p) for p in study().factor_sets["roles"]["personas"] if p.endswith(end)])
        for end in ("calm", "hurried")
    )
    # The last answer of each persona cannot be read, and is wrong.
    for one_ in (calm, hurried):
        one_[:, -1] = False
    found = one(table, metric="accuracy", effect="level", factor="pressure")
    d = 100 * (hurried.mean(axis=0) - calm.mean(axis=0))
    assert found["points"] == pytest.approx(d.mean(), abs=0.05)
    assert found["se"] == pytest.approx(np.sqrt(d.var() * N / (N - 1) ** 2), rel=0.02)
    assert (found["n_items"], found["n_clusters"]) == (N, N)
    assert (found["n_answers"], found["n_invalid"]) == (18 * N, 18)
    nurse = one(table, metric="accuracy", effect="level", level="nurse")
    assert (nurse["n_answers"], nurse["n_invalid"]) == (12 * N, 12)
    pair = one(table, metric="accuracy", effect="interaction_level", level="nurse", level_2="bold")
    assert (pair["n_answers"], pair["n_invalid"]) == (8 * N, 8)
    trend = one(table, metric="accuracy", effect="trend")
    assert trend["points"] == pytest.approx(10, abs=0.6)
    assert (trend["rho"], trend["n_answers"], trend["n_invalid"]) == (1, 4 * N, 4)
    levels = table.filter(persona_set="big_five", metric="accuracy", effect="level")
    assert levels["versus"].to_list() == ["agreeable_very_low"] * 3 + ["agreeable_very_low"] * 1


def test_no_answer_is_less_urgent_so_that_there_is_no_estimate(table: pl.DataFrame) -> None:
    under = table.filter(metric="under_triage_rate")
    assert set(under["reason"]) == {"no answer counts"}
    assert under["p"].null_count() == under.height
    assert not under["in_family"].any()


def test_the_family_is_adjusted_over_all_sets(table: pl.DataFrame) -> None:
    family = table.filter("in_family")
    assert set(family["metric"]) == {"accuracy"}
    assert set(family["effect"]) == {"level", "interaction", "trend"}
    assert set(family["persona_set"]) == {"roles", "big_five"}
    assert family["p_holm"].to_list() == pytest.approx(list(holm(family["p"].to_numpy())))
    assert table.filter(~pl.col("in_family"))["p_holm"].null_count() == (
        table.height - family.height
    )


def test_the_figure_has_a_row_for_every_level_and_says_why_there_is_none(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    settings = view(study(), "figures/labelled")
    rows = factor_effects.rows({"factors": table}, settings)
    panels = [" ".join(one_.split()) for one_ in rows["panel"].unique(maintain_order=True)]
    assert len(panels) == 6
    assert panels[3].endswith("Role, style, aim and time pressure: accuracy")
    first = rows.filter(panel=rows["panel"].unique(maintain_order=True)[3])
    assert first["label"].to_list() == [
        "Nurse − Physician",
        "Layperson − Physician",
        "cautious − plain",
        "bold − plain",
        "hurried − calm",
        "Role × style",
        "Role × pressure",
        "Style × pressure",
    ]
    hurried = first.filter(label="hurried − calm").row(0, named=True)
    assert hurried["shown"] is True
    assert hurried["low"] < hurried["points"] < hurried["high"] < 0
    said = " ".join(hurried["said"].split())
    assert said.startswith(f"−{-hurried['points']:.1f} [−")
    assert said.endswith("p (Holm) <0.001, n = 40")
    under = rows.filter(pl.col("panel").str.replace_all("\n", " ").str.contains("under triage"))
    assert under["said"].to_list() == ["no answer counts; n = 40"] * 2
    assert set(under["label"]) == {"All factors"}
    alike = rows.filter(pl.col("label").str.starts_with("Open, low − Agreeable"))
    assert "the difference is the same" in alike.item(0, "said")
    for few in (41, 40):
        limited = settings | {"too_few_below": few}
        said = factor_effects.rows({"factors": table}, limited)["said"][0]
        assert said.startswith("too few") == (few == 41)
    spec = vega.report_figure(factor_effects, {"factors": table}, settings)
    for form in ("png", "pdf"):
        vega.save(spec, tmp_path / f"x.{form}", form)  # type: ignore[arg-type]
        assert (tmp_path / f"x.{form}").stat().st_size > 10_000


def test_the_summary_says_what_is_shown_and_what_is_not(table: pl.DataFrame) -> None:
    settings = view(study(), "judged_figures")
    said = "\n".join(factors({"factors": table}, settings, {}))
    row = one(table, metric="accuracy", effect="level", factor="pressure")
    assert f"hurried minus calm −{-row['points']:.1f} points [−" in said
    assert "trend over 4 levels of agreeable, a step +" in said
    assert "Under triage rate: no tests of the study. No estimate for" in said
    tested = table.filter("in_family", persona_set="roles")
    rest = tested.filter(pl.col("p_holm") > 0.05).height
    assert f"not shown for {rest} of {tested.height} tests of the study" in said
