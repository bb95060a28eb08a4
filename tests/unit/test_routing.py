"""What a study asks of policies: its keys, the script, the words and the figure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from root import ROOT
from routed_cases import NAMES, SETTINGS, escalation, studied, table_of

from persona_paradox import files
from persona_paradox.errors import InputError
from persona_paradox.figures import vega
from persona_paradox.kinds.triage import scoring
from persona_paradox.routing import words
from persona_paradox.routing.figures import policy_regret
from persona_paradox.routing.figures import policy_value as figure
from persona_paradox.routing.learned import learned
from persona_paradox.routing.policies import policies
from persona_paradox.routing.valuing import SCHEMA
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

SHOWN: dict[str, Any] = {
    "title": "Which persona",
    "models": {"tiny": "Tiny"},
    "baseline": NAMES[0],
    "personas": {name: {"title": name.replace("_", " ").capitalize()} for name in NAMES},
    "tasks": {"a": {"title": "A", "teaching": True, "sample": None, "clustered": False}},
    "too_few_below": 10,
    "routing": {"tasks": ["a"], "origins": ["teaching"], "limited": "under_triage_rate"}
    | {"costed": True},
} | SETTINGS


def study(**routing: Any) -> Study:
    """The study `routing` with keys of its key `routing` changed."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= yaml.safe_load((ROOT / "config/studies/routing.yaml").read_text())
    settings["routing"] |= routing
    return load_study(settings, ROOT / "config", check_schema)


def refused(said: str, **change: Any) -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= yaml.safe_load((ROOT / "config/studies/routing.yaml").read_text()) | change
    with pytest.raises(InputError, match=said):
        load_study(settings, ROOT / "config", check_schema)


def test_a_study_without_the_key_has_no_table_and_no_figure() -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    default = load_study(settings, ROOT / "config", check_schema)
    assert "policies" not in default.possible_tables
    assert not {"policy_value", "policy_regret"} & {*default.possible_figures}
    assert "routing" not in dict(views(default))
    assert all("routing" not in view for name, view in views(default) if "figures" in name)


def test_the_study_asks_the_cells_of_the_ten_personas() -> None:
    asked = study()
    assert "policies" in asked.tables
    assert {"policy_value", "policy_regret"} <= {*asked.possible_figures}
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= yaml.safe_load((ROOT / "config/studies/teaching.yaml").read_text())
    ten = load_study(settings, ROOT / "config", check_schema)
    assert {*asked.cells} < {*ten.cells}
    for name in ("prompts/triage_ed", "decoding/triage_primary", "personas/ed_nurse"):
        assert dict(views(asked))[name] == dict(views(ten))[name]
    view = dict(views(asked))["routing"]
    assert view["personas"][0] == "no_persona"
    assert list(view["tasks"]) == ["triage_ed", "triage_primary"]


OTHER = {"lean": "no_persona", "cautious": "ed_nurse"}


@pytest.mark.parametrize(
    ("routing", "said"),
    [
        ({"policies": ["best"]}, "key `routing.policies.0` is 'best', but must be one of fixed,"),
        ({"folds": 1}, "key `routing.folds` is 1, but must be"),
        ({"constraint": {"metric": "accuracy", "at_most": 1}}, "`routing.constraint.metric` is"),
        (
            {"escalation": OTHER | {"cautious": "surgeon"}},
            "key `routing.escalation.cautious` of the study is 'surgeon', which key `personas` doe",
        ),
        ({"escalation": OTHER | {"second": "ed_nurse"}}, "names one persona twice; write differe"),
        ({"escalation": {"lean": "no_persona"}}, "`routing.escalation` lacks .*cautious"),
        (
            {"escalation": None, "policies": ["escalate_on_confidence"]},
            "'escalate_on_confidence', which needs key `routing.escalation`; write it, or take",
        ),
        (
            {"escalation": OTHER, "policies": ["majority", "escalate_on_flags"]},
            "'escalate_on_flags', which needs key `routing.escalation.flags`; write it, or take",
        ),
        (
            {"escalation": OTHER, "policies": ["escalate_on_disagreement"]},
            "'escalate_on_disagreement', which needs key `routing.escalation.second`; write it",
        ),
        ({"escalation": OTHER | {"flags": [""]}}, "`routing.escalation.flags.0` is '', but must"),
    ],
)
def test_what_cannot_be_valued_is_refused(routing: dict[str, Any], said: str) -> None:
    refused(said, routing=routing)


def test_a_study_without_anything_to_choose_is_refused() -> None:
    refused("but no task of it has labels of which one", tasks=["safety_teaching_short"])
    alone = {"escalation": None}
    refused("lists one persona, so that", personas=["no_persona"], routing=alone)
    limit = {"metric": "under_triage_rate", "at_most": 0.1}
    exam = {"tasks": ["mmlu_medical"], "routing": {"constraint": limit}}
    refused("the labels of its tasks have no order; use invalid_rate", **exam)


