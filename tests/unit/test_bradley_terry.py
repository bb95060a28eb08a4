"""Bradley-Terry strengths, against choix, statsmodels, scipy, closed forms and simulation."""

from __future__ import annotations

from dataclasses import replace

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM

from persona_paradox.measures import bradley_terry as bt
from persona_paradox.measures.resampling import Draws

pytestmark = pytest.mark.filterwarnings("error")


def probabilities(strength, tie, i, j, extra=0.0):
    """Of a loss, a tie and a win of i, as Davidson writes them."""
    a, b = np.exp(strength[i] + extra / 2), np.exp(strength[j] - extra / 2)
    middle = tie * np.sqrt(a * b)
    return np.array([b, middle, a]) / (a + b + middle)


def every_pair(p, items):
    """Players and items of comparisons of every two players on every item."""
    i, j = np.triu_indices(p, 1)
    return np.tile(i, items), np.tile(j, items), np.repeat(np.arange(items), len(i))


def played(generator, strength, tie, items, *, gap=None, effect=0.0):
    """Every two players on every item, outcomes drawn from the model."""
    i, j, item = every_pair(len(strength), items)
    extra = 0.0 if gap is None else effect * gap / np.sqrt((gap**2).mean())
    share = probabilities(np.asarray(strength), tie, i, j, extra)
    outcome = (generator.random(len(i)) > share.cumsum(axis=0)).sum(axis=0) / 2
    return bt.Comparisons(len(strength), i, j, outcome, item, gap)


def with_lengths(seed=4, p=4, items=15, tie=0.6, effect=0.8):
    generator = np.random.default_rng(seed)
    length = generator.normal(np.linspace(0, 100, p), 150, size=(items, p))
    i, j, item = every_pair(p, items)
    gap = length[item, i] - length[item, j]
    return played(generator, np.linspace(1, -1, p), tie, items, gap=gap, effect=effect)


def minus_log_likelihood(parameters, games, prior=0.0):
    """Of all log-strengths but the last, log ν and the length's coefficient, game by game."""
    strength = np.append(parameters[:-2], 0.0)
    tie, effect = np.exp(parameters[-2]), parameters[-1]
    gap = games.length_difference / np.sqrt((games.length_difference**2).mean())
    share = probabilities(strength, tie, games.first, games.second, effect * gap)
    seen = np.log(share[(2 * games.outcome).astype(int), np.arange(len(gap))]).sum()
    i, j = np.triu_indices(games.players, 1)
    for z in (-1, 1):
        lost, _, won = probabilities(strength, tie, i, j, effect * z)
        seen += prior / 4 * (np.log(lost) + np.log(won)).sum()
    return -seen


@st.composite
def comparisons(draw, most_players=4):
    """Some comparisons with lengths, and how often three draws take their items."""
    p = draw(st.integers(2, most_players))
    n = draw(st.integers(1, 25))
    items = 5
    pairs = draw(st.lists(st.permutations(range(p)), min_size=n, max_size=n))
    outcome = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n))
    gap = draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    item = draw(st.lists(st.integers(0, items - 1), min_size=n, max_size=n))
    counts = draw(st.lists(st.integers(0, 3), min_size=3 * items, max_size=3 * items))
    games = bt.Comparisons(p, [x[0] for x in pairs], [x[1] for x in pairs], outcome, item, gap)
    return games, np.array(counts, dtype=np.float32).reshape(3, items)


def fits(games, counts=None, prior=bt.PRIOR):
    plain = bt.fit(*bt.aggregate(games, counts), prior)
    return plain, bt.length_controlled(games, counts, prior)


def same(fit, strength, tie, length=None, at=...):
    assert fit.log_strength[at] == pytest.approx(strength, abs=1e-7, nan_ok=True)
    assert fit.tie[at] == pytest.approx(tie, rel=1e-6, abs=1e-9, nan_ok=True)
    if length is not None:
        assert fit.length[at] == pytest.approx(length, abs=1e-7, nan_ok=True)


# --- counting -----------------------------------------------------------------------------------


