"""Agreement of raters, against published examples, scikit-learn, statsmodels and simulation."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binomtest, ttest_1samp
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from persona_paradox.measures import agreement
from persona_paradox.measures.resampling import Draws

pytestmark = pytest.mark.filterwarnings("error")

NA = float("nan")
SCALE = [1, 2, 3, 4]
WEIGHTS = (None, "linear", "quadratic")
LEVELS = ("nominal", "ordinal", "interval")

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": 4 observers, 12 units, of which
# the last has one rating.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
        [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
    ]
).T


def from_table(table):
    """Two raters' ratings, 1 and up, from the counts of first by second."""
    table = np.asarray(table)
    a, b = np.indices(table.shape) + 1.0
    return np.repeat(a.ravel(), table.ravel()), np.repeat(b.ravel(), table.ravel())


def panels(raters=3):
    """Ratings of a panel, some missing."""
    return st.integers(1, 12).flatmap(
        lambda n: hnp.arrays(np.float64, (n, raters), elements=st.sampled_from([*SCALE, NA]))
    )


def counted(panel):
    """A panel, and how often some draws take its items."""
    counts = hnp.arrays(np.float32, (3, len(panel)), elements=st.integers(0, 3))
    return st.tuples(st.just(panel), counts)


def all_figures(panel, counts=None):
    names = [f"r{i}" for i in range(panel.shape[1])]
    return agreement.measures(panel, names, SCALE, True, counts) | {
        ("alpha_interval",): agreement.krippendorff_alpha(panel, SCALE, "interval", counts),
        ("kappa_linear",): agreement.cohen_kappa(*panel.T[:2], "linear", SCALE, counts),
    }


