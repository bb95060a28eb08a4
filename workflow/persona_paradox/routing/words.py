"""Which persona to deploy, in words: never more than the intervals carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..words import (
    Row,
    Section,
    Settings,
    Tables,
    number,
    p_text,
    percent,
    points,
    points_within,
    share,
)
from .policies import BEST_SINGLE, FIXED, ORACLE
from .titles import RATES, origin_of, title_of

Rows = Sequence[Row]


def _policies(tables: Tables, settings: Settings, _: Settings) -> Iterator[str]:
    for (model, origin), part in tables["policies"].group_by(
        "model", "origin", maintain_order=True
    ):
        rows = [*part.iter_rows(named=True)]
        where = f"{settings['models'][model]}, {origin_of(str(origin))}"
        yield f"**{where}** (n = {rows[0]['n_items']} items)"
        yield ""
        yield recommendation(rows, settings)
        yield ""
        yield from _about(rows, settings)
        yield ""
    yield (
        "A policy was valued on items that it had not seen; what is recommended was fitted to all. "
        "Other patients, another model or other sentences may ask for another choice."
    )


def recommendation(rows: Rows, settings: Settings) -> str:
    """One paragraph: what to deploy, what it is worth, and how sure that is.

    Args:
        rows: of the table of policies, of one model and origin.
        settings: the view of the figures.
    """
    baseline = _baseline(rows, settings)
    if baseline["n_items"] < settings["too_few_below"]:
        return f"{baseline['n_items']} items are too few to recommend anything."
    level = settings["confidence"]
    allowed = [row for row in rows if row["policy"] != ORACLE and _holds(row, level)]
    others = [row for row in rows if row["policy"] != ORACLE and row is not baseline]
    shown = [
        row
        for row in allowed
        if row is not baseline and row["gain"] > 0 and _shown(row, "gain", level)
    ]
    if shown:
        return _deploy(_best(shown), len(shown), rows, settings)
    if baseline in allowed:
        # What breaks the limit is no alternative, however much it gains.
        best = _best([row for row in allowed if row is not baseline] or others)
        limit = f", which keeps {_limit(baseline)}" if baseline["constraint"] else ""
        return (
            f"**Nothing is shown to beat no persona{limit}: take none.** It is right in "
            f"{_value(baseline)}{_rate(baseline)}. The largest gain that was seen is that of "
            f"{_named(best, settings)}: {_gain(best)}{_rate(best)}. Up to "
            f"{points(best['gain_high'])} points are compatible with the answers; that there is no "
            "gain is not shown either."
        )
    if allowed:
        best = _best(allowed)
        return (
            f"**Without a persona the model does not keep {_limit(baseline)}**"
            f"{_rate(baseline)}. Of the {len(others)} other policies {len(allowed)} keep it "
            f"in at least {percent(level)} of the draws; of these {_named(best, settings)} has the "
            f"most right answers: {_gain(best)}, {_calls(best)}{_rate(best)}. "
            + (
                "That it is right less often than no persona is shown."
                if best["gain"] < 0 and _shown(best, "gain", level)
                else "That it is right more often than no persona, or less, is not shown."
            )
            + " It was picked among several after the fact, and its interval does not count that."
        )
    nearest = min((baseline, *others), key=lambda row: (-row["holds"], row["rate"]))
    return (
        f"**No policy can be recommended: none keeps {_limit(baseline)} in at least "
        f"{percent(level)} of the draws.** The nearest is {_named(nearest, settings)}"
        f"{_rate(nearest)}; no persona has{_rate(baseline)[1:]}."
    )


def _deploy(row: Row, n_shown: int, rows: Rows, settings: Settings) -> str:
    level = settings["confidence"]
    single = next(one for one in rows if one["policy"] == BEST_SINGLE)
    text = f"**Take {_named(row, settings)}**: {_gain(row)}, {_calls(row)}{_rate(row)}."
    if row["rule"] and row["policy"] not in (FIXED, "majority", "mean_probability"):
        text += f" Fitted to all items it is: {row['rule']}."
    if row["regret_p_holm"] is not None:
        better = row["regret"] < 0 and _shown(row, "regret", level)
        text += (
            f" That it is better than the best single persona is {'' if better else 'not '}shown: "
            f"{points(-row['regret'])} points "
            f"{points_within(_minus(row['regret_high']), _minus(row['regret_low']))}, p (Holm) "
            f"{p_text(row['regret_p_holm'])}."
        )
        cheaper = single["calls"] < row["calls"]
        if not better and cheaper and single["gain"] > 0 and _shown(single, "gain", level):
            text += (
                f" The best single persona takes {single['calls']:.1f} calls, and is shown to beat "
                f"none, too: {_gain(single)}."
            )
    if n_shown > 1:
        text += (
            f" It has the highest value of {n_shown} policies that are shown to beat no persona, "
            "and its interval does not count that it was picked among them."
        )
    return text


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _about(rows: Rows, settings: Settings) -> Iterator[str]:
    """What the choice costs, what it could gain at most, and how much of it was luck."""
    baseline = _baseline(rows, settings)
    single = next(row for row in rows if row["policy"] == BEST_SINGLE)
    best = next(row for row in rows if row["policy"] == ORACLE)
    tested = [row for row in rows if row["gain_p"] is not None]
    shown = [row for row in tested if _shown(row, "gain", settings["confidence"])]
    yield (
        f"- No persona: right in {_value(baseline)}, {baseline['n_invalid']} answers invalid"
        f"{_rate(baseline)}{_cost(baseline)}."
    )
    yield (
        f"- The best single persona, picked on the items that it is valued on: "
        f"{100 * single['value_in_sample']:.1f}%; on items that it was not picked on: "
        f"{_value(single)}{_cost(single)}."
    )
    fall = max(rows, key=lambda row: row["value_in_sample"] - row["value"])
    if fall["value_in_sample"] > fall["value"]:
        yield (
            f"- The largest fall from seen to unseen items is that of {_named(fall, settings)}: "
            f"{100 * fall['value_in_sample']:.1f}% to {_value(fall)}."
        )
    yield (
        f"- An oracle, which asks a right persona wherever there is one: {_value(best)}. No rule "
        "can pass it, and none need come near."
    )
    yield (
        f"- Of {len(tested)} policies {len(shown)} are shown to differ from no persona (p by Holm "
        f"at most {percent(1 - settings['confidence'])}), {sum(row['gain'] > 0 for row in shown)} "
        "of them for the better."
    )


def _baseline(rows: Rows, settings: Settings) -> Row:
    return next(row for row in rows if row["policy"] == FIXED and row["by"] == settings["baseline"])


def _shown(row: Row, name: str, level: float) -> bool:
    """Whether a difference is shown after Holm's adjustment."""
    p: float | None = row[f"{name}_p_holm"]
    return p is not None and p <= 1 - level


