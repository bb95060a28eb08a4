from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from statsmodels.formula.api import ols
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.anova import anova_lm

from persona_paradox.analyses.variance import variance_shares

pytestmark = pytest.mark.filterwarnings("error")


def frame(values, outcome="correct"):
    """Rows of an array of the shape (items, models, personas, paraphrases)."""
    places = product(*(range(size) for size in values.shape))
    rows = [
        (f"i{i}", f"m{m}", f"p{p}", f"w{w}", value)
        for (i, m, p, w), value in zip(places, values.ravel().tolist(), strict=True)
    ]
    schema = ["item_id", "model", "persona", "variant", outcome]
    return pl.DataFrame(rows, schema=schema, orient="row")


def by_source(values, attribute="estimate"):
    return {c.source: getattr(c, attribute) for c in variance_shares(frame(values))}


# Standard deviations, and the axes along which the effect varies.
KNOWN = {
    "item": (0.9, (0,)),
    "model": (0.5, (1,)),
    "persona": (0.6, (2,)),
    "item x model": (0.4, (0, 1)),
    "item x persona": (0.5, (0, 2)),
    "model x persona": (0.3, (1, 2)),
    "paraphrase": (0.4, (2, 3)),
    "item x model x persona": (0.3, (0, 1, 2)),
    "item x paraphrase": (0.2, (0, 2, 3)),
    "model x paraphrase": (0.2, (1, 2, 3)),
    "residual": (0.7, (0, 1, 2, 3)),
}


def drawn(generator, sizes, sources=KNOWN, draw=None):
    """An outcome with the effects of `sources`, their distribution normal unless given."""
    draw = draw or (lambda shape: generator.normal(size=shape))
    total = np.full(sizes, 3.0)
    for deviation, axes in sources.values():
        total += deviation * draw([n if i in axes else 1 for i, n in enumerate(sizes)])
    return total


def test_a_published_table():
    # Shrout and Fleiss 1979 (Psychological Bulletin 86:420), tables 2 to 4: 6 targets, 4 judges.
    ratings = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
    )
    components = variance_shares(frame(ratings.reshape(6, 1, 4, 1)))
    assert [c.source for c in components] == ["item", "persona", "residual"]
    assert [c.df for c in components] == [5, 3, 15]
    assert [c.mean_square for c in components] == pytest.approx([11.24, 32.49, 1.02], abs=0.005)
    assert components[0].share == pytest.approx(0.29, abs=0.005)  # ICC(2, 1)


def test_mean_squares_are_those_of_the_nested_analysis_of_variance():
    sizes = (4, 2, 3, 2)
    values = drawn(np.random.default_rng(1), sizes)
    i, m, p, w = (axis.ravel() for axis in np.indices(sizes))
    data = pd.DataFrame({"y": values.ravel(), "i": i, "m": m, "p": p, "w": w})
    terms = {
        "item": "C(i)",
        "model": "C(m)",
        "persona": "C(p)",
        "item x model": "C(i):C(m)",
        "item x persona": "C(i):C(p)",
        "model x persona": "C(m):C(p)",
        "paraphrase": "C(p):C(w)",
        "item x model x persona": "C(i):C(m):C(p)",
        "item x paraphrase": "C(i):C(p):C(w)",
        "model x paraphrase": "C(m):C(p):C(w)",
    }
    table = anova_lm(ols("y ~ " + " + ".join(terms.values()), data).fit(), typ=1)
    components = {c.source: c for c in variance_shares(frame(values))}
    assert list(components) == [*terms, "residual"]
    for source, term in [*terms.items(), ("residual", "Residual")]:
        assert components[source].df == table.loc[term, "df"]
        expected = table.loc[term, "sum_sq"] / table.loc[term, "df"]
        assert components[source].mean_square == pytest.approx(expected)
    assert sum(c.df for c in components.values()) == values.size - 1


def test_estimates_are_those_of_restricted_maximum_likelihood():
    sizes = (14, 1, 5, 3)
    sources = {
        "item": (1.0, (0,)),
        "persona": (0.8, (2,)),
        "paraphrase": (0.6, (2, 3)),
        "item x persona": (0.7, (0, 2)),
        "residual": (0.5, (0, 1, 2, 3)),
    }
    values = drawn(np.random.default_rng(3), sizes, sources)
    i, _, p, w = (axis.ravel() for axis in np.indices(sizes))
    data = pd.DataFrame({"i": i, "p": p, "pw": p * 10 + w, "ip": i * 10 + p})
    columns = {
        "item": "i",
        "persona": "p",
        "paraphrase": "pw",
        "item x persona": "ip",
    }
    model = MixedLM.from_formula(
        "y ~ 1",
        data.assign(y=values.ravel()),
        groups=np.ones(values.size),
        re_formula="0",
        vc_formula={source: f"0 + C({column})" for source, column in columns.items()},
    )
    fit = model.fit(reml=True)
    expected = dict(zip(sorted(columns), fit.vcomp, strict=True)) | {"residual": fit.scale}
    measured = by_source(values)
    assert set(measured) == set(expected)
    for source, value in expected.items():
        assert measured[source] == pytest.approx(value, rel=2e-3, abs=2e-3)


