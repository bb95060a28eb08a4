"""A study of a kind that the project does not have: a coin, which falls on heads or on tails."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import yaml
from project import STUDY, Project, add_model, new_project
from root import ROOT

KIND = ROOT / "tests/kinds/coin"
PERSONAS = ("no_persona", "ed_nurse", "bridge_engineer")
TOSSES = 12

DATASET = {
    "title": "Tosses",
    "description": "A coin is tossed.",
    "origin": "teaching",
    "context": "casino",
    "licence": {"id": "MIT", "redistribution": True},
    "source": {"kind": "bundled", "path": "resources/bundled/coin.csv"},
    "format": {"kind": "csv"},
    "columns": {
        "item_id": {"prefix": "toss_"},
        "reference": {"column": "fell", "values": {"h": "heads", "t": "tails"}},
        "case": {"column": "toss"},
        "keep": ["metal"],
    },
    "classes": [{"id": "heads", "title": "Heads"}, {"id": "tails", "title": "Tails"}],
}
TASK = {
    "title": "Heads or tails",
    "kind": "coin",
    "dataset": "coin",
    "instruction": "Say how the coin falls. A is heads, B is tails.",
    "user": "{case} It is made of {metal}.",
    "labels": [{"label": "A", "class": "heads"}, {"label": "B", "class": "tails"}],
    "decoding": {"max_tokens": 1, "grammar": "root ::= [AB]"},
}


def coin_study(path: Path, **change: object) -> Project:
    """A project with the kind's folder, its data set and its task; nothing has run."""
    project = new_project(path)
    # Its answers differ by persona.
    add_model(project, seed=1)
    shutil.copytree(KIND, path / "workflow/persona_paradox/kinds/coin")
    tosses = pl.DataFrame(
        {
            "toss": [f"Toss {number}." for number in range(TOSSES)],
            "fell": ["h", "t", "t"] * (TOSSES // 3),
            "metal": ["gold", "brass"] * (TOSSES // 2),
        }
    )
    tosses.write_csv(path / "resources/bundled/coin.csv")
    for file, content in (
        ("datasets/coin", DATASET),
        ("tasks/coin", TASK),
        (
            "config",
            STUDY
            | {"tasks": ["coin"], "personas": [*PERSONAS], "limit": None, "figures": "all"}
            | change,
        ),
    ):
        text = yaml.safe_dump(content, sort_keys=False)
        (path / f"config/{file}.yaml").write_text(text)
    return project
