"""What groups of personas and contexts are called, as the view of the figures has it."""

from __future__ import annotations

import yaml
from root import ROOT


def _titles(key: str) -> list[dict[str, str]]:
    paths = sorted((ROOT / "config" / key).glob("*.yaml"))
    return [{"id": path.stem, **yaml.safe_load(path.read_text("utf-8"))} for path in paths]


TITLES = {key: _titles(key) for key in ("groups", "contexts")}
