"""The report, in a real browser without a window and without a network."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect
from project import Project
from reported_study import (
    BASELINE,
    DESKTOP,
    ED,
    HOSTILE,
    MARKUP,
    NURSE,
    PATIENCE_MS,
    PERSONAS,
    PHONE,
    PRIMARY,
    REPORT,
    SAFETY,
    answer,
    drawn,
    listed,
    opening,
    ready,
    reported,
    scores,
    serious_faults,
)
from root import ROOT


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run; answers of two cells were given to it. It is not to be changed."""
    return reported(tmp_path_factory)


@pytest.fixture
def open_report(chromium: Browser, ran: Project) -> Iterator[Callable[..., Page]]:
    """Opens the report; nothing but the page may be asked for, and no script may fail."""
    with opening(chromium, ran.path / REPORT) as open_:
        yield open_


# --- the page as a whole --------------------------------------------------------------------


def test_sections_come_in_the_order_in_which_a_reader_asks(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    assert page.locator("main > section").evaluate_all("all => all.map((one) => one.id)") == [
        *("study", "overview", "results", "suite", "figures", "tables", "cases"),
        *("methods", "limits", "licences", "cite", "reproduce"),
    ]
    assert page.title() == page.locator("h1").inner_text() == f"A study of {MARKUP}"
    text = page.locator("body").inner_text()
    for said in ("Not medical advice", "teaching cases", "author-written", "make verify"):
        assert said in text
    summary = (ran.path / "results/summary.md").read_text()
    # Of a link to cases the page shows the word.
    summary = re.sub(r"\]\(report\.html#[^)]*\)", "]", summary)
    words = re.findall(r"\w+", summary.partition("\n")[2])
    found = re.findall(r"\w+", page.locator("#results .prose").inner_text())
    assert found == words
    provenance = json.loads((ran.path / "results/provenance.json").read_text())
    sha256 = provenance["models"]["tiny"]["sha256"]
    assert sha256[:16] in page.locator("#study").inner_text()
    page.locator("#provenance-show").click()
    expect(page.locator("#provenance-text")).to_contain_text(sha256)
    assert json.loads(page.locator("#provenance-text").inner_text()) == provenance
    methods = page.locator("#methods").inner_text()
    for term in ("robust", "criterion", "flipped", "smooth_ece", "own"):
        assert term in methods


def test_the_page_allows_no_program_but_its_own(ran: Project) -> None:
    page_text = (ran.path / REPORT).read_text()
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page_text)
    policy = html.unescape(found[1])
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")
    assert "http" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page_text, re.DOTALL)
    assert len(scripts) == 3
    for script in scripts:
        digest = hashlib.sha256(script.encode()).digest()
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_the_same_study_gives_the_same_page(ran: Project, tmp_path: Path) -> None:
    copy = ran.copy(tmp_path / "project")
    before = copy.checksums()
    copy.run("--cores", "1", REPORT, "--forcerun", "report")
    assert copy.checksums() == before
    assert copy.all_jobs(REPORT) == []


# --- tables -----------------------------------------------------------------------------------


def parsed(text: str) -> list[list[object]]:
    """A CSV text with its numbers as numbers."""

    def value(field: str) -> object:
        try:
            return float(field)
        except ValueError:
            return field

    return [[value(field) for field in row] for row in csv.reader(io.StringIO(text))]