# --- kappa --------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(panels(raters=2), st.sampled_from(WEIGHTS))
def test_kappa_is_scikit_learns_on_the_items_that_both_rated(panel, weights):
    a, b = panel.T
    both = ~np.isnan(panel).any(axis=1)
    if both.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = cohen_kappa_score(a[both], b[both], labels=SCALE, weights=weights)
    else:
        theirs = NA
    ours = agreement.cohen_kappa(a, b, weights, SCALE)
    assert ours == pytest.approx(theirs, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_kappa_is_statsmodels(weights):
    table = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    wanted = cohens_kappa(table, wt=weights, return_results=False)
    found = agreement.cohen_kappa(*from_table(table), weights, [1, 2, 3])
    assert found == pytest.approx(wanted, abs=1e-12)


def test_same_agreement_and_another_kappa():
    # Feinstein and Cicchetti (1990): both tables agree on 85 of 100, with kappas .70 and .32.
    balanced, skewed = from_table([[40, 9], [6, 45]]), from_table([[80, 10], [5, 5]])
    for raters, kappa in ((balanced, 0.70), (skewed, 0.32)):
        assert agreement.observed_agreement(*raters) == pytest.approx(0.85)
        assert agreement.cohen_kappa(*raters, None, [1, 2]) == pytest.approx(kappa, abs=0.005)
    # AC1 is made not to fall with the prevalence.
    ac1 = [agreement.gwet_ac1(np.column_stack(r), [1, 2]) for r in (balanced, skewed)]
    assert ac1[1] > ac1[0]


def test_order_of_the_categories_counts():
    a, b = from_table([[5, 1, 3], [0, 4, 2], [1, 1, 6]])
    plain = [agreement.cohen_kappa(a, b, w, [1, 2, 3]) for w in WEIGHTS]
    mixed = [agreement.cohen_kappa(a, b, w, [2, 1, 3]) for w in WEIGHTS]
    assert plain[0] == mixed[0]
    assert plain[1] != mixed[1]
    assert plain[2] != mixed[2]


def test_kappa_is_undefined_where_there_is_one_category_only():
    same = np.array([2.0, 2, 2, NA])
    assert all(np.isnan(agreement.cohen_kappa(same, same, w, SCALE)) for w in WEIGHTS)
    assert agreement.observed_agreement(same, same) == 1
    never = np.array([NA, NA, NA, 2.0])
    assert np.isnan(agreement.cohen_kappa(same, never, None, SCALE))
    assert np.isnan(agreement.observed_agreement(same, never))


# --- AC1 ----------------------------------------------------------------------------------------


def test_ac1_of_published_examples():
    # Gwet (2014), Handbook of Inter-Rater Reliability, 4th edition: the examples that his R
    # package irrCAC prints, cont3x3abstractors (two raters) with AC1 0.8493305 and kappa
    # 0.7964094, and cac.raw4raters (page 120), Krippendorff's data but for the last unit, rated
    # by the third observer, with AC1 0.77544 and alpha 0.74342.
    two = from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    assert agreement.gwet_ac1(np.column_stack(two), [1, 2, 3]) == pytest.approx(0.8493305, abs=1e-7)
    assert agreement.cohen_kappa(*two, None, [1, 2, 3]) == pytest.approx(0.7964094, abs=1e-7)
    four = OBSERVERS.copy()
    four[11] = [NA, NA, 3, NA]
    scale = [1, 2, 3, 4, 5]
    assert agreement.gwet_ac1(four, scale) == pytest.approx(0.77544, abs=5e-6)
    assert agreement.krippendorff_alpha(four, scale, "nominal") == pytest.approx(0.74342, abs=5e-6)


def test_six_raters():
    # Fifteen patients of Fleiss (1971), irrCAC's distrib.6raters, with AC1 0.4448007, Fleiss' kappa
    # 0.4139265 and alpha 0.4204384: how many of six raters gave each of five diagnoses.
    rows = """00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050
        02031"""
    given_by = np.array([[int(n) for n in row] for row in rows.split()])
    panel = np.array([np.repeat(np.arange(5.0), row) for row in given_by])
    assert fleiss_kappa(given_by) == pytest.approx(0.4139265, abs=1e-7)
    scale = range(5)
    assert agreement.gwet_ac1(panel, scale) == pytest.approx(0.4448007, abs=1e-7)
    alpha = agreement.krippendorff_alpha(panel, scale, "nominal")
    assert alpha == pytest.approx(0.4204384, abs=1e-7)


def test_ac1_counts_the_categories_that_nobody_used():
    ratings = np.column_stack(from_table([[80, 10], [5, 5]]))
    # With q categories instead of 2 chance agreement is divided by q - 1.
    pi = np.array([0.875, 0.125])
    for q in (2, 4):
        chance = (pi * (1 - pi)).sum() / (q - 1)
        wanted = (0.85 - chance) / (1 - chance)
        assert agreement.gwet_ac1(ratings, range(1, q + 1)) == pytest.approx(wanted)


# --- alpha --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_krippendorffs(level, alpha):
    found = agreement.krippendorff_alpha(OBSERVERS, [1, 2, 3, 4, 5], level)
    assert found == pytest.approx(alpha, abs=0.0005)


@given(hnp.arrays(np.int64, st.tuples(st.integers(2, 20), st.just(4)), elements=st.integers(0, 3)))
def test_nominal_alpha_is_fleiss_kappa_corrected_for_few_ratings(panel):
    table = aggregate_raters(panel, n_cat=4)[0]
    if (table.sum(axis=0) > 0).sum() < 2:
        return
    wanted = 1 - (1 - fleiss_kappa(table)) * (1 - 1 / panel.size)
    assert agreement.krippendorff_alpha(panel, range(4), "nominal") == pytest.approx(wanted)


def plain_alpha(panel, level):
    """Alpha pair by pair, as the text defines it, without coincidences."""
    units = [row[~np.isnan(row)] for row in panel]
    units = [unit for unit in units if len(unit) > 1]
    values = np.concatenate([*units, []])

    def apart(x, y):
        if level == "nominal":
            return float(x != y)
        if level == "interval":
            return (x - y) ** 2
        low, high = min(x, y), max(x, y)
        between = sum((values == g).sum() for g in SCALE if low <= g <= high)
        return (between - ((values == x).sum() + (values == y).sum()) / 2) ** 2

    def mean_over_pairs(ratings):
        return np.mean([apart(x, y) for x, y in combinations(ratings, 2)])

    seen = sum(len(unit) * mean_over_pairs(unit) for unit in units)
    expected = len(values) * mean_over_pairs(values) if units else 0.0
    return 1 - seen / expected if expected else NA


@settings(max_examples=60)
@given(panels(), st.sampled_from(LEVELS))
def test_alpha_is_that_of_the_pairs(panel, level):
    ours = agreement.krippendorff_alpha(panel, SCALE, level)
    assert ours == pytest.approx(plain_alpha(panel, level), abs=1e-12, nan_ok=True)


# --- draws and panels ---------------------------------------------------------------------------


@settings(max_examples=60)
@given(panels().flatmap(counted))
def test_a_draw_is_the_panel_with_its_items_repeated(drawn):
    panel, counts = drawn
    found = all_figures(panel, counts)
    for i, times in enumerate(counts.astype(int)):
        wanted = all_figures(np.repeat(panel, times, axis=0))
        assert {name: values[i] for name, values in found.items()} == pytest.approx(
            wanted, abs=1e-12, nan_ok=True
        )


@settings(max_examples=60)
@given(panels())
def test_counts_of_one_are_no_counts(panel):
    every = all_figures(panel, np.ones((2, len(panel)), dtype=np.uint8))
    wanted = all_figures(panel)
    for i in range(2):
        found = {name: values[i] for name, values in every.items()}
        assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


@settings(max_examples=60)
@given(panels(), st.permutations(range(3)))
def test_the_order_of_raters_has_no_effect(panel, order):
    names = np.array(["a", "b", "c"])
    found = agreement.measures(panel[:, order], names[order], SCALE, True)
    wanted = agreement.measures(panel, names, SCALE, True)
    both_ways = {
        (kind, second, first): value
        for (kind, first, second), value in (one for one in wanted.items() if len(one[0]) == 3)
    }
    wanted |= both_ways
    assert found == pytest.approx({name: wanted[name] for name in found}, abs=1e-12, nan_ok=True)


def test_pairs_and_their_average():
    constant = np.full(6, 2.0)
    a, b = np.array([1.0, 2, 3, 1, 2, NA]), np.array([1.0, 2, 1, 1, NA, 3])
    raters = {"a": a, "b": b, "same": constant, "again": constant}
    pairs = agreement.pairwise(raters, SCALE)
    assert list(pairs) == list(combinations(raters, 2))
    assert pairs["a", "b"].items == 4
    assert pairs["a", "b"].kappa == pytest.approx(cohen_kappa_score(a[:4], b[:4]))
    assert pairs["a", "same"].kappa == 0
    # Two who always say the same have no kappa, and leave five of six pairs.
    mean, n = agreement.average_kappa([pair.kappa for pair in pairs.values()])
    assert n == 5
    assert mean == pytest.approx(pairs["a", "b"].kappa / 5)
    found = agreement.measures(np.column_stack(list(raters.values())), list(raters), SCALE, True)
    assert (found["kappa",], found["kappa_pairs",]) == (mean, n)
    assert found["kappa", "a", "b"] == pairs["a", "b"].kappa
    assert found["kappa_quadratic", "a", "same"] == pairs["a", "same"].kappa_quadratic
    assert found["agreement",] == pytest.approx(
        np.mean([pair.agreement for pair in pairs.values()])
    )
    assert np.isnan(agreement.average_kappa([NA, NA])[0])
    assert agreement.average_kappa([])[1] == 0


def test_categories_without_order_have_no_figures_of_order():
    found = agreement.measures(OBSERVERS, "abcd", [1, 2, 3, 4, 5], False)
    assert not {name for name, *_ in found if "quadratic" in name or "ordinal" in name}
    averages = {"kappa", "kappa_pairs", "ac1", "alpha_nominal", "agreement"}
    assert averages == {name for name, *pair in found if not pair}
    assert len([name for name in found if len(name) == 3 and name[0] == "kappa"]) == 6


def test_ratings_that_cannot_be():
    with pytest.raises(ValueError, match=r"a rating of 7 is not among \[1, 2, 3, 4\]"):
        agreement.gwet_ac1([[1, 7]], SCALE)
    with pytest.raises(ValueError, match="two or more different"):
        agreement.krippendorff_alpha([[1, 1]], [1, 1], "nominal")
    with pytest.raises(ValueError, match="do not match"):
        agreement.cohen_kappa([1, 2], [1, 2, 3], None, SCALE)
    with pytest.raises(ValueError, match="items by raters"):
        agreement.gwet_ac1([1, 2], SCALE)
    with pytest.raises(ValueError, match="2 names for 3 raters"):
        agreement.measures([[1, 2, 3]], ["a", "b"], SCALE, True)


# --- a known population -------------------------------------------------------------------------


def simulated(generator, items, kappa, marginal, missing):
    """Three raters who copy an item's hidden label with probability √κ, and else draw.

    Two of them then agree with probability κ + (1 - κ) Σ p², so that κ is their kappa, weighted
    or not, and alpha: with κ both copy, and otherwise their ratings are independent.
    """
    hidden = generator.choice(len(marginal), size=(items, 1), p=marginal)
    own = generator.choice(len(marginal), size=(items, 3), p=marginal)
    copies = generator.random((items, 3)) < np.sqrt(kappa)
    ratings = np.where(copies, hidden, own).astype(float)
    ratings[generator.random((items, 3)) < missing] = NA
    return ratings


@pytest.mark.parametrize(("kappa", "missing"), [(0.6, 0.0), (0.35, 0.2)])
def test_simulated_panels_give_their_kappa_back(kappa, missing):
    marginal, items, panels = np.array([0.5, 0.3, 0.2]), 150, 200
    alike = (marginal**2).sum()
    chance = (marginal * (1 - marginal)).sum() / 2
    population = {
        ("kappa",): kappa,
        ("kappa_quadratic",): kappa,
        ("kappa", "a", "c"): kappa,
        ("alpha_nominal",): kappa,
        ("ac1",): (kappa + (1 - kappa) * alike - chance) / (1 - chance),
    }
    how = {"draws": 300, "confidence": 0.95, "interval": "percentile"}
    generator = np.random.default_rng(20)
    measured = []
    for seed in range(panels):
        ratings = simulated(generator, items, kappa, marginal, missing)
        draws = Draws.of(np.arange(items), how | {"seed": seed})
        measured.append(
            draws.measure(
                lambda counts, ratings=ratings: agreement.measures(
                    ratings, ["a", "b", "c"], [0, 1, 2], True, counts
                )
            )
        )
    # Either test fails once in about 1,000 cases if the truth is this and intervals cover in 95%.
    for name, truth in population.items():
        points = [figures.point[name] for figures in measured]
        assert ttest_1samp(points, truth).pvalue > 0.001, (name, np.mean(points))
        intervals = [figures.interval(name) for figures in measured]
        covered = sum(low <= truth <= high for low, high in intervals)
        assert binomtest(covered, panels, 0.95).pvalue > 0.001, (name, covered)
