"""Configuration files against their JSON schemas."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from .errors import InputError
from .own_yaml import own_yaml

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
# Those of the kinds of tasks.
KINDS = Path(__file__).resolve().parent / "kinds"
# Those of the rules of arms.
ARMS = Path(__file__).resolve().parent / "data/arms"

# Keywords of our own: what a value must be, in words, where JSON Schema has a pattern or a
# combination; that capitals count as small letters; and what keys of a former version are now.
WORDS, LOWER, RENAMED = "x-must-be", "x-lower", "x-renamed"

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "keys with values",
    "string": "text",
}


def check_schema(data: Any, kind: str, name: str) -> None:
    """Validate a mapping and write the defaults of keys that it leaves out into it.

    A whole number that is written with a decimal point, such as 7.0, becomes one without, and a
    checksum in capitals one in small letters, so that equal values are equal wherever they go.

    Args:
        data: content of a configuration file, or a study.
        kind: of the schema `{kind}.schema.yaml`; of a kind of task, or of a rule of arms, with its
            folder, such as `triage/dataset` and `arms/append`.
        name: of the file in errors.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    for found in _validator(kind).iter_errors(data):
        if not _mended(found, data):
            raise InputError(f"{name}{_sentence(found)}")


def _mended(found: ValidationError, data: Any) -> bool:
    """Write a value anew that is right in another form; whether it is."""
    value, about = found.instance, found.schema
    if _is(found, "type") and "integer" in _list(found.validator_value) and _is_whole(value):
        new: Any = int(value)
    elif _is(found, "pattern") and about.get(LOWER) and re.search(about["pattern"], value.lower()):
        new = value.lower()
    else:
        return False
    *path, last = found.absolute_path
    for key in path:
        data = data[key]
    data[last] = new
    return True


def _is(found: ValidationError, keyword: str) -> bool:
    return bool(found.validator == keyword)


def _is_whole(value: Any) -> bool:
    # Beyond this a number with a decimal point does not tell neighbours apart.
    return isinstance(value, float) and value.is_integer() and abs(value) < 2**53


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _sentence(found: ValidationError) -> str:
    key = ".".join(str(part) for part in found.absolute_path)
    where = f": key `{key}` " if key else " "
    if "propertyNames" in found.absolute_schema_path:
        what = f"has the key {_shown(found.instance)}, which must be {found.schema[WORDS]}"
    else:
        what = _wrong(found)
    meaning = found.schema.get("description", "").rstrip(".")
    if key and meaning:
        what += f" ({meaning})"
    return f"{where}{what}; mend it, config/README.md explains every key"


def _wrong(found: ValidationError) -> str:
    """What is wrong with a value, behind its key."""
    value, wanted, about = found.instance, found.validator_value, found.schema
    match found.validator:
        case "additionalProperties":
            return _unknown(value, about)
        case "required":
            return f"lacks the key `{next(key for key in wanted if key not in value)}`"
        case "uniqueItems":
            twice = next(one for i, one in enumerate(value) if one in value[:i])
            return f"has {_shown(twice)} twice, but must have it once"
        case "type":
            must = " or ".join(_TYPES[kind] for kind in _list(wanted)) + _hint(value, wanted)
        case "enum" | "const":
            allowed = [str(one) for one in _list(wanted)]
            must = ", ".join(allowed) if len(allowed) == 1 else f"one of {', '.join(allowed)}"
            must += _near(value, allowed)
        case keyword:
            must = about.get(WORDS) or _limit(str(keyword), wanted)
    if isinstance(value, dict) and found.validator != "type":
        return f"has {', '.join(value) or 'no keys'}, but must have {must}"
    return f"is {_shown(value)}, but must be {must}"


_LIMITS = {
    "exclusiveMaximum": "less than {}",
    "exclusiveMinimum": "more than {}",
    "maxItems": "a list of at most {}",
    "maximum": "at most {}",
    "minItems": "a list of at least {}",
    "minLength": "text of at least {} characters",
    "minProperties": "at least {} keys",
    "minimum": "at least {}",
}


def _limit(keyword: str, wanted: Any) -> str:
    if keyword == "minLength" and wanted == 1:
        return "text that is not empty"
    if keyword in ("minItems", "minProperties") and wanted == 1:
        return "at least one" if keyword == "minProperties" else "a list that is not empty"
    return _LIMITS[keyword].format(wanted)


def _unknown(value: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Which of the keys of a mapping is unknown, and which are known."""
    known = list(about.get("properties", ()))
    patterns = about.get("patternProperties", ())
    odd = next(
        key for key in value if key not in known and not any(re.search(p, key) for p in patterns)
    )
    if odd in about.get(RENAMED, ()):
        return f"has the key {_shown(odd)}, which is `{about[RENAMED][odd]}` since version 0.2"
    near = _near(odd, known) or f" ({about.get(WORDS) or ', '.join(known)} are known)"
    return f"has the unknown key {_shown(odd)}{near}"


def _near(value: Any, known: Iterable[str]) -> str:
    """A question for what is likely meant, or nothing."""
    near = difflib.get_close_matches(value, known, n=1) if isinstance(value, str) else []
    return f" (did you mean {near[0]}?)" if near else ""


def _hint(value: Any, wanted: Any) -> str:
    """What YAML took for something else, as it often does."""
    if isinstance(value, str) and {"integer", "number"} & {*_list(wanted)}:
        number = _number(value)
        return "" if number is None else f": write {number} without quotes"
    if "string" not in _list(wanted):
        return ""
    if isinstance(value, bool):
        return ": yes, no, on and off without quotes are true and false; put quotes around it"
    return ": put quotes around it" if isinstance(value, int | float) else ""


def _number(text: str) -> str | None:
    """The number that a text stands for, as YAML reads it: it takes 1e3 and 1e-05 for text."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    digits, e, exponent = repr(int(value) if _is_whole(value) else value).partition("e")
    return f"{digits}.0e{exponent}" if e and "." not in digits else f"{digits}{e}{exponent}"


# Of a value in an error.
_LONGEST = 500


def _shown(value: Any) -> str:
    """A value as it stands in a file, on one line; of a long one, its ends."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    return text


@cache
def _schemas() -> dict[Path, Any]:
    """Every schema, by its file."""
    found = {
        path: own_yaml(path)
        for folder, pattern in ((FOLDER, "*"), (KINDS, "*/*"), (ARMS, "*"))
        for path in folder.glob(f"{pattern}.schema.yaml")
    }
    for content in found.values():
        # Where it is met behind a reference, jsonschema would go on without what is our own.
        content.pop("$schema")
    return found


@cache
def _validator(kind: str) -> Any:
    registry: Any = Registry().with_resources(
        (path.as_uri(), DRAFT202012.create_resource(content))
        for path, content in _schemas().items()
    )
    # JSON Schema takes 7.0 for an integer; see `_mended`.
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    validator = jsonschema.validators.extend(
        Draft202012Validator, {"properties": _properties}, type_checker=types
    )
    # A reference in a schema begins at its own file.
    folder = ARMS.parent if kind.startswith("arms/") else KINDS if "/" in kind else FOLDER
    path = folder / f"{kind}.schema.yaml"
    return validator({"$ref": path.as_uri()}, registry=registry)


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
