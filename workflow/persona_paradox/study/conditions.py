"""Derived conditions: what files declare in short becomes specs like any other.

A derived id is `base@part`. A persona set is a sentence with places, and the texts that fill them:
its personas are all combinations. Plain mappings go in and come out, before anything is checked
against anything else, and nothing downstream knows that a persona was not written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from math import prod
from typing import Any

from ..errors import InputError
from ..names import ALL

MARK = "@"

# Of one set, and of one id, which is part of the names of files.
MOST_OF_A_SET = 1000
MOST_CHARACTERS = 100

# In the part of an id it stands for any characters.
ANY = "*"

# Ids that an error names.
_LISTED = 20

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def split(id_: str) -> tuple[str, str]:
    """Base and part of an id; no part where it is not a derived one."""
    base, _, part = id_.partition(MARK)
    return base, part


def is_derived(id_: str) -> bool:
    """Whether an id is a derived one."""
    return MARK in id_


def base_of(id_: str) -> str:
    """The base of a derived id, or the id itself."""
    return split(id_)[0]


def bases(ids: Iterable[str]) -> list[str]:
    """The bases of derived ids, each once."""
    return list(dict.fromkeys(split(id_)[0] for id_ in ids if MARK in id_))


def plain(ids: Iterable[str]) -> list[str]:
    """The ids that are not derived."""
    return [id_ for id_ in ids if MARK not in id_]


def matching(part: str, known: Iterable[str]) -> list[str]:
    """The parts that one behind an `@` stands for, in their order; none where it fits nothing.

    Args:
        part: a part, `all`, or a pattern in which `*` stands for any letters, also for none.
        known: every part of the base.
    """
    return [one for one in known if part == ALL or fnmatchcase(one, part)]


def file_of(kind: str, id_: str) -> str:
    """The file that says what an id is, as errors call it.

    Args:
        kind: folder of `config/`, such as `personas`.
        id_: derived or not.
    """
    base, part = split(id_)
    folder = "persona_sets" if part and kind == "personas" else kind
    return f"config/{folder}/{base}.yaml"


def personas_of(
    wanted: Sequence[str],
    written: Mapping[str, dict[str, Any]],
    sets: Mapping[str, Mapping[str, Any]],
    named_by: str = "key `personas` of the study",
) -> dict[str, Any]:
    """The personas that a study names, in its order.

    Args:
        wanted: ids; `set@part` is one persona of a set, `set@all` every one, and `set@nurse_*`
            those whose part fits the pattern.
        written: id → content of its file, for the ids that are not derived.
        sets: id → content of its file, for every set that is named.
        named_by: the key that names them, in errors.

    Returns:
        Id → persona: `title`, `group`, `texts`, perhaps `relations` and `control_tokens`, and of a
        set's `factors`, factor → its `level`, `title` and `text`.

    Raises:
        InputError: a set is not as it must be, or has no such part.
    """
    known = {id_: _personas(id_, content) for id_, content in sets.items()}
    found: dict[str, dict[str, Any]] = {}
    for id_ in wanted:
        base, part = split(id_)
        if not part:
            found[id_] = written[id_]
            continue
        chosen = matching(part, (split(one)[1] for one in known[base]))
        if not chosen:
            raise InputError(
                f"{named_by} names {id_!r}, which {file_of('personas', id_)} does "
                f"not make; use {base}{MARK}{ALL} or {listed(known[base])}"
            )
        for one in chosen:
            derived = f"{base}{MARK}{one}"
            found.setdefault(derived, known[base][derived])
    return found


def listed(ids: Iterable[str]) -> str:
    """One of some ids, in words."""
    ids = list(ids)
    more = f", or one of {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    return f"one of {', '.join(ids[:_LISTED])}{more}"


def _personas(set_: str, content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """All personas of a set, in the order of its factors' levels."""
    name = f"config/persona_sets/{set_}.yaml"
    _check_places(name, content, list(content["factors"]))
    moved = content.get("steering")
    found: dict[str, dict[str, Any]] = {}
    for part, levels in combinations(name, content["factors"], "personas", f"{set_}{MARK}"):
        id_ = f"{set_}{MARK}{part}"
        if part == ALL or len(id_) > MOST_CHARACTERS:
            why = f"stands for every persona of a set ({ALL})"
            if len(id_) > MOST_CHARACTERS:
                why = f"has more than {MOST_CHARACTERS} characters"
            raise InputError(f"{name}: the id {id_!r} {why}; rename a level of key `factors`")
        relations = [about["relations"] for about in levels.values() if "relations" in about]
        if len(relations) > 1:
            raise InputError(
                f"{name}: {id_} has key `relations` of two factors; leave it to the levels of one"
            )
        found[id_] = {
            "title": title_of(content, levels),
            "group": content["group"] or set_,
            "texts": {
                variant: filled_with(text, levels, "text")
                for variant, text in content["texts"].items()
            },
            "factors": levels,
            **({"relations": relations[0]} if relations else {}),
            **{key: content[key] for key in ("control_tokens",) if key in content},
            **({"steering": _moved(name, moved, levels)} if moved else {}),
        }
    _check_told_apart(name, found)
    left = chosen_of(name, content, [split(id_)[1] for id_ in found], "persona")
    return {id_: persona for id_, persona in found.items() if split(id_)[1] in left}


