"""A vital sign of the case moved to another class of severity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import changed_items
from ..vitals import CLASSES, TITLES, Reading, class_of, set_to, written
from ..vitals import readings as found_in

# What a vital sign is made of.
_PARTS = {"blood_pressure": ("systolic", "diastolic")}


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Set the vital sign `vital` to a value of `class`; see `changes`.

    Args:
        items: of the base's data set, with cases made of fields or of text.
        arm: `vital`, a key of `vitals.CLASSES`, or `blood_pressure`, both parts of which are set;
            `class`, one of its classes; `draw`, `middle` of the class or `random`, with a `seed`.

    Returns:
        The items; `severity` is the distance of the new class from normal minus that of the old
        one. The class of a blood pressure is the more severe of its two parts (DeVisE). A case
        with no value, or with several, is left as it is.
    """
    class_ = arm["class"]
    parts = _PARTS.get(arm["vital"], (arm["vital"],))

    def moved(row: dict[str, Any]) -> dict[str, Any] | str:
        readings = {}
        for part in parts:
            found = found_in(row["case"], part)
            if len(found) != 1:
                return f"the case has {len(found)} values of {TITLES[part]}"
            readings[part] = found[0]
        was = [class_of(part, reading.value) for part, reading in readings.items()]
        if set(was) == {class_}:
            return f"the value is of class {class_} already"
        values = {part: _value(row["item_id"], part, arm) for part in parts}
        done = [_said(part, reading, values[part]) for part, reading in readings.items()]
        return {
            "case": set_to(row["case"], [(readings[part], values[part]) for part in parts]),
            "severity": abs(class_) - max(map(abs, was)),
            "change": "; ".join(done),
        }

    return changed_items(items, moved, {"severity": pl.Int64()})


def _said(part: str, reading: Reading, value: float) -> str:
    unit = reading.places[0][2]
    return (
        f"{TITLES[part]}: {written(reading.value, unit)} → {written(value, unit)}"
        + f" °{unit}" * bool(unit)
    )


def _value(item: str, vital: str, arm: Mapping[str, Any]) -> float:
    """A value of the class, rounded as it is written."""
    low, high = CLASSES[vital][arm["class"]]
    digits = 1 if vital == "temperature" else 0
    if arm["draw"] == "middle":
        return round((low + high) / 2, digits)
    drawn = hashlib.sha256(f"{arm['seed']}:{item}:{vital}".encode()).digest()
    steps = round((high - low) * 10**digits)
    return float(round(low + int.from_bytes(drawn[:8]) % (steps + 1) / 10**digits, digits))
