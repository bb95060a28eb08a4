"""Write the report of a study: a page that shows its numbers, and behind each the answers."""

import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import platformdirs
import polars as pl
import vl_convert
import yaml

from persona_paradox import cli, files
from persona_paradox.archive.withholding import Texts, texts_in
from persona_paradox.figures.catalogue import figures
from persona_paradox.kinds.answers import AnswerSpec
from persona_paradox.kinds.base import has
from persona_paradox.report import cells, chunks, prose
from persona_paradox.report.about import about
from persona_paradox.report.findings import effects_of
from persona_paradox.report.index import index, withholds
from persona_paradox.report.overview import overview, rows
from persona_paradox.report.page import page
from persona_paradox.study.conditions import split
from persona_paradox.study.inventory import ranks, restricted
from persona_paradox.study.provenance import study_of
from persona_paradox.study.rubrics import rubric_cells
from persona_paradox.study.study import Cell, Study

TEMPLATES = Path(__file__).resolve().parents[1] / "report"
TABULATOR = TEMPLATES / "vendor/tabulator-tables-6.5.3"
PROGRAMS = (
    *("data.js", "state.js", "answers.js", "search.js", "list.js", "case.js", "verdicts.js"),
    *("figures.js", "drawings.js", "tables.js", "suite.js", "find.js", "page.js"),
)
MB = 1_000_000
# Chunks that are asked for when a case is opened, or answers are searched.
LATE = ("answers/", "confidences/")


def path_of(stage: str, *parts: str) -> Path:
    """A file of a stage in the working folder."""
    return Path("results", stage, *parts).with_suffix(".parquet")


