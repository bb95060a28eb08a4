"""A small study that is packed into an archive, and changes of its tables."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from studies import shared

from persona_paradox.files import table_bytes

ARCHIVE = "results/archive.zip"
# Its texts may not be passed on.
KEPT_BACK = "teaching_primary"
ECHO = "results/responses/tiny/triage_primary/ed_nurse.parquet"
TOKEN = "hf_" + "plantedTOKEN" * 3


def rewrite(path: Path | io.BytesIO, change: Callable[[pl.DataFrame], pl.DataFrame]) -> bytes:
    """A Parquet file with changed rows, the metadata that it had, and a checksum that is right."""
    metadata = pl.read_parquet_metadata(path)
    about = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
    if isinstance(path, io.BytesIO):
        path.seek(0)
    return table_bytes(change(pl.read_parquet(path)), about)


def say(column: str, row: int, value: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A change of one value."""
    here = pl.int_range(pl.len()) == row
    return lambda t: t.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(column).alias(column)
    )


def pack(path: Path) -> None:
    """Run a study and pack it; one answer repeats a text that may not be passed on."""
    project = new_project(path)
    add_model(project)
    study = STUDY | {"personas": ["no_persona", "ed_nurse"], "limit": 5}
    study |= {"figures": ["triage_accuracy"], "bag_of_words": True}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    project.edit(
        f"config/datasets/{KEPT_BACK}.yaml",
        lambda dataset: dataset["licence"].update(redistribution=False),
    )
    project.run("--cores", "1", ECHO, HF_TOKEN=TOKEN)
    shown = pl.read_parquet(path / "results/prompts/triage_primary/ed_nurse.parquet")
    items = pl.read_parquet(path / f"resources/datasets/{KEPT_BACK}.parquet")
    text = items.filter(pl.col("item_id") == shown.item(2, "item_id")).item(0, "case")
    (path / ECHO).write_bytes(rewrite(path / ECHO, say("text", 2, f"A. You say: {text}")))
    project.run("--cores", "1", "all", ARCHIVE, HF_TOKEN=TOKEN)


def packed_study(factory: pytest.TempPathFactory) -> Project:
    """The study with its archive. Not to be changed."""
    return shared(factory, "packed", pack)
