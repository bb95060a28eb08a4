"""The report of a study: one page that shows its numbers, and behind each the answers.

What a reader may open later is cut into chunks, which stand in the page itself or, for a large
study, in files beside it. A chunk is JSON, compressed; its text is the same for the same input.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import NormalDist
from typing import Any

import jinja2
import markdown
import polars as pl
import polars.selectors as cs
from markupsafe import Markup

from ..errors import InputError
from ..files import sha256_bytes, sources_of
from ..names import ACTIONS, CONFIDENCES, HUMAN, TRIAGE
from ..study.inventory import restricted, restricted_tasks
from ..study.study import Study
from .figures import METRICS, figures

# Items whose answers are loaded together.
BLOCK = 100
# A longer table is named in the page, and not shown.
MOST_ROWS = 50_000

Json = dict[str, Any]

# Parts of config/README.md that stand in the page, as its methods.
METHODS = ("Confidences", "Robust effects", "Tables")


# --- chunks -------------------------------------------------------------------------------


def packed(value: Any) -> str:
    """A value as JSON, compressed, in letters that mean nothing in HTML or JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def chunk_file(name: str, content: str) -> str:
    """A chunk as a file that a page can load from a disk: a script that hands it over."""
    return f"chunk({json.dumps(name)},{json.dumps(content)});\n"


def withholds(study: Study) -> list[str]:
    """Ids of the tasks whose texts are left out of the report."""
    return [] if study.settings["report"]["withheld_texts"] else restricted_tasks(study)


def table_columns(table: pl.DataFrame) -> Json:
    """A table as columns of numbers, texts and nulls."""
    numbers = table.with_columns(cs.float().fill_nan(None))
    return {name: numbers[name].to_list() for name in table.columns}


# --- what the page knows at once ----------------------------------------------------------


def urgent_labels(study: Study, task: str) -> list[str]:
    """Labels of a triage task, from the most urgent."""
    spec = study.tasks[task]
    label_of = {entry["level"]: entry["label"] for entry in spec["labels"]}
    return [label_of[level["id"]] for level in study.datasets[spec["dataset"]]["levels"]]


def index(
    study: Study,
    tables: Mapping[str, pl.DataFrame],
    numbers: Mapping[str, int],
    groups: Mapping[str, Json],
) -> Json:
    """Titles, levels and settings: everything but rows and answers.

    Args:
        study: the study.
        tables: its tables, by name.
        numbers: task → number of its items.
        groups: triage task → subgroups, as `report_cells.group_names` gives them.
    """
    settings = study.settings
    return {
        "title": settings["title"],
        "baseline": settings["baseline"],
        "confidence": settings["statistics"]["confidence"],
        # Of the Wilson intervals that the page computes for what a reader filters.
        "z": NormalDist().inv_cdf((1 + settings["statistics"]["confidence"]) / 2),
        "block": BLOCK,
        "actions": list(ACTIONS),
        "models": {
            id_: model["title"] + (" (server)" if id_ in study.servers else "")
            for id_, model in study.models.items()
        },
        "personas": {
            id_: {
                "title": persona["title"],
                "group": persona["group"],
                "texts": study.texts(id_),
            }
            for id_, persona in study.personas.items()
        },
        "tasks": {
            id_: _task(study, id_, numbers[id_]) | {"groups": groups.get(id_, {})}
            for id_ in study.tasks
        },
        "judges": {id_: _judge(study, id_, tables["judges"]) for id_ in study.active_judges},
        "tables": {
            name: {"columns": table.columns, "rows": table.height, "shown": shown(table)}
            for name, table in tables.items()
        },
        "metrics": METRICS,
        "confidences": list(CONFIDENCES),
        "figures": [asdict(figure) for figure in figures() if figure.table in tables],
    }


def shown(table: pl.DataFrame) -> bool:
    """Whether the page shows a table, or only names it."""
    return table.height <= MOST_ROWS


def _task(study: Study, id_: str, n: int) -> Json:
    task = study.tasks[id_]
    spec = study.datasets[task["dataset"]]
    found: Json = {
        "title": task["title"],
        "kind": task["kind"],
        "user": task["user"],
        "n": n,
        "dataset": spec["title"],
        "teaching": spec["kind"] == "teaching",
        "licence": spec["licence"]["id"],
        "withheld": id_ in withholds(study),
    }
    if task["kind"] == TRIAGE:
        found["levels"] = [
            {
                "id": level["id"],
                "title": level["title"],
                "label": label,
                "high": level["id"] in spec["high_acuity"],
            }
            for level, label in zip(spec["levels"], urgent_labels(study, id_), strict=True)
        ]
        found["raters"] = {rater["id"]: rater["title"] for rater in spec["columns"]["human"]}
    else:
        found["categories"] = {
            category["id"]: {"title": category["title"], "benign": category["benign"]}
            for category in spec["categories"]
        }
    return found


def _judge(study: Study, id_: str, judges: pl.DataFrame) -> Json:
    judge = study.judges[id_]
    verdict = judges.filter((pl.col("judge") == id_) & (pl.col("metric") == "usable"))
    usable = verdict.item(0, "value") if verdict.height else None
    return {
        "title": judge["title"],
        "scale": judge["scale"],
        "ratings": [
            {key: rating[key] for key in ("id", "title", "better")} for rating in judge["ratings"]
        ],
        "actions": judge["action"] is not None,
        "usable": None if usable is None else bool(usable),
        "note": verdict.item(0, "note") if verdict.height else None,
        "places": sorted({f"{cell.model}/{cell.task}" for cell in study.judged_cells(id_)}),
    }


# --- what stands in the page as text ------------------------------------------------------


