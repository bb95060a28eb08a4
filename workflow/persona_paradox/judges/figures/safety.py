"""What judges say of every persona's answers: ratings, scores, and differences by category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ...figures import heat, ink, judged, parts, typeset, words
from ...figures.judged import Block, Judged, Row
from ...figures.page import Entry, Sheet
from ...figures.parts import Column, Part
from ...figures.rows import Rows, draw_rows, label_rows, label_width
from ...names import ALL, RISKY

_SUBTITLE = (
    "Ratings of the answers by judges: expected value on the judge's scale, difference from the "
    "baseline on the same questions, and by category"
)
_COLUMNS = 3
_GAP_MM = 4.0
_TICKS_MM = 4.5
_LINE_MM = typeset.height_of("", ink.SMALL_PT)
_CELL_MM = 6.6
_BASELINE = "baseline"


@dataclass(frozen=True)
class _Measure:
    """A figure of the judgements: its title, which end is better, its axis, its digits.

    A share of a class stands under the title of the class, with the dimension (`of`) below it.
    """

    metric: str
    title: str
    better: str | None
    low: float
    high: float
    percent: bool = False
    of: str = ""

    @property
    def scale(self) -> float:
        """What numbers are multiplied with in words."""
        return 100.0 if self.percent else 1.0

    def words(self, row: Row) -> str:
        """A difference with its interval."""
        return words.with_interval(row, 0 if self.percent else 2, self.scale, signed=True)


@dataclass(frozen=True)
class _Unit:
    """A panel and how many places of the grid it takes: of a measure, or by category."""

    measure: _Measure
    by_category: bool
    span: int


@dataclass(frozen=True)
class _Grid:
    """What the units of a block share: rows of personas, width of their titles and of a place."""

    rows: Rows
    labels: float
    place: float
    head: float

    def width(self, span: int) -> float:
        """Width of some places."""
        return span * self.place + (span - 1) * _GAP_MM


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    study = judged.read(tables, settings)
    with ink.context(tables, settings):
        blocks = [block for block in study.blocks("judgements") if _measures(block)]
        if not blocks:
            why = judged.why_nothing(study, "no answer was judged")
            return parts.nothing(study, _SUBTITLE, why)
        found = [_part(block) for block in blocks]
        return parts.page(study, _SUBTITLE, found, _key(study, blocks), _notes(study, blocks))


def _part(block: Block) -> Part:
    study = block.study
    rows = block.rows("judgements", category=ALL)
    variants = dict.fromkeys(row["variant"] for row in rows if row["variant"] != "main")
    personas = list(dict.fromkeys(row["persona"] for row in rows))
    place = study.place(personas, list(variants))
    labels = label_width(study.settings, personas) + 3
    width = (ink.INNER_MM - labels - (_COLUMNS - 1) * _GAP_MM) / _COLUMNS
    units = _units(block, width)
    lines = _flow(units)
    grids = [_Grid(place, labels, width, _head(block, line, width)) for line in lines]
    pitches = [grid.head + place.height + _TICKS_MM for grid in grids]

    def draw_part(sheet: Sheet, top: float) -> None:
        for line, grid, pitch in zip(lines, grids, pitches, strict=True):
            label_rows(sheet, place, study.settings, top + grid.head)
            left = labels
            for unit in line:
                of_unit = _draw_categories if unit.by_category else _draw_measure
                of_unit(sheet, block, unit, grid, (left, top))
                left += grid.width(unit.span) + _GAP_MM
            top += pitch + 3

    height = sum(pitches) + 3 * (len(pitches) - 1)
    return Part(block.heading, block.name, block.usable, _about(block), height, draw_part)


def _about(block: Block) -> str:
    main = block.rows("judgements", variant="main", metric="unjudged_rate")
    groups = {row["category"]: row["n"] for row in main}
    text = judged.n_questions(row for row in main if row["category"] == ALL)
    if RISKY in groups:
        text += f" ({groups[RISKY]} risky, {groups[ALL] - groups[RISKY]} benign)"
    whole = [row for row in main if row["category"] == ALL]
    counts = [(row["persona"], row["n_unjudged"], row["n"]) for row in whole]
    return f"{text} per persona; {judged.unjudged(block.study, counts)}"


def _units(block: Block, width: float) -> list[_Unit]:
    """The panels of a block, as far as the tables have them."""
    found = _measures(block)
    units = [_Unit(measure, False, 1) for measure in found]
    categories = block.categories
    if _tells_categories(block):
        span = min(_COLUMNS, max(1, round((_CELL_MM * len(categories) + _GAP_MM) / width + 0.45)))
        units.append(_Unit(found[0], True, span))
    return units


def _tells_categories(block: Block) -> bool:
    """Whether a category has enough questions for a difference of the first measure."""
    ids = {category["id"] for category in block.categories}
    return len(ids) > 1 and any(
        row["category"] in ids and not block.study.few(row, "n", "difference")
        for measure in _measures(block)[:1]
        for row in block.rows("judgement_contrasts", metric=measure.metric, variant="main")
    )


def _measures(block: Block) -> list[_Measure]:
    """Ratings, what kinds measure besides, and shares of a judge's own classes."""
    spec = block.spec
    metrics = {row["metric"] for row in block.rows("judgements", category=ALL)}
    low, high = _scale(block, spec)
    found = [
        _Measure(r["id"], f"{r['title']} (1–{spec['scale']})", r["better"], low, high)
        for r in spec["ratings"]
    ]
    for id_, one in block.study.settings["judged_metrics"].items():
        share = one["unit"] == "share"
        found.append(_Measure(id_, one["title"], one["better"], 0, 1, percent=share))
    for one in spec.get("classes", ()):
        found += [
            _Measure(each["id"], each["title"], None, 0, 1, percent=True, of=one["title"])
            for each in one["classes"]
        ]
    return [measure for measure in found if measure.metric in metrics]


