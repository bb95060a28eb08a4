"""Bootstrap draws and what contrasts make of them, against scipy, statsmodels and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.kinds.triage.measures import METRICS, answers
from persona_paradox.measures import contrasts, paired_tests, statistics
from persona_paradox.measures.answers import measured
from persona_paradox.measures.resampling import Draws, Resampled, means

pytestmark = pytest.mark.filterwarnings("error")

SETTINGS: dict[str, Any] = {
    "draws": 4000,
    "seed": 11,
    "confidence": 0.95,
    "interval": "percentile",
    "power": 0.8,
    "margins": {"accuracy": 0.05, "level_error": 0.3},
}
BCA = SETTINGS | {"interval": "bca"}
TASK = {
    "labels": ["1", "2", "3"],
    "label_mass_warning_below": 0.5,
    "levels": ["a", "b", "c"],
    "high_acuity": ["a"],
    "cost": {"under": 2, "over": 1},
}


def mean_of(values):
    return lambda counts: means({"mean": values}, counts)


def scores(reference, answer, clusters=None):
    """Greedy answers; levels as numbers, an answer of -1 is invalid."""
    label = np.array(["1", "2", "3", None], dtype=object)
    n = len(reference)
    missing = pl.lit(None, dtype=pl.String)
    return pl.DataFrame(
        {
            "item_id": [f"i{i:05d}" for i in range(n)],
            "reference": label[reference].tolist(),
            "label": label[answer].tolist(),
            "cluster": [None] * n if clusters is None else [str(c) for c in clusters],
        },
        schema_overrides={"cluster": pl.String, "label": pl.String},
    ).with_columns(
        repeat=pl.lit(0),
        label_logprob_argmax=missing,
        label_contextual=missing,
        label_mass=missing.cast(pl.Float64),
        high_acuity_probability=missing.cast(pl.Float64),
        parse_status=pl.lit("label"),
        outcome=pl.lit("unreadable"),
        backend=pl.lit("test"),
    )


def compared(reference, first, second, settings=SETTINGS, clusters=None):
    """Contrast rows by metric, and the differences with their draws, of `second` - `first`."""
    baseline = answers(scores(reference, first, clusters), TASK)
    this = answers(scores(reference, second, clusters), TASK, baseline)
    draws = Draws.of(baseline.clusters, settings)
    mine, theirs = draws.measure(this.points), draws.measure(baseline.points)
    sides, values = (this, baseline), (mine, theirs)
    rows = contrasts.contrast_rows(sides, mine - theirs, values, METRICS, settings)
    return {row["metric"]: row for row in rows}, mine - theirs


def some_answers(n, seed, alike=0.6):
    generator = np.random.default_rng(seed)
    reference = generator.integers(0, 3, n)
    first = np.where(generator.random(n) < 0.5, reference, generator.integers(-1, 3, n))
    second = np.where(generator.random(n) < alike, first, generator.integers(-1, 3, n))
    return reference, first, second


# --- what no interval can be made of ----------------------------------------------------------


@pytest.mark.parametrize("settings", [SETTINGS, BCA])
@pytest.mark.parametrize("clusters", [[0], [0] * 24])
def test_one_item_or_cluster_has_no_interval(settings, clusters):
    draws = Draws.of(np.array(clusters), settings)
    first, second = np.linspace(0.0, 0.5, len(clusters)), np.linspace(0.1, 0.7, len(clusters))
    one, other = draws.measure(mean_of(first)), draws.measure(mean_of(second))
    assert np.isnan(one.interval("mean")).all()
    assert np.isnan((other - one).interval("mean")).all()
    assert (other - one).p_zero("mean") == 1
    # Nor has one item of several.
    some = Draws.of(np.arange(5), settings).among(np.array([True] + [False] * 4))
    assert np.isnan(some.measure(mean_of(first[:1])).interval("mean")).all()


def test_a_share_that_is_the_same_in_all_clusters_is_that_of_as_many_items():
    reference = np.zeros(24, dtype=int)
    wrong, half = reference + 1, np.tile([0, 1], 12)
    for answer, n_right in ((wrong, 0), (reference, 12), (half, 6)):
        this = answers(scores(reference, answer, np.arange(24) // 2), TASK)
        found = measured("accuracy", this, Draws.of(this.clusters, SETTINGS).measure(this.points))
        expected = proportion_confint(n_right, 12, method="wilson")
        assert (found["low"], found["high"]) == pytest.approx(expected)
    this = answers(scores(reference, wrong, np.zeros(24)), TASK)
    found = measured("accuracy", this, Draws.of(this.clusters, SETTINGS).measure(this.points))
    assert found == {"value": 0.0, "low": None, "high": None}


def test_draws_that_are_equal_but_for_rounding_are_ties():
    noise = np.array([1e-17, -1e-17, 0.0, 0.2])
    difference = Resampled({"x": 0.05}, {"x": noise}, {}, 0.95)
    exact = Resampled({"x": 0.05}, {"x": noise.round(12)}, {}, 0.95)
    assert difference.p_zero("x") == exact.p_zero("x") == 1
    shifted = Resampled({"x": 0.05}, {"x": noise + 0.1}, {}, 0.95)
    assert shifted.p_beyond("x", 0.1) == 1


# --- against scipy.stats.bootstrap ------------------------------------------------------------


@pytest.mark.parametrize(("settings", "method"), [(SETTINGS, "percentile"), (BCA, "BCa")])
def test_interval_of_a_mean_is_scipys(settings, method):
    values = np.random.default_rng(3).gamma(1.5, size=120)
    ours = Draws.of(np.arange(120), settings).measure(mean_of(values)).interval("mean")
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method=method, rng=np.random.default_rng(5)
    ).confidence_interval
    # Two bootstraps of 4,000 draws: the noise of a bound is about 3% of the standard error.
    assert ours == pytest.approx(theirs, abs=0.12 * stats.sem(values))


@pytest.mark.parametrize(("settings", "method"), [(SETTINGS, "percentile"), (BCA, "BCa")])
def test_interval_of_a_paired_difference_is_scipys(settings, method):
    generator = np.random.default_rng(4)
    first = generator.gamma(1.5, size=150)
    second = first + generator.gamma(0.8, size=150)
    draws = Draws.of(np.arange(150), settings)
    ours = (draws.measure(mean_of(second)) - draws.measure(mean_of(first))).interval("mean")
    theirs = stats.bootstrap(
        (second, first),
        lambda a, b, axis: np.mean(a, axis=axis) - np.mean(b, axis=axis),
        n_resamples=4000,
        paired=True,
        vectorized=True,
        method=method,
        rng=np.random.default_rng(6),
    ).confidence_interval
    assert ours == pytest.approx(theirs, abs=0.12 * stats.sem(second - first))


def test_measures_of_answers_are_scipys():
    reference, answer, _ = some_answers(90, seed=7)
    this = answers(scores(reference, answer), TASK)
    measured = Draws.of(this.clusters, SETTINGS).measure(this.points)

    def right(indices):
        return np.mean(answer[indices] == reference[indices])

    theirs = stats.bootstrap(
        (np.arange(90),),
        right,
        n_resamples=4000,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(8),
    )
    se = theirs.standard_error
    assert measured.interval("accuracy") == pytest.approx(theirs.confidence_interval, abs=0.25 * se)
    assert measured.drawn["accuracy"].std() == pytest.approx(se, rel=0.05)


def test_a_draw_measures_what_it_holds():
    reference, answer, _ = some_answers(40, seed=9)
    this = answers(scores(reference, answer), TASK)
    draws = Draws.of(this.clusters, BCA | {"draws": 5})
    measured = draws.measure(this.points)
    for i, counts in enumerate(draws.counts):
        rows = np.repeat(np.arange(40), counts.astype(int))
        # Names of their own keep every copy an item.
        again = answers(scores(reference[rows], answer[rows]), TASK).points()
        for name, value in again.items():
            assert measured.drawn[name][i] == pytest.approx(value, nan_ok=True), name
    for i in range(40):
        rest = np.arange(40) != i
        again = answers(scores(reference[rest], answer[rest]), TASK).points()
        for name, value in again.items():
            assert measured.left_out[name][i] == pytest.approx(value, nan_ok=True), name


# --- clusters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [SETTINGS, BCA])
def test_whole_clusters_are_drawn(settings):
    clusters = np.random.default_rng(1).integers(0, 25, 100)
    draws = Draws.of(clusters, settings)
    for weights in (draws.counts, draws.jackknife):
        if weights is None:
            continue
        for cluster in np.unique(clusters):
            members = weights[:, clusters == cluster]
            assert (members == members[:, :1]).all()
    # As many clusters as there are in every draw.
    first = [int(np.flatnonzero(clusters == cluster)[0]) for cluster in np.unique(clusters)]
    assert (draws.counts[:, first].sum(axis=1) == len(first)).all()
    if draws.jackknife is not None:
        assert len(draws.jackknife) == len(first)


def test_clusters_widen_the_interval_of_what_they_share():
    clusters = np.repeat(np.arange(50), 4)
    values = np.repeat(np.random.default_rng(2).normal(size=50), 4)

    def width(of):
        low, high = Draws.of(of, SETTINGS).measure(mean_of(values)).interval("mean")
        return high - low

    # Four copies of everything: the standard error doubles.
    assert width(clusters) == pytest.approx(2 * width(np.arange(200)), rel=0.08)


def test_some_of_the_items_keep_their_draws():
    clusters = np.random.default_rng(3).integers(0, 10, 30)
    draws = Draws.of(clusters, BCA)
    inside = clusters < 4
    part = draws.among(inside)
    assert np.array_equal(part.counts, draws.counts[:, inside])
    assert np.array_equal(part.jackknife, draws.jackknife[:, inside])


# --- p values and intervals ----------------------------------------------------------------------


@pytest.mark.parametrize("shift", np.linspace(-0.6, 0.6, 25))
def test_p_is_small_exactly_where_the_interval_excludes_zero(shift):
    values = np.random.default_rng(5).normal(shift, 1, 40)
    measured = Draws.of(np.arange(40), SETTINGS).measure(mean_of(values))
    p = measured.p_zero("mean")
    # A level whose tail is a whole number of draws, on either side of p: no more discrete than
    # one draw per tail.
    for level in (p * 1.1 + 0.002, p * 0.9 - 0.002):
        if 0.002 < level < 1:
            low, high = measured.interval("mean", 1 - level)
            assert (p <= level) == (low > 0 or high < 0)


def test_p_beyond_a_margin_is_that_of_the_one_sided_interval():
    values = np.random.default_rng(6).normal(0.02, 0.3, 200)
    measured = Draws.of(np.arange(200), SETTINGS).measure(mean_of(values))
    for margin in (-0.08, -0.02, 0.04, 0.07, 0.3):
        p = measured.p_beyond("mean", margin)
        for level in (p * 1.1 + 0.002, p * 0.9 - 0.002):
            if not 0.002 < level < 0.5:
                continue
            low, high = measured.interval("mean", 1 - 2 * level)
            assert (p <= level) == (low > margin if margin < 0 else high < margin)


def test_p_has_a_floor_and_a_ceiling():
    far = Resampled({"x": 1.0}, {"x": np.full(99, 1.0)}, {}, 0.95)
    assert far.p_zero("x") == pytest.approx(2 / 100)
    assert far.p_beyond("x", -0.1) == pytest.approx(1 / 100)
    assert far.p_beyond("x", 0.1) == 1
    nothing = Resampled({"x": 0.0}, {"x": np.zeros(99)}, {}, 0.95)
    assert nothing.p_zero("x") == 1


@pytest.mark.parametrize(
    ("clusters", "units"), [(np.arange(4), 4), ([0, 0, 0, 1, 1, 2], 3), ([7], 1)]
)
def test_few_items_show_no_more_than_an_exact_test(clusters, units):
    # All differences are the same, and so are those of every draw.
    values = np.full(len(clusters), 0.3)
    measured = Draws.of(clusters, SETTINGS).measure(mean_of(values))
    exact = stats.binomtest(units, units).pvalue
    assert measured.p_zero("mean") == pytest.approx(exact)
    assert measured.p_beyond("mean", -0.1) == pytest.approx(exact / 2)
    # So do the items of a group, whatever the number of all.
    many = Draws.of(np.concatenate([np.asarray(clusters) + 1000, np.arange(500)]), SETTINGS)
    inside = np.arange(500 + len(clusters)) < len(clusters)
    assert many.among(inside).measure(mean_of(values)).p_zero("mean") == pytest.approx(exact)


def test_what_is_undefined_has_no_p():
    undefined = Resampled({"x": np.nan}, {"x": np.array([0.1, np.nan])}, {}, 0.95)
    assert np.isnan(undefined.p_zero("x"))
    assert np.isnan(undefined.p_beyond("x", 0.1))
    never = Resampled({"x": 0.3}, {"x": np.full(5, np.nan)}, {}, 0.95)
    assert np.isnan(never.p_zero("x"))
    # A draw in which it is undefined does not count.
    some = Resampled({"x": 0.3}, {"x": np.array([0.3, np.nan, 0.4, 0.2])}, {}, 0.95)
    assert some.p_zero("x") == pytest.approx(2 / 4)


def test_differences_are_of_what_both_have():
    one = Resampled({"x": 1.0, "y": 2.0}, {"x": np.ones(3), "y": np.ones(3)}, {}, 0.95)
    other = Resampled({"x": 0.5}, {"x": np.full(3, 0.5)}, {}, 0.95)
    assert (one - other).point == {"x": 0.5}
    assert (other - one).point == {"x": -0.5}
    assert (one - other).drawn["x"].tolist() == [0.5] * 3


# --- contrasts --------------------------------------------------------------------------------


def test_a_contrast_is_the_difference_of_its_two_sides():
    reference, first, second = some_answers(80, seed=12)
    rows, difference = compared(reference, first, second)
    row = rows["accuracy"]
    gained = int(((second == reference) & (first != reference)).sum())
    lost = int(((second != reference) & (first == reference)).sum())
    assert (row["n_gained"], row["n_lost"]) == (gained, lost)
    assert row["difference"] == pytest.approx((gained - lost) / 80)
    assert row["value"] - row["baseline_value"] == pytest.approx(row["difference"])
    assert (row["low"], row["high"]) == difference.interval("accuracy")
    assert row["test"] == "exact McNemar"
    assert row["p"] == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)
    assert row["n_changed"] == (first != second).sum()
    assert row["n_invalid"] == (second < 0).sum()
    assert row["n_invalid_baseline"] == (first < 0).sum()
    assert rows["kappa_quadratic"]["test"] == "bootstrap"
    assert rows["kappa_quadratic"]["p"] == difference.p_zero("kappa_quadratic")
    assert "n_gained" not in rows["kappa_quadratic"]
    margin = SETTINGS["margins"]["level_error"]
    expected = max(difference.p_beyond("level_error", side * margin) for side in (-1, 1))
    assert rows["level_error"]["equivalence_p"] == expected


def test_clusters_of_one_item_give_mcnemars_chi_squared():
    reference, first, second = some_answers(200, seed=13, alike=0.8)
    turned = (first == reference).astype(int) - (second == reference)
    table = [[0, (turned > 0).sum()], [(turned < 0).sum(), 0]]
    expected = mcnemar(table, exact=False, correction=False).pvalue
    assert paired_tests.mcnemar_clustered(turned, np.arange(200)) == pytest.approx(expected)


def test_clusters_of_one_item_are_as_none():
    answers = some_answers(200, seed=13, alike=0.8)
    alone, _ = compared(*answers, clusters=np.arange(200))
    none, _ = compared(*answers)
    keys = ("test", "p", "n_gained", "n_lost", "detectable")
    assert {key: alone["accuracy"][key] for key in keys} == {
        key: none["accuracy"][key] for key in keys
    }
    assert alone["accuracy"]["test"] == "exact McNemar"


def test_clustered_mcnemar_by_hand():
    # Three clusters. The first: 2 items, both turn right, +2/2. The second: 4 items, one turns
    # wrong, -1/4. The third: 2 items, one turns right, +1/2. (1.25)² / (1 + 1/16 + 1/4) = 25/21.
    clusters = [0, 0, 1, 1, 1, 1, 2, 2]
    reference = np.zeros(8, dtype=int)
    first = np.array([1, 1, 0, 0, 1, 0, 1, 0])
    second = np.array([0, 0, 1, 0, 1, 0, 0, 0])
    rows, difference = compared(reference, first, second, clusters=clusters)
    row = rows["accuracy"]
    assert (row["n_gained"], row["n_lost"]) == (3, 1)
    assert row["p"] == pytest.approx(stats.chi2.sf(25 / 21, 1))
    # Equivalence then rests on the bootstrap over clusters.
    p = max(difference.p_beyond("accuracy", side * 0.05) for side in (-1, 1))
    assert row["equivalence_p"] == p
    assert not row["equivalent"]


def test_flips_tell_which_way_answers_turn():
    #            right→wrong, wrong→right, wrong→other wrong, wrong→invalid, same wrong, same right
    reference = np.array([0, 0, 0, 0, 0, 0, 0])
    first = np.array([0, 1, 1, 1, 1, 0, 0])
    second = np.array([2, 0, 2, -1, 1, 0, -1])
    rows, _ = compared(reference, first, second)
    row = rows["accuracy"]
    flips = {name: row[name] for name in contrasts.FLIPS}
    assert flips == {"n_right_to_wrong": 2, "n_wrong_to_right": 1, "n_wrong_to_wrong": 2}
    assert sum(flips.values()) == row["n_changed"]
    assert (row["n_lost"], row["n_gained"]) == (2, 1)
    assert not set(contrasts.FLIPS) & set(rows["level_error"])


def test_holm_over_the_family_alone():
    rows = [
        {"persona": persona, "variant": variant, "metric": metric, "against": against, "p": p}
        for persona, variant, metric, against, p in [
            ("nurse", "main", "accuracy", "persona", 0.01),
            ("nurse", "paraphrase_1", "accuracy", "persona", 0.0001),
            ("nurse", "main", "cost", "persona", 0.0001),
            ("nurse", "main", "accuracy", "arm", 0.0001),
            ("chef", "main", "accuracy", "persona", 0.04),
            ("mine", "main", "accuracy", "persona", 0.0001),
            ("gp", "main", "accuracy", "persona", None),
        ]
    ]
    place = {"model": pl.lit("m"), "task": pl.lit("t"), "confidence": pl.lit(None, pl.String)}
    table = contrasts.with_family(
        pl.LazyFrame(rows).with_columns(**place),
        {"metrics": ["accuracy"], "wordings": "main", "groups": ["paper", "control"]},
        {"nurse": "paper", "chef": "control", "mine": "own", "gp": "paper"},
    ).collect()
    assert table["in_family"].to_list() == [True, False, False, False, True, False, False]
    expected = statistics.holm([0.01, 0.04])
    assert table["p_holm"].to_list() == [expected[0], None, None, None, expected[1], None, None]