def places(study: Study, texts: Texts | None) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Task by task: its id, its chunks (name, value), and what the index says of it."""
    for task, file in study.tasks.items():
        source = study.datasets[file["dataset"]]
        dataset = files.read_table(Path(f"resources/datasets/{file['dataset']}.parquet"))
        first = next(cell for cell in study.cells if cell.task == task)
        ids = cells.item_ids(files.read_table(path_of("delivered", first.path), ["item_id"]))
        withheld = task in withholds(study)
        spec = cells.answer_spec(file, source)
        found = cells.items(dataset, ids, source, spec, withheld)
        if "changed" in dataset.columns:
            base = files.read_table(Path(f"resources/datasets/{split(file['dataset'])[0]}.parquet"))
            found |= cells.changes(dataset, base, ids, withheld)
        found["raters"] = {
            cell.persona: cells.rated(
                file["kind"], files.read_table(path_of("scores", *cell.path.split("/"))), ids, spec
            )
            for cell in study.rater_cells
            if cell.task == task
        }
        gathered = [(f"items/{task}", found)]
        for model in study.models:
            gathered += place(study, model, task, (dataset, ids, spec), texts if withheld else None)
        groups = cells.group_names(dataset, ids, source)
        yield task, gathered, {"n": ids.height, "groups": groups, "answers": spec}


def place(
    study: Study,
    model: str,
    task: str,
    asked: tuple[pl.DataFrame, pl.DataFrame, AnswerSpec],
    texts: Texts | None,
) -> Iterator[tuple[str, Any]]:
    """The chunks of one model in one task: the list of its cases, and blocks of answers."""
    _, ids, _ = asked
    judges = [
        judge
        for judge in study.active_judges
        if any((cell.model, cell.task) == (model, task) for cell in study.judged_cells(judge))
    ]
    columns: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    confidences: dict[str, Any] = {}
    for persona in study.personas:
        for name, column, answer in wordings(study, (model, task, persona), asked, judges, texts):
            columns[name], answers[name] = column, answer
            if "exact" in column:
                confidences[name] = column.pop("exact")
    yield f"cells/{model}/{task}", columns
    if confidences:
        yield f"confidences/{model}/{task}", confidences
    preferred = {
        judge: cells.preferences(files.read_table(path_of("rankings", judge, model, task)), ids)
        for judge in judges
        if ranks(study, judge)
    }
    for number, start in enumerate(range(0, ids.height, chunks.BLOCK)):
        both = {"answers": answers, "preferred": preferred}
        yield f"answers/{model}/{task}/{number}", cells.block(both, start, start + chunks.BLOCK)


def wordings(
    study: Study,
    cell: tuple[str, str, str],
    asked: tuple[pl.DataFrame, pl.DataFrame, AnswerSpec],
    judges: list[str],
    texts: Texts | None,
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Of every wording of a persona: its name, its column of the list, and its answers."""
    dataset, ids, spec = asked
    task = study.tasks[cell[1]]
    delivered = files.read_table(
        path_of("delivered", *cell), ["item_id", "variant", "repeat", "text"]
    )
    # Behind an answer that was drawn, the chat is another one.
    delivered = delivered.filter(pl.col("repeat").fill_null(0) == 0)
    responses = cells.without_texts(
        files.read_table(
            path_of("responses", *cell),
            [
                "item_id",
                "variant",
                "repeat",
                "text",
                "finish_reason",
                "thought",
                "n_thought_tokens",
                "thought_cut",
            ],
        ),
        texts,
    )
    scored = has(task["kind"], "scoring")
    scores = files.read_table(path_of("scores", *cell)) if scored else None
    judged = {
        judge: cells.without_texts(files.read_table(path_of("judgements", judge, *cell)), texts)
        for judge in judges
    }
    ticked = {
        judge: cells.without_texts(files.read_table(path_of("criteria", judge, *cell)), texts)
        for judge in judges
        if Cell(*cell) in rubric_cells(study, judge)
    }
    for variant in cells.wordings(delivered):
        here = pl.col("variant") == variant
        around, other = cells.shown_prompt(
            delivered.filter(here), ids, dataset.select("item_id", "case"), task["user"]
        )
        rows = responses.filter(here)
        column: dict[str, Any] = {"prompt": around, "judged": {}}
        mine = None if scores is None else scores.filter(here)
        if mine is not None:
            greedy = mine.filter(pl.col("repeat") == 0)
            column |= cells.list_columns(task["kind"], greedy, ids, spec)
            if spec.labels:
                column["exact"] = cells.confidences(greedy, ids)
        answer = cells.opened(rows, mine, ids, spec)
        if not (spec.labels or spec.outcomes or judges):
            column["start"] = cells.starts(answer["text"])
        if any(text is not None for text in other):
            shown = pl.DataFrame({"text": other}, schema={"text": pl.String})
            answer["prompt"] = cells.without_texts(shown, texts)["text"].to_list()
        answer["judged"] = {}
        for judge, table in judged.items():
            column["judged"][judge] = cells.judged_column(table.filter(here), ids)
            answer["judged"][judge] = cells.judged_answers(table.filter(here), ids)
        if ticked:
            answer["ticks"] = {
                judge: cells.ticks(table.filter(here), ids) for judge, table in ticked.items()
            }
        yield f"{cell[2]}/{variant}", column, answer


def restricted_texts(study: Study) -> Texts:
    """The texts that may not be passed on, of all sets together."""
    return Texts(
        text
        for id_ in restricted(study)
        for text in texts_in(Path(f"resources/datasets/{id_}.parquet"))
    )


def vega_bundle() -> str:
    """Vega's libraries as one program, kept for other reports: to bundle them takes seconds."""
    folder = platformdirs.user_cache_path("persona_paradox")
    kept = folder / f"vega_{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        return kept.read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle()
    with suppress(OSError):
        files.write_text(kept, bundle)
    return bundle


def programs() -> list[str]:
    """Vega, the table component and the page's own program."""
    own = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in PROGRAMS)
    table = (TABULATOR / "tabulator.min.js").read_text(encoding="utf-8")
    # Each in a scope of its own: the names of one must not meet those of another.
    vega, ours = (f"(() => {{{text}\n}})();" for text in (vega_bundle(), own))
    return [vega, table, ours]


