"""The form for clinicians, in a real browser without a window."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from clinician_packet import FORMS, PERSONAS, blank_rows, filled_rows, make, members, write_rows
from playwright.sync_api import Page, expect

from persona_paradox.clinicians.annotations import read_annotations

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def packed():
    return make()[0]


@pytest.fixture
def open_form(chromium, tmp_path):
    """Opens a form; nothing but the form may be asked for, and no script may fail."""
    requests, errors, contexts = [], [], []

    def open_(packed, *, context=None, before="", viewport=DESKTOP, name="form") -> Page:
        path = tmp_path / f"{name}.html"
        path.write_bytes(members(packed.data)["form.html"])
        if context is None:
            context = chromium.new_context(viewport=viewport, offline=True)
            contexts.append(context)
        page = context.new_page()
        page.add_init_script(before)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    # A file to download comes out of the page itself.
    assert {
        url for url in requests if not re.match(r"file://.*/form\w*\.html$|blob:null/", url)
    } == set()
    assert errors == []


def start(page: Page, annotator: str = "R1") -> None:
    page.get_by_label("Annotator code").fill(annotator)
    page.keyboard.press("Enter")


def shown(page: Page) -> str:
    return page.locator(".id").inner_text().removeprefix("id ")


def asked(form: str, kind: str) -> list[str]:
    first = ["preference"] if kind == "pair" else [q["id"] for q in FORMS[form]["questions"]]
    return [*first, "confidence"]


def keys_of(packed, rows) -> dict[str, list[str]]:
    """The digits that give an item the values of its row."""
    forms = dict(packed.key.select("item", "form").iter_rows())
    found = {}
    for row in rows:
        form = FORMS[forms[row["item"]]]
        options = {q["id"]: [str(o["value"]) for o in q["options"]] for q in form["questions"]}
        options |= {"preference": ["A", "equal", "B"], "confidence": ["1", "2", "3"]}
        names = asked(forms[row["item"]], row["kind"])
        found[row["item"]] = [str(options[name].index(row[name]) + 1) for name in names]
    return found


def click_through(page: Page, digits: dict[str, list[str]], n: int) -> None:
    """Fill in `n` items with the mouse."""
    for _ in range(n):
        for fieldset, digit in zip(
            page.locator("fieldset").all(), digits[shown(page)], strict=True
        ):
            fieldset.locator(".option").nth(int(digit) - 1).click()
        page.locator("#next").click()


def export(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator("#export").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def choose_file(page: Page, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import progress").click()
    chooser.value.set_files(path)


def test_fill_reload_resume_export_and_read(open_form, packed, tmp_path):
    rows = filled_rows(packed)
    digits = keys_of(packed, rows)
    page = open_form(packed)
    expect(page.get_by_label("Annotator code")).to_be_focused()
    start(page)
    click_through(page, digits, 6)
    expect(page.locator("#complete")).to_have_text("6 of 14 complete")
    page.locator(".option").first.click()

    page.reload()
    expect(page.get_by_label("Annotator code")).to_have_value("R1")
    expect(page.locator("#hint")).to_have_text(
        "This browser keeps your progress: 6 of 14 items complete."
    )
    page.get_by_role("button", name="Continue").click()
    assert shown(page) == rows[6]["item"]
    expect(page.locator("fieldset").first.get_by_role("radio").first).to_be_checked()
    # Somebody else begins at the beginning.
    page.locator("#to-start").click()
    start(page, "R2")
    expect(page.locator("#complete")).to_have_text("0 of 14 complete")
    page.locator("#to-start").click()
    start(page, "R1")

    click_through(page, digits, 8)
    expect(page.get_by_role("heading", level=1)).to_have_text("All items are complete")
    path = export(page, tmp_path)
    assert path.name == f"answers_{packed.packet_id}_R1_final.csv"
    expect(page.locator("#notice")).to_contain_text("Final answers exported")
    assert path.read_bytes() == write_rows(tmp_path / "expected.csv", rows).read_bytes()
    table = read_annotations([path], packed.key, FORMS)
    assert table.height == sum(len(digits[row["item"]]) - 1 for row in rows)


def test_everything_from_the_keyboard(open_form, packed, tmp_path):
    rows = filled_rows(packed, "kb-1")
    digits = keys_of(packed, rows)
    page = open_form(packed)
    page.keyboard.type("kb-1")
    page.keyboard.press("Enter")
    for index, row in enumerate(rows):
        assert shown(page) == row["item"]
        for digit in digits[row["item"]]:
            page.keyboard.press("9")  # no question has nine options
            page.keyboard.press(digit)
            page.keyboard.press("ArrowRight" if index % 2 else "Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "export":
            break
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    path = tmp_path / "kb.csv"
    download.value.save_as(path)
    assert path.read_bytes() == write_rows(tmp_path / "expected.csv", rows).read_bytes()


def test_keys_move_between_questions_and_items(open_form, packed):
    page = open_form(packed)
    start(page)

    def at():
        expect(page.locator("fieldset.current")).to_have_count(1)
        expect(page.locator("fieldset.current")).to_be_focused()
        number = re.match(r"Item (\d+)", page.locator("h1").inner_text())[1]
        classes = [node.get_attribute("class") or "" for node in page.locator("fieldset").all()]
        return int(number), classes.index("current")

    n = page.locator("fieldset").count()
    assert at() == (1, 0)
    for key in ("ArrowLeft", "Shift+Enter"):  # there is nothing before the first question
        page.keyboard.press(key)
        assert at() == (1, 0)
    page.keyboard.press("Enter")
    assert at() == (1, 1)
    page.keyboard.press("Shift+Enter")
    assert at() == (1, 0)
    for _ in range(n):
        page.keyboard.press("ArrowRight")
    assert at() == (2, 0)
    page.keyboard.press("ArrowLeft")
    assert at() == (1, n - 1)
    expect(page.locator(".help")).to_contain_text("Shift + Enter")

    # After a choice, up and down scroll; they change it only where Tab has led to the options.
    page.keyboard.press("ArrowLeft")
    page.locator("fieldset").first.locator(".option").nth(1).click()
    page.keyboard.press("ArrowDown")
    expect(page.locator("fieldset").first.get_by_role("radio").nth(1)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.locator("fieldset").first.get_by_role("radio").nth(2)).to_be_checked()


HOSTILE = (
    "Hello</script><script>window.ran = 1</script>\n"
    '<img src="http://127.0.0.1:9/x.png" onerror="window.ran = 2"><!-- <script>'
    "{{packet}} {{script}} $& \u2028 &lt;b&gt;"
)


def test_an_answer_with_markup_is_shown_and_runs_nothing(open_form):
    packed, tasks = make(text=lambda model, persona, item: f"{HOSTILE} {persona[-2:]} {item}")
    page = open_form(packed)
    start(page)
    for row in tasks.iter_rows(named=True):
        expected = [text for text in (row["text_a"], row["text_b"]) if text]
        found = page.locator(".texts .card:not(.case) .plain").all()
        assert [node.text_content() for node in found] == expected
        page.locator("#next").click()
    assert page.locator("img").count() == 0
    assert page.evaluate("window.ran") is None


def test_texts_keep_their_lines_and_direction_and_fit_a_phone(open_form):
    kinds = ["one\n\n  two\nthree", "خذ قرصين ثم اتصل بالطبيب", "x" * 4000]
    packed, tasks = make(
        text=lambda model, persona, item: f"{kinds[item % 3]} {persona[-2:]} {item}"
    )
    page = open_form(packed, viewport=PHONE)

    def fits():
        return page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    assert fits()
    start(page)
    for row in tasks.iter_rows(named=True):
        node = page.locator(".texts .card:not(.case) .plain").first
        assert node.inner_text() == row["text_a"]
        arabic = "قرصين" in row["text_a"]
        assert node.evaluate("n => getComputedStyle(n).direction") == ("rtl" if arabic else "ltr")
        assert fits()
        page.locator("#next").click()
    assert fits()


def test_progress_goes_to_another_computer(open_form, packed, tmp_path):
    rows = filled_rows(packed)
    digits = keys_of(packed, rows)
    page = open_form(packed)
    start(page)
    click_through(page, digits, 5)
    page.keyboard.press(digits[rows[5]["item"]][0])
    page.locator("#to-review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("9 items still open")
    assert page.locator("#open button").all_inner_texts()[:2] == ["… 6", "7"]
    path = export(page, tmp_path)
    assert path.name == f"answers_{packed.packet_id}_R1_progress.csv"
    expect(page.locator("#notice")).to_contain_text("9 items of 14 are still open")

    # A spreadsheet program has touched the file on its way.
    text = path.read_text(encoding="utf-8").replace(",", ";").replace("\r\n", "\n")
    path.write_text("\ufeff" + text, encoding="utf-8")
    other = open_form(packed)  # another browser, which keeps nothing yet
    expect(other.locator("#annotator")).to_have_value("")
    choose_file(other, path)
    expect(other.locator("#notice")).to_have_text("Imported: 6 items with answers of R1.")
    expect(other.locator("#who")).to_have_text("R1")
    expect(other.locator("#complete")).to_have_text("5 of 14 complete")
    other.get_by_role("button", name="Next open item").click()
    assert shown(other) == rows[5]["item"]
    click_through(other, digits, 9)
    final = export(other, tmp_path)
    assert final.read_bytes() == write_rows(tmp_path / "expected.csv", rows).read_bytes()


def test_an_import_of_a_wrong_file_changes_nothing(open_form, packed, tmp_path):
    rows = filled_rows(packed)
    page = open_form(packed)
    start(page)
    page.keyboard.press("1")
    page.locator("#to-review").click()

    other = make(seed=2)[0]
    changed = [{**rows[0], "confidence": "4"}, *rows[1:]]
    unknown = [{**rows[0], "item": "bbbbbbbb"}, *rows[1:]]
    for wrong, message in [
        (filled_rows(other), f"another packet ({other.packet_id}); this form is packet"),
        (blank_rows(packed.data), "does not say which annotator"),
        (filled_rows(packed, "R2"), "is of annotator R2; you work as R1."),
        (changed, "Row 2: 4 is no choice of confidence."),
        (unknown, "Row 2: this packet has no item bbbbbbbb."),
        ([{"a": "1"}], "not a file that this form has exported"),
    ]:
        choose_file(page, write_rows(tmp_path / "wrong.csv", wrong))
        expect(page.locator("#notice")).to_contain_text(message)
        expect(page.locator("#notice")).to_contain_text("Nothing was imported.")
        expect(page.locator("#complete")).to_have_text("0 of 14 complete")
    choose_file(page, write_rows(tmp_path / "right.csv", rows))
    expect(page.locator("#complete")).to_have_text("14 of 14 complete")


BLOCKED = (
    "for (const name of ['getItem', 'setItem']) Storage.prototype[name] = () => { throw Error(); };"
)


def closing_asks(page: Page) -> bool:
    """Whether the page asks before it is left."""
    asked_ = []

    def accept(dialog):
        asked_.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.reload()
    page.remove_listener("dialog", accept)
    return asked_ == ["beforeunload"]


def test_without_storage_the_form_says_so_and_asks_before_it_is_left(open_form, packed, tmp_path):
    page = open_form(packed, before=BLOCKED)
    start(page)
    expect(page.locator("#notice")).to_contain_text("does not keep your progress")
    page.keyboard.press("1")
    assert closing_asks(page)
    start(page)
    page.keyboard.press("1")
    page.locator("#to-review").click()
    export(page, tmp_path)
    assert not closing_asks(page)
    expect(page.locator("#annotator")).to_have_value("")


def test_without_storage_another_annotator_code_loses_nothing(open_form, packed):
    page = open_form(packed, before=BLOCKED)
    start(page, "R11")
    page.keyboard.press("1")
    page.locator("#to-start").click()
    start(page, "R1")
    assert page.locator(":checked").count() == 0
    page.locator("#to-start").click()
    page.get_by_label("Annotator code").fill("R11")
    expect(page.locator("#hint")).to_contain_text("This window keeps your progress: 0 of 14")
    page.get_by_role("button", name="Continue").click()
    assert page.locator(":checked").count() == 1
    expect(page.locator("#notice")).to_contain_text("does not keep your progress")
    assert closing_asks(page)


def test_with_storage_only_the_last_step_is_asked_for(open_form, packed, tmp_path):
    page = open_form(packed)
    start(page)
    page.keyboard.press("1")
    assert not closing_asks(page)
    start(page)
    click_through(page, keys_of(packed, filled_rows(packed)), 14)
    assert closing_asks(page)


def test_damaged_storage_is_no_obstacle(open_form, packed):
    page = open_form(packed)
    start(page)
    page.keyboard.press("1")
    item = shown(page)
    key = f"review/{packed.packet_id}/R1"
    for value in (
        "{",
        "[]",
        "7",
        json.dumps({"values": {item: {"confidence": 99, "x": 1}}, "at": 77}),
    ):
        page.evaluate("([key, value]) => localStorage.setItem(key, value)", [key, value])
        page.reload()
        start(page)
        assert shown(page) == item
        assert page.locator(":checked").count() == 0
        page.locator("#to-review").click()
        assert page.locator(".grid .begun, .grid .done").count() == 0


def test_a_second_window_is_noticed(open_form, packed):
    page = open_form(packed)
    start(page)
    other = open_form(packed, context=page.context)
    start(other)
    other.keyboard.press("1")
    expect(page.locator("#notice")).to_contain_text("open in another window")


def test_all_items_are_printed_from_the_review(open_form, packed):
    page = open_form(packed)
    start(page)
    page.locator("#to-review").click()
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf())
    assert len(pages) >= 14
    assert page.locator(".item").count() == 0


# Contrast ratio of WCAG 2.2 of every text to the nearest background behind it; those below 4.5.
CONTRAST = """() => {
  const rgb = (css) => css.match(/[\\d.]+/g).map(Number);
  const light = (css) => {
    const [r, g, b] = rgb(css).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const colour = getComputedStyle(n).backgroundColor;
      if ((rgb(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const says = (n) => [...n.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
  const texts = [...document.querySelectorAll("body *")]
    .filter((n) => n.checkVisibility() && !n.disabled && says(n));
  const low = texts.map((n) => {
    const [a, b] = [light(getComputedStyle(n).color), light(behind(n))].sort((x, y) => y - x);
    return [n.textContent.slice(0, 40), (a + 0.05) / (b + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
  return { n: texts.length, low };
}"""


def test_the_form_is_accessible(open_form, packed):
    rows = filled_rows(packed)
    page = open_form(packed)

    def check():
        contrast = page.evaluate(CONTRAST)
        assert contrast["n"] > 5
        assert contrast["low"] == []
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        unnamed = "nodes => nodes.filter((n) => !(n.labels?.length || n.textContent)).length"
        assert page.eval_on_selector_all("button, input:not([hidden])", unnamed) == 0

    check()
    assert page.locator("html").get_attribute("lang") == "en"
    start(page)
    for index in range(len(rows)):
        check()
        for fieldset in page.get_by_role("radiogroup").all():
            assert fieldset.get_by_role("radio").count() >= 2
        page.keyboard.press("1")
        expect(page.locator("#say")).not_to_be_empty()
        expect(page.locator(".top h1")).to_have_text(f"Item {index + 1} of {len(rows)}")
        page.locator("#next").click()
    expect(page.get_by_role("progressbar", name="0 of 14 complete")).to_be_visible()
    check()
    # Tab goes through the page in the order of reading, and what has the focus shows it.
    page.keyboard.press("Shift+Tab")
    names = []
    for _ in range(3):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outline")
        assert outline.endswith("solid 3px")
    assert names == ["Next open item", "Export progress (CSV)", "Import progress"]


def test_no_word_on_the_screen_names_a_persona(open_form, packed):
    page = open_form(packed)
    titles = [about["title"].casefold() for about in PERSONAS.values()]
    start(page)
    for _ in range(packed.key["item"].n_unique()):
        words = page.locator("body").inner_text().casefold()
        assert not [title for title in titles if re.search(rf"\b{re.escape(title)}\b", words)]
        page.locator("#next").click()
    masked = packed.key.filter(pl.col("masked") > 0)
    assert masked.height == packed.key.height
