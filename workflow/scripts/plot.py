"""Draw a figure from the tables, as PDF and as PNG."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.figures import (
    action_shares,
    agreement,
    bradley_terry,
    confusion,
    consistency,
    fonts,
    ink,
    judge_human,
    judge_quality,
    persona_effect,
    reliability,
    risk_coverage,
    risk_plane,
    safety,
    sensitivity_criterion,
    spread,
    subgroup_effects,
    triage_accuracy,
    win_matrix,
)
from persona_paradox.study.products import CELL_TABLES

FIGURES = {
    "triage_accuracy": triage_accuracy,
    "reliability": reliability,
    "risk_coverage": risk_coverage,
    "risk_plane": risk_plane,
    "sensitivity_criterion": sensitivity_criterion,
    "confusion": confusion,
    "consistency": consistency,
    "persona_effect": persona_effect,
    "spread": spread,
    "subgroup_effects": subgroup_effects,
    "safety": safety,
    "action_shares": action_shares,
    "win_matrix": win_matrix,
    "bradley_terry": bradley_terry,
    "judge_quality": judge_quality,
    "agreement": agreement,
    "judge_human": judge_human,
}


def main(arguments: Namespace) -> None:
    """Draw one figure."""
    paths = {name: arguments.tables / f"{name}.parquet" for name in arguments.names}
    for path in paths.values():
        if not path.is_file():
            raise InputError(f"{path} is missing; run snakemake to make it")
    tables = {name: files.read_table(path) for name, path in paths.items()}
    settings = files.read_json(arguments.settings)
    figure = FIGURES[arguments.figure].draw(tables, settings)
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
        tables="folder of tables",
        settings="view of the figures' settings",
        pdf="PDF file to write",
        png="PNG file to write",
    )
    options.add_argument("--figure", choices=sorted(FIGURES), required=True, help="which figure")
    # A study without judges has none of their tables, and an older one may lie in the folder.
    options.add_argument("--names", nargs="*", default=CELL_TABLES, help="tables that there are")
    cli.run(main, options)
