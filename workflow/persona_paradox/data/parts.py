"""Files that come in several: models in parts, and adapters as peft saves them.

Large models are published as NAME-00001-of-00003.gguf and so on; a folder of peft has weights and,
beside them, what says how they are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..errors import InputError

_PART = re.compile(r"(?P<name>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)

# The files of an adapter that peft saved.
PEFT = PEFT_WEIGHTS, PEFT_CONFIG = ("adapter_model.safetensors", "adapter_config.json")

# Where the sources that may have parts name their file.
_FILE = {"hub": "file", "path": "path"}


def parts_of(source: Mapping[str, Any], config_file: str) -> list[dict[str, Any]]:
    """The sources of all parts of a model, in their order; of a model in one file its own.

    Args:
        source: validated mapping; `sha256` of a model in parts lists the checksums of all.
        config_file: YAML file to name in errors.

    Raises:
        InputError: it does not name the first part, or not one checksum for each.
    """
    listed = isinstance(source.get("sha256"), list)
    sums = source["sha256"] if listed else [source.get("sha256")]
    key = _FILE.get(source["kind"], "")
    found = _PART.fullmatch(source.get(key, ""))
    count = int(found["count"]) if found else 1
    if found is None or count < 2:
        if listed:
            raise InputError(
                f"{config_file}: key `source.sha256` lists {len(sums)} checksums, which is for a "
                "model in parts, whose first file is called NAME-00001-of-00002.gguf or the like; "
                "give the checksum of the one file"
            )
        return [dict(source)]
    names = [f"{found['name']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    if source[key] != names[0]:
        raise InputError(
            f"{config_file}: key `source.{key}` names part {int(found['number'])} of {count} of a "
            f"model; name the first, {names[0]}"
        )
    if not listed or len(sums) != count:
        raise InputError(
            f"{config_file}: key `source.sha256` has {len(sums)} of the checksums "
            f"of a model in {count} parts; list the checksum of each, in the order of the parts"
        )
    return [{**source, key: name, "sha256": sum_} for name, sum_ in zip(names, sums, strict=True)]


def is_peft(source: Mapping[str, Any]) -> bool:
    """Whether an adapter's source names the weights of a folder of peft, and not a GGUF."""
    return _named(source).endswith(".safetensors")


def files_of_adapter(source: Mapping[str, Any], config_file: str) -> list[dict[str, Any]]:
    """The sources of the files of an adapter: a GGUF, or the weights and the settings of peft.

    Args:
        source: validated mapping; `sha256` of a folder of peft lists the checksums of both.
        config_file: YAML file to name in errors.

    Raises:
        InputError: it names another file of the folder, or not one checksum for each.
    """
    sums, name = source.get("sha256"), PurePosixPath(_named(source))
    if name.suffix in (".bin", ".pt", ".pth"):
        raise InputError(
            f"{config_file}: key `source` names {name.name}, a file of pickles, which may run code "
            f"and is not read; save the adapter as {PEFT_WEIGHTS} and name that"
        )
    if name.name == PEFT_CONFIG:
        raise InputError(
            f"{config_file}: key `source` names {PEFT_CONFIG}; name {PEFT_WEIGHTS} beside it"
        )
    if not is_peft(source):
        if isinstance(sums, list):
            raise InputError(
                f"{config_file}: key `source.sha256` lists {len(sums)} checksums, but {name.name} "
                "is one file; give its checksum"
            )
        return [dict(source)]
    key = _FILE.get(source["kind"])
    if key is None or not isinstance(sums, list) or len(sums) != len(PEFT):
        raise InputError(
            f"{config_file}: key `source` names {name.name} of a folder of peft; let `kind` be "
            f"path or hub, and list in `sha256` the checksums of {name.name} and of {PEFT_CONFIG} "
            "beside it"
        )
    paths = (source[key], str(name.with_name(PEFT_CONFIG)))
    return [{**source, key: path, "sha256": sum_} for path, sum_ in zip(paths, sums, strict=True)]


def _named(source: Mapping[str, Any]) -> str:
    """The name of a source's file; of one that is trained here there is none."""
    return str(next((source[k] for k in ("file", "path", "member", "url") if k in source), ""))
