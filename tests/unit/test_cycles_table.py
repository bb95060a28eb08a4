"""The table of cycles: paired with the base, held against other libraries and known truths."""

from __future__ import annotations

import json
import runpy
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import random_answers
from judged_answers import ACTIONS, STATISTICS, judgements, verdict
from root import ROOT
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from persona_paradox.judges.assessment import Judged, groups_of, judged
from persona_paradox.judges.cycles import SCHEMA, judged_rows, with_holm
from persona_paradox.judges.trust import QUALITY
from persona_paradox.kinds.triage.scoring import score

VIEW: dict[str, Any] = {
    "kind": "safety",
    "better": {},
    "classes": {"action": ACTIONS},
    "categories": [],
    "benign": [],
    "proportionate": [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1], [0, 0, 1]],
    "cluster": None,
}
N = 48


def items(n: int = N) -> pl.DataFrame:
    levels = [number % 4 for number in range(n)]
    ids = [f"q{i:03}" for i in range(n)]
    return pl.DataFrame({"item_id": ids, "harm_level": levels, "category": ["any"] * n})


def answers(actions: np.ndarray) -> Judged:
    """Answers that do what is said; 0 is one without a verdict."""
    ids = items(len(actions))["item_id"]
    rows = [
        verdict(id_, "action", int(did) or None, value=None)
        for id_, did in zip(ids, actions, strict=True)
    ]
    return judged(judgements(rows), items(len(actions)), VIEW)


def table(cycles: list[np.ndarray], **settings: Any) -> pl.DataFrame:
    made = {number: answers(actions) for number, actions in enumerate(cycles)}
    groups = groups_of(made[0].item_ids, items(len(cycles[0])), VIEW)
    rows = list(judged_rows(made, groups, STATISTICS | settings))
    place = {"family": "aligned", "base": "tiny", "judge": "j", "task": "t", "persona": "none"}
    return with_holm(pl.DataFrame([place | row for row in rows], schema=SCHEMA), ["accuracy"])


def one(found: pl.DataFrame, cycle: int, metric: str, category: str = "all") -> dict[str, Any]:
    (row,) = found.filter(cycle=cycle, metric=metric, category=category).to_dicts()
    return row


@pytest.fixture(scope="module")
def drawn() -> list[np.ndarray]:
    draw = np.random.default_rng(1)
    return [draw.integers(0, 4, N), draw.integers(0, 4, N)]


def test_a_share_is_compared_by_its_pairs(drawn: list[np.ndarray]) -> None:
    before, after = drawn
    found = one(table(drawn), 1, "accept")
    was, now = before == 1, after == 1
    assert found["value"] == pytest.approx(now.mean())
    assert found["value_before"] == pytest.approx(was.mean())
    assert found["difference"] == pytest.approx(now.mean() - was.mean())
    assert (found["n_gained"], found["n_lost"]) == ((now & ~was).sum(), (was & ~now).sum())
    pairs = [[(was & now).sum(), (was & ~now).sum()], [(~was & now).sum(), (~was & ~now).sum()]]
    assert found["p"] == pytest.approx(mcnemar(pairs, exact=True).pvalue)
    assert found["n"] == N
    assert (found["n_invalid"], found["n_invalid_before"]) == (
        (after == 0).sum(),
        (before == 0).sum(),
    )
    assert found["difference_low"] <= found["difference"] <= found["difference_high"]


def test_harmful_requests_are_told_from_harmless_ones(drawn: list[np.ndarray]) -> None:
    level = items()["harm_level"].to_numpy()
    found = table(drawn)
    for harm in range(4):
        row = one(found, 1, "accept", f"harm_{harm}")
        assert row["value"] == pytest.approx((drawn[1][level == harm] == 1).mean())
        assert row["n"] == (level == harm).sum()
        # Tests are of all items; of parts they are not adjusted.
        assert row["p_holm"] is None


def test_the_base_is_cycle_0_and_is_compared_with_nothing(drawn: list[np.ndarray]) -> None:
    found = table(drawn)
    assert found.filter(cycle=0)["difference"].null_count() == found.filter(cycle=0).height
    again = table([drawn[0], drawn[0]]).filter(cycle=1)
    assert again.filter(pl.col("difference") != 0).is_empty()
    assert again["p"].drop_nulls().min() == 1.0


def test_tests_are_adjusted_over_cycles_and_metrics(drawn: list[np.ndarray]) -> None:
    draw = np.random.default_rng(2)
    found = table([*drawn, draw.integers(1, 4, N)])
    tested = found.drop_nulls("p_holm")
    assert set(tested["cycle"]) == {1, 2}
    inside = found.filter(pl.col("p").is_not_null(), category="all")
    expected = inside.filter(pl.col("metric") != "n_characters")
    assert tested.select("cycle", "metric").equals(expected.select("cycle", "metric"))
    _, adjusted, *_ = multipletests(tested["p"].to_numpy(), method="holm")
    assert tested["p_holm"].to_list() == pytest.approx(list(adjusted))


def test_random_flags_give_no_gain() -> None:
    """Known truth: what is trained on flags that are drawn answers as the base does, at random.

    In 120 studies the interval of the change in the score has 0 in about 95 of 100, and a test is
    below .05 in about 5.
    """
    draw = np.random.default_rng(3)
    covered = below = 0
    studies = 120
    for _ in range(studies):
        row = one(table([draw.integers(1, 4, 40) for _ in range(2)], draws=300), 1, "cares")
        covered += row["difference_low"] <= 0 <= row["difference_high"]
        below += row["p"] < 0.05
    tolerance = 4 * (0.05 * 0.95 / studies) ** 0.5
    assert covered / studies > 0.93 - tolerance
    assert below / studies < 0.07 + tolerance


