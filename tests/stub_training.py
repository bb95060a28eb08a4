"""A stand-in for the training of adapters, of which a study is to see files alone.

It writes an adapter that is drawn at random, by what the real one is trained on and how, with a
manifest and losses. Libraries that training needs are there by their names.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from project import Project
from root import ROOT

SCRIPT = f'''"""A stand-in."""

import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), {str(ROOT / "tests")!r}]

import polars as pl
from tiny_adapter import draw_adapter, write_adapter

from persona_paradox import files
from persona_paradox.training.handing_on import hand_on

options = ArgumentParser()
for name in ("examples", "settings", "base", "adapter", "manifest", "curve", "checkpoints", "log"):
    options.add_argument("--" + name, type=Path, required=True)
options.add_argument("--config-file", required=True)
options.add_argument("--threads", type=int)
options.add_argument("--before", type=Path)
given = options.parse_args()
made = (given.adapter, given.manifest, given.curve)
if given.before and hand_on(given.before, given.examples, *made):
    sys.exit()
examples = files.read_table(given.examples)
known = str(examples.rows()) + given.settings.read_text()
seed = int(files.sha256_bytes(known.encode())[:8], 16)
write_adapter(given.adapter, draw_adapter(seed=seed))
files.write_table(pl.DataFrame({{"step": [1], "loss": [0.5]}}), given.curve, {{}})
about = {{"sha256": files.sha256_file(given.adapter), "size": given.adapter.stat().st_size}}
about |= {{"examples": examples.height, "settings": files.read_json(given.settings)}}
files.write_text(given.manifest, files.canonical_json(about))
'''


def stub_training(project: Project) -> dict[str, str]:
    """Put the stand-in into a project; the environment in which its libraries are found."""
    (project.path / "workflow/scripts/train_adapter.py").write_text(SCRIPT)
    for name in ("transformers", "peft", "trl"):
        (project.path / f"stubs/{name}").mkdir(parents=True)
        (project.path / f"stubs/{name}/__init__.py").touch()
    return libraries(project)


def libraries(project: Project) -> dict[str, str]:
    """The environment in which the libraries of the stand-in are found."""
    return {"PYTHONPATH": str(project.path / "stubs")}


def keep_for_training(project: Project, dataset: str, share: float = 0.5, seed: int = 1) -> None:
    """Keep items of a data set for training."""
    split = {"share": share, "seed": seed}
    project.edit(f"config/datasets/{dataset}.yaml", lambda spec: spec.update(training=split))


def add_trained(project: Project, name: str, data: list[dict], **keys: object) -> None:
    """Write the file of an adapter that is trained; `keys` are those of `training`."""
    folder = project.path / "config/adapters"
    folder.mkdir(exist_ok=True)
    adapter = {
        "title": name.capitalize(),
        "base": "tiny",
        "licence": "CC0-1.0",
        # What occurs twice is written twice: our files have no aliases.
        "training": json.loads(json.dumps({"method": "sft", "data": data} | keys)),
    }
    Path(folder / f"{name}.yaml").write_text(yaml.safe_dump(adapter, sort_keys=False))
