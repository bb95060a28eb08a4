"""What tuning does to personas: from the files of a study to its table, figure and summary."""

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
import statsmodels.api as sm
import yaml
from greedy import greedy
from root import ROOT
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.analyses.tuning import SCHEMA
from persona_paradox.figures import vega
from persona_paradox.kinds.labelled.figures import tuning_effect
from persona_paradox.kinds.labelled.tuning_words import tuning
from persona_paradox.measures.robustness import draws_without_noise
from persona_paradox.measures.statistics import holm
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

COMPARE = runpy.run_path(str(ROOT / "workflow/scripts/compare_tuning.py"), run_name="compare")
BASE, TASK, N = "smollm2_135m_instruct", "triage_ed", 60
MIXED, PLAIN = f"{BASE}@mixed", f"{BASE}@plain"
PERSONAS = ["no_persona", "ed_nurse", "layperson", "bridge_engineer"]
# How many of the items are right, model → persona: the first ones of an order of its own.
RIGHT = {
    BASE: {"no_persona": 30, "ed_nurse": 12, "layperson": 24, "bridge_engineer": 30},
    MIXED: {"no_persona": 45, "ed_nurse": 45, "layperson": 45, "bridge_engineer": 45},
    PLAIN: {"no_persona": 40, "ed_nurse": 25, "layperson": 40, "bridge_engineer": 33},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration with two adapters of the test's own."""
    config = shutil.copytree(ROOT / "config", tmp_path_factory.mktemp("tuning") / "config")
    for name, personas in (("mixed", PERSONAS[:3]), ("plain", PERSONAS[:1])):
        data = [{"task": "triage_rules", "personas": personas}]
        adapter = {"title": name, "base": BASE, "licence": "MIT"}
        adapter |= {"training": {"method": "sft", "data": data}}
        (config / f"adapters/{name}.yaml").write_text(yaml.safe_dump(adapter))
    return config


def study(config: Path, **change: Any) -> Study:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    settings |= {"models": [BASE, MIXED, PLAIN], "tasks": [TASK], "personas": PERSONAS}
    return load_study(settings | {"judges": [], "limits": {}} | change, config, check_schema)


def view(of: Study, name: str) -> Any:
    return json.loads(json.dumps(dict(views(of))[name], sort_keys=True))


def right(model: str, persona: str) -> np.ndarray:
    """Which items are right, shape (items,): each persona begins at another one."""
    shift = 7 * PERSONAS.index(persona) + (5 if model != BASE else 0)
    return (np.arange(N) * 11 + shift) % N < RIGHT[model][persona]


def scores(model: str, persona: str, labels: list[str]) -> pl.DataFrame:
    """Answers to cases of the second level; the base's last two under the nurse are invalid."""
    hits = right(model, persona)
    found: list[str | None] = [labels[1] if hit else labels[0] for hit in hits]
    if (model, persona) == (BASE, "ed_nurse"):
        found[-2:] = [None, None]
    outcomes = {labels[1]: "right", labels[0]: "wrong", None: "unreadable"}
    return greedy(
        pl.DataFrame(
            {
                "item_id": [f"i{i:02}" for i in range(N)],
                "reference": labels[1],
                "label": pl.Series(found, dtype=pl.String),
                "outcome": [outcomes[one] for one in found],
            }
        )
    )


def answered(model: str, persona: str) -> np.ndarray:
    """What is answered: 1 right, 0 wrong, -1 invalid."""
    found = right(model, persona).astype(int)
    if (model, persona) == (BASE, "ed_nurse"):
        found[-2:] = -1
    return found


@pytest.fixture(scope="module")
def table(config: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("table")
    of = study(config)
    for name in ("tuning", "statistics"):
        (path / f"{name}.json").write_text(json.dumps(view(of, name)))
    labels = view(of, "tuning")["tasks"][TASK]["labels"]
    for model in RIGHT:
        folder = path / "scores" / model / TASK
        folder.mkdir(parents=True)
        for persona in PERSONAS:
            scores(model, persona, labels).write_parquet(folder / f"{persona}.parquet")
    COMPARE["main"](
        Namespace(
            view=path / "tuning.json",
            statistics=path / "statistics.json",
            scores=path / "scores",
            adapters=path / "adapters",
            table=path / "tuning.parquet",
        )
    )
    written = pl.read_csv(path / "tuning.csv", infer_schema=False)
    found = pl.read_parquet(path / "tuning.parquet")
    assert (written.columns, written.height) == (found.columns, found.height)
    return found


def one(table: pl.DataFrame, **where: Any) -> dict[str, Any]:
    (row,) = table.filter(**where).iter_rows(named=True)
    return row


def test_the_table_is_of_studies_that_ask_a_base_and_what_was_tuned_of_it(config: Path) -> None:
    both = study(config)
    assert "tuning" in both.tables
    assert "tuning_effect" in both.possible_figures
    assert [pair["trained_with"] for pair in view(both, "tuning")["pairs"]] == [
        PERSONAS[:3],
        PERSONAS[:1],
    ]
    for change in (
        {"models": [BASE]},
        {"models": [MIXED, PLAIN]},
        {"tasks": ["safety_teaching_short"]},
    ):
        other = study(config, **change)
        assert "tuning" not in other.tables
        assert "tuning_effect" not in other.possible_figures
        assert "tuning" not in dict(views(other))
    assert view(study(config, tasks=[f"{TASK}@all", TASK]), "tuning")["tasks"].keys() == {TASK}


def test_an_effect_before_and_after_is_that_of_the_answers(table: pl.DataFrame) -> None:
    for model in (MIXED, PLAIN):
        for persona in PERSONAS[1:]:
            row = one(table, model=model, persona=persona, measure="effect", metric="accuracy")
            hits = {
                (m, p): (answered(m, p) == 1).astype(float)
                for m in (BASE, model)
                for p in ("no_persona", persona)
            }
            before = hits[BASE, persona] - hits[BASE, "no_persona"]
            after = hits[model, persona] - hits[model, "no_persona"]
            assert row["before"] == pytest.approx(before.mean())
            assert row["after"] == pytest.approx(after.mean())
            # By least squares: the interaction of persona and tuning, with items as clusters.
            right_ = np.concatenate([*hits.values()])
            tuned = np.repeat([0, 0, 1, 1], N)
            asked = np.tile(np.repeat([0, 1], N), 2)
            design = np.column_stack([np.ones(4 * N), tuned, asked, tuned * asked])
            fit = sm.OLS(right_, design).fit(
                cov_type="cluster", cov_kwds={"groups": np.tile(np.arange(N), 4)}
            )
            assert row["difference"] == pytest.approx(fit.params[3])
            assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * fit.bse[3], rel=0.12)
            assert row["p"] == pytest.approx(fit.pvalues[3], abs=0.05)
            assert (row["n"], row["test"]) == (N, "bootstrap")


def test_flips_and_the_change_by_tuning_are_counted_and_tested_by_pairs(
    table: pl.DataFrame,
) -> None:
    row = one(table, model=MIXED, persona="ed_nurse", measure="flips")
    before, after = (answered(m, "ed_nurse") != answered(m, "no_persona") for m in (BASE, MIXED))
    assert (row["before"], row["after"]) == (before.mean(), after.mean())
    for side, flipped in (("before", before), ("after", after)):
        ends = proportion_confint(flipped.sum(), N, method="wilson")
        assert (row[f"{side}_low"], row[f"{side}_high"]) == pytest.approx(ends)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    assert (row["n_gained"], row["n_lost"]) == (gained, lost)
    assert row["p"] == pytest.approx(binomtest(gained, gained + lost).pvalue)
    row = one(table, model=PLAIN, persona="no_persona", measure="change", metric="accuracy")
    was, is_ = right(BASE, "no_persona"), right(PLAIN, "no_persona")
    assert (row["before"], row["after"]) == (was.mean(), is_.mean())
    gained, lost = int((is_ & ~was).sum()), int((was & ~is_).sum())
    assert row["difference"] == pytest.approx((gained - lost) / N)
    assert row["p"] == pytest.approx(binomtest(gained, gained + lost).pvalue)


def test_all_personas_together(table: pl.DataFrame) -> None:
    for model in (MIXED, PLAIN):
        row = one(table, model=model, persona="all", measure="flips")
        means = [
            np.mean([answered(m, p) != answered(m, "no_persona") for p in PERSONAS[1:]])
            for m in (BASE, model)
        ]
        assert [row["before"], row["after"]] == pytest.approx(means)
        assert row["low"] < row["difference"] == pytest.approx(means[1] - means[0])
        assert (row["n_personas"], row["n_invalid_before"], row["n_invalid_after"]) == (4, 2, 0)
    spread = one(table, model=PLAIN, measure="spread", metric="accuracy")
    for model, side in ((BASE, "before"), (PLAIN, "after")):
        shares = np.array([answered(model, persona) == 1 for persona in PERSONAS])
        # The variance of the means over personas, without that of the items' noise: for items
        # drawn at random that is s² minus the mean squares of the interaction by the items.
        deviations = shares - shares.mean(axis=0)
        residual = deviations - deviations.mean(axis=1, keepdims=True)
        noise = (residual**2).sum() / ((len(shares) - 1) * (N - 1)) / N
        without = shares.mean(axis=1).var(ddof=1) - noise
        assert spread[side] == pytest.approx(np.sqrt(max(without, 0)), abs=0.01)
        assert spread[f"{side}_low"] <= spread[side] <= spread[f"{side}_high"]


def test_the_difference_of_spreads_is_paired_by_item(table: pl.DataFrame) -> None:
    """Against a bootstrap of its own, whose noise is that of the analysis of variance."""
    draw = np.random.default_rng(11)
    picks = draw.integers(0, N, (4000, N))
    for model in (MIXED, PLAIN):
        drawn = []
        for side in (BASE, model):
            right_ = np.array([answered(side, persona) == 1 for persona in PERSONAS]).astype(float)
            apart = right_ - right_.mean(axis=0)
            residual = apart - apart.mean(axis=1, keepdims=True)
            noise = (residual**2).sum() / ((len(PERSONAS) - 1) * (N - 1)) / N
            variances = right_[:, picks].mean(axis=2).var(axis=0, ddof=1)
            drawn.append(np.sqrt(np.maximum(variances - 2 * noise, 0)))
        row = one(table, model=model, measure="spread", metric="accuracy")
        assert row["difference"] == pytest.approx(row["after"] - row["before"])
        ends = np.quantile(drawn[1] - drawn[0], [0.025, 0.975])
        assert [row["low"], row["high"]] == pytest.approx(list(ends), abs=0.015)
        assert (row["p"], row["test"]) == (None, None)


@pytest.mark.parametrize("spreads", [(0.1, 0.0), (0.1, 0.1), (0.0, 0.0)])
def test_the_interval_of_that_difference_holds_the_truth(spreads: tuple[float, float]) -> None:
    """Known truth: four personas, 60 items, at least about 95 of 100 intervals have it."""
    draw = np.random.default_rng(12)
    effects = np.array([-1.0, -1 / 3, 1 / 3, 1.0])
    effects /= effects.std(ddof=1)
    held, studies = 0, 200
    for _ in range(studies):
        likely = draw.uniform(0.25, 0.75, N)
        weights = draw.multinomial(N, np.full(N, 1 / N), size=400) / N
        found = []
        for spread in spreads:
            hits = draw.uniform(size=(4, N)) < likely + spread * effects[:, None]
            sds = (weights @ hits.T).std(axis=1, ddof=1)
            found.append(draws_without_noise(hits.mean(axis=1).std(ddof=1), sds))
        low, high = np.quantile(found[1] - found[0], [0.025, 0.975])
        held += low <= spreads[1] - spreads[0] <= high
    assert held / studies > 0.95 - 3 * (0.05 * 0.95 / studies) ** 0.5


def test_who_was_in_training_and_how_many_answers_are_invalid(table: pl.DataFrame) -> None:
    row = one(table, model=MIXED, persona="ed_nurse", measure="effect", metric="accuracy")
    assert row["trained_with"] == "no_persona, ed_nurse, layperson"
    counts = ["n_invalid_before", "n_invalid_after"]
    counts += ["n_invalid_baseline_before", "n_invalid_baseline_after"]
    assert [row[name] for name in counts] == [2, 0, 0, 0]
    trained = {
        (row["model"], row["persona"]): row["in_training"]
        for row in table.filter(measure="change", metric="accuracy").iter_rows(named=True)
    }
    assert trained == {(m, p): p in PERSONAS[: 3 if m == MIXED else 1] for m, p in trained}
    assert (
        table.filter(persona="all")["in_training"].null_count()
        == table.filter(persona="all").height
    )


def test_a_chosen_adapter_was_trained_with_what_its_candidates_were(tmp_path: Path) -> None:
    """Where nothing went on it is the base, and was trained with nobody."""
    models = [BASE, *(f"{BASE}@aligned_self_{n}" for n in (1, 2))]
    pairs = view(study(ROOT / "config", models=models), "tuning")["pairs"]
    assert [(pair["chosen"], pair["trained_with"]) for pair in pairs] == [
        (True, ["no_persona"])
    ] * 2
    for cycle, expected in ((None, ["no_persona"]), (1, None), (2, ["no_persona"])):
        stopped = None if cycle is None else {"cycle": cycle, "why": "its gain is 0"}
        path = tmp_path / "aligned_self_2/manifest.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"chosen": None, "stopped": stopped}))
        assert COMPARE["trained_with"](pairs[1], tmp_path) == expected


def test_effects_in_accuracy_are_a_family_of_their_own(table: pl.DataFrame) -> None:
    family = table.filter("in_family")
    assert set(family["measure"]) == {"effect"}
    assert set(family["metric"]) == {"accuracy"}
    assert family.height == 2 * 3
    assert family["p_holm"].to_list() == pytest.approx(list(holm(family["p"].to_numpy())))
    assert table["p_holm"].count() == family.height
    assert table.columns == [*SCHEMA]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_figure_has_a_panel_for_every_mix_with_all_in_words(
    config: Path, table: pl.DataFrame, tmp_path: Path
) -> None:
    settings = view(study(config), "figures/labelled")
    rows = tuning_effect.rows({"tuning": table}, settings)
    panels = [flat(panel) for panel in rows["panel"].unique(maintain_order=True)]
    assert [panel.partition("trained with: ")[2] for panel in panels] == [
        "No persona, ED nurse, Layperson",
        "No persona",
    ]
    first = rows.filter(panel=rows.item(0, "panel"))
    labels = ["ED nurse (in training)", "Layperson (in training)", "Bridge engineer"]
    assert [flat(label) for label in first["label"]] == [*labels, "All 4 personas"]
    nurse = first.row(0, named=True)
    effect = one(table, model=MIXED, persona="ed_nurse", measure="effect", metric="accuracy")
    assert (nurse["before"], nurse["after_high"]) == pytest.approx(
        (-30, 100 * effect["after_high"])
    )
    said = flat(nurse["said"])
    assert said.startswith("−30.0 → 0.0: +30.0 [+")
    assert "p (Holm) 0.0" in said
    assert said.endswith(f"→ {100 * np.mean(flips()):.0f}%, n = 60, invalid 2 → 0")
    assert flat(first.item(3, "said")).startswith("spread ")
    assert first.item(3, "before") is None
    few = tuning_effect.rows({"tuning": table}, settings | {"too_few_below": N + 1})
    assert set(few["said"]) == {"too few\nn = 60"}
    assert few["before"].null_count() == few.height
    spec = vega.report_figure(tuning_effect, {"tuning": table}, settings)
    for form in ("png", "pdf"):
        vega.save(spec, tmp_path / f"x.{form}", form)  # type: ignore[arg-type]
        assert (tmp_path / f"x.{form}").stat().st_size > 10_000


def flips() -> np.ndarray:
    """Which answers of the nurse differ from the baseline's, of the model with mixed personas."""
    return answered(MIXED, "ed_nurse") != answered(MIXED, "no_persona")


def test_the_summary_says_three_sentences_a_model(config: Path, table: pl.DataFrame) -> None:
    settings = view(study(config), "judged_figures")
    mixed, plain = tuning({"tuning": table}, settings, {})
    assert mixed.startswith("- SmolLM2")
    assert (
        "(trained with No persona; ED nurse; Layperson): the baseline's accuracy is 50.0% ["
        in mixed
    )
    assert "were −30.0 to 0.0 points and are 0.0 to 0.0; " in mixed
    family = table.filter("in_family", model=MIXED)
    shown = family.filter(pl.col("p_holm") <= 0.05)
    assert f"is shown for {shown.height} of 3 tested (ED nurse +30.0 points [" in mixed
    assert len([*filter(None, plain.split(". "))]) == 3
    spread = one(table, model=MIXED, measure="spread", metric="accuracy")
    ends = [f"{100 * spread[key]:+.1f}".replace("-", "−") for key in ("difference", "low", "high")]
    assert f" points ({ends[0]} points [{ends[1]}, {ends[2]}])" in mixed
