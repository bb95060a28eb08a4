"""The study whose report is read in a browser, and the browser that reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from project import STUDY, Project, add_model, new_project
from safety_study import CAREFUL, CAREFUL_FILE, write
from studies import shared

from persona_paradox.files import table_bytes

# A machine that does other things, too, takes its time to draw; what is never there still fails.
PATIENCE_MS = 60_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
REPORT = "results/report.html"
ED, PRIMARY, SAFETY = "triage_ed", "triage_primary", "safety_teaching"
BASELINE, NURSE, HOSTILE = "no_persona", "ed_nurse", "hostile"
PERSONAS = [BASELINE, NURSE, "bridge_engineer", HOSTILE]

# What tries to be more than text.
SCRIPT = "</script><script>document.title='owned'</script>"
MARKUP = f"<b>bold</b> <img src=x onerror=alert(1)> \"q\" 'r' & {SCRIPT}"
RIGHT_TO_LEFT = "مرحبا \u202eabc\u202c"
LONG = "x" * 300


def make(path: Path) -> Project:
    """A study of random weights, with everything in it that a page could stumble over."""
    project = new_project(path)
    add_model(project)
    settings = {
        "title": f"A study of {MARKUP}",
        "tasks": [ED, PRIMARY, SAFETY],
        "personas": PERSONAS,
        "limit": 10,
        "limits": {SAFETY: 6},
        "judges": ["careful"],
        "statistics": {"draws": 100},
        "figures": ["answer_outcomes", "triage_accuracy"],
    }
    write(project, "config/config.yaml", STUDY | settings)
    persona = {"title": f"Hostile {MARKUP}", "group": "own", "texts": {"main": f"You are {MARKUP}"}}
    write(project, f"config/personas/{HOSTILE}.yaml", persona)
    write(project, CAREFUL_FILE, {k: v for k, v in CAREFUL.items() if k != "list"})
    for task in (ED, SAFETY):
        project.edit(f"config/tasks/{task}.yaml", lambda t: t["decoding"].update(max_tokens=12))
    project.edit(
        "config/tasks/triage_ed.yaml",
        lambda t: t["decoding"].update(sampled={"answers": 2, "temperature": 2.0}),
    )
    # The texts of one set may not be passed on.
    project.edit(
        "config/datasets/teaching_primary.yaml",
        lambda dataset: dataset["licence"].update(redistribution=False),
    )
    file = path / "resources/bundled/teaching_ed.csv"
    table = pl.read_csv(file, infer_schema=False)
    odd = pl.format("{} {} {} {}", "id", pl.lit(MARKUP), pl.lit(RIGHT_TO_LEFT), pl.lit(LONG))
    hostile = pl.when(pl.col("esi") == "1").then(odd).otherwise("case")
    table.with_columns(hostile.alias("case")).write_csv(file)
    return project


def give(path: Path, answers: list[str]) -> None:
    """Put greedy answers in the place of those in a file of responses."""
    table, metadata = pl.read_parquet(path), pl.read_parquet_metadata(path)
    metadata = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
    items = table["item_id"].unique(maintain_order=True)
    given = pl.col("item_id").replace_strict(items, answers)
    text = pl.when(pl.col("repeat") == 0).then(given).otherwise("text")
    path.write_bytes(table_bytes(table.with_columns(text.alias("text")), metadata))


def withheld_case(project: Project, item: str) -> str:
    path = project.path / "resources/datasets/teaching_primary.parquet"
    case: str = pl.read_parquet(path).filter(item_id=item).item(0, "case")
    return case


def run(path: Path) -> None:
    project = make(path)
    ed, primary = (
        project.path / f"results/responses/tiny/{task}/{NURSE}.parquet" for task in (ED, PRIMARY)
    )
    project.run("--cores", "1", *(str(p.relative_to(project.path)) for p in (ed, primary)))
    give(ed, ["1", "2", "3", "4", "5", f"5 {MARKUP}", RIGHT_TO_LEFT, LONG, "1", "2"])
    case = withheld_case(project, pl.read_parquet(primary).item(2, "item_id"))
    give(primary, ["A", "B", f"A. You say: {case}", *"CABCABC"])
    project.run("--cores", "1", REPORT)


def reported(factory: pytest.TempPathFactory) -> Project:
    """The study that has run, for all who read its report. It is not to be changed."""
    return shared(factory, "reported", run)


@contextmanager
def opening(chromium: Browser, report: Path) -> Iterator[Callable[..., Page]]:
    """What opens the report; nothing but the page may be asked for, and no script may fail."""
    requests: list[str] = []
    errors: list[str] = []
    contexts = []

    def open_(
        hash_: str = "", *, path: Path | None = None, viewport: dict[str, int] = DESKTOP
    ) -> Page:
        context = chromium.new_context(viewport=viewport, offline=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto((path or report).as_uri() + hash_)
        ready(page)
        return page

    open_.errors = errors  # type: ignore[attr-defined]
    yield open_
    for context in contexts:
        context.close()
    allowed = re.compile(r"file://.*/results/(report\.html|report/[\w/]+\.js)(#.*)?$")
    assert [url for url in requests if not allowed.match(url)] == []
    assert errors == []


def ready(page: Page) -> None:
    """Wait until the page shows what its address says."""
    address = page.evaluate("location.hash") or "#"
    expect(page.locator("body")).to_have_attribute("data-ready", address, timeout=PATIENCE_MS)


def drawn(page: Page) -> None:
    """Wait until all figures are drawn."""
    body = page.locator("body")
    expect(body).to_have_attribute("data-drawn", re.compile(r"\d+"), timeout=PATIENCE_MS)


def listed(page: Page) -> list[str]:
    """Ids of the cases in the list."""
    ready(page)
    return page.locator(
        "#cases-list .tabulator-row .tabulator-cell:first-child a"
    ).all_inner_texts()


def scores(project: Project, task: str, persona: str) -> pl.DataFrame:
    """The greedy answers of a cell, in the order of the study."""
    path = project.path / f"results/scores/tiny/{task}/{persona}.parquet"
    return pl.read_parquet(path).filter(pl.col("repeat") == 0)


def answer(project: Project, task: str, persona: str, item: str) -> dict:
    path = project.path / f"results/responses/tiny/{task}/{persona}.parquet"
    rows = pl.read_parquet(path).filter((pl.col("item_id") == item) & (pl.col("repeat") == 0))
    return rows.row(0, named=True)


def serious_faults(page: Page) -> list[tuple[str, list[str], str]]:
    """What axe-core calls a serious or critical fault of accessibility: where, and why."""
    return [
        (one["id"], node["target"], node["failureSummary"])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
