"""What is asked about an item of a packet, and the key that says whose answers it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

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


def kind_of(item: Mapping[str, Any]) -> str:
    """`SINGLE` or `PAIR`, by the number of answers that an item shows."""
    return SINGLE if len(item["answers"]) == 1 else PAIR


def legend(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Title of the form and kind; column, question; codes, for everything that is asked."""
    used = {(item["form"], kind_of(item)) for item in content["items"]}
    for index, form in enumerate(content["forms"]):
        for kind, about in ((SINGLE, "one answer"), (PAIR, "two answers")):
            if (index, kind) in used:
                for asked in form[kind]:
                    codes = "\n".join(f"{o['value']} = {o['label']}" for o in asked["options"])
                    yield f"{form['title']}, {about}", f"{asked['id']}: {asked['text']}", codes
