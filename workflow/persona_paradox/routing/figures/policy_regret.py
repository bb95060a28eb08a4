"""By how much policies differ from no persona, the best single persona and the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import drawing
from ..drawing import axis, column, rows

__all__ = ["rows", "spec"]

_WIDTH_MM, _COLUMN_MM = 180.0, 28.0


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: columns of differences, for every model and origin."""
    columns = [
        column(
            axis(name, title),
            (f"{name}_low", f"{name}_high"),
            0,
            _COLUMN_MM,
            labels=name == "gain",
            shown=shown,
        )
        for name, title, shown in (
            ("gain", "Gain over no persona", "gain_shown"),
            ("regret", "Regret, best single", "regret_shown"),
            ("oracle_regret", "Regret, oracle", None),
        )
    ]
    if settings["routing"]["costed"]:
        cost = axis("cost_change", "Change of cost", share=False)
        columns.append(column(cost, ("cost_change_low", "cost_change_high"), 0, _COLUMN_MM))
    return drawing.sheet(settings, _about(settings), [drawing.beside(columns)], _WIDTH_MM)


def _about(settings: Mapping[str, Any]) -> str:
    alpha = 1 - settings["confidence"]
    costed = settings["routing"]["costed"]
    return (
        "Differences in the share of right answers on items that a policy did not see: from no "
        "persona (more is better), and the regret, how much less it is than that of the best "
        "single persona chosen on other items, and of the oracle, which no rule can pass (less is "
        f"better). Filled: p ≤ {alpha:.2g} after Holm's adjustment; the regret against the oracle "
        "is not tested"
        + ("; then the mean cost minus that of no persona" if costed else "")
        + f". {drawing.notes(settings)}"
    )
