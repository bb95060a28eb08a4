"""What personas say where raters differ: cross-entropy, concentration, accuracy by consensus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from .. import drawing
from ..distributions import ALL, AMBIGUOUS, CONSENSUS, GAPS

_PANELS = {
    "cross_entropy": "cross-entropy with the raters, in nats",
    "disagreement_gap": "how much more two draws from the model differ than two raters",
    "entropy_gap": "entropy of the model minus that of the raters, in nats",
    "accuracy": "accuracy in percent, by the reference",
}


def rows(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> pl.DataFrame:
    """One row per point; see `drawing.row`.

    The line of the cross-entropy is the entropy of the raters, its least value, and that of the
    gap is 0: the gap in disagreement, which few raters do not bias, or that in entropy where the
    number of raters is not known.
    """
    found = []
    for _, part in tables["ambiguity"].group_by("model", "task", maintain_order=True):
        least = part.filter(items=ALL, metric="entropy_raters")["value"]
        lines = {"cross_entropy": least[0] if len(least) else None}
        counted = "disagreement_gap" in part["metric"]
        other = "entropy_gap" if counted else "disagreement_gap"
        for metric, title in _PANELS.items():
            if metric == other:
                continue
            share = metric == "accuracy"
            for row in part.filter(metric=metric).iter_rows(named=True):
                if share == (row["items"] == ALL):
                    continue
                if not share or row["items"] in (CONSENSUS, AMBIGUOUS):
                    point = drawing.row(
                        row,
                        settings,
                        panel=title,
                        what=row["items"],
                        hollow=row["items"] == AMBIGUOUS,
                        line=0.0 if metric in GAPS else lines.get(metric),
                        share=share,
                        signed=metric in GAPS,
                    )
                    if share:
                        point["label"] += f", {row['items']}"
                    found.append(point)
    return drawing.table(found)


def spec(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The specification: points with intervals and words."""
    return drawing.spec(settings, _about(settings))


def _about(settings: Mapping[str, Any]) -> str:
    tasks = settings["ambiguity"]
    return (
        "The model's probabilities of the levels against the distribution of several raters over "
        "them. The line of the cross-entropy is the entropy of the raters, below which it cannot "
        "be. Left of 0 the model is more concentrated than the raters: two answers drawn from it "
        "differ less often than two raters, or, where their number is not known, its entropy is "
        "less than theirs (which is too small of few raters). Accuracy where all raters say the "
        "same (filled), and where they differ (hollow); an invalid answer counts as wrong. "
        f"{drawing.notes(settings, tasks)}"
    )
