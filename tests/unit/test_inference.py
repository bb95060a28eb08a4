import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from persona_paradox.kinds.triage import formulas as triage
from persona_paradox.measures import paired_tests, statistics

pytestmark = pytest.mark.filterwarnings("error")


# Clusters


@given(st.integers(0, 60), st.integers(0, 2**32), st.integers(1, 4))
def test_items_of_their_own_are_resampled_as_before(n, seed, draws):
    counts = statistics.cluster_counts(np.arange(n), draws, seed)
    plain = statistics.bootstrap_counts(n, draws, seed)
    assert np.array_equal(counts, plain)
    assert counts.dtype == plain.dtype


def test_the_names_of_clusters_do_not_matter():
    number = [3, 1, 1, 2, 3, 9]
    named = ["z", "b", "b", "m", "z", "a"]
    counts = statistics.cluster_counts(number, 50, seed=4)
    assert np.array_equal(counts, statistics.cluster_counts(named, 50, seed=4))
    # In the order of appearance: the first cluster takes the first count.
    assert np.array_equal(counts, statistics.bootstrap_counts(4, 50, seed=4)[:, [0, 1, 1, 2, 0, 3]])


def test_resampling_clusters_gives_the_standard_error_of_clusters():
    generator = np.random.default_rng(0)
    means = generator.normal(size=200)
    clusters = np.repeat(np.arange(200), 4)
    values = means[clusters] + 0.1 * generator.normal(size=800)
    counts = statistics.cluster_counts(clusters, 3000, seed=1).astype(float)
    drawn = counts @ values / counts.sum(axis=1)
    cluster_means = values.reshape(200, 4).mean(axis=1)
    assert drawn.std() == pytest.approx(cluster_means.std() / np.sqrt(200), rel=0.06)
    # Items by themselves would claim about half of that.
    plain = statistics.bootstrap_counts(800, 3000, seed=1) @ values / 800
    assert plain.std() == pytest.approx(values.std() / np.sqrt(800), rel=0.06)


def test_leaving_out_one_is_measuring_the_others():
    generator = np.random.default_rng(1)
    reference, answer = generator.integers(0, 3, 40), generator.integers(-1, 3, 40)
    clusters = generator.integers(0, 12, 40)
    for weights, left_out in (
        (statistics.jackknife_counts(40), [[i] for i in range(40)]),
        (
            statistics.jackknife_counts(clusters),
            [np.flatnonzero(clusters == c) for c in dict.fromkeys(clusters.tolist())],
        ),
    ):
        assert weights.shape == (len(left_out), 40)
        counts = triage.confusion(reference, answer, 3, weights)
        for matrix, without in zip(counts, left_out, strict=True):
            rest = np.delete(np.arange(40), without)
            assert np.array_equal(matrix, triage.confusion(reference[rest], answer[rest], 3))


def test_no_items_have_no_clusters():
    assert statistics.cluster_counts([], 3, seed=0).shape == (3, 0)
    assert statistics.jackknife_counts(0).shape == (0, 0)


def test_clusters_are_one_per_item():
    with pytest.raises(ValueError, match="one per item"):
        statistics.cluster_counts([[1, 2], [3, 4]], 3, seed=0)


# BCa


def skewness(x, axis=-1):
    return stats.skew(x, axis=axis)


SAMPLES = {
    "mean": (np.mean, lambda g: g.exponential(size=30)),
    "share": (np.mean, lambda g: (g.random(45) < 0.8).astype(float)),
    "skewness": (skewness, lambda g: g.lognormal(size=25)),
}


@pytest.mark.parametrize("case", SAMPLES)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_bca_is_scipys_on_the_same_resamples(case, confidence):
    statistic, sample = SAMPLES[case]
    values = sample(np.random.default_rng(2))
    reference = stats.bootstrap(
        (values,),
        statistic,
        method="BCa",
        confidence_level=confidence,
        n_resamples=999,
        rng=np.random.default_rng(3),
    )
    left_out = statistics.jackknife_counts(len(values)).astype(bool)
    interval = paired_tests.bca_interval(
        statistic(values),
        reference.bootstrap_distribution,
        [statistic(values[keep]) for keep in left_out],
        confidence,
    )
    assert interval == pytest.approx(tuple(reference.confidence_interval), abs=1e-12)


