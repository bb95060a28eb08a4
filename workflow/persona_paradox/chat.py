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
    """A rendered chat in two parts that the engine decodes one after the other.

    Attributes:
        prefix: everything before the user's own words; equal for all items of a wording.
        rest: the user's words and what follows, up to where the answer begins.
        system_role: `native`, or `folded` where the system text leads the user's message
            because the template has no system role.
        delivered: the system text stands in the prompt exactly once, the user's text too, and
            what the template adds is the same as for any other messages.
    """

    prefix: str
    rest: str
    system_role: str
    delivered: bool

    @property
    def text(self) -> str:
        """The whole prompt."""
        return self.prefix + self.rest


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
        environment.globals["strftime_now"] = FROZEN_DATE.strftime
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise InputError(
                f"{name}: the chat template of the model does not parse ({error}); "
                "use another build of the model"
            ) from error
        self.system_role = self._find_system_role()
        self._around = self._split(_SYSTEM_PROBE, _USER_PROBE)

    @property
    def added_text(self) -> str:
        """What the template itself writes around our messages."""
        return "…".join(self._around)

    def render(self, system: str, user: str, answer_prefix: str) -> RenderedChat:
        """Render one chat.

        An empty `system` is an explicit empty system message, so that a template cannot put
        its own default there.
        """
        text = self._render(self._messages(system, user))
        head, middle, tail = self._around
        if self.system_role == FOLDED and not system:
            middle = ""
        # Templates commonly strip the ends of a message.
        for system_text, user_text in ((system, user), (system.strip(), user.strip())):
            prefix = head + system_text + middle
            if text == prefix + user_text + tail:
                rest = user_text + tail + answer_prefix
                return RenderedChat(prefix, rest, self.system_role, delivered=True)
        return RenderedChat("", text + answer_prefix, self.system_role, delivered=False)

    def _messages(self, system: str, user: str) -> list[dict[str, str]]:
        if self.system_role == NATIVE:
            return [{"role": "system", "content": system}, {"role": "user", "content": user}]
        joined = "\n\n".join(part for part in (system, user) if part)
        return [{"role": "user", "content": joined}]

    def _find_system_role(self) -> str:
        try:
            text = self._render(
                [
                    {"role": "system", "content": _SYSTEM_PROBE},
                    {"role": "user", "content": _USER_PROBE},
                ]
            )
        except InputError:
            return FOLDED
        found = text.count(_SYSTEM_PROBE) == 1 and text.count(_USER_PROBE) == 1
        return NATIVE if found and text.index(_SYSTEM_PROBE) < text.index(_USER_PROBE) else FOLDED

    def _render(self, messages: list[dict[str, str]]) -> str:
        try:
            return self._template.render(
                messages=messages,
                add_generation_prompt=True,
                date_string=FROZEN_DATE.strftime("%d %b %Y"),
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
