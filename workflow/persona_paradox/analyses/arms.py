"""Arms of one attribute beside each other: its classes, groups, steps of severity, and cues.

What an arm is about says what it belongs to: `attribute` and `class`, such as a vital sign and how
severe its value is, or a trait of the patient and a group of people; `identity` takes the place of
the class, and `cue` says by what the identity is shown. An item that one arm of an attribute cannot
change is left out of all of this attribute, so that its classes share their items (van Aken et al.
2021); an item that has a class already counts there with its unchanged answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measures.resampling import Draws, Resampled

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Sums = Mapping[str, Floats]


class Statistic(NamedTuple):
    """What a number of an attribute is.

    Attributes:
        attribute: of the arms.
        measure: what of them: `mean` of a class; its `change` from the unchanged items; its `gap`
            to the mean of the other classes; `change_by_severity`, by how many classes an item
            became worse; `monotonicity` of that curve; of two cues of one identity
            `sign_agreement` and `correlation` of the items' gaps.
        cls: class or identity; the change of severity of `change_by_severity`.
        cue: by what the identity is shown.
        other_cue: the cue that this one is compared with.
    """

    attribute: str
    measure: str
    cls: str | None = None
    cue: str | None = None
    other_cue: str | None = None


# Measures whose value is a difference, of which it can be asked whether it is 0.
DIFFERENCES = ("change", "gap", "change_by_severity")


@dataclass(frozen=True)
class Edit:
    """The answers to the items of one arm under one persona.

    Attributes:
        attribute: of the arm.
        cls: its class, or identity.
        cue: by what the identity is shown, if it is.
        values: the outcome of every item, shape (items,), nan where there is none.
        usable: whether the arm changed an item, or the item has this class already.
        severity: the change of severity of every item, nan where nothing is said of it.
    """

    attribute: str
    cls: str
    cue: str | None
    values: Floats
    usable: Mask
    severity: Floats


@dataclass
class _Formulas:
    """Sums over items that numbers need, and the numbers as functions of the sums."""

    columns: dict[str, Floats] = field(default_factory=dict)
    found: dict[Statistic, Callable[[Sums], Floats]] = field(default_factory=dict)

    def points(self, counts: NDArray[Any] | None) -> dict[Statistic, Any]:
        """The numbers of the sample, or of every draw; see `resampling.Measure`."""
        matrix = np.column_stack([*self.columns.values()])
        weights = np.ones((1, len(matrix))) if counts is None else np.asarray(counts, np.float64)
        totals = weights @ matrix
        sums = {name: totals[:, i] for i, name in enumerate(self.columns)}
        # A draw may hold none of the items that a number is of.
        with np.errstate(divide="ignore", invalid="ignore"):
            made = {name: formula(sums) for name, formula in self.found.items()}
        return {name: value[0] if counts is None else value for name, value in made.items()}


def shared_items(edits: Sequence[Edit], before: Floats) -> Mask:
    """The items that every arm can change, and that have the outcome everywhere; shape (items,)."""
    shared = ~np.isnan(before)
    for edit in edits:
        shared &= edit.usable & ~np.isnan(edit.values)
    return shared


def measured(
    edits: Sequence[Edit], before: Floats, draws: Draws, worse: int = 0
) -> tuple[Resampled | None, dict[str, Mask]]:
    """Every number of some arms under one persona.

    Args:
        edits: of all attributes.
        before: the outcome of the unchanged items under this persona, shape (items,).
        draws: of the items; the same for all personas, so that their differences are paired.
        worse: 1 or -1 where a worse state raises or lowers the outcome, 0 where it does neither.

    Returns:
        The numbers by `Statistic`, None where no attribute has an item; and of every attribute
        which items it shares.
    """
    formulas = _Formulas()
    shared = {}
    for attribute in dict.fromkeys(edit.attribute for edit in edits):
        own = [edit for edit in edits if edit.attribute == attribute]
        shared[attribute] = shared_items(own, before)
        if shared[attribute].any():
            _add(formulas, attribute, own, before, shared[attribute])
            if worse:
                _add_severity(formulas, own, before, shared[attribute], worse)
    return (draws.measure(formulas.points) if formulas.found else None), shared


def _add(
    formulas: _Formulas, attribute: str, edits: Sequence[Edit], before: Floats, shared: Mask
) -> None:
    """Means, changes and gaps of the classes, by cue, and the agreement of cues."""

    def add(name: str, values: Floats) -> str:
        key = f"{attribute} {name}"
        formulas.columns[key] = np.where(shared, values, 0.0)
        return key

    n, was = add("n", np.ones(len(before))), add("before", before)
    gaps: dict[str | None, dict[str, Floats]] = {}
    for cue, classes in _by_cue(edits):
        keys = {cls: add(f"mean {cue} {cls}", values) for cls, values in classes.items()}
        for cls, key in keys.items():
            others = [other for other in keys.values() if other != key]
            formulas.found[Statistic(attribute, "mean", cls, cue)] = _mean(key, n)
            formulas.found[Statistic(attribute, "change", cls, cue)] = _gap(key, [was], n)
            if others:
                formulas.found[Statistic(attribute, "gap", cls, cue)] = _gap(key, others, n)
        gaps[cue] = {
            cls: values - np.mean([v for c, v in classes.items() if c != cls], axis=0)
            for cls, values in classes.items()
            if len(classes) > 1
        }
    for one, other in combinations([cue for cue in gaps if cue is not None], 2):
        for cls in (cls for cls in gaps[one] if cls in gaps[other]):
            x, y = gaps[one][cls], gaps[other][cls]
            name = f"{one} {other} {cls}"
            known = (x != 0) & (y != 0)
            keys_of = {
                part: add(f"{part} {name}", np.asarray(values, np.float64))
                for part, values in {
                    "same": known & (np.sign(x) == np.sign(y)),
                    "known": known,
                    "x": x,
                    "y": y,
                    "xx": x * x,
                    "yy": y * y,
                    "xy": x * y,
                }.items()
            }
            where = (cls, one, other)
            formulas.found[Statistic(attribute, "sign_agreement", *where)] = _mean(
                keys_of["same"], keys_of["known"]
            )
            formulas.found[Statistic(attribute, "correlation", *where)] = _correlation(keys_of, n)


def _by_cue(edits: Sequence[Edit]) -> Iterator[tuple[str | None, dict[str, Floats]]]:
    """Cue → class → values of the items, on the mean over the arms of a class."""
    for cue in dict.fromkeys(edit.cue for edit in edits):
        here = [edit for edit in edits if edit.cue == cue]
        yield (
            cue,
            {
                cls: np.mean([edit.values for edit in here if edit.cls == cls], axis=0)
                for cls in dict.fromkeys(edit.cls for edit in here)
            },
        )


def _mean(key: str, n: str) -> Callable[[Sums], Floats]:
    return lambda sums: sums[key] / sums[n]


def _gap(key: str, others: Sequence[str], n: str) -> Callable[[Sums], Floats]:
    """A mean minus the mean of other means."""
    return lambda sums: (sums[key] - sum(sums[other] for other in others) / len(others)) / sums[n]


def _correlation(keys: Mapping[str, str], n: str) -> Callable[[Sums], Floats]:
    """Pearson's, nan where one side does not vary."""

    def formula(sums: Sums) -> Floats:
        x, y = sums[keys["x"]] / sums[n], sums[keys["y"]] / sums[n]
        spread_x = sums[keys["xx"]] / sums[n] - x * x
        spread_y = sums[keys["yy"]] / sums[n] - y * y
        together = sums[keys["xy"]] / sums[n] - x * y
        # What rounding leaves of no spread is none.
        flat = (spread_x <= _FLAT) | (spread_y <= _FLAT)
        product = np.where(flat, np.nan, spread_x * spread_y)
        return np.asarray(together / np.sqrt(product))

    return formula


