"""The strings that tell which persona or model an answer is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


def identifying(
    personas: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    others: Iterable[str] = (),
) -> list[str]:
    """The strings that would tell where an answer comes from, sorted.

    Args:
        personas: id → content of the persona's file.
        models: id → content of the model's file.
        others: ids of other conditions. Everyday words do not belong here: every string is
            masked wherever it stands.

    Returns:
        Ids, titles and sentences, whom a sentence makes of the reader ("Emergency Department
        Nurse"), roles and what fills the places of a persona set, of more than one word ("none"
        and "assistant" are everyday words), and families, bare names ("SmolLM") and
        adapters of models.
    """
    found = {*personas, *models, *others}
    for persona in personas.values():
        texts = [text for text in persona["texts"].values() if text]
        found |= {persona["title"], *texts, *(_ADDRESS.sub("", text) for text in texts)}
        levels = [level["text"] for level in persona.get("factors", {}).values()]
        roles = [persona.get("role", ""), *(_ARTICLE.sub("", text) for text in levels)]
        found |= {role for role in roles if len(_WORD.findall(role)) > 1}
    for model in models.values():
        names = {model["title"], model["title"].partition(" (")[0], model["family"]}
        found |= names | {bare[0] for bare in map(_NAME.match, names) if bare}
        if "adapter" in model:
            title = model["adapter"]["title"]
            found |= {title, title.partition(" (")[0]}
    return sorted(found)


_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[A-Za-z]{4,}")
_ARTICLE = re.compile(r"^(an?|the) ", re.IGNORECASE)
_ADDRESS = re.compile(r"^(you are|you work as|act as) (an?|the) ", re.IGNORECASE)
