"""Clinicians: answers go out to them in a blinded packet, and their annotations come back.

A packet shows texts and nothing of where they come from; who wrote what stands in its key, which
never leaves the study. Single answers are rated on the questions of a form, pairs of answers to
the same question are compared, and each judgement comes with a stated confidence.

Blinding: words that name a persona or a model, and what an answer says about itself ("As a
doctor, I ..."), are replaced by `MASK`. So the answer stays in the sample, and the key
counts what was taken out. An answer that hints at its origin in other words stays as it is.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import InputError
from ..files import sha256_bytes
from ..identification import blinding
from .forms import (
    CONFIDENCE,
    KEY,
    PAIR,
    PREFERENCE,
    SINGLE,
    Form,
    criterion_questions,
    kind_of,
    legend,
    questions_of,
)
from .workbook import dateless_zip, workbook


@dataclass(frozen=True)
class Packet:
    """A packet and what its reader must not know.

    Attributes:
        packet_id: 12 letters, from the hash of everything in the packet.
        data: the bytes of the zip file: `form.html`, `answers.xlsx`, `answers.csv`, `README.txt`.
        key: table `KEY`, one row per answer: an item of a pair has two, sides A and B.
        criteria: item → the texts of its criteria, of items that have some.
    """

    packet_id: str
    data: bytes
    key: pl.DataFrame
    criteria: dict[str, list[str]]


def packet(
    tasks: pl.DataFrame,
    forms: Mapping[str, Form],
    *,
    seed: int,
    strings: Iterable[str],
    template: str,
    criteria: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> Packet:
    """Pack what was drawn; equal arguments give equal bytes.

    Args:
        tasks: table `TASKS`.
        forms: id → content of the form's file; every form of the tasks.
        seed: of the ids of items.
        strings: what must not stand in a packet, of `identifying`.
        template: HTML page with `{{packet}}` and `{{script}}` (the hash of its script).
        criteria: (task, item) → the texts of its criteria, which are asked about single answers.

    Raises:
        InputError: nothing was drawn, a form is missing, or its own words are among `strings`.
    """
    if tasks.is_empty():
        raise InputError(
            "there is nothing for clinicians to judge: no answer has a text, or none was asked "
            "for; let the study draw at least one answer or pair from its tasks"
        )
    ids = tasks["form"].unique().sort().to_list()
    _check_forms(ids, forms, list(strings))
    items = [
        {
            "id": _letters(f"{seed}\0{row['number']}\0{row['question']}\0{row['text_a']}")[:8],
            "form": ids.index(row["form"]),
            "question": row["question"],
            "answers": [text for text in (row["text_a"], row["text_b"]) if text is not None],
        }
        for row in tasks.iter_rows(named=True)
    ]
    own = _own_criteria(tasks, items, criteria or {})
    for item in items:
        if item["id"] in own:
            item["criteria"] = criterion_questions(own[item["id"]])
    about = ("title", "instructions", "question_title", "answer_title", "disclaimer")
    content: dict[str, Any] = {
        "forms": [
            {name: forms[id_][name] for name in about}
            | {kind: questions_of(forms[id_], kind) for kind in (SINGLE, PAIR)}
            for id_ in ids
        ],
        "items": items,
    }
    packet_id = _letters(json.dumps([content, template, _README], sort_keys=True))[:12]
    most = max(map(len, own.values()), default=0)
    content |= {"packet_id": packet_id, "columns": _columns(content["forms"], most)}
    members = {
        "README.txt": _readme(content).encode(),
        "answers.csv": _blank(content).encode(),
        "answers.xlsx": workbook(content),
        "form.html": _page(template, content).encode(),
    }
    key = _key(tasks, packet_id, [item["id"] for item in items])
    return Packet(packet_id, dateless_zip(members), key, own)


def _own_criteria(
    tasks: pl.DataFrame,
    items: Sequence[Mapping[str, Any]],
    criteria: Mapping[tuple[str, str], Sequence[str]],
) -> dict[str, list[str]]:
    """The criteria of the items of a packet that show a single answer, where there are some."""
    places = tasks.select("task", "item_id").iter_rows()
    found = {
        item["id"]: list(criteria.get(place, ()))
        for item, place in zip(items, places, strict=True)
        if kind_of(item) == SINGLE
    }
    return {id_: texts for id_, texts in found.items() if texts}


def _check_forms(ids: Iterable[str], forms: Mapping[str, Form], strings: Sequence[str]) -> None:
    for id_ in ids:
        name = f"config/forms/{id_}.yaml"
        if id_ not in forms:
            raise InputError(f"{name} is missing, but answers are to be rated with it; write it")
        for found in blinding.unblinded(json.dumps(forms[id_], ensure_ascii=False), strings):
            raise InputError(
                f"{name}: its words {found!r} would tell a clinician what answers come from; "
                "say it in other words"
            )


def _letters(text: str) -> str:
    """SHA-256 in 64 consonants: no word in it, and nothing a spreadsheet takes for a number."""
    return sha256_bytes(text.encode()).translate(
        str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")
    )


def _columns(forms: Sequence[Mapping[str, Any]], n_criteria: int) -> list[str]:
    """The columns of an annotation file; `n_criteria` is the most that an item has."""
    own = dict.fromkeys(
        question["id"] for form in forms for kind in (SINGLE, PAIR) for question in form[kind]
    )
    asked = [id_ for id_ in own if id_ not in (PREFERENCE, CONFIDENCE)]
    asked += [question["id"] for question in criterion_questions([""] * n_criteria)]
    return ["packet_id", "annotator", "number", "item", "kind", *asked, PREFERENCE, CONFIDENCE]


def _key(tasks: pl.DataFrame, packet_id: str, ids: Sequence[str]) -> pl.DataFrame:
    rows = [
        {**row, "packet_id": packet_id, "item": id_, "side": side if row["persona_b"] else None}
        | {name: row[f"{name}_{side.lower()}"] for name in ("persona", "masked")}
        for id_, row in zip(ids, tasks.iter_rows(named=True), strict=True)
        for side in ("AB" if row["persona_b"] else "A")
    ]
    return pl.DataFrame([{name: row[name] for name in KEY} for row in rows], schema=KEY)


_README = """\
Packet {packet_id}: {n} items to judge

