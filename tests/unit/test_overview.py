"""The overview of the report, a page for each suite, and the search over everything."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import toy_page
from playwright.sync_api import Browser, Page, expect
from root import ROOT

from persona_paradox.report.findings import Effect, effects_of
from persona_paradox.report.overview import MOST, mark, overview


def effects() -> list[Effect]:
    return effects_of(toy_page.tables())


def cells(found: list[Effect]) -> dict[str, dict]:
    """Suite → the cell of the gambler."""
    (model,) = overview(found, toy_page.settings(), toy_page.SUITES, {"tiny": "Tiny"})
    assert model["personas"] == ["Gambler"]
    return {suite["id"]: suite["cells"][0] for suite in model["suites"]}


def test_a_mark_needs_the_verdict_and_holms_adjustment_and_a_usable_judge() -> None:
    robust = effects()[0]
    assert robust.verdict == "robust"
    for changes, wanted in (
        ({}, "robust"),
        ({"p": 0.06}, "not shown"),
        ({"verdict": "not beyond controls"}, "beyond chance"),
        ({"verdict": None}, "beyond chance"),
        ({"usable": False}, "judge not usable"),
    ):
        assert mark(replace(robust, **changes), 0.05) == wanted


def test_a_cell_says_the_first_effects_and_how_many_there_are() -> None:
    robust, plain = effects()[:2]
    many = [replace(plain, metric=f"measure_{at}", value=0.1 * at) for at in range(1, 5)]
    struck = replace(many[3], usable=False, judge="strict")
    cell = cells([struck, *many, replace(many[0], p=0.5), robust])["coin"]
    assert [one["mark"] for one in cell["effects"]] == ["robust", "beyond chance", "beyond chance"]
    assert [one["text"].split()[0] for one in cell["effects"]] == ["accuracy", "measure", "measure"]
    assert cell["effects"][1]["text"] == "measure 4 +0.40"
    assert cell["more"] == 6 - MOST
    # Those of a judge that is not usable are no tests of which one could say how many showed none.
    assert cell["n_tests"] == 6
    numbers = "[−60.0, −40.0], n = 4, 1 invalid, p (Holm) 0.001, robust"
    assert cell["effects"][0]["numbers"] == numbers
    assert overview([], toy_page.settings(), toy_page.SUITES, {"tiny": "Tiny"}) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page."""
    programs = runpy.run_path(str(ROOT / "workflow/scripts/write_report.py"))["programs"]
    return toy_page.write(tmp_path_factory.mktemp("toy"), programs())


def test_the_archive_is_of_the_study_of_the_page(tmp_path: Path) -> None:
    study = "snakemake --cores all --configfile config/studies/night.yaml"
    text = toy_page.write(tmp_path, [], ["config/studies/night.yaml"]).read_text(encoding="utf-8")
    assert f"{study}\n{study} -- results/archive.zip" in text
    assert "make archive" not in text
    text = toy_page.write(tmp_path, []).read_text(encoding="utf-8")
    assert "make\nmake archive " in text


@pytest.fixture
def page(chromium: Browser, written: Path) -> Iterator[Page]:
    """The page, opened; no script may fail."""
    errors: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(written.as_uri())
    expect(opened.locator("body")).to_have_attribute("data-ready", "#", timeout=60_000)
    yield opened
    context.close()
    assert errors == []


def test_robust_ones_are_marked_others_plain_and_those_not_usable_struck(page: Page) -> None:
    summary = page.locator("#overview summary").inner_text()
    assert summary == (
        "Tiny: 1 robust, 1 beyond chance alone, 1 not shown, 1 of a judge that is not usable"
    )
    coin, essay = page.locator("#overview tbody tr").all()
    robust, plain = coin.locator("td a > *").all()
    assert robust.inner_text() == "◆ robust: accuracy −50.0 points"
    assert "robust" in robust.get_attribute("class")
    assert plain.inner_text() == "invalid rate +25.0 points"
    assert (plain.evaluate("one => one.tagName"), plain.get_attribute("class")) == ("SPAN", None)
    assert "n = 4, 1 invalid" in plain.get_attribute("title")
    struck = essay.locator("td s")
    assert struck.text_content() == "not usable: wit (high is better) +0.50"
    assert essay.locator("th s").inner_text() == "Strict judge"
    expect(essay.locator("th")).to_contain_text("NOT USABLE")


def shown_tests(page: Page) -> list[list[str]]:
    """What the tests of a suite say: what was shown, of which measure."""
    rows = page.locator("#suite-tests .tabulator-row").all()
    fields = ("mark", "measure", "difference", "n", "n_invalid")
    return [
        [row.locator(f"[tabulator-field={one}]").inner_text() for one in fields] for row in rows
    ]


