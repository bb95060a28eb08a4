"""A small study of initiative: pairs by hand and by rule, and answers that a grammar bounds."""

from __future__ import annotations

from pathlib import Path

import yaml
from project import STUDY, Project, add_model, new_project

PERSONAS = ("no_persona", "behaviour@proactive", "bridge_engineer")
# Letters, and what is said behind one of them.
SAID = {
    "[A-F]": "The pulse is missing.",
    "[G-S]": "Give fluids at once.",
    "[T-Z]": "I cannot help with that.",
}
PAIRS, RECORDS = 12, 6

FORM = {"kind": "csv"}
COMMON = {
    "origin": "teaching",
    "context": "initiative",
    "licence": {"id": "MIT", "redistribution": True},
    "format": FORM,
    "subgroups": [{"id": "problem", "title": "Problem", "column": "problem"}],
}
HAND = {
    "title": "Cases by hand",
    "description": "Twelve pairs that were written for tests.",
    **COMMON,
    "source": {"kind": "bundled", "path": "resources/bundled/hand.csv"},
    "columns": {
        "item_id": {"column": "id"},
        "case": {"column": "case"},
        "pair": {"column": "pair"},
        "problem": {
            "column": "problem",
            "values": {"o": "omission", "c": "contradiction", "r": "out_of_range"},
        },
        "planted": {"column": "planted", "values": {"1": "planted", "0": "clean"}},
        "names": {"column": "names"},
    },
}
RULE = {
    "title": "Cases by rule",
    "description": "Records that were written for tests.",
    **COMMON,
    "source": {"kind": "bundled", "path": "resources/bundled/records.csv"},
    "columns": {
        "item_id": {"prefix": "rec_"},
        "case": {
            "fields": [
                {"label": "Complaint", "column": "complaint"},
                {"label": "Pulse", "column": "pulse", "unit": "per minute"},
            ]
        },
        "plant": {
            "records": RECORDS,
            "rules": [
                {"problem": "omission", "set": {"pulse": None}, "names": ["pulse"]},
                {"problem": "out_of_range", "set": {"pulse": "900"}, "names": ["pulse", "900"]},
            ],
        },
    },
}
TASK = {
    "title": "By hand",
    "kind": "initiative",
    "dataset": "hand",
    "user": "{case}\n\nWhat should be done first?",
    "decoding": {
        "max_tokens": 24,
        # The letter that random weights write varies more than the words do.
        "grammar": "root ::= " + " | ".join(f'{letters} " {SAID[letters]}"' for letters in SAID),
    },
    "arms": {"asked": {"title": "asked", "rule": "append", "text": "Is anything missing?"}},
}

JUDGE = {
    "title": "Random weights as judge of initiative",
    "model": "tiny",
    "reads": "answers",
    "own_family": True,
    "instruction": "Say what the answer does.",
    "user": "Record:\n{question}\n\nAnswer:\n{answer}",
    "classes": [
        {
            "id": "initiative",
            "title": "What it does",
            "question": "1 names, 2 answers, 3 raises?",
            "classes": [
                {"id": "names", "title": "Names"},
                {"id": "answers", "title": "Answers"},
                {"id": "raises", "title": "Raises"},
            ],
        }
    ],
}


def initiative_study(path: Path, **change: object) -> Project:
    """A project with both data sets and their tasks; nothing has run."""
    project = new_project(path)
    # Its answers differ by persona.
    add_model(project, seed=1)
    lines = ["id,pair,problem,planted,case,names"]
    for number in range(PAIRS):
        for planted in (0, 1):
            case = f"Patient {number} is unwell." + (" " if planted else " Pulse 80.").rstrip()
            lines.append(
                f"h{number}_{planted},p{number},{'ocr'[number % 3]},{planted},{case},pulse"
            )
    (path / "resources/bundled/hand.csv").write_text("\n".join(lines) + "\n")
    records = [f"Complaint {number},{60 + number}" for number in range(2 * RECORDS)]
    (path / "resources/bundled/records.csv").write_text("\n".join(["complaint,pulse", *records]))
    rule_task = {**TASK, "title": "By rule", "dataset": "rule"}
    rule_task.pop("arms")
    for file, content in (
        ("datasets/hand", HAND),
        ("datasets/rule", RULE),
        ("judges/reader", JUDGE),
        ("tasks/hand", TASK),
        ("tasks/rule", rule_task),
        (
            "config",
            STUDY
            | {"tasks": ["hand@all", "rule"], "personas": [*PERSONAS], "limit": None}
            | {"figures": "all", "tables": "all", "judges": ["reader"]}
            | {"rankings": {"groups": []}}
            | change,
        ),
    ):
        text = yaml.safe_dump(content, sort_keys=False)
        (path / f"config/{file}.yaml").write_text(text)
    return project
