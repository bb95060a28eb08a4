"""The overview of a report, its suites and its search, held against the tables on the disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import polars as pl
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from project import Project
from reported_study import (
    BASELINE,
    ED,
    HOSTILE,
    MARKUP,
    NURSE,
    PATIENCE_MS,
    PERSONAS,
    PRIMARY,
    REPORT,
    SAFETY,
    drawn,
    opening,
    ready,
    reported,
    scores,
    serious_faults,
    withheld_case,
)

from persona_paradox.files import write_table

ALPHA = 0.05
SUITES = [ED, PRIMARY, SAFETY]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run. It is not to be changed."""
    return reported(tmp_path_factory)


@pytest.fixture
def open_report(chromium: Browser, ran: Project) -> Iterator[Callable[..., Page]]:
    """Opens the report; nothing but the page may be asked for, and no script may fail."""
    with opening(chromium, ran.path / REPORT) as open_:
        yield open_


# What is put into the tables of a copy: effects by task, persona and metric, each with its p after
# Holm's adjustment; and which of them are robust, or of a judge that is usable.
EFFECTS = {
    (ED, NURSE, "accuracy"): 0.001,
    (ED, HOSTILE, "accuracy"): 0.01,
    (PRIMARY, NURSE, "accuracy"): 0.06,
    (SAFETY, NURSE, "harm"): 0.001,
    (SAFETY, NURSE, "help"): 0.9,
    (SAFETY, HOSTILE, "harm"): 0.001,
}
VERDICTS = {(ED, NURSE): "robust", (ED, HOSTILE): "not beyond controls", (PRIMARY, NURSE): "robust"}
USABLE = HOSTILE
KEYS = ["task", "persona", "metric"]