def write(folder: Path, contents: dict[str, str]) -> None:
    """Replace the folder of chunks, as a whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        if not contents:
            files.write_text(
                new / "README.txt",
                "The report of this study is one file, results/report.html, and needs nothing "
                "from here. That of a larger study keeps its data in this folder.\n",
            )
        for name, content in contents.items():
            files.write_text(new / f"{name}.js", chunks.chunk_file(name, content))
        if folder.exists():
            shutil.rmtree(folder)
        new.chmod(0o755)
        new.rename(folder)


def main(arguments: Namespace) -> None:
    """Gather tables and answers, and write the page."""
    provenance = files.read_json(arguments.provenance)
    study = study_of(provenance["configuration"])
    tables = {
        name: files.read_table(arguments.tables / f"{name}.parquet") for name in arguments.names
    }
    contents: dict[str, str] = {
        f"tables/{name}": chunks.packed(chunks.table_columns(table))
        for name, table in tables.items()
        if chunks.shown(table)
    }
    tasks: dict[str, dict[str, Any]] = {}
    texts = restricted_texts(study) if withholds(study) else None
    for task, found, told in places(study, texts):
        tasks[task] = told
        contents |= {name: chunks.packed(value) for name, value in found}
    drawings = []
    for path in arguments.drawings:
        figure = figures()[path.stem]
        contents[f"figures/{figure.id}"] = chunks.packed(files.read_json(path))
        drawings.append({"id": figure.id, "title": figure.title, "shows": figure.shows})
    contents["provenance"] = chunks.packed(provenance)
    settings, found = files.read_json(arguments.settings), effects_of(tables)
    contents["tests"] = chunks.packed(rows(found, settings))

    inside = sum(map(len, contents.values())) <= study.settings["report"]["single_file_mb"] * MB
    sums = {name: chunks.fingerprint(content) for name, content in contents.items()}
    known = index(study, tables, tasks, drawings) | {"chunks": sums}
    template = {
        "index": known,
        "about": about(study, provenance, {task: told["n"] for task, told in tasks.items()}),
        "title": study.settings["title"],
        "overview": overview(found, settings, known["suites"], known["models"]),
        "summary": prose.summary(arguments.summary.read_text(encoding="utf-8")),
        "methods": prose.methods(arguments.reference.read_text(encoding="utf-8")),
        "cite": yaml.safe_load(arguments.citation.read_text(encoding="utf-8")),
        "library_style": (TABULATOR / "tabulator_simple.min.css").read_text(encoding="utf-8"),
        "configfiles": arguments.configfiles,
        "inside": inside,
    }
    text = page(
        TEMPLATES,
        programs(),
        # What a reader opens last comes last.
        sorted(contents.items(), key=lambda one: one[0].startswith(LATE)) if inside else (),
        template,
        None if inside else arguments.folder.name,
    )
    write(arguments.folder, {} if inside else contents)
    files.write_text(arguments.report, text)
    size = sum(map(len, contents.values()))
    cli.log.info(
        "%d chunks, %.1f MB, %s", len(contents), size / MB, "in the page" if inside else "beside it"
    )


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        provenance="what the study was made of",
        tables="folder of tables",
        settings="view of the figures' settings",
        summary="the results in words",
        reference="config/README.md, which has the definitions",
        citation="CITATION.cff",
        report="HTML file to write",
        folder="folder to write, of the data of a large study",
    )
    # An older study's tables may lie in the folder.
    options.add_argument("--names", nargs="+", required=True, help="tables that there are")
    options.add_argument(
        "--drawings", nargs="*", type=Path, default=[], help="figures that stand in the page"
    )
    options.add_argument(
        "--configfiles", nargs="*", default=[], help="files of the study, as given"
    )
    cli.run(main, options)