@pytest.mark.simulation
@pytest.mark.parametrize("binary", [False, True])
def test_estimates_are_right_on_average(binary):
    generator = np.random.default_rng(5)
    # With effects of ±1 the outcome has two values for each source, as far from normal as can be.
    draw = (lambda shape: generator.choice([-1.0, 1.0], size=shape)) if binary else None
    replicates = [by_source(drawn(generator, (12, 3, 4, 2), KNOWN, draw)) for _ in range(400)]
    assert set(replicates[0]) == set(KNOWN)
    for source, (deviation, _) in KNOWN.items():
        estimates = np.array([replicate[source] for replicate in replicates])
        error = estimates.std(ddof=1) / np.sqrt(len(estimates))
        assert abs(estimates.mean() - deviation**2) < 3.5 * error
        assert error < 0.1 * deviation**2 + 0.02


def test_shares_of_a_binary_outcome_by_design():
    # Every answer is decided by its item, by its persona, or by its wording.
    item, _, persona, wording = np.indices((6, 2, 4, 3))
    for source, decided in {
        "item": item % 2,
        "persona": persona % 2,
        "item x persona": (item + persona) % 2,
    }.items():
        components = {c.source: c for c in variance_shares(frame(decided == 1))}
        assert components[source].share == pytest.approx(1)
    # Wordings that are right in one persona and wrong in the next: their mean is the persona's.
    turned = {c.source: c for c in variance_shares(frame(wording == persona % 3))}
    assert turned["persona"].negative
    assert turned["persona"].share == 0
    assert turned["paraphrase"].share == pytest.approx(1)


def test_a_flip_that_depends_on_the_item_is_no_main_effect():
    # A fair coin for every item and persona: only their interaction has a variance, of 1/4.
    coin = np.random.default_rng(0).integers(2, size=(2000, 1, 6, 1)).repeat(3, axis=3)
    estimates = by_source(coin)
    assert estimates["item x persona"] == pytest.approx(0.25, abs=0.005)
    assert estimates["item"] == pytest.approx(0, abs=0.01)
    assert estimates["persona"] == pytest.approx(0, abs=0.001)


def test_shares_add_up_and_negative_estimates_are_reported():
    found = False
    for seed in range(5):
        components = variance_shares(frame(np.random.default_rng(seed).normal(size=(8, 2, 3, 2))))
        assert sum(c.share for c in components) == pytest.approx(1)
        total = sum(max(c.estimate, 0) for c in components)
        for c in components:
            assert c.negative == (c.estimate < 0)
            assert c.share == pytest.approx(max(c.estimate, 0) / total)
            found |= c.negative
    assert found


def test_neither_order_nor_names_of_the_rows_matter():
    data = frame(drawn(np.random.default_rng(2), (5, 2, 3, 2)))
    shuffled = data.sample(fraction=1, shuffle=True, seed=1)
    # Wordings may be named anew in every persona.
    renamed = shuffled.with_columns(variant=pl.col("persona") + pl.col("variant"))
    assert variance_shares(renamed) == variance_shares(data)


def test_facets_of_one_level_do_not_appear():
    values = np.random.default_rng(4).normal(size=(9, 1, 4, 1))
    assert set(by_source(values)) == {"item", "persona", "residual"}
    wordings = np.random.default_rng(4).normal(size=(9, 1, 1, 4))
    assert set(by_source(wordings)) == {"item", "paraphrase", "residual"}
    assert list(by_source(wordings).values()) == pytest.approx(list(by_source(values).values()))


def test_no_variance_has_no_shares():
    assert np.isnan(list(by_source(np.ones((3, 1, 2, 2)), "share").values())).all()


def test_what_is_not_balanced_is_refused():
    data = frame(np.random.default_rng(0).normal(size=(4, 2, 3, 2)))
    with pytest.raises(ValueError, match="answers are not one for each"):
        variance_shares(data[1:])
    with pytest.raises(ValueError, match="answers are not one for each"):
        variance_shares(pl.concat([data[1:], data[1:2]]))
    lone = data.filter((pl.col("persona") != "p0") | (pl.col("variant") == "w0"))
    with pytest.raises(ValueError, match="same number of wordings"):
        variance_shares(lone)
    unknown = data.with_columns(correct=pl.lit(None, pl.Float64))
    with pytest.raises(ValueError, match="48 answers have no correct"):
        variance_shares(unknown)
    with pytest.raises(ValueError, match="single answer"):
        variance_shares(data[:1])