def test_bca_of_many_columns_is_that_of_each():
    generator = np.random.default_rng(0)
    values = generator.exponential(size=(20, 2, 3))
    draws = np.einsum("dn,n...->d...", statistics.bootstrap_counts(20, 300, 1), values) / 20
    left_out = np.einsum("dn,n...->d...", statistics.jackknife_counts(20), values) / 19
    draws[5:9, 1, 2] = np.nan
    low, high = paired_tests.bca_interval(values.mean(axis=0), draws, left_out, 0.9)
    assert low.shape == high.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        column = draws[:, i, j]
        expected = paired_tests.bca_interval(
            values[:, i, j].mean(), column[~np.isnan(column)], left_out[:, i, j], 0.9
        )
        assert (low[i, j], high[i, j]) == pytest.approx(tuple(map(float, expected)))


def test_bca_without_bias_and_skew_takes_the_percentiles():
    draws = np.random.default_rng(0).permutation(np.arange(101.0))
    interval = paired_tests.bca_interval(50.0, draws, [1.0, 2.0, 3.0], 0.9)
    assert interval == pytest.approx((5, 95))
    plain = statistics.percentile_interval(draws, 0.9)
    assert interval == pytest.approx(tuple(map(float, plain)))


def test_bca_moves_against_the_bias():
    # A share of 0.8 of the draws below the point: z0 = 0.8416; Φ(2 z0 ± z) are the levels.
    draws = np.arange(1001.0)
    z0, z = stats.norm.ppf(800.5 / 1001), stats.norm.ppf(0.95)
    low, high = paired_tests.bca_interval(800.0, draws, [0.0, 0.0], 0.9)
    assert low == pytest.approx(1000 * stats.norm.cdf(2 * z0 - z))
    assert high == pytest.approx(1000 * stats.norm.cdf(2 * z0 + z))


def test_bca_where_there_is_nothing_to_work_with():
    nan = float("nan")
    third = np.array([0.1, 0.2]).sum()  # not 0.3 in the last bit
    points = np.array([0.3, 0.3, 0.3, nan, 0.3])
    draws = np.array(
        [[third, 0.4, nan, 0.1, nan], [third, 0.5, nan, 0.2, third], [0.3, 0.6, nan, 0.3, nan]]
    )
    jackknife = np.array([[0.3, 0.1, 0.1, 0.1, nan], [third, 0.2, 0.2, 0.2, nan]])
    low, high = paired_tests.bca_interval(points, draws, jackknife, 0.95)
    # All draws equal to the point; all above it; none defined; no point; one defined.
    assert low == pytest.approx([0.3, nan, nan, nan, 0.3], nan_ok=True)
    assert high == pytest.approx([0.3, nan, nan, nan, 0.3], nan_ok=True)


def test_bca_beyond_its_pole_is_the_outermost_draw():
    # One influential item of many, a = 1/6, and a point above all but one of 20,001 draws,
    # z0 = 3.9: for 99.9%, w = 7.2 and a w = 1.2, and the formula would turn around.
    draws = np.arange(20_001.0)
    jackknife = np.append(np.ones(10_000), 0.0)
    low, high = paired_tests.bca_interval(19_999.9, draws, jackknife, 0.999)
    assert high == 20_000
    assert low < high


COVERAGE = {
    "share": (lambda g, shape: (g.random(shape) < 0.7).astype(float), 0.7),
    "mean": (lambda g, shape: g.normal(3, 2, shape), 3.0),
    "skewed mean": (lambda g, shape: g.exponential(2, shape), 2.0),
    "paired difference": (
        lambda g, shape: g.choice([1.0, -1.0, 0.0], p=[0.2, 0.1, 0.7], size=shape),
        0.1,
    ),
}


@pytest.mark.parametrize("n", [45, 300])
@pytest.mark.parametrize("case", COVERAGE)
def test_bootstrap_intervals_cover_what_they_should(case, n):
    sample, truth = COVERAGE[case]
    values = sample(np.random.default_rng(11), (n, 1000))
    draws = statistics.bootstrap_counts(n, 1000, seed=1).astype(float) @ values / n
    left_out = statistics.jackknife_counts(n).astype(float) @ values / (n - 1)
    for low, high in (
        statistics.percentile_interval(draws, 0.95),
        paired_tests.bca_interval(values.mean(axis=0), draws, left_out, 0.95),
    ):
        assert 0.92 <= ((low <= truth) & (truth <= high)).mean() <= 0.98


