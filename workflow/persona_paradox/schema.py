"""Configuration files against their JSON schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from .errors import InputError

# In C, where PyYAML was built with it.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FOLDER = Path(__file__).resolve().parents[1] / "schemas"


def check_schema(data: Any, kind: str, name: str) -> None:
    """Validate a mapping and write the defaults of keys that it leaves out into it.

    Args:
        data: content of a configuration file, or a study.
        kind: of the schema `{kind}.schema.yaml`.
        name: of the file in errors.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    for found in _validator(kind).iter_errors(data):
        key = ".".join(str(part) for part in found.absolute_path) or "(top level)"
        meaning = found.schema.get("description", "").rstrip(".")
        message = " ".join(found.message.split())
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"
        raise InputError(
            f"{name}: key `{key}`: {message}"
            + (f" ({meaning})" if meaning else "")
            + "; mend it, config/README.md explains every key"
        )


# Of a message, which quotes the value that is wrong.
_LONGEST = 1000


@cache
def _schemas() -> dict[str, Any]:
    """Every schema, by the name of its file."""
    return {
        path.name: yaml.load(path.read_text(encoding="utf-8"), Loader=_SAFE_LOADER)  # noqa: S506
        for path in FOLDER.glob("*.schema.yaml")
    }


@cache
def _validator(kind: str) -> Any:
    registry: Any = Registry().with_resources(
        (name, Resource.from_contents(content)) for name, content in _schemas().items()
    )
    validator = jsonschema.validators.extend(Draft202012Validator, {"properties": _properties})
    return validator(_schemas()[f"{kind}.schema.yaml"], registry=registry)


def _properties(
    validator: Any, properties: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[Any]:
    if isinstance(instance, dict):
        for key, about in properties.items():
            if "default" in about:
                # Defaults inside of it are written into it, and must not reach the schema.
                instance.setdefault(key, deepcopy(about["default"]))
    yield from Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )
