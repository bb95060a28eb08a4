"""What a schema says can be said in words, and no regular expression reaches a user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.schema import RENAMED, WORDS, check_schema

SCHEMAS = {
    path.relative_to(ROOT / "workflow").as_posix(): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "workflow").rglob("*.schema.yaml"))
}
# Those of which errors speak by name, and those that say nothing of a value by themselves.
SPOKEN = {"additionalProperties", "required", "uniqueItems", "type", "enum", "const"}
SPOKEN |= {"exclusiveMaximum", "exclusiveMinimum", "maxItems", "maximum", "minItems", "minLength"}
SPOKEN |= {"minProperties", "minimum"}
SILENT = {"$schema", "$ref", "$defs", "allOf", "default", "description", "else", "if", "items"}
SILENT |= {"patternProperties", "properties", "propertyNames", "then", "title", WORDS, "x-lower"}
SILENT |= {RENAMED, "x-answers"}
IN_WORDS = {"anyOf", "maxProperties", "not", "oneOf", "pattern"}


def schemas_in(schema: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside of a schema, with its place."""
    if not isinstance(schema, dict):
        return
    yield at, schema
    for keyword in ("properties", "patternProperties", "$defs"):
        for name, inner in schema.get(keyword, {}).items():
            yield from schemas_in(inner, f"{at}/{name}")
    for keyword in ("items", "additionalProperties", "propertyNames", "if", "then", "else"):
        yield from schemas_in(schema.get(keyword), f"{at}/{keyword}")
    for i, inner in enumerate(schema.get("allOf", ())):
        yield from schemas_in(inner, f"{at}/{i}")


EVERY = dict(pair for name, schema in SCHEMAS.items() for pair in schemas_in(schema, name))


def test_the_schemas_were_found() -> None:
    assert len(EVERY) > 200
    assert sum("pattern" in schema for schema in EVERY.values()) > 20


def test_every_keyword_can_be_said() -> None:
    for at, schema in EVERY.items():
        assert schema.keys() <= SPOKEN | SILENT | IN_WORDS, at


def test_every_pattern_and_combination_has_words() -> None:
    for at, schema in EVERY.items():
        if schema.keys() & IN_WORDS:
            assert schema[WORDS].strip(), at
            assert not {"$", "(?", "[^", "\\S"} & {*schema[WORDS].split()}, at


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7.5, "must be a whole number"),
        (True, "is true, but must be a whole number"),
        ([7], "must be a whole number"),
        (2.0**60, "must be a whole number"),
        (-1.0, "must be at least 0"),
    ],
)
def test_what_is_no_whole_number(value: Any, said: str) -> None:
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match=f"^config/config.yaml: key `seed` .*{said}"):
        check_schema(study | {"seed": value}, "study", "config/config.yaml")
