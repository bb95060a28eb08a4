"""What factors of a set do: against closed forms, statsmodels' formulas, and known truths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from scipy.special import expit

from persona_paradox.analyses.factors import Answers, Effect, Trend, factor_effects
from persona_paradox.measures.statistics import bootstrap_counts, holm

pytestmark = pytest.mark.filterwarnings("error")

NAMES = ("role", "style", "aim", "time")


def factors(sizes: tuple[int, ...]) -> dict[str, list[str]]:
    return {
        name: [f"{name}{k}" for k in range(size)] for name, size in zip(NAMES, sizes, strict=False)
    }


def answers(
    seed: int,
    n: int,
    sizes: tuple[int, ...],
    log_odds: Callable[[Any], Any] = lambda _: 0.0,
    own: float = 0.0,
) -> Answers:
    """Answers to items of random ease; `own`: spread of what levels do to single items."""
    generator = np.random.default_rng(seed)
    grid = np.array(list(product(*map(range, sizes))))
    ease = generator.normal(0.3, 1, size=(n, 1))
    of_items = sum(
        generator.normal(0, own, size=(n, size))[:, grid[:, i]] * (grid[:, i] > 0)
        for i, size in enumerate(sizes)
    )
    p = expit(ease + log_odds(grid) + of_items)
    return Answers(
        counts=(generator.random(p.shape) < p).ravel(),
        levels=np.tile(grid, (n, 1)),
        clusters=np.repeat(np.arange(n), len(grid)),
        factors=factors(sizes),
    )


def by_place(found: list[Effect]) -> dict[tuple[Any, ...], Effect]:
    return {(e.effect, e.factor, e.level, e.factor_2, e.level_2): e for e in found}


def fitted(of: Answers, *trends: Trend, confidence: float = 0.95) -> dict[Any, Effect]:
    return by_place(factor_effects(of, trends, confidence=confidence, draws=200))


def means(of: Answers, n: int, sizes: tuple[int, ...]) -> Any:
    """Shares of every item, shape (items, *sizes)."""
    return of.counts.reshape(n, *sizes).astype(float)


def test_two_factors_have_the_closed_form() -> None:
    # One coefficient for every combination: the predictions are the shares, and the sandwich is
    # the covariance of the items' answers, whose sum of squares Mancl and DeRouen divide by
    # (n - 1)² in place of n².
    n = 40
    of = answers(1, n, (3, 2), lambda g: 0.6 * (g[:, 0] == 2) - 0.4 * g[:, 1])
    found, y = fitted(of, confidence=0.9), 100 * means(of, n, (3, 2))
    differences = {
        ("level", "role", f"role{k}", None, None): y[:, k].mean(1) - y[:, 0].mean(1) for k in (1, 2)
    }
    differences["level", "style", "style1", None, None] = y[:, :, 1].mean(1) - y[:, :, 0].mean(1)
    for k in (1, 2):
        differences["interaction_level", "role", f"role{k}", "style", "style1"] = (
            y[:, k, 1] - y[:, k, 0] - y[:, 0, 1] + y[:, 0, 0]
        )
    for place, d in differences.items():
        estimate, se = found[place].points, np.sqrt(d.var() * n / (n - 1) ** 2)
        assert estimate is not None
        assert estimate.value == pytest.approx(d.mean(), abs=1e-4)
        assert estimate.se == pytest.approx(se, rel=1e-5)
        half = stats.t.ppf(0.95, n - 1) * se
        assert (estimate.low, estimate.high) == pytest.approx((d.mean() - half, d.mean() + half))
        assert estimate.p == pytest.approx(2 * stats.t.sf(abs(d.mean()) / se, n - 1), rel=1e-4)
    for whole, level in (("factor", "level"), ("interaction", "interaction_level")):
        d = np.array([d for p, d in differences.items() if p[0] == level and p[1] == "role"])
        second = "style" if whole == "interaction" else None
        joint = found[whole, "role", None, second, None].joint
        assert joint is not None
        t2 = d.mean(1) @ np.linalg.inv(np.cov(d) / (n - 1)) @ d.mean(1)
        f = t2 * (n - 2) / (2 * (n - 1))
        assert joint.f == pytest.approx(f, rel=1e-3)
        assert (joint.df, joint.df_within) == (2, n - 2)
        assert joint.p == pytest.approx(stats.f.sf(joint.f, 2, n - 2))


def test_four_factors_are_the_margins_of_statsmodels() -> None:
    sizes = (3, 2, 2, 2)
    of = answers(2, 50, sizes, lambda g: 0.7 * (g[:, 0] == 1) - 0.5 * g[:, 1] * g[:, 2])
    data = pd.DataFrame(of.levels, columns=list(NAMES)).astype(str)
    data["y"], data["item"] = of.counts.astype(float), of.clusters
    model = smf.gee(
        "y ~ (role + style + aim + time) ** 2",
        "item",
        data,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    fit = model.fit(cov_type="bias_reduced")
    one_of_each = data.drop_duplicates(list(NAMES))
    design = model.exog[one_of_each.index]

    def predicted(coefficients: Any, **levels: str) -> Any:
        here = np.all([one_of_each[name] == level for name, level in levels.items()], axis=0)
        return 100 * expit(design[here] @ coefficients).mean()

    def role(b: Any) -> Any:
        return predicted(b, role="1") - predicted(b, role="0")

    def style_by_aim(b: Any) -> Any:
        signs = {("1", "1"): 1, ("1", "0"): -1, ("0", "1"): -1, ("0", "0"): 1}
        return sum(s * predicted(b, style=x, aim=y) for (x, y), s in signs.items())

    found, coefficients = fitted(of), np.asarray(fit.params)
    for place, value in {
        ("level", "role", "role1", None, None): role,
        ("interaction_level", "style", "style1", "aim", "aim1"): style_by_aim,
    }.items():
        step = 1e-5 * np.eye(len(coefficients))
        slope = [(value(coefficients + s) - value(coefficients - s)) / 2e-5 for s in step]
        se = np.sqrt(slope @ np.asarray(fit.cov_params()) @ slope)
        estimate = found[place].points
        assert estimate is not None
        assert estimate.value == pytest.approx(value(coefficients), abs=1e-3)
        assert estimate.se == pytest.approx(se, rel=1e-3)
    # And next to the differences of means, which leave nothing to a model.
    y = 100 * means(of, 50, sizes)
    estimate = found["level", "role", "role1", None, None].points
    assert estimate is not None
    assert estimate.value == pytest.approx((y[:, 1] - y[:, 0]).mean(), abs=0.05)


def test_rows_and_their_order() -> None:
    found = factor_effects(answers(3, 12, (3, 2, 2)), confidence=0.95)
    whole = [e for e in found if e.effect in ("factor", "interaction")]
    assert [(e.factor, e.factor_2) for e in whole] == [
        *(("role", None), ("style", None), ("aim", None)),
        *combinations(("role", "style", "aim"), 2),
    ]
    assert [e.level for e in found[:3]] == ["role1", "role2", None]
    assert {e.versus for e in found if e.effect == "level" and e.factor == "role"} == {"role0"}
    assert {(e.n_clusters, e.reason) for e in found} == {(12, None)}
    one = factor_effects(answers(3, 12, (4,)), confidence=0.95)
    assert [e.effect for e in one] == ["level"] * 3 + ["factor"]


def test_the_counts_are_of_the_levels_compared() -> None:
    found = fitted(answers(3, 12, (3, 2, 2)))
    assert found["level", "role", "role1", None, None].n_answers == 12 * 8
    assert found["interaction_level", "role", "role1", "style", "style1"].n_answers == 12 * 8
    assert found["interaction_level", "style", "style1", "aim", "aim1"].n_answers == 12 * 12
    assert found["factor", "role", None, None, None].n_answers == 12 * 12


def test_a_trend_is_the_line_through_the_shares() -> None:
    n = 60
    of = answers(4, n, (4, 2), lambda g: 0.4 * g[:, 0])
    trend = Trend("rising", "role", ["role0", "role1", "role2", "role3"])
    back = Trend("falling", "role", list(reversed(trend.levels)))
    few = Trend("two", "role", ["role1", "role3"])
    found = fitted(of, trend, back, few)
    shares = 100 * means(of, n, (4, 2)).mean(axis=(0, 2))
    effect = found["trend", "role", "rising", None, None]
    assert effect.points is not None
    assert effect.rho is not None
    line = stats.linregress(np.arange(4), shares)
    assert effect.points.value == pytest.approx(line.slope, abs=1e-3)
    assert effect.rho[0] == pytest.approx(stats.spearmanr(np.arange(4), shares).statistic)
    per_item = 100 * means(of, n, (4, 2)).mean(axis=2) @ np.array([-1.5, -0.5, 0.5, 1.5]) / 5
    assert effect.points.se == pytest.approx(np.sqrt(per_item.var() * n / (n - 1) ** 2), rel=1e-3)
    other = found["trend", "role", "falling", None, None]
    assert other.points is not None
    assert other.rho is not None
    assert other.points.value == pytest.approx(-effect.points.value, abs=1e-6)
    assert other.rho == pytest.approx((-effect.rho[0], -effect.rho[2], -effect.rho[1]))
    two = found["trend", "role", "two", None, None]
    assert two.points is not None
    assert two.points.value == pytest.approx(shares[3] - shares[1], abs=1e-3)
    assert two.n_answers == n * 4
    counts = bootstrap_counts(n, 200, 0).astype(float)
    y = means(of, n, (4, 2)).mean(axis=2)
    drawn = [stats.spearmanr(np.arange(4), np.round(c @ y, 9)).statistic for c in counts]
    assert effect.rho[1:] == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_levels_of_an_order_are_compared_with_its_first() -> None:
    of = answers(4, 30, (4, 2))
    low, high = (
        Trend(name, "role", [f"role{k}" for k in ks])
        for name, ks in (("low", (1, 0)), ("high", (2, 3)))
    )
    found = factor_effects(of, [low, high], confidence=0.95, draws=100)
    pairs = [(e.level, e.versus) for e in found if e.effect == "level" and e.factor == "role"]
    assert pairs == [("role0", "role1"), ("role3", "role2")]
    y = 100 * means(of, 30, (4, 2)).mean(axis=(0, 2))
    estimates = [e.points.value for e in found if e.points and e.level in ("role0", "role3")][:2]
    assert estimates == pytest.approx([y[0] - y[1], y[3] - y[2]], abs=1e-4)
    plain = fitted(of)
    whole = by_place(found)["factor", "role", None, None, None]
    assert whole.joint == plain["factor", "role", None, None, None].joint


def test_items_of_a_cluster_are_no_further_ones() -> None:
    of = answers(5, 30, (3, 2))
    twice = Answers(
        np.tile(of.counts, 2), np.tile(of.levels, (2, 1)), np.tile(of.clusters, 2), of.factors
    )
    for one, two in zip(
        factor_effects(of, confidence=0.95), factor_effects(twice, confidence=0.95), strict=True
    ):
        assert two.n_clusters == one.n_clusters == 30
        assert two.p == pytest.approx(one.p, rel=1e-4)


def test_a_level_that_is_always_right_leaves_its_factor_out() -> None:
    of = answers(6, 40, (3, 2, 2))
    sure = replace(of, counts=of.counts | (of.levels[:, 0] == 2))
    found = fitted(sure, Trend("t", "role", ["role0", "role1"]))
    for place, effect in found.items():
        if "role" in place[1:]:
            assert effect.reason == "all answers of role2 count", place
            assert (effect.points, effect.joint, effect.rho, effect.p) == (None,) * 4
        else:
            assert effect.reason is None, place
            assert effect.p is not None


def test_two_levels_that_are_never_right_leave_their_interaction_out() -> None:
    of = answers(7, 40, (2, 2, 2))
    never = replace(of, counts=of.counts & ~((of.levels[:, 0] == 1) & (of.levels[:, 2] == 0)))
    found = fitted(never)
    assert found["interaction", "role", None, "aim", None].reason == (
        "no answer of role1 with aim0 counts"
    )
    others = [e for p, e in found.items() if (p[1], p[3]) != ("role", "aim")]
    assert {e.reason for e in others} == {None}


def test_levels_that_do_nothing_at_all_have_no_standard_error() -> None:
    of = answers(8, 40, (3, 2)).counts.reshape(40, 3, 2)
    of[:, 2] = of[:, 0]
    copied = replace(answers(8, 40, (3, 2)), counts=of.ravel())
    found = fitted(copied)
    assert found["level", "role", "role2", None, None].reason == (
        "the difference is the same on every item"
    )
    assert found["level", "role", "role1", None, None].reason is None
    assert "the same on every item" in (found["factor", "role", None, None, None].reason or "")
    assert found["factor", "style", None, None, None].reason is None


def test_nothing_that_counts_is_one_reason() -> None:
    of = answers(6, 40, (3, 2))
    for value, reason in ((True, "all answers count"), (False, "no answer counts")):
        alike = replace(of, counts=np.full_like(of.counts, value))
        assert {e.reason for e in factor_effects(alike, confidence=0.95)} == {reason}


def test_a_factor_of_one_level_has_no_effect() -> None:
    of = answers(6, 40, (3, 1, 2))
    found = factor_effects(of, confidence=0.95)
    assert {(e.factor, e.factor_2) for e in found} == {
        ("role", None),
        ("aim", None),
        ("role", "aim"),
    }
    without = factor_effects(
        replace(
            of,
            levels=of.levels[:, [0, 2]],
            factors={"role": of.factors["role"], "aim": of.factors["aim"]},
        ),
        confidence=0.95,
    )
    assert [e.p for e in found] == [e.p for e in without]


def test_an_incomplete_set_has_a_reason() -> None:
    of = answers(9, 40, (3, 2))
    here = ~((of.levels[:, 0] == 1) & (of.levels[:, 1] == 1))
    some = Answers(of.counts[here], of.levels[here], of.clusters[here], of.factors)
    assert {e.reason for e in factor_effects(some, confidence=0.95)} == {
        "5 of 6 combinations of levels were asked"
    }
    last = np.arange(len(of.counts)) < len(of.counts) - 1
    uneven = Answers(of.counts[last], of.levels[last], of.clusters[last], of.factors)
    assert {e.reason for e in factor_effects(uneven, confidence=0.95)} == {
        "combinations of levels were not asked equally often"
    }


def test_few_items_have_a_reason() -> None:
    assert {e.reason for e in factor_effects(answers(10, 9, (3, 2)), confidence=0.95)} == {
        "fewer than 10 items"
    }
    found = fitted(answers(10, 10, (6, 2)))
    assert found["factor", "role", None, None, None].reason is None
    many = fitted(answers(11, 10, (7, 2)))
    assert many["factor", "role", None, None, None].reason == (
        "too few items for 6 differences at once"
    )


def truths(sizes: tuple[int, ...], log_odds: Callable[[Any], Any], own: float) -> Any:
    """The true share of every combination, by numbers beyond those of any study."""
    of = answers(999, 60_000, sizes, log_odds, own)
    return 100 * means(of, 60_000, sizes).mean(axis=0)


@pytest.mark.simulation
def test_known_effects_are_found_and_intervals_cover_them() -> None:
    sizes, n, studies, own = (3, 2, 2), 60, 300, 0.5

    def log_odds(grid: Any) -> Any:
        return 0.8 * (grid[:, 0] == 1) - 0.9 * grid[:, 1] + 0.7 * grid[:, 1] * grid[:, 2]

    share = truths(sizes, log_odds, own)
    true = {
        ("level", "role", "role1", None, None): share[1].mean() - share[0].mean(),
        ("level", "role", "role2", None, None): share[2].mean() - share[0].mean(),
        ("level", "style", "style1", None, None): share[:, 1].mean() - share[:, 0].mean(),
        ("interaction_level", "style", "style1", "aim", "aim1"): (
            share[:, 1, 1] - share[:, 1, 0] - share[:, 0, 1] + share[:, 0, 0]
        ).mean(),
    }
    assert true["level", "role", "role1", None, None] > 12
    covered, value = dict.fromkeys(true, 0), dict.fromkeys(true, 0.0)
    for seed in range(studies):
        found = fitted(answers(seed, n, sizes, log_odds, own))
        for place, truth in true.items():
            points = found[place].points
            assert points is not None
            covered[place] += points.low <= truth <= points.high
            value[place] += points.value / studies
    for place, truth in true.items():
        assert value[place] == pytest.approx(truth, abs=0.9), place
        # Three standard errors of a share of 0.95 are 0.038.
        assert covered[place] / studies == pytest.approx(0.95, abs=0.038), place


@pytest.mark.simulation
@pytest.mark.parametrize("n", [24, 60])
def test_without_effects_the_family_is_wrong_in_one_of_twenty_studies(n: int) -> None:
    studies, wrong = 300, 0
    for seed in range(studies):
        found = factor_effects(answers(seed, n, (3, 3, 2, 2), own=0.5), confidence=0.95)
        # What the study's family is by default.
        p = [e.p for e in found if e.effect in ("level", "interaction")]
        wrong += min(holm([x for x in p if x is not None])) <= 0.05
    # Two standard errors above 0.05.
    assert wrong / studies <= 0.075
