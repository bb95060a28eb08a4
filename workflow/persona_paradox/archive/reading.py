"""What stands in an archive of somebody else, as far as it can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from .. import files
from ..engine.responses import SCHEMA, engine_of
from ..errors import InputError
from ..prompting import delivery
from ..study.inventory import Answered, answered, derived, restricted_tasks
from ..study.provenance import study_of
from ..study.study import Study
from ..version import VERSION
from . import crate
from .project_copy import Copy, one_sentence
from .verification import UNREADABLE
from .withholding import is_withheld


def read_study(theirs: Path) -> Study:
    """The study that an archive is about; Snakemake checks it when it reads the copy.

    Raises:
        InputError: there is none, or another release made the archive, whose files are others.
    """
    provenance = crate.read_untrusted(theirs / crate.PROVENANCE, crate.PROVENANCE)
    found = release_of(provenance)
    if found not in (None, release(VERSION)):
        raise InputError(
            f"the archive was made by version {found} of this project, which wrote other files "
            f"than version {VERSION}; verify it with release {found}.x"
        )
    with one_sentence():
        study = study_of(provenance["configuration"])
        # What the names of files are made of.
        list(answered(study)), list(derived(study)), restricted_tasks(study), study.tables
    return study


def release_of(provenance: Any) -> str | None:
    """The release that made an archive, such as "0.2"; None where its provenance says nothing."""
    if not isinstance(provenance, dict) or "configuration" not in provenance:
        return None
    # Release 0.1 did not write it down.
    return release(str(provenance.get("version", "0.1.0")))


def release(version: str) -> str | None:
    """The part of a version by which releases are told that read each other's archives."""
    found = re.match(r"\d{1,4}\.\d{1,4}(?=\.\d)", version)
    return found[0] if found else None


def withheld(copy: Copy) -> dict[Answered, pl.DataFrame]:
    """Files of answers of which texts are withheld, and which: key columns of their rows."""
    tasks = restricted_tasks(copy.study)
    found = {}
    for file in answered(copy.study):
        rows = read(copy, file).filter(is_withheld("text")) if file.task in tasks else None
        if rows is not None and not rows.is_empty():
            # Verdicts on drawn answers may be drawn themselves or not.
            judged = file.path.startswith("results/verdicts/")
            found[file] = rows.select("item_id", "variant", *([] if judged else ["repeat"]))
    return found


def read(copy: Copy, file: Answered) -> pl.DataFrame:
    """Answers of the archive."""
    return read_as(copy, file.path, "answers", SCHEMA)


def read_delivered(copy: Copy, file: Answered) -> pl.DataFrame:
    """What models read, as the archive says."""
    table = read_as(copy, file.delivered, "prompts", delivery.SCHEMA)
    if table["text"].null_count():
        raise InputError(f"{file.delivered} of the archive has prompts without a text")
    return table


def read_as(copy: Copy, name: str, what: str, schema: Mapping[str, Any]) -> pl.DataFrame:
    """A table of the archive that has the columns of `schema`."""
    try:
        table = pl.read_parquet(copy.theirs / name)
    except UNREADABLE as error:
        raise InputError(
            f"{name} of the archive is missing or no table of {what} "
            f"({type(error).__name__}); nothing can be computed from it"
        ) from error
    if table.schema != pl.Schema(schema):
        raise InputError(
            f"{name} of the archive has other columns than {what} have; nothing can be "
            "computed from it"
        )
    return table


def sha256_in(copy: Copy, manifest: str) -> str | None:
    """The SHA-256 that a manifest of the archive gives; None where it gives none."""
    found = crate.read_untrusted(copy.theirs / manifest, manifest)
    value = found.get("sha256") if isinstance(found, dict) else None
    return value if isinstance(value, str) else None


def engine_there(copy: Copy, file: Answered) -> tuple[dict[str, Any], str] | None:
    """What computed a file of the archive, as it says, and the fingerprint; None if it does not."""
    try:
        found = engine_of(copy.theirs / file.path)
        if isinstance(found, dict):
            return found, files.sha256_bytes(files.canonical_json(found).encode())
    except (*UNREADABLE, RecursionError):
        pass
    return None
