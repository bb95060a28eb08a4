"""Where the variance of the answers lies: items, models, personas, wordings, or what is between.

A generalizability study (Cronbach et al. 1972; Brennan 2001) of a balanced random-effects design
in which every item is asked under every wording of every persona with every model, the wordings
nested in their personas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan
from typing import Any

import numpy as np
import polars as pl
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FACETS = ("item", "model", "persona", "paraphrase")
COLUMNS = ("item_id", "model", "persona", "variant")

# Columns of a source of variance, and of why there is none.
SOURCE = {
    "source": pl.String,
    "df": pl.Int64,
    "estimate": pl.Float64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "negative": pl.Boolean,
    "reason": pl.String,
}
# Columns of tables of numbers of one model's answers, behind what a row is about.
VARIANCE = {
    "metric": pl.String,
    "n_items": pl.Int64,
    "n_answers": pl.Int64,
    "n_left_out": pl.Int64,
    **SOURCE,
}


@dataclass(frozen=True)
class Component:
    """A variance component.

    Attributes:
        source: a facet, facets that interact, joined by " x ", or "residual": the interaction of
            all facets, which one answer per cell cannot tell from error. "paraphrase" is
            within personas, and so is what it interacts with.
        df: degrees of freedom.
        mean_square: from the analysis of variance.
        estimate: of the variance, as it comes; in squares of the outcome, for a binary one at
            most 0.25 in all.
        share: of the sum of all components, with negative estimates as 0; nan where that
            sum is 0.
        negative: whether the estimate is negative, and taken for 0: the component is too small
            for a design of this size.
    """

    source: str
    df: int
    mean_square: float
    estimate: float
    share: float
    negative: bool


def variance_shares(frame: pl.DataFrame, outcome: str = "correct") -> list[Component]:
    """Split the variance of an outcome by the facets of the study and their interactions.

    The estimates equate the mean squares of the analysis of variance with their expectations, in
    which the component of a set of facets appears in every mean square of a subset of it, times
    the number of answers at each of its levels (Cornfield and Tukey 1956; Brennan 2001). They
    are unbiased whatever the distribution, binary outcomes included, and equal REML where none
    is negative. Negative ones enter the solution as they are and are set to 0 afterwards
    (Brennan 2001).

    All facets count as random: the shares say how much of an answer's variance a further item,
    model, persona or wording of the kind of those at hand would make. With few personas or models
    their components are uncertain: with k levels no better than a variance of k numbers.

    Facets with one level, such as models in a study of one, do not appear.

    Args:
        frame: one row per answer, columns `item_id`, `model`, `persona`, `variant` (the wording)
            and the outcome; one task, since items of another have other contexts.
        outcome: a column of numbers or booleans.

    Returns:
        One component per facet and per interaction, the smaller sets first, the residual last.

    Raises:
        ValueError: the design is not balanced, an outcome is unknown, or there is one answer.
            A baseline without paraphrases is to be left out.
    """
    answers = _array(frame, outcome)
    sizes = answers.shape
    varied = tuple(axis for axis, size in enumerate(sizes) if size > 1)
    if not varied:
        raise ValueError("the variance of a single answer is not defined")
    sources = _sources(varied)
    df = [_degrees_of_freedom(source, sizes) for source in sources]
    mean_squares = np.array(
        [_sum_of_squares(answers, s) / d for s, d in zip(sources, df, strict=True)]
    )
    expectation = np.array(
        [
            [answers.size / np.prod([sizes[i] for i in other]) * (source <= other)
             for other in sources]
            for source in sources
        ]
    )  # fmt: skip
    estimates = np.linalg.solve(expectation, mean_squares)
    # What is 0 comes out of the solution as a rounding error of either sign.
    estimates[np.abs(estimates) <= 1e-12 * mean_squares.max()] = 0.0
    variances = np.maximum(estimates, 0.0)
    total = float(variances.sum())
    return [
        Component(
            source=_name(source, sources),
            df=df[i],
            mean_square=float(mean_squares[i]),
            estimate=float(estimates[i]),
            share=float(variances[i]) / total if total > 0 else float("nan"),
            negative=bool(estimates[i] < 0),
        )
        for i, source in enumerate(sources)
    ]


def variance_table(
    frame: pl.DataFrame,
    *,
    seed: int,
    confidence: float,
    groups: int = 20,
    outcome: str = "correct",
) -> list[dict[str, Any]]:
    """The components with intervals of their shares, from leaving out groups of items.

    The delete-a-group jackknife (Shao and Tu 1995, section 5.2): items are put into groups at
    random, and the shares are estimated anew without each group; with g groups the variance of a
    share is (g - 1) / g Σ (share without the group - their mean)², and its interval
    share ± t √variance with g - 1 degrees of freedom, kept within 0 and 1. Personas, models and
    wordings are those at hand: the interval is about other items alone.

    Args:
        frame: as in `variance_shares`.
        seed: seed of the split (PCG64).
        confidence: coverage, for example 0.95.
        groups: number of groups, at most one per item.
        outcome: a column of numbers or booleans.

    Returns:
        For every component `source`, `df`, `estimate`, `share`, `low`, `high`, `negative`; the
        bounds are nan with fewer than three items.

    Raises:
        ValueError: as `variance_shares`.
    """
    components = variance_shares(frame, outcome)
    items = frame["item_id"].unique().sort()
    g = min(groups, len(items))
    half = np.full(len(components), np.nan)
    if g > 2:
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(items))
        group = pl.DataFrame({"item_id": items, "group": order % g})
        marked = frame.join(group, on="item_id")
        shares = np.array(
            [
                [c.share for c in variance_shares(marked.filter(pl.col("group") != i), outcome)]
                for i in range(g)
            ]
        )
        spread = ((shares - shares.mean(axis=0)) ** 2).sum(axis=0) * (g - 1) / g
        half = scipy.stats.t.ppf((1 + confidence) / 2, g - 1) * np.sqrt(spread)
    return [
        {
            "source": component.source,
            "df": component.df,
            "estimate": component.estimate,
            "share": component.share,
            "low": max(component.share - float(h), 0.0),
            "high": min(component.share + float(h), 1.0),
            "negative": component.negative,
        }
        for component, h in zip(components, half, strict=True)
    ]


def variance_rows(
    values: Mapping[tuple[str, str], Mapping[str, Floats]],
    item_ids: Sequence[str],
    settings: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Rows of `VARIANCE`: of every number of one model's answers in a task, where it lies.

    An item counts where it has a value under every wording of every persona.

    Args:
        values: (persona, wording) → metric → value of every item, shape (items,), nan for none;
            without the baseline, which has one wording.
        item_ids: of all of them.
        settings: the statistics'.
    """
    cells = list(values.values())
    for metric in cells[0] if cells else ():
        if any(metric not in cell for cell in cells):
            continue
        found = np.array([cell[metric] for cell in cells], dtype=np.float64)
        known: NDArray[np.bool_] = np.asarray(~np.isnan(found).any(axis=0))
        n = int(known.sum())
        about = {"metric": metric, "n_items": n, "n_answers": n * len(cells)}
        about["n_left_out"] = len(known) - n
        kept = [id_ for id_, inside in zip(item_ids, known, strict=True) if inside]
        frame = pl.concat(
            pl.DataFrame({"item_id": kept, "value": of_cell[known]}).with_columns(
                model=pl.lit(""), persona=pl.lit(persona), variant=pl.lit(variant)
            )
            for (persona, variant), of_cell in zip(values, found, strict=True)
        )
        if not n:
            yield about | {"reason": "no item has a value under every wording of every persona"}
            continue
        try:
            rows = variance_table(
                frame, seed=settings["seed"], confidence=settings["confidence"], outcome="value"
            )
        except ValueError as error:
            yield about | {"reason": str(error)}
            continue
        for row in rows:
            # A share of no variance, and bounds of too few items, are not defined.
            yield about | {
                k: None if isinstance(v, float) and isnan(v) else v for k, v in row.items()
            }


