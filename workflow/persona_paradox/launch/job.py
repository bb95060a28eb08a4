"""Run a script of the workflow: `python job.py SCRIPT ARGUMENT...`, from a server if there is one.

Its output, its exit status and the signal that ended it are those of `python SCRIPT ARGUMENT...`.
Whoever ends this process ends the script as well.
"""

import contextlib
import json
import os
import signal
import socket
import sys

from names import ADDRESS

# Where a server says nothing for so long, the script starts without it.
PATIENCE_S = 60


def ask(address: str, script: str, arguments: list[str]) -> int | None:
    """What a script ends with that the server runs, below 0 for a signal; None if it does not."""
    asked = {
        "prefix": sys.prefix,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "script": script,
        "arguments": arguments,
    }
    message = json.dumps(asked).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as server, server.makefile("rb") as said:
        try:
            server.settimeout(PATIENCE_S)
            server.connect(address)
            sent = socket.send_fds(server, [message], [0, 1, 2])
            server.sendall(message[sent:])
            pid = int(said.readline())
        except (OSError, ValueError):
            return None
        # A terminal tells the script, too.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: _stop(pid))
        server.settimeout(None)
        status = said.readline()
        # Until both processes have let go of it: nothing of the script runs any more.
        said.read()
    if not status:
        sys.exit(f"error: {script} was ended together with what had started it; run this again")
    return int(status)


def _stop(pid: int) -> None:
    # It may have ended just now.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    script, *arguments = sys.argv[1:]
    address = os.environ.get(ADDRESS)
    status = ask(address, script, arguments) if address else None
    if status is None:
        # This process becomes what a rule would start without a server; no shell is wanted.
        os.execv(sys.executable, [sys.executable, script, *arguments])  # noqa: S606
    if status < 0:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
