"""How the loss fell while an adapter was trained."""

from __future__ import annotations

from typing import Any

import polars as pl
from matplotlib.figure import Figure

from ..figures import ink
from ..figures.page import Entry, Sheet

HEIGHT, LEFT, RIGHT, BELOW = 60.0, 12.0, 4.0, 10.0
_STEP: dict[str, Any] = {"color": ink.GREY, "linewidth": 0.5}
_EPOCH: dict[str, Any] = {"color": ink.DARK, "linewidth": 1.5}


def by_epoch(losses: pl.DataFrame) -> pl.DataFrame:
    """Mean loss of an epoch's examples, and its first and last step.

    Args:
        losses: with `step`, `epoch`, `examples` and the mean `loss` of a step's examples.
    """
    mean = (pl.col("loss") * pl.col("examples")).sum() / pl.col("examples").sum()
    first, last = pl.col("step").min().alias("first"), pl.col("step").max().alias("last")
    return losses.group_by("epoch").agg(first, last, mean.alias("loss")).sort("epoch")


def draw(losses: pl.DataFrame, adapter: str) -> Figure:
    """The loss of every step, and the mean of every epoch.

    Args:
        losses: see `by_epoch`.
        adapter: its id, for the title.
    """
    epochs = by_epoch(losses)
    with ink.context(adapter):
        sheet = Sheet(
            {"title": f"Training of {adapter}"},
            "Loss by step",
            HEIGHT,
            [Entry("step", line=_STEP), Entry("mean of an epoch", line=_EPOCH)],
            ["The loss is that of the training's own examples: it does not say how well the "
             "adapter does on others."],
        )  # fmt: skip
        axes = sheet.axes(LEFT, 2, ink.INNER_MM - LEFT - RIGHT, HEIGHT - BELOW)
        axes.plot(losses["step"].to_list(), losses["loss"].to_list(), **_STEP)
        for _, first, last, loss in epochs.iter_rows():
            axes.plot([first, last], [loss, loss], solid_capstyle="butt", **_EPOCH)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        return sheet.figure
