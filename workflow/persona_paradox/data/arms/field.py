"""A field of a case that is made of fields, set to a value or to what is not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...errors import InputError
from ..changes import with_cases
from ..fields import line_of


def change(items: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
    """Set the field labelled `field` to `value`; see `changes`.

    Args:
        items: of the base's data set.
        arm: `field`; `value`, as it would stand in the file, null for none; and `case`.
    """
    fields = arm["case"].get("fields")
    if fields is None:
        raise InputError(
            "key `rule` is 'field', but the data set's cases are not made of `fields`; use rule "
            "'replace'"
        )
    labels = [field["label"] for field in fields]
    if labels.count(arm["field"]) != 1:
        raise InputError(
            f"key `field` names {arm['field']!r}, which is not the label of one field of the data "
            f"set's cases; use one of {', '.join(labels)}"
        )
    field = fields[labels.index(arm["field"])]
    value = _shown(field, arm["value"], arm["case"]["missing"])
    line = line_of(arm["field"], labels)

    def set_(row: dict[str, Any]) -> tuple[str, str] | str:
        found = list(line.finditer(row["case"]))
        if len(found) != 1:
            return f"the case has {len(found)} fields {field['label']!r}"
        (match,) = found
        if match["value"] == value:
            return f"{field['label']!r} is {value} already"
        before, after = row["case"][: match.start()], row["case"][match.end() :]
        if value is None:
            case = (before + after.removeprefix("\n")).rstrip("\n")
        else:
            case = f"{before}{field['label']}: {value}{after}"
        if not case:
            return "the case has no other field"
        return case, f"{field['label']}: {match['value']} → {value or 'left out'}"

    return with_cases(items, set_)


def _shown(field: Mapping[str, Any], value: str | None, missing: str | None) -> str | None:
    """How a value is shown in a case, None where its line is left out."""
    if value is None:
        return missing
    if "values" in field:
        if value not in field["values"]:
            raise InputError(
                f"key `value` is {value!r}, which the data set does not map in `values` of "
                f"{field['label']!r}; use one of {', '.join(field['values'])}"
            )
        value = field["values"][value]
    return f"{value} {field['unit']}" if "unit" in field else value
