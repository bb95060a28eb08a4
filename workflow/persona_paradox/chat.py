"""Chat templates: the text a model reads, and proof that it holds our words and no others.

Rendered here, from the template inside the GGUF file, because runtimes drop a system
message silently where a template has no place for one.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any, NoReturn

import jinja2
import jinja2.sandbox

from .errors import InputError

# Templates that print today's date would change every prompt every day.
FROZEN_DATE = datetime.datetime(2025, 1, 1)

NATIVE = "native"
FOLDED = "folded"

# Unlikely in any template; used to find out what a template does with its messages.
_SYSTEM_PROBE = "\u27e6system\u27e7"
_USER_PROBE = "\u27e6user\u27e7"


@dataclass(frozen=True)
class RenderedChat:
    """A rendered chat.

    Attributes:
        parts: what the template writes first; the system text and what follows it up to the
            user's own words; these and the rest, up to where the answer begins. The first is
            equal for all chats of a model, the second for all items of a wording.
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
        self._name = name
        self._tokens = {"bos_token": bos, "eos_token": eos}
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise InputError(
                f"{name}: the chat template of the model does not parse ({error}); "
                "use another build of the model"
            ) from error
        self._takes_system = self._shows_system()
        self._around = self._split(_SYSTEM_PROBE, _USER_PROBE)
        # Gemma 3 and Mistral take a system message, but have no turn for it.
        in_one_turn = not self._around[1].strip()
        self.system_role = NATIVE if self._takes_system and not in_one_turn else FOLDED

    @property
    def prints_date(self) -> bool:
        """Whether the template prints today's date, which is frozen here."""
        messages = self._messages(_SYSTEM_PROBE, _USER_PROBE)
        later = FROZEN_DATE.replace(year=FROZEN_DATE.year + 1, month=7, day=29)
        return self._render(messages, later) != self._render(messages)

    def render(self, system: str, user: str, answer_prefix: str) -> RenderedChat:
        """Render one chat.

        An empty `system` is an explicit empty system message, so that a template cannot put
        its own default there.
        """
        text = self._render(self._messages(system, user))
        head, middle, tail = self._around
        if not self._takes_system and not system:
            middle = ""
        # Templates commonly strip the ends of a message, which may be that of both texts.
        for system_text in (system, system.strip(), system.lstrip()):
            for user_text in (user, user.strip(), user.rstrip()):
                start, rest = system_text + middle, user_text + tail
                if text == head + start + rest:
                    parts = (head, start, rest + answer_prefix)
                    return RenderedChat(parts, self.system_role, delivered=True)
        return RenderedChat((text + answer_prefix,), self.system_role, delivered=False)

    def _messages(self, system: str, user: str) -> list[dict[str, str]]:
        if self._takes_system:
            return [{"role": "system", "content": system}, {"role": "user", "content": user}]
        joined = "\n\n".join(part for part in (system, user) if part)
        return [{"role": "user", "content": joined}]

    def _shows_system(self) -> bool:
        """Whether the template shows a system message, once and ahead of the user's."""
        try:
            text = self._render(
                [
                    {"role": "system", "content": _SYSTEM_PROBE},
                    {"role": "user", "content": _USER_PROBE},
                ]
            )
        except InputError:
            return False
        found = text.count(_SYSTEM_PROBE) == 1 and text.count(_USER_PROBE) == 1
        return found and text.index(_SYSTEM_PROBE) < text.index(_USER_PROBE)

    def _render(
        self, messages: list[dict[str, str]], today: datetime.datetime = FROZEN_DATE
    ) -> str:
        try:
            return self._template.render(
                messages=messages,
                add_generation_prompt=True,
                date_string=today.strftime("%d %b %Y"),
                strftime_now=today.strftime,
                enable_thinking=False,
                **self._tokens,
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise InputError(
                f"{self._name}: the chat template of the model cannot render a system and a user "
                f"message ({error}); use another build of the model"
            ) from error

    def _split(self, system: str, user: str) -> tuple[str, str, str]:
        text = self._render(self._messages(system, user))
        if text.count(system) != 1 or text.count(user) != 1:
            raise InputError(
                f"{self._name}: the chat template of the model does not show the user's message "
                "exactly once; use another build of the model"
            )
        head, rest = text.split(system)
        middle, tail = rest.split(user)
        return head, middle, tail


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
