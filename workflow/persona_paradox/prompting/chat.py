"""Chat templates: the text a model reads, and proof that it holds our words and no others.

Rendered here, from the template inside the GGUF file, because runtimes drop a system
message silently where a template has no place for one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle, islice, product
from typing import Any, cast

from ..errors import InputError
from . import template_worker
from .thinking import FAMILIES, Marks, Thinking, left_open, marks_in, unknown_thought, words_in
from .worker import ENDED, LONGEST_REASON, CannotRender, worker

# Templates that print today's date would change every prompt every day.
FROZEN_DATE = datetime.datetime(2025, 1, 1)

NATIVE = "native"
FOLDED = "folded"

# Unlikely in any template; used to find out what a template does with its messages.
_PROBES = tuple(f"\u27e6{name}\u27e7" for name in ("system", "user", "answer", "question"))
_LATER_PROBE = "\u27e6later {}\u27e7"
# What templates call the switch of thoughts, the most common first: the next is tried where a
# template refuses one (Qwen3.8 Max), or opens a thought though it is off, or none though it is on.
_OFF: tuple[Mapping[str, Any], ...] = (
    {"enable_thinking": False},
    {"thinking": False},  # DeepSeek V3.1, Kimi K2.6
    {},
    {"thinking_mode": "chat"},  # DeepSeek V4
    {"skip_reasoning": True},  # HyperCLOVA X SEED
)
_ON: tuple[Mapping[str, Any], ...] = (
    {"enable_thinking": True, "thinking": True},
    {"force_reasoning": True},  # HyperCLOVA X SEED
)
# JSON and templates can spell it, and no text can hold it.
_SURROGATE = re.compile("[\ud800-\udfff]")
# Characters that a template may add to a chat: publishers' longest add some thousands.
_MOST_ADDED = 1 << 16
# The end of a turn, and nothing behind it; and a turn of somebody else.
_TURN_ENDS = re.compile(
    r"(?i)(?:<[|\uff5c]?|\[\|)(?:im_end|end|eot|eot_id|eos|/s|end_?of_?(?:turn|text|sentence)"
    r"|end_of_turn_token|turn_end)(?:[|\uff5c]?>|\|\])\s*$"
)
_TURN_OF_OTHERS = re.compile(r"(?i)(?<!: )(?<!\w)(user|human|system)(?:[|\uff5c]?[>\]]|:)?\s*$")
_IN_MARKS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")
_ROLES = 3  # so many words may be names of roles
# System text and user's message: the texts of a chat before the model's first answer.
_FIRST_TURN = 2


NOTHING_SAID = Thinking()


@dataclass(frozen=True)
class RenderedChat:
    """A rendered chat.

    Attributes:
        parts: what the template writes first; the system text and what follows it up to the
            user's own words; these and the rest, up to where the answer begins. The first is
            equal for all chats of a model, the second for all items of a wording. The user's
            words are in two parts where several chats share their beginning.
        system_role: `native`, or `folded` where the system text leads the user's message
            because the template has no system role, or puts a system message there itself.
        delivered: the system text and the user's stand in the prompt word for word, and what the
            template adds is the same as for any other messages.
        lead: the end of the prompt, which the template has no part in: marks of a thought, the
            thought, and the text that the answer is forced to begin with.
    """

    parts: tuple[str, ...]
    system_role: str
    delivered: bool
    lead: str

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "".join(self.parts)


@dataclass(frozen=True)
class _Frame:
    """How a template renders chats of a number of texts.

    Attributes:
        takes_system: whether it takes a system message; else the text leads the user's.
        typed: whether it takes a message as a list of contents, of which ours is a text.
        around: what it writes before, between and behind the texts, one part more than texts.
        turn: the end of this that opens the model's turn, as it is written on request alone; all
            of the last part where the template writes the same in either case.
    """

    takes_system: bool
    typed: bool
    around: tuple[str, ...]
    turn: str = ""

    def messages(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The messages of a chat: system text, user, and perhaps answers and questions by turns."""
        system, user, *later = texts
        if not self.takes_system:
            user = "\n\n".join(part for part in (system, user) if part)
        said = [("system", system)] if self.takes_system else []
        said += [("user", user), *zip(cycle(("assistant", "user")), later, strict=False)]
        return [{"role": role, "content": self._content(text)} for role, text in said]

    def _content(self, text: str) -> str | list[dict[str, str]]:
        return [{"type": "text", "text": text}] if self.typed else text