def test_few_discordant_pairs_are_for_the_score_interval():
    # What the documentation of bca_interval warns of: 45 pairs, 5% discordant on either side.
    generator = np.random.default_rng(3)
    values = generator.choice([1.0, -1.0, 0.0], p=[0.05, 0.05, 0.9], size=(45, 1000))
    draws = statistics.bootstrap_counts(45, 1000, seed=1).astype(float) @ values / 45
    left_out = statistics.jackknife_counts(45).astype(float) @ values / 44
    low, high = paired_tests.bca_interval(values.mean(axis=0), draws, left_out, 0.95)
    assert ((low <= 0) & (high >= 0)).mean() < 0.92
    covered = [
        low <= 0 <= high
        for gained, lost in zip((values > 0).sum(axis=0), (values < 0).sum(axis=0), strict=True)
        for low, high in [paired_tests.tango_interval(gained, lost, 45, 0.95)]
    ]
    assert 0.94 <= np.mean(covered) <= 0.98


# Paired proportions


@pytest.mark.parametrize(
    ("table", "expected", "digits"),
    [
        # Fagerland et al. 2014 (Statistics in Medicine 33:2850), table V
        ((1, 7, 21), [-0.517, -0.026], 3),
        # Fagerland et al. 2017 (Statistical Analysis of Contingency Tables), chapter 8, as in
        # the authors' R package contingencytables
        ((6, 16, 161), [-0.1240, -0.0054], 4),
        # Agresti and Min 2005 (Statistics in Medicine 24:729), as in the R package ratesci
        ((16, 8, 86), [-0.020, 0.207], 3),
    ],
)
def test_tango_agrees_with_published_intervals(table, expected, digits):
    assert np.round(paired_tests.tango_interval(*table, 0.95), digits).tolist() == expected


def score(only_first, only_second, n, difference):
    """The score statistic, its nuisance parameter by numerical maximum likelihood."""

    def loss(q):
        shares = np.array([q + difference, q, 1 - 2 * q - difference])
        counts = np.array([only_first, only_second, n - only_first - only_second])
        return -np.sum(counts * np.log(np.maximum(shares, 1e-300)))

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    q = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    variance = ((q + difference) + q - difference**2) / n
    return ((only_first - only_second) / n - difference) / np.sqrt(variance)


@pytest.mark.parametrize(
    ("only_first", "only_second", "n"), [(9, 4, 45), (2, 30, 60), (1, 0, 20), (40, 5, 45)]
)
def test_score_intervals_and_tests_by_brute_force(only_first, only_second, n):
    for difference in (-0.3, -0.04, 0.07, 0.5):
        gap, variance = paired_tests._score(only_first, only_second, n, difference)
        expected = score(only_first, only_second, n, difference)
        assert gap / np.sqrt(variance) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    z = stats.norm.ppf(0.95)
    estimate = (only_first - only_second) / n
    low = brentq(lambda d: score(only_first, only_second, n, d) - z, -0.999, estimate - 1e-6)
    high = brentq(lambda d: score(only_first, only_second, n, d) + z, estimate + 1e-6, 0.999)
    interval = paired_tests.tango_interval(only_first, only_second, n, 0.9)
    assert interval == pytest.approx((low, high), abs=2e-5)


def test_score_intervals_at_the_edges():
    square = stats.norm.ppf(0.975) ** 2
    assert np.isnan(paired_tests.tango_interval(0, 0, 0, 0.95)).all()
    expected = (-square / (45 + square), square / (45 + square))
    assert paired_tests.tango_interval(0, 0, 45, 0.95) == pytest.approx(expected)
    # With c = 0 and b = n the variance is n (1 - d²), so that z² = n (1 - d) / (1 + d).
    expected = ((30 - square) / (30 + square), 1)
    assert paired_tests.tango_interval(30, 0, 30, 0.95) == pytest.approx(expected)
    assert paired_tests.tango_interval(0, 30, 30, 0.95) == pytest.approx((-1, -expected[0]))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_score_intervals_turn_with_the_sides_and_hold_the_estimate(first, second, concordant):
    n = first + second + concordant
    low, high = paired_tests.tango_interval(first, second, n, 0.95)
    if n:
        assert -1 <= low <= (first - second) / n <= high <= 1
        assert (-high, -low) == pytest.approx(
            paired_tests.tango_interval(second, first, n, 0.95), abs=1e-9
        )