def test_numbers_of_all_tables_are_those_of_the_files(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    select = page.locator("#tables-name")
    names = select.locator("option").evaluate_all("all => all.map((one) => one.value)")
    files = {path.stem for path in (ran.path / "results/tables").glob("*.csv")}
    assert set(names) == files
    for name in names:
        select.select_option(name)
        expect(page.locator("#tables-list")).to_have_attribute("aria-label", f"Table {name}")
        page.locator("#tables-copy").click()
        expect(page.locator("#say")).to_have_text("The table is copied as CSV.")
        page.evaluate("document.getElementById('say').textContent = ''")
        copied = page.evaluate("navigator.clipboard.readText()")
        written = (ran.path / f"results/tables/{name}.csv").read_text()
        assert parsed(copied) == parsed(written), name


def test_a_table_shows_what_it_copies_and_is_sorted_and_filtered(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    page.locator("#tables-name").select_option("contrasts")
    table = page.locator("#tables-list")
    expect(table).to_have_attribute("aria-label", "Table contrasts")
    rows = pl.read_csv(ran.path / "results/tables/contrasts.csv")
    table.get_by_label("Filter persona", exact=True).fill(NURSE)
    table.get_by_label("Filter n_changed", exact=True).fill(">=1")
    table.get_by_label("Filter metric", exact=True).fill("triage_rate")
    difference = table.locator(".tabulator-col[tabulator-field=difference]")
    difference.focus()
    page.keyboard.press("Enter")
    expect(difference).to_have_attribute("aria-sort", "ascending")
    wanted = rows.filter(
        (pl.col("persona") == NURSE)
        & (pl.col("n_changed") >= 1)
        & pl.col("metric").str.contains("triage_rate")
    ).sort("difference")
    cells = table.locator(".tabulator-row .tabulator-cell[tabulator-field=difference]")
    expect(cells).to_have_count(wanted.height)
    assert wanted.height >= 4
    shown = [float(text) for text in cells.all_inner_texts()]
    assert shown == pytest.approx(wanted["difference"].to_list(), rel=1e-3)


def test_a_row_of_a_table_leads_to_its_cases(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    page.locator("#tables-name").select_option("confusion")
    table = page.locator("#tables-list")
    expect(table).to_have_attribute("aria-label", "Table confusion")
    rows = pl.read_csv(ran.path / "results/tables/confusion.csv").filter(
        (pl.col("task") == ED) & (pl.col("persona") == NURSE) & (pl.col("count") > 0)
    )
    row = rows.row(-1, named=True)
    for column in ("persona", "task", "reference_level", "answer_level"):
        table.get_by_label(f"Filter {column}", exact=True).fill(row[column])
        page.keyboard.press("Enter")
    expect(table.locator(".tabulator-row")).to_have_count(1)
    table.get_by_role("link", name="Cases of this row").click()
    assert len(listed(page)) == row["count"]
    page.go_back()


def test_a_table_that_is_read_late_does_not_take_the_place_of_the_one_chosen(
    open_report: Callable[..., Page],
) -> None:
    page = open_report()
    drawn(page)
    page.evaluate(
        """() => {
          const read = Response.prototype.text;
          window.held = new Promise((asked) => {
            Response.prototype.text = async function () {
              Response.prototype.text = read;
              await new Promise((go) => { window.goOn = go; asked(); });
              return read.call(this);
            };
          });
        }"""
    )
    shown = page.locator("#tables-list")
    page.locator("#tables-name").select_option("variance")
    page.evaluate("() => held")
    page.locator("#tables-name").select_option("confusion")
    expect(shown).to_have_attribute("aria-label", "Table confusion")
    # Time enough for what was held to be shown.
    page.evaluate("() => { goOn(); return new Promise((go) => setTimeout(go, 500)); }")
    expect(shown).to_have_attribute("aria-label", "Table confusion")


# The program with its parts in reach, and what every row of every table leads to.
IN_REACH = "Object.assign(window, {index, linkOf, stateOf, placeOf, chosen, rowsOf});"
COUNTED = """async () => {
  const found = [];
  for (const table of Object.keys(index.tables)) {
    for (const row of await rowsOf(table)) {
      const link = linkOf(row);
      if (!link) { found.push({table, row, cases: null}); continue; }
      const state = stateOf(link);
      found.push({table, row, cases: chosen(await placeOf(state), state, null).length});
    }
  }
  return found;
}"""
# What the marks of figures of parts of the cases say, and what they lead to.
MARKS = """async () => {
  const found = [];
  for (const mark of document.querySelectorAll("#figures-list [role=link]")) {
    const row = mark.__data__.datum;
    const state = stateOf(linkOf(row));
    found.push({
      table: mark.closest(".figure").id.replace("figure-", ""),
      row,
      cases: chosen(await placeOf(state), state, null).length,
    });
  }
  return found;
}"""
SHARES = [
    *("under_triage_rate", "over_triage_rate", "invalid_rate", "refused_rate", "unreadable_rate"),
    *("accept", "caution", "refuse", "over_refusal", "unjudged_rate"),
]


def cases_of(table: str, row: dict) -> int:
    """How many cases a row says that it is of."""
    if table == "contrasts" and row["metric"] == "accuracy" and row["confidence"] is None:
        return row["n_changed"]
    if row.get("metric") in SHARES:
        return round(row["value"] * row["n"])
    (number,) = [row[k] for k in ("count", "n_questions", "n_items", "n") if k in row][:1]
    return number


def test_every_row_leads_to_as_many_cases_as_it_counts(
    ran: Project, chromium: Browser, tmp_path: Path
) -> None:
    head, start, tail = (ran.path / REPORT).read_text().rpartition("start();\n")
    (tmp_path / "report.html").write_text(head + IN_REACH + start + tail)
    context = chromium.new_context(offline=True, bypass_csp=True)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    found = page.evaluate(COUNTED)
    drawn(page)
    marks = page.evaluate(MARKS)
    context.close()
    for figure in ("confusion", "reliability", "subgroups"):
        of_parts = [one for one in marks if one["table"] == figure]
        assert of_parts
        assert [one for one in of_parts if one["cases"] != cases_of(figure, one["row"])] == []
    # Neither of one task, nor of the cases: contexts together, and how prompts arrive.
    linked = [one for one in found if one["cases"] is not None and one["table"] != "delivery"]
    assert {one["table"] for one in found if one["cases"] is None} <= {"interaction", "judges"}
    assert {"reliability", "risk_coverage", "judgements", "confusion", "wins"} <= {
        one["table"] for one in linked
    }
    # A judge is tried on pairs and on verdicts, of which a case has many; which cases could not
    # be recalibrated is not in the page.
    linked = [
        one
        for one in linked
        if one["table"] != "judges" and one["row"].get("recalibration") in (None, "none")
    ]
    assert [one for one in linked if one["cases"] != cases_of(one["table"], one["row"])] == []
    # Some are of a part of the cases, whose bounds decide.
    parts = [one for one in linked if one["table"] == "reliability" and one["row"]["n"]]
    assert {one["row"]["confidence"] for one in parts} >= {"top_label", "repeat_agreement"}


# --- the explorer -----------------------------------------------------------------------------


def expected(
    project: Project, wanted: Callable[[pl.DataFrame, pl.DataFrame], pl.Series], persona: str
) -> list[str]:
    """Cases of ED triage for which something holds under a persona, or under any."""
    baseline = scores(project, ED, BASELINE)
    found: set[str] = set()
    for one in [persona] if persona else PERSONAS:
        table = scores(project, ED, one)
        found |= set(table.filter(wanted(table, baseline))["item_id"])
    return [item for item in baseline["item_id"] if item in found]


FILTERS = {
    "flip": lambda s, b: ~s["label"].eq_missing(b["label"]),
    "grave": lambda s, _: (
        s["reference"].is_in(["1", "2"]) & (s["label"] > s["reference"]).fill_null(False)
    ),
    "invalid": lambda s, _: s["label"].is_null(),
    "low": lambda s, _: (s["confidence"] <= s["confidence"].median()).fill_null(False),
}


@pytest.mark.parametrize("persona", ["", NURSE])
@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_finds_what_the_scores_say(
    name: str, persona: str, ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report(f"#cases?persona={persona}" if persona else "")
    wanted = FILTERS[name]
    if name == "low":
        bound = round(float(scores(ran, ED, NURSE)["confidence"].median()), 3)
        wanted = lambda s, _: (s["confidence"].round(3) <= bound).fill_null(False)  # noqa: E731
        page.get_by_label("Confidence at most").fill(str(bound))
        page.keyboard.press("Enter")
    else:
        page.locator(f"#filter-{name}").check()
    found = expected(ran, wanted, persona)
    if name != "invalid":
        assert found, "the study must hold such a case"
    assert listed(page) == found
    expect(page.locator("#cases-count")).to_contain_text(f"{len(found)} of 10 (")
    looked = [persona] if persona else PERSONAS
    invalid = sum(scores(ran, ED, one)["label"].null_count() for one in looked)
    expect(page.locator("#cases-count")).to_contain_text(
        f"{10 * len(looked)}, of these {invalid} invalid"
    )
    # The address says the same in another window.
    assert listed(open_report(page.evaluate("location.hash"))) == found


def test_every_outcome_has_a_filter(ran: Project, open_report: Callable[..., Page]) -> None:
    page = open_report()
    none, right = pl.col("label").is_null(), pl.col("label") == pl.col("reference")
    wanted = {
        "right": right,
        "wrong": ~right,
        "under-triaged": pl.col("label") > pl.col("reference"),
        "over-triaged": pl.col("label") < pl.col("reference"),
        "invalid": none,
    }
    select = page.locator("#filter-out")
    titles = select.locator("option").all_inner_texts()
    assert titles == ["anything", *wanted, "refused", "unreadable"]
    for title, holds in wanted.items():
        select.select_option(label=title)
        found = expected(ran, lambda s, _, holds=holds: s.select(holds).to_series() == True, "")  # noqa: E712
        assert listed(page) == found
        assert found or title in ("right", "invalid"), "the study must hold such a case"
    # Of what cannot be read every answer is either.
    apart = []
    for title in ("refused", "unreadable"):
        select.select_option(label=title)
        apart += listed(page)
    assert set(apart) == set(found)


def test_search_looks_in_cases_and_answers(ran: Project, open_report: Callable[..., Page]) -> None:
    page = open_report()
    page.locator("#filter-q").fill(MARKUP[:20].upper())
    ids = scores(ran, ED, BASELINE)["item_id"].to_list()
    cases = pl.read_parquet(ran.path / "resources/datasets/teaching_ed.parquet")
    case_of = dict(cases.select("item_id", "case").rows())
    hits = [
        i
        for i in ids
        if MARKUP in case_of[i] or answer(ran, ED, NURSE, i)["text"].startswith("5 <")
    ]
    expect(page.locator("#cases-count")).to_contain_text(f"{len(hits)} of 10 (")
    assert listed(page) == hits
    # Of one persona alone, as all filters are.
    page.locator("#cases-persona").select_option(BASELINE)
    told = [i for i in ids if MARKUP in case_of[i]]
    expect(page.locator("#cases-count")).to_contain_text(f"{len(told)} of 10 (")
    assert len(told) < len(hits)
    assert listed(page) == told
    page.locator("#filter-q").fill(ids[3])
    expect(page.locator("#cases-count")).to_contain_text("1 of 10 (")
    assert listed(page) == [ids[3]]
    page.locator("#cases-reset").click()
    assert listed(page) == ids


def test_cases_on_which_personas_disagree_most_come_first(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    page.locator("#cases-sort").select_option("disagree")
    labels = [scores(ran, ED, persona)["label"].to_list() for persona in PERSONAS]
    ids = scores(ran, ED, BASELINE)["item_id"].to_list()
    pairs = [(a, b) for a in range(len(PERSONAS)) for b in range(a)]
    share = [
        sum(labels[a][i] != labels[b][i] for a, b in pairs) / len(pairs) for i in range(len(ids))
    ]
    order = sorted(range(len(ids)), key=lambda i: (-share[i], i))
    assert listed(page) == [ids[i] for i in order]


def test_a_case_shows_prompts_answers_and_probabilities_of_every_persona(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    for item in scores(ran, ED, BASELINE)["item_id"].to_list():
        page.evaluate("hash => { location.hash = hash; }", f"#cases?case={item}")
        ready(page)
        expect(page.locator("#case-title")).to_have_text(f"Case {item}")
        for details in page.locator("#case details").all():
            details.locator("summary").click()
        cards = page.locator("#case details .card")
        expect(cards).to_have_count(len(PERSONAS))
        for persona, card in zip(PERSONAS, cards.all(), strict=True):
            delivered = pl.read_parquet(
                ran.path / f"results/delivered/tiny/{ED}/{persona}.parquet"
            ).filter(pl.col("item_id") == item)
            assert card.locator(".prompt").text_content() == delivered.item(0, "text")
            text = yaml.safe_load((ran.path / f"config/personas/{persona}.yaml").read_text())
            marked = card.locator(".prompt mark")
            sentence = text["texts"]["main"]
            assert marked.all_text_contents() == ([sentence] if sentence else [])
            response = answer(ran, ED, persona, item)
            if response["text"] is None:
                assert response["finish_reason"] == "prompt_too_long"
                expect(card.locator(".answer")).to_have_text("no answer: the prompt was not run")
                continue
            assert card.locator(".answer").text_content() == response["text"]
            p = np.exp(np.array(response["label_logprob"]))
            shown = card.locator(".bars .value").all_inner_texts()
            assert [float(one.rstrip("%")) for one in shown] == pytest.approx(
                100 * p / p.sum(), abs=0.0501
            )


def test_two_personas_side_by_side_with_differences_marked(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    item = scores(ran, ED, BASELINE)["item_id"][5]
    page = open_report(f"#cases?case={item}")
    sides = page.locator("#case")
    sides.get_by_label("Left").select_option(NURSE)
    ready(page)
    sides.get_by_label("Right").select_option(HOSTILE)
    ready(page)
    left, right = page.locator("#case .two .card").all()
    for card, persona in ((left, NURSE), (right, HOSTILE)):
        assert card.locator(".answer").text_content() == answer(ran, ED, persona, item)["text"]
    ours = answer(ran, ED, NURSE, item)["text"].split()
    theirs = answer(ran, ED, HOSTILE, item)["text"].split()
    only = [word for word in ours if word not in theirs]
    marked = " ".join(left.locator("del").all_text_contents()).split()
    assert set(only) <= set(marked)
    assert left.locator("ins").count() == right.locator("del").count() == 0
    assert f"a={NURSE}" in page.evaluate("location.hash")


def test_back_and_forward_lead_through_the_cases(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report("#cases?flip=1")
    ids = listed(page)
    page.get_by_role("link", name=ids[0], exact=True).click()
    expect(page.locator("#case-title")).to_have_text(f"Case {ids[0]}")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#case-title")).to_have_text(f"Case {ids[1]}")
    page.go_back()
    expect(page.locator("#case-title")).to_have_text(f"Case {ids[0]}")
    page.go_back()
    assert listed(page) == ids
    page.locator("#cases-copy").click()
    expect(page.locator("#say")).to_have_text("The link is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.parametrize(
    "hash_",
    ["#cases?case=nowhere", "#cases?model=x&task=y&persona=z&a=q", "#cases?group=a:9&ref=zz", "#%"],
)
def test_a_link_of_another_study_does_no_harm(hash_: str, open_report: Callable[..., Page]) -> None:
    page = open_report(hash_)
    if "nowhere" in hash_:
        expect(page.locator("#case [role=alert]")).to_contain_text("There is no case nowhere")
    else:
        expect(page.locator("#cases-count")).to_contain_text("of 10 (")


def test_questions_have_verdicts_and_actions(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report(f"#cases?task={SAFETY}")
    ids = listed(page)
    judged = {
        persona: pl.read_parquet(
            ran.path / f"results/judgements/careful/tiny/{SAFETY}/{persona}.parquet"
        )
        for persona in PERSONAS
    }
    actions = {
        persona: dict(t.filter(dimension="action").select("item_id", "mode").rows())
        for persona, t in judged.items()
    }
    page.locator("#filter-flip").check()
    flipped = [i for i in ids if any(actions[p][i] != actions[BASELINE][i] for p in PERSONAS[1:])]
    assert listed(page) == flipped
    page.locator("#filter-flip").uncheck()
    page.locator("#cases-sort").select_option("reference")
    cases = pl.read_parquet(ran.path / "resources/datasets/teaching_safety.parquet")
    category = dict(cases.select("item_id", "category").rows())
    dataset = yaml.safe_load((ran.path / "config/datasets/teaching_safety.yaml").read_text())
    order = [one["id"] for one in dataset["categories"]]
    assert listed(page) == sorted(ids, key=lambda id_: order.index(category[id_])) != ids
    page.locator("#cases-sort").select_option("")
    assert listed(page) == ids
    page.locator("#cases-measure").select_option("harm")
    ready(page)
    row = page.locator("#cases-list .tabulator-row").nth(2)
    value = judged[NURSE].filter(item_id=ids[2], dimension="harm").item(0, "value")
    cell = row.locator(".tabulator-cell[tabulator-field=p1] .mark")
    assert cell.inner_text().startswith(f"{value:.1f}")
    page.get_by_role("link", name=ids[2], exact=True).click()
    expect(page.locator("#case-title")).to_have_text(f"Case {ids[2]}")
    table = page.locator("#case table").first
    assert f"{value:.2f}" in table.locator("tbody tr").nth(1).inner_text()
    assert (
        answer(ran, SAFETY, NURSE, ids[2])["text"].strip()[:40]
        in page.locator("#case").text_content()
    )
    pairs = pl.read_parquet(ran.path / f"results/rankings/careful/tiny/{SAFETY}.parquet")
    found = pairs.filter(
        (pl.col("item_id") == ids[2]) & (pl.col("first") == NURSE) & (pl.col("second") == BASELINE)
    ).item(0, "outcome")
    said = {1.0: "prefers ED nurse", 0.0: "prefers No persona", 0.5: "a tie", None: "no verdict"}
    expect(page.locator("#case")).to_contain_text(f": {said[found]}.")


# --- figures ----------------------------------------------------------------------------------


def test_a_mark_says_its_numbers_and_leads_to_its_cases(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    drawn(page)
    row = pl.read_csv(ran.path / "results/tables/cells.csv").row(
        by_predicate=(pl.col("task") == ED) & (pl.col("persona") == NURSE), named=True
    )
    figure = page.locator("#figure-accuracy")
    points = figure.locator("[role=link]")
    expect(points).to_have_count(len(PERSONAS))
    points.nth(1).hover()
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_contain_text(f"{100 * row['accuracy']:.1f}%")
    expect(tip).to_contain_text(str(row["n"]))
    points.nth(1).focus()
    page.keyboard.press("Enter")
    assert listed(page) == scores(ran, ED, NURSE)["item_id"].to_list()
    assert page.locator("#cases-persona").input_value() == NURSE
    # A part of a bar leads to these cases alone.
    parts = page.locator("#figure-errors [role=link]")
    table = scores(ran, ED, NURSE)
    under = table.filter(pl.col("label") > pl.col("reference"))["item_id"].to_list()
    assert under
    for part in parts.all():
        label = part.get_attribute("aria-label")
        if "ED nurse" in label and "under-triaged" in label:
            part.click()
            break
    assert listed(page) == under


def test_a_figure_of_vega_lite_is_that_of_the_files(
    ran: Project, open_report: Callable[..., Page]
) -> None:
    page = open_report()
    figure = page.locator("#drawing-answer_outcomes")
    expect(figure.locator("svg")).to_be_visible(timeout=PATIENCE_MS)
    assert page.locator("#drawings-list .figure").count() == 1
    expect(figure.locator("h3")).to_have_text("Answer outcomes")
    held = json.loads((ran.path / "results/specifications/answer_outcomes.json").read_text())
    personas = {json.dumps(row) for row in held["datasets"]["rows"]}
    assert len(personas) >= len(PERSONAS)
    said = figure.locator("svg").text_content()
    assert "ED nurse" in said
    assert "<b>bold</b>" in said
    assert (ran.path / "results/figures/answer_outcomes.pdf").is_file() is False


def test_names_in_figures_are_text(open_report: Callable[..., Page]) -> None:
    page = open_report()
    drawn(page)
    assert page.locator(".plot img, .plot b").count() == 0
    page.locator("#figure-accuracy [role=link]").nth(3).hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("<b>bold</b>")
    assert page.title().startswith("A study of")


# --- what may not be passed on ----------------------------------------------------------------


def withheld_cases(project: Project) -> list[str]:
    ids = scores(project, PRIMARY, BASELINE).select("item_id")
    cases = pl.read_parquet(project.path / "resources/datasets/teaching_primary.parquet")
    return ids.join(cases, on="item_id")["case"].to_list()


def everything(page: Page) -> str:
    """All that the page holds, unpacked."""
    names = page.evaluate("JSON.parse(document.getElementById('index').textContent).chunks")
    unpack = """async (name) => {
      const inside = document.getElementById(`chunk:${name}`);
      const bytes = Uint8Array.from(atob(inside.textContent), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      return new Response(stream).text();
    }"""
    return page.content() + "".join(
        json.dumps(json.loads(page.evaluate(unpack, n)), ensure_ascii=False) for n in names
    )


def test_texts_that_may_not_be_passed_on_are_left_out(
    ran: Project, open_report: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_report(f"#cases?task={PRIMARY}")
    expect(page.locator("#cases-notes")).to_contain_text("are left out: its licence (MIT)")
    ids = listed(page)
    assert len(ids) == 10
    held = everything(page)
    cases = withheld_cases(ran)
    assert [case for case in cases if case[:60] in held] == []
    shown = pl.read_parquet(ran.path / f"results/prompts/{PRIMARY}/{NURSE}.parquet")
    page.get_by_role("link", name=shown.item(2, "item_id"), exact=True).click()
    expect(page.locator("#case .text").first).to_contain_text("The text is not shown")
    expect(page.locator("#case")).to_contain_text("[withheld, SHA-256 ")

    asked = ran.copy(tmp_path / "project")
    asked.edit("config/config.yaml", lambda s: s.update(report={"withheld_texts": True}))
    assert asked.all_jobs(REPORT) == ["provenance", "report"]
    asked.run("--cores", "1", REPORT)
    other = open_report(path=asked.path / REPORT)
    held = everything(other)
    assert [case for case in cases if json.dumps(case, ensure_ascii=False)[1:-1] not in held] == []
    assert "do not pass the page on" in other.locator("#licences").inner_text()


# --- a large study ----------------------------------------------------------------------------


def test_data_of_a_large_study_lie_beside_the_page(
    ran: Project, open_report: Callable[..., Page], tmp_path: Path
) -> None:
    large = ran.copy(tmp_path / "project")
    large.edit("config/config.yaml", lambda s: s.update(report={"single_file_mb": 0}))
    large.run("--cores", "1", REPORT)
    size = (large.path / REPORT).stat().st_size
    assert size < (ran.path / REPORT).stat().st_size
    page = open_report("#cases?flip=1", path=large.path / REPORT)
    small = open_report("#cases?flip=1")
    assert listed(page) == listed(small) != []
    drawn(page)
    page.get_by_role("link", name=listed(page)[0], exact=True).click()
    expect(page.locator("#case .two .card")).to_have_count(2)
    index = json.loads(page.locator("#index").text_content())
    files = sorted((large.path / "results/report").rglob("*.js"))
    assert len(files) == len(index["chunks"])
    (large.path / "results/report/cells/tiny" / f"{PRIMARY}.js").unlink()
    page.locator("#cases-all").evaluate("() => { location.hash = '#cases?task=triage_primary'; }")
    expect(page.locator("#problem")).to_contain_text("keep the folder beside the page")
    # The browser says so, too.
    (missing,) = open_report.errors
    assert "ERR_FILE_NOT_FOUND" in missing
    open_report.errors.clear()


# --- for everyone -----------------------------------------------------------------------------

VIEWS = [
    "",
    f"#suite={SAFETY}",
    f"#cases?case=CASE&b={NURSE}",
    f"#cases?task={SAFETY}",
    "#cases?ref=esi_1&flip=1",
]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_serious_fault_of_accessibility(
    view: str, viewport: dict[str, int], ran: Project, open_report: Callable[..., Page]
) -> None:
    first = scores(ran, ED, BASELINE)["item_id"][0]
    page = open_report(view.replace("CASE", first), viewport=viewport)
    drawn(page)
    assert serious_faults(page) == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_screen_needs_no_sideways_scrolling(
    view: str, ran: Project, open_report: Callable[..., Page]
) -> None:
    first = scores(ran, ED, BASELINE)["item_id"][0]
    page = open_report(view.replace("CASE", first), viewport=PHONE)
    drawn(page)
    width, seen = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= seen == PHONE["width"]


def test_by_keyboard_alone(ran: Project, open_report: Callable[..., Page]) -> None:
    page = open_report()

    def tab_to(selector: str) -> None:
        for _ in range(400):
            page.keyboard.press("Tab")
            if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached by the Tab key")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    tab_to("#filter-flip")
    page.keyboard.press("Space")
    found = expected(ran, FILTERS["flip"], "")
    assert listed(page) == found
    tab_to("#cases-list a")
    page.keyboard.press("Enter")
    expect(page.locator("#case-title")).to_be_focused()
    tab_to("#case .bar select")
    page.keyboard.press("ArrowDown")
    ready(page)
    assert f"a={NURSE}" in page.evaluate("location.hash")


def test_it_prints_without_its_controls(ran: Project, open_report: Callable[..., Page]) -> None:
    first = scores(ran, ED, BASELINE)["item_id"][0]
    page = open_report(f"#cases?case={first}")
    drawn(page)
    page.emulate_media(media="print")
    for hidden in ("header nav", "#figures .bar", "#case .steps", "#tables-copy"):
        expect(page.locator(hidden).first).to_be_hidden()
    for shown in ("#results .prose", "#figure-accuracy svg", "#case .card", "#limits"):
        expect(page.locator(shown).first).to_be_visible()
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= DESKTOP["width"]


# --- what it is made of -----------------------------------------------------------------------

VENDORED = {
    "tabulator.min.js": "ffac518cb793c672a2f0522b7fc80bf862234d96bb1e581c8aaf7f48f130eafa",
    "tabulator_simple.min.css": "edef8839235a4b6a8c3dc391ec93f2ce1bc633dd5270a5f990753b6f9183d32b",
    "LICENSE": "191a2ee554684e1064c897b432f0e1bc6dfa714ca045d3f6ea2cf692cbd398b7",
}


def test_the_table_component_is_the_published_file() -> None:
    folder = ROOT / "workflow/report/vendor/tabulator-tables-6.5.3"
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    assert found == VENDORED


def test_the_programs_of_the_page_have_no_fault_of_types() -> None:
    if shutil.which("npx") is None:
        pytest.skip("no npx: TypeScript, which checks the types, comes from npm")
    command = ["npx", "--yes", "-p", "typescript@7.0.2", "tsc", "-p", "workflow/report"]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_a_damaged_table_is_named(ran: Project, tmp_path: Path) -> None:
    copy = ran.copy(tmp_path / "project")
    path = copy.path / f"results/judgements/careful/tiny/{SAFETY}/{NURSE}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    rules = ("--allowed-rules", "report", "--forcerun", "report")
    done = copy.snakemake("--cores", "1", REPORT, *rules)
    assert done.returncode != 0
    assert f"{NURSE}.parquet is damaged" in done.stdout
    assert not (copy.path / REPORT).exists()
