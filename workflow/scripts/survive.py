"""Put into tables how many turns the answers of all conversations hold, by judges and by keys."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.conversations import holding, survival
from persona_paradox.judges.trust import TRUST
from persona_paradox.measures.statistics import clusters_of_items, holm

Rows = list[dict[str, Any]]


def states_of(place: dict[str, Any], persona: str, folder: Path) -> list[dict[str, int]]:
    """The states of a persona's answers, round by round."""
    found = []
    for one in place["rounds"]:
        if place["judge"] is None:
            path = folder / "scores" / place["model"] / one / f"{persona}.parquet"
            found.append(holding.by_key(files.read_table(path)))
        else:
            where = folder / "judgements" / place["judge"] / place["model"]
            path = where / one / f"{persona}.parquet"
            found.append(holding.by_judge(files.read_table(path)))
    return found


def without_ended(
    place: dict[str, Any], rounds: list[dict[str, int]], items: pl.DataFrame
) -> list[dict[str, int]]:
    """The rounds without the items to which the user says nothing there."""
    if not any(place["needed"]):
        return rounds
    own = dict(items.select("item_id", pl.col("turns").list.len()).iter_rows())
    return [
        {id_: state for id_, state in one.items() if own[id_] >= needed}
        for one, needed in zip(rounds, place["needed"], strict=True)
    ]


def trust_of(judges: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Judge → whether it is usable, and how often it is right on answers of known worth."""
    rows = {(row["judge"], row["metric"]): row for row in judges.iter_rows(named=True)}
    found = {}
    for judge in judges["judge"].unique():
        names = ("sanity_accuracy", "sanity_ratings", "sanity_classes")
        sanity = [rows.get((judge, name)) for name in names]
        known = [row["value"] for row in sanity if row is not None and row["value"] is not None]
        usable = rows.get((judge, "usable"))
        found[judge] = {
            "usable": None if usable is None else usable["met"],
            "sanity_accuracy": known[0] if known else None,
        }
    return found


def with_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Add `p_holm`: adjusted over the personas of a judge, model and task."""
    parts = table.partition_by("judge", "model", "task", maintain_order=True)
    adjusted = [
        part.with_columns(p_holm=pl.Series(holm(part["p"].fill_null(np.nan))).fill_nan(None))
        for part in parts
    ]
    return pl.concat([table.clear(), *adjusted])


def main(arguments: Namespace) -> None:
    """Read all rounds and write both tables."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    trust = trust_of(files.read_table(arguments.judges)) if arguments.judges else {}
    curves: Rows = []
    means: Rows = []
    for place in view["places"]:
        found = {
            persona: states_of(place, persona, arguments.results) for persona in view["personas"]
        }
        items = files.read_table(arguments.items / f"{place['dataset']}.parquet")
        found = {one: without_ended(place, rounds, items) for one, rounds in found.items()}
        item_ids = sorted({id_ for rounds in found.values() for id_ in rounds[0]})
        about = {key: place[key] for key in ("judge", "model", "task", "context", "dataset")}
        about |= trust.get(place["judge"], {})
        own = survival.held_rows(
            {persona: holding.states(rounds, item_ids) for persona, rounds in found.items()},
            clusters_of_items(item_ids, items, place["cluster"]),
            view["baseline"],
            settings,
        )
        for rows, made in zip((curves, means), own, strict=True):
            rows += [about | row for row in made]
        cli.log.info("%s/%s: %d items", place["model"], place["task"], len(item_ids))
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    table = with_holm(pl.DataFrame(means, schema=survival.TURNS_HELD | TRUST))
    for name, one in (
        ("survival", pl.DataFrame(curves, schema=survival.SURVIVAL | TRUST)),
        ("turns_held", table),
    ):
        files.write_tables(one.lazy(), arguments.tables / name, inputs)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the conversations",
        statistics="view of the statistics",
        results="folder of scores and judgements",
        items="folder of data sets",
        tables="folder to write to",
    )
    options.add_argument("--judges", type=Path, help="table of how far judges can be trusted")
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
