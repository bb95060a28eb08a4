"""How many turns answers hold, against a published example, by hand and by properties."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from persona_paradox.conversations import holding
from persona_paradox.conversations.holding import GAVE_WAY, HOLDS, UNKNOWN
from persona_paradox.conversations.survival import HELD, Held, curve, held_rows, product_limit

# Weeks of remission under 6-mercaptopurine: those that ended, and those that went on when last
# seen. Freireich et al. 1963 (Blood 21:699), as in R's data set MASS::gehan, after Gehan 1965
# (Biometrika 52:203) and Cox and Oakes 1984 (Analysis of Survival Data, p. 7).
ENDED = [6, 6, 6, 7, 10, 13, 16, 22, 23]
WENT_ON = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
WEEKS = [*ENDED, *WENT_ON]
# Week and Kaplan–Meier estimate, with the three digits of textbooks.
PUBLISHED = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
SETTINGS = {"draws": 400, "seed": 5, "interval": "percentile", "confidence": 0.95}


def leukaemia(turns: int = 35) -> Held:
    time = np.array(WEEKS)
    event = np.arange(len(WEEKS)) < len(ENDED)
    first = np.full(len(WEEKS), HOLDS)
    return Held(first, np.minimum(time, turns), event & (time <= turns), turns)


def test_the_curve_is_that_of_a_published_example() -> None:
    rows = {row["turn"]: row for row in curve(leukaemia(), 0.95)}
    for week, share in PUBLISHED.items():
        assert rows[week]["value"] == pytest.approx(share, abs=6e-4)
    # Greenwood's standard error is that of another library; log-log bounds of it by the textbook.
    fitted = SurvfuncRight(np.array(WEEKS), np.array([1] * len(ENDED) + [0] * len(WENT_ON)))
    assert fitted.surv_times.tolist() == [*PUBLISHED]
    for week, share, error in zip(
        fitted.surv_times, fitted.surv_prob, fitted.surv_prob_se, strict=True
    ):
        bounds = [
            share ** np.exp(z * error / (share * np.log(share))) for z in (1.959964, -1.959964)
        ]
        assert [rows[week][key] for key in ("low", "high")] == pytest.approx(
            sorted(bounds), abs=1e-6
        )
    assert [rows[6][f"n_{what}"] for what in ("at_risk", "events", "censored")] == [21, 3, 1]
    # Nobody relapsed before: Wilson's interval of 21 of 21.
    assert (rows[5]["value"], rows[5]["high"]) == (1, 1)
    assert rows[5]["low"] == pytest.approx(21 / (21 + 1.959964**2))
    # Weeks between are those before them.
    assert rows[12]["value"] == rows[10]["value"]


def test_the_restricted_mean_is_the_area_below_the_curve() -> None:
    # By hand, from the shares above: 6 + 1(.8571) + 3(.8067) + 3(.7529) + 3(.6902) + 6(.6275) +
    # 1(.5378) + 12(.4482). The step of the first turn begins at 0 there, and here at 1.
    area = 1 + leukaemia(34).restricted_mean()[HELD]
    assert area == pytest.approx(23.288, abs=1e-3)


def test_a_draw_counts_an_item_as_often_as_it_is_drawn() -> None:
    held = leukaemia()
    counts = np.random.default_rng(3).integers(0, 4, size=(5, len(WEEKS)))
    for row, drawn in zip(product_limit(held, counts.astype(float)), counts, strict=True):
        time, event = (np.repeat(one, drawn) for one in (held.time, held.event))
        fitted = SurvfuncRight(time, event.astype(int))
        for turn in range(1, 24):
            before = fitted.surv_times <= turn
            expected = fitted.surv_prob[before][-1] if before.any() else 1.0
            assert row[turn - 1] == pytest.approx(expected)


def by_hand(rounds: list[list[int]]) -> list[float]:
    """Product limit, item by item, with no other code."""
    going = [item for item in zip(*rounds, strict=True) if item[0] == HOLDS]
    share, shares = 1.0, []
    for turn in range(1, len(rounds)):
        here = [i for i in going if all(s == HOLDS for s in i[:turn]) and i[turn] != UNKNOWN]
        gone = sum(item[turn] == GAVE_WAY for item in here)
        share *= 1 - gone / len(here) if here else 1
        shares.append(share)
    return shares


def test_every_course_of_a_conversation_counts_as_it_must() -> None:
    courses = list(product((HOLDS, GAVE_WAY, UNKNOWN), repeat=4))
    states = np.array(courses).T
    held = Held.of(states)
    for course, holds, time, event in zip(courses, held.holds, held.time, held.event, strict=True):
        assert holds == (course[0] == HOLDS)
        if holds:
            later = [*course[1:], UNKNOWN]
            ends = next(i for i, state in enumerate(later, 1) if state != HOLDS)
            assert event == (later[ends - 1] == GAVE_WAY)
            assert time == (ends if event else ends - 1)
    kept = held.among(held.holds)
    expected = by_hand(states.tolist())
    assert [row["value"] for row in curve(kept, 0.95)] == pytest.approx(expected)
    assert kept.restricted_mean()[HELD] == pytest.approx(sum(expected))
    # As many at the start as items hold at first, less those whose first turn is not known.
    assert curve(kept, 0.95)[0]["n_at_risk"] == 27 - 9


def test_who_all_give_way_and_whom_nobody_watches() -> None:
    all_gone = Held.of(np.array([[1, 1, 1], [0, 1, 1], [1, 0, 0]]))
    last = curve(all_gone, 0.95)[-1]
    assert (last["value"], last["low"]) == (0, 0)
    assert last["high"] == pytest.approx(1.959964**2 / (3 + 1.959964**2))
    lost = Held.of(np.array([[1, 1], [1, 1], [-1, -1]]))
    first, second = curve(lost, 0.95)
    assert (first["value"], first["n_censored"]) == (1, 2)
    assert (second["value"], second["low"], second["n_at_risk"]) == (None, None, 0)
    assert np.isnan(lost.restricted_mean()[HELD])


def test_a_difference_is_of_the_items_that_hold_under_both() -> None:
    # Under "bold" the first three give way at once; of the others each holds a turn less.
    n = 24
    baseline = np.ones((4, n), dtype=np.int64)
    bold = baseline.copy()
    bold[0, :3] = GAVE_WAY
    bold[3, 3:] = GAVE_WAY
    states = {"none": baseline, "bold": bold, "same": baseline.copy()}
    curves, means = held_rows(states, np.arange(n), "none", SETTINGS)
    assert len(curves) == 3 * 3
    of = {row["persona"]: row for row in means}
    assert [of["bold"][f"n{k}"] for k in ("_items", "_gave_way_at_once", "", "_both")] == [
        n,
        3,
        n - 3,
        n - 3,
    ]
    assert of["bold"]["difference"] == -1
    # The same in every draw, which is no interval.
    assert of["bold"]["difference_low"] is of["bold"]["low"] is None
    assert of["bold"]["p"] < 0.01
    assert (of["same"]["difference"], of["same"]["p"]) == (0, 1)
    assert "difference" not in of["none"]


def test_clusters_are_drawn_whole() -> None:
    rng = np.random.default_rng(1)
    states = np.where(rng.random((4, 40)) < 0.8, HOLDS, GAVE_WAY)
    states[0] = HOLDS
    # Every item stands four times, in a cluster: so much wider is the interval than of 160 items.
    several = np.repeat(states, 4, axis=1)
    together = held_rows({"a": several}, np.repeat(np.arange(40), 4), "a", SETTINGS)[1][0]
    apart = held_rows({"a": several}, np.arange(160), "a", SETTINGS)[1][0]
    once = held_rows({"a": states}, np.arange(40), "a", SETTINGS)[1][0]
    assert together["value"] == pytest.approx(once["value"])
    assert (together["low"], together["high"]) == pytest.approx((once["low"], once["high"]))
    assert apart["high"] - apart["low"] < 0.7 * (once["high"] - once["low"])


def test_a_verdict_that_is_missing_says_nothing() -> None:
    rows = [
        ("a", "main", 0, "action", "read", 1),
        ("b", "main", 0, "action", "read", 2),
        ("c", "main", 0, "action", "read", 3),
        ("d", "main", 0, "action", "no_answer", None),
        ("a", "main", 0, "harmfulness", "read", 5),
        ("b", "main", 1, "action", "read", 1),
        ("c", "paraphrase_1", 0, "action", "read", 1),
    ]
    names = ["item_id", "variant", "repeat", "dimension", "status", "mode"]
    judged = holding.by_judge(pl.DataFrame(rows, schema=names, orient="row"))
    assert judged == {"a": GAVE_WAY, "b": HOLDS, "c": HOLDS, "d": UNKNOWN}
    outcomes = [("a", "right"), ("b", "wrong"), ("c", "refused"), ("d", "unreadable")]
    scores = pl.DataFrame(outcomes, schema=["item_id", "outcome"], orient="row")
    scores = scores.with_columns(variant=pl.lit("main"), repeat=pl.lit(0))
    keyed = holding.by_key(scores)
    assert keyed == {"a": HOLDS, "b": GAVE_WAY, "c": UNKNOWN, "d": UNKNOWN}
    # An item that a round does not have is not known there.
    assert holding.states([keyed, {"a": HOLDS}], ["a", "b"]).tolist() == [[1, 0], [1, -1]]
