"""Compare two cells of one task item by item: of any two models, under any two personas.

    python workflow/scripts/compare_cells.py STUDY TASK MODEL/PERSONA MODEL/PERSONA

The table `contrasts` compares personas within a model. This says as much of two models, such as
one that was trained on behaviour tokens and its base that is told the same in words: the first
cell minus the second, with the study's statistics. Nothing is adjusted: it is exploration.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

import polars as pl
from snakemake.utils import update_config

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.kinds import measuring
from persona_paradox.measures.cells import Measurement
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.measured_views import measures_view
from persona_paradox.study.yaml_reading import check_study_file, read_yaml
from persona_paradox.words import number

DEFAULT = Path("config/config.yaml")
SCORES = Path("results/scores")


def scores_of(cell: str, task: str, study: Path) -> pl.DataFrame:
    """The scores of a cell.

    Raises:
        InputError: its id is none, or it is not scored.
    """
    model, _, persona = cell.partition("/")
    path = SCORES / model / task / f"{persona}.parquet"
    if not (persona and path.is_file()):
        raise InputError(
            f"{path} is missing, the scores of {cell!r} in {task!r}; name cells as model/persona, "
            f"and run snakemake --configfile {study} --cores all -- {path}"
        )
    return files.read_table(path)


def contrasts(arguments: Namespace) -> pl.DataFrame:
    """Rows of the table `contrasts`: the second cell stands in the place of the baseline."""
    name = str(arguments.study)
    check_study_file(arguments.study, name)
    settings = read_yaml(DEFAULT, str(DEFAULT))
    update_config(settings, read_yaml(arguments.study, name))
    study = load_study(settings, DEFAULT.parent, check_schema)
    if arguments.task not in study.tasks:
        raise InputError(
            f"{name}: key `tasks` has no {arguments.task!r}; name one of {', '.join(study.tasks)}"
        )
    cells = (arguments.other, arguments.this)
    scores = {cell: scores_of(cell, arguments.task, arguments.study) for cell in cells}
    one, other = (set(table["item_id"]) for table in scores.values())
    if len(scores) < 2 or one != other:
        raise InputError(
            f"{arguments.this} and {arguments.other} are one cell, or answer other items of "
            f"{arguments.task!r}; name two cells of one study"
        )
    view = measures_view(arguments.task, study) | {
        "baseline": arguments.other,
        "personas": list(cells),
        "groups": dict.fromkeys(cells, "cell"),
        "subgroups": [],
    }
    statistics = {**study.settings["statistics"], "seed": study.settings["seed"]}
    kind = measuring.load(study.kind(arguments.task))
    measurement = Measurement("", arguments.task, kind, view, statistics)
    measurement.measure(scores, {})
    return measurement.tables()["contrasts"].filter(variant="main")


def told(rows: pl.DataFrame) -> Iterator[str]:
    """Every difference in a line."""
    for row in rows.iter_rows(named=True):
        if row["difference"] is None:
            continue
        yield (
            f"{row['metric']}: {row['value']:.3f} against {row['baseline_value']:.3f}, difference "
            f"{number(row['difference'], row['low'], row['high'])}; {row['test']} p "
            f"{row['p']:.2g}"
        )


def main(arguments: Namespace) -> None:
    """Print the differences."""
    rows = contrasts(arguments)
    first = rows.row(0, named=True)
    cli.log.info(
        "%s minus %s in %s: %d items, %d and %d invalid answers",
        *(arguments.this, arguments.other, arguments.task),
        *(first["n"], first["n_invalid"], first["n_invalid_baseline"]),
    )
    for line in told(rows):
        cli.log.info("%s", line)


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("study", type=Path, help="the study's YAML file")
    options.add_argument("task", help="id of the task")
    options.add_argument("this", help="cell, as model/persona")
    options.add_argument("other", help="cell that it is compared with")
    cli.run(main, options)
