"""Strengths of players from who beat whom: the Bradley-Terry model with ties of Davidson (1970).

With strengths π and a tie parameter ν, i beats j with probability π_i / (π_i + π_j + ν √(π_i π_j))
and ties with it with probability ν √(π_i π_j) over the same; without ties, ν = 0, this is the model
of Bradley and Terry (1952). Here the players are personas, and they meet on questions.

Figures are those of the sample. With `counts`, how often every draw takes every question, shape
(draws, items), they have the draws as their leading axis, for `resampling.Draws.measure` to make
intervals over questions, which hold however much the comparisons on one question have to do with
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, vstack

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Figure = float | Floats
Counts = NDArray[Any] | None

# Comparisons of every two players, half won by either, that are added to those made.
PRIOR = 0.5

_STEPS = 60
_LARGEST_STEP = 4.0  # of a log-strength; Newton's method may ask for far more on the way
_CONVERGED = 1e-6  # the step after it is about its square
_FLAT = 1e-9  # curvature per comparison at which the likelihood has no maximum to speak of
_ROUNDING = 1e-12  # of a log-likelihood, per comparison
_EQUAL = 9  # decimals of log-strengths of players who share a rank
_BLOCK = 2**20  # comparisons times draws that are worked on at a time: 8 MB an array


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of two players each, arrays of shape (comparisons,).

    Attributes:
        players: how many there are.
        first: number of the one player, from 0.
        second: number of the other.
        outcome: 1 where the first wins, 0.5 for a tie, 0 where the second wins.
        item: number of the question, from 0; the column of `counts`.
        length_difference: length of the first's answer minus that of the second's, in any unit;
            None where it is not known.

    Raises:
        ValueError: arrays that do not match, a number out of its range, an outcome that is none
            of the three, a player against itself, or a length difference that is not finite.
    """

    players: int
    first: Indices
    second: Indices
    outcome: Floats
    item: Indices
    length_difference: Floats | None = None

    def __post_init__(self) -> None:
        """Make arrays of what was given, and check them."""
        kinds: dict[str, type] = dict.fromkeys(("first", "second", "item"), np.intp)
        kinds["outcome"] = np.float64
        if self.length_difference is not None:
            kinds["length_difference"] = np.float64
        for name, kind in kinds.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        shapes = {name: getattr(self, name).shape for name in kinds}
        if self.outcome.ndim != 1 or len(set(shapes.values())) != 1:
            raise ValueError(f"the comparisons do not match: {shapes}")
        both = np.concatenate([self.first, self.second])
        if ((both < 0) | (both >= self.players)).any():
            raise ValueError(f"a player is not within 0 to {self.players - 1}")
        if (self.first == self.second).any():
            raise ValueError("a player is compared with itself")
        if not np.isin(self.outcome, (0.0, 0.5, 1.0)).all():
            raise ValueError("an outcome is none of 0, 0.5 and 1")
        if (self.item < 0).any():
            raise ValueError("an item's number is below 0")
        if self.length_difference is not None and not np.isfinite(self.length_difference).all():
            raise ValueError("a length difference is not finite")


@dataclass(frozen=True)
class Fit:
    """Estimates, all nan where the likelihood has no maximum, or too flat a one to be found.

    Attributes:
        log_strength: log π, shape (..., players), with mean 0; the difference of two is the
            logarithm of how many times as often the one wins as the other.
        tie: ν, shape (...): two equals tie with probability ν / (2 + ν).
        length: shape (...), what a unit of the difference in length adds to that logarithm; 0
            without one.
    """

    log_strength: Floats
    tie: Floats
    length: Floats


def aggregate(comparisons: Comparisons, counts: Counts = None) -> tuple[Floats, Floats]:
    """Count wins and ties of every two players.

    Args:
        comparisons: of `p` players.
        counts: shape (draws, items).

    Returns:
        Wins of row over column, and ties, which are symmetric; each of shape (p, p), or
        (draws, p, p).

    Raises:
        ValueError: an item is not among those that the draws count.
    """
    p, won = comparisons.players, comparisons.outcome
    i, j, tied = comparisons.first, comparisons.second, won == 0.5
    winner, loser = np.where(won == 0, j, i), np.where(won == 0, i, j)
    item, drawn = comparisons.item, _drawn(comparisons, counts)
    wins = _sums(winner * p + loser, item, ~tied, p * p, drawn).T.reshape(-1, p, p)
    ties = _sums(i * p + j, item, tied, p * p, drawn).T.reshape(-1, p, p)
    ties = ties + ties.transpose(0, 2, 1)
    return (wins[0], ties[0]) if counts is None else (wins, ties)


