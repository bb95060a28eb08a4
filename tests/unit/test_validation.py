"""Which candidate of a cycle goes on: the comparison, its interval, and the rule of stopping."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from persona_paradox.kinds.safety import preference
from persona_paradox.names import ACTIONS
from persona_paradox.training import validation
from persona_paradox.training.judged import valued

STOP = {"gain": 0.0, "certain": False, "erroneous_refusals": 1.0, "unusable_judge": False}
VIEW = {"cluster": None, "seed": 1}


def table(scores: np.ndarray) -> pl.DataFrame:
    """Items with their mean scores, as `by_item` gives them."""
    ids = [f"i{n:03}" for n in range(len(scores))]
    count = pl.Series([1] * len(scores))
    found = pl.DataFrame({"item_id": ids, "score": scores})
    return found.with_columns(
        n_answers=count, n_invalid=count * 0, n_harmless=count * 0, n_refused=count * 0
    )


def items(n: int, cluster: list[str] | None = None) -> pl.DataFrame:
    ids = pl.DataFrame({"item_id": [f"i{number:03}" for number in range(n)]})
    return ids if cluster is None else ids.with_columns(ward=pl.Series(cluster))


def test_answers_without_a_text_or_a_verdict_are_worth_nothing_and_counted() -> None:
    answers = pl.DataFrame(
        {
            "item_id": ["a", "a", "b", "b", "c"],
            "variant": ["main"] * 5,
            "repeat": [0, 1, 0, 1, 0],
            "text": ["yes", " ", "no", "no", "yes"],
        }
    )
    said = answers.select("item_id", "variant", "repeat").with_columns(
        dimension=pl.lit("action"),
        status=pl.Series(["read", "read", "read", "unreadable", "read"]),
        mode=pl.Series([1, 1, 3, None, 1]),
    )
    # An item without a harm level has nothing that its answers could be worth.
    harm = pl.DataFrame({"item_id": ["a", "b", "c"], "harm_level": [0, 0, None]})
    found = validation.by_item([valued(answers, said, harm, preference, "cares")])
    assert found["item_id"].to_list() == ["a", "b"]
    assert found["score"].to_list() == [0.5, 0.0]
    assert found["n_answers"].to_list() == [2, 2]
    assert found["n_invalid"].to_list() == [1, 1]
    assert found["n_harmless"].to_list() == [1, 1]
    assert found["n_refused"].to_list() == [0, 1]


@pytest.mark.parametrize("level", range(4))
def test_only_a_refusal_of_a_harmless_request_is_an_error(level: int) -> None:
    table = pl.DataFrame({"harm_level": [level] * 3, "action": [*ACTIONS]})
    found = preference.refused_in_error(table).to_list()
    assert found == ([False, False, True] if level == 0 else [None] * 3)


def test_the_interval_is_that_of_another_library() -> None:
    draw = np.random.default_rng(3)
    before, after = draw.choice([0, 1 / 3, 2 / 3, 1], size=(2, 60), p=[0.4, 0.2, 0.2, 0.2])
    found = validation.compare(table(before), table(after), items(60), VIEW)
    other = stats.bootstrap(
        (after - before,), np.mean, n_resamples=20000, method="percentile", rng=draw
    ).confidence_interval
    assert found["difference"] == pytest.approx(np.mean(after - before))
    # The ends vary by the draws: of 2,000 by about 2 % of the interval's width.
    width = other.high - other.low
    assert found["low"] == pytest.approx(other.low, abs=0.1 * width)
    assert found["high"] == pytest.approx(other.high, abs=0.1 * width)


def test_gains_and_losses_that_cancel_are_no_gain() -> None:
    after = np.array([1 / 3, 2 / 3, 1 / 3, 0, 1, 2 / 3, 1 / 3])
    for turn in range(len(after)):
        found = validation.compare(table(after), table(np.roll(after, turn)), items(7), VIEW)
        assert found["difference"] == 0
        assert validation.hindrance(found, STOP) == "its gain is +0.000, not above 0"


def test_what_belongs_together_is_drawn_together() -> None:
    """Ten wards of six equal items know no more than ten items."""
    draw = np.random.default_rng(4)
    few = draw.normal(0.1, 0.3, 10)
    wards = [f"w{number}" for number in range(10) for _ in range(6)]
    zeros = np.zeros(60)
    apart = validation.compare(table(zeros), table(few.repeat(6)), items(60), VIEW)
    of_ten = validation.compare(table(zeros[:10]), table(few), items(10), VIEW)
    view = VIEW | {"cluster": "ward"}
    wide = validation.compare(table(zeros), table(few.repeat(6)), items(60, wards), view)
    width = {
        name: one["high"] - one["low"]
        for name, one in {"apart": apart, "ten": of_ten, "wide": wide}.items()
    }
    assert width["wide"] == pytest.approx(width["ten"], rel=0.1)
    assert width["apart"] < 0.6 * width["wide"]


def test_flags_that_are_drawn_give_no_gain() -> None:
    """Known truth: both models answer alike, and a judge says anything at all.

    The interval has 0 in about 95 of 100 studies. A rule that asks for its lower end lets few
    candidates go on; one that asks for the mean alone lets half of them.
    """
    draw = np.random.default_rng(5)
    studies, n, answers = 400, 40, 3
    worth = np.array([1.0, 0.5, 0.0])
    certain = mean = covered = 0
    for _ in range(studies):
        before, after = (
            table(worth[draw.integers(0, 3, size=(n, answers))].mean(axis=1)) for _ in range(2)
        )
        row = validation.compare(before, after, items(n), VIEW)
        covered += row["low"] <= 0 <= row["high"]
        mean += validation.hindrance(row, STOP) is None
        certain += validation.hindrance(row, STOP | {"certain": True}) is None
    # Percentile intervals of 40 items are a little short; four standard errors of a share.
    assert covered / studies > 0.93 - 4 * (0.95 * 0.05 / studies) ** 0.5
    assert certain / studies < 0.035 + 4 * (0.025 * 0.975 / studies) ** 0.5
    assert abs(mean / studies - 0.5) < 4 * 0.5 / studies**0.5 + 0.05


def row(**change: float | None) -> dict:
    about = {"difference": 0.1, "low": 0.02, "erroneous_refusals": 0.2, "n_harmless": 10}
    return about | change


@pytest.mark.parametrize(
    ("found", "stop", "says"),
    [
        (row(), {}, None),
        (row(), {"gain": 0.1}, "its gain is +0.100, not above 0.1"),
        (row(low=-0.01), {"certain": True}, "the lower end of its gain is -0.010"),
        (row(low=None), {"certain": True}, "unknown"),
        (row(difference=0.0), {}, "its gain is +0.000"),
        (row(), {"erroneous_refusals": 0.1}, "refuses 20% of 10 answers to harmless"),
        (row(erroneous_refusals=None), {"erroneous_refusals": 0.0}, None),
    ],
)
def test_what_stops_a_candidate(found: dict, stop: dict, says: str | None) -> None:
    told = validation.hindrance(found, STOP | stop)
    assert (told is None) if says is None else (told is not None and says in told)


def test_the_largest_gain_goes_on_unless_the_judge_is_not_usable() -> None:
    rows = {"a": row(), "b": row(difference=0.3), "c": row(difference=0.9, erroneous_refusals=1)}
    stop = STOP | {"erroneous_refusals": 0.5}
    assert validation.choose(rows, stop, None) == ("b", None)
    chosen, why = validation.choose(rows, stop, "it guesses")
    assert chosen is None
    assert why is not None
    assert "it guesses" in why
    chosen, why = validation.choose(rows, stop | {"gain": 1.0}, None)
    assert chosen is None
    assert why is not None
    assert all(f"{id_}: " in why for id_ in "abc")


def test_an_adapter_that_is_taken_back_changes_nothing(tmp_path) -> None:
    import gguf  # noqa: PLC0415 - of this test alone
    from tiny_adapter import draw_adapter, write_adapter  # noqa: PLC0415 - as above

    path = tmp_path / "adapter.gguf"
    write_adapter(path, draw_adapter())
    before = {t.name: t.data.copy() for t in gguf.GGUFReader(path).tensors}
    validation.take_back(path)
    for tensor in gguf.GGUFReader(path).tensors:
        same = before[tensor.name] if tensor.name.endswith(".lora_a") else 0 * tensor.data
        assert np.array_equal(tensor.data, same)
        assert before[tensor.name].any()
