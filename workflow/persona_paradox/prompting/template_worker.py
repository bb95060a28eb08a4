"""Renders chat templates for another process, within limits.

A chat template comes with a model, and is a program: it may loop for ever, or write more than
memory holds. So it runs in Jinja's sandbox, in this process, which has no part in anything else
and can be ended: the caller writes one JSON line to standard input for every chat and reads one
from standard output.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jinja2
import jinja2.exceptions
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox
from jinja2.ext import loopcontrols

SECONDS = 2  # of processor time, for one chat
MEMORY = 1 << 30  # bytes of address space
LENGTH = 1 << 23  # characters of a chat

# What came of a request besides a text.
NO_TEMPLATE, NO_CHAT, TOO_MUCH = "no_template", "no_chat", "too_much"


def answer(request: Mapping[str, Any]) -> dict[str, str]:
    """The rendered text, or what is wrong.

    Args:
        request: `source` of the template; and `variables`, of which `today` (ISO 8601) is the day
            for templates that print one. Without them the template is only parsed.

    Returns:
        `text`, or `error` (one of the kinds above) and `reason`.
    """
    try:
        template = _parsed(request["source"])
    except (jinja2.TemplateError, ValueError, TypeError) as error:
        return {"error": NO_TEMPLATE, "reason": str(error)}
    except (MemoryError, RecursionError) as error:
        return {"error": TOO_MUCH, "reason": _what(error)}
    if "variables" not in request:
        return {"text": ""}
    variables = dict(request["variables"])
    today = datetime.datetime.fromisoformat(variables.pop("today"))
    try:
        parts, length = [], 0
        for part in template.generate(
            **variables, date_string=today.strftime("%d %b %Y"), strftime_now=today.strftime
        ):
            parts.append(part)
            length += len(part)
            if length > LENGTH:
                raise MemoryError
        return {"text": "".join(parts)}
    except (MemoryError, RecursionError) as error:
        return {"error": TOO_MUCH, "reason": _what(error)}
    # A template is a program, and may fail in any way that a program can.
    except Exception as error:
        return {"error": NO_CHAT, "reason": str(error)[:1000] or type(error).__name__}


def _what(error: BaseException) -> str:
    return "it nests too deeply" if isinstance(error, RecursionError) else "it writes too much"


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which would show nothing in the place of what it refuses."""

    def unsafe_undefined(self, obj: Any, attribute: str) -> NoReturn:
        """Refuse an attribute."""
        raise jinja2.exceptions.SecurityError(
            f"attribute {attribute!r} of {type(obj).__name__!r} is none for templates"
        )


class _Generation(jinja2.ext.Extension):
    """The tag `generation`, which marks what an assistant says, for training.

    The reference implementation calls what stands inside as a block of its own, so that a variable
    that is set there does not reach further; so does this.
    """

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        """Read the tag and what it holds."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_shown"), [], [], body).set_lineno(line)

    def _shown(self, caller: Callable[[], str]) -> str:
        return caller()


@functools.lru_cache(maxsize=8)
def _parsed(source: str) -> jinja2.Template:
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    return environment.from_string(source)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _serve() -> None:
    """Answer requests until there are no more."""
    # Where the system knows no such limit, as macOS, or has a lower one, its own holds.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever called may ignore it, and then the time would have no limit.
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    # Only what this process was given: nothing of the environment may reach a prompt.
    os.environ.clear()
    for line in sys.stdin:
        # Processor time, not time on the clock: a busy machine changes nothing.
        until = int(time.process_time()) + 1 + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        # ASCII, so that half of a surrogate pair passes as well.
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    _serve()