1. Open form.html in a browser (Chrome, Edge, Firefox or Safari; a double click is enough).
   It works without a network and sends nothing anywhere.
2. Type the annotator code that you were given, and judge the items one by one. Your progress is
   kept in this browser. To go on at another computer, export the progress and import it there.
3. At the end, export your answers and send that one file (answers_..._final.csv) back to the
   person who gave you this packet. Please send nothing else, and do not change the file.

If you would rather use a spreadsheet: fill in the yellow cells of answers.xlsx, and send that file
back. The texts are in the sheet. answers.csv is the same without the texts, to be filled in beside
the form or a printout. Write your annotator code in the first row; it need not be repeated. Leave
the other cells as they are.

What is asked, and the codes to fill in:

{legend}

{disclaimer}
"""


def _readme(content: Mapping[str, Any]) -> str:
    lines: list[str] = []
    heading = None
    for title, question, codes in legend(content):
        lines += [f"\n{title}"] if title != heading else []
        lines += [f"  {question}", *(f"    {code}" for code in codes.splitlines())]
        heading = title
    return _README.format(
        packet_id=content["packet_id"],
        n=len(content["items"]),
        legend="\n".join(lines).strip(),
        disclaimer="\n".join(dict.fromkeys(form["disclaimer"] for form in content["forms"])),
    )


def _blank(content: Mapping[str, Any]) -> str:
    """The CSV file to fill in, as the form exports it."""
    text = io.StringIO(newline="")
    sheet = csv.DictWriter(text, content["columns"], restval="")
    sheet.writeheader()
    for number, item in enumerate(content["items"], start=1):
        row = {"packet_id": content["packet_id"], "number": number, "item": item["id"]}
        sheet.writerow({**row, "kind": kind_of(item)})
    return text.getvalue()


def _page(template: str, content: Mapping[str, Any]) -> str:
    """The form: data that cannot end its element, and a policy that runs its script alone."""
    script = template.rpartition("<script>")[2].partition("</script>")[0]
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = json.dumps(content, sort_keys=True)  # ASCII, as is everything that is escaped below
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return template.replace("{{script}}", f"sha256-{sha256}", 1).replace("{{packet}}", data, 1)