LEVELS = ["high", "middle", "low"]


def scores(generator: np.random.Generator, ids: list[str], shift: float) -> pl.DataFrame:
    """Scores of one persona; the reference of an item follows from its number."""
    rows = []
    for id_ in ids:
        reference = int(id_[1:]) % 3
        label = reference if generator.random() < 0.5 + shift else int(generator.integers(3))
        p = np.full(3, 0.15)
        p[label] = 0.7
        rows.append(
            {
                "item_id": id_,
                "prompt_id": id_,
                "variant": "main",
                "repeat": 0,
                "reference": "ABC"[reference],
                "label": "ABC"[label],
                "label_logprob_argmax": "ABC"[label],
                "parse_status": "exact",
                "outcome": "right" if label == reference else "wrong",
                "correct": label == reference,
                "confidence": 0.7,
                "entropy": 0.8,
                "margin": 0.55,
                "label_probabilities": p.tolist(),
                "label_mass": 1.0,
                "backend": "llama.cpp",
            }
        )
    return pl.DataFrame(rows, schema=scoring.SCHEMA)


def test_the_script_values_policies_of_scores_on_disk(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    ids = [f"i{k:02}" for k in range(40)]
    about = {
        "kind": "triage",
        "context": "emergency",
        "origin": "teaching",
        "cluster": None,
        "labels": ["A", "B", "C"],
        "levels": LEVELS,
        "high_acuity": ["high"],
        "cost": {"under": 1, "over": 1},
        "subgroups": [{"id": "sex", "title": "Sex", "column": "sex"}],
    }
    items = pl.DataFrame(
        {
            "item_id": ids,
            "case": ["A cough." if k % 4 else "Chest pain." for k in range(40)],
            "sex": ["f" if k % 2 else "m" for k in range(40)],
        }
    )
    limit = {"metric": "under_triage_rate", "at_most": 0.3}
    view = {
        "models": ["tiny"],
        "personas": NAMES,
        "tasks": {one: about | {"dataset": one} for one in ("x", "y")},
        "policies": "all",
        "constraint": limit,
        "folds": 4,
        "escalation": escalation(),
        "label_mass_warning_below": 0.5,
    }
    paths = {"view": tmp_path / "view.json", "statistics": tmp_path / "statistics.json"}
    for name, content in (("view", view), ("statistics", SETTINGS)):
        paths[name].write_text(json.dumps(content))
    right = {}
    for task in view["tasks"]:
        files.write_table(items, tmp_path / f"items/{task}.parquet", paths)
        for number, name in enumerate(NAMES):
            table = scores(generator, ids, 0.3 if number == 2 else 0.0)
            files.write_table(table, tmp_path / f"scores/tiny/{task}/{name}.parquet", paths)
            right[task, name] = table["correct"].sum()
    script = ROOT / "workflow/scripts/value_policies.py"
    command = [sys.executable, str(script), *(f"--{k}={v}" for k, v in paths.items())]
    command += [f"--{name}={tmp_path / name}" for name in ("scores", "items", "tables")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    table = pl.read_parquet(tmp_path / "tables/policies.parquet")
    assert table.columns == list(SCHEMA)
    assert {*table["n_items"]} == {80}
    assert {*table["n_constrained"]} == {80}
    for name in NAMES:
        row = table.filter(policy="fixed", by=name).row(0, named=True)
        assert row["value"] == pytest.approx((right["x", name] + right["y", name]) / 80)
    assert table.filter(policy="by_subgroup")["by"].to_list() == ["sex"]
    # One context is no choice; a policy is there that is asked for.
    assert {*table["policy"]} >= {"by_task", "learned", "escalate_on_flags", "oracle"}
    assert "by_context" not in {*table["policy"]}
    flagged = table.filter(policy="escalate_on_flags").row(0, named=True)
    assert flagged["calls"] == 1
    assert (tmp_path / "tables/policies.csv").read_text().startswith("model,origin,policy,by,")


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    of = studied(8, 300, helps=0.12)
    found = policies(NAMES, of.asked, escalation(), learned(NAMES))
    return table_of(of, found, at_most=0.25)


def said(table: pl.DataFrame, **more: Any) -> str:
    return words.recommendation([*table.iter_rows(named=True)], SHOWN | more)


def with_(table: pl.DataFrame, where: pl.Expr, **values: Any) -> pl.DataFrame:
    """A table with other values in some rows."""
    return table.with_columns(
        pl.when(where).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def test_the_recommendation_says_no_more_than_the_intervals_carry(table: pl.DataFrame) -> None:
    every, none = pl.lit(value=True), pl.col("by").eq_missing(NAMES[0])
    unshown = with_(table, every, gain_p_holm=0.4, holds=1.0)
    text = said(unshown)
    assert text.startswith(
        "**Nothing is shown to beat no persona, which keeps under-triage at or b"
    )
    assert "take none.**" in text
    assert "not shown either" in text
    majority = pl.col("policy") == "majority"
    row = table.filter(majority).row(0, named=True)
    shown = with_(unshown, majority, gain=0.08, gain_p_holm=0.001, regret_p_holm=0.2)
    text = said(shown)
    assert text.startswith("**Take “Majority of all”**: +8.0 points")
    assert f"{row['calls']:.1f} calls per item" in text
    assert "better than the best single persona is not shown" in text
    # A loss that is shown is no reason to take a policy.
    assert said(with_(shown, majority, gain=-0.08)).startswith("**Nothing is shown")
    # Nor is a gain that breaks the limit.
    assert said(with_(shown, majority, holds=0.5)).startswith("**Nothing is shown")
    broken = with_(unshown, none, holds=0.5)
    text = said(broken)
    assert text.startswith("**Without a persona the model does not keep under-triage at or below")
    assert "is not shown" in text
    text = said(with_(unshown, every, holds=0.5))
    assert text.startswith(
        "**No policy can be recommended: none keeps under-triage at or below 25%"
    )
    assert said(table, too_few_below=301) == "300 items are too few to recommend anything."


def test_the_summary_has_the_luck_of_the_pick_and_the_bound(table: pl.DataFrame) -> None:
    (section,) = words.SECTIONS
    text = "\n".join(section[2]({"policies": table}, SHOWN, {}))
    single = table.filter(policy="best_single").row(0, named=True)
    assert "**Tiny, teaching cases** (n = 300 items)" in text
    assert f"valued on: {100 * single['value_in_sample']:.1f}%" in text
    assert f"not picked on: {100 * single['value']:.1f}% [" in text
    assert "No rule can pass it" in text


def test_the_figure_draws_what_the_table_has(table: pl.DataFrame, tmp_path: Path) -> None:
    rows = figure.rows({"policies": table}, SHOWN)
    assert rows.height == table.height
    assert sorted(rows["value"]) == sorted(table["value"])
    assert rows["label"][0] == "1  No persona"
    assert rows["label"][-1].endswith("Oracle")
    assert rows["calls"][1:-1].is_sorted()
    broken = rows.filter(kind="does not keep the limit")
    assert (broken["holds"] < 0.95).all()
    spec = vega.report_figure(figure, {"policies": table}, SHOWN)
    vega.save(spec, tmp_path / "policy_value.png", "png")
    assert (tmp_path / "policy_value.png").stat().st_size > 20_000
    # Both planes and all columns; the limit is a line in the second plane.
    (block,) = spec["vconcat"]
    value, limited = block["hconcat"][0]["vconcat"]
    assert value["layer"][0]["encoding"]["y"]["field"] == "none"
    assert limited["layer"][0]["encoding"]["y"]["field"] == "at_most"
    assert len(block["hconcat"][1]["hconcat"]) == 3
    few = figure.rows({"policies": table}, SHOWN | {"too_few_below": 301})
    assert few["value"].null_count() == few.height


def test_regret_is_drawn_as_it_is_in_the_table(table: pl.DataFrame, tmp_path: Path) -> None:
    rows = policy_regret.rows({"policies": table}, SHOWN)
    shown = table.filter(pl.col("gain_p_holm") <= 0.05).height
    assert rows["gain_shown"].sum() == shown
    drawn = rows.filter(pl.col("kind") != "oracle")
    others = table.filter(pl.col("policy") != "oracle")
    for name in ("gain", "regret", "oracle_regret", "cost_change"):
        assert sorted(drawn[name].drop_nulls()) == sorted(others[name].drop_nulls())
    assert rows["cost_change"].null_count() == 2
    spec = vega.report_figure(policy_regret, {"policies": table}, SHOWN)
    vega.save(spec, tmp_path / "policy_regret.png", "png")
    assert (tmp_path / "policy_regret.png").stat().st_size > 20_000
    free = SHOWN | {"routing": SHOWN["routing"] | {"costed": False}}
    assert len(policy_regret.spec(free)["vconcat"][0]["hconcat"][0]["hconcat"]) == 3


def test_it_is_drawn_without_a_limit(table: pl.DataFrame, tmp_path: Path) -> None:
    free = table.with_columns(
        pl.lit(None, dtype=SCHEMA[name]).alias(name)
        for name in list(SCHEMA)[list(SCHEMA).index("constraint") :]
    )
    shown = SHOWN | {"routing": SHOWN["routing"] | {"limited": None}}
    spec = vega.report_figure(figure, {"policies": free}, shown)
    vega.save(spec, tmp_path / "policy_value.png", "png")
    assert len(spec["vconcat"][0]["hconcat"][1]["hconcat"]) == 2
    assert "under-triage" not in words.recommendation([*free.iter_rows(named=True)], shown)
