"""How fast the report of a large study opens and filters, in headless Chromium.

    python benchmarks/large_report.py --write        # 10 models × 12 personas × 6 × 1,000 cases
    python benchmarks/large_report.py --models 2 --suites 2 --cases 60    # a trial run

A small study of a model of random weights really runs. Then its files are enlarged: prompts and
cases of the real length, answers drawn at random and scored by the real program, further suites
that are copies of the first, rows of tables copied, p values and verdicts drawn at random.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import paths
import polars as pl
import psutil
import readme
import yaml
from playwright.sync_api import Browser, Page, sync_playwright
from project import STUDY, Project, add_model, new_project

from persona_paradox import files
from persona_paradox.kinds.triage.scoring import score
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.provenance import configuration
from persona_paradox.study.views import views

TASK, DATASET, FIRST = "triage_ed", "teaching_ed", "tiny"
MORE = re.compile(r"^(steering|control_tokens):", re.MULTILINE)
STATISTICS = {
    "draws": 200,
    "family": {"metrics": ["accuracy", "under_triage_rate", "over_triage_rate"]},
}
SETTINGS = "results/config/judged_figures-large.json"
INSTRUCTION = "Assign one level to the patient whom the user describes. " * 12
# What the page must keep to; reported, and asserted nowhere.
FIRST_VIEW_S, FILTER_S = 2.0, 0.3
MB = 10**6
# From a click into the field of the search, when the page begins to read the answers, to the first
# letter.
BEFORE_TYPING_S = 1.0
ROUNDS = 5
WAIT_MS = 120_000

FILTERS = {
    "flipped against the baseline": "document.getElementById('filter-flip').click()",
    "high acuity under-triaged": "document.getElementById('filter-grave').click()",
    "personas disagree most first": (
        "{ const s = document.getElementById('cases-sort'); s.value = 'disagree';"
        " s.dispatchEvent(new Event('change')); }"
    ),
    "search in cases and answers, the first time": "find('pain')",
    "search in cases and answers, again": "find('chest')",
}
# Seconds from an action until the list shows what the address then says. The page waits 0.15 s
# for the next letter of a search; that is part of it.
TIMED = """async (action) => {
  const find = (text) => {
    const field = document.getElementById('filter-q');
    field.value = text;
    field.dispatchEvent(new Event('input'));
  };
  const before = document.body.dataset.ready;
  const start = performance.now();
  eval(action);
  while (document.body.dataset.ready === before) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return (performance.now() - start) / 1000;
}"""


def small_study(folder: Path) -> Project:
    """A small study of a model of random weights, run up to its tables."""
    project = new_project(folder)
    add_model(project)
    (folder / "config/config.yaml").write_text(
        yaml.safe_dump(STUDY | {"tasks": [TASK], "statistics": STATISTICS}, sort_keys=False)
    )
    project.run("--cores", "2", "tables", "results/provenance.json")
    return project


def enlarge(project: Project, wanted: argparse.Namespace) -> None:
    """Put more models, personas, suites and cases into the files of a study that has run.

    Answers are drawn at random, scored by the real program, and stand behind prompts of the real
    length; further suites are copies of the first, and so are rows of tables.
    """
    root = project.path
    # Some need more than a prompt: readings of a model, or tokens of its own.
    files_of = {path.stem: path.read_text() for path in (root / "config/personas").glob("*.yaml")}
    known = sorted(id_ for id_, text in files_of.items() if not MORE.search(text))
    first = STUDY["baseline"]
    personas = [first, *(id_ for id_ in known if id_ != first)][: wanted.personas]
    models = [FIRST, *(f"{FIRST}_{number}" for number in range(2, wanted.models + 1))]
    for name in models[1:]:
        model = yaml.safe_load((root / f"config/models/{FIRST}.yaml").read_text())
        model["title"] = f"Random weights, copy {name}"
        (root / f"config/models/{name}.yaml").write_text(yaml.safe_dump(model))
    cases = more_cases(root / f"resources/datasets/{DATASET}.parquet", wanted.cases)
    (view,) = (root / "results/config/scoring").glob(f"{TASK}-*.json")
    scoring, rng = files.read_json(view), np.random.default_rng(1)
    for model in models:
        for persona in personas:
            answer(root, f"{model}/{TASK}/{persona}", cases, scoring, rng)
    tasks = [TASK, *(more_suites(root, models, number) for number in range(2, wanted.suites + 1))]
    for path in sorted((root / "results/tables").glob("*.parquet")):
        table = files.read_table(path)
        # The baseline is not compared with itself.
        others = personas[1:] if path.stem in ("contrasts", "robustness") else personas
        for column, ids in (("model", models), ("persona", others), ("task", tasks)):
            if column in table.columns and table.height:
                one = table.filter(pl.col(column) == table.item(-1, column))
                table = pl.concat(one.with_columns(pl.lit(id_).alias(column)) for id_ in ids)
        files.write_table(drawn(table, rng), path, {})
    project.edit(
        "config/config.yaml",
        lambda settings: settings.update(models=models, personas=personas, tasks=tasks, limit=None),
    )
    path = root / "results/provenance.json"
    provenance = files.read_json(path)
    settings = yaml.safe_load((root / "config/config.yaml").read_text())
    study = load_study(settings, root / "config", check_schema)
    provenance["configuration"] = configuration(study)
    provenance["models"] = dict.fromkeys(models, provenance["models"][FIRST])
    sets = dict.fromkeys(study.datasets, provenance["datasets"][DATASET])
    provenance["datasets"] = sets
    files.write_text(root / SETTINGS, files.canonical_json(dict(views(study))["judged_figures"]))
    files.write_text(path, files.canonical_json(provenance))


def more_suites(root: Path, models: list[str], number: int) -> str:
    """A copy of the first suite, cases, answers and all; its id."""
    id_, dataset = f"{TASK}_{number}", f"{DATASET}_{number}"
    for kind, old, new, more in (
        ("tasks", TASK, id_, {"dataset": dataset}),
        ("datasets", DATASET, dataset, {}),
    ):
        told = yaml.safe_load((root / f"config/{kind}/{old}.yaml").read_text()) | more
        told["title"] += f", copy {number}"
        (root / f"config/{kind}/{new}.yaml").write_text(yaml.safe_dump(told))
    items = root / "resources/datasets"
    shutil.copy(items / f"{DATASET}.parquet", items / f"{dataset}.parquet")
    for stage in ("delivered", "responses", "scores"):
        for model in models:
            place = root / "results" / stage / model
            shutil.copytree(place / TASK, place / id_)
    return id_


def drawn(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Tests of which a third are beyond chance, and a third of these robust."""
    if "p_holm" in table.columns:
        p = pl.Series(rng.uniform(0, 0.15, table.height))
        table = table.with_columns(
            p_holm=pl.when(pl.col("p_holm").is_not_null()).then(p).otherwise(None)
        )
    if "verdict" in table.columns:
        verdicts = ["robust", "not beyond controls", "not beyond wording"]
        table = table.with_columns(verdict=pl.Series(rng.choice(verdicts, table.height)))
    return table


