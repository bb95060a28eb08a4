"""Say how well the rule for initiative does on the answers that were labelled by hand.

    python workflow/scripts/check_initiative.py

It prints the numbers of docs/reference/initiative.md.
"""

import csv
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli
from persona_paradox.kinds.initiative.problems import (
    ANSWERS,
    NAMES,
    RAISES,
    REFUSED,
    UNREADABLE,
    words_of,
)
from persona_paradox.kinds.initiative.reading import read
from persona_paradox.measures.agreement import cohen_kappa
from persona_paradox.measures.statistics import wilson

BUNDLED = Path(__file__).resolve().parents[2] / "resources/bundled"
CLASSES = (NAMES, ANSWERS, RAISES, REFUSED, UNREADABLE)
PARTS = ("development", "report", "model")
CONFIDENCE = 0.95

Row = dict[str, str]


def main(arguments: Namespace) -> None:
    """Print the counts, the confusion, and how well the rule does."""
    items = {row["id"]: row for row in rows_of(arguments.items)}
    rows = [row | {"told": told(row, items[row["item"]])} for row in rows_of(arguments.file)]
    if arguments.wrong:
        for row in rows:
            if row["half"] == arguments.wrong and row["told"] != row["label"]:
                sys.stdout.write(f"{row['item']}: {row['label']} → {row['told']}: {row['text']}\n")
        return
    sys.stdout.write("\n".join([*counts(rows), "", *performance(rows), "", *agreement(rows), ""]))


def rows_of(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def parts_of(rows: Sequence[Row]) -> list[str]:
    """The parts that there are, in their order."""
    return [part for part in PARTS if any(row["half"] == part for row in rows)]


def told(row: Row, item: Row) -> str:
    """What the rule says of an answer."""
    return read(
        row["text"],
        names=words_of(item["names"]),
        beside=words_of(item["beside"]),
        planted=item["planted"] == "yes",
        omitted=item["problem"] == "omission",
    ).outcome


def counts(rows: Sequence[Row]) -> list[str]:
    """Answers by half and class."""
    lines = [f"| part | {' | '.join(CLASSES)} | all |", "|---" * (len(CLASSES) + 2) + "|"]
    for half in parts_of(rows):
        found = Counter(row["label"] for row in rows if row["half"] == half)
        numbers = [found[one] for one in CLASSES]
        lines.append(f"| {half} | {' | '.join(map(str, numbers))} | {sum(numbers)} |")
    return lines


def performance(rows: Sequence[Row]) -> list[str]:
    """Precision and recall of the classes in every part."""
    lines = ["| part | class | n | precision | recall |", "|---|---|---|---|---|"]
    for half in parts_of(rows):
        here = [row for row in rows if row["half"] == half]
        for one in (NAMES, RAISES, REFUSED):
            said = [row["told"] == one for row in here]
            true = [row["label"] == one for row in here]
            both = sum(a and b for a, b in zip(said, true, strict=True))
            shares = " | ".join(share(both, sum(of)) for of in (said, true))
            lines.append(f"| {half} | {one} | {len(here)} | {shares} |")
    return lines


def agreement(rows: Sequence[Row]) -> list[str]:
    """Cohen's kappa of rule and label over the five classes."""
    lines = []
    for half in parts_of(rows):
        here = [row for row in rows if row["half"] == half]
        first, second = ([CLASSES.index(row[key]) for row in here] for key in ("told", "label"))
        same = sum(a == b for a, b in zip(first, second, strict=True))
        kappa = cohen_kappa(first, second, None, range(len(CLASSES)))
        lines.append(f"- {half}: {same} of {len(here)} as labelled (Cohen's κ {kappa:.2f})")
    return lines


def share(hits: int, n: int) -> str:
    """A share with its count and its interval."""
    if n == 0:
        return "none"
    low, high = wilson(hits, n, CONFIDENCE)
    return f"{hits} of {n}: {hits / n:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument(
        "--file", type=Path, default=BUNDLED / "initiative_labelled.csv", help="labelled answers"
    )
    options.add_argument(
        "--items", type=Path, default=BUNDLED / "teaching_initiative.csv", help="their cases"
    )
    options.add_argument("--wrong", choices=PARTS, help="list what the rule gets wrong in a part")
    cli.run(main, options)
