"""Data sets: from the file of a source to one row per item."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from ..errors import InputError
from ..files import sources_of
from ..names import CRITERIA, NULL_CASE
from .columns import ID as _ID
from .columns import of
from .criteria import checked
from .dialogue import turns_of
from .places import TURNS
from .records import read_records
from .rows import DataFile, Wanted
from .split_rows import part_of
from .values import NoTextError


def null_cases(texts: Sequence[str]) -> pl.DataFrame:
    """Cases without content, which show what a model answers anyway: `item_id` and `case`."""
    ids = [f"{NULL_CASE}{number}" for number in range(1, len(texts) + 1)]
    return pl.DataFrame(
        {"item_id": ids, "case": list(texts)}, schema={"item_id": pl.String, "case": pl.String}
    )


def is_null_case() -> pl.Expr:
    """Whether a row is about a null case, by its `item_id`."""
    return pl.col("item_id").str.starts_with(NULL_CASE)


# What a kind keeps of items: rows as text, their ids, key `columns` and the file's name in errors →
# columns by name.
Own = Callable[[pl.DataFrame, pl.Series, Mapping[str, Any], str], dict[str, pl.Series]]

# The items that a kind makes of the rows of a file: rows as text with their ids (`columns.ID`), key
# `columns` and the file's name in errors → such rows.
Made = Callable[[pl.DataFrame, Mapping[str, Any], str], pl.DataFrame]


def read_items(
    paths: Sequence[Path],
    reading: Mapping[str, Any],
    name: str,
    own: Own | None = None,
    made: Made | None = None,
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Read a data set.

    Args:
        paths: the files as they came from their sources, in their order.
        reading: the data set's view: `source`, `format`, `columns` and, where it has them, `where`
            and `training` (see `split.part_of`).
        name: the configuration file, named in errors.
        own: `items.columns` of the kind of the tasks that read it, if it has any.
        made: `items.rows` of that kind, if it has any; else every row is an item.

    Returns:
        One row per item, in the order of the files: `item_id`, `case`, those of the kind,
        `excluded` (null, or why no model sees the item), the columns of `keep` as text, and
        perhaps `criteria` (see `criteria.criteria_of`) and `turns` (see `dialogue`).

        The numbers of rows: `read`, `empty` of these and passed over, `kept` by `where`.

    Raises:
        InputError: one sentence with the row, the key and the remedy.
    """
    columns, where = reading["columns"], reading.get("where", {})
    raw, wrong, empty = _read_raw(paths, reading, name)
    if raw.is_empty():
        raise InputError(f"{name}: the file of key `source` has no items; write some, or mend it")
    raw = _blank_missing(raw, reading["format"]["missing"], name)
    _check_values(raw, wrong, where, name)
    raw = _kept(_with_ids(raw, columns["item_id"]), where, name)
    rows = {"read": len(wrong) + empty, "empty": empty, "kept": raw.height}
    raw = part_of(raw, reading.get("training"), name)
    used = [column for column, key in _keys(columns).items() if key != _NEVER_SHOWN]
    _check_values(raw, wrong, used, name)
    _check_ids(raw, columns["item_id"], name)
    raw = made(raw, columns, name) if made else raw
    ids = of(raw, _ID)
    raw = _with_numbers(raw, reading, name)
    cases = [_case(row, columns["case"], name) for row in raw.iter_rows(named=True)]
    kept = own(raw, ids, columns, name) if own else {}
    # A kind may have reasons of its own.
    reasons = kept.pop("excluded", pl.Series([None] * raw.height, dtype=pl.String)).to_list()
    items = pl.DataFrame(
        {
            "item_id": ids,
            "case": [text for text, _ in cases],
            **kept,
            "excluded": [why or other for (_, why), other in zip(cases, reasons, strict=True)],
        },
        schema_overrides={"item_id": pl.String, "case": pl.String, "excluded": pl.String},
    )
    for column in columns["keep"]:
        items = items.with_columns(of(raw, column).alias(column))
    if (rubric := columns.get(CRITERIA)) is not None:
        given = checked(of(raw, rubric), ids, rubric, name)
        items = items.with_columns(given.alias(CRITERIA))
    if (spoken := columns.get(TURNS)) is not None:
        turns = turns_of(of(raw, spoken), ids, spoken, name)
        items = items.with_columns(turns.alias(TURNS))
    if all(reasons):
        ((why, n),) = Counter(reasons).most_common(1)
        raise InputError(
            f"{name}: no item can be shown to a model, {n} of {raw.height} since {why}; mend key "
            "`columns`, or the file"
        )
    _check_cases(items, columns["case"], name)
    return items, rows


# Columns of rows beside those of their file: what an error calls a row, its place among the rows
# of all files (from 0), and the item's id. No column of a file has such a name.
_ROW, _NUMBER = "\0row", "\0number"


