"""Count the items of every subgroup, and stop where a value has none."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.data.groups import groups_of


def main(arguments: Namespace) -> None:
    """Group the items of a data set."""
    items = files.read_table(arguments.items)
    found = {}
    for subgroup in files.read_json(arguments.groups)["subgroups"]:
        groups = groups_of(items, subgroup, arguments.config_file)
        found[subgroup["id"]] = dict(groups.value_counts(sort=True).iter_rows())
    files.write_text(arguments.sizes, files.canonical_json(found))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        items="Parquet file of the data set",
        groups="view of its subgroups",
        sizes="number of items in every group, to write",
    )
    options.add_argument("--config-file", required=True, help="name of the file in errors")
    cli.run(main, options)
