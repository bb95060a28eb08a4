"""Prompts: the chat that a persona, a task and a case make, before any model is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from ..files import sha256_bytes
from ..names import USER

SCHEMA = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "system": pl.String,
    "persona": pl.String,
    "user": pl.String,
}

# Between the persona's sentence and the user's words that it stands in front of.
_BEHIND_PERSONA = "\n\n"


def build_prompts(
    items: pl.DataFrame, texts: Mapping[str, str], task: Mapping[str, Any]
) -> pl.DataFrame:
    """One chat per item and wording of the persona.

    Args:
        items: columns `item_id` and `case`, and more that the user's message has places for.
        texts: variant → the persona's sentence; an empty one is left out of the prompt.
        task: `instruction` (system part behind the persona) and `user`, where `{case}`
            stands for the case, and the name of any other column for what is in it; and perhaps
            `placement`, which is `user` where the persona stands in front of the user's words, with
            a blank line between, instead of in the system message.

    Returns:
        A table of `SCHEMA`, by variant (main first) and item. `prompt_id` is the start of the
        SHA-256 of both messages, so that equal chats have equal ids.
    """
    rows = []
    for variant in sorted(texts, key=lambda v: (v != "main", v)):
        persona = texts[variant]
        in_user = task.get("placement") == USER
        parts = [task["instruction"]] if in_user else [persona, task["instruction"]]
        system = "\n".join(part for part in parts if part)
        lead = persona + _BEHIND_PERSONA if in_user and persona else ""
        for item in items.iter_rows(named=True):
            item_id = item.pop("item_id")
            user = lead + _filled(task["user"], item)
            rows.append(
                {
                    "item_id": item_id,
                    "prompt_id": sha256_bytes(f"{system}\0{user}".encode())[:16],
                    "variant": variant,
                    "system": system,
                    "persona": persona,
                    "user": user,
                }
            )
    return pl.DataFrame(rows, schema=SCHEMA)


def without_persona() -> pl.Expr:
    """The user's message of a table of `SCHEMA`, without the persona's sentence in front of it.

    Who reads answers blind must not read it there. It stands there where it does not begin the
    system message.
    """
    persona = pl.col("persona")
    in_user = (persona != "") & ~pl.col("system").str.starts_with(persona)
    bare = pl.col("user").str.strip_prefix(persona + _BEHIND_PERSONA)
    return pl.when(in_user).then(bare).otherwise(pl.col("user"))


def _filled(text: str, values: Mapping[str, str | None]) -> str:
    """A text with `{name}` replaced, all in one go: what looks like a place in a value is none."""
    places = "|".join(re.escape(f"{{{name}}}") for name in values)
    return re.sub(places, lambda found: values[found[0][1:-1]] or "", text)