def win_matrix(wins: ArrayLike, ties: ArrayLike) -> Floats:
    """Share of its comparisons with every other that a player wins, ties half.

    Args:
        wins: shape (..., players, players), of row over column (`aggregate`).
        ties: the same of ties.

    Returns:
        Shape (..., players, players); nan for two that never met, and in the diagonal.
    """
    wins, ties = np.asarray(wins, np.float64), np.asarray(ties, np.float64)
    met = wins + np.swapaxes(wins, -1, -2) + ties
    share = np.full(met.shape, np.nan)
    return np.asarray(np.divide(wins + ties / 2, met, out=share, where=met > 0))


def fit(wins: ArrayLike, ties: ArrayLike, prior: float = PRIOR) -> Fit:
    """Estimate strengths and the tie parameter (Davidson 1970).

    Maximum likelihood after `prior` comparisons of every two players, half won by either, have
    been added (as Conner and Grant 2000 did for players who met). These keep the strengths
    finite where a player wins everything, and hold together players who never met. They draw
    strengths to their mean, by about the share of `prior` in a pair's comparisons, and leave
    ν at 0 where there are no ties. Ties could not take their place: of two players, one who wins
    or ties everything drives π and ν to infinity together.

    Args:
        wins: shape (..., players, players), of row over column (`aggregate`).
        ties: the same of ties, symmetric.
        prior: comparisons added per pair; 0 for none.

    Returns:
        The estimates. Without a prior they are nan where no maximum exists, such as where a
        player lost everything or did not play (Ford 1957), or where there are only ties.
    """
    wins, ties = np.asarray(wins, np.float64), np.asarray(ties, np.float64)
    p = wins.shape[-1]
    i, j = np.triu_indices(p, 1)
    won, lost, tied = (
        matrix.reshape(-1, p, p)[:, row, column].T
        for matrix, row, column in ((wins, i, j), (wins, j, i), (ties, i, j))
    )
    design = _design(i, j, np.zeros(len(i)), p)[:p]
    estimates = _in_blocks(
        won.shape[1],
        len(i),
        lambda some: _maximize(
            design,
            p,
            (won + lost + tied)[:, some] + prior,
            design @ (won - lost)[:, some] / 2,
            tied[:, some].sum(axis=0),
        ),
    )
    shape = wins.shape[:-2]
    tie = estimates[p].reshape(shape)
    return Fit(estimates[:p].T.reshape(*shape, p), tie, np.where(np.isnan(tie), np.nan, 0.0))


def length_controlled(comparisons: Comparisons, counts: Counts = None, prior: float = PRIOR) -> Fit:
    """Strengths for answers of equal length.

    The model of the module with π_i / π_j times exp(β z), where z is the length difference over
    the root mean square of all of them in the sample; strengths are those at z = 0. To take
    length out by a coefficient in the model of the outcome is the idea of Dubois et al. (2024)
    for AlpacaEval, who compare with one baseline and take the hyperbolic tangent of the
    standardized difference; the definition here is our own. It tells length from quality as far as
    players differ in length from question to question: one that is always longer by the same
    amount cannot be told from a better one. Where a few very long answers would rule the fit,
    give differences of the logarithms of lengths.

    As in `fit`, `prior` comparisons are added per pair, half won by either, evenly over z = 1 and
    z = -1, which keeps β finite as well.

    Args:
        comparisons: with length differences.
        counts: shape (draws, items).
        prior: comparisons added per pair; 0 for none.

    Returns:
        The estimates. Without a prior they are nan where no maximum exists.

    Raises:
        ValueError: there are no length differences, or an item is not among those that the draws
            count.
    """
    p, won, gap = comparisons.players, comparisons.outcome, _lengths(comparisons)
    unit = float(np.sqrt((gap**2).mean())) if gap.size else 0.0
    a, b = np.triu_indices(p, 1)
    n, pairs = len(won), len(a)
    design = _design(
        np.concatenate([comparisons.first, a, a]),
        np.concatenate([comparisons.second, b, b]),
        np.concatenate([gap / (unit or 1.0), np.ones(pairs), -np.ones(pairs)]),
        p,
    )
    made = design[:, :n]
    drawn = _drawn(comparisons, counts)

    def estimates_of(some: slice) -> Floats:
        weights = np.full((n + 2 * pairs, len(drawn[some])), prior / 2)
        weights[:n] = drawn[some].T[comparisons.item]
        scores = made @ (weights[:n] * (won - 0.5)[:, None])
        return _maximize(design, p, weights, scores, weights[:n][won == 0.5].sum(axis=0))

    estimates = _in_blocks(len(drawn), n + 2 * pairs, estimates_of)
    if counts is None:
        estimates = estimates[:, 0]
    return Fit(estimates[:p].T, estimates[p + 1], estimates[p])


