"""What tuning does to personas, in words: three sentences a task and tuned model."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...names import ALL
from ...words import (
    Row,
    Settings,
    Tables,
    named,
    p_text,
    place_of,
    points,
    points_within,
    share,
)


def tuning(tables: Tables, settings: Settings, statistics: Settings) -> Iterator[str]:
    """Of studies that ask a model with and without an adapter."""
    table = tables["tuning"].filter(
        (pl.col("metric") == "accuracy") | (pl.col("measure") == "flips")
    )
    alpha = 1 - settings["confidence"]
    for (model, task), part in table.group_by("model", "task", maintain_order=True):
        where = f"- {place_of(settings, str(model), str(task))}{_mix(part, settings)}"
        (base,) = part.filter(measure="change", persona=settings["baseline"]).iter_rows(named=True)
        said = [
            f"the baseline's accuracy is {_side(base, 'before')} before tuning and "
            f"{_side(base, 'after')} after it (n = {base['n']}, invalid "
            f"{base['n_invalid_before']} and {base['n_invalid_after']})."
        ]
        effects = part.filter(measure="effect")
        if effects.height:
            said += [_effects(effects, part), _shown(effects, alpha, settings)]
        yield f"{where}: {' '.join(said)}"


def _mix(part: pl.DataFrame, settings: Settings) -> str:
    """The personas of the training, where they are known."""
    mix = part.item(0, "trained_with")
    if mix is None:
        return ""
    known = settings["personas"]
    titles = [known[one]["title"] if one in known else one for one in mix.split(", ")]
    return f" (trained with {'; '.join(titles)})"


def _side(row: Row, side: str) -> str:
    return share(row[side], row[f"{side}_low"], row[f"{side}_high"])


def _effects(effects: pl.DataFrame, part: pl.DataFrame) -> str:
    """The effects before and after, and the spread and the flips of all personas."""
    (flips,) = part.filter(measure="flips", persona=ALL).iter_rows(named=True)
    ends = [
        f"{points(effects[side].min())} to {points(effects[side].max())}"
        for side in ("before", "after")
    ]
    text = (
        f"Effects of {effects.height} personas were {ends[0]} points and are {ends[1]}; their "
        f"answers differ from the baseline's in {_side(flips, 'before')} and "
        f"{_side(flips, 'after')} of items ({points(flips['difference'])} points "
        f"{points_within(flips['low'], flips['high'])})"
    )
    for row in part.filter(measure="spread").iter_rows(named=True):
        within = [_spread(row, side) for side in ("before", "after")]
        text += (
            f", with a spread of {within[0]} and {within[1]} points ({points(row['difference'])} "
            f"points {points_within(row['low'], row['high'])})"
        )
    return f"{text}."


def _spread(row: Row, side: str) -> str:
    value, low, high = (row[f"{side}{end}"] for end in ("", "_low", "_high"))
    within = "" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
    if low == high == 0:
        within = " [no more than chance in the items]"
    return f"{100 * value:.1f}{within}"


def _shown(effects: pl.DataFrame, alpha: float, settings: Settings) -> str:
    """Which effects differ, and what the intervals of the others leave open."""
    tested = effects.filter("in_family")
    shown = tested.filter(pl.col("p_holm") <= alpha)
    names = "; ".join(
        f"{named(settings, row['persona'])} {points(row['difference'])} points "
        f"{points_within(row['low'], row['high'])}, p (Holm) {p_text(row['p_holm'])}"
        for row in shown.iter_rows(named=True)
    )
    text = (
        f"That tuning changed the effect is shown for {shown.height} of {tested.height} tested"
        + (f" ({names})" if names else "")
    )
    rest = effects.filter(~pl.col("persona").is_in(shown["persona"].to_list()))
    known = rest.drop_nulls(["low", "high"])
    if known.height:
        text += (
            f"; for the others the intervals reach from {points(known['low'].min())} to "
            f"{points(known['high'].max())} points, and changes within them are not excluded"
        )
    return f"{text}."
