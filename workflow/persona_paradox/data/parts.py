"""Models in parts, as large ones are published: NAME-00001-of-00003.gguf and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import InputError

_PART = re.compile(r"(?P<name>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)

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
