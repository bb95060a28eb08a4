"""Answers to store, and a reader of stores that shares no code with ours."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from persona_paradox.engine.decoding import Answer
from persona_paradox.engine.store import INDEX, Store, segments

SCOPE = "ab" + "0" * 30
Answers = dict[str, dict[str, Any]]


def key_of(number: int) -> str:
    """The key of an answer."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def value_of(number: int, text: str = "") -> dict[str, Any]:
    """What the store gives back for an answer; no two are equal."""
    logprob = (-0.5 * number, float("-inf"))
    value = asdict(Answer(f"{number} J*é {text}", "stop", number, logprob))
    return {name: list(v) if isinstance(v, tuple) else v for name, v in value.items()}


def answers(count: int, start: int = 0) -> Answers:
    """Some answers by their keys."""
    return {key_of(number): value_of(number) for number in range(start, start + count)}


def put(root: Path, values: Answers) -> Path:
    """Store answers as one job does; its segment."""
    before = set(segments(root / SCOPE[:2] / SCOPE))
    with Store(root, SCOPE) as store:
        for key, value in values.items():
            store.put(key, value)
    (made,) = set(segments(store.folder)) - before
    return made


def find(root: Path, values: Answers) -> Answers:
    """Look answers up as a job does that begins."""
    return Store(root, SCOPE).find(set(values))


def index_files(root: Path) -> list[Path]:
    """The index of a store."""
    return sorted(root.glob(f"*/*/{INDEX}/*"))


def without_index(root: Path) -> None:
    """As if the jobs had been killed, or had been of a version that wrote no index."""
    for folder in root.glob(f"*/*/{INDEX}"):
        shutil.rmtree(folder)


def read_plainly(root: Path) -> dict[str, list[dict[str, Any]]]:
    """All values of every key, by the description of the format alone, line by line."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(root.glob("*/*/*.answers")):
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
            name = line.startswith(b"persona-paradox answers ")
            if number == 0 and name and line != b"persona-paradox answers 1":
                break
            key, check, text = line[:64], line[64:82], line[82:]
            digits = hashlib.sha256(key + b" " + text).hexdigest()[:16]
            if check == f" {digits} ".encode():
                found.setdefault(key.decode(), []).append(json.loads(text))
    return found
