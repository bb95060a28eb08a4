"""Thoughts: what a model writes for itself in front of its answer, between two marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    Marks("<thinking>\n", "\n</thinking>\n\n"),
    Marks("<thought>\n", "\n</thought>\n\n"),
    Marks("<reasoning>\n", "\n</reasoning>\n\n"),
)


def marks_in(template: str) -> Marks | None:
    """The marks that a chat template writes, by the family it is of; None for none known."""
    # A template spells line ends as it likes.
    return next((marks for marks in FAMILIES if marks.open.strip() in template), None)


def left_open(text: str, families: Sequence[Marks] = FAMILIES) -> tuple[Marks, str] | None:
    """The thought that a prompt ends inside: its marks, and its text from `open` on; or None."""
    for marks in families:
        at = text.rfind(marks.open.strip())
        if at >= 0 and marks.end not in text[at:]:
            return marks, text[at:]
    return None


def behind_thoughts(text: str) -> str | None:
    """What an answer says behind its thoughts; None where it ends inside one.

    A mark that ends a thought counts without one that begins it, which may have stood in the
    prompt.
    """
    for end in sorted(_ends(text), reverse=True)[:1]:
        text = text[end:]
    return None if any(marks.open.strip() in text for marks in FAMILIES) else text


def _ends(text: str) -> Iterator[int]:
    for marks in FAMILIES:
        at = text.rfind(marks.end)
        if at >= 0:
            yield at + len(marks.end)