@pytest.mark.parametrize(
    ("n", "first", "second"), [(45, 0.2, 0.1), (45, 0.05, 0.05), (300, 0.1, 0.02)]
)
def test_score_intervals_cover_what_they_should(n, first, second):
    tables = np.random.default_rng(5).multinomial(n, [first, second, 1 - first - second], 1000)
    intervals = [paired_tests.tango_interval(b, c, n, 0.95) for b, c, _ in tables.tolist()]
    low, high = np.transpose(intervals)
    truth = first - second
    assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.98


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 300), st.floats(0.01, 0.4))
def test_equivalence_is_an_interval_within_the_margin(first, second, concordant, margin):
    result = paired_tests.equivalence_tost(first, second, first + second + concordant, margin, 0.05)
    assert result.p == max(result.p_above, result.p_below)
    if abs(result.p - 0.05) > 1e-6:
        assert (result.p < 0.05) == (-margin < result.low and result.high < margin)


def test_the_tests_of_equivalence_by_brute_force():
    result = paired_tests.equivalence_tost(9, 4, 120, 0.12, 0.05)
    assert result.difference == pytest.approx(5 / 120)
    assert result.p_above == pytest.approx(stats.norm.sf(score(9, 4, 120, -0.12)), rel=1e-4)
    assert result.p_below == pytest.approx(stats.norm.cdf(score(9, 4, 120, 0.12)), rel=1e-4)
    assert (result.low, result.high) == paired_tests.tango_interval(9, 4, 120, 0.9)


def test_equivalence_is_claimed_in_error_at_the_level():
    # At the margin itself, 5 points among 300 pairs.
    tables = np.random.default_rng(6).multinomial(300, [0.1, 0.05, 0.85], 4000).tolist()
    claims = [paired_tests.equivalence_tost(b, c, 300, 0.05, 0.05).p <= 0.05 for b, c, _ in tables]
    assert np.mean(claims) == pytest.approx(0.05, abs=0.012)


def test_equivalence_of_nothing_and_out_of_range():
    result = paired_tests.equivalence_tost(0, 0, 0, 0.05, 0.05)
    assert np.isnan([result.p, result.low, result.high, result.difference]).all()
    # No discordant pair is no proof: 20 pairs leave ± 11.9 points (90%).
    few = paired_tests.equivalence_tost(0, 0, 20, 0.1, 0.05)
    assert few.p > 0.05
    for margin, alpha in ((0, 0.05), (1, 0.05), (0.1, 0.5)):
        with pytest.raises(ValueError, match="out of range"):
            paired_tests.equivalence_tost(1, 1, 20, margin, alpha)


# The smallest difference


def mcnemar_power(n, share, difference, tables=4000):
    favour = (share + difference) / 2
    drawn = np.random.default_rng(8).multinomial(n, [favour, share - favour, 1 - share], tables)
    found = {}
    for b, c, _ in drawn.tolist():
        found[b, c] = found.get((b, c), 0) + 1
    significant = (k for (b, c), k in found.items() if statistics.mcnemar_exact(b, c) <= 0.05)
    return sum(significant) / tables


@pytest.mark.parametrize(("n", "share"), [(45, 0.4), (300, 0.1), (1245, 0.3)])
def test_the_smallest_difference_is_found_with_the_power(n, share):
    difference = paired_tests.minimum_detectable_difference(n, share, 0.05, 0.8)
    assert 0 < difference <= share
    assert mcnemar_power(n, share, difference) == pytest.approx(0.8, abs=0.02)
    assert mcnemar_power(n, share, 0.7 * difference) < 0.7


def test_the_smallest_difference_is_connors_for_many_pairs():
    # n = (z(1 - α/2) √share + z(power) √(share - d²))² / d² (Connor 1987)
    z, z_power = stats.norm.ppf([0.975, 0.9])

    def surplus(d, n, share):
        return (z * np.sqrt(share) + z_power * np.sqrt(share - d**2)) ** 2 / d**2 - n

    for n, share in ((20_000, 0.2), (50_000, 0.5)):
        connor = brentq(surplus, 1e-4, share, args=(n, share))
        exact = paired_tests.minimum_detectable_difference(n, share, 0.05, 0.9)
        assert exact == pytest.approx(connor, rel=0.01)
        assert exact > connor


