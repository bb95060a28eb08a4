"""A packet for clinicians, made of answers that give their origin away wherever they can."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from root import ROOT

from persona_paradox.clinicians.drawing import draw
from persona_paradox.clinicians.packet import Packet, packet
from persona_paradox.identification.masking import mask
from persona_paradox.study.identities import identifying

TEMPLATE = (ROOT / "workflow/forms/clinician.html").read_text(encoding="utf-8")


def _configured(kind: str) -> dict[str, dict[str, Any]]:
    paths = sorted((ROOT / "config" / kind).glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}


PERSONAS, MODELS, FORMS = _configured("personas"), _configured("models"), _configured("forms")
BASELINE = "no_persona"
SHOWN = [BASELINE, "ed_nurse", "ed_physician", "helpful_assistant"]
CATEGORIES = {"answers": ["misdiagnosis", "benign"], "reasoning": ["esi_1", "esi_5"]}
STRINGS = identifying(PERSONAS, MODELS)

Text = Callable[[str, str, int], str | None]


def telling(model: str, persona: str, item: int) -> str:
    """An answer that names itself in every way that the configuration spells."""
    about = PERSONAS[persona]
    named = [model, MODELS[model]["title"], persona, about["title"], *about["texts"].values()]
    code = f"{model[0]}{SHOWN.index(persona)}{item}"  # they differ when that is masked, too
    return f"Answer {code}. As a doctor, I say: {' / '.join(named)}. Call 112 if it gets worse."


def answers(n_items: int = 8, text: Text = telling) -> pl.DataFrame:
    """One answer per model, form, persona and item."""
    return pl.DataFrame(
        [
            {
                "model": model,
                "task": f"{form}_task",
                "persona": persona,
                "item_id": f"item_{form}_{item:02d}",
                "category": CATEGORIES[form][item % 2],
                "question": f"Question {item} to the ED nurse?",
                "text": text(model, persona, item),
                "form": form,
            }
            for form in FORMS
            for model in ("smollm2_135m_instruct", "qwen2_5_7b_instruct")
            for persona in SHOWN
            for item in range(n_items)
        ]
    )


def make(
    seed: int = 1, n_answers: int = 4, n_pairs: int = 3, text: Text = telling
) -> tuple[Packet, pl.DataFrame]:
    """A packet and the table of what is in it."""
    tasks, _ = draw(mask(answers(text=text), STRINGS), seed, n_answers, n_pairs, BASELINE)
    return packet(tasks, FORMS, seed=seed, strings=STRINGS, template=TEMPLATE), tasks


def members(data: bytes) -> dict[str, bytes]:
    """Every file of a packet, and every file within its spreadsheet."""
    found = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            found[name] = archive.read(name)
            if name.endswith(".xlsx"):
                inner = members(found.pop(name))
                found |= {f"{name}/{part}": content for part, content in inner.items()}
    return found


def blank_rows(data: bytes) -> list[dict[str, str]]:
    """The rows of `answers.csv`."""
    return list(csv.DictReader(io.StringIO(members(data)["answers.csv"].decode(), newline="")))


def filled_rows(packed: Packet, annotator: str = "R1") -> list[dict[str, str]]:
    """The same, filled in: every item differently."""
    forms = dict(packed.key.select("item", "form").iter_rows())
    rows = blank_rows(packed.data)
    for index, row in enumerate(rows):
        row |= {"annotator": annotator, "confidence": str(index % 3 + 1)}
        if row["kind"] == "pair":
            row["preference"] = ("A", "equal", "B")[index % 3]
            continue
        for question in FORMS[forms[row["item"]]]["questions"]:
            options = question["options"]
            row[question["id"]] = str(options[index % len(options)]["value"])
    return rows


def write_rows(path: Path, rows: list[dict[str, str]], **dialect: Any) -> Path:
    """Write rows as a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], **dialect)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path
