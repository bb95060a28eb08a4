"""Answers whose worth is known beforehand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import polars as pl

from ..errors import InputError

# Columns of the files of keys `sanity` and `injections`.
SANITY = ("id", "question", "safer", "unsafe")
CLASSES = ("id", "question", "answer")
# What the answers of key `sanity_classes` are called, whose classes alone are asked for.
OF_CLASSES = "class"
INJECTIONS = ("id", "question", "answer", "injection")
# And of key `criteria.sanity`.
CRITERIA_CHECKS = ("id", "question", "criterion", "met", "unmet")
# And of key `authors`.
AUTHORS = ("id", "persona", "question", "answer")


def read_checks(path: Path, columns: Sequence[str], name: str) -> pl.DataFrame:
    """Read a file of sanity pairs or of injections.

    Args:
        path: CSV file, UTF-8.
        columns: that it must have.
        name: file and key of the judge, named in errors.

    Raises:
        InputError: the file cannot be read, lacks a column, or has an empty field, an id twice, or
            two answers that are the same.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{name} names {path}, which cannot be read as CSV ({reason}); mend the file or the key"
        ) from error
    for column in columns:
        if column not in table.columns:
            raise InputError(f"{name} names {path}, which has no column {column!r}; add it")
    if table.is_empty():
        raise InputError(f"{name} names {path}, which has no rows; write some, or take the key out")
    for column in columns:
        empty = table.filter(pl.col(column).is_null() | (pl.col(column).str.strip_chars() == ""))
        if empty.height and column == "id":
            raise InputError(f"{name} names {path}, where a row has no id; write it")
        if empty.height:
            raise InputError(
                f"{name} names {path}, where id {empty.item(0, 'id')!r} has nothing in column "
                f"{column!r}; write it or remove the row"
            )
    twice = table.filter(pl.col("id").is_duplicated())
    if twice.height:
        raise InputError(
            f"{name} names {path}, which has the id {twice.item(0, 'id')!r} twice; rename one"
        )
    one, other = columns[-2:]
    same = table.filter(pl.col(one).str.strip_chars() == pl.col(other).str.strip_chars())
    if same.height:
        raise InputError(
            f"{name} names {path}, where id {same.item(0, 'id')!r} has the same text in columns "
            f"{one!r} and {other!r}; mend one or remove the row"
        )
    return table


def criteria_checks(path: Path, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answers of which it is known whether they meet a criterion.

    Args:
        path: CSV file of `CRITERIA_CHECKS`.
        name: the judge's file, named in errors.

    Returns:
        The answers in the form of `questioned`, whose `variant` is `met` or `unmet`; and their
        criteria in the form of `data.criteria.each_criterion`.
    """
    table = read_checks(path, CRITERIA_CHECKS, f"{name}: key `criteria.sanity`")
    answers = pl.concat(
        table.select(
            item_id="id",
            variant=pl.lit(column),
            repeat=pl.lit(0, dtype=pl.Int64),
            question="question",
            text=column,
        )
        for column in CRITERIA_CHECKS[-2:]
    )
    criteria = table.select(
        item_id="id",
        number=pl.lit(1, dtype=pl.Int64),
        criterion="criterion",
        points=pl.lit(1.0),
        tags=pl.lit([], dtype=pl.List(pl.String)),
    )
    return answers, criteria


def read_classes(
    path: Path, classes: Mapping[str, Sequence[str]], judge: str
) -> dict[str, dict[str, int]]:
    """Read which classes the answers of a file plainly are of.

    Args:
        path: CSV file, UTF-8.
        classes: dimension → its classes.
        judge: file of the judge, named in errors.

    Returns:
        Dimension → id of the answer → number of the class, 1 on.

    Raises:
        InputError: as for `read_checks`, or the file names a class that there is not.
    """
    name = f"{judge}: key `sanity_classes`"
    table = read_checks(path, ("id", *classes, *CLASSES[1:]), name)
    found = {}
    for dimension, known in classes.items():
        odd = table.filter(~pl.col(dimension).is_in(list(known)))
        if odd.height:
            raise InputError(
                f"{name} names {path}, where id {odd.item(0, 'id')!r} has "
                f"{odd.item(0, dimension)!r} in column {dimension!r}; write one of "
                f"{', '.join(known)}"
            )
        rows = table.select("id", dimension).iter_rows()
        found[dimension] = {id_: list(known).index(one) + 1 for id_, one in rows}
    return found


def class_answers(path: Path | None, judge: str) -> pl.DataFrame:
    """The answers of key `sanity_classes` in the form of `questioned`; none without a file."""
    name = f"{judge}: key `sanity_classes`"
    empty = pl.DataFrame(schema=dict.fromkeys(CLASSES, pl.String))
    table = empty if path is None else read_checks(path, CLASSES, name)
    return table.select(
        item_id="id",
        variant=pl.lit(OF_CLASSES),
        repeat=pl.lit(0, dtype=pl.Int64),
        question="question",
        text="answer",
    )


def checks_of(
    sanity: Path | None, injections: Path | None, judge: str
) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """The tables of both files, None for a file that there is not; `judge` is named in errors."""
    return (
        None if sanity is None else read_checks(sanity, SANITY, f"{judge}: key `sanity`"),
        None
        if injections is None
        else read_checks(injections, INJECTIONS, f"{judge}: key `injections`"),
    )


def authors_of(path: Path | None, judge: str, known: Collection[str]) -> pl.DataFrame:
    """The answers of known authors in the form of `questioned`; `variant` is the author.

    Args:
        path: CSV file; None for none.
        judge: its file, in errors.
        known: ids of the study's personas: an answer of another one is left out.

    Raises:
        InputError: as `read_checks`, or there is no answer of a persona of the study.
    """
    if path is None:
        return check_answers(None, None)
    name = f"{judge}: key `authors`"
    table = read_checks(path, AUTHORS, name).filter(pl.col("persona").is_in(list(known)))
    if table.is_empty():
        raise InputError(
            f"{name} names {path}, which has no answer of a persona of the study in column "
            "'persona'; add some, or set the key to null"
        )
    return table.select(
        item_id="id",
        variant="persona",
        repeat=pl.lit(0, dtype=pl.Int64),
        question="question",
        text="answer",
    )


def check_pairs(sanity: pl.DataFrame | None) -> pl.DataFrame:
    """Sanity pairs in the form of `paired`, the safer answer first; none without a file."""
    if sanity is None:
        sanity = pl.DataFrame(schema=dict.fromkeys(SANITY, pl.String))
    return sanity.select(item_id="id", question="question", text="safer", text_other="unsafe")


def check_answers(sanity: pl.DataFrame | None, injections: pl.DataFrame | None) -> pl.DataFrame:
    """The answers of both files in the form of `questioned`; `variant` says which one it is."""
    empty = pl.DataFrame(schema=dict.fromkeys((*SANITY, *INJECTIONS), pl.String))
    found = [(sanity, SANITY[2:]), (injections, INJECTIONS[2:]), (empty, SANITY[2:])]
    return pl.concat(
        table.select(
            item_id="id",
            variant=pl.lit(column),
            repeat=pl.lit(0, dtype=pl.Int64),
            question="question",
            text=column,
        )
        for table, columns in found
        if table is not None
        for column in columns
    )
