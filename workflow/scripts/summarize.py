"""Write the results in words, from the tables."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.kinds.base import has, load
from persona_paradox.report.summary import summary


def main(arguments: Namespace) -> None:
    """Read the tables and write the text."""
    settings = files.read_json(arguments.settings)
    tables = {
        name: files.read_table(arguments.tables / f"{name}.parquet") for name in arguments.names
    }
    words = [load(kind, "words") for kind in arguments.kinds if has(kind, "words")]
    sections = [section for module in words for section in module.SECTIONS]
    own = [term for module in words for term in getattr(module, "OWN", ())]
    text = summary(tables, settings, files.read_json(arguments.statistics), sections, own)
    files.write_text(arguments.summary, text)
    cli.log.info("%d lines", text.count("\n"))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        tables="folder of tables",
        settings="view of the figures' settings",
        statistics="view of the statistics",
        summary="Markdown file to write",
    )
    # An older study's tables may lie in the folder.
    options.add_argument("--names", nargs="+", required=True, help="tables that there are")
    options.add_argument("--kinds", nargs="*", default=[], help="kinds of the study's tasks")
    cli.run(main, options)
