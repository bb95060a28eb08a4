"""What every persona adds to the baseline's accuracy in groups of the items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....figures import ink, marks, typeset, words
from ....figures.cells import Cells, all_invalid, read_cells
from ....figures.page import Entry, Sheet, model_key, over_panels

_COLUMNS = 6
_WIDEST_MM = 45.0
_GAP_MM = 2.5
_HEADING_MM, _ROW_MM = 3.8, 3.3
_MODEL_MM, _BETWEEN_MM = 2.5, 1.0  # rows of several models in a group, and between the groups
_TICKS_MM, _LABEL_MM = 5.0, 7.5
_STAR_MM = 2.0
_GROUP_MM = 26.0  # widest name of a group
_WARNING = "⚠"
_STAR = "*"
_COUNT = "inv."
_VALUES = ("difference", "difference_low", "difference_high")

Group = tuple[str, str]
Row = Mapping[str, Any]


def draw(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Figure:
    """Draw the figure; its caption says what it shows."""
    with ink.context(tables, settings):
        found = tables["subgroups"].filter(pl.col("metric") == "accuracy")
        rows = {
            (row["model"], row["task"], row["persona"], row["subgroup"], row["group"]): row
            for row in found.iter_rows(named=True)
        }
        return _draw(_Shown(read_cells(tables["cells"]), rows, settings))


@dataclass(frozen=True)
class _Shown:
    """What is drawn: cells, accuracy by model, task, persona and group, settings."""

    cells: Cells
    rows: Mapping[tuple[str, str, str, str, str], Row]
    settings: Mapping[str, Any]

    @property
    def tasks(self) -> list[str]:
        """Tasks with groups, in the study's order."""
        return [task for task in self.cells.tasks if any(key[1] == task for key in self.rows)]

    @property
    def personas(self) -> list[str]:
        """Personas beside the baseline, in the study's order."""
        known = {key[2] for key in self.rows} - {self.settings["baseline"]}
        return [persona for persona in self.cells.personas if persona in known]

    def of(self, task: str) -> list[Row]:
        """Rows of a task, the baseline's not among them."""
        personas = set(self.personas)
        return [row for key, row in self.rows.items() if key[1] == task and key[2] in personas]

    def get(self, model: str, task: str, persona: str, group: Group) -> Row | None:
        """The row of a persona in a group, or None."""
        return self.rows.get((model, task, persona, *group))


@dataclass(frozen=True)
class _Places:
    """Where the groups of a task stand, in mm below the top of a panel."""

    headings: dict[str, float]
    place: dict[tuple[Group, str], float]
    height: float

    @property
    def groups(self) -> list[Group]:
        """All groups, from the top."""
        return list(dict.fromkeys(group for group, _ in self.place))

    def centre(self, group: Group) -> float:
        """Middle of a group's rows."""
        mine = [y for (other, _), y in self.place.items() if other == group]
        return (mine[0] + mine[-1]) / 2


def _places(study: _Shown, task: str) -> _Places:
    groups = dict.fromkeys((row["subgroup"], row["group"]) for row in study.of(task))
    several = len(study.cells.models) > 1
    pitch, between = (_MODEL_MM, _BETWEEN_MM) if several else (_ROW_MM, 0.0)
    headings: dict[str, float] = {}
    place: dict[tuple[Group, str], float] = {}
    top = 0.0
    for subgroup in dict.fromkeys(subgroup for subgroup, _ in groups):
        headings[subgroup] = top + _HEADING_MM / 2
        top += _HEADING_MM
        for group in groups:
            if group[0] != subgroup:
                continue
            for model in study.cells.models:
                place[group, model] = top + pitch / 2
                top += pitch
            top += between
    return _Places(headings, place, top)


@dataclass(frozen=True)
class _Labels:
    """The column of groups: right edges of its parts and its width, in mm."""

    n: float
    invalid: float
    width: float


