"""Check the archive of a study: compute a sample of its answers and all its tables again.

    python workflow/scripts/verify.py ARCHIVE

The code is this project's own, never that of the archive. Tables are computed from the stored
answers; answers by the engine, where the model can be had: from resources/models, else from the
source that the archive's configuration names. Texts that an archive must not hold are taken from
their own source (PERSONA_DATA_DIR).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow"))

import polars as pl
import yaml

from persona_paradox import cli, files
from persona_paradox.archive import audit, contradictions, crate
from persona_paradox.archive.verification import UNREADABLE, Findings, difference, drawn
from persona_paradox.archive.withholding import MARK, Texts, is_withheld, withhold
from persona_paradox.engine import server_settings
from persona_paradox.engine.decoding import CONTROL_TOKENS, Answer
from persona_paradox.engine.engine import Engine, ask_engine
from persona_paradox.engine.responses import LOCAL, SCHEMA, SERVER, Request, Wanted, engine_of
from persona_paradox.engine.settings import Settings, usable_cpus
from persona_paradox.errors import InputError, printable
from persona_paradox.judges import answers, chats, known
from persona_paradox.kinds.choice.scoring import with_repeat
from persona_paradox.kinds.choice.verbalized import second_turns
from persona_paradox.names import OK
from persona_paradox.prompting import delivery
from persona_paradox.prompting.steps import chats_behind
from persona_paradox.study.conditions import plain
from persona_paradox.study.inventory import (
    CODE,
    Answered,
    answered,
    code_files,
    derived,
    is_safe,
    manifests,
    referred,
    restricted,
    restricted_tasks,
    study_files,
)
from persona_paradox.study.load import KINDS
from persona_paradox.study.provenance import study_of
from persona_paradox.study.study import Study

# Also a derived one, in the names of whose files a part follows the base.
ID = re.compile(r"(?=.{1,100}$)[a-z][a-z0-9_]*(@[a-z][a-z0-9_]*)?")

# What makes tables of answers, and what makes of a study's configuration the prompts of a model.
TABLES = ("conclude", "put_thoughts_beside", "verbalize", "rate", "score", "calibrate")
TABLES += ("recalibrate", "aggregate", "decompose", "read_ratings", "rank", "read_list")
TABLES += ("read_checks", "assess", "agree", "tabulate_delivery", "tabulate_thoughts")
TABLES += ("check_groups", "summarize", "tables", "provenance")
DELIVER = ("deliver", "deliver_behind_thoughts", "deliver_conclusions", "try_second_turn")
DELIVER += ("second_turn", "deliver_ratings", "deliver_pairs", "deliver_list", "deliver_checks")
MODELS = ("download_model", "prepare_model")
# Files of cells that hold no text of an answer.
NO_TEXTS = ("prompts", "calibration", "recalibration")

# What is read in the words of an answer, and in those about an answer: where an archive withholds
# the words, this alone cannot be computed from it. Stage → columns.
READ_IN_ANSWERS = {
    # A reasoning and what it leads to are withheld as one.
    "responses": ("text",),
    "scores": ("label", "parse_status", "level_error", "confidence_generated"),
    "judgements": ("n_characters",),
    "rankings": ("length_difference",),
}
READ_BEHIND_ANSWERS = {
    "scores": ("confidence_verbalized",),
    "verbalized": ("confidence", "status"),
    "judgements": ("written", "rationale"),
}
BEHIND_ANSWERS = ("statements", "verdicts")

# Kinds of things that are compared.
KEYS = "files whose response keys are those of prompts, decoding and engine"
LATER = "files of answers behind answers, of which each row follows from those"
# What the manifest of prepared weights says of them, in words.
MADE_OF_WEIGHTS = {
    "sha256": "SHA-256",
    "format": "format",
    "size": "size",
    "cache_bytes_per_token": "cache_bytes_per_token",
}
OTHER_BYTES = re.compile(r"expected (?:sha256 )?[0-9a-f]{64}, found [0-9a-f]{64}")

# Results that are not made here.
UNCOMPARED = ("results/figures/", "results/report.html", "results/report/")

ANNOTATIONS = "results/clinician/annotations.parquet"


@contextmanager
def one_sentence() -> Iterator[None]:
    """Whatever a configuration that is none leads to, as one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{crate.PROVENANCE} of the archive holds no configuration of a study ({error!r}); "
            "take an archive that `snakemake results/archive.zip` made, and verify it by the "
            "version of this project that made it"
        ) from error


