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
import re
import warnings
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import xlsxwriter
from openpyxl.utils.exceptions import InvalidFileException

from ..data.csv_records import csv_rows, told_separator
from ..data.rows import DataFile
from ..errors import InputError
from ..files import DAMAGED, is_of_disk, sha256_bytes
from . import blinding

MASK = "[...]"
PREFERENCE, CONFIDENCE, TIE = "preference", "confidence", "tie"
SINGLE, PAIR = "single", "pair"

# A table row of two answers has both sides; of a single answer, side A alone.
TASKS: dict[str, type[pl.DataType]] = {
    "number": pl.Int64,
    "form": pl.String,
    "model": pl.String,
    "task": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "question": pl.String,
    **{
        f"{name}_{side}": dtype
        for side in "ab"
        for name, dtype in (("persona", pl.String), ("text", pl.String), ("masked", pl.Int64))
    },
}
COUNTS: dict[str, type[pl.DataType]] = {
    "form": pl.String,
    "persona": pl.String,
    "versus": pl.String,
    "available": pl.Int64,
    "empty": pl.Int64,
    "identical": pl.Int64,
    "drawn": pl.Int64,
}
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
ANNOTATIONS: dict[str, type[pl.DataType]] = {
    "annotator": pl.String,
    "item": pl.String,
    "number": pl.Int64,
    "form": pl.String,
    "model": pl.String,
    "task": pl.String,
    "persona": pl.String,
    "versus": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "question": pl.String,
    "value": pl.Float64,
    "preferred": pl.String,
    "confidence": pl.Int64,
}

Row = dict[str, Any]
Form = Mapping[str, Any]


# Blinding

# "a" or "an" in front of what was masked says which of the personas it may have been.
_ARTICLE = re.compile(rf"\b[Aa]n? (?={re.escape(MASK)})")
# "I am [...], trained by ...", "I was made by ...": it is a model's maker that stands there.
_MAKER = re.compile(
    rf"((?:{re.escape(MASK)}|\bI(?: am|['’]m| was| have been|['’]ve been)),?(?: \w+){{0,2}} "
    r"(?:built|created|designed|developed|made|trained) by )"
    r"[^,.;:!?\n]{1,80}?(?=[,.;:!?\n]|$| (?:and|but|to|who|that|which)\b)"
)


def mask(answers: pl.DataFrame, strings: Iterable[str]) -> pl.DataFrame:
    """`answers` with `question` and `text` blinded, and how often in both (column `masked`)."""
    named = blinding.pattern(tuple(strings))
    rows = []
    for row in answers.iter_rows(named=True):
        # A patient may well say "I am a teacher"; an answer that does speaks of its persona.
        question, in_question = named.subn(MASK, row["question"])
        text, of_itself = blinding.OF_ITSELF.subn(
            lambda found: found[found.lastindex or 0] + MASK, row["text"] or ""
        )
        text, in_text = named.subn(MASK, text)
        text, of_makers = _MAKER.subn(rf"\1{MASK}", text)
        text = _ARTICLE.sub("", text)
        masked = in_question + in_text + of_itself + of_makers
        rows.append(row | {"question": question, "text": text, "masked": masked})
    return pl.DataFrame(rows, schema={**answers.schema, "masked": pl.Int64})


# Drawing


Stratum = tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    """Something to draw: the strata it is in, the weightiest first, and its seeded rank.

    Strata of single answers and of pairs have names of their own, but for questions: one that
    was drawn for a single answer is seldom drawn again for a pair.
    """

    strata: tuple[Stratum, ...]
    rank: str
    sides: tuple[Row, ...]

    @property
    def personas(self) -> tuple[str, ...]:
        return tuple(side["persona"] for side in self.sides)

    @property
    def empty(self) -> bool:
        return not all(_words(side["text"]) for side in self.sides)

    @property
    def identical(self) -> bool:
        texts = [_words(side["text"]) for side in self.sides]
        return all(texts) and len(set(texts)) < len(texts)


def _single(row: Row, seed: int) -> _Candidate:
    persona, category, source = row["persona"], row["category"] or "", (row["model"], row["task"])
    strata = (
        ("cell", persona, category),
        ("persona", persona),
        ("category", category),
        ("source", persona, *source),
        ("question", row["task"], row["item_id"]),
    )
    return _Candidate(strata, _rank(seed, persona, *source, row["item_id"]), (row,))


