"""Thoughts: what a model writes for itself in front of its answer, between two marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import polars as pl


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


# A mark that opens something, by its name a thought, and no other mark behind it.
_UNKNOWN = re.compile(
    r"(?i)([<\[({\u25c1\uff1c][|\uff5c]?(?!no_|end_)(?:[\w:.-]*(?:think|thought|reason)[\w:.-]*"
    r"|(?:scratch_?pad|reflection|analysis|cot))(?: [^<>]*)?[|\uff5c]?[>\])}\u25b7\uff1e]"
    r"|<\|channel\|>(?:analysis|commentary)(?:<\|message\|>)?"
    r"|(?<![^\n])(?:#+ *|\*\*)(?:thinking|thoughts?|reasoning)\b[*:]*(?=\s*$))"
    r"[^<\[\u25c1]*$"
)
_LONGEST_UNKNOWN = 200  # characters of a mark, with what stands behind it


def unknown_thought(text: str) -> str | None:
    """The mark of a thought that a prompt ends inside, if it is of no family; or None."""
    found = _UNKNOWN.search(text[-_LONGEST_UNKNOWN:])
    return None if found is None else found[1]


def words_in(text: str, families: Sequence[Marks] = FAMILIES) -> str:
    """Words inside the last thought of a text, whether it is closed or not."""
    for marks in families:
        _, found, behind = text.rpartition(marks.open.strip())
        inside = behind.partition(marks.end)[0]
        if found and re.search(r"\w", inside):
            return inside
    return ""


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

# As gpt-oss writes them, which names a format between a channel and its message.
_CHANNEL = (
    r"<\|channel\|>\s{0,3}(?P<channel>analysis|commentary|final)"
    r"(?:[^<]|<\|constrain\|>){0,80}<\|message\|>"
)
_HEADING = r"(?P<heading>#{1,6} {0,3}Final Response)"
# Marks that no publisher of `FAMILIES` writes, but whose form says what they are:
# "<|think_start|>", "[think_end:]", "</mm:think>". A link is none.
_NAME = "/?[a-z][a-z_:.-]{3,40}"
_FORM = rf"(?P<form><{_NAME}>|<\|{_NAME}\|>|\[:?{_NAME}:?\](?!\())"
_THINKS = {"think", "thinking", "thought", "thoughts", "reasoning", "scratchpad"}
_MAY_THINK = {"reason", "reflection", "analysis"}
_BEGINS = {"start": "end", "begin": "end", "open": "close"}
_ENDS = {*_BEGINS.values(), "stop"}
_WORD = re.compile("[a-z]+", re.IGNORECASE)


@dataclass(frozen=True)
class _Form:
    """What the form of a mark says.

    Attributes:
        kind: of the thoughts that it is about: its bracket and its name.
        closes: whether it ends a thought.
        named: whether its name is of thoughts alone. `<reason>` may be a part of an answer as well:
            it is a mark where an answer begins with it and closes it, and there alone.
        bare: whether it may be a word in brackets, as "[Thinking]": it begins a thought where an
            answer begins with it, and there alone.
    """

    kind: tuple[str, ...]
    closes: bool
    named: bool
    bare: bool


@lru_cache(maxsize=256)
def _form(mark: str) -> _Form | None:
    """What the form of a mark, in small letters, says; None for one that is of no thought."""
    words = _WORD.findall(mark)
    name = [word for word in words if word not in {*_BEGINS, *_ENDS, "of"}]
    named = not _THINKS.isdisjoint(name)
    if "no" in name or not (named or _MAY_THINK.intersection(name)):
        return None
    closes = "/" in mark or not _ENDS.isdisjoint(words)
    bracket = mark[: 1 + mark.startswith("<|")]
    bare = not closes and bracket == "[" and name == words
    return _Form((bracket, *name), closes, named, bare)


def _counterpart(mark: str) -> str:
    """What closes a thought that a mark opened by its form."""
    ended = _WORD.sub(lambda word: _BEGINS.get(word[0].lower(), word[0]), mark)
    if ended == mark:
        return re.sub(r"^\W+", r"\g<0>/", mark)
    return f"[{ended[2:-1]}:]" if ended.startswith("[:") else ended


def behind_thoughts(text: str) -> str | None:
    """What an answer says behind its thoughts; None where it ends inside one.

    A thought ends with the first mark that closes one of its kind, whatever else is opened in it.
    A mark that ends a thought counts without one that begins it, which may have stood in the
    prompt; a heading does not, which may be one of the answer.
    """
    start, end = _read(text)
    return text[start:] if end is None else None


def shown(text: str = "text") -> pl.Expr:
    """What somebody who is asked about answers sees of them: what stands behind the thoughts.

    Null where an answer ends inside a thought, which is no answer.

    Args:
        text: column of the answers.
    """
    return pl.col(text).map_elements(_shown, return_dtype=pl.String)


def _shown(text: str) -> str | None:
    said = behind_thoughts(text)
    # The blank lines behind a thought are its own.
    return said if said in (None, text) else said.lstrip("\r\n")


def with_thought_closed(text: str, behind: str) -> str:
    """A text and what is put behind it, and between them what closes the thought it ends inside.

    There is nothing between them where what is put behind it closes the thought, too.
    """
    _, end = _read(text + behind)
    return text + (end or "").rstrip() + behind


@dataclass(frozen=True)
class _Opened:
    """A thought that a mark opened: what closes it, and as which mark that is written."""

    ends: frozenset[str]
    kind: tuple[str, ...] | None
    close: str
    only_closed: bool = False

    def closed_by(self, mark: str, form: _Form | None) -> bool:
        return mark in self.ends or (form is not None and form.closes and form.kind == self.kind)


def _read(text: str, skip: int = 0) -> tuple[int, str | None]:
    """Where the answer begins, and what would close the thought that the text ends inside, if any.

    The latter is empty where nothing is known to. Marks in front of `skip` are passed over.
    """
    marks, pattern = _known()
    start = 0
    if left := _LEFT_OVER.match(text):
        before, found, _ = text.partition(_LEFT_OVER_END)
        if not found or not left[1]:
            return 0, _LEFT_OVER_END if left[1] else ""
        start = len(before) + len(found)
    beginning = len(text) - len(text.lstrip())
    opened: _Opened | None = None
    for match in pattern.finditer(text, max(start, skip)):
        mark = _spelled(match)
        form = _form(mark) if match["form"] or mark in marks else None
        if opened is not None:
            if opened.closed_by(mark, form):
                opened, start = None, match.end()
        elif mark in marks:
            opened = replace(marks[mark], kind=None if form is None else form.kind)
        elif form is not None and not form.closes:
            if match.start() == beginning or (form.named and not form.bare):
                close = _counterpart(match[0])
                opened = _Opened(frozenset(), form.kind, close, only_closed=not form.named)
                after = match.end()
        elif not (mark.startswith("#") or (match["form"] and not (form and form.named))):
            start = match.end()
    if opened is not None and opened.only_closed:
        return _read(text, skip=after)
    return start, None if opened is None else opened.close


def _spelled(match: re.Match[str]) -> str:
    """A mark that was found, in small letters and as it is written most often."""
    if match["channel"]:
        return f"<|channel|>{match['channel'].lower()}<|message|>"
    return "## final response" if match["heading"] else match[0].lower()


@cache
def _known() -> tuple[dict[str, _Opened], re.Pattern[str]]:
    """Marks that open a thought, with what closes it, and an expression for all of them."""
    marks: dict[str, _Opened] = {}
    ends: set[str] = set()
    for one in (*FAMILIES, *_FURTHER):
        known = marks.get(one.open.strip().lower(), _Opened(frozenset(), None, one.close))
        own = {mark.strip().lower() for mark in (one.close, one.instead) if mark}
        marks[one.open.strip().lower()] = replace(known, ends=known.ends | own)
        ends |= own
    # The longest first: one mark may be the beginning of another.
    words = sorted({*marks, *ends}, key=len)[::-1]
    every_one = "|".join([*map(re.escape, words), _CHANNEL, _HEADING, _FORM])
    return marks, re.compile(every_one, re.IGNORECASE)
