"""What is measured of a judge's classes of answers to planted and clean cases.

They are apart from `judged.py`, as they are read when Snakemake starts.
"""

from ...measures.metric import Metric

METRICS = (
    Metric(
        "proactivity",
        "Proactivity",
        "share",
        "high",
        "paired",
        "planted items whose answer names a problem / judged planted items",
        source="idea BehaviorSFT 2025; definition own",
    ),
    Metric(
        "over_intervention",
        "Over-intervention",
        "share",
        "low",
        "paired",
        "clean items whose answer names or raises a problem / judged clean items",
        own=True,
    ),
    Metric(
        "initiative_f1",
        "Macro F1 of planted and clean",
        "share",
        "high",
        "resampled",
        "macro F1 over planted and clean items, from the same answers",
        source="name BehaviorSFT 2025; averaging own",
    ),
)