def length_correlation(comparisons: Comparisons, counts: Counts = None) -> Figure:
    """Kendall's tau-b (Kendall 1945) between preference and difference in length.

    Tau-b, since the outcome has three values: it allows for ties in both, and looks at order
    alone, so that no unit of length and no distance from a tie to a win enters. Every
    comparison is taken both ways round, so that which answer is called the first has no effect.

    Args:
        comparisons: with length differences.
        counts: shape (draws, items).

    Returns:
        Tau, or one per draw, shape (draws,); positive where longer answers are preferred. With
        two or three outcomes against many lengths it stays below 1 even where the longer answer
        always wins. Nan where all comparisons are ties, or all answers are of equal length.

    Raises:
        ValueError: as `length_controlled`.
    """
    won, gap = comparisons.outcome, _lengths(comparisons)
    values, place = np.unique(np.concatenate([gap, -gap]), return_inverse=True)
    level = np.asarray(2 * np.concatenate([won, 1 - won]), dtype=np.intp)
    cells, items = 3 * place + level, np.tile(comparisons.item, 2)
    drawn = _drawn(comparisons, counts)

    def taus_of(some: slice) -> Floats:
        table = _sums(cells, items, np.ones(len(cells)), 3 * len(values), drawn[some])
        table = table.reshape(len(values), 3, table.shape[1])
        lost, tied, win = np.moveaxis(table, 1, 0)
        shorter_lost, shorter_tied, shorter_won = np.moveaxis(table.cumsum(axis=0) - table, 1, 0)
        agreeing = (
            win * (shorter_lost + shorter_tied)
            + tied * (shorter_lost - shorter_won)
            - lost * (shorter_tied + shorter_won)
        ).sum(axis=0)
        squared = table.sum(axis=(0, 1)) ** 2
        untied_length = squared - (table.sum(axis=1) ** 2).sum(axis=0)
        untied_outcome = squared - (table.sum(axis=0) ** 2).sum(axis=0)
        both = np.sqrt(untied_length) * np.sqrt(untied_outcome)
        undefined = np.full(both.shape, np.nan)
        return np.asarray(np.divide(2 * agreeing, both, out=undefined, where=both > 0)[None])

    taus = _in_blocks(len(drawn), 3 * len(values), taus_of)[0]
    return float(taus[0]) if counts is None else taus


def measures(
    comparisons: Comparisons,
    names: Sequence[str],
    counts: Counts = None,
    prior: float = PRIOR,
) -> dict[tuple[str, ...], Any]:
    """All numbers of a ranking, for `resampling.Draws.measure`.

    Args:
        comparisons: with or without length differences.
        names: of the players, in the order of their numbers.
        counts: shape (draws, items).
        prior: comparisons added per pair.

    Returns:
        `("strength", name)` (log π), `("rank", name)` (1 = strongest, equal ones share their mean
        rank) and `("tie",)` (ν); with length differences also `("strength_controlled", name)`,
        `("rank_controlled", name)`, `("length_effect",)` (β) and `("length_correlation",)`.

    Raises:
        ValueError: the names are not one per player, or an item is not among those that the
            draws count.
    """
    if len(names) != comparisons.players:
        raise ValueError(f"{len(names)} names for {comparisons.players} players")
    plain = fit(*aggregate(comparisons, counts), prior)
    found = _by_name(plain, names, "") | {("tie",): plain.tie}
    if comparisons.length_difference is not None:
        controlled = length_controlled(comparisons, counts, prior)
        found |= _by_name(controlled, names, "_controlled")
        found["length_effect",] = controlled.length
        found["length_correlation",] = length_correlation(comparisons, counts)
    return found


def _by_name(fitted: Fit, names: Sequence[str], kind: str) -> dict[tuple[str, ...], Any]:
    strength = fitted.log_strength
    rank = scipy.stats.rankdata(-np.round(strength, _EQUAL), axis=-1)
    return {
        (f"{measure}{kind}", name): values[..., i]
        for measure, values in (("strength", strength), ("rank", rank))
        for i, name in enumerate(names)
    }


def _lengths(comparisons: Comparisons) -> Floats:
    if comparisons.length_difference is None:
        raise ValueError("the comparisons have no length differences")
    return comparisons.length_difference


def _drawn(comparisons: Comparisons, counts: Counts) -> NDArray[Any]:
    """The counts; of the sample, every item once in a single draw."""
    items = int(comparisons.item.max(initial=-1)) + 1
    if counts is None:
        return np.ones((1, items))
    if items > counts.shape[1]:
        raise ValueError(f"item {items - 1} is not among the {counts.shape[1]} that draws count")
    return counts


