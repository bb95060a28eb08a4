"""How answers are asked for: views that every kind has, and that judges have too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Of an answer that follows no grammar.
UNBOUND = {"grammar": None, "json_schema": None}

# Most tokens of a reasoning, where a task does not say.
RATIONALE_TOKENS = 256


def constraint(task: Mapping[str, Any]) -> dict[str, Any]:
    """Grammar and JSON schema of a task, the latter as text."""
    schema = task["decoding"]["json_schema"]
    # The order of its keys is the order in which an answer has them.
    text = None if schema is None else json.dumps(schema)
    return {"grammar": task["decoding"]["grammar"], "json_schema": text}


def decoding(task: Mapping[str, Any], labels: list[str], seed: int) -> dict[str, Any]:
    """How the answers of a task are produced; greedy answers have no seed."""
    own = task["decoding"]
    used = seed if own["sampled"]["answers"] else None
    return {**own, **constraint(task), "labels": labels, "seed": used}


def greedy(labels: list[str], max_tokens: int) -> dict[str, Any]:
    """Decoding in the form of a task's: greedy, and nothing else."""
    drawn = {"answers": 0, "wordings": "main", "temperature": 1.0, "min_p": 0.0, "top_p": 1.0}
    return {
        "labels": labels,
        "max_tokens": max_tokens,
        "stop": [],
        **UNBOUND,
        "token_logprobs": False,
        "sampled": drawn,
        "seed": None,
    }


def free_text(
    id_: str, task: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """The views of a task that is answered in free text."""
    read_out = {"labels": [], "answer_prefix": ""} | constraint(task)
    return [
        (f"read_out/{id_}", read_out),
        (f"decoding/{id_}", decoding(task, [], settings["seed"])),
    ]
