"""Change the items of a data set by the rule of an arm; they stay the same rows."""

import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.data.changes import perturb


def main(arguments: Namespace) -> None:
    """Change the items, and say in the manifest what they were made of."""
    view = files.read_json(arguments.arm)
    arm = view["arm"]
    rule = import_module(f"persona_paradox.data.arms.{arm['rule']}")
    items = files.read_table(arguments.items)
    keys = arm | {"case": view["case"], "answers": view.get("answers", {})}
    made = perturb(items, rule.change, keys, arguments.name, stratum=view["stratum"])
    files.write_table(made, arguments.changed, {"items": arguments.items, "arm": arguments.arm})
    changed = made["changed"].sum()
    left = made.drop_nulls("unchanged").group_by("unchanged").len().sort("unchanged")
    stratum = view["stratum"]
    manifest = files.read_json(arguments.base_manifest) | {
        "base": view["base"],
        "arm": arm,
        "changed": changed,
        "unchanged": dict(left.iter_rows()),
        "strata": dict(made.group_by(stratum).len().sort(stratum).iter_rows()),
    }
    files.write_text(arguments.manifest, files.canonical_json(manifest))
    cli.log.info("%s: %d of %d items changed", arguments.name, changed, made.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        items="Parquet file of the base's items",
        base_manifest="its manifest",
        arm="view of the arm",
        changed="Parquet file to write",
        manifest="manifest to write",
    )
    options.add_argument("--name", required=True, help="name of the arm in errors")
    cli.run(main, options)