def test_wins_and_ties_are_counted():
    games = bt.Comparisons(3, [0, 1, 0, 2, 1], [1, 0, 2, 0, 2], [1, 1, 0.5, 0, 0], [0, 0, 1, 2, 2])
    wins, ties = bt.aggregate(games)
    assert wins.tolist() == [[0, 1, 1], [1, 0, 0], [0, 1, 0]]
    assert ties.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    share = bt.win_matrix(wins, ties)
    assert share[0] == pytest.approx([np.nan, 0.5, 0.75], nan_ok=True)
    assert share[2] == pytest.approx([0.25, 1, np.nan], nan_ok=True)
    drawn = bt.aggregate(games, np.array([[2, 0, 1], [0, 0, 0]]))
    assert drawn[0][0].tolist() == [[0, 2, 1], [2, 0, 0], [0, 1, 0]]
    assert not drawn[1].any()
    assert np.isnan(bt.win_matrix(*drawn)[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": [0, 2]}, "a player is not within 0 to 1"),
        ({"first": [1, 0]}, "compared with itself"),
        ({"outcome": [1, 2]}, "none of 0, 0.5 and 1"),
        ({"outcome": [1, np.nan]}, "none of 0, 0.5 and 1"),
        ({"item": [0, -1]}, "below 0"),
        ({"item": [0]}, "do not match"),
        ({"length_difference": [1, np.inf]}, "not finite"),
    ],
)
def test_comparisons_that_cannot_be(change, message):
    good = bt.Comparisons(2, [0, 0], [1, 1], [1, 0], [0, 1])
    with pytest.raises(ValueError, match=message):
        replace(good, **change)


def test_what_a_figure_needs():
    games = bt.Comparisons(2, [0, 0], [1, 1], [1, 0], [0, 1])
    with pytest.raises(ValueError, match="no length differences"):
        bt.length_controlled(games)
    with pytest.raises(ValueError, match="item 1 is not among the 1"):
        bt.aggregate(games, np.ones((3, 1)))
    with pytest.raises(ValueError, match="3 names for 2 players"):
        bt.measures(games, ["a", "b", "c"])


# --- strengths, against other sources -----------------------------------------------------------


def test_two_players_have_a_closed_form():
    # Three probabilities and two free parameters: the shares are fitted exactly.
    for won, lost, tied in ((7, 3, 5), (1, 40, 2), (12, 12, 1), (4, 9, 0)):
        wins, ties = np.array([[0, won], [lost, 0]]), np.array([[0, tied], [tied, 0]])
        strength = np.log(won / lost) / 2
        same(bt.fit(wins, ties, prior=0), [strength, -strength], tied / np.sqrt(won * lost))
        # A comparison is added as half a win of either.
        more, less = won + 0.25, lost + 0.25
        strength = np.log(more / less) / 2
        same(bt.fit(wins, ties, prior=0.5), [strength, -strength], tied / np.sqrt(more * less))


@pytest.mark.parametrize("seed", range(3))
def test_strengths_without_ties_are_choixs(seed):
    generator = np.random.default_rng(seed)
    games = played(generator, generator.normal(size=6), 0.0, items=12)
    wins, ties = bt.aggregate(games)
    found = bt.fit(wins, ties, prior=0)
    data = [(i, j) for i in range(6) for j in range(6) for _ in range(int(wins[i, j]))]
    wanted = choix.opt_pairwise(6, data, alpha=0, tol=1e-12)
    same(found, wanted - wanted.mean(), 0)
    wanted = choix.ilsr_pairwise(6, data, tol=1e-12)
    same(found, wanted - wanted.mean(), 0)
    # One comparison per pair is half a win either way: twice the data and a win either way.
    both_ways = [(i, j) for i in range(6) for j in range(6) if i != j]
    wanted = choix.opt_pairwise(6, 2 * data + both_ways, alpha=0, tol=1e-12)
    same(bt.fit(wins, ties, prior=1), wanted - wanted.mean(), 0)


