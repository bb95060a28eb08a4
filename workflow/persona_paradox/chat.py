"""Chat templates: the text a model reads, and proof that it holds our words and no others.

Rendered here, from the template inside the GGUF file, because runtimes drop a system
message silently where a template has no place for one.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import functools
import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from . import template_worker
from .errors import InputError

# Templates that print today's date would change every prompt every day.
FROZEN_DATE = datetime.datetime(2025, 1, 1)

NATIVE = "native"
FOLDED = "folded"

# Unlikely in any template; used to find out what a template does with its messages.
_PROBES = tuple(f"\u27e6{name}\u27e7" for name in ("system", "user", "answer", "question"))
_LONGEST_REASON = 300  # characters; a template chooses its own words
# System text and user's message: the texts of a chat before the model's first answer.
_FIRST_TURN = 2


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
    """

    parts: tuple[str, ...]
    system_role: str
    delivered: bool

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "".join(self.parts)


@dataclass(frozen=True)
class _Frame:
    """How a template renders chats of a number of texts.

    Attributes:
        takes_system: whether it takes a system message; else the text leads the user's.
        around: what it writes before, between and behind the texts, one part more than texts.
    """

    takes_system: bool
    around: tuple[str, ...]


class _CannotRender(InputError):
    """A template that refuses a chat."""


class ChatTemplate:
    """A model's own chat template.

    Args:
        source: Jinja text from the GGUF metadata.
        bos: text of the beginning-of-sequence token, empty for none.
        eos: text of the end-of-sequence token.
        name: the model's file in errors.

    Raises:
        InputError: the template does not render a plain system and user message.
    """

    def __init__(self, source: str, bos: str, eos: str, name: str) -> None:
        self._name, self._source = name, source
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._ask({"source": source})
        self._frames: dict[int, _Frame] = {}
        first = self._frame(_FIRST_TURN)
        # Gemma 3 and Mistral take a system message, but have no turn for it.
        in_one_turn = not first.around[1].strip()
        self.system_role = NATIVE if first.takes_system and not in_one_turn else FOLDED

    @property
    def prints_date(self) -> bool:
        """Whether the template prints today's date, which is frozen here."""
        messages = _messages(_PROBES[:_FIRST_TURN], self._frame(_FIRST_TURN).takes_system)
        later = FROZEN_DATE.replace(year=FROZEN_DATE.year + 1, month=7, day=29)
        return self._render(messages, later) != self._render(messages)

    def render(
        self,
        system: str,
        user: str,
        answer_prefix: str,
        later: Sequence[str] = (),
        shared: str = "",
    ) -> RenderedChat:
        """Render one chat.

        Args:
            system: an empty one is an explicit empty system message, so that a template cannot
                put its own default there.
            user: the user's message.
            answer_prefix: text that the answer is forced to begin with.
            later: nothing; or the model's answer and the user's second message.
            shared: beginning of the user's message that other chats have in common.

        Raises:
            InputError: the template cannot render such a chat.
        """
        texts = (system, user, *later)
        frame = self._frame(len(texts))
        text = self._render(_messages(texts, frame.takes_system))
        head, middle, *between = frame.around
        if not frame.takes_system and not (system and user):
            middle = ""
        # Templates commonly strip the ends of a message, which may be that of both texts.
        stripped = [(system, system.strip(), system.lstrip())]
        stripped += [(one, one.strip(), one.rstrip()) for one in (user, *later)]
        for system_text, *rest in itertools.product(*stripped):
            start = system_text + middle
            end = "".join(part for pair in zip(rest, between, strict=True) for part in pair)
            if text == head + start + end:
                cut = len(shared) if shared and end.startswith(shared) else 0
                rest_of_user = ((end[:cut],) if cut else ()) + (end[cut:] + answer_prefix,)
                return RenderedChat((head, start, *rest_of_user), self.system_role, delivered=True)
        return RenderedChat((text + answer_prefix,), self.system_role, delivered=False)

    def _frame(self, n: int) -> _Frame:
        """What the template writes around the `n` texts of a chat, found by probes.

        A template that does not show all of them, once and in their order, does not take a
        system message: the system text then leads the user's.
        """
        if n not in self._frames:
            self._frames[n] = self._probe(n)
        return self._frames[n]

    def _probe(self, n: int) -> _Frame:
        probes = _PROBES[:n]
        for takes_system in (True, False):
            messages = _messages(probes, takes_system)
            try:
                text = self._render(messages)
            except _CannotRender:
                if not takes_system:
                    raise
                continue
            if re.findall("|".join(probes), text) == list(probes):
                return _Frame(takes_system, tuple(re.split("|".join(probes), text)))
        raise self._error(messages, "does not show each message of", "exactly once")

    def _render(
        self, messages: list[dict[str, str]], today: datetime.datetime = FROZEN_DATE
    ) -> str:
        variables = {
            "messages": messages,
            "add_generation_prompt": True,
            "today": today.isoformat(),
            "enable_thinking": False,
            **self._tokens,
        }
        return self._ask({"source": self._source, "variables": variables})

    def _ask(self, request: Mapping[str, Any]) -> str:
        """The worker's answer to a request: a text, or an error in a sentence."""
        found = _worker().ask(request)
        if "text" in found:
            return found["text"]
        reason = " ".join(found["reason"].split())[:_LONGEST_REASON]
        if found["error"] == template_worker.NO_CHAT:
            raise self._error(request["variables"]["messages"], "cannot render", f"({reason})")
        what = {
            template_worker.NO_TEMPLATE: f"does not parse ({reason})",
            template_worker.TOO_MUCH: f"asks for more than a template may: {reason}",
        }[found["error"]]
        raise InputError(
            f"{self._name}: the chat template of the model {what}; use another build of the model"
        )

    def _error(
        self, messages: Sequence[Mapping[str, str]], verb: str, reason: str
    ) -> _CannotRender:
        if any(message["role"] == "assistant" for message in messages):
            what, remedy = "a second turn", "leave key `verbalized` of the task out, or "
        else:
            what, remedy = "a system and a user message", ""
        return _CannotRender(
            f"{self._name}: the chat template of the model {verb} {what} {reason}; "
            f"{remedy}use another build of the model"
        )


