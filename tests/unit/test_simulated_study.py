"""What is there is found, and nothing where nothing is: the simulated study, in small."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import simulated_study as study
from simulation import BASELINE, World, ask


def test_what_is_said_to_be_true_is():
    world = World(items=400_000, levels=5, wording=0.03, sentence=0.0)
    generator = np.random.Generator(np.random.PCG64(1))
    asked = ask(world, {"changed": world.shift_of(0.15)}, generator, wordings=2)
    right = {key: table["correct"].to_numpy() for key, table in asked.scores.items()}
    for key, table in asked.scores.items():
        shift = asked.shifts[key]
        # Standard errors are below 0.0008.
        assert right[key].mean() == pytest.approx(world.right(shift), abs=0.003)
        assert table["label"].null_count() / table.height == pytest.approx(0.02, abs=0.001)
        sure = table["label_logprob_argmax"] == table["reference"]
        over = table["confidence"].mean() - sure.mean()
        assert over == pytest.approx(world.calibration(shift)["overconfidence"], abs=0.003)
    one, other = (right["changed", name].astype(float) for name in ("main", "paraphrase_1"))
    noise = (one - other).var() / 2 / world.items
    middle = np.mean([asked.shifts["changed", name] for name in ("main", "paraphrase_1")])
    assert world.item_sd(float(middle)) ** 2 == pytest.approx(noise, rel=0.02)


def test_the_effect_of_a_persona_is_the_mean_over_its_wordings():
    world = World(items=1, levels=3, wording=0.03, sentence=0.0)
    spread = world.latent_sd(world.wording)
    for effect in (-0.15, 0.0, 0.2):
        shift = world.shift_of(effect)
        w = spread * stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
        effects = [world.effect(shift + one) for one in w]
        assert np.mean(effects) == pytest.approx(effect, abs=1e-4)
        assert np.std(effects) == pytest.approx(world.wording_sd(shift), abs=1e-4)


def test_a_large_effect_is_found_and_none_is_not():
    world = World(items=400, levels=5, wording=0.01, sentence=0.01)
    generator = np.random.Generator(np.random.PCG64([study.SEED, 9]))
    shifts = {"changed": world.shift_of(0.25), "null": world.shift_of(0)}
    sd = world.latent_sd(world.sentence)
    shifts |= {
        name: world.shift_of(0) + sd * generator.standard_normal()
        for name in ("sentence", *study.CONTROLS)
    }
    asked = ask(world, shifts, generator)
    settings = study.STATISTICS | {"draws": 1000}
    table, verdicts = study.judge(study.contrasts(asked, world, "task", settings), settings)
    rows = {row["persona"]: row for row in verdicts.to_dicts()}
    assert rows["changed"]["verdict"] == "robust"
    assert rows["null"]["verdict"] == "not significant"
    assert rows["sentence"]["verdict"] != "robust"
    assert BASELINE not in rows
    assert not set(study.CONTROLS) & set(rows)
    true = world.effect(asked.shifts["changed", "main"])
    assert rows["changed"]["low"] <= true <= rows["changed"]["high"]
    main = table.filter((pl.col("variant") == "main") & pl.col("persona").is_in(list(rows)))
    held = [
        row["low"] <= world.effect(asked.shifts[row["persona"], "main"]) <= row["high"]
        for row in main.to_dicts()
    ]
    # Of 3 intervals of 95%, 2 or more hold the truth with a probability of 99.3%.
    assert len(held) == 3
    assert sum(held) >= 2
    # The wordings speak of the persona on these items.
    here = {name: world.effect_on(asked, shifts[name]) for name in rows}
    assert here["changed"] == pytest.approx(0.25, abs=0.06)
    assert any(
        row["wording_low"] <= here[name] <= row["wording_high"] for name, row in rows.items()
    )


@pytest.mark.simulation
@pytest.mark.parametrize("null", study.NULLS, ids=lambda null: null.title)
def test_no_effect_is_rarely_called_robust(null):
    rates = study.null_rates(null, studies=8, items=100, draws=200)
    robust = rates["any persona robust, per model and task"]
    # At a true rate of 5%, more than this would be seen once in 200 times.
    assert robust.trials == 16
    assert robust.hits <= stats.binom.ppf(0.995, 16, 0.05)
    if not (null.wording or null.sentence):
        studies = rates["any contrast significant after Holm, per study"]
        assert studies.trials == 8
        assert studies.hits <= stats.binom.ppf(0.995, 8, 0.05)


@pytest.mark.simulation
def test_significance_alone_would_call_a_sentence_an_effect():
    null = study.Null("sentences differ much", wording=0.0, sentence=0.1)
    rates = study.null_rates(null, studies=4, items=300, draws=100)
    assert rates["any contrast significant after Holm, per study"].share > 0.5
    assert rates["any persona robust, per model and task"].hits <= 2
