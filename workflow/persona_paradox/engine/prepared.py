"""A prepared model: the files that its manifest names, and their checksums."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import canonical_json, check_sha256, damaged, read_json, sha256_bytes
from .adapters import Adapter

WEIGHTS, ADAPTER = "weights", "adapter"

# A manifest may be somebody else's: it names files of prepared models and of
# trained adapters, and no others.
_FILE = re.compile(r"(\.\./(\.\./adapters/)?[a-z][a-z0-9_]*/)?(model|adapter)\.gguf")


@dataclass(frozen=True)
class Prepared:
    """A prepared model, as its manifest describes it.

    Attributes:
        manifest: what the file says.
        sha256: of the weights; with an adapter of both, see `composite`.
        model: GGUF file of the weights.
        adapters: what changes them, mostly nothing.
    """

    manifest: Mapping[str, Any]
    sha256: str
    model: Path
    adapters: tuple[Adapter, ...]
    _sums: Mapping[Path, str]

    @classmethod
    def read(cls, path: Path) -> Prepared:
        """Read a manifest, which names files relative to itself.

        Raises:
            InputError: it is damaged.
        """
        manifest = read_json(path)
        try:
            listed = manifest["files"]
            sums = {_beside(path, one["path"]): str(one["sha256"]) for one in listed}
            (model,) = (_beside(path, one["path"]) for one in listed if one["role"] == WEIGHTS)
            adapters = tuple(
                Adapter(_beside(path, one["path"]), float(one["scale"]))
                for one in listed
                if one["role"] == ADAPTER
            )
            return cls(manifest, str(manifest["sha256"]), model, adapters, sums)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"it does not name the files of a model: {error!r}") from error

    def check(self) -> None:
        """See that every file is what the manifest says: answers of others are not its own.

        Raises:
            InputError: one is not.
        """
        for path, sha256 in self._sums.items():
            check_sha256(path, sha256)


def model_of(manifest: Path | None) -> Path | None:
    """GGUF file of a prepared model, which has its tokens; None of a server's."""
    return None if manifest is None else Prepared.read(manifest).model


def _beside(manifest: Path, name: str) -> Path:
    if not _FILE.fullmatch(name):
        raise ValueError(f"{name!r} is no file of a prepared model")
    return Path(os.path.normpath(manifest.parent / name))


def composite(files: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 that stands for several files: of their roles, checksums and scales.

    One file has its own. Where a file lies, and under which name, is no part of it.
    """
    if len(files) == 1:
        return str(files[0]["sha256"])
    parts = [{key: f[key] for key in ("role", "sha256", "scale") if key in f} for f in files]
    return sha256_bytes(canonical_json(parts).encode())