def _moved(
    name: str, steering: Mapping[str, Any], levels: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The key `steering` of a persona of a set, with numbers in the places of factors."""
    found = dict(steering)
    for key in ("scale", "cap"):
        if isinstance(found.get(key), str):
            text = filled_with(found[key], levels, "text")
            try:
                found[key] = float(text)
            except ValueError:
                raise InputError(
                    f"{name}: key `steering.{key}` is {steering[key]}, but a text of that factor "
                    f"is {text!r}; write a number there, in quotes"
                ) from None
    return found


def combinations(
    name: str, factors: Mapping[str, Mapping[str, Any]], what: str, prefix: str
) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    """All combinations of the levels of a set's factors, in their order.

    Args:
        name: file of the set, in errors.
        factors: factor → level → its text, or a mapping of `text`, `title` and more.
        what: what each combination makes, and the `prefix` of their ids, in errors.

    Returns:
        The part of an id, and factor → its level: `level`, `title`, `text` and what it has besides.

    Raises:
        InputError: there are too many, or two with the same id.
    """
    levels = {
        factor: [_level(level, about) for level, about in each.items()]
        for factor, each in factors.items()
    }
    n = prod(map(len, levels.values()))
    if n > MOST_OF_A_SET:
        raise InputError(
            f"{name}: key `factors` makes {n} {what}, but a set has {MOST_OF_A_SET} at most; "
            "write several sets"
        )
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for chosen in product(*levels.values()):
        part = "_".join(level["level"] for level in chosen)
        if part in found:
            raise InputError(
                f"{name}: the id {prefix + part!r} is made twice; rename a level of key `factors`"
            )
        found[part] = dict(zip(levels, chosen, strict=True))
    return list(found.items())


def _level(level: str, about: str | Mapping[str, Any]) -> dict[str, Any]:
    """A level of a factor: its id, its text, what titles call it, and what it has besides."""
    own = {"text": about} if isinstance(about, str) else about
    return {"level": level, "title": level.replace("_", " "), "text": "", **own}


def title_of(content: Mapping[str, Any], levels: Mapping[str, Mapping[str, Any]]) -> str:
    """The title of one of a set, by the template of its file."""
    return filled_with(content["title_template"] or _titles(levels), levels, "title")


def _titles(factors: Iterable[str]) -> str:
    return ", ".join(f"{{{factor}}}" for factor in factors)


def filled_with(template: str, levels: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """A template with the places of factors filled, and others left.

    An empty text takes the blank before its place along.
    """

    def fill(place: re.Match[str]) -> str:
        if place[2] not in levels:
            return place[0]
        text = levels[place[2]][key]
        return place[1] + text if text else ""

    return re.sub(rf"( ?){_PLACE.pattern}", fill, template).strip()


def _check_places(name: str, content: Mapping[str, Any], factors: Sequence[str]) -> None:
    """Check that every factor has a place in every wording, and every place a factor."""
    templates = {f"texts.{variant}": text for variant, text in content["texts"].items()}
    if content["title_template"] is not None:
        templates["title_template"] = content["title_template"]
    moving = _PLACE.findall(" ".join(map(str, content.get("steering", {}).values())))
    if moving:
        templates = {"steering": " ".join(f"{{{one}}}" for one in moving)} | templates
    for key, template in templates.items():
        places = _PLACE.findall(template)
        for place in places:
            if place not in factors:
                raise InputError(
                    f"{name}: key `{key}` has the place {{{place}}}, but key `factors` has no "
                    f"{place!r}; write one of {', '.join(factors)}, or add it there"
                )
        for factor in factors if key not in ("title_template", "steering") else ():
            if factor not in (*places, *moving):
                raise InputError(
                    f"{name}: key `factors` has {factor!r}, but key `{key}` has no place "
                    f"{{{factor}}}; write it there, or take the factor out"
                )


def _check_told_apart(name: str, personas: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that no two personas of a set have the same sentence or the same title."""
    for key, what in (("texts", "sentence"), ("title", "title")):
        seen: dict[str, str] = {}
        for id_, persona in personas.items():
            texts = persona["texts"].values() if key == "texts" else [persona["title"]]
            # Who says the same is told apart by what moves the model.
            moved = str(persona.get("steering", "")) if key == "texts" else ""
            for text in texts:
                said = " ".join(text.split()).casefold() + moved
                other = seen.setdefault(said, id_)
                if other != id_:
                    remedy = (
                        "change a text of key `factors`"
                        if key == "texts"
                        else "name every factor that varies in key `title_template`"
                    )
                    raise InputError(
                        f"{name}: {other} and {id_} have the same {what}, {text!r}; {remedy}"
                    )


def chosen_of(name: str, content: Mapping[str, Any], parts: Sequence[str], what: str) -> list[str]:
    """The parts that keys `only` and `except` of a set leave; * stands for any characters.

    Raises:
        InputError: a key names none, or nothing is left.
    """
    named: dict[str, set[str]] = {}
    for key in ("only", "except"):
        named[key] = set()
        for part in content[key] or ():
            found = [one for one in parts if fnmatchcase(one, part)]
            if not found:
                raise InputError(
                    f"{name}: key `{key}` names {part!r}, which key `factors` does not make; use "
                    f"{listed(parts)}"
                )
            named[key].update(found)
    only = set(parts) if content["only"] is None else named["only"]
    left = [part for part in parts if part in only - named["except"]]
    if not left:
        raise InputError(f"{name}: keys `only` and `except` leave no {what}; mend either")
    return left