def _scale(block: Block, spec: Mapping[str, Any]) -> tuple[float, float]:
    """The part of the scale that holds all ratings of a block and their intervals."""
    ids = {rating["id"] for rating in spec["ratings"]}
    rows = [r for r in block.rows("judgements", category=ALL) if r["metric"] in ids]
    ends = [row[end] for row in rows for end in ("value", "low", "high") if row[end] is not None]
    low, high = min(ends, default=1), max(ends, default=spec["scale"])
    lowest = min(max(1.0, (2 * low // 1) / 2), spec["scale"] - 1.0)
    return lowest, max(lowest + 1, min(spec["scale"], -(-2 * high // 1) / 2))


def _flow(units: Sequence[_Unit]) -> list[list[_Unit]]:
    """Lines of units that fill the grid from the left."""
    lines: list[list[_Unit]] = [[]]
    for unit in units:
        if sum(other.span for other in lines[-1]) + unit.span > _COLUMNS:
            lines.append([])
        lines[-1].append(unit)
    return lines


def _head(block: Block, line: Sequence[_Unit], place: float) -> float:
    """Height above the rows that the units of a line need; `place` is the width of one."""
    heads = [4 * _LINE_MM + 1.5]
    for unit in line:
        if unit.by_category:
            _, upright = _upright(block.categories)
            heads.append(3.4 * _LINE_MM + upright + 1.2)
        else:
            heads.append(2 * _LINE_MM + 1.5 + _title(block, unit.measure, place)[2])
    return max(heads)


def _title(block: Block, measure: _Measure, width: float) -> tuple[str, str, float]:
    """What stands above a panel in lines: its title, what is said of it, and their height."""
    title = typeset.wrap(measure.title, width, ink.TEXT_PT, "bold")
    rows = block.rows("judgements", category=ALL, metric=measure.metric)
    better = f"{_better(measure)}; " if measure.better else ""
    said = typeset.wrap(better + judged.n_questions(_main(rows)), width, ink.SMALL_PT)
    if measure.of:
        said += "\n" + typeset.wrap(measure.of, width, ink.SMALL_PT)
    height = 1.15 * _LINE_MM * (title.count("\n") + 1) + _LINE_MM * (said.count("\n") + 1)
    return title, said, height


# --- a measure -----------------------------------------------------------------------------


def _draw_measure(
    sheet: Sheet, block: Block, unit: _Unit, grid: _Grid, place: tuple[float, float]
) -> None:
    left, top = place
    measure, width = unit.measure, grid.width(unit.span)
    values = block.rows("judgements", category=ALL, metric=measure.metric)
    contrasts = block.rows(
        "judgement_contrasts", category=ALL, metric=measure.metric, variant="main"
    )
    title, said, height = _title(block, measure, width)
    above = top + grid.head - 2 * _LINE_MM - 1.5 - height
    sheet.text(left, above, title, weight="bold")
    above += 1.15 * _LINE_MM * (title.count("\n") + 1)
    sheet.text(left, above, said, size=ink.SMALL_PT)
    columns = _columns(block.study, measure, contrasts, grid.rows)
    beside = parts.width_of(columns)
    axes = sheet.axes(left, top + grid.head, width - beside, grid.rows.height)
    draw_rows(axes, grid.rows)
    _scale_axis(axes, measure)
    start = measure.low + 0.03 * (measure.high - measure.low)
    for row in values:
        main = row["variant"] == "main"
        y = grid.rows.of(row["persona"], "", row["variant"])
        name = block.gid(measure.metric, row["persona"], row["variant"])
        look = block.look(row["persona"])
        parts.mark(axes, block.study, row, (start, y), name=name, look=look, main=main)
    parts.write(sheet, columns, left + width, top + grid.head, usable=block.usable)


def _columns(
    study: Judged, measure: _Measure, contrasts: Sequence[Row], rows: Rows
) -> list[Column]:
    """The columns of differences from the baseline and of their p."""
    differences = [(rows.of(study.settings["baseline"], ""), _BASELINE)]
    tests = []
    for row in contrasts:
        y = rows.of(row["persona"], "")
        few = study.few(row, "n", "difference")
        differences.append((y, few or measure.words(row)))
        tests.append((y, "" if few else words.p_text(row["p_holm"])))
    what = "points" if measure.percent else "difference"
    level = words.percent(study.settings["confidence"])
    return [
        Column(f"{what}\n[{level} int.]", differences),
        Column("p\n(Holm)", tests),
    ]


def _better(measure: _Measure) -> str:
    return "← lower is better" if measure.better == "low" else "higher is better →"


def _main(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["variant"] == "main"]


def _scale_axis(axes: Axes, measure: _Measure) -> None:
    axes.set_xlim(measure.low, measure.high)
    step = 0.5 if measure.high - measure.low <= 2 else 1
    first = -(-measure.low // step)
    steps = int(measure.high // step - first) + 1
    axes.set_xticks([(first + i) * step for i in range(steps)])
    if measure.percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


# --- by category ---------------------------------------------------------------------------


def _upright(categories: Sequence[Mapping[str, Any]]) -> tuple[list[str], float]:
    """Titles of categories, broken so that they are no longer than need be, and that length."""
    parted = [word for category in categories for word in category["title"].split()]
    longest = max(typeset.width_of(word, ink.SMALL_PT) for word in parted)
    return [typeset.wrap(c["title"], longest, ink.SMALL_PT) for c in categories], longest


def _draw_categories(
    sheet: Sheet, block: Block, unit: _Unit, grid: _Grid, place: tuple[float, float]
) -> None:
    """Draw the differences of a measure by category: rows are personas, columns categories."""
    left, top = place
    measure, categories = unit.measure, block.categories
    small: dict[str, Any] = {"size": ink.SMALL_PT}
    title = measure.title.split(" (")[0]
    sheet.text(left, top, f"{title} by category", weight="bold")
    sheet.text(left, top + 1.15 * _LINE_MM, "difference from the baseline", **small)
    width = grid.width(unit.span)
    cell = min(width / len(categories), 2 * _CELL_MM)
    axes = sheet.axes(left, top + grid.head, width, grid.rows.height)
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(grid.rows.height, 0)
    rows = block.rows("judgement_contrasts", metric=measure.metric, variant="main")
    by_place = {(row["persona"], row["category"]): row for row in rows}
    ids = {category["id"] for category in categories}
    shown = [r for r in rows if r["category"] in ids and not block.study.few(r, "n", "difference")]
    largest = max([abs(row["difference"]) for row in shown], default=0.0) or 1.0
    tone = (1 if measure.better == "high" else -1) * 0.8 / largest
    titles, _ = _upright(categories)
    for i, category in enumerate(categories):
        of_category = [row for row in rows if row["category"] == category["id"]]
        x = (i + 0.5) * cell
        upright: dict[str, Any] = {"ha": "center", "va": "bottom", "rotation": 90}
        axes.text(x, -_LINE_MM - 0.6, titles[i], **small, **upright)
        n = words.n_text(row["n"] for row in of_category).removeprefix("n = ")
        text = f"n = {n}" if i == 0 and typeset.width_of(f"n = {n}", heat.TEXT_PT) < cell else n
        axes.text(x, -1.4, text, size=heat.TEXT_PT, ha="center", va="center_baseline")
        for persona, _ in grid.rows.place:
            row = by_place.get((persona, category["id"]))
            if row is not None:
                y = grid.rows.of(persona, "")
                box = (i * cell, y - 2.2, cell, 4.4)
                _draw_difference(axes, block, row, box, tone)


def _draw_difference(
    axes: Axes, block: Block, row: Row, box: tuple[float, float, float, float], tone: float
) -> None:
    """Draw a difference; `tone` times it is its shade, from -1, worse, to 1, better."""
    name = block.gid(row["persona"], row["category"])
    if block.study.few(row, "n", "difference"):
        heat.draw(axes, box, ["·"], face="#FFFFFF", gid=name, color=ink.MIDDLE)
        return
    face = heat.side(tone * row["difference"], block.usable)
    ends = (row["low"], row["high"])
    clear = None not in ends and (ends[0] > 0 or ends[1] < 0)
    text = words.number(row["difference"], 2, signed=True)
    heat.draw(axes, box, [text], face=face, gid=name, weight="bold" if clear else "normal")


# --- key and notes -------------------------------------------------------------------------


def _key(study: Judged, blocks: Sequence[Block]) -> list[Entry]:
    level = words.percent(study.settings["confidence"])
    bar = {"color": ink.MIDDLE}
    key = [Entry(f"main wording, {level} interval", ink.filled(ink.MIDDLE, "o"), bar)]
    if any(row["variant"] != "main" for row in study.rows("judgements")):
        key.append(Entry("paraphrase", ink.hollow(ink.MIDDLE, "o"), bar | {"linewidth": 0.5}))
    if any(block.usable and _tells_categories(block) for block in blocks):
        key.append(Entry("better than the baseline", band=heat.side(0.6)))
        key.append(Entry("worse", band=heat.side(-0.6)))
    return key + judged.grey_key(blocks)


def _notes(study: Judged, blocks: Sequence[Block]) -> list[str]:
    settings = study.settings
    tasks = [block.task for block in blocks]
    metrics = {row["metric"] for row in study.rows("judgements")}
    first = [
        "A rating is the mean over questions of the expected value on the judge's scale, by the "
        "judge's probabilities of the digits; the axis is the part of the scale that holds all "
        "intervals. n: questions with a verdict.",
        f"Intervals: {words.bootstrap_note(settings, tasks)}, the same draws under the persona "
        "and under the baseline.",
    ]
    tested = [row for row in study.rows("judgement_contrasts") if row["p_holm"] is not None]
    if tested:
        tests = " or ".join(sorted({row["test"] for row in tested}))
        first.append(
            f"p: {tests} test, adjusted by Holm's method over all measures and personas of a "
            "judge, model and task."
        )
    level = words.percent(settings["confidence"])
    for id_, one in settings["judged_metrics"].items():
        if id_ in metrics:
            said = f"{one['title'].split(' (')[0]}: {one['definition'].replace('`', '')}"
            source = "our own definition" if one["own"] else one["source"]
            said += f" ({source})" if source else ""
            wilson = one["unit"] == "share" and one["contrast"] == "paired"
            said += f", with Wilson score intervals ({level})" if wilson else ""
            first.append(f"{said}.")
    told = any(_tells_categories(block) for block in blocks)
    if told:
        first.append("By category: bold where the interval, not adjusted, excludes zero.")
    first += judged.panel_note(blocks, judged.RATINGS)
    rows = study.rows("judgements", category=ALL)
    few = words.too_few_note(settings, [{"n": row["n"]} for row in rows])
    small = [row for row in study.rows("judgement_contrasts") if study.few(row, "n", "difference")]
    if told and any(row["category"] not in (ALL, RISKY) for row in small):
        below = settings["too_few_below"]
        few.append(f"In a category a dot stands for fewer than {below} questions, too few.")
    return judged.notes(study, tasks, [block.judge for block in blocks], [*first, *few])