_FLAT = 1e-15


def _add_severity(
    formulas: _Formulas, edits: Sequence[Edit], before: Floats, shared: Mask, worse: int
) -> None:
    """The curve of changes by how much worse the case is, and its monotonicity."""
    attribute = edits[0].attribute
    severity = np.stack([np.where(shared, edit.severity, np.nan) for edit in edits])
    moved = np.stack([edit.values - before for edit in edits])
    curve: dict[int, tuple[str, str]] = {}
    for step in sorted({int(one) for one in severity[~np.isnan(severity)]}):
        here = severity == step
        n = here.sum(axis=0)
        top, bottom = f"{attribute} severity {step}", f"{attribute} n severity {step}"
        # On the mean over the arms that change an item by so much.
        formulas.columns[top] = np.where(here, moved, 0.0).sum(axis=0) / np.maximum(n, 1)
        formulas.columns[bottom] = np.where(n > 0, 1.0, 0.0)
        curve[step] = top, bottom
        name = Statistic(attribute, "change_by_severity", f"{step:+d}" if step else "0")
        formulas.found[name] = _mean(top, bottom)
    if len(curve) > 1:
        formulas.found[Statistic(attribute, "monotonicity")] = _monotonicity(curve, worse)


def _monotonicity(curve: Mapping[int, tuple[str, str]], worse: int) -> Callable[[Sums], Floats]:
    """Share of the checks that a curve of mean changes passes, as published with DeVisE.

    Where the case is worse the outcome goes towards worse, where it is better away from it, and
    from a step to the next it does not fall.
    """

    def formula(sums: Sums) -> Floats:
        heights = {step: worse * sums[top] / sums[bottom] for step, (top, bottom) in curve.items()}
        checks = [np.sign(step) * height > 0 for step, height in heights.items() if step]
        checks += [heights[after] >= heights[step] for step, after in pairwise(sorted(heights))]
        known = ~np.isnan(np.sum(list(heights.values()), axis=0))
        return np.where(known, np.mean(checks, axis=0), np.nan)

    return formula