@pytest.mark.parametrize("tie", [0.3, 2.0])
def test_strengths_with_ties_are_those_of_a_log_linear_model(tie):
    # Davidson's model is a Poisson regression of the three counts of a pair, with a constant for
    # every pair (Fienberg and Larntz 1976).
    p = 5
    wins, ties = bt.aggregate(
        played(np.random.default_rng(3), np.linspace(-1, 1, p), tie, items=20)
    )
    rows, counts = [], []
    for pair, (i, j) in enumerate(zip(*np.triu_indices(p, 1), strict=True)):
        kinds = ((wins[i, j], 1, 0, 0), (wins[j, i], 0, 1, 0), (ties[i, j], 0.5, 0.5, 1))
        for count, of_i, of_j, tied in kinds:
            row = np.zeros(p + 1 + p * (p - 1) // 2)
            row[i], row[j], row[p], row[p + 1 + pair] = of_i, of_j, tied, 1
            rows.append(np.delete(row, p - 1))
            counts.append(count)
    theirs = GLM(counts, np.array(rows), family=Poisson()).fit(tol=1e-12).params
    strength = np.append(theirs[: p - 1], 0)
    found = bt.fit(wins, ties, prior=0)
    same(found, strength - strength.mean(), np.exp(theirs[p - 1]))
    assert found.length == 0


def test_strengths_at_equal_length_are_those_of_a_conditional_logit():
    games = with_lengths()
    gap = games.length_difference / np.sqrt((games.length_difference**2).mean())
    rows, chosen, group = [], [], []
    for n, (i, j, outcome) in enumerate(zip(games.first, games.second, games.outcome, strict=True)):
        for value in (0, 0.5, 1):
            row = np.zeros(games.players + 2)
            row[i], row[j] = value, 1 - value
            row[-2:] = value == 0.5, (value - 0.5) * gap[n]
            rows.append(np.delete(row, games.players - 1))
            chosen.append(float(outcome == value))
            group.append(n)
    model = ConditionalLogit(np.array(chosen), np.array(rows), groups=np.array(group))
    theirs = model.fit(disp=0, method="newton", tol=1e-10).params
    strength = np.append(theirs[:-2], 0)
    found = bt.length_controlled(games, prior=0)
    assert found.log_strength == pytest.approx(strength - strength.mean(), abs=1e-4)
    assert found.tie == pytest.approx(np.exp(theirs[-2]), rel=1e-4)
    assert found.length == pytest.approx(theirs[-1], abs=1e-4)


@pytest.mark.parametrize("prior", [0.0, 0.5, 3.0])
def test_length_control_maximizes_the_likelihood(prior):
    games = with_lengths(seed=8)
    found = bt.length_controlled(games, prior=prior)
    theirs = optimize.minimize(
        minus_log_likelihood,
        np.zeros(games.players + 1),
        (games, prior),
        jac="3-point",
        options={"gtol": 1e-7},
    )
    strength = np.append(theirs.x[:-2], 0)
    assert found.log_strength == pytest.approx(strength - strength.mean(), abs=1e-4)
    assert (found.tie, found.length) == pytest.approx(
        (np.exp(theirs.x[-2]), theirs.x[-1]), abs=1e-4
    )


def test_without_an_effect_of_length_the_strengths_are_the_plain_ones():
    games = with_lengths()
    level = replace(games, length_difference=np.zeros(len(games.item)))
    plain, controlled = fits(level)
    # Length has nothing to explain, and only the added comparisons speak of it.
    same(controlled, plain.log_strength, plain.tie, 0)
    assert np.isnan(bt.length_controlled(level, prior=0).length)


# --- where there is no maximum ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wins", "ties"),
    [
        ([[0, 5, 5], [0, 0, 3], [0, 4, 0]], np.zeros((3, 3))),  # the first never lost
        ([[0, 5, 0], [4, 0, 0], [0, 0, 0]], np.zeros((3, 3))),  # the third never played
        (np.zeros((3, 3)), np.ones((3, 3)) - np.eye(3)),  # ties only
        (np.zeros((3, 3)), np.zeros((3, 3))),
        # The first won or tied: likelier the more its strength and ties grow together.
        ([[0, 5, 5], [0, 0, 0], [0, 0, 0]], 2 * (np.ones((3, 3)) - np.eye(3))),
    ],
)
def test_the_prior_keeps_what_has_no_maximum_finite(wins, ties):
    found = bt.fit([wins, [[0, 2, 1], [1, 0, 2], [2, 3, 0]]], [ties, ties], prior=0)
    assert np.isnan(found.log_strength[0]).all()
    assert np.isnan(found.tie[0])
    assert np.isnan(found.length[0])
    # Its neighbour in the batch is not touched.
    assert np.isfinite(found.log_strength[1]).all()
    with_prior = bt.fit(wins, ties)
    assert np.isfinite(with_prior.log_strength).all()
    assert np.isfinite(with_prior.tie)
    i, j = np.triu_indices(3, 1)

    def surface(x):
        won, lost = np.array(wins)[i, j] + 0.25, np.array(wins)[j, i] + 0.25
        share = probabilities(np.append(x[:2], 0), np.exp(x[2]), i, j)
        seen = np.array([lost, np.asarray(ties)[i, j], won])
        return -(seen * np.log(share)).sum()

    best = optimize.minimize(surface, np.zeros(3), jac="3-point", options={"gtol": 1e-7})
    strength = np.append(best.x[:2], 0)
    assert with_prior.log_strength == pytest.approx(strength - strength.mean(), abs=1e-4)
    assert with_prior.tie == pytest.approx(np.exp(best.x[2]), rel=1e-3, abs=1e-4)


