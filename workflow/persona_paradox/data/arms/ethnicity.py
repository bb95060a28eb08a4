"""A word for the patient's ethnicity, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import with_cases
from ..patients import age_of, speaks_of_ethnicity, without_ethnicity


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put `word` behind the patient's age, in the place of any other; see `changes`.

    Args:
        items: of the base's data set, with cases made of fields or of text.
        arm: `word`, null to leave out what is said. A case whose age is no adjective gets none,
            but one that is made of fields a field more, behind the age.
    """
    word = arm["word"]

    def said(row: dict[str, Any]) -> tuple[str, str] | str:
        case, found = without_ethnicity(row["case"])
        if speaks_of_ethnicity(case):
            return "the case speaks of ethnicity in other words"
        if word is None:
            return (case, f"{found[0]} → none") if found else "no ethnicity is said already"
        age = age_of(case)
        if isinstance(age, str):
            return age
        if age.behind is not None:
            new = case[: age.behind] + word + " " + case[age.behind :]
        elif age.line is not None:
            new = case[: age.line] + f"\nEthnicity: {word}" + case[age.line :]
        else:
            return "the age is not before a word for the patient"
        if new == row["case"]:
            return f"the patient is {word} already"
        return new, f"{found[0] if found else 'none'} → {word}"

    return with_cases(items, said)
