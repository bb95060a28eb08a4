"""Run a script of the workflow from a server, if there is one: `python -S job.py SCRIPT ARGUMENT…`.

Its output, its exit status and the signal that ended it are those of `python SCRIPT ARGUMENT...`.
Whoever ends this process ends the script as well. Every job begins with it, so that it loads
little: what socket, signal and json put around these modules takes longer than all the rest.
"""

import _signal as signal
import _socket as socket
import os
import sys

from names import ADDRESS, LENGTH

# Where a server says nothing for so long, the script starts without it.
PATIENCE_S = 60


def ask(address: str, arguments: list[str]) -> int | None:
    """What a script ends with that the server runs, below 0 for a signal; None if it does not."""
    environment = (b"%b=%b" % one for one in os.environb.items())
    words = [os.path.dirname(sys.executable), os.getcwd(), str(len(arguments)), *arguments]
    asked = b"\0".join([*map(os.fsencode, words), *environment])
    message = b"%0*d%b" % (LENGTH, len(asked), asked)
    files = b"".join(one.to_bytes(4, sys.byteorder) for one in range(3))
    server = socket.socket(socket.AF_UNIX)
    try:
        server.settimeout(PATIENCE_S)
        server.connect(address)
        sent = server.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        server.sendall(message[sent:])
        pid = int(_line(server))
    except (OSError, ValueError):
        server.close()
        return None
    # A terminal tells the script, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _stop(pid))
    server.settimeout(None)
    status = _line(server)
    # Until both processes have let go of it: nothing of the script runs any more.
    while server.recv(64):
        pass
    if not status:
        script = arguments[0]
        sys.exit(f"error: {script} was ended together with what had started it; run this again")
    return int(status)


def _line(server: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (one := server.recv(1)):
        line += one
    return line


def _stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # it ended just now


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    address = os.environ.get(ADDRESS)
    status = ask(address, sys.argv[1:]) if address else None
    if status is None:
        # This process becomes what a rule would start without a server; no shell is wanted.
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606
    if status < 0:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
