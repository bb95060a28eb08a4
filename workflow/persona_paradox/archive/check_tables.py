"""What follows from the answers of an archive, made again and compared."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from .. import files
from ..errors import InputError
from ..study.inventory import (
    CODE,
    Answered,
    code_files,
    derived,
    prompted,
    read,
    restricted,
    study_files,
)
from ..study.raters import word_answers
from ..study.study import Study
from . import crate
from .project_copy import ANNOTATIONS, NO_TEXTS, ROOT, TABLES, Copy
from .reading import sha256_in, withheld
from .verification import Findings, difference

# Results that are not made here.
UNCOMPARED = ("results/figures/", "results/report.html", "results/report/")


def check_tables(copy: Copy, findings: Findings) -> None:
    """Compute what follows from the answers, and compare it with the archive."""
    study = copy.study
    fetched = [f"resources/datasets/{id_}.parquet" for id_ in restricted(study)]
    prompts = [f"results/prompts/{t}/{p}.parquet" for t in prompted(study) for p in study.personas]
    why = copy.snakemake(("download_dataset", "perturb"), fetched) if fetched else None
    # By itself: else the items of the archive would be fetched again, too.
    why = why or copy.snakemake(("write_prompts",), prompts)
    if why is not None:
        what = f" (the archive must not hold the texts of {', '.join(restricted(study))})"
        raise InputError(
            f"the study of the archive cannot be set up here{what if fetched else ''}: {why}"
        )
    for id_ in restricted(study):
        name = f"resources/datasets/{id_}.manifest.json"
        mine, found = files.read_json(copy.path / name)["sha256"], sha256_in(copy, name)
        told = None if mine == found else f"{name}: SHA-256 {found}, but the source gives {mine}"
        findings.agree("data sets from their own source", told)
    given = withheld(copy)
    kept = {file.task for file in given}
    missing: Counter[str] = Counter()
    compare_given(copy, given, findings, missing)
    # A rule for each kind measures.
    rules = (*TABLES, *(f"measure_{kind}" for kind in study.measured_kinds))
    why = copy.snakemake(rules, ["tables", crate.PROVENANCE])
    if why is not None:
        findings.agree("tables", f"the tables cannot be made of the archive's answers: {why}")
    taken = word_answers(study)
    if taken:
        findings.unchecked(f"answers of the bag of words ({len(taken)}), which are taken as given")
    if readings := read(study):
        findings.unchecked(
            f"readings of the residual stream and vectors ({len(readings)}), which are taken as "
            "given"
        )
    for name, task in derived(study):
        # Nothing is compared with itself; what models read is checked with the answers.
        stage = name.split("/")[1]
        if stage == "delivered" or name in taken or (task in kept and stage not in NO_TEXTS):
            continue
        if (copy.path / name).is_file():
            findings.agree(stage, copy.difference(name, task))
        else:
            missing[stage] += 1
    for stage, n in missing.items():
        findings.unchecked(f"results/{stage} ({n}), which could not be made here")
    for name in made_tables(copy):
        findings.agree("tables", difference(name, copy.theirs / name, copy.path / name))


def compare_given(
    copy: Copy,
    given: Mapping[Answered, pl.DataFrame],
    findings: Findings,
    missing: Counter[str],
) -> None:
    """Compare what is made of answers in tasks of which some are withheld.

    What is read in the words of these is then taken from the archive, for the tables.
    """
    tasks = {file.task for file in given}
    names = [
        (name, task)
        for name, task in derived(copy.study)
        if task in tasks
        and name.split("/")[1] not in ("delivered", *NO_TEXTS)
        and name not in word_answers(copy.study)
    ]
    if names:
        why = copy.snakemake(TABLES, [name for name, _ in names])
        if why is not None:
            findings.agree("scores", f"scores cannot be made of the archive's answers: {why}")
    for name, task in names:
        stage = name.split("/")[1]
        if (copy.path / name).is_file():
            findings.agree(stage, copy.difference(name, task, given))
            table = copy.with_given(name, pl.read_parquet(copy.path / name), given)
            table.write_parquet(copy.path / name)
        else:
            missing[stage] += 1
            if copy.take(name):
                # Newer than what it was made of, so that it is not made again.
                os.utime(copy.path / name)
    for task in sorted(filter(None, tasks)):
        n = sum(rows.height for file, rows in given.items() if file.task == task)
        findings.unchecked(
            f"what scores and judgements read in {n} texts of {task} that repeat what may not be "
            "passed on; tables are made of it as it is"
        )


def made_tables(copy: Copy) -> Iterator[str]:
    """The tables that were made here, and the summary.

    Without those that were made beside what the study asks for, and that its archive lacks.
    """
    for path in sorted((copy.path / "results/tables").glob("*.*")):
        name = path.relative_to(copy.path).as_posix()
        if path.stem in copy.study.tables or (copy.theirs / name).is_file():
            yield name
    if (copy.path / "results/summary.md").is_file():
        yield "results/summary.md"


def check_others(copy: Copy, names: Sequence[str], findings: Findings) -> None:
    """Compare what the archive says of itself, and say what is compared with nothing."""
    if (copy.path / crate.PROVENANCE).is_file():
        mine = files.read_json(copy.path / crate.PROVENANCE)
        theirs = crate.read_untrusted(copy.theirs / crate.PROVENANCE, crate.PROVENANCE)
        for key in ("models", "datasets", "licences"):
            one, other = (provenance_part(copy.study, each, key) for each in (theirs, mine))
            told = f"{crate.PROVENANCE}: `{key}` is not what the archive's own files say"
            findings.agree("parts of the provenance", None if one == other else told)
        findings.unchecked("the rest of the provenance: python, packages, and the state of git")
    if ANNOTATIONS in names:
        findings.unchecked(f"{ANNOTATIONS}: what clinicians said is taken as it is")
    mine = {file.as_posix() for file in code_files(ROOT)}
    code = {name for name in names if name.split("/")[0] in CODE}
    other = sum(
        name not in mine & code
        or files.sha256_file(copy.theirs / name) != files.sha256_file(ROOT / name)
        for name in mine | code
    )
    if other:
        findings.unchecked(f"the archive's code, of which {other} files are not those here")
    known = {crate.CRATE, crate.PROVENANCE, ANNOTATIONS, *code, *made_tables(copy)}
    known |= {name for name, _ in study_files(copy.study)}
    left: Counter[str] = Counter()
    for name in sorted({*names} - known):
        if name.startswith(UNCOMPARED):
            left[name.split("/")[1]] += 1
        else:
            findings.agree("further files", f"{name}, to which nothing leads here")
    for part, n in left.items():
        findings.unchecked(f"results/{part} ({n}), of which only checksums are compared")


def provenance_part(study: Study, provenance: Mapping[str, Any], key: str) -> Any:
    """A part of a provenance, without what depends on the version of a library."""
    part = provenance.get(key)
    if key == "datasets" and isinstance(part, dict):
        # Those of the others are made anew here.
        part = {
            id_: {k: v for k, v in about.items() if k != "items_sha256"}
            if id_ in restricted(study) and isinstance(about, dict)
            else about
            for id_, about in part.items()
        }
    return part


def check_items(copy: Copy, findings: Findings) -> None:
    """Compare the items that an archive holds with those of their own source, where it is here."""
    for id_, spec in copy.study.datasets.items():
        if id_ in restricted(copy.study):
            continue
        name = f"resources/datasets/{id_}.parquet"
        manifest = f"resources/datasets/{id_}.manifest.json"
        made = id_ in copy.study.changed_datasets
        local = {source["kind"] for source in files.sources_of(spec)} <= {"bundled", "path"}
        if not made and not local:
            findings.unchecked(f"items of {id_}, whose source is not on this machine")
            continue
        for one in (name, manifest):
            (copy.path / one).unlink(missing_ok=True)
        why = copy.snakemake(("perturb",) if made else ("download_dataset",), [name])
        if why is not None:
            findings.unchecked(f"items of {id_}, whose source cannot be read here: {why}")
            # What is missing is asked for with the next set again.
            copy.take(name), copy.take(manifest)
            continue
        told = difference(name, copy.theirs / name, copy.path / name)
        mine, found = files.read_json(copy.path / manifest)["sha256"], sha256_in(copy, manifest)
        if told is None and mine != found:
            told = f"{manifest}: SHA-256 {found}, but the source gives {mine}"
        findings.agree("data sets from their own source", told)