def _pair(first: Row, second: Row, seed: int) -> _Candidate:
    personas, category = (first["persona"], second["persona"]), first["category"] or ""
    source = (first["model"], first["task"])
    strata = (
        ("pair", *personas),
        ("cell of pairs", *personas, category),
        ("category of pairs", category),
        ("source of pairs", *personas, *source),
        ("question", first["task"], first["item_id"]),
    )
    return _Candidate(strata, _rank(seed, *personas, *source, first["item_id"]), (first, second))


def draw(
    answers: pl.DataFrame, seed: int, n_answers: int, n_pairs: int, baseline: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw what clinicians rate, and put it in order.

    Args:
        answers: one row per answer, with columns `model`, `task`, `persona`, `item_id`, `category`,
            `question`, `text`, `form` and `masked` (of `mask`).
        seed: of the draw, of the sides and of the order.
        n_answers: single answers of every form.
        n_pairs: pairs of every form: two personas' answers of one model to one question.
        baseline: where pairs of personas cannot all come equally often, its pairs come first.

    Returns:
        The table `TASKS`, and the table `COUNTS` of what there was and what was drawn (`versus`
        is null for single answers). Answers without text and pairs of equal texts are counted
        and not drawn.

        Persona × category cells differ by at most one, but for cells that have no more answers;
        within that, so do personas. Categories, models and questions come as evenly as
        this leaves. Pairs of personas differ by at most one too, and so does how often either of
        a pair is shown as A. Forms follow each other; within a form the order is random.

    Raises:
        ValueError: an answer stands twice.
    """
    keys = ["model", "task", "persona", "item_id"]
    if answers.select(keys).is_duplicated().any():
        raise ValueError("answers: a model, task, persona and item stand twice")
    tasks: list[Row] = []
    counts: list[Row] = []
    for form in answers["form"].unique().sort():
        rows = answers.filter(pl.col("form") == form).sort(keys).to_dicts()
        singles = [_single(row, seed) for row in rows]
        together: dict[tuple[str, ...], list[Row]] = {}
        for row in sorted(rows, key=lambda row: str(row["persona"])):
            together.setdefault((row["model"], row["task"], row["item_id"]), []).append(row)
        pairs = [_pair(*two, seed) for same in together.values() for two in combinations(same, 2)]
        taken: dict[Stratum, float] = defaultdict(float)
        # In every round, pairs with the baseline are half a count ahead of the others.
        taken |= {pair.strata[0]: 0.5 * (baseline not in pair.personas) for pair in pairs}
        drawn = _evenly(singles, n_answers, taken)
        drawn += _sided(_evenly(pairs, n_pairs, taken), seed)
        counts += _counts(form, [*singles, *pairs], drawn)
        drawn.sort(key=lambda one: _rank(seed, "order", one.rank))
        tasks += [_task(number, one) for number, one in enumerate(drawn, start=len(tasks) + 1)]
    return pl.DataFrame(tasks, schema=TASKS), pl.DataFrame(counts, schema=COUNTS)


def _rank(seed: int, *parts: str) -> str:
    return sha256_bytes("\0".join((str(seed), *parts)).encode())


def _words(text: str | None) -> str:
    """The words of a text, to see whether there are any and whether two texts have the same."""
    return " ".join((text or "").replace(MASK, " ").split())


def _evenly(
    candidates: Iterable[_Candidate], n: int, taken: dict[Stratum, float]
) -> list[_Candidate]:
    """At most `n` to be shown, one by one, each of the strata taken least; adds to `taken`."""
    left = [one for one in candidates if not one.empty and not one.identical]
    drawn: list[_Candidate] = []
    while left and len(drawn) < n:
        best = min(left, key=lambda one: (*(taken[s] for s in one.strata), one.rank))
        left.remove(best)
        drawn.append(best)
        for stratum in best.strata:
            taken[stratum] += 1
    return drawn


def _sided(pairs: Iterable[_Candidate], seed: int) -> list[_Candidate]:
    """The pairs with A and B chosen: evenly for every two personas, then for every persona."""
    ahead: Counter[Stratum] = Counter()
    sided = []
    for pair in pairs:

        def cost(sides: tuple[Row, ...], rank: str = pair.rank) -> tuple[int, int, str]:
            a, b = (side["persona"] for side in sides)
            return ahead[a, b], ahead[(a,)] - ahead[(b,)], _rank(seed, rank, a)

        sided.append(replace(pair, sides=min(pair.sides, pair.sides[::-1], key=cost)))
        a, b = sided[-1].personas
        ahead.update([(a, b), (a,)])
        ahead.subtract([(b,)])
    return sided


def _counts(form: str, candidates: Iterable[_Candidate], drawn: Iterable[_Candidate]) -> list[Row]:
    counts: dict[Stratum, Counter[str]] = defaultdict(Counter)
    for one in candidates:
        found = {"available": 1, "empty": int(one.empty), "identical": int(one.identical)}
        counts[one.personas].update({**found, "drawn": 0})
    for one in drawn:
        counts[tuple(sorted(one.personas))]["drawn"] += 1
    return [
        {"form": form, "persona": who[0], "versus": who[1] if who[1:] else None, **counts[who]}
        for who in sorted(counts, key=lambda who: (len(who), who))
    ]


def _task(number: int, drawn: _Candidate) -> Row:
    shared = ("form", "model", "task", "item_id", "category", "question")
    sided = {
        f"{name}_{side}": row[name]
        for side, row in zip("ab", drawn.sides, strict=False)
        for name in ("persona", "text", "masked")
    }
    return {"number": number, **{name: drawn.sides[0][name] for name in shared}, **sided}


# The packet


@dataclass(frozen=True)
class Packet:
    """A packet and what its reader must not know.

    Attributes:
        packet_id: 12 letters, from the hash of everything in the packet.
        data: the bytes of the zip file: `form.html`, `answers.xlsx`, `answers.csv`, `README.txt`.
        key: table `KEY`, one row per answer: an item of a pair has two, sides A and B.
    """

    packet_id: str
    data: bytes
    key: pl.DataFrame


def packet(
    tasks: pl.DataFrame,
    forms: Mapping[str, Form],
    *,
    seed: int,
    strings: Iterable[str],
    template: str,
) -> Packet:
    """Pack what was drawn; equal arguments give equal bytes.

    Args:
        tasks: table `TASKS`.
        forms: id → content of the form's file; every form of the tasks.
        seed: of the ids of items.
        strings: what must not stand in a packet, of `identifying`.
        template: HTML page with `{{packet}}` and `{{script}}` (the hash of its script).

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
    about = ("title", "instructions", "question_title", "answer_title", "disclaimer")
    content: dict[str, Any] = {
        "forms": [
            {name: forms[id_][name] for name in about}
            | {kind: _questions(forms[id_], kind) for kind in (SINGLE, PAIR)}
            for id_ in ids
        ],
        "items": items,
    }
    packet_id = _letters(json.dumps([content, template, _README], sort_keys=True))[:12]
    content |= {"packet_id": packet_id, "columns": _columns(content["forms"])}
    members = {
        "README.txt": _readme(content).encode(),
        "answers.csv": _blank(content).encode(),
        "answers.xlsx": _workbook(content),
        "form.html": _page(template, content).encode(),
    }
    return Packet(packet_id, _zip(members), _key(tasks, packet_id, [item["id"] for item in items]))


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


def _questions(form: Form, kind: str) -> list[dict[str, Any]]:
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


def _kind(item: Mapping[str, Any]) -> str:
    return SINGLE if len(item["answers"]) == 1 else PAIR


def _columns(forms: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of an annotation file."""
    own = dict.fromkeys(
        question["id"] for form in forms for kind in (SINGLE, PAIR) for question in form[kind]
    )
    asked = [id_ for id_ in own if id_ not in (PREFERENCE, CONFIDENCE)]
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


def _legend(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Title of the form and kind; column, question; codes, for everything that is asked."""
    used = {(item["form"], _kind(item)) for item in content["items"]}
    for index, form in enumerate(content["forms"]):
        for kind, about in ((SINGLE, "one answer"), (PAIR, "two answers")):
            if (index, kind) in used:
                for asked in form[kind]:
                    codes = "\n".join(f"{o['value']} = {o['label']}" for o in asked["options"])
                    yield f"{form['title']}, {about}", f"{asked['id']}: {asked['text']}", codes


def _readme(content: Mapping[str, Any]) -> str:
    lines: list[str] = []
    heading = None
    for title, question, codes in _legend(content):
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
        sheet.writerow({**row, "kind": _kind(item)})
    return text.getvalue()


def _page(template: str, content: Mapping[str, Any]) -> str:
    """The form: data that cannot end its element, and a policy that runs its script alone."""
    script = template.rpartition("<script>")[2].partition("</script>")[0]
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = json.dumps(content, sort_keys=True)  # ASCII, as is everything that is escaped below
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return template.replace("{{script}}", f"sha256-{sha256}", 1).replace("{{packet}}", data, 1)


_CELL = 32767  # most characters of a cell
_CUT = " ... (cut: the whole text is in form.html)"


def _workbook(content: Mapping[str, Any]) -> bytes:
    """The spreadsheet: what to do, and a sheet with the texts and cells to fill in."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    book.set_properties({"created": datetime(1980, 1, 1), "title": content["packet_id"]})
    base = {
        "valign": "top",
        "text_wrap": True,
        "font_size": 11,
        "border": 1,
        "border_color": "#C9D1D9",
    }
    text = book.add_format(base | {"bg_color": "#FFFFFF"})
    small = book.add_format(base | {"font_color": "#57606A", "font_size": 9})
    head = book.add_format(base | {"bold": True, "bg_color": "#E7EEF3"})
    fill = book.add_format(base | {"bg_color": "#FFF8D6", "locked": False, "align": "center"})
    unused = book.add_format(base | {"bg_color": "#E1E4E8"})
    _guide(book, content, text, head)
    sheet = book.add_worksheet("Answers")
    shown = ["question", "answer_a", "answer_b"]
    columns = [*content["columns"][:5], *shown, *content["columns"][5:]]
    for column, name in enumerate(columns):
        sheet.write_string(0, column, name, head)
        width = 60 if name in shown else max(9, len(name) + 2)
        sheet.set_column(column, column, width)
    for row, item in enumerate(content["items"], start=1):
        texts = [item["question"], *item["answers"]]
        asked = {q["id"]: q for q in content["forms"][item["form"]][_kind(item)]}
        known = {"packet_id": content["packet_id"], "item": item["id"], "kind": _kind(item)}
        known |= dict(zip(shown, texts, strict=False))
        for column, name in enumerate(columns):
            if name == "number":
                sheet.write_number(row, column, row, small)
            elif name == "annotator":
                sheet.write_blank(row, column, None, fill if row == 1 else unused)
            elif name in known:
                value = known[name]
                cut = value if len(value) <= _CELL else value[: _CELL - len(_CUT)] + _CUT
                sheet.write_string(row, column, cut, text if name in shown else small)
            elif name in asked:
                sheet.write_blank(row, column, None, fill)
                sheet.data_validation(row, column, row, column, _choices(asked[name]))
            else:
                sheet.write_blank(row, column, None, unused)
    sheet.freeze_panes(1, 5)
    sheet.protect("", {"format_columns": True, "format_rows": True})
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    book.close()
    with zipfile.ZipFile(target) as made:
        return _zip({name: made.read(name) for name in made.namelist()})


def _choices(question: Mapping[str, Any]) -> dict[str, Any]:
    """The drop-down of a cell; Excel shows at most 32 and 255 characters of help."""
    values = [option["value"] for option in question["options"]]
    help_ = "\n".join(f"{option['value']} = {option['label']}" for option in question["options"])
    return {
        "validate": "list",
        "source": values,
        "input_title": question["title"][:32],
        "input_message": help_[:255],
        "error_title": "Not a choice",
        "error_message": f"Choose one of {', '.join(map(str, values))}.",
    }


def _guide(book: Any, content: Mapping[str, Any], text: Any, head: Any) -> None:
    """The sheet with the instructions, and with every question and its codes."""
    sheet = book.add_worksheet("Instructions")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 2, 70)
    rows = [(f"Packet {content['packet_id']}", "Fill in the yellow cells of the next sheet.", "")]
    for form in content["forms"]:
        rows += [(form["title"], form["instructions"], form["disclaimer"])]
    rows += [("What is asked", "Column and question", "Codes"), *_legend(content)]
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            sheet.write_string(row, column, cell, text if column else head)


def _zip(members: Mapping[str, bytes]) -> bytes:
    """A zip file without dates, owners or compression, which may differ between machines."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
    return target.getvalue()


# What comes back


def read_annotations(
    paths: Iterable[Path], key: pl.DataFrame, forms: Mapping[str, Form]
) -> pl.DataFrame:
    """Read the files of all annotators, each checked against the key.

    Args:
        paths: CSV files as the form exports them, filled in by hand, or saved from the
            spreadsheet: UTF-8 with or without a byte order mark, parted by comma, semicolon
            or tab; or the spreadsheet itself. Rows and columns may stand in any order, and columns
            that nobody asks for are ignored.
        key: table `KEY` of the packet.
        forms: id → content of the form's file.

    Returns:
        The table `ANNOTATIONS`, by annotator and number: a row for every question about a single
        answer with the code in `value`, and a row for every pair, where `persona` was
        shown as A and `versus` as B, `value` is 1 if A was preferred, 0 if B, 0.5 if neither,
        and `preferred` is the persona or `TIE`.

    Raises:
        InputError: one sentence on the first thing that is wrong with a file.
    """
    items: dict[str, list[Row]] = {}
    for row in key.sort("number", "side").iter_rows(named=True):
        items.setdefault(row["item"], []).append(row)
    seen: dict[str, Path] = {}
    rows: list[Row] = []
    for path in sorted(set(paths)):
        sheet = _Sheet(path, key["packet_id"][0], items, forms)
        other = seen.setdefault(sheet.annotator.casefold(), path)
        if other != path:
            raise InputError(
                f"{path}: annotator {sheet.annotator!r} stands in {other} too; remove one of the "
                "two files, or mend column `annotator`"
            )
        rows += sheet.annotations()
    table = pl.DataFrame(rows, schema=ANNOTATIONS)
    return table.sort("annotator", "number", maintain_order=True)


def _csv(path: Path) -> list[list[str]]:
    not_csv = 'is not a CSV file in UTF-8; save the sheet as "CSV UTF-8" and put that here'
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {not_csv}") from error
    lines = io.StringIO(text, newline="")
    separator = told_separator(lines)
    before = 0 if separator is None else 1
    if separator is None:
        separator = max(",;\t", key=lines.readline().count)
        lines.seek(0)
    file = DataFile(path, str(path), "the file")
    return [values for _, values, _ in csv_rows(file, lines, separator, before)]


def _xlsx(path: Path) -> list[list[str]]:
    """The rows of the sheet that has a packet's id in its first row, or below; none without one.

    Of a formula the result that the program stored with it.
    """
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            # They are about parts that hold no values, such as rules for input.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(stream, data_only=True)
    except (InvalidFileException, KeyError, ValueError, TypeError, *DAMAGED) as error:
        if is_of_disk(error):
            raise
        raise InputError(
            f"{path}: is not a spreadsheet that can be read; save it as .xlsx without a password, "
            'or its sheet as "CSV UTF-8"'
        ) from error
    found: dict[str, list[list[str]]] = {}
    for sheet in book.worksheets:
        lines = [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)]
        if any("packet_id" in line for line in lines):
            found[sheet.title] = lines
    if not found:
        return []
    first, *others = found.values()
    if any(lines != first for lines in others):
        raise InputError(
            f"{path}: the sheets {' and '.join(map(repr, found))} are of a packet, and differ; "
            "keep the one that is filled in"
        )
    return first


def _cell(value: Any) -> str:
    """A cell as CSV would have it; some programs write whole numbers as 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _read(path: Path, needed: Sequence[str]) -> dict[int, dict[str, str]]:
    """The rows that are not blank, by their number in a spreadsheet."""
    lines = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    header = [name.strip() for name in lines[0]] if lines else []
    for number, cells in enumerate(lines[1:], start=2):
        if "packet_id" not in header and "packet_id" in cells:
            raise InputError(
                f"{path}: the names of the columns stand in row {number}; remove the rows above it"
            )
    for column in needed:
        if header.count(column) != 1:
            raise InputError(
                f"{path}: column `{column}` stands {header.count(column)} times in the first row; "
                "start from the packet's answers.csv, which has every column once"
            )
    rows = {}
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells[len(header) :]):
            raise InputError(
                f"{path}: row {number} has more cells than the first row; mend the row"
            )
        row = dict.fromkeys(header, "")
        row |= {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
        if any(row.values()):
            rows[number] = row
    return rows


_PACKET_ID = re.compile("[bcdfghjkmnpqrstv]{12}")  # see `_letters`


def packet_of(path: Path) -> str:
    """Id of the packet that an annotator's file is of, as its first row says.

    Raises:
        InputError: the file is neither CSV nor a spreadsheet, or holds no row or no id.
    """
    for row in _read(path, ["packet_id"]).values():
        found = row["packet_id"]
        # It becomes part of a path.
        if found and not _PACKET_ID.fullmatch(found):
            raise InputError(
                f"{path}: column `packet_id` holds {found[:40]!r}, which is no id of a packet; "
                "restore it from the packet's answers.csv"
            )
        if found:
            return found
    raise InputError(
        f"{path}: column `packet_id` is empty; start from the packet's answers.csv, where it is not"
    )


class _Sheet:
    """One annotator's file."""

    def __init__(
        self,
        path: Path,
        packet_id: str,
        items: Mapping[str, list[Row]],
        forms: Mapping[str, Form],
    ) -> None:
        self._path, self._items = path, items
        self._asked = {
            item: _questions(forms[sides[0]["form"]], PAIR if len(sides) > 1 else SINGLE)
            for item, sides in items.items()
        }
        self._columns = list(
            dict.fromkeys(question["id"] for asked in self._asked.values() for question in asked)
        )
        rows = _read(path, ["packet_id", "annotator", "item", *self._columns])
        for number, row in rows.items():
            if row["packet_id"] != packet_id:
                raise self._error(
                    f"row {number} is of packet {row['packet_id']!r}, but the key is of packet "
                    f"{packet_id!r}; put the file beside the key of its own packet"
                )
        self.annotator = self._only_annotator(rows)
        self._values = self._by_item(rows)

    def _error(self, text: str) -> InputError:
        return InputError(f"{self._path}: {text}")

    def _only_annotator(self, rows: Mapping[int, Mapping[str, str]]) -> str:
        found = sorted({row["annotator"] for row in rows.values()} - {""})
        if len(found) != 1:
            named = f"names {', '.join(map(repr, found))}" if found else "is empty"
            raise self._error(
                f"column `annotator` {named}; write the code of one annotator in its first row"
            )
        return found[0]

    def _by_item(self, rows: Mapping[int, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
        values: dict[str, dict[str, Any]] = {}
        for number, row in rows.items():
            item = row["item"]
            if item not in self._items:
                raise self._error(
                    f"row {number}, column `item`: the packet has no item {item!r}; restore the id "
                    "from the packet's answers.csv"
                )
            if item in values:
                raise self._error(f"row {number}: item {item!r} stands twice; remove one row")
            values[item] = self._row(number, row)
        missing = [
            item for item in self._items if len(values.get(item, ())) < len(self._asked[item])
        ]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise self._error(
                f"{len(missing)} of {len(self._items)} items are not complete "
                f"({', '.join(missing[:3])}{more}); ask the annotator to complete them"
            )
        return values

    def _row(self, number: int, row: Mapping[str, str]) -> dict[str, Any]:
        """The values of an item, without those that are missing."""
        asked = {question["id"]: question["options"] for question in self._asked[row["item"]]}
        values = {}
        for column in self._columns:
            if row[column] == "":
                continue
            choices = {str(option["value"]): option["value"] for option in asked.get(column, ())}
            if row[column] not in choices:
                allowed = f"use one of {', '.join(choices)}" if choices else "leave it empty"
                raise self._error(
                    f"row {number}, column `{column}`: {row[column]!r} is no choice for item "
                    f"{row['item']!r}; {allowed}"
                )
            values[column] = choices[row[column]]
        return values

    def annotations(self) -> Iterator[Row]:
        """Rows of the table `ANNOTATIONS`."""
        for item, sides in self._items.items():
            values = dict(self._values[item])
            names = ("item", "number", "form", "model", "task", "item_id", "category", "persona")
            about = {name: sides[0][name] for name in names}
            about |= {"annotator": self.annotator, "confidence": values.pop(CONFIDENCE)}
            if len(sides) > 1:
                personas = [side["persona"] for side in sides]
                score, preferred = {
                    "A": (1.0, personas[0]),
                    "equal": (0.5, TIE),
                    "B": (0.0, personas[1]),
                }[values.pop(PREFERENCE)]
                about |= {"versus": personas[1], "preferred": preferred}
                yield {**about, "question": PREFERENCE, "value": score}
            for question, value in values.items():
                yield {**about, "question": question, "value": float(value)}
