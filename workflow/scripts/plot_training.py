"""Draw how the loss fell while an adapter was trained."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.figures import ink
from persona_paradox.training.curve import draw


def main(arguments: Namespace) -> None:
    """Draw the curve of one adapter."""
    figure = draw(files.read_table(arguments.losses), arguments.adapter)
    with files.atomic_path(arguments.curve) as temporary:
        ink.save(figure, temporary, "pdf")


if __name__ == "__main__":
    options = cli.parser(
        __doc__, losses="Parquet file of losses by step", curve="PDF file to write"
    )
    options.add_argument("--adapter", required=True, help="id of the adapter")
    cli.run(main, options)