def _holds(row: Row, level: float) -> bool:
    """Whether a policy keeps the limit, as far as the draws tell."""
    return row["holds"] is None or row["holds"] >= level


def _best(rows: Rows) -> Row:
    """The most right answers; of several the fewest calls."""
    return min(rows, key=lambda row: (-row["value"], row["calls"]))


def _named(row: Row, settings: Settings) -> str:
    if row["policy"] == FIXED and row["by"] == settings["baseline"]:
        return "no persona"
    return f"“{title_of(row, settings)}”"


def _value(row: Row) -> str:
    return share(row["value"], row["low"], row["high"])


def _gain(row: Row) -> str:
    p = "" if row["gain_p_holm"] is None else f", p (Holm) {p_text(row['gain_p_holm'])}"
    return (
        f"{points(row['gain'])} points {points_within(row['gain_low'], row['gain_high'])} against "
        f"no persona{p}"
    )


def _calls(row: Row) -> str:
    return f"{row['calls']:.1f} calls per item"


def _cost(row: Row) -> str:
    """The mean cost of a policy's valid answers, behind a comma; nothing where they have none."""
    if row["cost"] is None:
        return ""
    return f", mean cost {number(row['cost'], row['cost_low'], row['cost_high'])}"


def _limit(row: Row) -> str:
    return f"{RATES[row['constraint']]} at or below {percent(row['at_most'])}"


def _rate(row: Row) -> str:
    """The limited rate of a policy, behind a comma; nothing where none is."""
    if row["rate"] is None:
        return ""
    return (
        f", {RATES[row['constraint']]} {share(row['rate'], row['rate_low'], row['rate_high'])}, "
        f"at or below {percent(row['at_most'])} in {100 * row['holds']:.0f}% of the draws"
    )


SECTIONS: tuple[Section, ...] = (("Which persona to take", ("policies",), _policies),)
