"""An archive held against its own description."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import files
from ..study.study import Study
from . import crate
from .verification import Findings


def check_sums(theirs: Path, names: list[str], findings: Findings) -> None:
    """Compare every file with its SHA-256 in the description of the archive."""
    expected = crate.checksums(crate.read_untrusted(theirs / crate.CRATE, crate.CRATE))
    for name in sorted({*names, *expected} - {crate.CRATE}):
        told: str | None = None
        if name not in expected:
            told = f"{name} is in the archive, but not in {crate.CRATE}"
        elif name not in names:
            told = f"{name} is in {crate.CRATE}, but not in the archive"
        elif files.sha256_file(theirs / name) != expected[name]:
            told = f"{name} has another SHA-256 than {crate.CRATE} says: it was changed"
        findings.agree("checksums of files", told)


def check_description(theirs: Path, study: Study, names: Iterable[str], findings: Findings) -> None:
    """Compare what the archive's description says beside the SHA-256 of files."""
    described = entities(crate.read_untrusted(theirs / crate.CRATE, crate.CRATE))
    provenance = crate.read_untrusted(theirs / crate.PROVENANCE, crate.PROVENANCE)
    sums = {}
    for name in sorted(set(names) - {crate.CRATE}):
        sums[name] = ((theirs / name).stat().st_size, files.sha256_file(theirs / name))
    try:
        expected = entities(json.loads(crate.describe(study, provenance, sums)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        findings.agree(
            "description of the archive",
            f"{crate.PROVENANCE} does not say what a description is made of ({error!r})",
        )
        return
    for id_ in sorted({*expected, *described}):
        one, other = described.get(id_), expected.get(id_)
        # Files that are not on both sides, or have other bytes, are told already.
        if "File" in str((one or other or {}).get("@type")) and (
            one is None or other is None or one.get("sha256") != other.get("sha256")
        ):
            continue
        told = None if one == other else f"{crate.CRATE}: {id_} is not as the study describes it"
        findings.agree("description of the archive", told)


def entities(description: Any) -> dict[str, dict[str, Any]]:
    """What a description of an archive describes, by its id."""
    found = {str(entity.get("@id")): dict(entity) for entity in description["@graph"]}
    # It says by which version of the format and the library it was made.
    found.pop(crate.CRATE, None)
    for entity in found.values():
        # The list of all files.
        entity.pop("hasPart", None)
    return found