_NEVER_SHOWN = "columns.never_shown"


def _keys(columns: Mapping[str, Any]) -> dict[str, str]:
    """Column that is read → the key of a data set's file that names it."""
    found = dict.fromkeys(columns["never_shown"], _NEVER_SHOWN)
    found |= dict.fromkeys(columns["keep"], "columns.keep")
    for key, value in columns.items():
        if isinstance(value, list) and key not in ("never_shown", "keep"):
            found |= {one["column"]: f"columns.{key}" for one in value}
    found |= dict.fromkeys(shown_columns(columns["case"]), "columns.case")
    named = {k: v for k, v in columns.items() if k != "case"}
    found |= {value: f"columns.{k}" for k, value in named.items() if isinstance(value, str)}
    for key, value in named.items():
        for part in ("column", *_OF_SEVERAL) if isinstance(value, dict) else ():
            several = value.get(part, [])
            several = [*several.values()] if isinstance(several, dict) else several
            for column in [several] if isinstance(several, str) else several:
                found[column] = f"columns.{key}.{part}"
    return found


# Keys of a mapping below `columns` that name columns, beside `column`.
_OF_SEVERAL = ("columns", "right", "wrong", "raters", "shares")


def shown_columns(case: Mapping[str, Any]) -> list[str]:
    """The columns that a case shows."""
    return [case["column"]] if "column" in case else [f["column"] for f in case["fields"]]


def _read_raw(
    paths: Sequence[Path], reading: Mapping[str, Any], name: str
) -> tuple[pl.DataFrame, list[dict[str, NoTextError]], int]:
    """The rows of all files as text: what a value means is for the configuration to say.

    Returns:
        The rows; for every row, column → why its value is none; the number of empty rows.
    """
    form, columns = reading["format"], reading["columns"]
    keys = {column: f"where.{column}" for column in reading.get("where", {})} | _keys(columns)
    of_file = form.get("file_column")
    mappings = [value for key, value in columns.items() if key != "case"]
    coded = [value for value in mappings if isinstance(value, dict) and "values" in value]
    # A key that may name several options may be a list.
    lists = {
        value["column"]
        for value in mappings
        if isinstance(value, dict) and {"column", "form"} <= {*value}
    }
    of_lists = filter(None, [columns.get(CRITERIA), columns.get(TURNS)])
    wanted = Wanted(
        columns={column: key for column, key in keys.items() if column != of_file},
        nested={*columns["keep"], *columns["never_shown"], *lists, *of_lists},
        codes={
            each["column"]: each["values"].keys() for each in coded if each["column"] != of_file
        },
    )
    tables, wrong, empty = [], [], 0
    sources = sources_of(reading)
    stems = [PurePosixPath(_file_name(source)).stem for source in sources]
    names = file_names(sources)
    if of_file is not None and len(set(stems)) < len(stems):
        same = [one for one, stem in zip(names, stems, strict=True) if stems.count(stem) > 1]
        raise InputError(
            f"{name}: key `format.file_column` asks for the names of files, which are the same of "
            f"{same[0]} and {same[1]}; rename one of them, or take the key out"
        )
    for path, own, stem in zip(paths, names, stems, strict=True):
        file = DataFile(path, name)
        if len(paths) > 1 or of_file is not None:
            file = DataFile(path, name, f"the file {own} of key `source`")
        records = read_records(file, form, wanted)
        if of_file in records.names:
            raise file.error(
                f"has a column {of_file!r} of its own; give key `format.file_column` another name"
            )
        rows = [f"{row} of {own}" if len(paths) > 1 else row for row in records.rows]
        table = pl.DataFrame(
            {_ROW: rows, **records.columns},
            schema=dict.fromkeys([_ROW, *records.columns], pl.String),
        )
        if of_file is not None:
            table = table.with_columns(pl.lit(stem).alias(of_file))
        tables.append(table)
        wrong += [records.wrong.get(place, {}) for place in range(table.height)]
        empty += records.empty
    return pl.concat(tables).with_row_index(_NUMBER), wrong, empty


# Keys of a source that say where its file is, the file itself last.
_PLACES = ("repo", "package", "path", "file", "member", "url")


