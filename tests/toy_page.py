"""A page of the report without a study: a coin, whose answers are labels without an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import yaml
from root import ROOT

from persona_paradox.kinds import answers
from persona_paradox.kinds.answers import AnswerSpec
from persona_paradox.kinds.base import Traits
from persona_paradox.names import CONFIDENCES
from persona_paradox.report import cells, chunks
from persona_paradox.report.findings import effects_of
from persona_paradox.report.overview import overview, rows
from persona_paradox.report.page import page
from persona_paradox.report.prose import as_html

IDS = pl.DataFrame({"item_id": ["toss1", "toss2", "toss3", "toss4"]})
PERSONAS = ("nobody", "gambler")

# What the `spec.py` of both kinds says.
COIN, ESSAY = (
    SimpleNamespace(TRAITS=Traits(told, False, told, not told, "reference"))
    for told in (True, False)
)
SIDES = {"classes": [{"id": "heads", "title": "Heads up"}, {"id": "tails", "title": "Tails up"}]}
TASKS: dict[str, dict[str, Any]] = {
    "coin": {"labels": [{"label": "H", "class": "heads"}, {"label": "T", "class": "tails"}]},
    "essay": {},
}
REFERENCE = ["heads", "heads", "tails", "tails"]
# Under every persona, the label that is read from an answer.
LABELS = {"nobody": ["H", "T", "T", None], "gambler": ["T", "T", "H", "T"]}


# A figure, with its rows.
SPEC = {
    "data": {"name": "rows"},
    "datasets": {"rows": [{"side": "heads", "n": 3}, {"side": "tails", "n": 4}]},
    "mark": "bar",
    "width": 200,
    "encoding": {
        "x": {"field": "n", "type": "quantitative"},
        "y": {"field": "side", "type": "nominal"},
    },
}


# Of the coin two tests that are beyond chance, one of which is robust; and what a judge says of the
# essays that is not usable.
SUITES = {
    id_: {"title": id_.title(), "context": "Games", "tasks": [id_]} for id_ in ("coin", "essay")
}
JUDGE = {"title": "Strict judge", "ratings": [{"id": "wit", "title": "Wit", "better": "high"}]}


def _test(task: str, metric: str, difference: float, **more: Any) -> dict[str, Any]:
    bounds = {"difference": difference, "low": difference - 0.1, "high": difference + 0.1}
    of = {"model": "tiny", "task": task, "persona": "gambler", "variant": "main", "metric": metric}
    counts = {"confidence": None, "against": "persona", "n": 4, "n_invalid": 1, "p_holm": 0.001}
    return of | bounds | counts | more


def tables() -> dict[str, pl.DataFrame]:
    """The tests of the study, and the verdicts."""
    measured = [
        _test("coin", "accuracy", -0.5),
        _test("coin", "invalid_rate", 0.25),
        _test("essay", "words", 3.0, p_holm=0.8),
    ]
    judged = _test("essay", "wit", 0.5, judge="strict", usable=False)
    keys = ("model", "task", "persona", "metric")
    verdicts = [{key: measured[0][key] for key in keys} | {"verdict": "robust"}]
    schema = {"confidence": pl.String}
    return {
        "contrasts": pl.DataFrame(measured, schema_overrides=schema),
        "robustness": pl.DataFrame(verdicts),
        "judgement_contrasts": pl.DataFrame([judged], schema_overrides=schema),
    }


def settings() -> dict[str, Any]:
    """What tasks, personas and measures are called."""
    return {
        "confidence": 0.95,
        "models": {"tiny": "Tiny"},
        "personas": {id_: {"title": id_.title()} for id_ in PERSONAS},
        "persona_order": list(PERSONAS),
        "tasks": {id_: {"title": id_.title()} for id_ in TASKS},
        "judges": {"strict": JUDGE},
        "judged_metrics": {},
    }


def specs() -> dict[str, AnswerSpec]:
    """What the answers of both tasks are."""
    return {
        "coin": answers.describe(TASKS["coin"], SIDES, COIN, scored=True),
        "essay": answers.describe(TASKS["essay"], {}, ESSAY, scored=False),
    }


def text_of(task: str, persona: str, number: int) -> str:
    """An answer."""
    label = LABELS[persona][number]
    side = "I cannot say." if label is None else f"{label}, says the {persona}."
    return side if task == "coin" else f"A coin has {number} lives, wrote the {persona} at length."


def _scores(persona: str) -> pl.DataFrame:
    right = [{"heads": "H", "tails": "T"}[one] for one in REFERENCE]
    labels = LABELS[persona]
    empty = pl.lit(None, dtype=pl.Float64)
    return IDS.with_columns(
        repeat=pl.lit(0),
        reference=pl.Series(right),
        label=pl.Series(labels),
        label_logprob_argmax=pl.Series(labels).fill_null("H"),
        parse_status=pl.Series(["missing" if one is None else "label" for one in labels]),
        outcome=pl.Series(
            [
                "refused" if label is None else "right" if label == wanted else "wrong"
                for label, wanted in zip(labels, right, strict=True)
            ]
        ),
        **dict.fromkeys(CONFIDENCES.values(), empty),
    ).with_columns(
        confidence=pl.lit(0.75),
        label_mass=pl.lit(0.99),
        label_probabilities=pl.Series([[0.75, 0.25]] * IDS.height),
    )


def _responses(task: str, persona: str) -> pl.DataFrame:
    texts = [text_of(task, persona, number) for number in range(IDS.height)]
    return IDS.with_columns(
        repeat=pl.lit(0),
        text=pl.Series(texts),
        finish_reason=pl.lit("stop"),
        thought=pl.lit(None, dtype=pl.String),
    )


def _chunks(task: str, spec: AnswerSpec) -> dict[str, Any]:
    scored = task == "coin"
    dataset = IDS.with_columns(case=pl.format("Toss {}", "item_id"), reference=pl.Series(REFERENCE))
    items = cells.items(dataset, IDS, {}, spec, withheld=False) | {"raters": {}}
    if not scored:
        changed = pl.Series([True, False, True, False])
        after = dataset.with_columns(changed=changed, change=pl.lit("Throw → Toss"))
        before = dataset.with_columns(case=pl.col("case").str.replace("Toss", "Throw"))
        items |= cells.changes(after, before, IDS, withheld=False)
    columns, opened = {}, {}
    for persona in PERSONAS:
        scores = _scores(persona) if scored else None
        answer = cells.opened(_responses(task, persona), scores, IDS, spec)
        column = {"prompt": {"head": "<s>", "tail": "</s>"}, "judged": {}}
        column |= {} if scores is None else answers.columns(scores, IDS, spec)
        column |= {} if scored else {"start": cells.starts(answer["text"])}
        columns[f"{persona}/main"] = column
        opened[f"{persona}/main"] = answer | {"judged": {}}
    return {
        f"items/{task}": items,
        f"cells/tiny/{task}": columns,
        f"answers/tiny/{task}/0": {"answers": opened, "preferred": {}},
    }


def write(path: Path, scripts: list[str], configfiles: Sequence[str] = ()) -> Path:
    """Write the page of both tasks, with a figure of Vega-Lite, into a folder."""
    told, found = specs(), effects_of(tables())
    statistics = {"confidence": 0.95, "interval": "percentile", "draws": 100}
    index = {
        "title": "Coins",
        "baseline": "nobody",
        "confidence": 0.95,
        "z": 1.96,
        "block": chunks.BLOCK,
        "actions": [],
        "models": {"tiny": "Tiny"},
        "personas": {
            id_: {"title": id_.title(), "group": "own", "texts": {"main": f"Be {id_}."}}
            for id_ in PERSONAS
        },
        "groups": {"own": "Own"},
        "tasks": {
            id_: {
                "title": id_.title(),
                "user": "{case}",
                "n": IDS.height,
                "dataset": "Tosses",
                "teaching": False,
                "licence": "MIT",
                "withheld": False,
                "raters": {},
                "groups": {},
                "answers": asdict(spec),
            }
            for id_, spec in told.items()
        },
        "suites": SUITES,
        "rated": {},
        "judges": {},
        "tables": {},
        "metrics": {},
        "confidences": [],
        "figures": [],
        "drawings": [{"id": "sides", "title": "Sides", "shows": "how often a side was up"}],
    }
    contents: dict[str, Any] = {"figures/sides": SPEC, "tests": rows(found, settings())}
    for task, spec in told.items():
        contents |= _chunks(task, spec)
    values = {
        "index": index,
        "about": {
            **dict.fromkeys(("models", "tasks", "personas", "judges", "data_files"), ()),
            "baseline": "nobody",
            "statistics": statistics | {"binned_ece_warning_below": 100},
            "seed": 1,
            "figures": "all",
            "git": {"commit": None, "dirty": False},
        },
        "title": "Coins",
        "overview": overview(found, settings(), SUITES, index["models"]),
        "summary": as_html("Nothing."),
        "methods": as_html("| metric | definition |\n|---|---|\n| `wit` | how much it amuses |"),
        "cite": yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8")),
        "library_style": "",
        "configfiles": configfiles,
    }
    packed = [(name, chunks.packed(value)) for name, value in contents.items()]
    text = page(ROOT / "workflow/report", scripts, packed, values, None)
    written = path / "report.html"
    written.write_text(text, encoding="utf-8")
    return written
