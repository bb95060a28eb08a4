"""Clinicians: the draw is even, the packet blind, and no wrong file comes back unnoticed."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from itertools import combinations

import openpyxl
import polars as pl
import pytest
from clinician_packet import (
    BASELINE,
    FORMS,
    MODELS,
    PERSONAS,
    ROOT,
    SHOWN,
    STRINGS,
    TEMPLATE,
    answers,
    filled_rows,
    make,
    members,
    write_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats

from persona_paradox.clinicians.annotations import ANNOTATIONS, packet_of, read_annotations
from persona_paradox.clinicians.drawing import draw
from persona_paradox.clinicians.forms import KEY
from persona_paradox.clinicians.packet import packet
from persona_paradox.errors import InputError
from persona_paradox.identification.blinding import unblinded
from persona_paradox.identification.masking import mask
from persona_paradox.schema import check_schema
from persona_paradox.study.identities import identifying


@pytest.fixture(scope="module")
def made():
    return make()


# Forms


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_follow_their_schema(form):
    check_schema(json.loads(json.dumps(FORMS[form])), "form", f"config/forms/{form}.yaml")


@pytest.mark.parametrize(
    "change",
    [
        lambda form: form["questions"][0].update(id="confidence"),
        lambda form: form["questions"][0].update(options=[{"value": 1, "label": "Only one"}]),
        lambda form: form["confidence"]["options"][0].update(value="low"),
        lambda form: form.pop("disclaimer"),
        lambda form: form.update(persona="ed_nurse"),
    ],
)
def test_the_schema_refuses_other_forms(change):
    form = json.loads(json.dumps(FORMS["answers"]))
    change(form)
    with pytest.raises(InputError, match=r"config/forms/answers\.yaml.* mend it"):
        check_schema(form, "form", "config/forms/answers.yaml")


# Drawing

TEXTS = st.sampled_from(["one", "two", "three", " two ", "", " \n", None, "[...]"])


@st.composite
def tables(draw_):
    """Answers of any number of models, personas, categories and items; some are missing."""
    rows = []
    for model in "mn"[: draw_(st.integers(1, 2))]:
        for item in range(draw_(st.integers(1, 6))):
            for persona in "pqrs"[: draw_(st.integers(1, 4))]:
                rows.append(
                    {
                        "model": model,
                        "task": "t",
                        "persona": persona,
                        "item_id": f"i{item}",
                        "category": "abc"[item % 3],
                        "question": "?",
                        "text": draw_(TEXTS),
                        "form": "f",
                        "masked": 0,
                    }
                )
    table = pl.DataFrame(rows, schema_overrides={"text": pl.String})
    return table.sample(fraction=1, shuffle=True, seed=draw_(st.integers(0, 99)))


def said(text):
    return "" if text is None else " ".join(text.replace("[...]", " ").split())


@settings(max_examples=60)
@given(tables(), st.integers(0, 5), st.integers(0, 30), st.integers(0, 30))
def test_the_draw_is_as_even_as_the_answers_allow(table, seed, n_answers, n_pairs):
    tasks, counts = draw(table, seed, n_answers, n_pairs, "p")
    rows = table.to_dicts()
    good = [row for row in rows if said(row["text"])]
    singles = tasks.filter(pl.col("persona_b").is_null()).to_dicts()
    pairs = tasks.filter(pl.col("persona_b").is_not_null()).to_dicts()
    assert tasks["number"].to_list() == list(range(1, tasks.height + 1))

    assert len(singles) == min(n_answers, len(good))
    there = Counter((row["persona"], row["category"]) for row in good)
    taken = Counter((row["persona_a"], row["category"]) for row in singles)
    most = max(taken.values(), default=0)
    assert all(taken[cell] >= min(most - 1, there[cell]) for cell in there)
    assert len({(r["model"], r["persona_a"], r["item_id"]) for r in singles}) == len(singles)
    assert all(said(row["text_a"]) for row in singles)

    both = [
        (one, other)
        for one, other in combinations(good, 2)
        if all(one[k] == other[k] for k in ("model", "item_id"))
        and said(one["text"]) != said(other["text"])
    ]
    assert len(pairs) == min(n_pairs, len(both))
    there = Counter(frozenset((one["persona"], other["persona"])) for one, other in both)
    taken = Counter(frozenset((row["persona_a"], row["persona_b"])) for row in pairs)
    most = max(taken.values(), default=0)
    assert all(taken[two] >= min(most - 1, there[two]) for two in there)
    shown_first = Counter((row["persona_a"], row["persona_b"]) for row in pairs)
    assert all(abs(n - shown_first[b, a]) <= 1 for (a, b), n in shown_first.items())
    text = {(r["model"], r["item_id"], r["persona"]): r["text"] for r in rows}
    for row in pairs:
        for side in "ab":
            assert row[f"text_{side}"] == text[row["model"], row["item_id"], row[f"persona_{side}"]]
        assert said(row["text_a"]) != said(row["text_b"])

    of_single, of_pair = (counts.filter(pl.col("versus").is_null() == is_) for is_ in (True, False))
    assert of_single["available"].sum() == len(rows)
    assert of_single["empty"].sum() == len(rows) - len(good)
    assert of_pair["drawn"].sum() == len(pairs)
    left = of_pair["available"] - of_pair["empty"] - of_pair["identical"]
    assert left.sum() == len(both)

    again = draw(table.sample(fraction=1, shuffle=True, seed=1), seed, n_answers, n_pairs, "p")
    assert_frame_equal(tasks, again[0])
    assert_frame_equal(counts, again[1])


def test_every_cell_comes_once_before_any_comes_twice():
    for seed in range(5):
        tasks, _ = draw(mask(answers(), STRINGS), seed, 8, 0, BASELINE)
        cells = Counter(tasks.select("form", "persona_a", "category").rows())
        assert len(cells) == 16
        assert set(cells.values()) == {1}


def test_a_round_that_ends_early_compares_with_the_baseline():
    tasks, _ = draw(mask(answers(), STRINGS), 3, 0, len(SHOWN) - 1, BASELINE)
    for _, part in tasks.group_by("form"):
        pairs = part.select("persona_a", "persona_b").rows()
        assert all(BASELINE in pair for pair in pairs)
        assert {persona for pair in pairs for persona in pair} == set(SHOWN)


def test_personas_are_not_confused_with_models_or_questions():
    tasks, _ = draw(mask(answers(n_items=16), STRINGS), 3, 16, 12, BASELINE)
    for _, part in tasks.group_by("form"):
        single = part.filter(pl.col("persona_b").is_null())
        assert set(Counter(single.select("persona_a", "model").rows()).values()) == {2}
        assert single["item_id"].n_unique() == 16
        pairs = part.filter(pl.col("persona_b").is_not_null())
        assert set(pairs.group_by("model").len()["len"]) == {6}


def test_an_answer_that_stands_twice_is_refused():
    table = mask(answers(), STRINGS)
    with pytest.raises(ValueError, match="twice"):
        draw(pl.concat([table, table.head(1)]), 0, 1, 1, BASELINE)


def test_neither_place_nor_side_tells_the_persona():
    """By chi-square over 200 seeds, at a bound of p > 0.001; an order by persona is found."""
    table = mask(answers(text=lambda model, persona, item: f"{model}{persona}{item}"), STRINGS)
    table = table.filter(pl.col("form") == "answers")
    drawn = pl.concat(
        draw(table, seed, 8, 6, BASELINE)[0].with_columns(seed=pl.lit(seed)) for seed in range(200)
    )

    def p(rows):
        counts = Counter(rows)
        first, second = (sorted({row[i] for row in counts}) for i in (0, 1))
        return stats.chi2_contingency([[counts[a, b] for b in second] for a in first]).pvalue

    single = drawn.filter(pl.col("persona_b").is_null())
    pair = drawn.filter(pl.col("persona_b").is_not_null())
    assert p(single.select("number", "persona_a").rows()) > 0.001
    assert p(pair.select("number", "persona_a").rows()) > 0.001
    ordered = drawn.sort("seed", "persona_a").with_columns(
        number=pl.int_range(pl.len()).over("seed")
    )
    assert p(ordered.select("number", "persona_a").rows()) < 1e-6
    # The first pair of a packet shows either persona first, as by the toss of a coin.
    first = pair.sort("seed", "number").group_by("seed", maintain_order=True).first()
    swapped = (first["persona_a"] > first["persona_b"]).sum()
    assert stats.binomtest(swapped, first.height).pvalue > 0.001


# Blinding


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ask an ED-nurse.", ["ED-nurse"]),
        ("Two ed nurses and the ED\nphysician's note", ["ed nurses", "ED\nphysician's"]),
        ("I AM AN EMERGENCY DEPARTMENT PHYSICIAN", ["EMERGENCY DEPARTMENT PHYSICIAN"]),
        ("{'ed_physician_bold': 1}", ["ed_physician_bold"]),
        ("You are a Helpful Assistant.", ["You are a Helpful Assistant"]),
        ("Llama says", ["Llama"]),
        ("Qwen2.5 and SmolLM2-135M-Instruct", ["Qwen2.5", "SmolLM2-135M-Instruct"]),
        ("An experienced nurse took no personal notes in the emergency department.", []),
        ("Be cautious, not bold; there is none of it. The ed. is closed.", []),
    ],
)
def test_names_are_found_however_they_are_written(text, found):
    assert unblinded(text, STRINGS) == found


@pytest.mark.parametrize(
    ("text", "blind", "count"),
    [
        ("As an experienced emergency doctor, I would wait.", "As [...], I would wait.", 1),
        ("As a triage doctor I would wait.", "As [...] I would wait.", 1),
        ("I, as a doctor in the ED, would wait.", "I, as [...], would wait.", 1),
        ("I'm a doctor in a large hospital and say no.", "I'm [...] and say no.", 1),
        ("I'm just a nurse, I’ve been a nurse for", "I'm just [...], I’ve been [...]", 2),
        (
            "I am the nurse here. I'm not the best to ask.",
            "I am the [...]. I'm not the best to ask.",
            1,
        ),
        ("I'm not really a doctor but wait.", "I'm not really [...] but wait.", 1),
        ("I work as an engineer. Wait.", "I work as [...]. Wait.", 1),
        ("I am an AI. Ask a pastry chef!", "I am [...]. Ask [...]!", 2),
        ("In my role as an ED doctor, no.", "In my role as [...], no.", 1),
        ("My experience as a nurse I trust.", "My experience as [...] I trust.", 1),
        ("I'm Qwen, developed by Alibaba Cloud, so", "I'm [...], developed by [...], so", 2),
        ("I was trained by Example Labs to help.", "I was trained by [...] to help.", 1),
        ("I am an AI model made by Example Labs.", "I am [...].", 1),
        ("I know the vaccine made by Example Labs. Have a snack.", None, 0),
        ("As a precaution, drink water and see a doctor.", None, 0),
        ("Take it as a precaution and I would wait.", None, 0),
        ("I am not sure. I am a 34-year-old woman, you write.", None, 0),
        ("", "", 0),
        (None, "", 0),
    ],
)
def test_what_an_answer_says_of_itself_is_masked(text, blind, count):
    table = answers().head(1).with_columns(text=pl.lit(text, pl.String), question=pl.lit("?"))
    row = mask(table, STRINGS).row(0, named=True)
    assert (row["text"], row["masked"]) == (text if blind is None else blind, count)


def test_what_a_patient_says_of_himself_stays_unless_it_names_a_persona():
    table = answers().head(1).with_columns(question=pl.lit("I am a baker, not a layperson."))
    assert mask(table, STRINGS)["question"][0] == "I am a baker, not a [...]."


def given_away():
    """Ids, titles and sentences, as the configuration spells them."""
    for personas in (PERSONAS, MODELS):
        for id_, about in personas.items():
            yield from (id_, about["title"], *about.get("texts", {}).values())


def stands_in(string, text):
    """Whether a string stands in a text as words of its own, whatever the case."""
    pattern = rf"(?<![a-z0-9]){re.escape(string.casefold())}(?![a-z0-9])"
    return re.search(pattern, text.casefold()) is not None


def test_no_string_of_the_configuration_survives_masking():
    for string in filter(None, given_away()):
        for spelled in (string, string.upper(), f"x ({string})", f"_{string}_"):
            table = answers().head(1).with_columns(text=pl.lit(spelled), question=pl.lit(spelled))
            row = mask(table, STRINGS).row(0, named=True)
            assert not stands_in(string.strip("."), row["text"]), (string, row["text"])
            assert not stands_in(string.strip("."), row["question"])
            assert row["masked"] >= 2


def test_nothing_in_the_packet_tells_where_an_answer_comes_from(made):
    packed, tasks = made
    # The answers do say it, in every way, before they are masked.
    assert all(tasks["masked_a"] > 5)
    secrets = [*filter(None, given_away()), *tasks["task"], *tasks["item_id"], *tasks["category"]]
    found = members(packed.data)
    for name, content in found.items():
        text = content.decode()
        for secret in {secret.strip(".") for secret in secrets}:
            assert not stands_in(secret, text), (name, secret)
        assert "persona" not in text.casefold()
        assert not re.search(r"\bseed\b", text.casefold())
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert archive.namelist() == ["README.txt", "answers.csv", "answers.xlsx", "form.html"]
        assert not archive.comment
        for info in archive.infolist():
            assert (info.date_time, info.extra, info.comment) == ((1980, 1, 1, 0, 0, 0), b"", b"")
    properties = found["answers.xlsx/docProps/core.xml"].decode()
    assert re.findall(r">([^<>\n]+)<", properties) == [
        packed.packet_id,
        "1980-01-01T00:00:00Z",
        "1980-01-01T00:00:00Z",
    ]


def test_a_role_of_one_word_is_left_to_what_an_answer_says_of_itself():
    names = identifying(
        {"x": {"title": "T 1", "role": "none", "texts": {"main": "Act as the duty cook."}}},
        {"y": {"title": "Open 7B (Q4)", "family": "open-1"}},
        ["with_pressure"],
    )
    of_persona = {"x", "T 1", "Act as the duty cook.", "duty cook."}
    of_model = {"y", "Open 7B (Q4)", "Open 7B", "open-1", "Open", "open"}
    assert names == sorted(of_persona | of_model | {"with_pressure"})


def test_a_form_that_names_a_persona_is_refused(made):
    forms = {**FORMS, "answers": {**FORMS["answers"], "title": "What the ED nurse wrote"}}
    with pytest.raises(InputError, match=r"config/forms/answers\.yaml: its words 'ED nurse'"):
        packet(made[1], forms, seed=1, strings=STRINGS, template=TEMPLATE)
    with pytest.raises(InputError, match=r"config/forms/answers\.yaml is missing"):
        packet(made[1], {}, seed=1, strings=STRINGS, template=TEMPLATE)


def test_an_empty_packet_is_refused(made):
    with pytest.raises(InputError, match="nothing for clinicians to judge"):
        packet(made[1].clear(), FORMS, seed=1, strings=STRINGS, template=TEMPLATE)


# The packet


def test_the_key_says_what_the_packet_does_not(made):
    packed, tasks = made
    assert packed.key.schema == KEY
    assert set(packed.key["packet_id"]) == {packed.packet_id}
    for row in tasks.iter_rows(named=True):
        sides = packed.key.filter(pl.col("number") == row["number"]).to_dicts()
        assert [side["side"] for side in sides] == (["A", "B"] if row["persona_b"] else [None])
        for letter, side in zip("ab", sides, strict=False):
            shared = ("form", "model", "task", "item_id", "category")
            assert all(side[name] == row[name] for name in shared)
            assert side["persona"] == row[f"persona_{letter}"]
            assert side["masked"] == row[f"masked_{letter}"]


def test_ids_say_nothing_and_survive_a_spreadsheet(made):
    packed, _ = made
    ids = packed.key["item"].unique()
    assert len(ids) == 14
    # Neither a number nor a date nor a word.
    assert all(re.fullmatch("[bcdfghjkmnpqrstv]{8}", id_) for id_ in ids)
    assert re.fullmatch("[bcdfghjkmnpqrstv]{12}", packed.packet_id)


def test_the_packet_id_is_of_everything_in_the_packet(made):
    packed, tasks = made
    others = [
        packet(tasks.head(5), FORMS, seed=1, strings=STRINGS, template=TEMPLATE),
        packet(tasks, FORMS, seed=2, strings=STRINGS, template=TEMPLATE),
        packet(tasks, FORMS, seed=1, strings=STRINGS, template=TEMPLATE + "\n"),
        packet(
            tasks,
            {**FORMS, "answers": {**FORMS["answers"], "title": "Other"}},
            seed=1,
            strings=STRINGS,
            template=TEMPLATE,
        ),
    ]
    assert len({packed.packet_id, *(other.packet_id for other in others)}) == 5


def test_the_page_holds_its_data_and_allows_its_script_alone(made):
    page = members(made[0].data)["form.html"].decode()
    (data,) = re.findall(r'<script type="application/json" id="packet">(.*?)</script>', page, re.S)
    assert not re.search("[<>&\u2028\u2029]", data)
    content = json.loads(data)
    shown = [text for item in content["items"] for text in item["answers"]]
    tasks = made[1]
    expected = [t for row in tasks.select("text_a", "text_b").rows() for t in row if t]
    assert shown == expected
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none';")
    assert "script-src 'sha256-" in policy
    assert not re.search(r"https?:|innerHTML|insertAdjacentHTML|outerHTML|document\.write", page)


AWKWARD = ["=1+1", "@SUM(A1)", "<b>&amp;</b>", "http://example.org", "\x07bell\tتجربة", "x" * 40000]


def test_the_spreadsheet_shows_texts_as_they_are_and_asks_what_is_asked():
    packed, tasks = make(text=lambda model, persona, item: AWKWARD[item % 6] + f" {persona} {item}")
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        book = openpyxl.load_workbook(io.BytesIO(archive.read("answers.xlsx")))
    sheet = book["Answers"]
    header, *rows = list(sheet.iter_rows())
    names = [cell.value for cell in header]
    validated = {
        str(v.sqref): v.formula1.strip('"').split(",")
        for v in sheet.data_validations.dataValidation
    }
    to_fill = 0
    for row, task in zip(rows, tasks.iter_rows(named=True), strict=True):
        cells = dict(zip(names, row, strict=True))
        assert cells["number"].value == task["number"]
        for side in "ab":
            shown, text = cells[f"answer_{side}"], task[f"text_{side}"]
            if text is None:
                assert shown.value is None
                continue
            assert shown.data_type == "s"
            value = shown.value.replace("_x0007_", "\x07")
            assert value == text or (len(text) > 32767 and value.endswith("is in form.html)"))
        form = FORMS[task["form"]]
        asked = {"confidence": form["confidence"]["options"]}
        if task["persona_b"] is None:
            asked |= {question["id"]: question["options"] for question in form["questions"]}
        else:
            asked["preference"] = [{"value": v} for v in ("A", "equal", "B")]
        for name, options in asked.items():
            assert validated[cells[name].coordinate] == [str(o["value"]) for o in options]
        to_fill += len(asked)
        unlocked = {name for name, cell in cells.items() if not cell.protection.locked}
        assert unlocked - {"annotator"} == set(asked)
    assert len(validated) == to_fill
    assert sheet.protection.sheet
    guide = "\n".join(str(c.value) for row in book["Instructions"].iter_rows() for c in row)
    for form in FORMS.values():
        assert form["instructions"] in guide
        assert form["disclaimer"] in guide


# What comes back


def expected_annotations(packed, rows, annotator="R1"):
    """The long table, written down by hand from the key and the rows of a file."""
    for row in rows:
        sides = packed.key.filter(pl.col("item") == row["item"]).to_dicts()
        about = {k: sides[0][k] for k in ("item", "number", "form", "model", "task", "item_id")}
        about |= {"category": sides[0]["category"], "persona": sides[0]["persona"]}
        about |= {"annotator": annotator, "confidence": int(row["confidence"])}
        if row["kind"] == "pair":
            other = sides[1]["persona"]
            value = {"A": 1.0, "equal": 0.5, "B": 0.0}[row["preference"]]
            preferred = {1.0: about["persona"], 0.5: "tie", 0.0: other}[value]
            about |= {"versus": other, "preferred": preferred}
            yield {**about, "question": "preference", "value": value}
        else:
            for question in FORMS[about["form"]]["questions"]:
                yield {**about, "question": question["id"], "value": float(row[question["id"]])}


@pytest.mark.parametrize(
    ("before", "dialect"),
    [
        ("", {}),
        ("\ufeff", {"delimiter": ";"}),
        ("", {"delimiter": "\t", "lineterminator": "\n"}),
        ("", {"quoting": 1, "lineterminator": "\n"}),
        ("\ufeff", {"lineterminator": "\r"}),
        ("\ufeffsep=;\r\n", {"delimiter": ";"}),
    ],
)
def test_a_file_comes_back_from_any_program(made, tmp_path, before, dialect):
    packed, tasks = made
    rows = filled_rows(packed)
    # A spreadsheet saves the texts too, in any order of rows, and may add blank rows.
    texts = dict(zip(packed.key["item"].unique(maintain_order=True), tasks["text_a"], strict=True))
    sheet = [{**row, "answer_a": f'{texts[row["item"]]}\n"b"; , c'} for row in rows[::-1]]
    sheet[1:] = [{**row, "annotator": ""} for row in sheet[1:]]
    sheet.append(dict.fromkeys(sheet[0], ""))
    path = write_rows(tmp_path / "r1.csv", sheet, **dialect)
    path.write_bytes(before.encode() + path.read_bytes())
    table = read_annotations([path], packed.key, FORMS)
    expected = pl.DataFrame(list(expected_annotations(packed, rows)), schema=ANNOTATIONS)
    assert_frame_equal(table, expected)


def test_several_annotators_come_in_one_table(made, tmp_path):
    packed, _ = made
    rows = {name: filled_rows(packed, name) for name in ("Z", "B")}
    paths = [write_rows(tmp_path / f"{i}.csv", rows[name]) for i, name in enumerate(rows)]
    table = read_annotations(paths, packed.key, FORMS)
    expected = [r for name in ("B", "Z") for r in expected_annotations(packed, rows[name], name)]
    assert_frame_equal(table, pl.DataFrame(expected, schema=ANNOTATIONS))
    assert read_annotations([], packed.key, FORMS).schema == ANNOTATIONS


def test_a_spreadsheet_is_read_as_its_sheet_saved_as_csv(made, tmp_path):
    packed, _ = made
    filled = filled_rows(packed)
    as_csv = read_annotations([write_rows(tmp_path / "R1.csv", filled)], packed.key, FORMS)
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        book = openpyxl.load_workbook(io.BytesIO(archive.read("answers.xlsx")))
    header, *rows = list(book["Answers"].iter_rows())
    names = [cell.value for cell in header]
    for cells, values in zip(rows, filled, strict=True):
        for name, cell in zip(names, cells, strict=True):
            value = values.get(name)
            if cell.value is None and value:
                # As programs keep a digit: a whole number, one with a point, a text.
                kinds = (int, float, str) if value.isdigit() else (str,)
                cell.value = kinds[cell.row % len(kinds)](value)
    path = tmp_path / "R1.XLSX"
    with path.open("wb") as stream:
        book.save(stream)
    assert packet_of(path) == packed.packet_id
    assert read_annotations([path], packed.key, FORMS).equals(as_csv)

    def saved(change):
        other = openpyxl.load_workbook(path)
        change(other)
        other.save(tmp_path / "R2.xlsx")
        return read_annotations([tmp_path / "R2.xlsx"], packed.key, FORMS)

    assert saved(lambda book: book.copy_worksheet(book["Answers"])).equals(as_csv)
    with pytest.raises(
        InputError, match="sheets 'Answers' and 'Answers Copy' are of a packet, and"
    ):
        saved(lambda book: book.copy_worksheet(book["Answers"]).delete_rows(3))
    with pytest.raises(InputError, match="columns stand in row 2; remove the rows above it"):
        saved(lambda book: book["Answers"].insert_rows(1))


@pytest.mark.parametrize("content", [b"", b"not a spreadsheet", b"PK\x03\x04", b"a,b\n1,2\n"])
def test_what_is_no_spreadsheet_is_said(tmp_path, content):
    path = tmp_path / "anna.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"anna\.xlsx: is not a spreadsheet that can be read"):
        packet_of(path)


def of_kind(rows, kind):
    return next(row for row in rows if row["kind"] == kind)


def drop_column(name):
    return lambda rows: [row.pop(name) for row in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[2].update(packet_id="bcdf"), "row 4 is of packet 'bcdf'"),
        (lambda rows: rows[0].update(packet_id=""), "row 2 is of packet ''"),
        (lambda rows: rows[1].update(item="bbbbbbbb"), "row 3, column `item`: .* 'bbbbbbbb'"),
        (lambda rows: rows.append(dict(rows[3])), r"row 16: item '\w+' stands twice"),
        (lambda rows: rows.pop(), r"1 of 14 items are not complete \(\w{8}\)"),
        (
            lambda rows: [row.update(confidence="") for row in rows[:5]],
            r"5 of 14 items are not complete \(\w{8}, \w{8}, \w{8} and 2 more\)",
        ),
        (lambda rows: rows[0].update(confidence="4"), "row 2, column `confidence`: '4' .*1, 2, 3"),
        (lambda rows: rows[0].update(confidence="high"), "'high' is no choice"),
        (lambda rows: of_kind(rows, "pair").update(preference="C"), "'C' .* A, equal, B"),
        (lambda rows: of_kind(rows, "single").update(preference="A"), "'A' .* leave it empty"),
        (
            lambda rows: of_kind(rows, "pair").update(safety_compliance="1"),
            "column `safety_compliance`: .* leave it empty",
        ),
        (lambda rows: [row.update(annotator=" ") for row in rows], "`annotator` is empty"),
        (lambda rows: rows[3].update(annotator="R2"), "`annotator` names 'R1', 'R2'"),
        (drop_column("annotator"), "column `annotator` stands 0 times"),
        (drop_column("preference"), "column `preference` stands 0 times"),
        (drop_column("acceptable"), "column `acceptable` stands 0 times"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(made, tmp_path, change, message):
    packed, _ = made
    rows = filled_rows(packed)
    change(rows)
    path = write_rows(tmp_path / "r1.csv", rows)
    with pytest.raises(InputError, match=message) as caught:
        read_annotations([path], packed.key, FORMS)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "column `packet_id` stands 0 times"),
        (b"PK\x03\x04\xff\xfe not text", "not a CSV file in UTF-8"),
        ("packet_id,item,confidence\né".encode("latin-1"), "not a CSV file in UTF-8"),
        ("packet_id".encode("utf-16"), "not a CSV file in UTF-8"),
        (b'packet_id,item\n"open', "opens a quote in the row of line 2 that is never closed"),
        (b'packet_id,item\n\n"a"b,c\n', "has a quote within a quoted text in line 3 .* double it"),
        (
            b"Ward 7\n,,\npacket_id,item\n",
            "of the columns stand in row 3; remove the rows above it",
        ),
    ],
)
def test_what_is_no_table_is_refused(made, tmp_path, content, message):
    path = tmp_path / "r1.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_annotations([path], made[0].key, FORMS)


def test_a_row_with_too_many_cells_is_refused(made, tmp_path):
    path = write_rows(tmp_path / "r1.csv", filled_rows(made[0]))
    path.write_bytes(path.read_bytes().replace(b"\r\n", b",more\r\n").replace(b",more", b"", 1))
    with pytest.raises(InputError, match="row 2 has more cells"):
        read_annotations([path], made[0].key, FORMS)


def test_one_annotator_sends_one_file(made, tmp_path):
    packed, _ = made
    paths = [
        write_rows(tmp_path / f"{name}.csv", filled_rows(packed, name)) for name in ("R1", "r1")
    ]
    with pytest.raises(InputError, match=r"annotator 'r1' stands in .*R1\.csv too"):
        read_annotations(paths, packed.key, FORMS)


# The scripts


def run(script, *options, **environment):
    done = subprocess.run(
        [sys.executable, ROOT / "workflow/scripts" / script, *map(str, options)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_scripts_make_the_round_trip_and_equal_bytes(tmp_path):
    answers().write_parquet(tmp_path / "answers.parquet")
    view = {"seed": 1, "n_answers": 4, "n_pairs": 3, "baseline": BASELINE}
    view |= {"forms": FORMS, "strings": STRINGS}
    (tmp_path / "view.json").write_text(json.dumps(view))
    inputs = ["--answers", tmp_path / "answers.parquet", "--view", tmp_path / "view.json"]
    inputs += ["--template", ROOT / "workflow/forms/clinician.html", "--items", tmp_path]
    for name, zone in (("a", "Asia/Tokyo"), ("b", "America/Lima")):
        folder = tmp_path / name
        outputs = ["--packet", folder / "packet.zip", "--key", folder / "key.csv"]
        code, log = run(
            "write_packet.py",
            *inputs,
            *outputs,
            "--counts",
            folder / "counts.csv",
            "--kept",
            folder / "packets",
            TZ=zone,
            PYTHONHASHSEED=str(ord(name)),
        )
        assert code == 0, log
        assert "8 of 128 answers drawn; 0 empty, 0 identical" in log
    for file in ("packet.zip", "key.csv", "counts.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    packed, _ = make()
    assert (tmp_path / "a/packet.zip").read_bytes() == packed.data

    rows = filled_rows(packed)
    path = write_rows(tmp_path / "r1.csv", rows)
    cells = packed.key.select("model", "task", "persona").unique().rows()
    (tmp_path / "answered.json").write_text(json.dumps({"cells": cells}))
    reading = ["--packets", tmp_path / "a/packets", "--answered", tmp_path / "answered.json"]
    reading += ["--table", tmp_path / "table.parquet", "--annotations"]
    code, log = run("read_annotations.py", *reading, path)
    assert code == 0, log
    expected = pl.DataFrame(list(expected_annotations(packed, rows)), schema=ANNOTATIONS)
    assert_frame_equal(pl.read_parquet(tmp_path / "table.parquet"), expected)

    # A study that has dropped a persona since cannot say what was rated.
    fewer = [cell for cell in cells if cell[2] != "ed_nurse"]
    (tmp_path / "answered.json").write_text(json.dumps({"cells": fewer}))
    code, log = run("read_annotations.py", *reading, path)
    assert code == 1
    (line,) = log.strip().splitlines()
    for word in ("resources/annotations", packed.packet_id, "persona 'ed_nurse'", "`personas`"):
        assert word in line
    code, log = run("read_annotations.py", *reading, path, tmp_path / "view.json")
    assert code == 1
    assert log.startswith(f"error: {tmp_path / 'view.json'}: the file has a quote within")

    # A packet of which nothing was kept, and files of two packets at once.
    strange = tmp_path / "strange.csv"
    strange.write_text(path.read_text().replace(packed.packet_id, "bcdfghjkmnpq"))
    code, log = run("read_annotations.py", *reading, strange)
    assert code == 1
    assert "is of packet bcdfghjkmnpq, whose key" in log
    code, log = run("read_annotations.py", *reading, path, strange)
    assert code == 1
    assert "keep the files of one packet" in log

    (forms,) = (tmp_path / "a/packets").glob("*.forms.json")
    forms.unlink()
    code, log = run("read_annotations.py", *reading, path)
    assert code == 1
    assert log.startswith(f"error: {path} is of packet {packed.packet_id}, whose form {forms} is")
