"""Run Python with its temporary files in memory: `python tests/in_memory.py -m pytest …`.

The tests write many small files, which take an eighth of their time on a disk. Where memory has no
room for them, or no program may be run from there, they are written as ever. They go with the
command, unless it fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile

MEMORY, NEEDED = "/dev/shm", 8 * 10**9  # noqa: S108 - a folder of its own is made in it


def folder_in_memory() -> str | None:
    """A new folder; none where somebody named another place, or there is no room."""
    try:
        there = os.statvfs(MEMORY)
        roomy = there.f_bavail * there.f_frsize >= NEEDED
        if "TMPDIR" in os.environ or not roomy or there.f_flag & os.ST_NOEXEC:
            return None
        return tempfile.mkdtemp(prefix="persona-paradox-", dir=MEMORY)
    except OSError:
        return None


def main() -> int:
    """The exit status of the command, as a shell has it."""
    folder = folder_in_memory()
    named = {} if folder is None else {"TMPDIR": folder}
    # A terminal sends Ctrl-C to the command as well; a signal to end comes here alone. Both are
    # met before the command begins, which takes over nothing of a handler.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    running = subprocess.Popen([sys.executable, *sys.argv[1:]], env=os.environ | named)
    status = running.wait()
    if folder is not None and status == 0:
        shutil.rmtree(folder)
    elif folder is not None:
        print(f"Files of tests that failed are in {folder}, in memory: remove them when seen.")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