def more_cases(path: Path, n: int) -> pl.DataFrame:
    """Copies of the cases of a data set, each with an id and a last sentence of its own."""
    table = files.read_table(path)
    numbered = pl.concat([table] * (-(-n // table.height))).head(n).with_row_index("number")
    cases = numbered.with_columns(
        pl.format("{}_{}", "item_id", "number").alias("item_id"),
        pl.format("{} Visit {}.", "case", "number").alias("case"),
    ).drop("number")
    files.write_table(cases, path, {})
    return cases


def answer(
    root: Path,
    cell: str,
    cases: pl.DataFrame,
    scoring: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    """Write the files of a cell, in the form of those of a cell that was answered."""
    persona = cell.rpartition("/")[2]
    small = f"{FIRST}/{TASK}/{STUDY['personas'][1]}.parquet"
    told = yaml.safe_load((root / f"config/personas/{persona}.yaml").read_text())["texts"]["main"]
    text = pl.format("<s>{}\n{}\n{}</s>", pl.lit(told), pl.lit(INSTRUCTION), "case")
    delivered = files.read_table(root / "results/delivered" / small).head(1)
    keys = {"item_id": cases["item_id"], "text": cases.select(text).to_series()}
    write_like(delivered, keys, root / f"results/delivered/{cell}.parquet")
    labels = [entry["label"] for entry in scoring["labels"]]
    logprob = np.log(rng.dirichlet(np.ones(len(labels)), cases.height))
    responses = files.read_table(root / "results/responses" / small).head(1)
    said = {
        "item_id": cases["item_id"],
        "text": pl.Series([f" {labels[place]}." for place in logprob.argmax(axis=1)]),
        "label_logprob": pl.Series(logprob.tolist()),
        "label_mass": pl.Series(rng.random(cases.height)),
    }
    table = write_like(responses, said, root / f"results/responses/{cell}.parquet")
    files.write_table(score(table, cases, scoring), root / f"results/scores/{cell}.parquet", {})


def write_like(one: pl.DataFrame, columns: dict[str, pl.Series], path: Path) -> pl.DataFrame:
    """A table of many rows like one, but for some columns."""
    n = len(columns["item_id"])
    table = pl.concat([one] * n).with_columns(s.alias(name) for name, s in columns.items())
    files.write_table(table, path, {})
    return table


def write_report(project: Project, single_file_mb: float) -> tuple[float, float, float]:
    """Write the report; seconds that took, megabytes of the page and of the folder."""
    path = project.path / "results/provenance.json"
    provenance = files.read_json(path)
    provenance["configuration"]["study"]["report"]["single_file_mb"] = single_file_mb
    files.write_text(path, files.canonical_json(provenance))
    names = sorted(file.stem for file in (project.path / "results/tables").glob("*.parquet"))
    command = [sys.executable, str(paths.ROOT / "workflow/scripts/write_report.py")]
    command += ["--provenance", "results/provenance.json", "--tables", "results/tables"]
    command += ["--names", *names, "--settings", SETTINGS, "--summary", "results/summary.md"]
    command += ["--reference", "config/README.md", "--citation", "CITATION.cff"]
    command += ["--report", "results/report.html", "--folder", "results/report"]
    start = time.perf_counter()
    subprocess.run(command, cwd=project.path, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    page = (project.path / "results/report.html").stat().st_size
    beside = sum(f.stat().st_size for f in (project.path / "results/report").rglob("*.js"))
    return seconds, page / MB, beside / MB


def shown(page: Page) -> None:
    """Wait until the list shows what the address says."""
    page.wait_for_function("document.body.dataset.ready === (location.hash || '#')")


Seconds = tuple[float, float]


def cpu_seconds() -> float:
    """Processor time of Chromium so far, all of its processes together."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.name().startswith("chrom"):
                times = process.cpu_times()
                total += times.user + times.system
    return total


def measured(browser: Browser, address: str) -> dict[str, Seconds]:
    """Of one opening of the page, and of every filter: seconds, and seconds of a processor."""
    context = browser.new_context(offline=True, bypass_csp=True)
    page = context.new_page()
    start, before = time.perf_counter(), cpu_seconds()
    found = {}

    def done(name: str, seconds: float | None = None) -> None:
        passed = time.perf_counter() - start if seconds is None else seconds
        found[name] = (passed, cpu_seconds() - before)

    page.goto(address, wait_until="commit")
    page.wait_for_selector("#overview tbody tr", timeout=WAIT_MS)
    done("overview seen")
    page.wait_for_selector("body[data-ready]", timeout=WAIT_MS)
    done("first view: overview and list of cases")
    page.wait_for_selector("body[data-drawn]", timeout=WAIT_MS)
    done("all figures drawn")
    for name, action in FILTERS.items():
        page.locator("#cases-reset").click()
        shown(page)
        if name.startswith("search"):
            page.locator("#filter-q").click()
            page.wait_for_timeout(BEFORE_TYPING_S * 1000)
        before = cpu_seconds()
        done(name, page.evaluate(TIMED, action))
    page.locator("#cases-reset").click()
    shown(page)
    start, before = time.perf_counter(), cpu_seconds()
    page.locator("#cases-list a").nth(3).click()
    page.wait_for_selector("#case .card")
    done("a case opened")
    start, before = time.perf_counter(), cpu_seconds()
    page.locator("#overview details[open] th a").last.click()
    page.wait_for_selector("#suite-tests .tabulator-row")
    done("a suite opened")
    start, before = time.perf_counter(), cpu_seconds()
    page.locator("#find").fill("abdominal pain")
    page.wait_for_selector("body[data-found]", timeout=WAIT_MS)
    done("search over everything, the first time")
    context.close()
    return found


def rows(rounds: list[dict[str, Seconds]]) -> Iterator[str]:
    """What was measured, as rows of a table."""
    first = [name for name in rounds[0] if name.startswith(("overview", "first view"))]
    limits = dict.fromkeys(first, FIRST_VIEW_S) | dict.fromkeys(FILTERS, FILTER_S)
    for name in rounds[0]:
        seconds, cpu = zip(*(one[name] for one in rounds), strict=True)
        wanted = f"{limits[name]:g}" if name in limits else ""
        yield (
            f"| {name} | {median(seconds):.2f} | {max(seconds):.2f} | {median(cpu):.2f} | "
            f"{wanted} |"
        )


def table(project: Project, chromium: str | None) -> Iterator[str]:
    """What was measured of both forms of the report, as Markdown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for title, single_file_mb in (("Data in the page", 1e6), ("Data beside the page", 0)):
            seconds, page, beside = write_report(project, single_file_mb)
            address = (project.path / "results/report.html").as_uri()
            rounds = [measured(browser, address) for _ in range(ROUNDS)]
            yield ""
            yield (
                f"**{title}**: written in {seconds:.0f} s; page {page:.1f} MB, folder "
                f"{beside:.1f} MB."
            )
            yield from ("", "| | median, s | largest, s | processor, median, s | wanted, s |")
            yield from ("|---|---|---|---|---|", *rows(rounds))
        browser.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--models", type=int, default=10)
    options.add_argument("--personas", type=int, default=12)
    options.add_argument("--suites", type=int, default=6)
    options.add_argument("--cases", type=int, default=1000, help="of every suite")
    options.add_argument(
        "--folder", type=Path, help="empty folder for the study; else a temporary one"
    )
    options.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    arguments = options.parse_args()
    chromium = os.environ.get("PERSONA_CHROMIUM") or shutil.which("chromium")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "study"
        project = small_study(folder)
        enlarge(project, arguments)
        about = (
            f"{arguments.models} models × {arguments.personas} personas × {arguments.suites} "
            f"suites × {arguments.cases:,} cases, {ROUNDS} openings, on {readme.processor()} "
            f"({os.cpu_count()} cores), Python {platform.python_version()}.{readme.busy(load)}"
        )
        text = "\n".join([about, *table(project, chromium)])
    print(text)
    if arguments.write:
        readme.write("large report", text)


if __name__ == "__main__":
    main()
