"""What is kept of an item besides its case: the right class, and what human raters say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...data.columns import mapped, of
from ...errors import InputError

# Shares are written with few digits.
_ROUNDING = 0.011


def columns(
    raw: pl.DataFrame, ids: pl.Series, keys: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """`reference`, and `human_<id>` of every rater, as ids of classes; those of `distribution`.

    Args:
        raw: rows of the files, as text.
        ids: of the items.
        keys: key `columns` of the data set.
        name: its file, in errors.
    """
    read = {"reference": keys["reference"]["column"]}
    read |= {f"human_{rater['id']}": rater["column"] for rater in keys.get("human", ())}
    values = keys["reference"]["values"]
    found = {
        column: mapped(raw, ids, "reference", source, values, name=name)
        for column, source in read.items()
    }
    return found | distribution(raw, ids, keys, name)


def distribution(
    raw: pl.DataFrame, ids: pl.Series, keys: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """What several raters say: `share_<class>` of every class and `n_raters`, where there are some.

    The shares of an item that fewer than two raters rated are null. `n_raters` is null where the
    data set has shares and not the raters' classes.

    Args:
        raw: see `columns`.
        ids: see there.
        keys: see there.
        name: see there.

    Raises:
        InputError: a rater's class is not mapped, or shares are no shares of one whole.
    """
    given = keys.get("distribution")
    if given is None:
        return {}
    if "shares" in given:
        shares = _shares(raw, ids, given["shares"], name)
        return shares | {"n_raters": pl.Series([None] * raw.height, dtype=pl.Int64)}
    values = keys["reference"]["values"]
    rated = pl.DataFrame(
        [
            mapped(raw, ids, "reference", source, values, name=name, gaps=True).alias(source)
            for source in given["raters"]
        ]
    )
    n = rated.select(pl.sum_horizontal(pl.all().is_not_null())).to_series().cast(pl.Int64)
    # One rater alone agrees with nobody.
    several = n.to_frame("n").select(pl.when(pl.col("n") > 1).then(pl.col("n"))).to_series()
    return {
        **{
            f"share_{class_}": rated.select(
                pl.sum_horizontal((pl.all() == class_).fill_null(value=False))
            ).to_series()
            / several
            for class_ in dict.fromkeys(values.values())
        },
        "n_raters": n,
    }


def _shares(
    raw: pl.DataFrame, ids: pl.Series, columns_of: Mapping[str, str], name: str
) -> dict[str, pl.Series]:
    key = "`columns.distribution.shares`"
    read = {class_: of(raw, column) for class_, column in columns_of.items()}
    numbers = {class_: given.cast(pl.Float64, strict=False) for class_, given in read.items()}
    for place, item in enumerate(ids):
        texts = [given[place] for given in read.values()]
        if texts == [None] * len(texts):
            continue
        of_item = [given[place] for given in numbers.values()]
        for column, text, value in zip(columns_of.values(), texts, of_item, strict=True):
            if value is None or not 0 <= value <= 1:
                shown = "nothing" if text is None else repr(text)
                raise InputError(
                    f"{name}: item {item} has {shown} in column {column!r}, which is no share of "
                    f"raters (key {key}); write a number from 0 to 1"
                )
        if abs(sum(of_item) - 1) > _ROUNDING:
            raise InputError(
                f"{name}: the shares of item {item} add up to {sum(of_item):g} (key {key}), and "
                "not to 1; mend them, or leave all of them empty"
            )
    total = sum(numbers.values(), start=pl.Series([0.0] * raw.height))
    return {f"share_{class_}": given / total for class_, given in numbers.items()}
