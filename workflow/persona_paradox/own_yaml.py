"""YAML files of the library's own: no run changes them, and every run reads a hundred of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# libyaml's, several times as fast, where PyYAML was built with it.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def own_yaml(path: Path) -> Any:
    """Content of a file of the library's own.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_SAFE_LOADER)  # noqa: S506 - a safe loader
