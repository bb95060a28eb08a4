"""Say what differs between two finished studies: configuration, answers, conclusions.

    python workflow/scripts/what_changed.py BEFORE AFTER

Each is the folder of a study, which has results/, or an archive of one.
"""

import sys
import tempfile
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli
from persona_paradox.archive import crate
from persona_paradox.archive.comparison import Finished, compared
from persona_paradox.archive.options import add_limit, count
from persona_paradox.errors import printable


def main(arguments: Namespace) -> None:
    """Compare, and say what differs."""
    with ExitStack() as stack:
        studies = []
        for path in (arguments.before, arguments.after):
            folder = path
            if not path.is_dir():
                kept = stack.enter_context(tempfile.TemporaryDirectory(prefix="changed-"))
                folder = Path(kept) / "archive"
                crate.unpack(path, folder, arguments.most_bytes)
            studies.append(Finished.of(str(path), folder))
        for line in compared(*studies, most=arguments.most):
            print(printable(line))


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("before", type=Path, help="folder of a study, or an archive")
    options.add_argument("after", type=Path, help="the same of the other study")
    options.add_argument("--most", type=count, default=40, help="lines of a list at most (40)")
    add_limit(options)
    cli.run(main, options)