def _labels(study: _Shown) -> _Labels:
    rows = study.rows.values()
    names = [typeset.wrap(f"{_WARNING} {row['group']}", _GROUP_MM, ink.SMALL_PT) for row in rows]
    names += [study.settings["tasks"][row["task"]]["subgroups"][row["subgroup"]] for row in rows]
    lines = {line for name in names for line in name.split("\n")}
    n = 2 + max(typeset.width_of(line, ink.SMALL_PT, "bold") for line in lines)
    n += max(typeset.width_of(f"{row['n']}", ink.SMALL_PT) for row in rows)
    invalid = n + 2 + _count_width(study)
    return _Labels(n, invalid, invalid + 2.5)


def _count_width(study: _Shown) -> float:
    names = ("n_invalid", "n_invalid_baseline")
    texts = {str(row[name]) for row in study.rows.values() for name in names}
    return max(typeset.width_of(text, ink.SMALL_PT) for text in {*texts, _COUNT})


@dataclass(frozen=True)
class _Grid:
    """The panels of the personas: how many side by side, and their widths in mm."""

    columns: int
    pitch: float
    plot: float
    titles: dict[str, str]

    @property
    def title_height(self) -> float:
        """Height of the titles of one line of panels."""
        return max(typeset.height_of(title, ink.TEXT_PT) for title in self.titles.values()) + 0.8


