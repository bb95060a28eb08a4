"""What the figures of judged answers share: blocks by task, model and judge, and their words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..names import CLINICIANS, PANEL
from . import ink, words
from .cells import Cells
from .ink import Look
from .page import Entry
from .rows import Rows, rows_of

Row = dict[str, Any]

PAIRWISE, LISTWISE = "pairwise", "listwise"

NOT_USABLE = "NOT USABLE"
NOT_COMPARED = (
    "no judge compared answers in pairs (key pairs of a judge), or there are fewer than two "
    "personas to compare (key rankings.groups)"
)
PREFERENCES = (
    "Panel: the preference of most of the judges that have one, a tie where there are as many for "
    "either; consistent where all judges are."
)
RATINGS = (
    "Panel: the mean rating of all judges and the action of most; without a verdict where a judge "
    "has none or no action has the most voices."
)


@dataclass(frozen=True)
class Judged:
    """The tables of judged answers, as far as there are any, and the settings of the figures."""

    tables: Mapping[str, list[Row]]
    settings: Mapping[str, Any]

    def rows(self, table: str, **where: Any) -> list[Row]:
        """Rows of a table in which these columns have these values."""
        found = self.tables.get(table, [])
        for key, value in where.items():
            found = [row for row in found if row[key] == value]
        return list(found)

    def blocks(self, *tables: str) -> list[Block]:
        """The blocks of some tables: by task, then model, then judge, in the tables' order."""
        found: dict[tuple[str, str, str], bool] = {}
        for row in (row for table in tables for row in self.rows(table)):
            found[row["task"], row["model"], row["judge"]] = row.get("usable") is not False
        firsts = [list(dict.fromkeys(key[i] for key in found)) for i in range(3)]
        order = sorted(found, key=lambda key: [firsts[i].index(key[i]) for i in range(3)])
        return [Block(self, *key, found[key]) for key in order]

    def judge(self, id_: str) -> Mapping[str, Any]:
        """The settings of a judge; nothing for who has none."""
        judges: Mapping[str, Mapping[str, Any]] = self.settings["judges"]
        return judges.get(id_, {})

    def title(self, judge: str) -> str:
        """Name of a judge."""
        names = {PANEL: "Panel of all judges", CLINICIANS: "Clinicians"}
        return str(self.judge(judge).get("title") or names.get(judge, judge))

    def named(self, judge: str, model: str | None = None) -> str:
        """What a judge is called above what it says of a model, or of all models."""
        if judge in (PANEL, CLINICIANS):
            return self.title(judge)
        kin = self.judge(judge).get("kin", [])
        of_kin = bool(kin) if model is None else model in kin
        return f"Judge: {self.title(judge)}" + ", of the model's own family" * of_kin

    def question(self, task: str, id_: str) -> str:
        """Title of a question of a form, or of a rating."""
        asked = self.settings["tasks"][task]["questions"]
        judges = self.settings["judges"].values()
        rated = [one for j in judges for one in (*j["ratings"], *j.get("classes", ()))]
        titles = {one["id"]: one["title"] for one in [*rated, *asked]}
        return str(titles.get(id_, id_))

    @property
    def unusable(self) -> dict[str, str]:
        """Judges that are not usable by their own rule → why."""
        rows = self.rows("judges", metric="usable", met=False)
        return {row["judge"]: row["note"] or "no reason is given" for row in rows}

    @property
    def looks(self) -> dict[str, Look]:
        """Look of every persona, as in the figures of triage."""
        return ink.looks(self.settings["persona_order"])

    def place(self, personas: Iterable[str], variants: Sequence[str] = ()) -> Rows:
        """Rows of a panel: these personas in the study's order, group by group."""
        chosen = set(personas)
        order = self.settings["persona_order"]
        cells = Cells({}, [""], [], order, list(variants))
        return rows_of(cells, self.settings, [p for p in order if p in chosen])

    def few(self, row: Row, n: str = "n", value: str = "value") -> str | None:
        """What stands in the place of a number; None where the number can stand."""
        return words.instead({"n": row[n] or 0, value: row[value]}, self.settings, value)


