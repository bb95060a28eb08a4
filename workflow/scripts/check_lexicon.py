"""Say how well the lexicon of risk-bearing language does on the sentences labelled by hand.

    python workflow/scripts/check_lexicon.py

It prints the numbers of docs/reference/lexicon.md.
"""

import csv
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli
from persona_paradox.measures.statistics import wilson
from persona_paradox.scorers.lexicon import Category, categories

FILE = Path(__file__).resolve().parents[2] / "resources/bundled/lexicon_labelled.csv"
HALVES = ("development", "report")
CONFIDENCE = 0.95

Row = dict[str, str]


def main(arguments: Namespace) -> None:
    """Print precision and recall of every category, in both halves."""
    with open(arguments.file, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    lines = ["| half | category | sentences | precision | recall |", "|---|---|---|---|---|"]
    for half in arguments.half or HALVES:
        of_half = [row for row in rows if row["half"] == half]
        for category in categories().values():
            if category.id in rows[0]:
                lines.append(line(half, category, of_half))
                if arguments.missed:
                    lines += missed(category, of_half)
    sys.stdout.write("\n".join([*lines, ""]))


def line(half: str, category: Category, rows: Sequence[Row]) -> str:
    """A row of the table: of the sentences found how many are right, of the right ones found."""
    told = {row["id"] for row in rows if category.count(row["text"])}
    true = {row["id"] for row in rows if row[category.id] == "1"}
    both = len(told & true)
    shares = " | ".join(share(both, len(of)) for of in (told, true))
    return f"| {half} | {category.title} | {len(rows)} | {shares} |"


def missed(category: Category, rows: Sequence[Row]) -> list[str]:
    """The sentences in which a category is wrong, as comments."""
    return [
        f"{'+' if row[category.id] == '0' else '-'} {row['id']} {row['text']}"
        for row in rows
        if (category.count(row["text"]) > 0) != (row[category.id] == "1")
    ]


def share(hits: int, n: int) -> str:
    """A share with its count and its interval."""
    if n == 0:
        return "none"
    low, high = wilson(hits, n, CONFIDENCE)
    return f"{hits} of {n}: {hits / n:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("--file", type=Path, default=FILE, help="labelled sentences")
    options.add_argument("--half", action="append", choices=HALVES, help="one half only")
    options.add_argument("--missed", action="store_true", help="list the sentences it is wrong in")
    cli.run(main, options)