def test_length_alone_deciding_has_no_maximum_without_the_prior():
    games = with_lengths()
    decided = replace(games, outcome=(games.length_difference > 0).astype(float))
    assert np.isnan(bt.length_controlled(decided, prior=0).log_strength).all()
    assert bt.length_controlled(decided).length > 1
    assert np.isfinite(bt.length_controlled(decided).log_strength).all()


# --- invariances --------------------------------------------------------------------------------


@settings(max_examples=40)
@given(comparisons(), st.randoms(use_true_random=False))
def test_names_of_players_have_no_effect(drawn, random):
    games, counts = drawn
    order = np.array(random.sample(range(games.players), games.players))
    renamed = replace(games, first=order[games.first], second=order[games.second])
    for found, wanted in zip(fits(renamed, counts), fits(games, counts), strict=True):
        same(replace(found, log_strength=found.log_strength[:, order]), *vars(wanted).values())


@settings(max_examples=40)
@given(comparisons(), st.randoms(use_true_random=False))
def test_who_is_called_first_has_no_effect(drawn, random):
    games, counts = drawn
    turn = np.array([random.random() < 0.5 for _ in games.item])
    turned = replace(
        games,
        first=np.where(turn, games.second, games.first),
        second=np.where(turn, games.first, games.second),
        outcome=np.where(turn, 1 - games.outcome, games.outcome),
        length_difference=np.where(turn, -1, 1) * games.length_difference,
    )
    for found, wanted in zip(fits(turned, counts), fits(games, counts), strict=True):
        same(found, *vars(wanted).values())
    assert bt.length_correlation(turned, counts) == pytest.approx(
        bt.length_correlation(games, counts), nan_ok=True
    )


@settings(max_examples=40)
@given(comparisons())
def test_a_draw_is_its_comparisons_repeated(drawn):
    games, counts = drawn
    plain, controlled = fits(games, counts)
    tau = bt.length_correlation(games, counts)
    names = [str(i) for i in range(games.players)]
    found = bt.measures(games, names, counts)
    unit = np.sqrt((games.length_difference**2).mean())
    for i, times in enumerate(counts.astype(int)):
        again = np.repeat(np.arange(len(games.item)), times[games.item])
        taken = {
            name: getattr(games, name)[again]
            for name in ("first", "second", "outcome", "item", "length_difference")
        }
        repeated = replace(games, **taken)
        same(plain, *vars(fits(repeated)[0]).values(), at=i)
        assert tau[i] == pytest.approx(bt.length_correlation(repeated), nan_ok=True)
        assert found["tie",][i] == plain.tie[i]
        assert found["strength_controlled", "1"][i] == controlled.log_strength[i, 1]
        # The unit of length is that of the sample: give the draw the same one.
        if len(again) and taken["length_difference"].any() and unit:
            gap = taken["length_difference"]
            mine = bt.length_controlled(repeated, prior=0)
            wanted = bt.length_controlled(games, counts, prior=0)
            change = unit / np.sqrt((gap**2).mean())
            same(mine, wanted.log_strength[i], wanted.tie[i], wanted.length[i] / change)


@settings(max_examples=30)
@given(comparisons(), st.sampled_from([2.0, 0.25, 10.0]))
def test_twice_the_data_and_twice_the_prior_change_nothing(drawn, factor):
    games, counts = drawn
    for found, wanted in zip(
        fits(games, counts * factor, 0.5 * factor), fits(games, counts), strict=True
    ):
        same(found, *vars(wanted).values())
    wins, ties = bt.aggregate(games)
    same(bt.fit(wins * factor, ties * factor, 0), *vars(bt.fit(wins, ties, 0)).values())


