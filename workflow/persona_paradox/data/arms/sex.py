"""The patient's sex, in the words of the other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..changes import changed_items
from ..patients import goes_with_sex, sex_of, with_sex


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Put words for the patient into the other sex; see `changes`.

    Args:
        items: of the base's data set, with cases made of fields or of text.
        arm: `sex`, female or male. A case whose words are of both sexes is left, as one cannot
            tell which are the patient's; so is one with content that goes with one sex, in its
            text or its options.
    """
    sex = arm["sex"]

    def of(row: dict[str, Any]) -> dict[str, Any] | str:
        options = list(row.get("options") or ())
        words = " \n ".join([row["case"], *options])
        was = sex_of(words)
        if was is None:
            return "the case has words of both sexes, or of none"
        if was == sex:
            return f"the patient is {sex} already"
        if bound := goes_with_sex(words):
            return f"the case has content that goes with one sex ({bound.lower()})"
        new = {"case": with_sex(row["case"], sex), "change": f"{was} → {sex}"}
        return new | ({"options": [with_sex(one, sex) for one in options]} if options else {})

    return changed_items(items, of)
