"""Whether a text refuses or abstains, by the phrases of `refusals.yaml`. The rule is our own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

RULE = Path(__file__).with_suffix(".yaml")


@cache
def _pattern() -> re.Pattern[str]:
    rule = yaml.safe_load(RULE.read_text(encoding="utf-8"))
    words = {key: f"(?:{'|'.join(rule[key])})" for key in ("not", "do")}
    phrases = []
    for phrase in rule["phrases"]:
        # Contractions stand behind the subject without a blank.
        text = phrase.replace(" {not}", r"\s?{not}")
        for key, value in words.items():
            text = text.replace("{" + key + "}", value)
        phrases.append(f"(?:{text})")
    return re.compile(rf"(?<![\w'])(?:{'|'.join(phrases)})")


def refuses(text: str) -> bool:
    """Whether a text has one of the phrases."""
    plain = " ".join(text.lower().replace("’", "'").replace("‘", "'").split())
    return _pattern().search(plain) is not None
