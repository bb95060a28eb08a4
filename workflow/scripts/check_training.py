"""See that the libraries are there that train an adapter, before long work."""

import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.errors import InputError

LIBRARIES = ("torch", "transformers", "peft", "trl")


def main(arguments: Namespace) -> None:
    """Write a file that says so."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{arguments.config_file}: the adapter is not trained yet, or what it is trained on "
            f"has changed, and {' and '.join(missing)} to train it are not in this environment; "
            f"run `make train ADAPTER={Path(arguments.config_file).stem}` first"
        )
    files.write_text(arguments.ready, "")


if __name__ == "__main__":
    options = cli.parser(__doc__, ready="file to write")
    options.add_argument("--config-file", required=True, help="the adapter's file in errors")
    cli.run(main, options)
