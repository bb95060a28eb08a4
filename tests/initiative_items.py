"""The bundled data sets of initiative, read as a study reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import yaml
from root import ROOT

from persona_paradox.data.items import read_items
from persona_paradox.kinds import base
from persona_paradox.kinds.initiative.items import columns, rows
from persona_paradox.schema import check_schema
from persona_paradox.study.training_views import split_view


def items_of(id_: str, data_dir: Path | None = None) -> pl.DataFrame:
    """The items of a data set, or of `id@training` what is kept for training."""
    name = f"config/datasets/{id_.partition('@')[0]}.yaml"
    spec: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    check_schema(spec, "initiative/dataset", name)
    base.spec("initiative").check_dataset(name, spec)
    path = ROOT / spec["source"]["path"].replace("{data_dir}", str(data_dir))
    reading = spec | split_view(id_, spec)
    # What names the clusters is no column of the file.
    spec["columns"].pop("cluster")
    return read_items([path], reading, name, columns, rows)[0]
