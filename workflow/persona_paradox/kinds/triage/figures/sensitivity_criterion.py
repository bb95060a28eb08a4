"""Sensitivity against criterion: how well emergencies are told, and how readily they are called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ....figures import ink, plane, words
from ....figures.cells import Cells, read_cells
from ....figures.page import Entry
from ....figures.plane import Measure, Plane, Scale

_CRITERION = Measure("criterion", "criterion", "Criterion c (above 0: risk-taking)")
_D_PRIME = Measure("d_prime", "d_prime", "Risk sensitivity d′")

# Sensitivities and specificities whose lines are drawn.
_RATES = (0.1, 0.5, 0.9, 0.99)
_SENSITIVITY: dict[str, Any] = {"color": ink.LIGHT, "linewidth": 0.7}
_SPECIFICITY: dict[str, Any] = _SENSITIVITY | {"linestyle": (0, (4, 2))}
_SHORTEST = 0.5  # of a line, in d′
_ZERO: dict[str, Any] = {"color": ink.MIDDLE, "linewidth": 0.5, "zorder": 0}


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    cells = read_cells(tables["cells"])
    with ink.context(tables, settings):
        return plane.draw(
            cells,
            settings,
            _scales(cells, settings),
            _draw_lines,
            subtitle="Risk sensitivity d′ against the criterion c of the decision “needs "
            "high-acuity care”; a positive c is reluctant to call an emergency (to take c and d′ "
            "for risk propensity and risk sensitivity is our own definition)",
            key=_key(settings),
            notes=_notes(cells, settings),
        )


def _scales(cells: Cells, settings: Mapping[str, Any]) -> tuple[Scale, Scale]:
    """Scales of all panels: c with 0 in the middle, d′ with 0 on it, in steps of a half."""
    criteria, sensitivities = plane.extent(cells, settings, (_CRITERION, _D_PRIME))
    reach = max(1.0, *(_up(abs(value)) for value in criteria), 0.0)
    low = min(-0.5, *(-_up(-value) for value in sensitivities), 0.0)
    high = max(2.0, *(_up(value) for value in sensitivities), 0.0)
    return Scale(_CRITERION, -reach, reach), Scale(_D_PRIME, low, high)


def _up(value: float) -> float:
    """The next half above a value."""
    return math.ceil(2 * value) / 2


def _draw_lines(panel: Plane, taken: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Draw the lines of equal sensitivity and of equal specificity.

    z(sensitivity) = d′/2 - c and z(specificity) = d′/2 + c, for c and d′ are made of the two.
    """
    axes, (x, y) = panel.axes, panel.scales
    for axis, scale in ((axes.xaxis, x), (axes.yaxis, y)):
        step = 0.5 if scale.high - scale.low <= 4 else 1.0
        first = math.ceil(scale.low / step) * step
        axis.set_ticks(np.arange(first, scale.high + step / 2, step))
        axis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value, 1)))
    axes.plot([0, 0], [y.low, y.high], **_ZERO)
    axes.plot([x.low, x.high], [0, 0], **_ZERO)
    labels: list[tuple[float, float]] = []
    for side, look in ((1, _SENSITIVITY), (-1, _SPECIFICITY)):
        for rate in _RATES:
            z = NormalDist().inv_cdf(rate)
            # On such a line side · c = d′/2 - z; this much of it lies within the panel.
            low, high = max(y.low, 2 * (z + x.low)), min(y.high, 2 * (z + x.high))
            if high - low >= _SHORTEST:
                ends = [(side * (end / 2 - z), end) for end in (low, high)]
                text = f"{100 * rate:g}%"
                labels.append(plane.line(panel, ends, text, taken=[*taken, *labels], **look))
    return labels


def _key(settings: Mapping[str, Any]) -> list[Entry]:
    level = words.percent(settings["confidence"])
    cross = {"color": ink.MIDDLE, "linewidth": 0.5}
    return [
        Entry(f"{level} bootstrap intervals", line=cross),
        Entry("equal sensitivity", line=_SENSITIVITY),
        Entry("equal specificity", line=_SPECIFICITY),
    ]


def _notes(cells: Cells, settings: Mapping[str, Any]) -> list[str]:
    high = []
    for task in cells.tasks:
        about = settings["tasks"][task]
        levels = about["levels"][: about["high_acuity"]]
        high.append(f"{about['title']}: {', '.join(levels)}")
    return [
        "n: items per point; c and d′ are of the valid answers among them. Main wording. c, d′ "
        "and the grey lines are of rates with the log-linear correction; guessing gives d′ = 0, "
        "whatever c is.",
        f"High acuity: {'; '.join(high)}.",
        f"Intervals: {words.bootstrap_note(settings, cells.tasks)}.",
    ]