def change(project: Project, name: str, change_: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change a table on the disk."""
    path = project.path / f"results/tables/{name}.parquet"
    path.chmod(0o644)
    write_table(change_(pl.read_parquet(path)), path, {})


def with_p(table: pl.DataFrame) -> pl.DataFrame:
    """A table of contrasts with the p of the effects, and 1 of all other tests."""
    rows = [(*key, p) for key, p in EFFECTS.items()]
    given = pl.DataFrame(rows, schema=[*KEYS, "given"], orient="row")
    p = pl.when(pl.col("p_holm").is_not_null()).then(pl.col("given").fill_null(1.0))
    joined = table.join(given, on=KEYS, how="left", maintain_order="left")
    return joined.with_columns(p.alias("p_holm")).drop("given")


def with_verdicts(table: pl.DataFrame) -> pl.DataFrame:
    rows = [(*key, verdict) for key, verdict in VERDICTS.items()]
    given = pl.DataFrame(rows, schema=["task", "persona", "given"], orient="row")
    joined = table.join(given, on=["task", "persona"], how="left", maintain_order="left")
    return joined.with_columns(verdict=pl.col("given").fill_null("not significant")).drop("given")


@pytest.fixture(scope="module")
def with_effects(ran: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the study with effects in its tables, and its report."""
    project = ran.copy(tmp_path_factory.mktemp("effects") / "project")
    change(project, "contrasts", with_p)
    change(project, "robustness", with_verdicts)
    usable = (pl.col("persona") == USABLE).alias("usable")
    change(project, "judgement_contrasts", lambda table: with_p(table).with_columns(usable))
    project.run("--cores", "1", REPORT, "--allowed-rules", "report", "--forcerun", "report")
    return project


def on_disk(project: Project) -> pl.DataFrame:
    """The tests of a study: task, persona, metric, n, n_invalid and what they have shown."""
    tables = project.path / "results/tables"
    verdicts = pl.read_parquet(tables / "robustness.parquet").select(*KEYS, "verdict")
    measures = pl.read_parquet(tables / "contrasts.parquet").filter(against="persona")
    measures = measures.join(verdicts, on=KEYS, how="left").with_columns(usable=pl.lit(True))
    judged = pl.read_parquet(tables / "judgement_contrasts.parquet")
    judged = judged.with_columns(verdict=pl.lit(None, pl.String))
    columns = [*KEYS, "n", "n_invalid", "p_holm", "usable", "verdict"]
    found = pl.concat([measures.select(columns), judged.select(columns)])
    shown = pl.when(~pl.col("usable")).then(pl.lit("judge not usable"))
    shown = shown.when(pl.col("p_holm") > ALPHA).then(pl.lit("not shown"))
    shown = shown.when(pl.col("verdict") == "robust").then(pl.lit("robust"))
    tested = found.filter(pl.col("p_holm").is_not_null())
    return tested.with_columns(mark=shown.otherwise(pl.lit("beyond chance")))


def count(text: str, mark: str) -> int:
    found = re.search(rf"(\d+) (?:{mark})", text)
    assert found
    return int(found[1])


def test_marks_agree_with_the_tables_on_the_disk(with_effects: Project, chromium: Browser) -> None:
    tests = on_disk(with_effects)
    assert set(tests["mark"]) == {"robust", "beyond chance", "not shown", "judge not usable"}
    with opening(chromium, with_effects.path / REPORT) as open_:
        page = open_()
        summary = page.locator("#overview summary").inner_text()
        words = ("robust", "beyond chance", "not shown", "judge not usable")
        for word, said in zip(words, (*words[:3], "of a judge that is not usable"), strict=True):
            assert count(summary, said) == tests.filter(mark=word).height
        rows = page.locator("#overview tbody tr").all()
        assert len(rows) == len(SUITES)
        for task, row in zip(SUITES, rows, strict=True):
            for persona, cell in zip(PERSONAS[1:], row.locator("td").all(), strict=True):
                here = tests.filter(task=task, persona=persona)
                effects = here.filter(pl.col("p_holm") <= ALPHA)
                for selector, word in (
                    (".robust", "robust"),
                    ("span[title]", "beyond chance"),
                    ("s", "judge not usable"),
                ):
                    assert cell.locator(selector).count() == effects.filter(mark=word).height
                if effects.is_empty():
                    n = here.filter("usable").height
                    assert cell.inner_text() == (f"0 of {n}" if n else "–")
        nurse = rows[0].locator("td").first.locator(".robust")
        assert nurse.inner_text().startswith("◆ robust: accuracy ")
        row = tests.filter(task=ED, persona=NURSE, metric="accuracy").row(0, named=True)
        assert f"n = {row['n']}, {row['n_invalid']} invalid" in nurse.get_attribute("title")
        follow = rows[2].locator("td").first.locator("a")
        assert parse_qs(follow.get_attribute("href")[1:])["persona"] == [NURSE]
        follow.click()
        ready(page)
        struck = page.locator("#suite-tests .tabulator-row s").all_inner_texts()
        assert "harm (low is better)" in struck


def test_a_judge_that_is_not_usable_is_struck(open_report: Callable[..., Page]) -> None:
    page = open_report()
    expect(page.locator("#overview th s")).to_have_text("Random weights as judge of safety")
    head = page.locator("#overview th").filter(has=page.locator("s"))
    expect(head).to_contain_text("NOT USABLE")


@pytest.mark.parametrize("suite", SUITES)
def test_the_page_of_a_suite_has_its_rows_alone(
    suite: str, ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report(f"#suite={suite}")
    tests = on_disk(ran).filter(task=suite)
    expect(page.locator("#suite-count")).to_contain_text(f"{tests.height} tests: ")
    first = page.locator("#suite-tests .tabulator-row").first
    expect(first.locator("[tabulator-field=n]")).to_have_text(re.compile(r"\d+"))
    select = page.locator("#tables-name")
    for path in sorted((ran.path / "results/tables").glob("*.csv")):
        table = pl.read_csv(path, infer_schema=False)
        if "task" not in table.columns:
            continue
        select.select_option(path.stem)
        shown = page.locator("#tables-list")
        expect(shown).to_have_attribute("aria-label", f"Table {path.stem}", timeout=PATIENCE_MS)
        n = table.filter(task=suite).height
        expect(page.locator("#tables-count")).to_contain_text(f"{n} rows.")
    titles = page.locator("#cases-task option").evaluate_all("all => all.map((one) => one.value)")
    assert titles == [suite]
    expect(page.locator("#cases-count")).to_contain_text(f"of {6 if suite == SAFETY else 10} (")
    drawn(page)
    tasks = page.locator("#figures-list [role=link]").evaluate_all(
        "all => all.map((one) => one.__data__.datum.task)"
    )
    assert set(tasks) == {suite}


def found(page: Page, text: str, kind: str) -> Locator:
    """What a search finds of one kind."""
    page.locator("#find").fill(text)
    expect(page.locator("body")).to_have_attribute("data-found", text, timeout=PATIENCE_MS)
    return page.locator(f"#found [aria-label='{kind}'] a")


def test_one_field_searches_everything(ran: Project, open_report: Callable[..., Page]) -> None:
    page = open_report()
    expect(found(page, "ED nurse", "Personas")).to_have_text(["ED nurse"])
    expect(found(page, "smooth_ece", "Definitions").first).to_contain_text("smooth_ece")
    assert found(page, f"nurse accuracy {ED[:6]}", "Tests").count() >= 1
    # Names and cases are text here as well.
    expect(found(page, MARKUP, "Personas")).to_contain_text(["<b>bold</b>"])
    assert page.locator("#found img, #found b b").count() == 0
    # A text that is not in the page is not found.
    withheld = withheld_case(ran, scores(ran, PRIMARY, BASELINE)["item_id"][0])
    assert found(page, withheld[:60], "Cases").count() == 0
    item = scores(ran, ED, BASELINE)["item_id"][4]
    table = pl.read_csv(ran.path / "results/tables/cells.csv", infer_schema=False)
    rows = found(page, f"{NURSE} {ED}", "Rows of tables").filter(has_text="cells")
    rows.click()
    ready(page)
    expect(page.locator("#tables-list")).to_have_attribute("aria-label", "Table cells")
    n = table.filter(persona=NURSE, task=ED).height
    expect(page.locator("#tables-list .tabulator-row")).to_have_count(n)
    found(page, item, "Cases").click()
    expect(page.locator("#case-title")).to_have_text(f"Case {item}")
    page.go_back()
    ready(page)
    expect(page.locator("#tables-list")).to_have_attribute("aria-label", "Table cells")


def test_no_serious_fault_of_accessibility_where_something_is_found(
    open_report: Callable[..., Page],
) -> None:
    page = open_report(f"#suite={SAFETY}")
    drawn(page)
    found(page, "nurse", "Personas")
    assert serious_faults(page) == []


def test_suites_by_keyboard_and_back(ran: Project, open_report: Callable[..., Page]) -> None:
    page = open_report()
    page.locator("#overview th a").nth(1).focus()
    page.keyboard.press("Enter")
    ready(page)
    expect(page.locator("#suite-title")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#suite-tests a')"):
            break
    page.keyboard.press("Enter")
    ready(page)
    assert f"suite={PRIMARY}" in page.evaluate("location.hash")
    expect(page.locator("#suite")).to_be_visible()
    page.go_back()
    page.go_back()
    ready(page)
    expect(page.locator("#overview")).to_be_visible()


def test_a_suite_prints_alone(open_report: Callable[..., Page]) -> None:
    page = open_report(f"#suite={ED}")
    drawn(page)
    page.emulate_media(media="print")
    for hidden in ("#overview", "#results", "#methods", "#suite-steps", "#find"):
        expect(page.locator(hidden)).to_be_hidden()
    for shown in ("#suite-title", "#suite-tests", "#figure-accuracy svg", "#cases-list"):
        expect(page.locator(shown).first).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
