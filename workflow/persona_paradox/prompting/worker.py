"""The process that renders templates, which may not do anything else."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO, Any, cast

from ..errors import InputError
from . import template_worker

# What a worker's end is called.
ENDED = "ended"
LONGEST_REASON = 300  # characters; a template chooses its own words


class CannotRender(InputError):
    """A template that refuses a chat."""


class Worker:
    """A process that renders templates, and is ended by the system where one takes too long."""

    def __init__(self) -> None:
        # What Python writes there when the process breaks down is the reason why it did.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # -I: neither the environment nor the folder of the call has a say in what it imports.
        self._process = subprocess.Popen(
            [sys.executable, "-I", template_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
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
        reason = self.close()
        worker.cache_clear()
        if self._process.returncode == -signal.SIGXCPU:
            reason = f"more than {template_worker.SECONDS} s of computing"
            return {"error": template_worker.TOO_MUCH, "reason": reason}
        return {"error": ENDED, "reason": reason}

    def close(self) -> str:
        """End the process; returns what it said last, or the status that it ended with."""
        atexit.unregister(self.close)
        for pipe in (self._to, self._from):
            # What was left to write has no reader any more.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        status = self._process.wait()
        with self._errors:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(said) if line.strip()), f"status {status}")


@functools.cache
def worker() -> Worker:
    """The worker of this process."""
    return Worker()
