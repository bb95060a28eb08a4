"""Draw a figure from the tables, as PDF and as PNG."""

import importlib
import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.figures import fonts, ink
from persona_paradox.figures.catalogue import figures


def main(arguments: Namespace) -> None:
    """Draw one figure."""
    for path in arguments.tables:
        if not path.is_file():
            raise InputError(f"{path} is missing; run snakemake to make it")
    tables = {path.stem: files.read_table(path) for path in arguments.tables}
    settings = files.read_json(arguments.settings)
    # Loaded by its name, so that who edits a figure draws that one again and no others.
    module = importlib.import_module(figures()[arguments.figure].module)
    figure = module.draw(tables, settings)
    if lacking := fonts.missing(ink.characters([tables, settings])):
        cli.log.warning("%s: %s", arguments.figure, fonts.sentence(lacking))
    with files.atomic_path(arguments.pdf) as temporary:
        ink.save(figure, temporary, "pdf")
    with files.atomic_path(arguments.png) as temporary:
        ink.save(figure, temporary, "png")
    rows = sum(table.height for table in tables.values())
    cli.log.info("%s: %d rows of %d tables", arguments.figure, rows, len(tables))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        settings="view of the figures' settings",
        pdf="PDF file to write",
        png="PNG file to write",
    )
    options.add_argument("--figure", choices=sorted(figures()), required=True, help="which figure")
    # A study without judges has none of their tables.
    options.add_argument("--tables", nargs="*", type=Path, default=[], help="Parquet files")
    cli.run(main, options)