def test_too_few_discordant_pairs_could_show_nothing():
    # Six pairs on one side are needed: 2 · 0.5⁶ = 0.03. Expected are 4.5, and then 9.
    assert np.isnan(paired_tests.minimum_detectable_difference(45, 0.1, 0.05, 0.8))
    enough = stats.binom.sf(5, 45, 0.2)
    assert np.isnan(paired_tests.minimum_detectable_difference(45, 0.2, 0.05, enough + 1e-6))
    all_on_one_side = paired_tests.minimum_detectable_difference(45, 0.2, 0.05, enough - 1e-6)
    assert all_on_one_side == pytest.approx(0.2, abs=1e-3)
    assert np.isnan(paired_tests.minimum_detectable_difference(0, 0.2, 0.05, 0.8))
    assert np.isnan(paired_tests.minimum_detectable_difference(45, 0, 0.05, 0.8))


@pytest.mark.parametrize(("share", "alpha", "power"), [(1.1, 0.05, 0.8), (0.1, 0.8, 0.05)])
def test_a_power_that_makes_no_sense_is_refused(share, alpha, power):
    with pytest.raises(ValueError, match="is off"):
        paired_tests.minimum_detectable_difference(45, share, alpha, power)


# Robustness


def test_spread_by_hand():
    assert paired_tests.spread([0.1, 0.3, 0.2]) == paired_tests.Spread(
        3, pytest.approx(0.2), pytest.approx(0.1), 0.1, 0.3
    )
    alone = paired_tests.spread([0.1])
    assert (alone.n, alone.mean, alone.low, alone.high) == (1, 0.1, 0.1, 0.1)
    assert np.isnan(alone.sd)
    assert paired_tests.spread([]).n == 0


def verdict(**changes):
    case = {
        "effect": 0.10,
        "interval": (0.05, 0.15),
        "paraphrase_effects": [0.09, 0.11],
        "control_effects": [0.01, -0.01, 0.02, -0.02],
        "p_adjusted": 0.001,
        "alpha": 0.05,
    }
    return paired_tests.robust(**case | changes)


def test_the_figures_of_a_verdict():
    result = verdict()
    assert result.verdict == "robust"
    # t(2) = 4.303 and SD = 0.01; t(3) = 3.182 and SD = √(0.001 / 3)
    half = 4.3027 * 0.01 / np.sqrt(3)
    assert (result.wording_low, result.wording_high) == pytest.approx(
        (0.1 - half, 0.1 + half), rel=1e-4
    )
    half = 3.1824 * np.sqrt(0.001 / 3) * np.sqrt(1.25)
    assert (result.control_low, result.control_high) == pytest.approx((-half, half), rel=1e-4)
    assert result.wordings.n == 3
    assert result.controls.mean == pytest.approx(0)
    turned = verdict(effect=-0.10, interval=(-0.15, -0.05), paraphrase_effects=[-0.09, -0.11])
    assert turned.verdict == "robust"


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("not significant", {"p_adjusted": 0.06}),
        ("not significant", {"interval": (-0.01, 0.2)}),
        ("not significant", {"p_adjusted": float("nan")}),
        ("not significant", {"interval": (float("nan"), float("nan"))}),
        ("not beyond wording", {"paraphrase_effects": [0.09, -0.01]}),
        ("not beyond wording", {"paraphrase_effects": [-0.01]}),
        ("not beyond wording", {"paraphrase_effects": [0.02, 0.01]}),  # one sign, but wide
        ("not beyond controls", {"control_effects": [0.01, -0.12, 0.02, 0.0]}),
        ("not beyond controls", {"control_effects": [-0.05, 0.05, 0.04]}),  # prediction interval
        ("not beyond controls", {"control_effects": [0.2]}),
        ("not beyond controls", {"control_effects": [0.2], "paraphrase_effects": []}),
        ("too few wordings", {"paraphrase_effects": [0.09]}),
        ("too few wordings", {"paraphrase_effects": []}),
        ("too few controls", {"control_effects": [0.01, 0.02]}),
        ("too few controls", {"control_effects": []}),
        ("not beyond controls", {"family": 5, "control_effects": [0.02, -0.015, 0.01]}),
        ("robust", {"paraphrase_effects": [0.08, 0.12]}),
        ("robust", {"control_effects": [0.02, -0.015, 0.01]}),
    ],
)
def test_verdicts(expected, changes):
    assert verdict(**changes).verdict == expected