def about(study: Study, provenance: Mapping[str, Any], numbers: Mapping[str, int]) -> Json:
    """What was run, for the first section of the page."""
    models = []
    for id_, model in study.all_models.items():
        found = provenance["models"][id_]
        models.append(
            {
                "id": id_,
                "title": model["title"],
                "licence": model["licence"],
                "sha256": found.get("sha256"),
                "server": id_ in study.servers,
                "judges": id_ not in study.models,
                "engines": [engine["fingerprint"] for engine in found["engines"]],
            }
        )
    tasks = []
    for id_, task in study.tasks.items():
        spec = study.datasets[task["dataset"]]
        tasks.append(
            {
                "id": id_,
                "title": task["title"],
                "n": numbers[id_],
                "dataset": spec["title"],
                "description": spec["description"],
                "teaching": spec["kind"] == "teaching",
                "licence": spec["licence"]["id"],
                "redistribution": spec["licence"]["redistribution"],
                "withheld": id_ in withholds(study),
                "sha256": provenance["datasets"][task["dataset"]]["items_sha256"],
            }
        )
    return {
        "models": models,
        "tasks": tasks,
        "personas": [
            {"id": id_, "title": persona["title"], "group": persona["group"]}
            | {"texts": list(study.texts(id_).items())}
            for id_, persona in study.personas.items()
        ],
        "baseline": study.settings["baseline"],
        "judges": [
            {"id": id_, "title": study.judges[id_]["title"], "model": study.judges[id_]["model"]}
            for id_ in study.active_judges
        ],
        "raters": sorted({cell.persona for cell in study.human_cells}),
        "human": HUMAN,
        "restricted": [study.datasets[id_]["title"] for id_ in restricted(study)],
        "data_files": data_files(study),
        "texts_shown": study.settings["report"]["withheld_texts"],
        "statistics": study.settings["statistics"],
        "seed": study.settings["seed"],
        "figures": study.settings["figures"],
        "git": provenance["git"],
        "python": provenance["python"],
    }


def data_files(study: Study) -> list[str]:
    """What whoever repeats a study must have in a folder of their own, as paths in it."""
    specs = (*study.datasets.values(), *study.all_models.values())
    sources = [source for spec in specs for source in sources_of(spec)]
    paths = [source["path"] for source in sources if "{data_dir}" in source.get("path", "")]
    return sorted({path.replace("{data_dir}/", "") for path in paths})


def as_html(text: str) -> Markup:
    """Markdown of our own making as HTML.

    Markup, links and images in it, which may come from a title, stay text. Headings go one rank
    down: the page has a heading above them.
    """
    reader = markdown.Markdown(extensions=["tables", "fenced_code"], tab_length=2)
    reader.preprocessors.deregister("html_block")
    for name in _NO_TEXT:
        reader.inlinePatterns.deregister(name)
    found = reader.convert(re.sub(r"(?m)^#", "##", text))
    # What is wide scrolls, by keyboard too.
    frame = '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>'
    found = found.replace("<table>", frame).replace("</table>", "</table></div>")
    found = found.replace("<pre>", '<pre tabindex="0">')
    return Markup(found)  # noqa: S704


# Of the library's inline patterns, those that make something else of a text than its looks.
_NO_TEXT = (
    *("html", "entity", "autolink", "automail", "link", "reference", "short_reference"),
    *("image_link", "image_reference", "short_image_ref"),
)


def summary(text: str) -> Markup:
    """`results/summary.md` as HTML, without its title."""
    return as_html(text.partition("\n")[2])


def methods(readme: str) -> Markup:
    """The definitions of config/README.md, without links, which lead out of the page.

    Raises:
        InputError: it has lost one of the sections.
    """
    text = "\n".join(_section(readme, title) for title in METHODS)
    return as_html(re.sub(r"\[([^\]]+)\]\([^)\s]+\)", r"\1", text))


def _section(text: str, title: str) -> str:
    start = re.search(rf"(?m)^(#+) {re.escape(title)}$", text)
    if start is None:
        raise InputError(
            f"config/README.md has no section {title!r}, which the report shows; put it back"
        )
    end = re.compile(rf"(?m)^#{{2,{len(start[1])}}} ").search(text, start.end())
    return f"## {title}\n{text[start.end() : end.start() if end else None]}"


# --- the page -----------------------------------------------------------------------------


def page(
    folder: Path,
    scripts: Sequence[str],
    chunks: Iterable[tuple[str, str]],
    values: Mapping[str, Any],
    beside: str | None,
) -> str:
    """The page as HTML.

    Args:
        folder: of the templates.
        scripts: the programs of the page, in order.
        chunks: name and content of those that stand in it.
        values: of the template, `index` among them.
        beside: folder of the chunks, seen from the page; None where they stand in it.

    Raises:
        ValueError: a program would end its own element.
    """
    if any("</script" in script.lower() for script in scripts):
        raise ValueError("a script holds the end of its own element")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    allowed = [f"'sha256-{_csp_hash(script)}'" for script in scripts]
    # From a disk, `file:` is where the page itself comes from; from a server, 'self'.
    allowed += ["'self'", "file:"] if beside is not None else []
    index = dict(values["index"]) | {"beside": beside}
    return environment.get_template("report.html").render(
        **(dict(values) | {"index": index}),
        index_text=Markup(_inert(index)),  # noqa: S704 - nothing in it ends its element
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own and the libraries'
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own
        allowed=" ".join(allowed),
        chunks=list(chunks),
    )


def _inert(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _csp_hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def fingerprint(content: str) -> str:
    """SHA-256 of a chunk, which the page names."""
    return sha256_bytes(content.encode())
