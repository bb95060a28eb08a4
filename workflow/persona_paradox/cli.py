"""What every script of the workflow shares: options, log, one-sentence errors."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from .errors import InputError

log = logging.getLogger("persona_paradox")

_SPACE = "free some space and run snakemake again"
_RIGHTS = "allow this user to read and write it, or name another folder, and run snakemake again"
REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOTDIR: _RIGHTS,
}


def parser(description: str | None, **paths: str) -> argparse.ArgumentParser:
    """An argument parser with one required path option per keyword (name → help)."""
    result = argparse.ArgumentParser(description=(description or "").strip().split("\n")[0])
    for name, text in paths.items():
        result.add_argument("--" + name.replace("_", "-"), type=Path, required=True, help=text)
    result.add_argument("--log", type=Path, help="file that keeps what the terminal shows")
    return result


def run(main: Callable[[argparse.Namespace], None], options: argparse.ArgumentParser) -> None:
    """Parse the command line and run a script.

    What it logs goes to the terminal and to `--log`; so does the one line that an `InputError`
    or a disk that cannot be written becomes (exit status 1), and the traceback of anything else.
    """
    arguments = options.parse_args()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if arguments.log:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(arguments.log, mode="w", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=handlers)
    try:
        main(arguments)
    except InputError as error:
        log.error("error: %s", error)
        sys.exit(1)
    except OSError as error:
        if error.errno not in REMEDIES:
            log.exception("unexpected error")
            sys.exit(1)
        where = error.filename or "the disk"
        log.error("error: %s: %s; %s", where, error.strerror, REMEDIES[error.errno])
        sys.exit(1)
    except Exception:
        log.exception("unexpected error")
        sys.exit(1)