def follow(page: Page, act: Callable[[], None], hash_: str) -> None:
    """Do something, and wait until the page shows what its address then says."""
    act()
    expect(page.locator("body")).to_have_attribute("data-ready", hash_, timeout=60_000)


def test_a_page_of_a_suite_has_its_results_alone(page: Page) -> None:
    link = page.locator("#overview th a", has_text="Coin")
    follow(page, link.click, "#suite=coin")
    expect(page.locator("#suite-title")).to_be_focused()
    expect(page.locator("#suite-title")).to_have_text("Coin")
    expect(page.locator("#suite-count")).to_contain_text("2 tests: 1 robust, 1 beyond chance")
    assert shown_tests(page) == [
        ["◆ robust", "accuracy", "−50.0 points [−60.0, −40.0]", "4", "1"],
        ["beyond chance", "invalid rate", "+25.0 points [+15.0, +35.0]", "4", "1"],
    ]
    for hidden in ("study", "overview", "results", "methods", "cite"):
        expect(page.locator(f"#{hidden}")).to_be_hidden()
    for select in ("figures-task", "cases-task"):
        assert page.locator(f"#{select} option").all_inner_texts() == ["Coin"]
    # A filter keeps to the suite.
    page.locator("#filter-flip").check()
    follow(page, page.locator("#filter-flip").uncheck, "#cases?suite=coin")
    expect(page.locator("#suite")).to_be_visible()
    step = page.locator("#suite-steps").get_by_text("Next")
    follow(page, step.click, "#suite=essay")
    struck = page.locator("#suite-tests .tabulator-row").last.locator("s")
    assert "wit (high is better)" in [one.strip() for one in struck.all_inner_texts()]
    assert [row[0] for row in shown_tests(page)] == ["not shown", "judge not usable"]
    follow(page, page.go_back, "#cases?suite=coin")
    follow(page, page.go_back, "#")
    expect(page.locator("#overview")).to_be_visible()
    expect(page.locator("#suite")).to_be_hidden()
    assert page.locator("#cases-task option").all_inner_texts() == ["Coin", "Essay"]


def test_a_cell_leads_to_the_tests_of_its_model_and_persona(page: Page) -> None:
    hash_ = "#suite=coin&model=tiny&persona=gambler"
    follow(page, page.locator("#overview td a").first.click, hash_)
    expect(page.locator("#suite-count")).to_contain_text("2 tests of Tiny, Gambler: 1 robust")
    cases = page.locator("#suite-tests").get_by_role("link", name="Cases of this test").first
    follow(page, cases.click, "#cases?suite=coin&persona=gambler&flip=1")
    expect(page.locator("#cases-count")).to_contain_text("3 of 4")
    follow(page, page.go_back, hash_)
    follow(page, page.get_by_role("link", name="All tests of this suite").click, "#suite=coin")


@pytest.mark.parametrize("hash_", ["#suite=nowhere", "#suite=toString", "#suite=%"])
def test_a_suite_of_another_study_shows_the_whole_page(hash_: str, page: Page) -> None:
    follow(page, lambda: page.evaluate("hash => { location.hash = hash; }", hash_), hash_)
    expect(page.locator("#overview")).to_be_in_viewport()
    expect(page.locator("#suite")).to_be_hidden()


# What is asked, of which kind what is found, what it says, and where it leads.
SOUGHT = [
    ("gambler", "Personas", "Gambler", "#cases?persona=gambler"),
    ("how amuses", "Definitions", "how much it amuses", "#methods-2"),
    ("wit high", "Tests", "Gambler: wit (high", "#suite=essay&model=tiny&persona=gambler"),
    ("TOSS3", "Cases", "toss3 Toss toss3", "#cases?case=toss3"),
    ("essay", "Suites", "Essay", "#suite=essay"),
    ("sides", "Figures", "Sides", "#drawing-sides"),
]


def test_one_search_finds_everything(page: Page) -> None:
    for words, kind, said, hash_ in SOUGHT:
        page.locator("#find").fill(words)
        expect(page.locator("body")).to_have_attribute("data-found", words)
        link = page.locator(f"#found [aria-label={kind}] a").first
        expect(link).to_contain_text(said)
        link.click()
        assert page.evaluate("location.hash") == hash_
    page.locator("#find").fill("no such thing")
    expect(page.locator("#find-count")).to_contain_text("Nothing is found")
    # Of answers it is said where they can be searched.
    answers = page.locator("#found [aria-label=Answers] a")
    follow(page, answers.last.click, "#cases?task=essay&q=no+such+thing")
    expect(page.locator("#cases-count")).to_contain_text("0 of 4")
    page.locator("#find").fill("")
    expect(page.locator("#found")).to_be_hidden()
