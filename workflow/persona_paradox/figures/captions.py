"""Captions of figures in Snakemake's report: templates that are filled with the study's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined

from .catalogue import Figure

# What every caption ends with.
_ALWAYS = """
The bundled teaching cases, marked as such, are author-written and not clinically validated; with
them this is a demonstration, not evidence about a model. Not medical advice.

A model marked “(server)” answered over a server: its answers are not bit-reproducible.
"""

# Nothing is escaped: a caption is reStructuredText, and it is docutils that makes HTML of it.
_ENVIRONMENT = Environment(  # noqa: S701 (see above)
    trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True
)


def caption(figure: Figure, settings: Mapping[str, Any]) -> str:
    """The caption of a figure, in reStructuredText.

    Args:
        figure: which one.
        settings: the settings of the study, with their defaults.
    """
    return _ENVIRONMENT.from_string(figure.caption).render(names(settings)) + _ALWAYS


class Captions(Mapping[str, str]):
    """Captions by the figure's id, each written when it is asked for."""

    def __init__(self, figures: Mapping[str, Figure], settings: Mapping[str, Any]) -> None:
        """Keep what captions are made of: figures by id, and the study's settings."""
        self._figures, self._settings = figures, settings

    def __getitem__(self, id_: str) -> str:
        """The caption of a figure."""
        return caption(self._figures[id_], self._settings)

    def __iter__(self) -> Iterator[str]:
        """Ids of the figures."""
        return iter(self._figures)

    def __len__(self) -> int:
        """How many figures there are."""
        return len(self._figures)


def names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a caption may name: numbers of the study, in words where several stand together.

    `level`, `power`: in percent. `interval`: `BCa` or `percentile`. `bootstrap`: what the study's
    intervals are; `percentile`: the same of percentile intervals, whatever the study's are.
    `sample`: in parentheses, where items are drawn; else nothing. `too_few`, `small`: below how
    many items no number is shown, and a warning is. `draws`, `seed`, `baseline`, `bins`,
    `binned_ece_warning_below` and `recalibrations` are keys of the study.
    """
    statistics, seed = settings["statistics"], settings["seed"]
    level = _percent(statistics["confidence"])
    interval = "BCa" if statistics["interval"] == "bca" else "percentile"
    over = "over items or clusters of items"
    drawn = f"({statistics['draws']} draws, seed {seed})"
    return {
        "level": level,
        "power": _percent(statistics["power"]),
        "interval": interval,
        "bootstrap": f"{level} {interval} bootstrap intervals {over} {drawn}",
        "percentile": f"{level} percentile bootstrap intervals {over} {drawn}",
        "sample": _sample(settings),
        "too_few": statistics["too_few_below"],
        "small": statistics["small_group_below"],
        "draws": statistics["draws"],
        "seed": seed,
        "baseline": settings["baseline"],
        "bins": statistics["bins"],
        "binned_ece_warning_below": statistics["binned_ece_warning_below"],
        "recalibrations": settings["recalibrations"],
    }


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _sample(settings: Mapping[str, Any]) -> str:
    # Arms have the items of their base: `base@arm`.
    bases = {task.partition("@")[0] for task in settings["tasks"]}
    most = [f"{settings['limit']} items per task"] if settings["limit"] else []
    most += [
        f"{limit} items of ``{task}``"
        for task, limit in settings["limits"].items()
        if limit and task in bases
    ]
    if not most:
        return ""
    return f" (at most {', '.join(most)}, drawn with seed {settings['seed']})"
