"""Two finished studies beside each other: what was asked, what was answered, what was concluded.

A conclusion is what a rule of the study decides, by each study's own settings: that a test is
significant after its adjustment and in which direction, the verdict of robustness, whether a judge
is usable. Which numbers differ besides is counted. Nothing here tests the difference of the
studies: where answers differ in a few items, a number moves by chance, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import InputError
from . import crate
from .verification import UNREADABLE
from .withholding import MARK, mark

KEYS = ("item_id", "variant", "repeat")
# Table → what a row is about, and the columns that a rule decides.
CONCLUSIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "contrasts": (
        ("model", "task", "persona", "variant", "against", "metric", "confidence"),
        ("shown", "equivalent"),
    ),
    "robustness": (("model", "task", "persona", "metric"), ("verdict",)),
    "judges": (("judge", "model", "task", "question"), ("met",)),
}
# Of a row that is told: what stands beside its conclusion.
_NUMBERS = {"contrasts": "difference", "robustness": "effect"}


@dataclass(frozen=True)
class Finished:
    """A study that has run.

    Attributes:
        name: how it is called.
        folder: has `results/`.
        provenance: what it was made of.
    """

    name: str
    folder: Path
    provenance: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, folder: Path) -> Finished:
        """Read what a study was made of.

        Raises:
            InputError: it has not run to its end, or its provenance is none.
        """
        if not (folder / crate.PROVENANCE).is_file():
            raise InputError(
                f"{name} has no {crate.PROVENANCE}; name the folder of a study that has run, or an "
                "archive that `snakemake results/archive.zip` made"
            )
        try:
            found = crate.read_untrusted(folder / crate.PROVENANCE, crate.PROVENANCE)
        except InputError as error:
            raise InputError(
                f"{name}: {crate.PROVENANCE} is damaged; run that study again, or fetch its "
                "archive again"
            ) from error
        if not isinstance(found, dict) or not isinstance(found.get("configuration"), dict):
            raise InputError(f"{crate.PROVENANCE} of {name} holds no configuration of a study")
        return cls(name, folder, found)

    def cells(self, stage: str) -> dict[str, Path]:
        """Cell → its file of a stage."""
        folder = self.folder / "results" / stage
        found = folder.glob("*/*/*.parquet")
        return {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(found)}

    def table(self, name: str) -> pl.DataFrame | None:
        """A table, where the study has it."""
        path = self.folder / f"results/tables/{name}.parquet"
        return _read(path) if path.is_file() else None

    @property
    def alpha(self) -> float:
        """Level of its tests."""
        try:
            return 1 - float(self.provenance["configuration"]["study"]["statistics"]["confidence"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{crate.PROVENANCE} of {self.name} lacks key `statistics.confidence` of the "
                "study; make it again by running the study"
            ) from error


def compared(one: Finished, other: Finished, most: int) -> Iterator[str]:
    """What differs between two studies, line by line.

    Args:
        one: the study before.
        other: the study after.
        most: lines of a list at most; how many more there are is said.
    """
    yield f"from {one.name} to {other.name}"
    for title, lines in (
        ("configuration", [*_configuration(one, other)]),
        ("answers", [*_answers(one, other)]),
        ("conclusions", [*_conclusions(one, other)]),
    ):
        yield f"{title}:"
        yield from (f"  {line}" for line in lines[:most])
        if len(lines) > most:
            yield f"  and {len(lines) - most} more (--most {len(lines)} tells all)"
        if not lines:
            yield "  nothing differs"


def _configuration(one: Finished, other: Finished) -> Iterator[str]:
    for key in ("version", "git"):
        before, after = one.provenance.get(key), other.provenance.get(key)
        if before != after:
            yield f"{key}: {_shown(before)} → {_shown(after)}"
    before, after = (dict(_leaves(each.provenance["configuration"])) for each in (one, other))
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            yield f"{key}: {_shown(before[key])} → not there"
        elif key not in before:
            yield f"{key}: not there → {_shown(after[key])}"
        elif before[key] != after[key]:
            yield f"{key}: {_shown(before[key])} → {_shown(after[key])}"


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Path → value of everything that is no mapping."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _leaves(part, (*path, str(key)))
    else:
        yield ".".join(path), value


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _answers(one: Finished, other: Finished) -> Iterator[str]:
    """Of every cell the answers that differ; those of both studies are counted together."""
    before, after = one.cells("responses"), other.cells("responses")
    for only, there in ((one, before.keys() - after.keys()), (other, after.keys() - before.keys())):
        if there:
            yield f"cells of {only.name} alone: {len(there)} ({_some(sorted(there))})"
    scores = one.cells("scores"), other.cells("scores")
    for cell in sorted(before.keys() & after.keys()):
        if said := _of_cell(cell, before[cell], after[cell], scores):
            yield said


def _of_cell(
    cell: str, before: Path, after: Path, scores: tuple[dict[str, Path], dict[str, Path]]
) -> str | None:
    """What differs in the answers of a cell; nothing where they are the same."""
    joined = (
        _read(before)
        .select(*KEYS, "text")
        .join(
            _read(after).select(*KEYS, "text"), on=KEYS, how="full", coalesce=True, suffix="_after"
        )
    )
    # An answer may be empty, but a missing one is none.
    both = joined.drop_nulls(["text", "text_after"])
    alone = joined.height - both.height
    # An archive may hold the checksum of a text in its place.
    pairs = both.filter(pl.col("text") != pl.col("text_after")).select("text", "text_after").rows()
    withheld = any(text.startswith(MARK) for pair in pairs for text in pair)
    changed = sum(mark(one) != mark(other) for one, other in pairs) if withheld else len(pairs)
    if not changed and not alone:
        return None
    said = f"{cell}: {changed} of {both.height} answers differ"
    said += f", {alone} are in one study alone" if alone else ""
    paths = [each.get(cell) for each in scores]
    if not all(paths):
        return said
    judged = [_read(path) for path in paths if path]
    if not all("correct" in table.columns for table in judged):
        return said
    lost, gained = _turned(*judged)
    return f"{said}; {lost} right answers turned wrong and {gained} wrong ones right"


def _turned(before: pl.DataFrame, after: pl.DataFrame) -> tuple[int, int]:
    """Answers of both that were right and are wrong, and the other way round."""
    both = before.select(*KEYS, "correct").join(
        after.select(*KEYS, "correct"), on=KEYS, suffix="_after"
    )
    lost = both.filter(pl.col("correct") & ~pl.col("correct_after")).height
    return lost, both.filter(~pl.col("correct") & pl.col("correct_after")).height


def _conclusions(one: Finished, other: Finished) -> Iterator[str]:
    for name, (keys, decided) in CONCLUSIONS.items():
        before, after = (_concluded(each, name) for each in (one, other))
        if before is None or after is None:
            if before is not after:
                yield f"table {name}: only {(one if after is None else other).name} has it"
            continue
        number = [_NUMBERS[name]] if name in _NUMBERS else []
        shared = [key for key in keys if key in before.columns and key in after.columns]
        columns = [*shared, *decided, *number]
        joined = before.select(columns).join(
            after.select(columns), on=shared, how="inner", nulls_equal=True, suffix="_after"
        )
        for row in joined.iter_rows(named=True):
            where = ", ".join(str(row[key]) for key in shared if row[key] is not None)
            moved = "".join(f" ({row[n]:+.3f} → {row[f'{n}_after']:+.3f})" for n in number
                            if None not in (row[n], row[f"{n}_after"]))  # fmt: skip
            for column in decided:
                if row[column] != row[f"{column}_after"]:
                    turned = f"{row[column]} → {row[f'{column}_after']}"
                    yield f"{name}: {where}: {column} {turned}{moved}"
        if number:
            (value,) = number
            differ = pl.col(value).ne_missing(pl.col(f"{value}_after"))
            yield (
                f"{name}: of {joined.height} rows that both studies have, "
                f"{joined.filter(differ).height} have another {value}; "
                f"{before.height - joined.height} rows are of {one.name} alone, "
                f"{after.height - joined.height} of {other.name}"
            )


def _concluded(study: Finished, name: str) -> pl.DataFrame | None:
    """A table with its conclusions: of contrasts the tests, of judges whether each is usable."""
    table = study.table(name)
    if table is not None and name == "judges":
        return table.filter(metric="usable")
    if table is None or name != "contrasts":
        return table
    direction = pl.when(pl.col("difference") > 0).then(pl.lit("more")).otherwise(pl.lit("less"))
    shown = pl.when(pl.col("p_holm") <= study.alpha).then(direction).otherwise(pl.lit("not shown"))
    return table.filter("in_family").with_columns(shown=shown)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except UNREADABLE as error:
        raise InputError(
            f"{path} is no table that can be read ({type(error).__name__}); make it again, or take "
            "a whole archive"
        ) from error


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
