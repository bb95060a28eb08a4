"""A sample of the answers of an archive, computed again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from .. import cli, files
from ..engine.decoding import Answer, Wanted
from ..engine.engine import Engine, ask_engine
from ..engine.prepared import Prepared
from ..engine.responses import LOCAL, Request
from ..engine.settings import Settings, usable_cpus
from ..engine.steering import Steering
from ..errors import InputError
from ..names import OK
from ..study.conditions import file_of, split
from ..study.inventory import Answered, answered
from ..study.readings import steered
from . import audit, contradictions, crate
from .check_claims import check_claims, check_words
from .project_copy import ADAPTERS, DELIVER, MODELS, Copy
from .reading import engine_there, read, sha256_in, withheld
from .verification import Findings, drawn
from .withholding import is_withheld

# What the manifest of prepared weights says of them, in words.
MADE_OF_WEIGHTS = {
    "sha256": "SHA-256",
    "format": "format",
    "size": "size",
    "cache_bytes_per_token": "cache_bytes_per_token",
}
OTHER_BYTES = re.compile(r"expected (?:sha256 )?[0-9a-f]{64}, found [0-9a-f]{64}")


def draw(
    copy: Copy, findings: Findings, size: int, seed: int
) -> dict[str, dict[Answered, set[str]]]:
    """The answers that are computed again: model → file → keys."""
    study = copy.study
    kept = {file.task for file in withheld(copy)}
    rows: list[tuple[Answered, str]] = []
    for file in answered(study):
        if file.model not in study.local_models:
            findings.unchecked(f"answers of {file.model}, which a server gave")
        elif file.task in kept and not file.first:
            findings.unchecked(f"what models say about answers in {file.task}")
        else:
            there = read(copy, file).filter(~is_withheld("text").fill_null(False))
            rows += [(file, key) for key in there["response_key"].drop_nulls().sort()]
    chosen: dict[str, dict[Answered, set[str]]] = {}
    sample = drawn(rows, size, seed)
    for file, key in sample:
        chosen.setdefault(file.model, {}).setdefault(file, set()).add(key)
    if len(sample) < len(rows):
        findings.unchecked(
            f"texts and probabilities of {len(rows) - len(sample)} answers, which were not drawn; "
            "a larger --sample draws more"
        )
    return chosen


def check_answers(copy: Copy, findings: Findings, size: int, seed: int) -> None:
    """Compare answers with what they answer, and compute a sample of them again."""
    strange = check_claims(copy, findings)
    chosen = draw(copy, findings, size, seed)
    rendered: set[str] = set()
    untold = set(copy.study.local_models)
    for model, wanted in chosen.items():
        n = sum(len(keys) for keys in wanted.values())
        why, contradicts = obtain(copy, model)
        told = f"resources/models/{model}/manifest.json: {why}" if contradicts else None
        if contradicts or why is None:
            findings.agree("weights from their own source", told)
        if why is not None:
            findings.unchecked(f"{n} drawn answers of {model}, which cannot be had here: {why}")
            continue
        untold.remove(model)
        for file in wanted:
            (copy.path / file.delivered).unlink(missing_ok=True)
        why = copy.snakemake(DELIVER, [file.delivered for file in wanted])
        if why is not None:
            findings.agree("answers", f"the prompts of {model} cannot be rendered: {why}")
            continue
        for file in wanted:
            if file.first:
                rendered.add(file.delivered)
                told = copy.difference(file.delivered, file.task)
                findings.agree("prompts as models read them", told)
        try:
            compute(copy, model, wanted, findings, strange)
        except InputError as error:
            findings.unchecked(f"{n} drawn answers of {model}: {error}")
    for model in sorted(untold):
        findings.unchecked(
            f"the size of the weights of {model} and what a token takes in their cache, but for "
            "what follows from it"
        )
    check_words(copy, findings, rendered)


def obtain(copy: Copy, model: str) -> tuple[str | None, bool]:
    """Bring the files of a model that an archive names into the copy: weights, and an adapter.

    Returns:
        Why that failed, or None; and whether the source that the archive pins contradicts it.
    """
    base, part = split(model)
    why, contradicts = bring(copy, base, "model.gguf", MODELS)
    if why is None and part:
        return bring(copy, model, "adapter.gguf", (*MODELS, *ADAPTERS))
    return why, contradicts


def bring(copy: Copy, model: str, file: str, rules: Sequence[str]) -> tuple[str | None, bool]:
    """Bring one file of a model into the copy, with the manifest; see `obtain`."""
    folder = Path(f"resources/models/{model}")
    name = str(folder / "manifest.json")
    wanted, target, here = sha256_in(copy, name), copy.path / folder, Path(name)
    if (target / file).exists():
        return None, False
    known = here.is_file() and files.read_json(here)["sha256"] == wanted
    (target / "manifest.json").unlink(missing_ok=True)
    if known and (folder / file).is_file():
        try:
            Prepared.read(here).check()
        except InputError as error:
            copy.take(name)
            return str(error), False
        shutil.copy(here, target / "manifest.json")
        (target / file).symlink_to((folder / file).resolve())
    elif (why := copy.snakemake(rules, [name])) is not None:
        copy.take(name)
        # What the source gives is not what the archive's configuration pins.
        return why, OTHER_BYTES.search(why) is not None
    mine = files.read_json(target / "manifest.json")
    theirs = crate.read_untrusted(copy.theirs / name, name)
    for key, said in MADE_OF_WEIGHTS.items():
        if mine[key] != theirs.get(key):
            return f"its source gives weights of {said} {mine[key]}, not {theirs.get(key)}", True
    return None, False


def compute(
    copy: Copy,
    model: str,
    wanted: dict[Answered, set[str]],
    findings: Findings,
    strange: set[str],
) -> None:
    """Compare the chosen answers of a model with those that this machine computes.

    Files of `strange` are known to contradict their prompts.
    """
    moved: dict[Path | None, dict[Answered, set[str]]] = {}
    for file, keys in wanted.items():
        moved.setdefault(vector_of(copy, file), {})[file] = keys
    for own in moved.values():
        compute_moved(copy, model, own, findings, strange)


def vector_of(copy: Copy, file: Answered) -> Path | None:
    """What steered the model while it gave some answers; None where nothing did."""
    persona = Path(file.path).stem
    if file.path.startswith("results/verdicts/") or persona not in steered(copy.study):
        return None
    return copy.path / f"results/vectors/{file.model}/{persona}.parquet"


def compute_moved(
    copy: Copy,
    model: str,
    wanted: Mapping[Answered, set[str]],
    findings: Findings,
    strange: set[str],
) -> None:
    """The same, of answers that were all steered alike."""
    steering = Steering.read(vector_of(copy, next(iter(wanted))))
    prepared = Prepared.read(copy.path / f"resources/models/{model}/manifest.json")
    settings = Settings.resolve(copy.view(f"engine/{model}"), prepared.manifest)
    here = settings.describe(prepared.sha256, None if steering is None else steering.sha256)
    threads = min(int(copy.study.all_models[model]["engine"]["threads"]), usable_cpus())
    name = file_of("models", model)
    with Engine(
        prepared.model, settings, threads, name, prepared.adapters, steering=steering
    ) as engine:
        for file, keys in wanted.items():
            found = engine_there(copy, file)
            if found is None or found[0].get("weights") != prepared.sha256:
                continue  # told before
            there, print_ = found
            if steering is not None:
                told = (
                    None
                    if there.get("steering") == steering.sha256
                    else (f"{file.path} was steered by other vectors than those of the archive")
                )
                findings.agree("vectors by which models were steered", told)
            other = [
                key for key in here if files.canonical_json(there.get(key)) != _text(here, key)
            ]
            if other:
                cli.log.warning(
                    "%s: another engine than here (%s), so only texts are compared",
                    file.path,
                    ", ".join(f"{key} {there.get(key)!r}" for key in other),
                )
            request = Request.of(copy.view(file.decoding), print_)
            asked = request.wanted(pl.read_parquet(copy.path / file.delivered))
            rows = read(copy, file).to_dicts()
            if file.path not in strange:
                findings.agree(
                    "files whose response keys are those of the prompts that are rendered here",
                    contradictions.of_answers(file.path, asked, rows, LOCAL, len(request.labels)),
                )
            todo = list({one.key: one for one in asked if one.key in keys}.values())
            for one, answer in computed(engine, request, todo):
                # Equal prompts have equal keys, and each row has its own answer.
                for row in (row for row in rows if row["response_key"] == one.key):
                    findings.agree("answers", changed(file, row, answer, bool(other)))


def changed(file: Answered, row: dict[str, Any], answer: Answer, other: bool) -> str | None:
    """How an answer differs from what this machine computes; `other`: with another engine."""
    wrong = audit.differences(answer, row)
    if other:
        wrong = [name for name in wrong if name == "text"]
    if not wrong:
        return None
    where = ", which has another engine" if other else ""
    names = " and ".join(wrong)
    return f"{file.path}, {row['item_id']}: another {names} than this machine computes{where}"


def computed(
    engine: Engine, request: Request, todo: Sequence[Wanted]
) -> Iterator[tuple[Wanted, Answer]]:
    """What this machine answers; a prompt that is not to be run has no answer."""
    run = [one for one in todo if one.row["status"] == OK]
    for one in todo:
        if one.row["status"] != OK:
            yield one, Answer(None, one.row["status"], 0)
    way = audit.one_by_one(lambda some: ask_engine(engine, some, request.labels))
    for index, answer in way(run):
        yield run[index], answer


def _text(values: dict[str, Any], key: str) -> str:
    return files.canonical_json(values[key])