def _array(frame: pl.DataFrame, outcome: str) -> Floats:
    """The outcomes in the shape (items, models, personas, paraphrases)."""
    if frame[outcome].null_count():
        raise ValueError(f"{frame[outcome].null_count()} answers have no {outcome}")
    items, models, personas = (frame[column].n_unique() for column in COLUMNS[:3])
    wordings = frame.group_by("persona").agg(pl.col("variant").n_unique())["variant"]
    if wordings.n_unique() != 1:
        raise ValueError("the personas do not all have the same number of wordings")
    shape = (items, models, personas, int(wordings[0]))
    if not frame.height == frame.select(COLUMNS).n_unique() == np.prod(shape):
        raise ValueError(
            f"{frame.height} answers are not one for each of {items} items, {models} models, "
            f"{personas} personas and {shape[3]} wordings"
        )
    values = frame.sort(COLUMNS)[outcome].cast(pl.Float64).to_numpy()
    return np.asarray(values).reshape(shape)


def _sources(varied: tuple[int, ...]) -> list[frozenset[int]]:
    """The sets of axes that have a component: all, but paraphrase never without persona."""
    persona, paraphrase = FACETS.index("persona"), FACETS.index("paraphrase")
    return [
        frozenset(axes)
        for size in range(1, len(varied) + 1)
        for axes in combinations(varied, size)
        if paraphrase not in axes or persona in axes or persona not in varied
    ]


def _name(source: frozenset[int], sources: list[frozenset[int]]) -> str:
    if source == sources[-1]:
        return "residual"
    nested = FACETS.index("paraphrase") in source
    return " x ".join(
        FACETS[axis]
        for axis in sorted(source)
        if not (nested and FACETS[axis] == "persona")  # a wording is one of its persona
    )


def _degrees_of_freedom(source: frozenset[int], sizes: tuple[int, ...]) -> int:
    nested = FACETS.index("paraphrase") in source
    return int(
        np.prod([sizes[axis] - (not (nested and FACETS[axis] == "persona")) for axis in source])
    )


def _sum_of_squares(answers: Floats, source: frozenset[int]) -> float:
    """Sum of squares of the deviations that belong to `source` and to no subset of it.

    With a paraphrase in the source, the main effect of persona is not taken out beside
    it: deviations within a persona are.
    """
    persona, paraphrase = FACETS.index("persona"), FACETS.index("paraphrase")
    removed = source - {persona} if paraphrase in source else source
    others = tuple(axis for axis in range(answers.ndim) if axis not in source)
    deviations = answers.mean(axis=others, keepdims=True)
    for axis in removed:
        deviations = deviations - deviations.mean(axis=axis, keepdims=True)
    return float((deviations**2).sum() * answers.size / deviations.size)