def _sums(
    cells: Indices, item: Indices, values: NDArray[Any], size: int, drawn: NDArray[Any]
) -> Floats:
    """Sums of `values` over the comparisons of a cell, shape (size, draws)."""
    entries = (np.asarray(values, dtype=np.float64), (cells, item))
    table = csr_array(entries, shape=(size, drawn.shape[1]))
    return np.asarray(table @ np.asarray(drawn, dtype=np.float64).T)


def _design(first: Indices, second: Indices, z: Floats, p: int) -> csr_array:
    """What the log-odds of the first's win are of strengths and length, (p + 1, comparisons)."""
    n = np.arange(len(z))
    ones = np.ones(len(z))
    return csr_array(
        (
            np.concatenate([ones, -ones, z]),
            (np.concatenate([first, second, np.full(len(z), p)]), np.concatenate([n, n, n])),
        ),
        shape=(p + 1, len(z)),
    )


def _in_blocks(draws: int, rows: int, of: Callable[[slice], Floats]) -> Floats:
    """The columns of all draws, from a few draws at a time lest memory grow with them."""
    size = max(_BLOCK // max(rows, 1), 1)
    return np.hstack([of(slice(start, start + size)) for start in range(0, draws, size)])


def _maximize(design: csr_array, p: int, weights: Floats, scores: Floats, ties: Floats) -> Floats:
    """Maximize the likelihood by Newton's method, all draws at once.

    With η = designᵀ φ, a win, a loss and a tie have the probabilities exp(η / 2), exp(-η / 2) and
    ν over their sum: a multinomial logit model, so that the logarithm of the likelihood is concave
    in φ and log ν. A step that lowers it is halved.

    Args:
        design: shape (coefficients, comparisons), the first `p` of them log-strengths.
        p: number of players.
        weights: shape (comparisons, draws).
        scores: shape (coefficients, draws), the sum of half of the design over wins minus that
            over losses.
        ties: shape (draws,), their number.

    Returns:
        Shape (coefficients + 1, draws): φ, and ν in the last row; nan without a maximum.
    """
    k, draws = design.shape[0], weights.shape[1]
    squares = vstack([design.multiply(design[[row]]) for row in range(k)]).tocsr()
    total = weights.sum(axis=0)
    tied = ties > 0
    targets = np.vstack([scores, ties])
    now = np.zeros((k + 1, draws))
    # As if all were equal.
    now[k] = np.log(np.where(tied & (total > ties), 2 * ties / np.maximum(total - ties, 1e-9), 1))
    step = np.zeros_like(now)
    reached = np.full(draws, -np.inf)
    result = np.full_like(now, np.nan)
    pending = np.ones(draws, dtype=bool)

    for _ in range(_STEPS):
        trial = now + step
        nu = np.where(tied, np.exp(trial[k]), 0.0)
        log_odds = design.T @ trial[:k]
        half = np.abs(log_odds) / 2
        # All three over exp(half), so that nothing overflows.
        tie = np.exp(-half)
        upset = tie**2
        tie *= nu
        scale = 1 + upset + tie
        tie /= scale
        lead = np.copysign((1 - upset) / scale, log_odds)
        likelihood = (targets * trial).sum(axis=0) - (weights * (half + np.log(scale))).sum(axis=0)

        better = likelihood >= reached - _ROUNDING * total
        now = np.where(better, trial, now)
        reached = np.where(better, likelihood, reached)
        expected = np.vstack(
            [design @ (weights * lead) / 2, (weights * tie).sum(axis=0, keepdims=True)]
        )
        information = np.empty((draws, k + 1, k + 1))
        information[:, :k, :k] = (squares @ (weights * (1 - tie - lead**2)) / 4).T.reshape(-1, k, k)
        # Any constant could be added to the strengths: this keeps their mean at 0.
        information[:, :p, :p] += (total / p**2)[:, None, None]
        information[:, k, :k] = information[:, :k, k] = -(design @ (weights * lead * tie) / 2).T
        information[:, k, k] = np.where(tied, (weights * tie * (1 - tie)).sum(axis=0), total)

        curvature, axes = np.linalg.eigh(information)
        flat = curvature[:, 0] <= _FLAT * total
        curvature[flat] = np.inf
        along = np.einsum("dij,id->dj", axes, targets - expected) / curvature
        newton = np.einsum("dij,dj->id", axes, along)
        longest = np.abs(newton).max(axis=0)
        done = pending & better & ~flat & (longest < _CONVERGED)
        result[:, done] = (now + newton)[:, done]
        pending &= ~done & ~(better & flat)
        if not pending.any():
            break
        step = np.where(
            better, newton * np.minimum(1, _LARGEST_STEP / np.maximum(longest, 1)), step / 2
        )
    result[k] = np.where(tied | np.isnan(result[0]), np.exp(result[k]), 0.0)
    return result
