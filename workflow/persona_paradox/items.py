"""Data sets: from the file of a source to one row per item."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from .errors import InputError

# Ids of null cases begin so, and no others.
NULL_CASE = "null:"

# Harm of full compliance with a question, from none to high, as in CARES (Chen et al. 2025).
HARM_LEVELS = ("0", "1", "2", "3")


def null_cases(texts: Sequence[str]) -> pl.DataFrame:
    """Cases without content, which show what a model answers anyway: `item_id` and `case`."""
    ids = [f"{NULL_CASE}{number}" for number in range(1, len(texts) + 1)]
    return pl.DataFrame(
        {"item_id": ids, "case": list(texts)}, schema={"item_id": pl.String, "case": pl.String}
    )


def is_null_case() -> pl.Expr:
    """Whether a row is about a null case, by its `item_id`."""
    return pl.col("item_id").str.starts_with(NULL_CASE)


def read_items(path: Path, reading: Mapping[str, Any], name: str) -> pl.DataFrame:
    """Read a data set.

    Args:
        path: the file as it came from its source.
        reading: the data set's view: `format`, `columns`, `levels`.
        name: the configuration file, named in errors.

    Returns:
        One row per item, in the order of the file: `item_id`, `case`, `reference` (id of
        the level), `excluded` (null, or why no model sees the item), `human_<id>` for every
        human rater, and the columns of `keep` as text. Questions have no reference and no
        raters, but `category` and `harm_level` (0 to 3, null where there is none).

    Raises:
        InputError: one sentence with the row, the key and the remedy.
    """
    raw = _read_raw(path, reading["format"], name)
    columns = reading["columns"]
    _check_columns(raw.columns, columns, name)
    if raw.is_empty():
        raise InputError(f"{name}: the file of key `source` has no items; write some, or mend it")
    raw = _blank_missing(raw, reading["format"]["missing"], name)
    item_id = columns["item_id"]
    if "column" in item_id:
        ids = raw.get_column(item_id["column"])
        key = "columns.item_id.column"
    else:
        width = len(str(raw.height))
        numbers = range(1, raw.height + 1)
        ids = pl.Series([f"{item_id['prefix']}{number:0{width}d}" for number in numbers])
        key = "columns.item_id.prefix"
    _check_ids(ids, key, name)
    cases = [_case(row, columns["case"]) for row in raw.iter_rows(named=True)]
    items = pl.DataFrame(
        {
            "item_id": ids,
            "case": [text for text, _ in cases],
            **_references(raw, ids, columns, name),
            "excluded": [why for _, why in cases],
        },
        schema_overrides={"item_id": pl.String, "case": pl.String, "excluded": pl.String},
    )
    for rater in columns.get("human", ()):
        values = columns["reference"]["values"]
        level = _mapped(raw, ids, "reference", rater["column"], values, name=name)
        items = items.with_columns(level.alias(f"human_{rater['id']}"))
    for column in columns["keep"]:
        items = items.with_columns(raw.get_column(column).alias(column))
    _check_cases(items, columns["case"], name)
    return items


def _read_raw(path: Path, form: Mapping[str, Any], name: str) -> pl.DataFrame:
    """The file as a table of text: what a value means is for the configuration to say."""
    try:
        if form["kind"] == "csv":
            text = path.read_bytes().decode(form["encoding"])
            raw = pl.read_csv(text.encode(), separator=form["separator"], infer_schema=False)
        elif form["kind"] == "jsonl":
            raw = pl.read_ndjson(path, infer_schema_length=None)
        else:
            raw = pl.read_parquet(path)
        return raw.with_columns(pl.all().cast(pl.String))
    # Of some damaged Parquet files polars says so by a panic.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{name}: the file of key `source` cannot be read as {form['kind']} ({reason}); "
            "mend the file or key `format`"
        ) from error


def _check_columns(found: list[str], columns: Mapping[str, Any], name: str) -> None:
    case = columns["case"]
    needed = {
        "item_id.column": [columns["item_id"].get("column")],
        **{
            f"{key}.column": [columns[key]["column"]]
            for key in ("reference", "category")
            if key in columns
        },
        "harm_level": [columns.get("harm_level")],
        "case": [case["column"]] if "column" in case else [f["column"] for f in case["fields"]],
        "keep": columns["keep"],
        "human": [rater["column"] for rater in columns.get("human", ())],
        "never_shown": columns["never_shown"],
    }
    for key, names in needed.items():
        for column in names:
            if column is not None and column not in found:
                raise InputError(
                    f"{name}: key `columns.{key}` names {column!r}, which the file does not have; "
                    f"its columns are {', '.join(found)}"
                )


def _blank_missing(raw: pl.DataFrame, patterns: list[str], name: str) -> pl.DataFrame:
    value = pl.all().str.strip_chars()
    raw = raw.with_columns(pl.when(value != "").then(value))
    for pattern in patterns:
        found = pl.all().str.contains(pattern)
        try:
            raw = raw.with_columns(pl.when(~found).then(pl.all()))
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"{name}: key `format.missing` has {pattern!r}, which is no regular expression "
                f"({' '.join(str(error).split())}); mend it"
            ) from error
    return raw


def _check_ids(ids: pl.Series, key: str, name: str) -> None:
    if ids.null_count():
        row = ids.is_null().arg_true()[0] + 1
        raise InputError(f"{name}: item {row} has no id (key `{key}`); give it one")
    twice = ids.filter(ids.is_duplicated())
    if len(twice):
        raise InputError(
            f"{name}: the id {twice[0]!r} stands more than once (key `{key}`); make ids unique"
        )
    taken = ids.filter(ids.str.starts_with(NULL_CASE))
    if len(taken):
        raise InputError(
            f"{name}: the id {taken[0]!r} begins with {NULL_CASE!r}, as those of cases without "
            f"content do (key `{key}`); rename it"
        )


def _references(
    raw: pl.DataFrame, ids: pl.Series, columns: Mapping[str, Any], name: str
) -> dict[str, pl.Series]:
    """What is known of the items: the reference level, or category and harm level."""
    key = "reference" if "reference" in columns else "category"
    values = columns[key]["values"]
    found = {key: _mapped(raw, ids, key, columns[key]["column"], values, name=name)}
    if key == "category":
        found["harm_level"] = pl.Series([None] * raw.height, dtype=pl.Int64)
        if columns["harm_level"] is not None:
            found["harm_level"] = _harm_levels(raw.get_column(columns["harm_level"]), ids, name)
    return found


def _harm_levels(given: pl.Series, ids: pl.Series, name: str) -> pl.Series:
    for item, value in zip(ids, given, strict=True):
        if value not in HARM_LEVELS:
            shown = "nothing" if value is None else repr(value)
            raise InputError(
                f"{name}: item {item} has {shown} in the column of key `columns.harm_level`; "
                f"write one of {', '.join(HARM_LEVELS)}"
            )
    return given.cast(pl.Int64)


def _mapped(
    raw: pl.DataFrame,
    ids: pl.Series,
    key: str,
    column: str,
    values: Mapping[str, str],
    *,
    name: str,
) -> pl.Series:
    given = raw.get_column(column)
    for item, value in zip(ids, given, strict=True):
        if value not in values:
            shown = "empty" if value is None else repr(value)
            raise InputError(
                f"{name}: item {item} has {shown} in column {column!r}, which key "
                f"`columns.{key}.values` does not map; the set is {', '.join(values)}"
            )
    return given.replace_strict(dict(values), return_dtype=pl.String)


def _case(row: Mapping[str, str | None], case: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The text of a case and, where no model may see it, the reason."""
    if "column" in case:
        return row[case["column"]], None
    lines = []
    excluded = None
    for field in case["fields"]:
        value = row[field["column"]]
        if value is None and field["required"]:
            excluded = f"{field['label'].lower()} {case['missing']}"
        if value is not None and "values" in field:
            value = field["values"].get(value, value)
        if value is None:
            text = case["missing"]
        else:
            text = f"{_number(value)} {field['unit']}" if "unit" in field else value
        lines.append(f"{field['label']}: {text}")
    return "\n".join(lines), excluded


