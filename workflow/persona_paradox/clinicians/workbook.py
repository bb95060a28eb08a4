"""The spreadsheet of a packet."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import xlsxwriter

from .forms import asked_of, kind_of, legend

_CELL = 32767  # most characters of a cell
_CUT = " ... (cut: the whole text is in form.html)"


def workbook(content: Mapping[str, Any]) -> bytes:
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
    shown += ["criteria"] if any("criteria" in item for item in content["items"]) else []
    columns = [*content["columns"][:5], *shown, *content["columns"][5:]]
    for column, name in enumerate(columns):
        sheet.write_string(0, column, name, head)
        width = 60 if name in shown else max(9, len(name) + 2)
        sheet.set_column(column, column, width)
    for row, item in enumerate(content["items"], start=1):
        texts = [item["question"], *item["answers"]]
        asked = {q["id"]: q for q in asked_of(item, content["forms"][item["form"]])}
        known = {"packet_id": content["packet_id"], "item": item["id"], "kind": kind_of(item)}
        known |= dict(zip(shown, texts, strict=False))
        if "criteria" in item:
            each = enumerate(item["criteria"], start=1)
            known["criteria"] = "\n".join(f"{number}. {one['text']}" for number, one in each)
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
        return dateless_zip({name: made.read(name) for name in made.namelist()})


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
    rows += [("What is asked", "Column and question", "Codes"), *legend(content)]
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            sheet.write_string(row, column, cell, text if column else head)


def dateless_zip(members: Mapping[str, bytes]) -> bytes:
    """A zip file without dates, owners or compression, which may differ between machines."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
    return target.getvalue()