def test_cycles_of_other_items_are_refused(drawn: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="cycles need the same items"):
        list(judged_rows({0: answers(drawn[0]), 1: answers(drawn[1][:-1])}, {}, STATISTICS))


def write(path: Path, found: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found.write_parquet(path)


def write_scores(folder: Path, models: list[str], draw: np.random.Generator) -> tuple[dict, dict]:
    """Triage by every model at random; the view of the task, and which answers are right."""
    levels = [f"level_{number}" for number in range(3)]
    named = [{"label": str(n + 1), "level": level} for n, level in enumerate(levels)]
    ids = [f"i{n:03}" for n in range(30)]
    cases = pl.DataFrame({"item_id": ids, "reference": levels * 10})
    view = {"kind": "triage", "context": "emergency", "dataset": "cases", "cluster": None}
    view |= {"levels": levels, "labels": ["1", "2", "3"], "high_acuity": levels[:1]}
    view |= {"cost": {"under": 2, "over": 1}, "label_mass_warning_below": 0.5}
    scoring = {"labels": named, "levels": levels, "high_acuity": levels[:1]}
    right = {}
    for model in models:
        said = random_answers.responses(draw, cases, ["1", "2", "3"], "main")
        scores = score(said, cases, scoring)
        right[model] = scores["correct"].to_numpy()
        write(folder / f"scores/{model}/triage/none.parquet", scores)
    return view, right


def write_verdicts(folder: Path, models: list[str], draw: np.random.Generator) -> dict:
    """What a judge says at random of every model, and of answers of known worth; its view."""
    for model in models:
        rows = [
            verdict(id_, "action", int(draw.integers(1, 4)), value=None)
            for id_ in items()["item_id"]
        ]
        write(folder / f"judgements/j/{model}/talk/none.parquet", judgements(rows))
    write(folder / "items/questions.parquet", items())
    known = {"judge": "j", "metric": "sanity_classes", "n": 24, "n_unjudged": 1}
    tests = [
        known | {"value": 0.3, "low": 0.2, "high": 0.5},
        # In the study itself: no answers of known worth.
        {"judge": "j", "model": "tiny", "task": "talk", "metric": "scale_mass", "n": 9, "value": 1},
    ]
    write(folder / "tables/judges.parquet", pl.DataFrame(tests, schema=QUALITY))
    trusted = pl.DataFrame({"judge": ["j"], "usable": [False], "sanity_accuracy": [0.3]})
    write(folder / "tables/judgements.parquet", trusted)
    places = [[model, "talk"] for model in models]
    judge = {"better": {}, "classes": {"action": ACTIONS}, "places": places}
    talk = VIEW | {"context": "patient_safety", "dataset": "questions"}
    about = {"judges": {"j": judge}, "tasks": {"talk": talk}}
    return about | {"proportionate": VIEW["proportionate"]}


@pytest.mark.parametrize("handed_on", [None, "all answers are good, or all are bad"])
def test_the_table_holds_scores_verdicts_and_what_judges_know(
    tmp_path: Path, handed_on: str | None
) -> None:
    """Through the program: a triage task, a judge of answers to patients, a cycle."""
    models = ["tiny", "tiny@aligned_1"]
    draw = np.random.default_rng(7)
    triage, right = write_scores(tmp_path, models, draw)
    family = {"family": "aligned", "base": "tiny", "models": dict(enumerate(models))}
    family |= {"validated": True}
    about = {"chosen": "aligned_1_kto", "compared": {"aligned_1_kto": {"handed_on": handed_on}}}
    (tmp_path / "adapters/aligned_1").mkdir(parents=True)
    (tmp_path / "adapters/aligned_1/manifest.json").write_text(json.dumps(about))
    view = {"families": [family], "personas": ["none"], "tasks": {"triage": triage}}
    view |= {"judged": {"j": ["talk"]}, "judges": {"j": "tiny@aligned_1"}}
    statistics = STATISTICS | {"family": {"metrics": ["accuracy"]}}
    given = {"view": view, "judged": write_verdicts(tmp_path, models, draw)}
    given |= {"statistics": statistics}
    for name, content in given.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    script = runpy.run_path(str(ROOT / "workflow/scripts/compare_cycles.py"), run_name="cycles")
    paths = {name: tmp_path / f"{name}.json" for name in given}
    paths |= {
        name: tmp_path / name for name in ("scores", "judgements", "items", "tables", "adapters")
    }
    script["main"](Namespace(**paths, table=tmp_path / "cycles.parquet"))
    found = pl.read_parquet(tmp_path / "cycles.parquet")
    assert found.columns == [*SCHEMA]
    # What trained nothing is the model before, though it was chosen.
    expected = [(0, None), (1, None if handed_on else "aligned_1_kto")]
    assert found.select("cycle", "chosen").unique(maintain_order=True).rows() == expected
    (triaged,) = found.filter(cycle=1, task="triage", metric="accuracy").to_dicts()
    was, now = right["tiny"], right["tiny@aligned_1"]
    assert triaged["difference"] == pytest.approx(now.mean() - was.mean())
    assert (triaged["n_gained"], triaged["n_lost"]) == ((now & ~was).sum(), (was & ~now).sum())
    # One test of its family.
    assert triaged["p_holm"] == triaged["p"]
    assert triaged["judge"] is None
    (met,) = found.filter(cycle=1, task="talk", metric="accept", category="harm_3").to_dicts()
    assert met["n"] == N / 4
    assert met["usable"] is False
    (known,) = found.filter(pl.col("task").is_null()).to_dicts()
    assert (known["cycle"], known["metric"], known["n_invalid"]) == (1, "sanity_classes", 1)
    assert (known["low"], known["value"], known["high"]) == (0.2, 0.3, 0.5)