def _number(value: str) -> str:
    """A recorded number without needless digits (`36.` becomes `36`); anything else unchanged."""
    try:
        return f"{float(value):g}"
    except ValueError:
        return value


def _check_cases(items: pl.DataFrame, case: Mapping[str, Any], name: str) -> None:
    empty = items.filter(pl.col("case").is_null())
    if empty.height:
        raise InputError(
            f"{name}: the case text of item {empty.item(0, 'item_id')} is empty (key "
            f"`columns.case.column`, {case['column']!r}); write it or remove the item"
        )
    if items.filter(pl.col("excluded").is_null()).is_empty():
        raise InputError(f"{name}: no item is left to show to a model; mend key `columns.case`")


def sample(
    items: pl.DataFrame, limit: int | None, seed: int, keeps: Sequence[str] = ()
) -> pl.DataFrame:
    """At most `limit` items, stratified by reference or category, in the order of the data set.

    All items of the levels `keeps` are taken, whatever their number. Of what is left of the
    limit every other level gets its share by largest remainder, and at least one item where
    there is room. Categories of questions are looked at one by one: each gets as many items as
    another, as far as it has them. Which items are drawn depends on the seed and their ids alone,
    so that an item added elsewhere seldom changes the draw.

    Raises:
        InputError: the levels `keeps` alone have more items than `limit`.
    """
    if limit is None or items.height <= limit:
        return items
    stratum = "reference" if "reference" in items.columns else "category"
    sizes = dict(items.group_by(stratum).len().sort(stratum).iter_rows())
    whole = {level: sizes.pop(level) for level in keeps if level in sizes}
    room = limit - sum(whole.values())
    if room < 0:
        raise InputError(
            f"key `limit` of the study is {limit}, but the levels of key `limit_keeps` have "
            f"{limit - room} items; raise `limit` or keep fewer levels"
        )
    total, n_strata = sum(sizes.values()), len(sizes)
    weights = {
        level: 1 / n_strata if stratum == "category" else size / total
        for level, size in sizes.items()
    }
    take = whole | _shares(sizes, weights, room)
    ranked = items.with_row_index("row").with_columns(
        rank=pl.col("item_id").map_elements(
            lambda id_: hashlib.sha256(f"{seed}:{id_}".encode()).hexdigest(),
            return_dtype=pl.String,
        )
    )
    drawn = [
        ranked.filter(pl.col(stratum) == level).sort("rank").head(number)
        for level, number in take.items()
    ]
    return pl.concat(drawn).sort("row").drop("row", "rank")


def _shares(sizes: Mapping[str, int], weights: Mapping[str, float], room: int) -> dict[str, int]:
    """How many of `room` items every level gets: by largest remainder, at least one if it can."""
    quota = {level: room * weight for level, weight in weights.items()}
    take = {level: min(sizes[level], int(share)) for level, share in quota.items()}
    if room >= len(sizes):
        take = {level: max(1, number) for level, number in take.items()}
    by_remainder = sorted(quota, key=lambda level: (take[level] - quota[level], level))
    while sum(take.values()) < min(room, sum(sizes.values())):
        level = min(
            (v for v in by_remainder if take[v] < sizes[v]), key=lambda v: take[v] - quota[v]
        )
        take[level] += 1
    while sum(take.values()) > room:
        level = max(by_remainder, key=lambda v: (take[v] - quota[v]) if take[v] > 1 else -1)
        take[level] -= 1
    return take
