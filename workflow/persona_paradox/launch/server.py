"""Start scripts as copies of this process: `python server.py FD`, a socket that listens.

It imports at first what every script needs. What one job of a script has imported besides is
imported when the next one asks: of two plots the second has matplotlib. It imports nothing of the
project, and it computes nothing: threads do not live on in a copy. It ends with its stdin, and the
folder of its socket with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, NoReturn

from ending import ended
from names import LENGTH, read_early

FIRST = ("polars", "numpy", "yaml", "argparse", "logging")
# What may be loaded before a job is there: it starts no thread, and reads no file of a user.
_DRAWING = {"PIL", "fontTools", "matplotlib", "mpl_toolkits", "pyparsing"}
_TEXTS = {"jinja2", "jsonschema", "referencing", "yaml"}
_FITTING = {"joblib", "pandas", "patsy", "scipy", "sklearn", "statsmodels", "threadpoolctl"}
LIBRARIES = _DRAWING | _TEXTS | _FITTING | {"altair", "narwhals", "numpy", "polars"}
LARGEST = 1 << 17
PATIENCE_S = 10


class Asked(NamedTuple):
    """What a job is to run, where, and with what environment."""

    folder: str
    environment: dict[str, str]
    arguments: list[str]


class Server:
    """What waits for jobs and for their ends."""

    def __init__(self, listener: socket.socket) -> None:
        """Serve those who connect to a socket."""
        self.listener = listener
        self.environment = read_early(dict(os.environ))
        # Those who asked for the jobs that run, by process.
        self.askers: dict[int, socket.socket] = {}
        # What a job of a script has imported, of which the server has nothing yet.
        self.imported: dict[str, list[str]] = {}
        self.reports, self.reporting = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ended, self.ends = socket.socketpair()
        for one in (self.ended, self.ends, self.reporting):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.ends.fileno(), warn_on_full_buffer=False)

    def serve(self) -> Asked | None:
        """None at the end; in the copy that is to run a job, what was asked."""
        waiting = selectors.DefaultSelector()
        for one in (self.listener, self.reports, self.ended, sys.stdin):
            waiting.register(one, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in waiting.select()]
            if sys.stdin in ready:
                return None
            if self.ended in ready:
                self.ended.recv(4096)
                self.reap()
            if self.reports in ready:
                script, names = json.loads(self.reports.recv(LARGEST))
                self.imported[script] = names
            if self.listener in ready:
                asker, _ = self.listener.accept()
                asked, files = self.read(asker)
                if asked is None:
                    asker.close()
                elif not self.fork(asker, asked.arguments[0]):
                    waiting.close()
                    self.become(asker, files)
                    return asked
                for file in files:
                    os.close(file)

    def reap(self) -> None:
        """Tell those who asked for jobs that have ended."""
        while self.askers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            with self.askers.pop(pid) as asker, contextlib.suppress(OSError):
                asker.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))

    def read(self, asker: socket.socket) -> tuple[Asked | None, list[int]]:
        """What is asked, None where it is not what this process can do; and the job's files."""
        asker.settimeout(PATIENCE_S)
        files: list[int] = []
        try:
            message, files, _, _ = socket.recv_fds(asker, LARGEST, 3)
            length, message = int(message[:LENGTH]), message[LENGTH:]
            while len(message) < length:
                more = asker.recv(LARGEST)
                if not more:
                    return None, files
                message += more
        except (OSError, ValueError):
            return None, files
        home, folder, n, *words = map(os.fsdecode, message.split(b"\0"))
        arguments = words[: int(n)]
        environment = dict(one.split("=", 1) for one in words[int(n) :])
        same = read_early(environment) == self.environment
        if not same or home != os.path.dirname(sys.executable) or len(files) != 3:
            return None, files
        return Asked(folder, environment, arguments), files

    def fork(self, asker: socket.socket, script: str) -> int:
        """The process of a job; 0 in that process itself."""
        for name in self.imported.pop(script, ()):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        # What is frozen is not looked at in the copy, and so stays shared.
        gc.freeze()
        pid = os.fork()
        if pid:
            self.askers[pid] = asker
        return pid

    def become(self, asker: socket.socket, files: list[int]) -> None:
        """In the copy: have the files of a job, and end when the one who asked for it ends."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for one in (self.listener, self.reports, self.ended, self.ends, *self.askers.values()):
            one.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        # The end of the other side is a signal, SIGIO, and that ends this process.
        fcntl.fcntl(asker, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(asker, fcntl.F_SETFL, fcntl.fcntl(asker, fcntl.F_GETFL) | os.O_ASYNC)
        try:
            # From now on the job is this process; until here the other side would start another.
            asker.sendall(b"%d\n" % os.getpid())
        except OSError:
            os._exit(1)
        self.askers = {0: asker}

    def report(self, script: str, known: set[str], status: int) -> None:
        """Tell its status, and what the next job of its script could find imported."""
        with contextlib.suppress(OSError):
            # The server may be no more.
            self.askers[0].sendall(b"%d\n" % status)
        names = [name for name in sys.modules if name.split(".")[0] in LIBRARIES]
        said = json.dumps([script, [name for name in names if name not in known]]).encode()
        with contextlib.suppress(OSError):
            self.reporting.send(said)


def run(server: Server, asked: Asked) -> NoReturn:
    """What `python SCRIPT ARGUMENT...` does."""
    os.chdir(asked.folder)
    os.environ.clear()
    os.environ.update(asked.environment)
    tempfile.tempdir = None
    script = asked.arguments[0]
    sys.argv = asked.arguments
    sys.path[0] = str(Path(script).resolve().parent)
    with contextlib.suppress(OSError):
        # As `ps` and `top` name the job.
        Path("/proc/self/comm").write_text(Path(script).name[:15], encoding="utf-8")
    known = set(sys.modules)
    status = ended(lambda: runpy.run_path(script, run_name="__main__"))
    server.report(script, known, status)
    os._exit(status)


def main() -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    folder = Path(server.listener.getsockname()).parent
    for name in FIRST:
        importlib.import_module(name)
    asked = server.serve()
    if asked is not None:
        run(server, asked)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