def study(generator, *, n, shift, sentence, wording, effect=0.0, personas=5, controls=4):
    """The verdicts on all personas of a simulated study, three wordings each.

    `shift` moves every sentence, `sentence` and `wording` are the standard deviations of
    personas (and controls) and of their wordings, `effect` is that of the personas alone; all on
    the scale of an item's ease, which has a standard deviation of 1.
    """
    ease = generator.normal(0.5, 1, size=n)

    def right(moved):
        return ease + moved + 0.5 * generator.normal(size=n) > 0

    def wordings(mean):
        own = mean + sentence * generator.normal()
        return [right(own + wording * generator.normal()) for _ in range(3)]

    baseline = right(0.0)

    def effects(answers):
        return [float(a.mean() - baseline.mean()) for a in answers]

    control_effects = [np.mean(effects(wordings(shift))) for _ in range(controls)]
    tried = [wordings(shift + effect) for _ in range(personas)]
    discordant = [(int((t[0] & ~baseline).sum()), int((baseline & ~t[0]).sum())) for t in tried]
    adjusted = statistics.holm([statistics.mcnemar_exact(*pair) for pair in discordant])
    return [
        paired_tests.robust(
            main,
            paired_tests.tango_interval(*pair, n, 0.95),
            others,
            control_effects,
            p_adjusted=p,
            alpha=0.05,
            family=personas,
        ).verdict
        for pair, p, (main, *others) in zip(discordant, adjusted, map(effects, tried), strict=True)
    ]


# Studies in which nothing is to be found: no effect of any sentence; sentences that move
# answers at random, personas no more than controls; all sentences moving all answers the same way;
# and personas whose single wordings alone have effects.
NULL = {
    "no effect": {"shift": 0.0, "sentence": 0.0, "wording": 0.0},
    "random sentences": {"shift": 0.0, "sentence": 0.15, "wording": 0.1},
    "any sentence": {"shift": -0.6, "sentence": 0.1, "wording": 0.05},
    "wording alone": {"shift": 0.0, "sentence": 0.0, "wording": 0.4},
}


@pytest.mark.simulation
@pytest.mark.parametrize("case", NULL)
def test_a_study_without_effects_seldom_has_a_robust_one(case):
    generator = np.random.default_rng(21)
    studies = [study(generator, n=300, **NULL[case]) for _ in range(200)]
    assert np.mean(["robust" in verdicts for verdicts in studies]) <= 0.05


@pytest.mark.simulation
def test_a_large_effect_is_found():
    generator = np.random.default_rng(22)
    kwargs = {"shift": 0.0, "sentence": 0.03, "wording": 0.03, "effect": 0.6}
    verdicts = [v for _ in range(60) for v in study(generator, n=1245, **kwargs)]
    assert np.mean([v == "robust" for v in verdicts]) > 0.8


# Repeats


def test_agreement_and_entropy_by_hand():
    result = paired_tests.pairwise_agreement(
        [["A", "A", "A", "A"], ["A", "B", "A", "B"], ["A", "B", "C", None], ["A", None, None, None]]
    )
    # Pairs: 6 of 6, 2 of 6, none, and the 3 of the invalid answers.
    assert result.agreement == pytest.approx([1, 1 / 3, 0, 1 / 2])
    quarter = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert result.entropy == pytest.approx([0, np.log(2), np.log(4), quarter])


def test_a_label_is_not_taken_for_an_invalid_answer():
    result = paired_tests.pairwise_agreement([["None", None], ["None", "None"]])
    assert result.agreement.tolist() == [0, 1]


@given(
    st.integers(2, 6).flatmap(
        lambda r: st.lists(
            st.lists(st.sampled_from(["A", "B", "C", None]), min_size=r, max_size=r), min_size=1
        )
    )
)
def test_agreement_counts_pairs(labels):
    result = paired_tests.pairwise_agreement(labels)
    for row, agreement in zip(labels, result.agreement, strict=True):
        pairs = [row[i] == row[j] for i in range(len(row)) for j in range(i)]
        assert agreement == pytest.approx(np.mean(pairs))


def test_agreement_needs_two_repeats_of_every_item():
    once = paired_tests.pairwise_agreement([["A"], [None]])
    assert np.isnan(once.agreement).all()
    assert once.entropy.tolist() == [0, 0]
    assert paired_tests.pairwise_agreement([]).agreement.shape == (0,)
    assert np.isnan(paired_tests.pairwise_agreement([[], []]).entropy).all()
    with pytest.raises(ValueError, match="same number of repeats"):
        paired_tests.pairwise_agreement([["A", "B"], ["A"]])
