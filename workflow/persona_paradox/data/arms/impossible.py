"""A value that no living patient has, and an option that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import MOST_OPTIONS, changed_items
from ..options import check_options, is_new, letters_of, speaks_of_others
from ..vitals import TITLES, readings, set_to, written

# Vital sign → a value that is impossible, in the order in which they are looked for (own). A
# temperature in degrees Fahrenheit: 54 °C.
VALUES = {
    "heart_rate": 940.0,
    "respiratory_rate": 260.0,
    "temperature": 129.2,
    "oxygen_saturation": 140.0,
    "systolic": 640.0,
}


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Set a vital sign to an impossible value, and add `option`, the new key; see `changes`.

    Args:
        items: of the base's data set, with `options`.
        arm: `option`, the text of the new option.

    Returns:
        The items; the first vital sign of `VALUES` that a case has once is set.
    """
    check_options(items, "impossible")

    def set_(row: dict[str, Any]) -> dict[str, Any] | str:
        options = row["options"]
        if len(options) == MOST_OPTIONS:
            return "there is no room for one more option"
        if speaks_of_others(options):
            return "an option speaks of others"
        if not is_new(arm["option"], row):
            return "an option says so"
        for vital, value in VALUES.items():
            found = readings(row["case"], vital)
            if len(found) == 1:
                unit = found[0].places[0][2]
                was, now = written(found[0].value, unit), written(value, unit)
                return {
                    "case": set_to(row["case"], [(found[0], value)]),
                    "options": [*options, arm["option"]],
                    "reference": letters_of([len(options)]),
                    "change": f"{TITLES[vital]}: {was} → {now}",
                }
        return "the case has no vital sign that could be set"

    return changed_items(items, set_)
