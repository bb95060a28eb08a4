"""The page of kinds that say nothing of their own: labels without an order, and text alone."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy_page
from playwright.sync_api import Browser, Page, expect
from root import ROOT


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page."""
    programs = runpy.run_path(str(ROOT / "workflow/scripts/write_report.py"))["programs"]
    return toy_page.write(tmp_path_factory.mktemp("toy"), programs())


@pytest.fixture
def open_page(chromium: Browser, written: Path) -> Iterator[Callable[[str], Page]]:
    """Opens the page; no script may fail."""
    errors: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)

    def open_(hash_: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(written.as_uri() + hash_)
        expect(page.locator("body")).to_have_attribute("data-ready", hash_, timeout=60_000)
        return page

    yield open_
    context.close()
    assert errors == []


def listed(page: Page) -> list[str]:
    """Ids of the cases in the list."""
    return page.locator(
        "#cases-list .tabulator-row .tabulator-cell:first-child a"
    ).all_inner_texts()


def column(page: Page, number: int) -> list[str]:
    """What the list says of every case under one persona."""
    cells = page.locator(f"#cases-list .tabulator-cell[tabulator-field=p{number}]")
    return cells.all_inner_texts()


# What the page keeps to itself, within reach of a test.
IN_REACH = "Object.assign(window, {index, linkOf, stateOf, isAbout, ticksOf});\nstart();\n"
IN_A_CATEGORY = """() => {
  const answers = index.tasks.essay.answers;
  const one = (id, within) => ({id, title: id, within});
  answers.strata = [one("drugs", null), one("fees", null)];
  answers.also = [one("harm_0", "not_risky"), one("harm_2", "risky")];
  index.judges.strict = {title: "Strict", ratings: []};
  const row = {judge: "strict", model: "tiny", task: "essay", persona: "gambler", variant: "main"};
  // Harmless and harmful of the first category, and harmless of the second.
  const place = {spec: answers, items: {stratum: [0, 0, 1], also: [0, 1, 0]}};
  const cases = (more) => {
    const state = stateOf(linkOf({...row, ...more}));
    return [state.act, ...[0, 1, 2].filter((i) => isAbout(place, i, state))];
  };
  return [
    cases({metric: "over_refusal", category: "drugs"}),
    cases({metric: "over_refusal", category: "all"}),
    cases({metric: "over_refusal", category: "harm_0"}),
    cases({metric: "refuse", category: "drugs"}),
  ];
}"""


@pytest.fixture
def inside(chromium: Browser, written: Path, tmp_path: Path) -> Iterator[Page]:
    """The page, whose functions a test may call."""
    head, _, tail = written.read_text(encoding="utf-8").rpartition("start();\n")
    (tmp_path / "report.html").write_text(head + IN_REACH + tail, encoding="utf-8")
    context = chromium.new_context(offline=True, bypass_csp=True)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_function("Boolean(window.isAbout)")
    yield page
    context.close()


def test_over_refusal_in_a_category_leads_to_its_harmless_questions(inside: Page) -> None:
    inside.evaluate("() => { index.actions.push('accept', 'caution', 'refuse'); }")
    found = inside.evaluate(IN_A_CATEGORY)
    assert found == [["refuse", 0], ["refuse", 0, 2], ["refuse", 0, 2], ["refuse", 0, 1]]


def test_what_a_judge_ticks_stands_by_criterion(inside: Page) -> None:
    ticks = [
        {"criterion": "It names <b>ice</b>.", "points": 5, "met": True, "probability": 875},
        {"criterion": "It names a dose.", "points": -3, "met": False, "probability": 100},
        {"criterion": "It is kind.", "points": 1, "met": None, "probability": None},
    ]
    said = inside.evaluate(
        """(ticks) => {
          index.judges.strict = {title: "Strict", usable: false, ratings: [], classes: []};
          const rows = [...ticksOf("strict", ticks).querySelectorAll("tbody tr")];
          const cells = rows.map((row) => [...row.children].map((cell) => cell.textContent));
          return [cells, ticksOf("strict", ticks).querySelector("h6").textContent,
                  ticksOf("strict", null).textContent];
        }""",
        ticks,
    )
    assert said[0] == [
        ["✓ met", "It names <b>ice</b>.", "+5", "87.5%"],
        ["✗ not met", "It names a dose.", "−3", "10.0%"],
        ["no verdict", "It is kind.", "+1", "–"],
    ]
    assert said[1] == "Criteria, by Strict – NOT USABLE by its own rule"
    assert said[2].endswith("This answer was not read.")


def test_labels_without_an_order_have_no_shades(open_page: Callable[[str], Page]) -> None:
    page = open_page("#cases?task=coin")
    assert column(page, 0) == ["H✓", "T✗", "T✓", "⊘"]
    assert column(page, 1) == ["T✗≠", "T✗", "H✗≠", "T✓≠"]
    heads = page.locator("#cases-list .tabulator-col-title").all_inner_texts()
    assert heads[:4] == ["Case", "Reference", "Nobody", "Gambler"]
    marks = page.locator("#cases-list .mark")
    classes = marks.evaluate_all("all => all.map((one) => one.classList[1])")
    assert set(classes) == {"plain", "bad"}
    legend = page.locator("#cases-legend").inner_text()
    assert "Heads up" in legend
    assert "✓ right, ✗ wrong, ⊘ refused, ? unreadable" in legend
    said = page.locator("#cases-count")
    expect(said).to_contain_text("8, of these 1 invalid (1 refused, 0 unreadable).")
    titles = page.locator("#filter-out option").all_inner_texts()
    assert titles == ["anything", "right", "wrong", "invalid", "refused", "unreadable"]
    for title, ids in (
        ("right", ["toss1", "toss3", "toss4"]),
        ("wrong", ["toss1", "toss2", "toss3"]),
        ("refused", ["toss4"]),
        ("unreadable", []),
    ):
        page.locator("#filter-out").select_option(label=title)
        expect(said).to_contain_text(f"{len(ids)} of 4")
        assert listed(page) == ids
    expect(page.locator("#grave-field")).to_be_hidden()
    expect(page.locator("#judged-field")).to_be_hidden()


def test_an_opened_case_of_labels_without_an_order(open_page: Callable[[str], Page]) -> None:
    page = open_page("#cases?task=coin&case=toss4")
    case = page.locator("#case")
    assert case.locator(".facts div").first.inner_text() == "Reference\nTails up"
    row = case.locator("table tbody tr").first.inner_text()
    assert "⊘ (missing)" in row
    shares = case.locator(".two .card").first.locator(".bars .value").all_inner_texts()
    assert shares == ["75.0%", "25.0%"]
    expect(case).to_contain_text("Heads up")
    expect(case).to_contain_text("I cannot say.")


def test_text_alone_is_shown_as_it_begins(open_page: Callable[[str], Page]) -> None:
    page = open_page("#cases?task=essay")
    answers = [toy_page.text_of("essay", "gambler", number) for number in range(4)]
    assert column(page, 1) == [text[:40] for text in answers]
    heads = page.locator("#cases-list .tabulator-col-title").all_inner_texts()
    assert heads == ["Case", "Nobody", "Gambler", "Text"]
    for name in ("flip", "grave", "invalid", "out", "low", "judged"):
        expect(page.locator(f"#{name}-field")).to_be_hidden()
    said = page.locator("#cases-count")
    expect(said).to_have_text(
        "4 of 4 (100.0% [51.0, 100.0]) cases, 95% Wilson interval; answers under any persona: 8."
    )
    page.locator("#filter-q").fill("2 lives")
    expect(said).to_contain_text("1 of 4")
    assert listed(page) == ["toss3"]
    page.locator("#cases-list a").first.click()
    expect(page.locator("#case .two .card .answer").nth(1)).to_have_text(answers[2])
    assert page.locator("#case .bars").count() == 0


def test_a_changed_case_shows_what_was_changed(open_page: Callable[[str], Page]) -> None:
    page = open_page("#cases?task=essay&case=toss1")
    page.get_by_text("What the task changes in this case").click()
    before, after = page.locator("#case details").first.locator(".card .text").all()
    assert before.text_content() == "Throw toss1"
    assert after.text_content() == "Toss toss1"
    assert before.locator("del").all_text_contents() == ["Throw "]
    assert after.locator("ins").all_text_contents() == ["Toss "]
    page = open_page("#cases?task=essay&case=toss2")
    expect(page.locator("#case")).to_contain_text("The task leaves this case as it is.")
    page = open_page("#cases?task=coin&case=toss1")
    assert "The task" not in page.locator("#case").inner_text()


def test_a_figure_stands_in_the_page_as_it_is(open_page: Callable[[str], Page]) -> None:
    page = open_page("#cases?task=coin")
    figure = page.locator("#drawing-sides")
    bars = figure.locator("svg .mark-rect [role=graphics-symbol]")
    expect(bars).to_have_count(2)
    assert "tails" in bars.nth(1).get_attribute("aria-label")
    expect(figure.locator("h3")).to_have_text("Sides")
    expect(figure.locator(".caption")).to_have_text("How often a side was up.")
