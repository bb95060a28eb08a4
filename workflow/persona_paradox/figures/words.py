"""The words of figures: numbers, n, what stands in the place of a number, notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .cells import Cells


def number(value: float, digits: int, signed: bool = False) -> str:
    """A number with a true minus sign; zero has none."""
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share in percent: 0.95 → 95%."""
    return f"{100 * share:g}%"


def with_interval(
    row: Mapping[str, Any], digits: int, scale: float = 1.0, *, signed: bool = False
) -> str:
    """A value and its interval in words."""
    names = ("difference", "low", "high") if "difference" in row else ("value", "low", "high")
    texts = [
        "–" if row[name] is None else number(scale * row[name], digits, signed) for name in names
    ]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def p_text(value: float | None) -> str:
    """A p value in words."""
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def n_text(numbers: Iterable[int]) -> str:
    """`n = 60`, or `n = 58–60` where cells differ."""
    known = sorted(set(numbers))
    if not known:
        return "n = 0"
    return f"n = {known[0]}" if len(known) == 1 else f"n = {known[0]}–{known[-1]}"


def task_title(task: Mapping[str, Any]) -> str:
    """Title of a task, marked where its cases were written for teaching."""
    marked = not task["teaching"] or "teaching" in task["title"].lower()
    title: str = task["title"] if marked else f"{task['title']} (teaching cases)"
    return title


def title_of(key: str, id_: str, settings: Mapping[str, Any]) -> str:
    """What a context is called, or a group of personas: `key` is `contexts` or `groups`."""
    return str({one["id"]: one["title"] for one in settings[key]}.get(id_, id_))


def of_model(cells: Cells, settings: Mapping[str, Any]) -> str:
    """Words that name the model, where there is one only and the key does not."""
    return f" · {settings['models'][cells.models[0]]}" if len(cells.models) == 1 else ""


def study_note(settings: Mapping[str, Any], tasks: Sequence[str]) -> str:
    """The note every figure ends with."""
    note = f"Study seed {settings['seed']}."
    samples = dict.fromkeys(settings["tasks"][task]["sample"] for task in tasks)
    note += "".join(f" {sample}" for sample in samples if sample is not None)
    if any(settings["tasks"][task]["teaching"] for task in tasks):
        note += " Author-written teaching cases, not clinically validated."
    return note + " Not medical advice."


def bootstrap_note(
    settings: Mapping[str, Any], tasks: Iterable[str] | None = None, interval: str | None = None
) -> str:
    """How a bootstrap interval was made, in these tasks, else in all of the study.

    The interval is of the study's kind, if no other is named: those of calibration figures are
    always "percentile", those of spreads "basic".
    """
    kind = (interval or settings["interval"]).replace("bca", "BCa")
    chosen = [settings["tasks"][task] for task in (settings["tasks"] if tasks is None else tasks)]
    clustered = [task["title"] for task in chosen if task["clustered"]]
    over = "items"
    if clustered:
        over = "clusters of items"
        if len(clustered) < len(chosen):
            over = f"items, in {' and '.join(clustered)} over clusters of items"
    return (
        f"{percent(settings['confidence'])} {kind} bootstrap intervals over {over} "
        f"({settings['draws']} draws, seed {settings['seed']})"
    )


def share_note(settings: Mapping[str, Any], tasks: Iterable[str]) -> str:
    """How the interval of a share of items was made in these tasks."""
    tasks = list(tasks)
    clustered = [task for task in tasks if settings["tasks"][task]["clustered"]]
    wilson = f"{percent(settings['confidence'])} Wilson score intervals, which need no draws"
    if not clustered:
        return f"{wilson} (the study's {settings['draws']} bootstrap draws are not used here)"
    bootstrap = bootstrap_note(settings, clustered)
    if len(clustered) == len(tasks):
        return bootstrap
    titles = " and ".join(settings["tasks"][task]["title"] for task in clustered)
    return f"{wilson}; in {titles} {bootstrap}"


def instead(
    row: Mapping[str, Any] | None, settings: Mapping[str, Any], name: str = "accuracy"
) -> str | None:
    """What a figure writes in the place of a number of a row; None where the number can stand."""
    if row is None:
        return "not available"
    if row["n"] < settings["too_few_below"]:
        return "too few"
    return "not available" if row[name] is None else None


def too_few_note(settings: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """What "too few" means, for the notes of a figure of these rows; nothing where none is."""
    below = settings["too_few_below"]
    if not any(row["n"] < below for row in rows):
        return []
    return [f"Too few: fewer than {below} items, of which no figure is drawn."]


ROBUST = "robust"  # the best of the verdicts
_VERDICT = (
    "Verdict (our own definition): an effect is robust where all wordings have it in one "
    "direction, and the larger of two p values, over the items and against the controls, is small "
    "after Holm's adjustment over the personas judged."
)
_BAND = (
    " Band: as far as one further control would lie at that level shared among them (cut where it "
    "is wider than the panel)."
)


def verdict_note(rows: Iterable[Mapping[str, Any]]) -> str:
    """What a verdict is, for the notes of a figure of these rows, and a band where one is drawn."""
    return _VERDICT + _BAND * any(row["beyond_low"] is not None for row in rows)


NO_PERSONA = "not available: the study has no persona beside the baseline"