class ChatTemplate:
    """A model's own chat template.

    Args:
        source: Jinja text from the GGUF metadata.
        bos: text of the beginning-of-sequence token, empty for none.
        eos: text of the end-of-sequence token.
        name: the model's file in errors.
        thinking: what the model's file says of its thoughts. A model that is not to think reads
            one without a word where the template opens one, or where the file names its marks.

    Attributes:
        name: the model's file in errors.
        system_role: as in `RenderedChat`.
        marks: of the model's thoughts: those of its file, else those that the template writes;
            None for none.
        thinks: whether the model is to think.

    Raises:
        InputError: the template does not render a plain system and user message, or the model
            cannot be made to think, or be kept from it.
    """

    def __init__(
        self, source: str, bos: str, eos: str, name: str, thinking: Thinking = NOTHING_SAID
    ) -> None:
        self.name, self._source = name, source
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self.named = thinking.marks is not None
        self.thinks = thinking.think
        self.marks = thinking.marks or marks_in(source)
        self._families = (*([self.marks] if self.marks else []), *FAMILIES)
        self._ask({"source": source})
        self._switches: Mapping[str, Any] = {}
        self._frames: dict[tuple[int, bool], _Frame | None] = {}
        self._choose_switches()
        first = self._frame(_FIRST_TURN)
        # Gemma 3 and Mistral take a system message, but have no turn for it.
        in_one_turn = not first.around[1].strip()
        self.system_role = NATIVE if first.takes_system and not in_one_turn else FOLDED
        self._marks_behind(first)
        # Our words as a thought of the model's, or behind one that it has begun.
        own = (self.marks,) if self.marks else ()
        for before in first.around[:-1]:
            begun = left_open(before, own)
            if begun is not None and len(_IN_MARKS.sub(" ", begun[1]).split()) <= _ROLES:
                raise InputError(
                    f"{self.name}: the chat template of the model puts our words inside a thought, "
                    f"behind {begun[0].open.strip()!r}; use another build of the model"
                )
        if (of := _TURN_OF_OTHERS.search(first.around[-1])) is not None:
            raise InputError(
                f"{self.name}: the chat template of the model opens a turn of another, "
                f"{of[1]!r}, where the answer is to stand; use another build of the model"
            )

    def _choose_switches(self) -> None:
        """Find what the template is to be told, so that the model thinks or does not."""
        best: tuple[Mapping[str, Any], _Frame] | None = None
        failure: CannotRender | None = None
        for switches in _ON if self.thinks else _OFF:
            self._switches = switches
            self._frames.clear()
            try:
                frame = self._frame(_FIRST_TURN)
            except CannotRender as error:
                failure = failure or error
                continue
            best = best or (switches, frame)
            if (left_open(frame.turn, self._families) is not None) == self.thinks:
                best = (switches, frame)
                break
        if best is None:
            raise cast(CannotRender, failure)
        self._switches = best[0]
        self._frames = {(_FIRST_TURN, True): best[1]}

    @property
    def prints_date(self) -> bool:
        """Whether the template prints today's date, which is frozen here."""
        messages = self._frame(_FIRST_TURN).messages(_PROBES[:_FIRST_TURN])
        later = FROZEN_DATE.replace(year=FROZEN_DATE.year + 1, month=7, day=29)
        return self._render(messages, later) != self._render(messages)

    @property
    def written(self) -> tuple[str, ...]:
        """What the template writes before, between and behind a system text and a question."""
        return self._frame(_FIRST_TURN).around

    @property
    def opens_turn(self) -> bool:
        """False where the end of a turn is the last that stands in front of the answer."""
        tail = self.written[-1]
        # Orion ends what it opens.
        return "assistant" in tail.lower() or _TURN_ENDS.search(tail) is None

    @property
    def thought_words(self) -> str:
        """Words that the template puts into a thought."""
        return words_in(self._frame(_FIRST_TURN).turn, self._families)

    @property
    def thought(self) -> str:
        """What the first prompt has of a thought: one of the words below.

        `none`: no mark of one. `empty`: one without a word, which the template writes. `closed`:
        one that is closed here, or put here without a word. `open`: the model's own follows.
        """
        frame = self._frame(_FIRST_TURN)
        if self.thinks:
            return "open"
        if self._marks_behind(frame):
            return "closed"
        closes = any(marks.end in frame.turn for marks in self._families)
        return "empty" if closes else "none"

    def render(
        self,
        system: str,
        user: str,
        answer_prefix: str,
        later: Sequence[str] = (),
        *,
        shared: str = "",
        thought: str | None = None,
    ) -> RenderedChat:
        """Render one chat.

        Args:
            system: an empty one is an explicit empty system message, so that a template cannot
                put its own default there.
            user: the user's message.
            answer_prefix: text that the answer is forced to begin with. A model that is to think
                reads it behind its thought alone.
            later: nothing; or by turns what the model answered and the user's next message.
            shared: beginning of the user's message that other chats have in common.
            thought: what a model that is to think has thought; None where it is about to, and the
                prompt ends inside the open thought.

        Raises:
            InputError: the template cannot render such a chat.
        """
        texts = (system, user, *later)
        frame = self._frame(len(texts))
        text = self._render(frame.messages(texts))
        lead = self._marks_behind(frame)
        if not self.thinks:
            lead += answer_prefix
        elif thought is not None:
            lead += (self.marks.closed(thought) if self.marks else thought) + answer_prefix
        for head, start, end in self._word_for_word(texts, frame):
            if text == head + start + end:
                cut = len(shared) if shared and end.startswith(shared) else 0
                rest_of_user = ((end[:cut],) if cut else ()) + (end[cut:] + lead,)
                parts = (head, start, *rest_of_user)
                return RenderedChat(parts, self.system_role, delivered=True, lead=lead)
        return RenderedChat((text + lead,), self.system_role, delivered=False, lead=lead)

    def _word_for_word(self, texts: Sequence[str], frame: _Frame) -> Iterator[tuple[str, str, str]]:
        """The chats that would hold the texts word for word, each in three parts."""
        system, user, *later = texts
        head, middle, *between = frame.around
        if not frame.takes_system and not (system and user):
            middle = ""
        # Templates commonly strip the ends of a message, which may be that of both texts.
        stripped = [dict.fromkeys((one, one.strip(), one.rstrip())) for one in (user, *later)]
        for system_text in (system, system.strip(), system.lstrip()):
            for rest in product(*stripped):
                yield head, system_text + middle, _joined(rest, between)
        # Phi-3.5, SOLAR: a template that has no turn for a system message without a word.
        without = None if system else self._frame_without_system(len(texts))
        if without is not None:
            head, *between = without.around
            for rest in product(*stripped):
                yield head, "", _joined(rest, between)

    def _marks_behind(self, frame: _Frame) -> str:
        """The marks of a thought that stand behind all that the template writes.

        Raises:
            InputError: the model cannot be made to think, or be kept from it.
        """
        tail = frame.turn
        found = left_open(tail, self._families)
        if found is None and (unknown := unknown_thought(tail)) is not None:
            raise InputError(
                f"{self.name}: the chat template of the model opens a thought in marks that are "
                f"not known, {unknown!r}; name them in keys `thinking.open` and `thinking.close`"
            )
        if self.thinks:
            return self._open_thought(tail, found)
        if found is not None:
            marks, begun = found
            empty = marks.open + marks.close
            # In the shape that publishers give a thought without a word, where it can be had.
            return (
                empty[len(begun) :]
                if empty.startswith(begun)
                else marks.closed(begun)[len(begun) :]
            )
        if self.marks is None or self.marks.end in tail:
            return ""
        # Of gpt-oss every text stands in a channel, so that none follows the role alone.
        return self.marks.empty if self.named or self.marks.instead else ""

    def _open_thought(self, tail: str, found: tuple[Marks, str] | None) -> str:
        if self.marks is None:
            raise InputError(
                f"{self.name}: key `thinking.think` is true, but the chat template of the model "
                "writes no marks of a thought that are known; name them in keys `thinking.open` "
                "and `thinking.close`, or set `thinking.think` to false"
            )
        if found is not None and found[0] != self.marks:
            raise InputError(
                f"{self.name}: the chat template of the model opens a thought with "
                f"{found[0].open.strip()!r}, but keys `thinking.open` and `thinking.close` name "
                "other marks; take the keys out"
            )
        if found is not None:
            return ""
        if self.marks.end in tail:
            raise InputError(
                f"{self.name}: key `thinking.think` is true, but the chat template of the model "
                "closes the thought in front of every answer; set `thinking.think` to false"
            )
        return self.marks.open

    def _frame(self, n: int) -> _Frame:
        """What the template writes around the `n` texts of a chat, found by probes.

        A template that does not show all of them, once and in their order, does not take a
        system message: the system text then leads the user's.
        """
        if (n, True) not in self._frames:
            self._frames[n, True] = self._probe(n)
        return cast(_Frame, self._frames[n, True])

    def _probe(self, n: int) -> _Frame:
        probes = _probes(n)
        failures: list[CannotRender] = []
        # Idefics, MiniMax: templates of models that see pictures may know lists of contents alone.
        for typed in (False, True):
            for takes_system in (True, False):
                frame = _Frame(takes_system, typed, ())
                messages = frame.messages(probes)
                try:
                    found = self._around(frame, probes, messages)
                except CannotRender as error:
                    failures.append(error)
                    continue
                if found is not None:
                    return replace(found, turn=self._turn(found, probes, messages))
                what = "does not show each message of"
                failures.append(self._error(messages, what, "exactly once"))
        # What stands against the plainest chat: texts, and no system message.
        raise failures[1]

    def _turn(self, frame: _Frame, probes: Sequence[str], messages: list[dict[str, Any]]) -> str:
        """`turn` of a frame."""
        tail = frame.around[-1]
        try:
            text = self._render(messages, add_generation_prompt=False)
        except CannotRender:
            return tail
        before = re.split("|".join(probes), text)[-1]
        return tail.removeprefix(before) or tail

    def _frame_without_system(self, n: int) -> _Frame | None:
        """The same where the system text is empty; None where the texts are not all shown."""
        if (n, False) not in self._frames:
            frame, probes = self._frame(n), _probes(n)[1:]
            self._frames[n, False] = self._around(frame, probes, frame.messages(("", *probes)))
        return self._frames[n, False]

    def _around(
        self, frame: _Frame, probes: Sequence[str], messages: list[dict[str, Any]]
    ) -> _Frame | None:
        text = self._render(messages)
        if re.findall("|".join(probes), text) != list(probes):
            return None
        return replace(frame, around=tuple(re.split("|".join(probes), text)))

    def _render(
        self,
        messages: list[dict[str, Any]],
        today: datetime.datetime = FROZEN_DATE,
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        variables = {
            "messages": messages,
            # The reference implementation passes both to every template.
            "tools": None,
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            "today": today.isoformat(),
            **self._switches,
            **self._tokens,
        }
        text = self._ask({"source": self._source, "variables": variables})
        if len(text) - sum(len(str(message["content"])) for message in messages) > _MOST_ADDED:
            raise self._error(messages, "adds to", f"more than {_MOST_ADDED} characters")
        return text

    def _ask(self, request: Mapping[str, Any]) -> str:
        """The worker's answer to a request: a text, or an error in a sentence."""
        found = worker().ask(request)
        if "text" in found:
            if _SURROGATE.search(found["text"]) is None:
                return found["text"]
            raise InputError(
                f"{self.name}: the chat template of the model writes a half of a surrogate pair, "
                "which is no character; use another build of the model"
            )
        reason = " ".join(found["reason"].split())[:LONGEST_REASON]
        if found["error"] == template_worker.NO_CHAT:
            raise self._error(request["variables"]["messages"], "cannot render", f"({reason})")
        if found["error"] == ENDED:
            raise InputError(
                f"{self.name}: the process that renders the chat template of the model ended "
                f"({reason}); if it ends with other models, too, mend the environment (README.md)"
            )
        what = {
            template_worker.NO_TEMPLATE: f"does not parse ({reason})",
            template_worker.TOO_MUCH: f"asks for more than a template may: {reason}",
        }[found["error"]]
        raise InputError(
            f"{self.name}: the chat template of the model {what}; use another build of the model"
        )

    def _error(self, messages: Sequence[Mapping[str, Any]], verb: str, reason: str) -> CannotRender:
        if any(message["role"] == "assistant" for message in messages):
            what, remedy = (
                "a second turn",
                "leave out keys `turns` and `verbalized` of the task and `identification` of the "
                "study, or ",
            )
        else:
            what, remedy = "a system and a user message", ""
        return CannotRender(
            f"{self.name}: the chat template of the model {verb} {what} {reason}; "
            f"{remedy}use another build of the model"
        )


def _probes(n: int) -> tuple[str, ...]:
    """Texts that stand for the `n` texts of a chat."""
    more = (_LATER_PROBE.format(i) for i in count())
    return (*_PROBES, *islice(more, max(0, n - len(_PROBES))))[:n]


def _joined(texts: Sequence[str], between: Sequence[str]) -> str:
    return "".join(part for pair in zip(texts, between, strict=True) for part in pair)
