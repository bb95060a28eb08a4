"""Criteria of items in a packet, what comes back, and how far raters agree on them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from clinician_packet import BASELINE, FORMS, STRINGS, TEMPLATE, answers, make, members, write_rows
from judged_answers import STATISTICS
from sklearn.metrics import cohen_kappa_score

from persona_paradox.clinicians import agreement
from persona_paradox.clinicians.annotations import read_annotations
from persona_paradox.clinicians.drawing import draw
from persona_paradox.clinicians.forms import criterion_name
from persona_paradox.clinicians.packet import Packet, packet
from persona_paradox.errors import InputError
from persona_paradox.identification.masking import mask
from persona_paradox.judges.criteria import CRITERION

TASK = "answers_task"
TEXTS = ["Says when to get help.", "Names a dose.", "Is short."]


def with_criteria() -> Packet:
    """A packet in which items of one task have two or three criteria."""
    tasks, _ = draw(mask(answers(), STRINGS), 1, 6, 3, BASELINE)
    criteria = {
        (TASK, id_): TEXTS[: 2 + number % 2]
        for number, id_ in enumerate(sorted(answers()["item_id"].unique()))
        if id_.startswith("item_answers")
    }
    return packet(tasks, FORMS, seed=1, strings=STRINGS, template=TEMPLATE, criteria=criteria)


@pytest.fixture(scope="module")
def made() -> Packet:
    return with_criteria()


def filled(packed: Packet, annotator: str, met: int) -> list[dict[str, str]]:
    """Every question answered; criteria are met but for every `met`-th."""
    forms = dict(packed.key.select("item", "form").iter_rows())
    text = members(packed.data)["answers.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    place = 0
    for row in rows:
        row |= {"annotator": annotator, "confidence": "2"}
        if row["kind"] == "pair":
            row["preference"] = "A"
            continue
        for question in FORMS[forms[row["item"]]]["questions"]:
            row[question["id"]] = str(question["options"][0]["value"])
        for number in range(1, len(packed.criteria.get(row["item"], ())) + 1):
            place += 1
            row[f"criterion_{number}"] = str(int(place % met > 0))
    return rows


def test_single_answers_are_asked_about_their_criteria_and_pairs_are_not(made: Packet) -> None:
    content = json.loads(
        members(made.data)["form.html"]
        .decode()
        .split('type="application/json"')[1]
        .split(">", 1)[1]
        .split("</script>")[0]
    )
    asked = {item["id"]: item.get("criteria") for item in content["items"]}
    singles = made.key.filter(pl.col("side").is_null() & (pl.col("task") == TASK))
    assert {id_ for id_, own in asked.items() if own} == set(singles["item"]) == set(made.criteria)
    for id_, texts in made.criteria.items():
        assert [one["text"] for one in asked[id_]] == texts
    columns = [f"criterion_{n}" for n in (1, 2, 3)]
    assert content["columns"][-5:] == [*columns, "preference", "confidence"]
    readme = members(made.data)["README.txt"].decode()
    assert readme.count("Is the criterion met that the item shows under this number?") == 1


def test_the_spreadsheet_shows_the_criteria(made: Packet, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        (tmp_path / "answers.xlsx").write_bytes(archive.read("answers.xlsx"))
    sheet = openpyxl.load_workbook(tmp_path / "answers.xlsx")["Answers"]
    head, *rows = sheet.iter_rows(values_only=True)
    shown = {row[head.index("item")]: row[head.index("criteria")] for row in rows}
    for id_, texts in made.criteria.items():
        assert shown[id_] == "\n".join(f"{n}. {text}" for n, text in enumerate(texts, 1))


def test_a_packet_without_criteria_says_nothing_of_them() -> None:
    packed, _ = make()
    assert packed.criteria == {}
    inside = members(packed.data)
    assert b"criterion" not in inside["answers.csv"] + inside["README.txt"]
    assert not any(b"criterion" in content for name, content in inside.items() if "xlsx" in name)


def read(made: Packet, tmp_path: Path, *rows: list[dict[str, str]]) -> pl.DataFrame:
    paths = [write_rows(tmp_path / f"{n}.csv", one) for n, one in enumerate(rows)]
    return read_annotations(paths, made.key, FORMS, made.criteria)


def test_criteria_come_back_by_their_texts(made: Packet, tmp_path: Path) -> None:
    rows = filled(made, "R1", 3)
    table = read(made, tmp_path, rows).filter(agreement.of_criteria())
    said = {(row["item"], row["question"]): row["value"] for row in table.iter_rows(named=True)}
    expected = {
        (row["item"], criterion_name(text)): float(row[f"criterion_{number}"])
        for row in rows
        for number, text in enumerate(made.criteria.get(row["item"], ()), 1)
    }
    assert said == expected
    assert set(said.values()) == {0.0, 1.0}
    shares = agreement.share_met(table)
    assert shares.height == len(made.criteria)
    for row in shares.iter_rows(named=True):
        own = [value for (item, _), value in expected.items() if item == row["item"]]
        assert row["value"] == pytest.approx(sum(own) / len(own))


@pytest.mark.parametrize(("value", "words"), [("2", "'2' is no choice"), ("", "not complete")])
def test_a_criterion_that_is_not_answered(
    made: Packet, tmp_path: Path, value: str, words: str
) -> None:
    rows = filled(made, "R1", 3)
    row = next(row for row in rows if row["item"] in made.criteria)
    row["criterion_1"] = value
    with pytest.raises(InputError, match=words):
        read(made, tmp_path, rows)


def test_a_criterion_of_an_item_that_has_none(made: Packet, tmp_path: Path) -> None:
    rows = filled(made, "R1", 3)
    row = next(row for row in rows if row["item"] not in made.criteria)
    row["criterion_1"] = "1"
    with pytest.raises(InputError, match=r"column `criterion_1`.*; leave it empty"):
        read(made, tmp_path, rows)


def verdicts(criteria: dict[str, list[str]], items: dict[str, str], right: int) -> pl.DataFrame:
    """What a judge says of the items of a cell: every `right`-th criterion is not met."""
    rows: list[dict[str, Any]] = []
    for item, texts in criteria.items():
        for number, text in enumerate(texts, 1):
            row = {"item_id": items[item], "variant": "main", "repeat": 0, "criterion": text}
            rows.append(row | {"number": number, "met": len(rows) % right > 0, "status": "read"})
    return pl.DataFrame(rows, schema=CRITERION).unique(["item_id", "number"], maintain_order=True)


def test_agreement_over_criteria_is_that_of_another_library(made: Packet, tmp_path: Path) -> None:
    table = read(made, tmp_path, filled(made, "R1", 3), filled(made, "R2", 4))
    table = table.filter(agreement.of_criteria())
    judged = {}
    for (model, persona), part in made.key.filter(
        pl.col("item").is_in(list(made.criteria))
    ).group_by("model", "persona", maintain_order=True):
        items = dict(part.select("item", "item_id").iter_rows())
        own = {item: made.criteria[item] for item in items}
        judged[str(model), str(persona)] = verdicts(own, items, 2)
    raters = [
        *agreement.criterion_raters(table, TASK),
        agreement.criterion_judge("careful", judged, TASK, usable=True),
    ]
    keys = (*agreement.ANSWER, "question")
    rows = agreement.agreement_rows(
        raters,
        [0, 1],
        {"task": TASK, "question": "criteria"},
        STATISTICS,
        ordered=False,
        keys=keys,
    )
    n = sum(map(len, made.criteria.values()))
    by = {rater.name: rater.ratings for rater in raters}
    for a, b in (("R1", "R2"), ("R1", "careful"), ("R2", "careful")):
        both = by[a].join(by[b], on=keys, suffix="_b")
        (kappa,) = (
            row
            for row in rows
            if {row["rater_a"], row["rater_b"]} == {a, b} and row["statistic"] == "kappa"
        )
        assert kappa["n"] == both.height == n
        assert kappa["value"] == pytest.approx(cohen_kappa_score(both["value"], both["value_b"]))
