"""A copy of this project, in which the study of an archive is made again."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from .. import cli, files
from ..errors import InputError, printable
from ..kinds.labelled.scoring import with_repeat
from ..launch.calls import one_server, snakemake
from ..names import RIGHT
from ..scorers import lexicon
from ..study.conditions import MARK, base_of
from ..study.inventory import (
    Answered,
    answered,
    code_files,
    is_safe,
    manifests,
    read,
    referred,
    restricted,
    restricted_tasks,
    trained,
)
from ..study.load import TITLES
from ..study.raters import word_answers
from ..study.reading import CHECKED
from ..study.study import Study
from . import crate
from .verification import UNREADABLE, difference
from .withholding import Texts, texts_in, withhold

ROOT = Path(__file__).resolve().parents[3]

# Also a derived one, in the names of whose files a part follows the base.
ID = re.compile(r"(?=.{1,100}$)[a-z][a-z0-9_]*(@[a-z][a-z0-9_]*)?")

# What makes tables of answers, and what makes of a study's configuration the prompts of a model.
TABLES = (
    "conclude",
    "put_thoughts_beside",
    "next_turn",
    "verbalize",
    "identify",
    "tabulate_identification",
    "rate",
    "score",
    "calibrate",
    "recalibrate",
    "tabulate",
    "decompose",
    "tell_factors",
    "compare_tuning",
    "value_policies",
    "compare_raters",
    "find_sets",
    "compare_arms",
    "survive",
    "place_personas",
    "tabulate_doses",
    "compare_cycles",
    "sample_answers",
    "read_ratings",
    "read_criteria",
    "read_criteria_checks",
    "rank",
    "read_list",
    "read_checks",
    "assess",
    "agree",
    "tabulate_delivery",
    "tabulate_thoughts",
    "check_groups",
    "summarize",
    "tables",
    "provenance",
)
DELIVER = (
    "deliver",
    "deliver_behind_thoughts",
    "deliver_conclusions",
    "try_second_turn",
    "second_turn",
    "ask_before",
    "ask_after",
    "sample_answers",
    "deliver_ratings",
    "deliver_criteria",
    "deliver_criteria_checks",
    "deliver_pairs",
    "deliver_list",
    "deliver_checks",
)
MODELS = ("download_model", "prepare_model")
ADAPTERS = ("download_adapter", "convert_adapter", "adapt_model")
# Files of cells that hold no text of an answer.
NO_TEXTS = ("prompts", "calibration", "recalibration")

# What is read in the words of an answer, and in those about an answer: where an archive withholds
# the words, this alone cannot be computed from it. Stage → columns.
READ_IN_ANSWERS = {
    # A reasoning and what it leads to are withheld as one.
    "responses": ("text",),
    "judge_samples": ("text",),
    "turns": ("later", "status"),
    "scores": (
        *("label", "label_shown", "parse_status", "outcome", "level_error"),
        "confidence_generated",
        *("n_words", "similarity", *lexicon.categories()),
    ),
    "judgements": ("n_characters",),
    "criteria": ("n_characters",),
    "rankings": ("length_difference",),
}
READ_BEHIND_ANSWERS = {
    "scores": ("confidence_verbalized",),
    "verbalized": ("confidence", "status"),
    "identified": ("written",),
    "judgements": ("written", "rationale"),
    "criteria": ("written", "rationale"),
}
BEHIND_ANSWERS = ("statements", "named_before", "named_after", "verdicts")

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
        for name in code_files(ROOT):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
        with one_sentence():
            self._configure()
            sources = [*manifests(study), *referred(study), *trained(study)]
        free = [id_ for id_ in study.datasets if id_ not in restricted(study)]
        sources += [f"resources/datasets/{id_}.parquet" for id_ in free]
        for file in answered(study):
            sources += [file.path, file.delivered]
        sources += [*word_answers(study), *read(study)]
        for source in sources:
            self.take(source)
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
        settings: dict[str, Any] = {**study.settings} | {
            "data_dir": None,
            "tasks": list(study.tasks),
        }
        tasks = {base_of(id_) for id_ in study.tasks}
        settings["limits"] = {k: v for k, v in settings["limits"].items() if k in tasks}
        self._write("config", settings)
        for kind, id_, spec in self._specs():
            if not ID.fullmatch(id_):
                raise InputError(
                    f"{crate.PROVENANCE} of the archive has an id {id_!r}; do not trust it"
                )
            # What is derived of a file is made of it again.
            if MARK not in id_:
                self._write(f"{kind}/{id_}", spec)
        # Both names of a file are somebody else's words.
        for kind in TITLES:
            for id_, title in study.titles[kind].items():
                if is_safe(id_) and "/" not in id_:
                    self._write(f"{kind}/{id_}", {"title": title})
        for spec in study.datasets.values():
            # A set of this project's own is in every copy of it.
            for source in files.sources_of(spec):
                if source["kind"] == "bundled" and is_safe(source["path"]):
                    target = self.path / source["path"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if (ROOT / source["path"]).is_file():
                        shutil.copy2(ROOT / source["path"], target)

    def _specs(self) -> Iterator[tuple[str, str, Any]]:
        """Kind, id and content of all that the study names."""
        study = self.study
        of_study = {
            kind: study.written_models if kind == "models" else getattr(study, kind)
            for kind in CHECKED
        }
        for files_of in (of_study, {"tasks": study.base_tasks}, study.training.files):
            for kind, specs in files_of.items():
                if kind in CHECKED:
                    yield from ((kind, id_, spec) for id_, spec in specs.items())

    def _write(self, name: str, content: Any) -> None:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        files.write_text(self.path / "config" / f"{name}.yaml", text)

    def snakemake(self, allowed: Iterable[str], targets: Iterable[str]) -> str | None:
        """Make files; why that failed, or None."""
        arguments = ["--cores", self.cores, "--keep-going", "--allowed-rules", *allowed]
        one_server()
        env = dict(os.environ)
        if env.get("PERSONA_DATA_DIR"):
            env["PERSONA_DATA_DIR"] = str(Path(env["PERSONA_DATA_DIR"]).resolve())
        done = snakemake([*arguments, "--", *targets], self.path, env)
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
            if not is_of(name, file, self.study.before):
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
        if stage == "scores" and "label" in table.columns:
            # Of several right options one may be enough, or not.
            several = "label_shown" in table.columns
            right = (
                pl.col("outcome") == RIGHT
                if several
                else (pl.col("label") == pl.col("reference")).fill_null(False)
            )
            table = with_repeat(table.with_columns(correct=right))
        return table

    def _texts(self, task: str | None) -> Texts:
        """What the archive must not hold in the files of a task."""
        sets = restricted(self.study) if task in restricted_tasks(self.study) else []
        paths = [f"resources/datasets/{id_}.parquet" for id_ in sets]
        return Texts(text for path in paths for text in texts_in(self.path / path))

    def view(self, name: str) -> Any:
        """A view of the configuration."""
        (path,) = (self.path / "results/config").glob(f"{name}-*.json")
        return files.read_json(path)


def is_of(name: str, file: Answered, before: Mapping[str, str]) -> bool:
    """Whether what is in a file is read in the words of these answers: of its cell, or of all.

    None is read in a thought. A chat that goes on has those of earlier rounds, and judges read
    these, too.

    Args:
        name: the file.
        file: the answers.
        before: round → the round before, as of a study.
    """
    stage, *cell = name.removesuffix(".parquet").removesuffix(".lists").split("/")[1:]
    judged = stage in ("judgements", "rankings", "criteria")
    model, task, *rest = cell[1:] if judged else cell
    tasks = [] if stage == "turns" else [task]
    while (judged or stage == "turns") and task in before:
        task = before[task]
        tasks.append(task)
    _, stage, *_, of_model, of_task, persona = file.path.removesuffix(".parquet").split("/")
    return (
        stage != "thoughts" and of_model == model and of_task in tasks and rest in ([], [persona])
    )
