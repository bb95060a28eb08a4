"""A study that trains its adapter: labels that follow a rule are learned, and others are not."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, new_project
from stub_training import add_trained, keep_for_training
from studies import shared
from tiny_families import write_family

from persona_paradox.files import sha256_file

MODELS = ["tiny", "tiny@taught", "tiny@misled"]
# Each asked about what its labels are of.
TASKS = dict(zip(MODELS, ("lights", "lights", "drawn"), strict=True))
SCORES = {m: f"results/scores/{m}/{task}/no_persona.parquet" for m, task in TASKS.items()}
ADAPTERS = [f"resources/adapters/{id_}/adapter.gguf" for id_ in ("taught", "misled")]
SETTINGS = {"rank": 8, "alpha": 16, "epochs": 8, "learning_rate": 0.01, "batch": 8}
N = 240


def write_lights(path: Path, *, by_rule: bool) -> None:
    """Cases that say which of two lights is on: its level by rule, or drawn without looking."""
    draw = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "case", "level"])
        for number in range(N):
            colour = draw.choice(["red", "blue"])
            level = {"red": 1, "blue": 2}[colour] if by_rule else draw.choice([1, 2])
            writer.writerow([f"light_{number}", f"{draw.choice('abcdefgh')} {colour}", level])


def write_dataset(project: Project, id_: str, *, by_rule: bool) -> None:
    write_lights(project.path / f"{id_}.csv", by_rule=by_rule)
    source = {"kind": "path", "path": f"{id_}.csv"}
    source["sha256"] = sha256_file(project.path / f"{id_}.csv")
    dataset = {
        "title": id_.capitalize(),
        "description": "Made up.",
        "origin": "teaching",
        "context": "emergency",
        "licence": {"id": "MIT", "redistribution": True},
        "source": source,
        "format": {"kind": "csv"},
        "columns": {
            "item_id": {"column": "id"},
            "reference": {"column": "level", "values": {"1": "high", "2": "low"}},
            "case": {"column": "case"},
        },
        "levels": [{"id": "high", "title": "High"}, {"id": "low", "title": "Low"}],
        "high_acuity": ["high"],
    }
    task = {
        "title": id_.capitalize(),
        "kind": "triage",
        "dataset": id_,
        "instruction": "1 or 2?",
        "user": "{case}",
        "labels": [{"label": "1", "level": "high"}, {"label": "2", "level": "low"}],
        "answer_prefix": "Level:",
        "decoding": {"max_tokens": 2},
    }
    for kind, content in (("datasets", dataset), ("tasks", task)):
        path = project.path / f"config/{kind}/{id_}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    keep_for_training(project, id_)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A base, an adapter of labels by rule, and one of labels that are drawn."""

    def build(path: Path) -> None:
        project = new_project(path)
        write_family(path / "tiny.gguf", "llama")
        source = {"kind": "path", "path": "tiny.gguf", "sha256": sha256_file(path / "tiny.gguf")}
        model = {"title": "Tiny", "family": "tiny", "licence": "MIT", "source": source}
        model |= {"engine": {"context": 512}}
        (path / "config/models/tiny.yaml").write_text(yaml.safe_dump(model))
        study = STUDY | {"models": MODELS, "tasks": ["lights", "drawn"], "personas": ["no_persona"]}
        study |= {"limit": None, "figures": []}
        (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        for id_, by_rule in (("lights", True), ("drawn", False)):
            write_dataset(project, id_, by_rule=by_rule)
        for id_, task in (("taught", "lights"), ("misled", "drawn")):
            add_trained(project, id_, [{"task": task, "personas": ["no_persona"]}], **SETTINGS)
        project.run("--cores", "1", "--", *SCORES.values())

    return shared(tmp_path_factory, "taught_study", build)


def right(project: Project, model: str) -> list[bool]:
    return pl.read_parquet(project.path / SCORES[model])["correct"].to_list()


def test_labels_by_rule_are_learned_and_drawn_ones_are_not(taught: Project) -> None:
    by_rule, drawn = right(taught, "tiny@taught"), right(taught, "tiny@misled")
    n = len(by_rule)
    assert n > 90
    assert sum(by_rule) > 0.95 * n
    # Nothing to be learned: within four standard deviations of a coin.
    assert abs(sum(drawn) - n / 2) < 4 * (n / 4) ** 0.5
    base = right(taught, "tiny")
    assert sum(by_rule) > sum(base) + 4 * (n / 4) ** 0.5


def test_an_adapter_that_is_there_is_not_trained_again(taught: Project) -> None:
    assert taught.jobs("--", *SCORES.values()) == []
    for adapter in ADAPTERS:
        folder = (taught.path / adapter).parent
        losses = pl.read_parquet(folder / "losses.parquet")["loss"]
        assert losses.tail(5).mean() < losses.head(5).mean()