@dataclass(frozen=True)
class Block:
    """What one judge says of one model's answers in one task."""

    study: Judged
    task: str
    model: str
    judge: str
    usable: bool

    def rows(self, table: str, **where: Any) -> list[Row]:
        """Rows of a table on this block, in which these columns have these values."""
        place = {"task": self.task, "model": self.model, "judge": self.judge}
        return self.study.rows(table, **place, **where)

    def gid(self, *more: str) -> str:
        """What a mark of this block is called."""
        return "|".join((self.judge, self.model, self.task, *more))

    def look(self, persona: str) -> tuple[str, Any]:
        """Colour and marker of a persona; grey where the judge is not usable."""
        look = self.study.looks[persona]
        return (look.colour if self.usable else ink.GREY, look.marker)

    @property
    def spec(self) -> Mapping[str, Any]:
        """Settings of the judge; of a panel those of one of its judges, which are of a kind."""
        if self.judge != PANEL:
            return self.study.judge(self.judge)
        rows = self.study.rows("judgements", task=self.task, model=self.model)
        return self.study.judge(next(row["judge"] for row in rows if row["judge"] != PANEL))

    @property
    def heading(self) -> str:
        """Task and model."""
        settings = self.study.settings
        return (
            f"{words.task_title(settings['tasks'][self.task])} · {settings['models'][self.model]}"
        )

    @property
    def name(self) -> str:
        """What the judge is called above what it says of the model."""
        return self.study.named(self.judge, self.model)

    @property
    def categories(self) -> list[Mapping[str, Any]]:
        """The categories of the questions that were judged, in the data set's order."""
        known = {row["category"] for row in self.rows("judgements")}
        of_task = self.study.settings["tasks"][self.task]["categories"]
        return [category for category in of_task if category["id"] in known]

    @property
    def groups(self) -> list[Mapping[str, Any]]:
        """The groups of questions that their kind tells apart besides; none of most."""
        return list(self.study.settings["tasks"][self.task].get("groups", ()))


def read(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Judged:
    """Arrange the tables; the tasks of the notes are the judged ones."""
    rows = {name: list(table.iter_rows(named=True)) for name, table in tables.items()}
    return Judged(rows, {**settings, "tasks": settings["judged_tasks"]})


# --- words ---------------------------------------------------------------------------------


def why_nothing(study: Judged, what: str) -> str:
    """Why a study has no judged answers of some kind, named by what is missing else."""
    if not study.settings["judged_tasks"]:
        return (
            "Nothing to show: the study has no task whose answers are judged, which are those of "
            "kind safety and those of triage with the key rationale."
        )
    if not study.settings["judges"]:
        return "Nothing to show: the study names no judge (key judges)."
    return f"Nothing to show: {what}."


def foot(study: Judged, tasks: Iterable[str]) -> str:
    """The note that ends every figure of these tasks."""
    return words.study_note(study.settings, list(dict.fromkeys(tasks)))


def notes(
    study: Judged, tasks: Iterable[str], judges: Iterable[str], first: list[str]
) -> list[str]:
    """The notes of a figure: its own, why judges are not usable, what the study is.

    Args:
        study: the study.
        tasks: ids of those shown.
        judges: ids of those shown.
        first: the figure's own notes.
    """
    shown = list(dict.fromkeys(judges))
    if PANEL in shown:
        shown += [judge for judge in study.settings["judges"] if judge not in shown]
    unusable = study.unusable
    reasons = [f"{study.title(j)}: {unusable[j]}." for j in shown if j in unusable]
    found = list(first)
    if reasons:
        found.append(
            f"{NOT_USABLE}, by the rule in the judge's own file, and drawn in grey: what such a "
            "judge says is no evidence about personas. " + " ".join(reasons)
        )
        if PANEL in shown:
            found.append("A panel is not usable where one of its judges is not.")
    return [*found, foot(study, tasks)]


def panel_note(blocks: Iterable[Block], what: str) -> list[str]:
    """What a panel says, where there is one."""
    return [what] if any(block.judge == PANEL for block in blocks) else []


def grey_key(blocks: Iterable[Block]) -> list[Entry]:
    """The entry for judges that are not usable, where there is one."""
    if all(block.usable for block in blocks):
        return []
    return [Entry("grey: the judge is not usable by its own rule", ink.filled(ink.GREY, "o"))]


def n_questions(rows: Iterable[Row], n: str = "n") -> str:
    """`n = 60 questions`, or a range."""
    text = words.n_text(row[n] for row in rows if row[n] is not None)
    return f"{text} question" + "s" * (text != "n = 1")


def unjudged(study: Judged, rows: Iterable[tuple[str, int, int]], what: str = "answers") -> str:
    """How many of every persona's answers have no verdict, in words.

    Args:
        study: the study.
        rows: persona, number without a verdict, number of all.
        what: is counted.
    """
    titles = study.settings["personas"]
    found = [f"{titles[p]['title']} {missing}/{n}" for p, missing, n in rows if missing]
    return f"unjudged {what}: {'; '.join(found)}" if found else f"no {what} unjudged"