def _grid(study: _Shown, labels: _Labels) -> _Grid:
    n = len(study.personas)
    lines = -(-n // _COLUMNS)
    columns = -(-n // lines)
    pitch = min((ink.INNER_MM - labels.width + _GAP_MM) / columns, _WIDEST_MM)
    plot = pitch - _GAP_MM - _STAR_MM - _count_width(study)
    names = {persona: study.settings["personas"][persona]["title"] for persona in study.personas}
    titles = {p: typeset.wrap(name, plot, ink.TEXT_PT, "bold") for p, name in names.items()}
    return _Grid(columns, pitch, plot, titles)


def _draw(study: _Shown) -> Figure:
    settings = study.settings
    subtitle = "Effects in subgroups: accuracy under a persona minus accuracy under the baseline"
    subtitle += words.of_model(study.cells, settings)
    if not study.personas:
        return _draw_empty(study, subtitle)
    labels = _labels(study)
    grid = _grid(study, labels)
    places = {task: _places(study, task) for task in study.tasks}
    lines = -(-len(study.personas) // grid.columns)
    titles = {task: _title(study, task) for task in study.tasks}
    heights = {
        task: titles[task].head
        + lines * (grid.title_height + places[task].height + _TICKS_MM)
        + _LABEL_MM
        for task in study.tasks
    }
    sheet = Sheet(settings, subtitle, sum(heights.values()) - 3, _key(study), _notes(study))
    top = 0.0
    for task in study.tasks:
        title = titles[task]
        sheet.text(0, top, title.text, size=ink.PANEL_PT, weight="bold")
        sheet.text(title.left, top + title.below, title.subtitle)
        here = places[task]
        _draw_task(sheet, study, task, places=here, labels=labels, grid=grid, top=top + title.head)
        top += heights[task]
    return sheet.figure


@dataclass(frozen=True)
class _Title:
    """Title of a task; where its subtitle stands, beside it or below; the height of both."""

    text: str
    subtitle: str
    left: float
    below: float
    head: float


def _title(study: _Shown, task: str) -> _Title:
    text, more = over_panels(words.task_title(study.settings["tasks"][task]))
    subtitle = _subtitle(study, task)
    line = typeset.height_of("", ink.PANEL_PT)
    left = typeset.width_of(text, ink.PANEL_PT, "bold") + 3
    if not more and left + typeset.width_of(subtitle, ink.TEXT_PT) <= ink.INNER_MM:
        return _Title(text, subtitle, left, 0.25, line + 2.0)
    subtitle = typeset.wrap(subtitle, ink.INNER_MM, ink.TEXT_PT)
    below = more + line
    return _Title(
        text, subtitle, 0.0, below, below + typeset.height_of(subtitle, ink.TEXT_PT) + 2.0
    )


def _draw_empty(study: _Shown, subtitle: str) -> Figure:
    """A page that says why there is no figure."""
    declared = any(study.settings["tasks"][task]["subgroups"] for task in study.cells.tasks)
    text = words.NO_PERSONA if declared else "The data sets of this study declare no subgroups."
    notes = [words.study_note(study.settings, study.cells.tasks)]
    sheet = Sheet(study.settings, subtitle, 8.0, [], notes)
    sheet.text(0, 3.0, text)
    return sheet.figure


def _subtitle(study: _Shown, task: str) -> str:
    n = words.n_text(row["n"] for row in study.cells.main(task))
    return f"{n} items, each under the persona and the baseline"


def _draw_task(
    sheet: Sheet,
    study: _Shown,
    task: str,
    *,
    places: _Places,
    labels: _Labels,
    grid: _Grid,
    top: float,
) -> None:
    """Draw the panels of a task, and beside every line of them the groups."""
    limit, settings = _limit(study, task), study.settings
    last = len(study.personas) - 1
    for i, persona in enumerate(study.personas):
        line, column = divmod(i, grid.columns)
        head = top + line * (grid.title_height + places.height + _TICKS_MM)
        panel = head + grid.title_height
        if column == 0:
            _label(sheet, study, task, places, labels, top=panel)
        left = labels.width + column * grid.pitch
        count = left + grid.pitch - _GAP_MM
        title_top = panel - 0.8 - typeset.height_of(grid.titles[persona], ink.TEXT_PT)
        sheet.text(left, title_top, grid.titles[persona], weight="bold")
        faint: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "right", "color": ink.MIDDLE}
        sheet.text(count, panel - 0.8, _COUNT, anchor="bottom", **faint)
        axes = sheet.axes(left, panel, grid.plot, places.height)
        marks.points_axis(axes, limit, 4)
        axes.set_ylim(places.height, 0)
        axes.set_yticks([])
        if i + grid.columns > last and column == 0:
            # One label for the line of panels, in their middle.
            middle = left + min(grid.columns, len(study.personas)) * grid.pitch / 2
            text = "Difference in accuracy (percentage points)"
            below = top + (line + 1) * (grid.title_height + places.height + _TICKS_MM)
            sheet.text(middle, below - 0.4, text, ha="center")
        for (group, model), y in places.place.items():
            axes.axhline(y, color=ink.PALE, linewidth=0.4, zorder=0)
            row = study.get(model, task, persona, group)
            _draw_row(axes, study, row, y, f"{model}|{task}|{persona}|{'|'.join(group)}")
            if row is None:
                continue
            look: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "right"}
            sheet.text(count, panel + y, str(row["n_invalid"]), anchor="middle", **look)
            p = None if words.instead(row, settings, "difference") else row["p_holm"]
            if p is not None and p < 1 - settings["confidence"]:
                x = left + grid.plot + _STAR_MM / 2
                star: dict[str, Any] = {"ha": "center", "weight": "bold", "gid": "star"}
                sheet.text(x, panel + y + 0.5, _STAR, anchor="middle", **star)


def _label(
    sheet: Sheet, study: _Shown, task: str, places: _Places, labels: _Labels, *, top: float
) -> None:
    """Write the groups with n and the baseline's invalid answers along a line of panels."""
    settings = study.settings
    faint: dict[str, Any] = {"size": ink.SMALL_PT, "color": ink.MIDDLE}
    for x, head in ((labels.n, "n"), (labels.invalid, _COUNT)):
        sheet.text(x, top - 0.8, head, anchor="bottom", ha="right", **faint)
    for subgroup, y in places.headings.items():
        title = settings["tasks"][task]["subgroups"][subgroup]
        sheet.text(0, top + y, title, anchor="middle", weight="bold", **faint)
    right: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "right", "anchor": "middle"}
    of_task = study.of(task)
    for group in places.groups:
        rows = [row for row in of_task if (row["subgroup"], row["group"]) == group]
        y = top + places.centre(group)
        name = f"{_WARNING} {group[1]}" if any(row["small"] for row in rows) else group[1]
        name = typeset.wrap(name, _GROUP_MM, ink.SMALL_PT)
        sheet.text(0, y, name, size=ink.SMALL_PT, anchor="middle")
        sheet.text(labels.n, y, words.n_text(row["n"] for row in rows)[4:], **right)
        for model in study.cells.models:
            counts = {row["n_invalid_baseline"] for row in rows if row["model"] == model}
            for count in sorted(counts):
                sheet.text(labels.invalid, top + places.place[group, model], str(count), **right)


