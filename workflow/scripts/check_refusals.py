"""Say how well the rule for refusals does on the answers that were labelled by hand.

    python workflow/scripts/check_refusals.py

It prints the numbers of docs/reference/refusals.md.
"""

import csv
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli
from persona_paradox.measures.agreement import cohen_kappa
from persona_paradox.measures.statistics import wilson
from persona_paradox.scorers.refusals import refuses

FILE = Path(__file__).resolve().parents[2] / "resources/bundled/refusals_labelled.csv"
CLASSES = ("refuses", "abstains", "answers", "unreadable")
DECLINES = CLASSES[:2]
CONFIDENCE = 0.95

Row = dict[str, str]


def main(arguments: Namespace) -> None:
    """Print the counts, the agreement of the two passes, and how well the rule does."""
    with open(arguments.file, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    sys.stdout.write("\n".join([*counts(rows), "", agreement(rows), "", *performance(rows), ""]))


def counts(rows: Sequence[Row]) -> list[str]:
    """Answers by origin and class."""
    lines = [f"| origin | {' | '.join(CLASSES)} | all |", "|---" * (len(CLASSES) + 2) + "|"]
    for origin in sorted({row["origin"] for row in rows}):
        found = Counter(row["label"] for row in rows if row["origin"] == origin)
        numbers = [found[one] for one in CLASSES]
        lines.append(f"| {origin} | {' | '.join(map(str, numbers))} | {sum(numbers)} |")
    return lines


def agreement(rows: Sequence[Row]) -> str:
    """Cohen's kappa of the two passes over the four classes."""
    first, second = ([CLASSES.index(row[f"pass_{number}"]) for row in rows] for number in (1, 2))
    same = sum(a == b for a, b in zip(first, second, strict=True))
    kappa = cohen_kappa(first, second, None, range(len(CLASSES)))
    return f"The two passes agree on {same} of {len(rows)} answers (Cohen's κ {kappa:.2f})."


def performance(rows: Sequence[Row]) -> list[str]:
    """Precision and recall on both halves, and on parts of the one that is reported."""
    report = of_half(rows, "report")
    parts: dict[str, Callable[[Row], bool]] = {
        "all": lambda _: True,
        "to a question with options": lambda row: row["form"] == "labelled",
        "in free text": lambda row: row["form"] == "free",
        "by a model": lambda row: row["origin"] != "written",
        "written": lambda row: row["origin"] == "written",
    }
    lines = ["| part | answers | n | precision | recall |", "|---|---|---|---|---|"]
    lines.append(line("development", "all", of_half(rows, "development")))
    lines += [line("report", part, list(filter(of, report))) for part, of in parts.items()]
    return [*lines, line("fresh", "by a model, in free text", of_half(rows, "fresh"))]


def of_half(rows: Sequence[Row], half: str) -> list[Row]:
    """The answers of a half, or those that were labelled when the rule was done."""
    return [row for row in rows if row["half"] == half]


def line(half: str, part: str, rows: Sequence[Row]) -> str:
    """A row of the table of precision and recall."""
    told = {row["id"] for row in rows if refuses(row["text"], row["options"].split("|"))}
    true = {row["id"] for row in rows if row["label"] in DECLINES}
    both = len(told & true)
    shares = " | ".join(share(both, len(of)) for of in (told, true))
    return f"| {half} | {part} | {len(rows)} | {shares} |"


def share(hits: int, n: int) -> str:
    """A share with its count and its interval."""
    if n == 0:
        return "none"
    low, high = wilson(hits, n, CONFIDENCE)
    return f"{hits} of {n}: {hits / n:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("--file", type=Path, default=FILE, help="labelled answers")
    cli.run(main, options)