def _messages(texts: Sequence[str], takes_system: bool) -> list[dict[str, str]]:
    """The messages of a chat: system text, user, and perhaps answer and question."""
    system, user, *later = texts
    if takes_system:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    else:
        joined = "\n\n".join(part for part in (system, user) if part)
        messages = [{"role": "user", "content": joined}]
    for role, one in zip(("assistant", "user"), later, strict=False):
        messages.append({"role": role, "content": one})
    return messages


class _Worker:
    """A process that renders templates, and is ended by the system where one takes too long."""

    def __init__(self) -> None:
        # -I: neither the environment nor the folder of the call has a say in what it imports.
        self._process = subprocess.Popen(
            [sys.executable, "-I", template_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
        )
        self._to: IO[str] = cast(IO[str], self._process.stdin)
        self._from: IO[str] = cast(IO[str], self._process.stdout)
        atexit.register(self.close)

    def ask(self, request: Mapping[str, Any]) -> dict[str, str]:
        """What `template_worker.answer` says, or why it says nothing."""
        try:
            print(json.dumps(request), file=self._to, flush=True)
            line = self._from.readline()
        except BrokenPipeError:
            line = ""
        # A part of a line is of a worker that was ended while it wrote.
        if line.endswith("\n"):
            found: dict[str, str] = json.loads(line)
            return found
        self.close()
        _worker.cache_clear()
        late = self._process.returncode == -signal.SIGXCPU
        reason = f"more than {template_worker.SECONDS} s of computing" if late else "it breaks down"
        return {"error": template_worker.TOO_MUCH, "reason": reason}

    def close(self) -> None:
        """End the process."""
        atexit.unregister(self.close)
        for pipe in (self._to, self._from):
            # What was left to write has no reader any more.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()


@functools.cache
def _worker() -> _Worker:
    """The worker of this process."""
    return _Worker()
