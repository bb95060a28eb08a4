"""Place personas in the residual stream: positions on the axis, their space, and their effects."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.axis import effects, positions, space
from persona_paradox.axis.positions import DEFAULT, ROLE, Axis, Readings
from persona_paradox.measures.statistics import clusters_of_items

Rows = list[dict[str, Any]]


def places(
    view: Mapping[str, Any], folder: Path
) -> Iterator[tuple[str, str, dict[str, list[pl.DataFrame]]]]:
    """Every model and task, with the readings of all personas by turns."""
    for model in view["models"]:
        for task, about in view["tasks"].items():
            found = {
                persona: [
                    files.read_table(folder / model / one / f"{persona}.parquet")
                    for one in about["rounds"]
                ]
                for persona in view["personas"]
            }
            yield model, task, found


def main(arguments: Namespace) -> None:
    """Read the readings, and write the tables."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    ends = dict.fromkeys(view["roles"], ROLE) | {view["default"]: DEFAULT}
    rows: Rows = []
    components: Rows = []
    for model, task, tables in places(view, arguments.readings):
        about = view["tasks"][task]
        items = files.read_table(arguments.items / f"{about['dataset']}.parquet")
        first = tables[view["default"]][0]
        item_ids = sorted(first["item_id"].unique())
        drawn = clusters_of_items(item_ids, items, about["cluster"])
        for layer, depth in first.select("layer", "depth").unique(maintain_order=True).iter_rows():
            read = {
                persona: [Readings.of(t.filter(depth=depth), item_ids) for t in by_turn]
                for persona, by_turn in tables.items()
            }
            roles = [read[id_][0] for id_ in view["roles"]]
            axis = Axis.of(read[view["default"]][0], roles, drawn, settings)
            where = {"model": model, "task": task, "layer": layer, "depth": depth}
            rows += [where | row for row in positions.axis_rows(axis, read, ends)]
            last = {id_: own[-1] for id_, own in read.items() if id_ not in view["steered"]}
            components += [where | row for row in space.space_rows(axis, last)]
        cli.log.info("%s/%s: %d items", model, task, len(item_ids))
    table = pl.DataFrame(rows, schema=positions.AXIS)
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    held = effects.effect_rows(
        table, files.read_table(arguments.contrasts), view, settings["confidence"]
    )
    for name, one in (
        ("axis", table),
        ("persona_space", pl.DataFrame(components, schema=space.SPACE)),
        ("axis_effects", pl.DataFrame(list(held), schema=effects.EFFECTS)),
    ):
        files.write_tables(one.lazy(), arguments.tables / name, inputs)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the axis",
        statistics="view of the statistics",
        readings="folder of readings",
        contrasts="table of contrasts",
        items="folder of data sets",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