def file_names(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """What errors call the files of sources: by their names, or whole where two have the same."""
    names = [_file_name(source) for source in sources]
    if len(set(names)) == len(names):
        return names
    return ["/".join(str(one[key]) for key in _PLACES if key in one) for one in sources]


def _file_name(source: Mapping[str, Any]) -> str:
    """The name of a source's file, without its folder."""
    place = str(next(source[key] for key in reversed(_PLACES) if key in source))
    return PurePosixPath(place.partition("?")[0].partition("#")[0]).name


def _blank_missing(raw: pl.DataFrame, patterns: list[str], name: str) -> pl.DataFrame:
    texts = pl.all().exclude(_NUMBER, _ROW)
    raw = raw.with_columns(texts.str.strip_chars())
    raw = raw.with_columns(pl.when(texts != "").then(texts))
    for pattern in patterns:
        try:
            raw = raw.with_columns(pl.when(~texts.str.contains(pattern)).then(texts))
        except pl.exceptions.PolarsError as error:
            if "look-around" in str(error) or "backreferences" in str(error):
                raise InputError(
                    f"{name}: key `format.missing` has {pattern!r}, but neither look-around, such "
                    "as (?=…) and (?!…), nor references to groups are known here; write it without"
                ) from error
            raise InputError(
                f"{name}: key `format.missing` has {pattern!r}, which is no regular expression; "
                "mend it (a backslash before ( [ { ? * + . makes each stand for itself)"
            ) from error
    return raw


def _check_values(
    raw: pl.DataFrame,
    wrong: Sequence[Mapping[str, NoTextError]],
    columns: Collection[str],
    name: str,
) -> None:
    """Check that what stands in some columns can be had as text, or counts as not recorded."""
    if not any(wrong):
        return
    for row in raw.iter_rows(named=True):
        for column, error in wrong[row[_NUMBER]].items():
            if column in columns and (error.text is None or row[column] is not None):
                why = error.why.replace("{column}", column)
                raise InputError(f"{name}: {row[_ROW]}: column {column!r} {why}")


def _with_ids(raw: pl.DataFrame, item_id: Mapping[str, str]) -> pl.DataFrame:
    if "column" in item_id:
        return raw.with_columns(of(raw, item_id["column"]).alias(_ID))
    width = len(str(raw.height))
    ids = [f"{item_id['prefix']}{number:0{width}d}" for number in range(1, raw.height + 1)]
    return raw.with_columns(pl.Series(_ID, ids, dtype=pl.String))


def _kept(raw: pl.DataFrame, where: Mapping[str, Any], name: str) -> pl.DataFrame:
    """The rows that all conditions of key `where` keep."""
    kept = pl.repeat(value=True, n=raw.height, eager=True)
    for column, condition in where.items():
        given = of(raw, column)
        if not isinstance(condition, dict):
            values = _codes(column, condition, given, name)
            kept &= given.is_in(values).fill_null(value=False)
        if isinstance(condition, dict) and "not" in condition:
            values = _codes(column, condition["not"], given, name)
            kept &= ~given.is_in(values).fill_null(value=False)
        if isinstance(condition, dict) and "empty" in condition:
            kept &= given.is_null() == condition["empty"]
    found = raw.filter(kept)
    if found.is_empty():
        raise InputError(f"{name}: key `where` keeps none of the {raw.height} rows; loosen it")
    return found


def _codes(column: str, given: Any, found: pl.Series, name: str) -> list[str]:
    """The values that a condition names, as text."""
    several = given if isinstance(given, list) else [given]
    values = [str(v).lower() if isinstance(v, bool) else str(v) for v in several]
    for value in values:
        if value not in found:
            known = found.drop_nulls().unique(maintain_order=True)
            more = " …" if len(known) > _LISTED else ""
            raise InputError(
                f"{name}: key `where.{column}` names {value!r}, which no row has; the column holds "
                f"{', '.join(map(repr, known.head(_LISTED)))}{more}"
            )
    return values


# Values that an error names.
_LISTED = 10


def _check_ids(raw: pl.DataFrame, item_id: Mapping[str, str], name: str) -> None:
    ids, key = of(raw, _ID), f"columns.item_id.{next(iter(item_id))}"
    if ids.null_count():
        row = raw.filter(pl.col(_ID).is_null()).item(0, _ROW)
        raise InputError(f"{name}: {row} has no id (key `{key}`); give it one")
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


# What programs write where there is no value. To a model it is a word, to a band no number.
_NO_VALUE = (
    r"(?i)^([+-]?(nan|inf|infinity)|nat|<na>|null|\\N|-?1\.#(qnan|snan|ind|inf)\d*"
    r"|#N/A|#NV|#GETTING_DATA|#[^\s\d]\S*[!?])$"
)

# A decimal comma: behind a digit, a sign or nothing, and before a digit.
_COMMA = re.compile(r"(?:(?<=\d)|(?<=[+-])|^),(?=\d)")
# What has points between thousands, which would be read as decimals, or more commas than one.
_THOUSANDS = r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$|\d,\d+,\d"
_PLAIN = r"^[+-]?(\d+[.,]?\d*|[.,]\d+)$"


def _with_numbers(raw: pl.DataFrame, reading: Mapping[str, Any], name: str) -> pl.DataFrame:
    """The rows with decimal points in their numbers, and without what is no value."""
    columns = reading["columns"]
    case = columns["case"]
    fields = [f for f in case.get("fields", ()) if "values" not in f]
    shown = shown_columns(case)
    for column in dict.fromkeys([*shown, *columns["keep"]]):
        odd = raw.filter(of(raw, column).str.contains(_NO_VALUE))
        if odd.height:
            value = of(odd, column)[0]
            raise InputError(
                f"{name}: item {odd.item(0, _ID)} has {value!r} in column {column!r}, which is "
                "what programs write where there is no value; list it in key `format.missing`, or "
                "mend the file"
            )
    if reading["format"].get("decimal") != ",":
        return raw
    numbers = [f["column"] for f in fields if "unit" in f]
    # Of a kept column only where it is one of numbers, and not one of codes such as `1,2`.
    numbers += [c for c in columns["keep"] if of(raw, c).str.contains(_PLAIN).all()]
    for column in dict.fromkeys(numbers):
        values = of(raw, column)
        odd = raw.filter(values.str.contains(_THOUSANDS))
        if odd.height:
            raise InputError(
                f"{name}: item {odd.item(0, _ID)} has {of(odd, column)[0]!r} in column "
                f"{column!r}, in which no comma or point can stand between thousands (key "
                "`format.decimal`); write it without"
            )
        points = [value and _COMMA.sub(".", value) for value in values]
        raw = raw.with_columns(pl.Series(column, points, dtype=pl.String))
    return raw


def _case(
    row: Mapping[str, Any], case: Mapping[str, Any], name: str
) -> tuple[str | None, str | None]:
    """The text of a case and, where no model may see it, the reason."""
    if "column" in case:
        return row[case["column"]], None
    lines = []
    excluded = None
    for field in case["fields"]:
        value = row[field["column"]]
        text = case["missing"]
        if value is None and field["required"]:
            excluded = f"{field['label'].lower()} {text or 'not recorded'}"
        if value is not None:
            text = f"{_number(value)} {field['unit']}" if "unit" in field else value
        if value is not None and "values" in field:
            if value not in field["values"]:
                raise InputError(
                    f"{name}: item {row[_ID]} has {value!r} in column {field['column']!r}, which "
                    f"key `columns.case.fields` does not map in `values` of {field['label']!r}; "
                    f"the set is {', '.join(field['values'])}"
                )
            text = field["values"][value] + (f" {field['unit']}" if "unit" in field else "")
        if text is not None:
            lines.append(f"{field['label']}: {text}")
    return "\n".join(lines) or None, excluded


def _number(value: str) -> str:
    """A recorded value; a whole number without the point behind it (`36.` becomes `36`).

    With more zeros it stays: where points stand between thousands, 150.000 is no 150.
    """
    whole = re.fullmatch(r"([+-]?\d+)\.0?", value)
    return value if whole is None else whole[1]


def _check_cases(items: pl.DataFrame, case: Mapping[str, Any], name: str) -> None:
    empty = items.filter(pl.col("case").is_null())
    if empty.height:
        key = f"columns.case.{'column' if 'column' in case else 'fields'}"
        shown = f", {case['column']!r}" if "column" in case else ""
        raise InputError(
            f"{name}: the case text of item {empty.item(0, 'item_id')} is empty (key `{key}`"
            f"{shown}); write it, or leave the row out by key `where`"
        )
    if items.filter(pl.col("excluded").is_null()).is_empty():
        raise InputError(f"{name}: no item is left to show to a model; mend key `columns.case`")


def sample(
    items: pl.DataFrame,
    limit: int | None,
    seed: int,
    keeps: Sequence[str] = (),
    stratum: str = "reference",
    *,
    evenly: bool = False,
) -> pl.DataFrame:
    """At most `limit` items, stratified by a column, in the order of the data set.

    All items of the strata `keeps` are taken, whatever their number. Of what is left of the
    limit every other stratum gets its share by largest remainder, and at least one item where
    there is room; or, `evenly`, as many items as another, as far as it has them. Which items are
    drawn depends on the seed and their ids alone, so that an item added elsewhere seldom changes
    the draw.

    Raises:
        InputError: the strata `keeps` alone have more items than `limit`.
    """
    if limit is None or items.height <= limit:
        return items
    sizes = dict(items.group_by(stratum).len().sort(stratum).iter_rows())
    whole = {level: sizes.pop(level) for level in keeps if level in sizes}
    room = limit - sum(whole.values())
    if room < 0:
        raise InputError(
            f"key `limit` of the study is {limit}, but the strata of key `limit_keeps` have "
            f"{limit - room} items; raise `limit` or keep fewer of them"
        )
    total, n_strata = sum(sizes.values()), len(sizes)
    weights = {level: 1 / n_strata if evenly else size / total for level, size in sizes.items()}
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