def _limit(study: _Shown, task: str) -> float:
    """Half the width of the panels of a task: intervals of small groups may reach beyond."""
    rows = [row for row in study.of(task) if not words.instead(row, study.settings, "difference")]
    wide = [row for row in rows if not row["small"]] or rows
    shares = [row["difference"] for row in rows]
    return marks.points_limit([*shares, *(row[name] for row in wide for name in _VALUES[1:])])


def _draw_row(axes: Axes, study: _Shown, row: Row | None, y: float, name: str) -> None:
    """Draw the effect in a group: hollow on grey where it is small."""
    text = words.instead(row, study.settings, "difference")
    if row is None or text is not None:
        look: dict[str, Any] = {"size": ink.SMALL_PT, "ha": "center", "va": "center_baseline"}
        look["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
        axes.text(0, y, text or "", color=ink.MIDDLE, **look)
        return
    persona = ink.looks(study.cells.personas)[row["persona"]]
    marker = ink.model_markers(study.cells.models)[row["model"]] or persona.marker
    x = 100 * row["difference"]
    if row["difference_low"] is not None and row["difference_high"] is not None:
        low, high = 100 * row["difference_low"], 100 * row["difference_high"]
        colour = ink.GREY if row["small"] else persona.colour
        marks.interval(axes, [low, high], [y, y], f"interval|{name}", color=colour, clip_on=True)
        edge = axes.get_xlim()[1]
        for sign, beyond in ((-1, low < -edge), (1, high > edge)):
            if beyond:
                arrow = {"marker": "<" if sign < 0 else ">", "color": ink.GREY, "markersize": 2.2}
                marks.point(axes, sign * edge, y, f"beyond|{name}", **arrow)
    shape = ink.hollow if row["small"] else ink.filled
    marks.point(axes, x, y, f"point|{name}", **shape(persona.colour, marker, 3.6))
    if all_invalid(row):
        marks.strike(axes, x, y, f"struck|{name}", small=True)


def _key(study: _Shown) -> list[Entry]:
    settings = study.settings
    rows = [row for task in study.tasks for row in study.of(task)]
    key = model_key(study.cells, settings)
    level = words.percent(settings["confidence"])
    text = f"group, {level} paired bootstrap interval"
    key.append(Entry(text, ink.filled(ink.MIDDLE, "o", 3.6), {"color": ink.MIDDLE}))
    if any(row["small"] for row in rows):
        text = f"{_WARNING} small group, n < {settings['small_group_below']}: read with caution"
        key.append(Entry(text, ink.hollow(ink.MIDDLE, "o", 3.6), {"color": ink.GREY}))
    if any(row["p_holm"] is not None for row in rows):
        alpha = f"{1 - settings['confidence']:g}"
        key.append(Entry(f"p (Holm) < {alpha}", sign=_STAR))
    if any(all_invalid(row) for row in rows):
        key.append(Entry("every answer invalid", ink.STRUCK))
    return key


def _notes(study: _Shown) -> list[str]:
    settings = study.settings
    rows = [row for task in study.tasks for row in study.of(task)]
    notes = [
        "Main wordings. n: pairs of a group, the same item under the persona and under the "
        f"baseline. {_COUNT}: invalid answers among the n, beside n under the baseline, in a "
        "panel under the persona; they count as wrong (our own definition).",
        f"Intervals: {words.bootstrap_note(settings, study.tasks)}, the same draws on both sides; "
        "not adjusted for the number of groups.",
    ]
    if any(row["p_holm"] is not None for row in rows):
        notes.append("Holm: p adjusted over all groups and personas of a model and a task.")
    limits = {task: _limit(study, task) / 100 for task in study.tasks}
    if any(
        row[name] is not None and abs(row[name]) > limits[row["task"]]
        for row in rows
        if not words.instead(row, settings, "difference")
        for name in _VALUES[1:]
    ):
        notes.append("An arrow: the interval of a small group goes on beyond the panel.")
    notes += words.too_few_note(settings, rows)
    lacking = [
        settings["tasks"][task]["title"] for task in study.cells.tasks if task not in study.tasks
    ]
    if lacking:
        notes.append(f"Without subgroups in their data sets: {', '.join(lacking)}.")
    return [*notes, words.study_note(settings, study.tasks)]
