"""YAML files, read so that what stands there is what is meant."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError


class _Refused(yaml.MarkedYAMLError):
    """YAML that others take, and we do not."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, aliases, and numbers that are not as written."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node."""
        # A few lines of aliases of aliases stand for more than any memory holds.
        if self.check_event(yaml.AliasEvent):
            raise _Refused(
                problem="an alias (`*name`) stands for a value; write the value itself",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        where = key_node.start_mark
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise _Refused(
                problem="`<<` merges other keys into these; write the keys themselves",
                problem_mark=where,
            )
        key = loader.construct_object(key_node)
        if isinstance(key, str) and key_node.style is None and key[:1].isspace():
            # YAML indents by blanks alone, and takes these for a part of the key.
            raise _Refused(
                problem=f"the line begins with U+{ord(key[0]):04X}, which looks like a blank; "
                "indent it with plain blanks",
                problem_mark=where,
            )
        if not isinstance(key, str):
            shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else _shown(key)
            what = "a list" if isinstance(key, list) else _not_plain(key) or _yaml_type(key)
            raise _Refused(
                problem=f"a key must be text, but `{shown}` is {what} to YAML; put quotes around "
                "it",
                problem_mark=where,
            )
        if key in seen:
            raise _Refused(
                problem=f"key {key!r} stands twice; remove one of them", problem_mark=where
            )
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A number; to YAML 010 is 8 and 1:30 is 90, which nobody means."""
    kind = node.tag.rpartition(":")[2]
    value = getattr(yaml.SafeLoader, f"construct_yaml_{kind}")(loader, node)
    if ":" in node.value or re.fullmatch("[-+]?0[0-7_]+", node.value):
        raise _Refused(
            problem=f"`{node.value}` is the number {value} to YAML; write {value}, or put quotes "
            "around a text",
            problem_mark=node.start_mark,
        )
    return value


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)

# What PyYAML says → what to do.
_REMEDIES = {
    r"'\t'": "indent lines with blanks, not with tabs",
    "cannot start any token": "put quotes around the text",
    "constructor for the tag": "mend that line: put quotes around a text that begins with !",
    "mapping values are not allowed here": "put quotes around a text that holds a colon",
    "another document": "take out the line `---`, for one file holds one",
}


def _remedy(problem: str) -> str:
    return next((text for said, text in _REMEDIES.items() if said in problem), "mend that line")


def read_yaml(path: Path, name: str) -> dict[str, Any]:
    """Content of a YAML file that holds a mapping; `name` is how errors call it.

    Raises:
        InputError: the file is missing, is not YAML, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
        check_plain(value, name)
    except FileNotFoundError:
        raise InputError(f"{name} is missing; write it or mend the id that names it") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{name}, line {line}, has the control character U+{ord(text[error.position]):04X}, "
            "which YAML does not allow; take it out"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if isinstance(error, _Refused):
            raise InputError(f"{name}{where}: {problem}") from error
        raise InputError(
            f"{name}{where} is not valid YAML: {problem}; {_remedy(problem)}"
        ) from error
    except RecursionError:
        raise InputError(f"{name} nests values too deeply; write them flat") from None
    except (ValueError, OverflowError) as error:
        # Dates and numbers that look right and are not.
        raise InputError(
            f"{name} has a value that cannot be read ({error}); put quotes around it"
        ) from error
    if not isinstance(value, dict):
        what = "is empty" if value is None else "must hold keys and values, not a list or a text"
        raise InputError(f"{name} {what}; config/README.md says what stands in it")
    return value


def given(entries: Iterable[str]) -> dict[str, Any]:
    """What `--config KEY=VALUE …` gives, each value as if it stood in a file.

    Snakemake takes `null` for a text, and every number inside of a list or a mapping.

    Args:
        entries: `KEY=VALUE` each. A value that is no YAML is a text, as it is to Snakemake.

    Raises:
        InputError: a value is YAML that we refuse in a file, or a key is given twice.
    """
    found: dict[str, Any] = {}
    for entry in entries:
        key, _, text = entry.partition("=")
        if key in found:
            raise InputError(f"--config gives {key} twice; give it once")
        try:
            found[key] = yaml.load(text, Loader=_Loader)  # noqa: S506 - as in `read_yaml`
        except _Refused as error:
            raise InputError(f"--config {key}: {error.problem}") from error
        except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
            found[key] = text
        # In a file a comment would begin behind ` #`; here it is part of the text.
        if isinstance(found[key], str) and text[:1] not in ("'", '"'):
            found[key] = text
    return found


def check_plain(value: Any, name: str) -> None:
    """Check that a configuration holds texts, numbers, lists and mappings alone, each once.

    Snakemake reads a study itself, and takes more than that: an alias, which may stand for a
    value that contains itself, a tag that names a Python object, a number that is none.

    Raises:
        InputError: something else stands there.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("(top level)", value)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, dict | list):
            if id(one) in seen:
                raise InputError(
                    f"{name}: key `{key}` is an alias (`*name`) of another value; write the value "
                    "itself"
                )
            seen.add(id(one))
            pairs = one.items() if isinstance(one, dict) else enumerate(one)
            for part, inner in pairs:
                if isinstance(one, dict) and not isinstance(part, str):
                    raise InputError(
                        f"{name}: key `{key}` has a key that is no text, {_shown(part)}; put "
                        "quotes around it"
                    )
                waiting.append((str(part) if key == "(top level)" else f"{key}.{part}", inner))
        elif (wrong := _not_plain(one)) is not None:
            raise InputError(
                f"{name}: key `{key}` is {wrong}; write a text, in quotes where it looks like "
                "something else, or a number"
            )


def _not_plain(value: Any) -> str | None:
    """What a value is that no configuration holds, or None."""
    if isinstance(value, str):
        # What neither a file nor the name of one can hold: half of a pair, and the null character.
        odd = [f"U+{ord(one):04X}" for one in value if one == "\0" or "\ud800" <= one <= "\udfff"]
        return f"a text with the character {odd[0]}" if odd else None
    if isinstance(value, int):
        return None if value.bit_length() <= 64 else "a number of more than 64 bits"
    if value is None or (isinstance(value, float) and math.isfinite(value)):
        return None
    return f"a date ({value})" if isinstance(value, date) else _shown(value)


def _yaml_type(value: Any) -> str:
    if value is None:
        return "nothing"
    return "true or false" if isinstance(value, bool) else "a number"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


# Of a value in an error.
_LONGEST = 100


def check_study_file(path: Path, name: str) -> None:
    """Check a study before or after Snakemake reads it, which runs code that stands in it.

    Snakemake passes every study to YTE, a template engine: behind the key `__use_yte__`, texts that
    begin with a question mark are Python.

    Raises:
        InputError: the file is no plain YAML, or asks for that.
    """
    if "__use_yte__" in read_yaml(path, name):
        raise InputError(
            f"{name}: key `__use_yte__` makes Snakemake run code that stands in the file; take it "
            "out, and write the values themselves"
        )
