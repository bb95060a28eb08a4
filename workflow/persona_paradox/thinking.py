"""Thoughts: what a model writes for itself in front of its answer, between two marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Marks:
    """What a thought begins and ends with, as text, with the blank lines that belong to them.

    Attributes:
        open: stands in front of a thought.
        close: stands behind it, and in front of the answer.
        instead: what an answer without a thought begins with in families whose every text stands
            in a channel; empty where that is a thought without a word.
    """

    open: str
    close: str
    instead: str = ""

    @property
    def empty(self) -> str:
        """What stands in front of an answer without a thought."""
        return self.instead or self.open + self.close

    @property
    def end(self) -> str:
        """What ends a thought where a model writes it, whatever blank lines there are."""
        return self.close.strip()

    def closed(self, thought: str) -> str:
        """A thought and what stands behind it; the blank lines at its end stay as they are."""
        return thought + (self.close.lstrip() if thought[-1:].isspace() else self.close)


@dataclass(frozen=True)
class Thinking:
    """What a model's file says of its thoughts.

    Attributes:
        think: whether the model is to think before it answers.
        marks: of its thoughts; None where its chat template says.
    """

    think: bool = False
    marks: Marks | None = None

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Thinking:
        """From the view of a model's template, which has no key `thinking` for the default."""
        found = view.get("thinking", {"think": False, "open": None})
        marks = None if found["open"] is None else Marks(found["open"], found["close"])
        return cls(found["think"], marks)


# As the publishers' chat templates write them.
FAMILIES = (
    Marks("<think>\n", "\n</think>\n\n"),  # DeepSeek R1, Qwen3, QwQ, GLM, SmolLM3, EXAONE
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("\u25c1think\u25b7", "\u25c1/think\u25b7"),  # Kimi
    Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
    Marks("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Marks("<|channel>thought\n", "<channel|>"),  # Gemma 4
    Marks("<unused94>thought\n", "<unused95>"),  # MedGemma 1.5
    Marks(  # gpt-oss
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|channel|>final<|message|>",
    ),
    Marks("<|think|>", "<|end|><|begin|>assistant<|content|>", "<|content|>"),  # Solar Open
    Marks("<|think:start|>", "<|think:end|>"),  # Solar Open 2
    Marks("<think:opensource>", "</think:opensource>"),  # Hy3
    Marks("<longcat_think>\n", "\n</longcat_think>\n"),  # LongCat
    Marks("<start_working_out>", "<end_working_out>"),
    Marks("<thinking>\n", "\n</thinking>\n\n"),
    Marks("<thought>\n", "\n</thought>\n\n"),
    Marks("<reasoning>\n", "\n</reasoning>\n\n"),
    Marks("<|begin_of_thought|>\n\n", "\n\n<|end_of_thought|>\n\n"),  # OpenThinker, Sky-T1
)


def marks_in(template: str) -> Marks | None:
    """The marks that a chat template writes, by the family it is of; None for none known."""
    # A template spells line ends as it likes. Gemma 4 has Solar Open's mark for something else.
    for marks in FAMILIES:
        if marks.open.strip() in template and marks.instead in template:
            return marks
    return None


def left_open(text: str, families: Sequence[Marks] = FAMILIES) -> tuple[Marks, str] | None:
    """The thought that a prompt ends inside: its marks, and its text from `open` on; or None."""
    for marks in families:
        at = text.rfind(marks.open.strip())
        if at >= 0 and marks.end not in text[at:]:
            return marks, text[at:]
    return None


# Further marks in texts, which no template writes, and what is left of marks where the control
# tokens are left out of a text.
_FURTHER = (
    Marks("## Thinking\n\n", "## Final Response\n\n"),  # HuatuoGPT-o1
    Marks("<|channel|>commentary<|message|>", "<|channel|>final<|message|>"),
    Marks("<scratchpad>", "</scratchpad>"),
    Marks("<reflection>", "</reflection>"),
    Marks("<thought_process>", "</thought_process>"),
)
_LEFT_OVER = re.compile(r"\s*(?:thought\r?\n|(analysis)(?=[A-Z\"'(]))")
_LEFT_OVER_END = "assistantfinal"


def behind_thoughts(text: str, further: Iterable[Marks] = ()) -> str | None:
    """What an answer says behind its thoughts; None where it ends inside one.

    A thought ends with the first mark that closes one of its kind, whatever else is opened in it.
    A mark that ends a thought counts without one that begins it, which may have stood in the
    prompt; a heading does not, which may be one of the answer.

    Args:
        text: what a model wrote.
        further: marks of the model's own, beside those of `FAMILIES`.

    Raises:
        ValueError: a mark is empty.
    """
    marks, pattern = _pattern((*FAMILIES, *_FURTHER, *further))
    start = 0
    opened: str | None = None
    if left := _LEFT_OVER.match(text):
        before, found, _ = text.partition(_LEFT_OVER_END)
        if not found or not left[1]:
            return None
        start = len(before) + len(found)
    for match in pattern.finditer(text, start):
        mark = match[0].lower()
        if opened is None:
            if mark in marks:
                opened = mark
            elif not mark.startswith("#"):
                start = match.end()
        elif mark in marks[opened]:
            opened, start = None, match.end()
    return text[start:] if opened is None else None


@lru_cache(maxsize=64)
def _pattern(every: tuple[Marks, ...]) -> tuple[dict[str, set[str]], re.Pattern[str]]:
    """Marks that open a thought, with those that close it, and an expression for all of them."""
    marks: dict[str, set[str]] = {}
    for one in every:
        if not (one.open.strip() and one.close.strip()):
            raise ValueError(f"{one}: a thought has a mark at either end")
        ends = marks.setdefault(one.open.strip().lower(), set())
        ends |= {mark.strip().lower() for mark in (one.close, one.instead) if mark}
    # The longest first: one mark may be the beginning of another.
    words = sorted({*marks, *(end for ends in marks.values() for end in ends)}, key=len)[::-1]
    return marks, re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
