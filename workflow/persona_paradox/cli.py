"""What every script of the workflow shares: options, log, one-sentence errors."""

from __future__ import annotations

import argparse
import errno
import faulthandler
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .errors import InputError

log = logging.getLogger("persona_paradox")

_SPACE = "free some space and run snakemake again"
_RIGHTS = "allow this user to read and write it, or name another folder, and run snakemake again"
_MEMORY = (
    "give the job more memory, or lower key `engine.context` or `engine.width` of the model, and "
    "run snakemake again"
)
REMEDIES = {
    errno.ENOMEM: _MEMORY,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOTDIR: _RIGHTS,
    errno.EISDIR: "name a file",
    errno.ENAMETOOLONG: "shorten the name, and run snakemake again",
}


def parser(description: str | None, **paths: str) -> argparse.ArgumentParser:
    """An argument parser with one required path option per keyword (name → help)."""
    result = argparse.ArgumentParser(description=(description or "").strip().split("\n")[0])
    for name, text in paths.items():
        result.add_argument("--" + name.replace("_", "-"), type=Path, required=True, help=text)
    result.add_argument("--log", type=Path, help="file that keeps what the terminal shows")
    return result


def sentence(error: OSError) -> str | None:
    """What to say of a disk that cannot be used, and None of any other error."""
    if error.errno not in REMEDIES:
        return None
    return f"{error.filename or 'the disk'}: {error.strerror}; {REMEDIES[error.errno]}"


def _stop(number: int, _: FrameType | None) -> None:
    # An exception, so that what is open is closed and no part of a file stays.
    log.error(
        "error: stopped by %s, as by a scheduler at the end of a job's time; whatever was answered "
        "is stored; run snakemake again to go on",
        signal.Signals(number).name,
    )
    sys.exit(128 + number)


def run(main: Callable[[argparse.Namespace], None], options: argparse.ArgumentParser) -> None:
    """Parse the command line and run a script.

    What it logs goes to the terminal and to `--log`; so does the one line that an `InputError`, a
    disk that cannot be written, a lack of memory (exit status 1) or SIGTERM (143) becomes, and the
    traceback of anything else. Where llama.cpp brings the process down, the terminal shows where.
    """
    faulthandler.enable()
    arguments = options.parse_args()
    # A log that cannot be written must not hide what the terminal shows.
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, _stop)
    try:
        if arguments.log:
            arguments.log.parent.mkdir(parents=True, exist_ok=True)
            file = logging.FileHandler(arguments.log, mode="w", encoding="utf-8")
            file.setFormatter(logging.Formatter("%(message)s"))
            logging.getLogger().addHandler(file)
        main(arguments)
    except InputError as error:
        _fail("error: %s", error)
    except MemoryError:
        _fail("error: the memory is full; %s", _MEMORY)
    except OSError as error:
        if (text := sentence(error)) is None:
            log.exception("unexpected error")
            sys.exit(1)
        _fail("error: %s", text)
    except Exception:
        log.exception("unexpected error")
        sys.exit(1)


def _fail(message: str, reason: object) -> NoReturn:
    log.error(message, reason)
    sys.exit(1)
