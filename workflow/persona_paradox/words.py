"""Numbers, cells and intervals in words: what the sentences of the summary are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

Tables = Mapping[str, pl.DataFrame]
Settings = Mapping[str, Any]
Row = Mapping[str, Any]

# A section of the summary: its title, the tables of which it needs one, and what is said, by the
# tables, the view of the figures and that of the statistics.
Section = tuple[str, tuple[str, ...], Callable[[Tables, Settings, Settings], Iterator[str]]]

# Of one item or cluster, or of a measure that is the same in every draw.
NO_INTERVAL = "[no interval]"


def rows_of(tables: Tables, name: str, **where: Any) -> list[Row]:
    """Rows of a table in which these columns have these values; none where it is not made."""
    return [*tables[name].filter(**where).iter_rows(named=True)] if name in tables else []


def of_personas(tables: Tables) -> pl.DataFrame:
    """The contrasts of personas with the baseline, and not those of arms."""
    return tables["contrasts"].filter(against="persona")


def titles(settings: Settings) -> Settings:
    """The tasks of whose answers something is said, by labels or by judges."""
    found: Settings = {**settings["tasks"], **settings.get("judged_tasks", {})}
    return found


def place_of(settings: Settings, model: str, task: str) -> str:
    """A model in a task."""
    return f"{settings['models'][model]}, {titles(settings)[task]['title']}"


def heading(settings: Settings, part: pl.DataFrame) -> list[str]:
    """Where a list is about, and of how many items."""
    where = place_of(settings, part.item(0, "model"), part.item(0, "task"))
    return [f"**{where}** (n = {span(part['n'])})", ""]


def named(settings: Settings, id_: str) -> str:
    """Title of a persona."""
    title: str = settings["personas"][id_]["title"]
    return title


def excludes_zero(settings: Settings) -> pl.Expr:
    """Contrasts whose interval excludes 0, where there are enough items or clusters for that.

    Of few the bootstrap draws the same again and again, and its p is that of an exact test.
    """
    alpha = 1 - settings["confidence"]
    enough: pl.Expr = (2.0 ** (1 - pl.col("n")) <= alpha) & (
        (pl.col("test") == "exact McNemar") | (pl.col("p") <= alpha)
    )
    excludes = (pl.col("low") > 0) | (pl.col("high") < 0)
    return excludes & enough


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table in Markdown, with a blank one on both sides; none without rows."""
    cells = [[one.replace("|", r"\|") for one in row] for row in rows]
    if not cells:
        return []
    # What is behind the first column is numbers for the most part.
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *cells]
    return ["", *(f"| {' | '.join(line)} |" for line in lines), ""]


def plain(name: str) -> str:
    """An id as words."""
    return name.replace("_", " ")


def percent(share: float) -> str:
    """A share in percent: 0.95 → 95%."""
    return f"{round(100 * share, 6):g}%"


def signed(value: float, digits: int) -> str:
    """A number with its sign, a true minus; zero has none."""
    text = f"{value:+.{digits}f}"
    return (text if float(text) else text.lstrip("+-")).replace("-", "−")


def points(share: Any) -> str:
    """A difference of shares in percentage points."""
    return "not defined" if share is None else signed(100 * share, 1)


def points_within(low: float | None, high: float | None) -> str:
    """Bounds in points."""
    return NO_INTERVAL if low is None else f"[{points(low)}, {points(high)}]"


def share(value: float | None, low: float | None, high: float | None) -> str:
    """A share in percent with its bounds, where it has any."""
    if value is None:
        return "not defined"
    bounds = "" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{100 * value:.1f}%{bounds}"


def share_of(row: Row, name: str) -> str:
    """A share of a wide row, with its bounds."""
    return share(row[name], row[f"{name}_low"], row[f"{name}_high"])


def number(value: float | None, low: float | None, high: float | None) -> str:
    """A number with two digits and its bounds, where it has any."""
    if value is None:
        return "not defined"
    return f"{value:.2f}" + ("" if low is None or high is None else f" [{low:.2f}, {high:.2f}]")


def three(row: Row) -> str:
    """Bounds with three digits."""
    return NO_INTERVAL if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"


def effect(row: Row, settings: Settings, in_points: bool, digits: int = 2) -> str:
    """A contrast of a persona with its bounds: in points, or with so many digits."""
    numbers = [
        points(row[key]) if in_points else signed(row[key], digits)
        for key in ("difference", "low", "high")
    ]
    return f"{named(settings, row['persona'])} {numbers[0]} [{numbers[1]}, {numbers[2]}]"


def p_text(value: float) -> str:
    """A p-value."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def wordings_beside_personas(part: pl.DataFrame, what: str) -> Iterator[str]:
    """Which shares of a variance lie between personas and between wordings of one, of one figure.

    Args:
        part: rows of `analyses.variance.VARIANCE` of one figure; nothing is said without any.
        what: the figure, in words.
    """
    if not part.height:
        return
    rows = {row["source"]: row for row in part.iter_rows(named=True)}
    told = [
        f"{share(row['share'], row['low'], row['high'])} {where}"
        for source, where in (
            ("persona", "between personas"),
            ("paraphrase", "between wordings of a persona"),
        )
        if (row := rows.get(source)) is not None and row["share"] is not None
    ]
    reason = part.item(0, "reason") or "the answers do not differ in it"
    yield (
        f"- Of the variance of {what}, without the baseline: "
        f"{' and '.join(told) or f'not defined, {reason}'} ({part.item(0, 'n_items')} items)."
    )


def span(values: pl.Series) -> str:
    """Whole numbers, least to greatest."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"
