"""The types of configuration files have the keys of their schemas."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints, is_typeddict

import pytest
import yaml
from root import ROOT

from persona_paradox import specs
from persona_paradox.kinds.base import kinds, spec

# What is added when a study is read, besides what its files may say.
ADDED = {"model": {"adapter"}, "adapter": {"id", "cycle", "validation"}, "persona": {"factors"}}
TYPES = {
    "study": specs.Settings,
    "model": specs.ModelSpec,
    "adapter": specs.AdapterSpec,
    "persona": specs.PersonaSpec,
    "judge": specs.JudgeSpec,
    "form": specs.FormSpec,
}


def schema(name: str) -> dict[str, Any]:
    path = ROOT / f"workflow/schemas/{name}.schema.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def typed(hint: Any) -> Any:
    """The type of a mapping with known keys, in a hint that may hold one."""
    return next((one for one in (hint, *get_args(hint)) if is_typeddict(one)), None)


def compare(kind: Any, about: dict[str, Any], added: set[str], at: str) -> None:
    """See that a type has the keys of a schema, at every depth where it is one of known keys."""
    hints = get_type_hints(kind)
    assert hints.keys() == about["properties"].keys() | added, at
    for key, hint in hints.items():
        inner = about["properties"].get(key, {})
        inner = inner.get("items", inner)
        if (deeper := typed(hint)) is not None and "properties" in inner:
            compare(deeper, inner, set(), f"{at}.{key}")


# Keys that kinds may have or not; what they hold is theirs to say.
SHARED = {"task": specs.TaskSpec, "dataset": specs.DatasetSpec}
OF_KINDS = {"task": {"null_cases", "rationale", "verbalized", "arms", "arm_sets", "arm"}}
OF_KINDS |= {"dataset": {"columns", "source", "arm"}}
# Keys of `columns`, and what others refer to.
INSIDE = {"task": set(), "dataset": {"item_id", "case", "never_shown", "keep", "cluster", "value"}}
INSIDE["dataset"] |= {"criteria", "turns"}


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_type_has_the_keys_that_kinds_share(name: str) -> None:
    shared = schema(name)["$defs"]
    about = {"properties": {key: one for key, one in shared.items() if key not in INSIDE[name]}}
    compare(SHARED[name], about, OF_KINDS[name], name)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if hasattr(spec(kind), "Task")])
@pytest.mark.parametrize("name", SHARED)
def test_a_type_of_a_kind_has_the_keys_of_its_schema(kind: str, name: str) -> None:
    path = ROOT / f"workflow/persona_paradox/kinds/{kind}/{name}.schema.yaml"
    about = yaml.safe_load(path.read_text(encoding="utf-8"))
    typed_keys = get_type_hints(getattr(spec(kind), name.capitalize()))
    # What is shared need not be had.
    free = {key for key, hint in SHARED[name].__annotations__.items() if "NotRequired" in str(hint)}
    assert set(about["properties"]) <= set(typed_keys)
    assert set(typed_keys) - free <= set(about["properties"])


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_the_keys_of_its_schema(name: str) -> None:
    compare(TYPES[name], schema(name), ADDED.get(name, set()), name)


@pytest.mark.parametrize("name", TYPES)
def test_a_key_that_a_type_lacks_is_found(name: str) -> None:
    about = schema(name)
    about["properties"]["more"] = {"type": "string"}
    with pytest.raises(AssertionError, match=name):
        compare(TYPES[name], about, ADDED.get(name, set()), name)
