"""How a copy of a process ends: as the interpreter does, but for taking apart what is shared."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
from collections.abc import Callable


def ended(program: Callable[[], object]) -> int:
    """Run a program to its end; the exit status that Python would give.

    What is left is `os._exit`: to take apart what a copy shares takes longer than many a program.
    """
    status: object = None
    try:
        program()
    except SystemExit as end:
        status = end.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return (status or 0) & 0xFF