@dataclass(frozen=True)
class Copy:
    """A copy of this project, in which the study of an archive is made again.

    Attributes:
        study: the study of the archive.
        theirs: folder of the unpacked archive.
        path: folder of the copy.
        cores: as `snakemake --cores`.
    """

    study: Study
    theirs: Path
    path: Path
    cores: str

    def fill(self) -> None:
        """Put this project's code there, and the configuration and the answers of the archive."""
        study, theirs, path = self.study, self.theirs, self.path
        for file in code_files(ROOT):
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, path / file)
        with one_sentence():
            self._configure()
            sources = [*manifests(study), *referred(study)]
        free = [id_ for id_ in study.datasets if id_ not in restricted(study)]
        sources += [f"resources/datasets/{id_}.parquet" for id_ in free]
        for file in answered(study):
            sources += [file.path, file.delivered]
        for name in sources:
            self.take(name)
        if (theirs / ANNOTATIONS).is_file():
            self.take(ANNOTATIONS)
            # The workflow looks for files of clinicians; what they say is in the table.
            files.write_text(path / "resources/annotations/archived.csv", "")

    def take(self, name: str) -> bool:
        """Take a file of the archive; whether it has it."""
        there = (self.theirs / name).is_file()
        if there and not (self.path / name).exists():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(self.theirs / name, self.path / name)
        return there

    def _configure(self) -> None:
        study = self.study
        settings = dict(study.settings) | {"data_dir": None, "tasks": list(study.tasks)}
        settings["limits"] = {k: v for k, v in settings["limits"].items() if k in study.tasks}
        self._write("config", settings)
        for kind in KINDS:
            specs = study.all_models if kind == "models" else getattr(study, kind)
            for id_, spec in specs.items():
                if not ID.fullmatch(id_):
                    raise InputError(
                        f"{crate.PROVENANCE} of the archive has an id {id_!r}; do not trust it"
                    )
                # What is derived of a file is made of it again.
                if id_ in plain(specs):
                    self._write(f"{kind}/{id_}", spec)
        for spec in study.datasets.values():
            # A set of this project's own is in every copy of it.
            for source in files.sources_of(spec):
                if source["kind"] == "bundled" and is_safe(source["path"]):
                    target = self.path / source["path"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if (ROOT / source["path"]).is_file():
                        shutil.copy2(ROOT / source["path"], target)

    def _write(self, name: str, content: Any) -> None:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        files.write_text(self.path / "config" / f"{name}.yaml", text)

    def snakemake(self, allowed: Iterable[str], targets: Iterable[str]) -> str | None:
        """Make files; why that failed, or None."""
        command = [sys.executable, "-m", "snakemake", "--cores", self.cores, "--keep-going"]
        command += ["--allowed-rules", *allowed, "--", *targets]
        env = dict(os.environ)
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
        if env.get("PERSONA_DATA_DIR"):
            env["PERSONA_DATA_DIR"] = str(Path(env["PERSONA_DATA_DIR"]).resolve())
        done = subprocess.run(
            command,
            cwd=self.path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return None
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        cli.log.debug("%s", done.stdout)
        return printable((told or lines or ["no reason"])[-1])

    def difference(
        self, name: str, task: str | None, given: Mapping[Answered, pl.DataFrame] | None = None
    ) -> str | None:
        """Where a file that was made here, of a task, is not the one in the archive.

        Args:
            name: the file.
            task: whose texts are in it.
            given: answers of the archive without words, see `withheld`; what is read in the words
                is taken from the archive.
        """
        texts = self._texts(task)

        def change(table: pl.DataFrame) -> pl.DataFrame:
            table = withhold(table, texts)
            return table if given is None else self.with_given(name, table, given)

        return difference(name, self.theirs / name, self.path / name, change)

    def with_given(
        self, name: str, table: pl.DataFrame, given: Mapping[Answered, pl.DataFrame]
    ) -> pl.DataFrame:
        """A table that was made here, with what is read in words that only its maker had."""
        stage = name.split("/")[1]
        try:
            theirs = pl.read_parquet(self.theirs / name)
        except UNREADABLE:
            return table
        if (theirs.schema, theirs.height) != (table.schema, table.height):
            return table
        for file, rows in given.items():
            if not is_of(name, file):
                continue
            behind = file.path.split("/")[1] in BEHIND_ANSWERS
            columns = (READ_BEHIND_ANSWERS if behind else READ_IN_ANSWERS).get(stage, ())
            keys = [key for key in rows.columns if key in table.columns]
            there = rows.select(keys).unique().with_columns(given=True)
            asked = table.select(keys).join(there, on=keys, how="left", maintain_order="left")
            taken = pl.when(asked["given"].fill_null(False))
            table = table.with_columns(
                taken.then(theirs[one]).otherwise(one).alias(one)
                for one in columns
                # Lists of answers have no length.
                if one in table.columns
            )
        if stage == "scores":
            right = (pl.col("label") == pl.col("reference")).fill_null(False)
            table = with_repeat(table.with_columns(correct=right))
        return table

    def _texts(self, task: str | None) -> Texts:
        """What the archive must not hold in the files of a task."""
        sets = restricted(self.study) if task in restricted_tasks(self.study) else []
        paths = [f"resources/datasets/{id_}.parquet" for id_ in sets]
        cases = [pl.read_parquet(self.path / path, columns=["case"])["case"] for path in paths]
        return Texts(text for column in cases for text in column.drop_nulls())

    def view(self, name: str) -> Any:
        """A view of the configuration."""
        (path,) = (self.path / "results/config").glob(f"{name}-*.json")
        return files.read_json(path)


def count(text: str) -> int:
    """A number from 0."""
    if (value := int(text)) < 0:
        raise ValueError
    return value


def main(arguments: Namespace) -> None:
    """Check everything, and fail where something does not agree."""
    if arguments.folder is not None and not arguments.folder.is_dir():
        raise InputError(f"--folder names {arguments.folder}, which is no folder; make it first")
    findings = Findings()
    with tempfile.TemporaryDirectory(prefix="verify-", dir=arguments.folder) as folder:
        theirs = Path(folder) / "archive"
        names = crate.unpack(arguments.archive, theirs, int(arguments.max_gib * crate.GIB))
        check_sums(theirs, names, findings)
        study = read_study(theirs)
        check_description(theirs, study, names, findings)
        copy = Copy(study, theirs, Path(folder) / "copy", arguments.cores)
        copy.fill()
        check_tables(copy, findings)
        check_others(copy, names, findings)
        check_answers(copy, findings, arguments.sample, arguments.seed)
        check_items(copy, findings)
    findings.report()
    if findings.n_differences:
        raise InputError(
            f"{arguments.archive} differs in {findings.n_differences} places; see the lines above"
        )
    cli.log.info("nothing differs in %s", arguments.archive)


def check_sums(theirs: Path, names: list[str], findings: Findings) -> None:
    """Compare every file with its SHA-256 in the description of the archive."""
    expected = crate.checksums(crate.read_untrusted(theirs / crate.CRATE, crate.CRATE))
    for name in sorted({*names, *expected} - {crate.CRATE}):
        told = None
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
        told = f"{crate.PROVENANCE} does not say what a description is made of ({error!r})"
        findings.agree("description of the archive", told)
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


def read_study(theirs: Path) -> Study:
    """The study that an archive is about; Snakemake checks it when it reads the copy."""
    name = crate.PROVENANCE
    with one_sentence():
        study = study_of(crate.read_untrusted(theirs / name, name)["configuration"])
        # What the names of files are made of.
        list(answered(study)), list(derived(study)), restricted_tasks(study), study.tables
    return study


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


def is_of(name: str, file: Answered) -> bool:
    """Whether figures in a file are read in the words of these answers: of its cell, or of all.

    None are read in a thought.
    """
    stage, *cell = name.removesuffix(".parquet").removesuffix(".lists").split("/")[1:]
    cell = cell[1:] if stage in ("judgements", "rankings") else cell
    own = file.path.removesuffix(".parquet").split("/")
    return own[1] != "thoughts" and own[-3:][: len(cell)] == cell


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


def check_tables(copy: Copy, findings: Findings) -> None:
    """Compute what follows from the answers, and compare it with the archive."""
    study = copy.study
    fetched = [f"resources/datasets/{id_}.parquet" for id_ in restricted(study)]
    prompts = [f"results/prompts/{t}/{p}.parquet" for t in study.tasks for p in study.personas]
    why = copy.snakemake(("download_dataset",), fetched) if fetched else None
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
    why = copy.snakemake(TABLES, ["tables", crate.PROVENANCE])
    if why is not None:
        findings.agree("tables", f"the tables cannot be made of the archive's answers: {why}")
    for name, task in derived(study):
        # Nothing is compared with itself; what models read is checked with the answers.
        stage = name.split("/")[1]
        if stage == "delivered" or (task in kept and stage not in NO_TEXTS):
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
        if task in tasks and name.split("/")[1] not in ("delivered", *NO_TEXTS)
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
        if not {source["kind"] for source in files.sources_of(spec)} <= {"bundled", "path"}:
            findings.unchecked(f"items of {id_}, whose source is not on this machine")
            continue
        for one in (name, manifest):
            (copy.path / one).unlink(missing_ok=True)
        why = copy.snakemake(("download_dataset",), [name])
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


def check_claims(copy: Copy, findings: Findings) -> set[str]:
    """Compare what the archive says of its models and answers with itself.

    Nothing of it needs weights. Returns the files of answers that contradict their prompts.
    """
    study = copy.study
    for id_, spec in [*study.all_models.items(), *study.datasets.items()]:
        if id_ in study.servers:
            continue
        kind, of = ("datasets", contradictions.of_source)
        name = f"resources/datasets/{id_}.manifest.json"
        if id_ in study.local_models:
            kind, of = ("models", contradictions.of_weights)
            name = f"resources/models/{id_}/manifest.json"
        told = of(crate.read_untrusted(copy.theirs / name, name), spec)
        findings.agree(f"manifests of {kind}", None if told is None else f"{name} {told}")
    strange: set[str] = set()
    keys = contradictions.Keys()
    hidden: Counter[str | None] = Counter()
    later: Counter[str | None] = Counter()
    for file in answered(study):
        found = engine_there(copy, file)
        told = engine_told(copy, file, None if found is None else found[0])
        findings.agree("engines", None if told is None else f"{file.path} {told}")
        rows = read(copy, file).to_dicts()
        for number in keys.of_rows(rows):
            told = f"{file.path}, row {number}: another answer than elsewhere under the same key"
            findings.agree("answers of equal keys", told)
        if found is None:
            continue
        told, n_hidden = rows_told(copy, file, rows, found[1])
        if told is not None:
            strange.add(file.path)
        findings.agree(KEYS if file.first else LATER, told)
        (hidden if file.first else later)[file.task if file.first else file.model] += n_hidden
    for model, n in later.items():
        findings.unchecked(
            f"response keys of {n} answers of {model} to what holds an answer (thoughts, "
            "conclusions, confidences, judgements), unless the prompts are rendered here"
        )
    for task, n in hidden.items():
        if n:
            findings.unchecked(
                f"response keys of {n} answers in {task}, whose prompts may not be passed on, "
                "unless the prompts are rendered here"
            )
    return strange


def rows_told(
    copy: Copy, file: Answered, rows: Sequence[Mapping[str, Any]], fingerprint: str
) -> tuple[str | None, int]:
    """How a file contradicts what it answers, and the number of rows whose keys are not known."""
    request = Request.of(copy.view(file.decoding), fingerprint)
    if file.first:
        asked = request.wanted(read_delivered(copy, file))
    else:
        # Of what is asked about answers, an archive has the answers alone.
        try:
            asked = request.wanted(asked_behind(copy, file))
        except (*UNREADABLE, InputError, TypeError) as error:
            return f"{file.path}: what it answers cannot be made ({type(error).__name__})", 0
    backend = LOCAL if file.model in copy.study.local_models else SERVER
    told = contradictions.of_answers(file.path, asked, rows, backend, len(request.labels))
    return told, sum(map(contradictions.is_hidden, asked))


def asked_behind(copy: Copy, file: Answered) -> pl.DataFrame:
    """What a file that answers something about answers was asked, without the prompts' texts."""
    stage, *where = Path(file.path).with_suffix("").parts[1:]
    if stage == "verdicts":
        chats = asked_of_judge(copy, where)
    else:
        model, task, _ = where
        cell = "/".join(where)
        prompts = pl.read_parquet(copy.path / f"results/prompts/{task}/{where[-1]}.parquet")

        def earlier(stage: str) -> pl.DataFrame:
            return read_as(copy, f"results/{stage}/{cell}.parquet", "answers", SCHEMA)

        if stage == "statements":
            responses = pl.read_parquet(copy.path / f"results/responses/{cell}.parquet")
            chats = second_turns(prompts, responses, "", "")
        else:
            chats = chats_behind(
                prompts,
                earlier("thoughts") if model in copy.study.thinking_models else None,
                earlier("reasonings") if stage == "conclusions" else None,
                {"header": "", "answer_prefix": ""},
            )
    # A judge's prompt is called by its texts, which the archive may lack.
    named = (
        [] if stage == "verdicts" and file.task in restricted_tasks(copy.study) else ["prompt_id"]
    )
    repeat = pl.col("repeat") if "repeat" in chats.columns else pl.lit(None, dtype=pl.Int64)
    nothing = pl.lit(None, dtype=pl.String)
    return chats.select(
        "item_id",
        "variant",
        *named,
        repeat.alias("repeat"),
        pl.lit(MARK).alias("text"),
        *(nothing.alias(name) for name in ("pieces", "status", "thought_close")),
    )


def asked_of_judge(copy: Copy, where: Sequence[str]) -> pl.DataFrame:
    """The chats of a file of verdicts, the parts of whose path these are."""
    judge, form, *cell = where
    view, spec = copy.view(f"judges/{judge}"), copy.study.judges[judge]
    if form == "checks":
        paths = (spec[key] and copy.theirs / spec[key] for key in ("sanity", "injections"))
        sanity, injections = known.checks_of(*paths, f"config/judges/{judge}.yaml")
        if cell == ["pairs"]:
            return chats.pair_chats(known.check_pairs(sanity), view)
        return chats.rating_chats(known.check_answers(sanity, injections), view, action=False)
    model, task, of = cell
    personas = copy.study.ranked if form == "list" else of.split(".vs.")
    responses, prompts = f"results/responses/{model}/{task}", f"results/prompts/{task}"
    cells, _ = answers.read_cells(copy.path / responses, copy.path / prompts, personas)
    if form == "pairs":
        return chats.pair_chats(answers.paired(*cells.values()), view)
    if form == "list":
        return chats.list_chats(answers.listed(list(cells.values())), view)
    return chats.rating_chats(cells[of], view)


def engine_told(copy: Copy, file: Answered, engine: dict[str, Any] | None) -> str | None:
    """How what computed a file contradicts the manifest and the configuration of the archive."""
    if file.model in copy.study.local_models:
        name = f"resources/models/{file.model}/manifest.json"
        manifest = crate.read_untrusted(copy.theirs / name, name)
        return contradictions.of_engine(engine, manifest, copy.view(f"engine/{file.model}"))
    source = copy.study.all_models[file.model]["source"]
    if engine != (expected := server_settings.describe(source)):
        return f"is of the server {engine!r}, but the configuration is of {expected}"
    return None


def check_words(copy: Copy, findings: Findings, rendered: set[str]) -> None:
    """Look for the words of the prompts in what models read, where that is not rendered here."""
    left: Counter[str] = Counter()
    templates = contradictions.Templates()
    for file in answered(copy.study):
        if file.first:
            told = templates.of_file(file.model, read_delivered(copy, file))
            told = None if told is None else f"{file.delivered} {told}"
            findings.agree("templates of models", told)
        if file.delivered in rendered:
            continue
        left[file.model] += 1
        if file.first:
            persona = Path(file.delivered).name
            told = contradictions.of_prompts(
                file.delivered,
                read_delivered(copy, file),
                pl.read_parquet(copy.path / f"results/prompts/{file.task}/{persona}"),
                LOCAL if file.model in copy.study.local_models else SERVER,
                copy.view(f"templates/{file.model}")["accepted_template_text"],
            )
            findings.agree("words of prompts as models read them", told)
    for model, n in left.items():
        findings.unchecked(
            f"{n} files of prompts of {model} against its template and its tokens: of them only "
            "words, hashes and keys are compared"
        )


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
    """Bring the weights that an archive names into the copy.

    Returns:
        Why that failed, or None; and whether the source that the archive pins contradicts it.
    """
    folder = Path(f"resources/models/{model}")
    wanted = sha256_in(copy, f"{folder}/manifest.json")
    target = copy.path / folder
    here = folder / "manifest.json"
    known = here.is_file() and files.read_json(here)["sha256"] == wanted
    if known and (folder / "model.gguf").is_file():
        try:
            files.check_sha256(folder / "model.gguf", str(wanted))
        except InputError as error:
            return str(error), False
        (target / "manifest.json").unlink()
        shutil.copy(here, target / "manifest.json")
        (target / "model.gguf").symlink_to((folder / "model.gguf").resolve())
    elif (why := copy.snakemake(MODELS, [str(folder / "model.gguf")])) is not None:
        # What the source gives is not what the archive's configuration pins.
        return why, OTHER_BYTES.search(why) is not None
    mine = files.read_json(target / "manifest.json")
    theirs = crate.read_untrusted(copy.theirs / folder / "manifest.json", f"{folder}/manifest")
    for key, name in MADE_OF_WEIGHTS.items():
        if mine[key] != theirs.get(key):
            return f"its source gives weights of {name} {mine[key]}, not {theirs.get(key)}", True
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
    folder = copy.path / f"resources/models/{model}"
    manifest = files.read_json(folder / "manifest.json")
    settings = Settings.resolve(copy.view(f"engine/{model}"), manifest)
    here = settings.describe(manifest["sha256"])
    threads = min(int(copy.study.all_models[model]["engine"]["threads"]), usable_cpus())
    with Engine(folder / "model.gguf", settings, threads, f"config/models/{model}.yaml") as engine:
        for file, keys in wanted.items():
            found = engine_there(copy, file)
            if found is None or found[0].get("weights") != manifest["sha256"]:
                continue  # told before
            there, print_ = found
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
            yield one, Answer(None, CONTROL_TOKENS, 0)
    way = audit.one_by_one(lambda some: ask_engine(engine, some, request.labels))
    for index, answer in way(run):
        yield run[index], answer


def _text(values: dict[str, Any], key: str) -> str:
    return files.canonical_json(values[key])


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("archive", type=Path, help="zip file that somebody made of a study")
    options.add_argument("--sample", type=count, default=20, help="answers to compute again")
    options.add_argument("--seed", type=count, default=1, help="seed of the sample")
    options.add_argument("--cores", default="all", help="as snakemake --cores")
    options.add_argument("--max-gib", type=float, default=50, help="most that may be unpacked")
    options.add_argument("--folder", type=Path, help="for temporary files, else the system's")
    cli.run(main, options)