@settings(max_examples=30)
@given(comparisons())
def test_counts_of_one_are_no_counts(drawn):
    games, counts = drawn
    names = [f"p{i}" for i in range(games.players)]
    found = bt.measures(games, names, np.ones_like(counts))
    wanted = bt.measures(games, names)
    assert {name: values[1] for name, values in found.items()} == pytest.approx(
        {name: float(value) for name, value in wanted.items()}, abs=1e-7, nan_ok=True
    )


# --- length and preference ----------------------------------------------------------------------


@given(comparisons())
def test_length_correlation_is_scipys_with_both_ways_round(drawn):
    games, _ = drawn
    won, gap = games.outcome, games.length_difference
    theirs = stats.kendalltau(np.append(won, 1 - won), np.append(gap, -gap)).statistic
    assert bt.length_correlation(games) == pytest.approx(theirs, nan_ok=True)


def test_length_control_undoes_what_length_did():
    # The weaker a player, the longer its answers; a judge prefers long ones.
    p, items, effect = 5, 1500, 2.0
    truth = np.linspace(0.6, -0.6, p)
    generator = np.random.default_rng(12)
    length = generator.normal(np.linspace(0, 400, p), 200, size=(items, p))
    i, j, item = every_pair(p, items)
    games = played(
        generator, truth, 0.5, items, gap=length[item, i] - length[item, j], effect=effect
    )
    found = bt.measures(games, "abcde")
    assert [found["rank", name] for name in "abcde"] == [5, 4, 3, 2, 1]
    assert [found["rank_controlled", name] for name in "abcde"] == [1, 2, 3, 4, 5]
    measured = Draws.of(
        np.arange(items), {"draws": 200, "seed": 1, "confidence": 0.999, "interval": "percentile"}
    ).measure(lambda counts: bt.measures(games, "abcde", counts))
    for name, strength in zip("abcde", truth, strict=True):
        low, high = measured.interval(("strength_controlled", name))
        assert low <= strength <= high
    low, high = measured.interval(("length_effect",))
    assert low <= effect <= high
    assert measured.interval(("length_correlation",))[0] > 0.2


def test_equals_share_their_rank():
    games = bt.Comparisons(3, [0, 1, 0, 1], [2, 2, 2, 2], [1, 1, 0.5, 0.5], [0, 0, 1, 1])
    found = bt.measures(games, ["a", "b", "c"])
    assert [found["rank", name] for name in "abc"] == [1.5, 1.5, 3]
    assert ("length_effect",) not in found


# --- a known ranking ----------------------------------------------------------------------------


def covered(simulate, truth, sets=200, items=60):
    """In how many simulated sets the 95% interval of a figure holds the truth."""
    how = {"draws": 300, "confidence": 0.95, "interval": "percentile"}
    hits = dict.fromkeys(truth, 0)
    generator = np.random.default_rng(31)
    for seed in range(sets):
        games = simulate(generator, items)
        measured = Draws.of(np.arange(items), how | {"seed": seed}).measure(
            lambda counts, games=games: bt.measures(games, "abcd", counts)
        )
        for name, value in truth.items():
            low, high = measured.interval(name)
            hits[name] += low <= value <= high
    return hits


@pytest.mark.simulation
def test_intervals_cover_strengths_and_ties():
    strength, tie = np.array([0.9, 0.3, -0.2, -1.0]), 0.8
    truth = {("strength", name): value for name, value in zip("abcd", strength, strict=True)}
    hits = covered(
        lambda generator, items: played(generator, strength, tie, items), truth | {("tie",): tie}
    )
    for name, n in hits.items():
        assert stats.binomtest(n, 200, 0.95).pvalue > 0.001, (name, n)


@pytest.mark.simulation
def test_intervals_cover_strengths_where_comparisons_hang_together():
    # Rankings of a Plackett-Luce model: the outcomes on one item are far from independent.
    strength = np.array([0.9, 0.3, -0.2, -1.0])

    def ranked(generator, items):
        utility = strength + generator.gumbel(size=(items, 4))
        first, second = np.triu_indices(4, 1)
        return bt.Comparisons(
            players=4,
            first=np.tile(first, items),
            second=np.tile(second, items),
            outcome=(utility[:, first] > utility[:, second]).astype(float).ravel(),
            item=np.repeat(np.arange(items), len(first)),
        )

    truth = {("strength", name): value for name, value in zip("abcd", strength, strict=True)}
    for name, n in covered(ranked, truth).items():
        assert stats.binomtest(n, 200, 0.95).pvalue > 0.001, (name, n)
