"""What is asked about an item of a packet, and the key that says whose answers it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from ..files import sha256_bytes

PREFERENCE, CONFIDENCE, TIE = "preference", "confidence", "tie"
SINGLE, PAIR = "single", "pair"
KEY: dict[str, type[pl.DataType]] = {
    "packet_id": pl.String,
    "item": pl.String,
    "number": pl.Int64,
    "side": pl.String,
    "form": pl.String,
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "masked": pl.Int64,
}

# The columns of a packet about criteria, and what annotations call one.
_CRITERION, CRITERION = "criterion_", "criterion:"

Row = dict[str, Any]
Form = Mapping[str, Any]


def questions_of(form: Form, kind: str) -> list[dict[str, Any]]:
    """What is asked about an item of a kind, in order, all in the same form."""
    about = form["answer_title"]
    preference = [
        {"value": "A", "label": f"{about} A"},
        {"value": "equal", "label": "About equal"},
        {"value": "B", "label": f"{about} B"},
    ]
    shown = ("id", "title", "text", "options")
    asked = (
        [{key: question[key] for key in shown} for question in form["questions"]]
        if kind == SINGLE
        else [{**form["preference"], "id": PREFERENCE, "options": preference}]
    )
    return [*asked, {**form["confidence"], "id": CONFIDENCE}]


def criterion_questions(criteria: Sequence[str]) -> list[dict[str, Any]]:
    """What is asked about the criteria of an item, one by one."""
    options = [{"value": 1, "label": "Met"}, {"value": 0, "label": "Not met"}]
    return [
        {
            "id": f"{_CRITERION}{number}",
            "title": f"Criterion {number}",
            "text": text,
            "options": options,
        }
        for number, text in enumerate(criteria, start=1)
    ]


def is_criterion(column: str) -> bool:
    """Whether a column is about a criterion of the items."""
    return column.removeprefix(_CRITERION).isdecimal() and column.startswith(_CRITERION)


def criterion_name(text: str) -> str:
    """What annotations call a criterion: by its text, whatever its place among others."""
    return CRITERION + sha256_bytes(text.encode())[:16]


def asked_of(item: Mapping[str, Any], form: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is asked about an item of a packet: of its form, and of its criteria before the last."""
    *asked, last = form[kind_of(item)]
    return [*asked, *item.get("criteria", ()), last]


def kind_of(item: Mapping[str, Any]) -> str:
    """`SINGLE` or `PAIR`, by the number of answers that an item shows."""
    return SINGLE if len(item["answers"]) == 1 else PAIR


# The questions of an item's own criteria, in one line.
_ANY_CRITERION = criterion_questions([""])[0] | {
    "id": f"{_CRITERION}1, {_CRITERION}2, …",
    "text": "Is the criterion met that the item shows under this number?",
}


def legend(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Title of the form and kind; column, question; codes, for everything that is asked."""
    used = {(item["form"], kind_of(item)) for item in content["items"]}
    for index, form in enumerate(content["forms"]):
        for kind, about in ((SINGLE, "one answer"), (PAIR, "two answers")):
            if (index, kind) in used:
                *questions, last = form[kind]
                with_criteria = any("criteria" in i for i in content["items"] if i["form"] == index)
                more = [_ANY_CRITERION] if with_criteria and kind == SINGLE else []
                for asked in (*questions, *more, last):
                    codes = "\n".join(f"{o['value']} = {o['label']}" for o in asked["options"])
                    yield f"{form['title']}, {about}", f"{asked['id']}: {asked['text']}", codes
