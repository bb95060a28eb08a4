"""Another age of the patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import with_cases
from ..patients import age_of
from ..texts import with_article


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Set every mention of the patient's age to `years`; see `changes`.

    Args:
        items: of the base's data set, with cases made of fields or of text.
        arm: `years`. Cases of children are left.
    """
    years = str(arm["years"])

    def aged(row: dict[str, Any]) -> tuple[str, str] | str:
        case = row["case"]
        age = age_of(case)
        if isinstance(age, str):
            return age
        if age.years == arm["years"]:
            return f"the patient is aged {years} already"
        for start, end in reversed(age.places):
            case = with_article(case[:start], years) + years + case[end:]
        return case, f"{age.years} → {years}"

    return with_cases(items, aged)
