"""Bring a data set from its source, or its sources, and write one row per item."""

import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.data.items import file_names, read_items
from persona_paradox.data.sources import fetch
from persona_paradox.kinds import base


def main(arguments: Namespace) -> None:
    """Fetch, check and convert the data set."""
    reading = files.read_json(arguments.reading)
    with tempfile.TemporaryDirectory(dir=arguments.items.parent) as folder:
        sources = files.sources_of(reading)
        raw = [Path(folder) / f"raw{number}" for number in range(len(sources))]
        fetched = [
            fetch(
                source,
                path,
                config_file=arguments.config_file + (f", file {name}" if len(sources) > 1 else ""),
                data_dir=arguments.data_dir or None,
                repo_type="dataset",
            )
            for source, path, name in zip(sources, raw, file_names(sources), strict=True)
        ]
        own = base.load(arguments.kind, "items") if base.has(arguments.kind, "items") else None
        items, rows = read_items(
            raw,
            reading,
            arguments.config_file,
            getattr(own, "columns", None),
            getattr(own, "rows", None),
        )
    files.write_table(items, arguments.items, {"reading": arguments.reading})
    excluded = items.drop_nulls("excluded").group_by("excluded").len().sort("excluded")
    stratum = base.traits(arguments.kind).stratum
    manifest = {
        **(fetched[0] if len(fetched) == 1 else _together(fetched)),
        "licence": reading["licence"],
        # Of a file whose every row is an item there is no more to say.
        **({"rows": rows} if rows["read"] > items.height else {}),
        "items": items.height,
        "excluded": dict(excluded.iter_rows()),
        "strata": dict(items.group_by(stratum).len().sort(stratum).iter_rows()),
    }
    files.write_text(arguments.manifest, files.canonical_json(manifest))
    shown = (rows["read"], rows["empty"], items.height, excluded["len"].sum())
    cli.log.info("%d rows read, %d of them empty; %d items, %d of them not shown", *shown)


def _together(fetched: list[dict[str, Any]]) -> dict[str, Any]:
    """What is said of several files that are one set: of each, and of all."""
    return {
        "sha256": files.sha256_bytes("".join(each["sha256"] for each in fetched).encode()),
        "size": sum(each["size"] for each in fetched),
        "files": fetched,
    }


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        reading="view of the data set: source, format, columns",
        items="Parquet file to write",
        manifest="manifest to write",
    )
    options.add_argument("--config-file", required=True, help="name of the file in errors")
    options.add_argument("--kind", required=True, help="kind of the tasks that read it")
    options.add_argument("--data-dir", default="", help="folder that {data_dir} stands for")
    cli.run(main, options)
