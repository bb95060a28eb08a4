"""Put the cycles of adapters beside their base: scored answers, judged ones, and the judges."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.judges.assessment import groups_of, judged
from persona_paradox.judges.cycles import SCHEMA, judged_rows, scored_rows, with_holm
from persona_paradox.kinds import measuring
from persona_paradox.measures.answers import by_wording
from persona_paradox.names import ALL
from persona_paradox.study.conditions import split
from persona_paradox.training.chosen import went_on

Row = dict[str, Any]
Models = Mapping[int, str]


def main_wording(path: Path) -> pl.DataFrame:
    """The rows of a cell in the main wording."""
    return by_wording(files.read_table(path))["main"]


def of_scores(models: Models, view: Row, settings: Row, folder: Path) -> Iterator[Row]:
    """The rows of scored answers."""
    for task, about in view["tasks"].items():
        kind = measuring.load(about["kind"])
        for persona in view["personas"]:
            name = f"{task}/{persona}.parquet"
            answers = {
                cycle: kind.answers(main_wording(folder / model / name), about)
                for cycle, model in models.items()
            }
            place = {"task": task, "persona": persona}
            place |= {key: about[key] for key in ("context", "dataset")}
            for row in scored_rows(answers, kind.metrics, settings):
                yield place | row


def of_judges(models: Models, view: Row, settings: Row, arguments: Namespace) -> Iterator[Row]:
    """The rows of judged answers, of all judges that read every cycle's."""
    whole = files.read_json(arguments.judged)
    for judge, spec in whole["judges"].items():
        read = {(model, task) for model, task in spec["places"]}
        for task in view["judged"].get(judge, ()):
            if not all((model, task) in read for model in models.values()):
                continue
            about = {**whole["tasks"][task], **spec, "proportionate": whole["proportionate"]}
            items = files.read_table(arguments.items / f"{about['dataset']}.parquet")
            for persona in view["personas"]:
                name = f"{task}/{persona}.parquet"
                answers = {
                    cycle: judged(
                        main_wording(arguments.judgements / judge / model / name), items, about
                    )
                    for cycle, model in models.items()
                }
                place = {"judge": judge, "task": task, "persona": persona}
                place |= {key: about[key] for key in ("context", "dataset")}
                groups = groups_of(answers[0].item_ids, items, about)
                for row in judged_rows(answers, groups, settings):
                    yield place | row


def of_tests(models: Models, view: Row, quality: pl.DataFrame) -> Iterator[Row]:
    """What judges that are one of these models made of answers of known worth."""
    for cycle, model in models.items():
        for judge in (id_ for id_, own in view["judges"].items() if own == model):
            tests = quality.filter(pl.col("judge") == judge, pl.col("model").is_null())
            for row in tests.drop_nulls("value").iter_rows(named=True):
                kept = {key: row[key] for key in ("metric", "n", "value", "low", "high")}
                about = {"cycle": cycle, "judge": judge, "n_invalid": row["n_unjudged"]}
                yield about | {"category": ALL} | kept


def chosen(family: Row, models: Models, folder: Path) -> dict[int, str | None]:
    """The adapter that went on after every cycle; None where none did, and of the base."""
    found: dict[int, str | None] = {0: None}
    for cycle in filter(None, models):
        adapter = split(models[cycle])[1]
        found[cycle] = (
            went_on(files.read_json(folder / adapter / "manifest.json"))
            if family["validated"]
            else adapter
        )
    return found


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    rows: list[Row] = []
    for family in view["families"]:
        models = {int(cycle): model for cycle, model in family["models"].items()}
        found = list(of_scores(models, view, settings, arguments.scores))
        if arguments.judged is not None:
            quality = files.read_table(arguments.tables / "judges.parquet")
            found += of_judges(models, view, settings, arguments)
            found += of_tests(models, view, quality)
        about = {"family": family["family"], "base": family["base"]}
        on = chosen(family, models, arguments.adapters)
        for row in found:
            of_cycle = {"model": models[row["cycle"]], "chosen": on[row["cycle"]]}
            rows.append(about | of_cycle | row)
    if arguments.judged is not None:
        trusted = files.read_table(arguments.tables / "judgements.parquet")
        keys = ["judge", "usable", "sanity_accuracy"]
        trust = {row["judge"]: row for row in trusted.select(keys).unique().iter_rows(named=True)}
        rows = [row | trust.get(row.get("judge"), {}) for row in rows]
    table = with_holm(pl.DataFrame(rows, schema=SCHEMA), settings["family"]["metrics"])
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    files.write_tables(table.lazy(), arguments.table.with_suffix(""), inputs)
    cli.log.info("%d rows of %d families", table.height, len(view["families"]))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the cycles",
        statistics="view of the statistics",
        scores="folder of scores",
        judgements="folder of what judges say, by judge",
        items="folder of data sets",
        adapters="folder of adapters, by id",
        table="Parquet file to write, with a CSV file beside it",
    )
    options.add_argument("--judged", type=Path, help="view of the judged cells, if there are some")
    options.add_argument("--tables", type=Path, help="folder of the tables of these")
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
