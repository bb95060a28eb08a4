"""Draw a figure from the tables, as PDF and as PNG, or as the report's page draws it."""

import importlib
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.figures import cells, fonts, ink, vega
from persona_paradox.figures.catalogue import figures


def main(arguments: Namespace) -> None:
    """Draw one figure."""
    for path in arguments.tables:
        if not path.is_file():
            raise InputError(f"{path} is missing; run snakemake to make it")
    tables = {path.stem: files.read_table(path) for path in arguments.tables}
    settings = files.read_json(arguments.settings)
    about = figures()[arguments.figure]
    if about.kind is not None:
        tables = {name: cells.of_tasks(table, settings) for name, table in tables.items()}
    # Loaded by its name, so that who edits a figure draws that one again and no others.
    module = importlib.import_module(about.module)
    save: Callable[..., None]
    if vega.has_spec(module):
        drawing, save = vega.report_figure(module, tables, settings), vega.save
    else:
        drawing, save = module.draw(tables, settings), ink.save
    if lacking := fonts.missing(ink.characters([tables, settings])):
        cli.log.warning("%s: %s", arguments.figure, fonts.sentence(lacking))
    for form in ("pdf", "png", "json"):
        if path := getattr(arguments, form):
            with files.atomic_path(path) as temporary:
                save(drawing, temporary, form)
    rows = sum(table.height for table in tables.values())
    cli.log.info("%s: %d rows of %d tables", arguments.figure, rows, len(tables))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        settings="view of the figures' settings",
    )
    for form, what in (
        ("pdf", "PDF"),
        ("png", "PNG"),
        ("json", "JSON (of a figure of Vega-Lite)"),
    ):
        options.add_argument(f"--{form}", type=Path, help=f"{what} file to write")
    options.add_argument("--figure", choices=sorted(figures()), required=True, help="which figure")
    # A study without judges has none of their tables.
    options.add_argument("--tables", nargs="*", type=Path, default=[], help="Parquet files")
    cli.run(main, options)
