import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from scipy.special import expit, logit

from persona_paradox.analyses import gee
from persona_paradox.analyses.interaction import persona_by_context

pytestmark = pytest.mark.filterwarnings("error")

SCHEMA = ["item_id", "model", "persona", "context", "correct"]


def answers(seed, items=(60, 45), models=2, personas=("none", "nurse", "doctor"), shift=None):
    """Rows with a random difficulty per item; `shift`: (persona, context) → log odds."""
    generator = np.random.default_rng(seed)
    rows = []
    for context, n in zip(("ed", "gp"), items, strict=True):
        for i, ease in enumerate(generator.normal(0.4, 1, size=n)):
            for m in range(models):
                for persona in personas:
                    p = expit(ease + 0.5 * m + (shift or {}).get((persona, context), 0))
                    right = bool(generator.random() < p)
                    rows.append((f"{context}{i}", f"m{m}", persona, context, right))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def fitted(rows, confidence=0.95, reference_context="ed"):
    effects = persona_by_context(
        rows, baseline="none", reference_context=reference_context, confidence=confidence
    )
    return {(e.model, e.persona, e.context, e.versus): e for e in effects}


def pandas(rows):
    data = pd.DataFrame(rows.to_dict(as_series=False))
    return data.assign(correct=data["correct"].astype(float))


@pytest.fixture(scope="module")
def rows():
    return answers(1, shift={("doctor", "ed"): 0.8, ("doctor", "gp"): -0.8})


@pytest.fixture(scope="module")
def formula_fit(rows):
    return smf.gee(
        "correct ~ C(persona, Treatment('none')) * C(context) + C(model)",
        "item_id",
        pandas(rows),
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit(cov_type="bias_reduced")


@pytest.mark.parametrize("persona", ["nurse", "doctor"])
def test_log_odds_are_the_coefficients_of_statsmodels(rows, formula_fit, persona):
    effects = fitted(rows, confidence=0.9)
    name = f"C(persona, Treatment('none'))[T.{persona}]"
    interval = formula_fit.conf_int(alpha=0.1)
    for coefficient, place in {
        name: (None, persona, "ed", None),
        f"{name}:C(context)[T.gp]": (None, persona, "gp", "ed"),
    }.items():
        estimate = effects[place].log_odds
        assert estimate.value == pytest.approx(formula_fit.params[coefficient], abs=1e-5)
        assert estimate.se == pytest.approx(formula_fit.bse[coefficient], rel=1e-4)
        assert estimate.p == pytest.approx(formula_fit.pvalues[coefficient], rel=1e-3)
        bounds = (estimate.low, estimate.high)
        assert bounds == pytest.approx(tuple(interval.loc[coefficient]), abs=1e-4)


def test_points_are_average_predictions_with_the_delta_method(rows, formula_fit):
    effects = fitted(rows)

    data = pandas(rows)

    def difference(coefficients, context):
        """Mean over models of the predicted difference, from statsmodels' own design matrix."""
        means = {}
        for persona in ("doctor", "none"):
            here = data[(data["persona"] == persona) & (data["context"] == context)]
            one_of_each = here.drop_duplicates("model").index
            assert len(one_of_each) == 2
            means[persona] = expit(formula_fit.model.exog[one_of_each] @ coefficients).mean()
        return 100 * (means["doctor"] - means["none"])

    coefficients = np.asarray(formula_fit.params)
    for place, value in {
        (None, "doctor", "ed", None): lambda b: difference(b, "ed"),
        (None, "doctor", "gp", None): lambda b: difference(b, "gp"),
        (None, "doctor", "gp", "ed"): lambda b: difference(b, "gp") - difference(b, "ed"),
    }.items():
        step = 1e-5 * np.eye(len(coefficients))
        slope = [(value(coefficients + s) - value(coefficients - s)) / 2e-5 for s in step]
        se = np.sqrt(slope @ np.asarray(formula_fit.cov_params()) @ slope)
        assert effects[place].points.value == pytest.approx(value(coefficients), abs=1e-3)
        assert effects[place].points.se == pytest.approx(se, rel=1e-3)


def test_a_model_alone_has_the_closed_form(rows):
    # One coefficient per cell: the fit is the sample's shares, whatever the working correlation,
    # and the sandwich is the covariance of an item's answers; Mancl and DeRouen divide its sum
    # of squares by (n - 1)² in place of n².
    effects = fitted(rows)
    for model in ("m0", "m1"):
        log_odds, points, log_odds_variance, points_variance = {}, {}, {}, {}
        for context in ("ed", "gp"):
            wide = (
                rows.filter(model=model, context=context)
                .with_columns(pl.col("correct").cast(pl.Float64))
                .pivot("persona", index="item_id", values="correct")
            )
            x, y = wide["nurse"].to_numpy(), wide["none"].to_numpy()
            n = len(x)
            log_odds[context] = logit(x.mean()) - logit(y.mean())
            points[context] = 100 * (x.mean() - y.mean())
            scaled = [v / (v.mean() * (1 - v.mean())) for v in (x, y)]
            log_odds_variance[context] = np.var(scaled[0] - scaled[1]) * n / (n - 1) ** 2
            points_variance[context] = 100**2 * np.var(x - y) * n / (n - 1) ** 2
            effect = effects[model, "nurse", context, None]
            assert effect.n_items == n
            assert effect.n_answers == 2 * n
            assert effect.log_odds.value == pytest.approx(log_odds[context], abs=1e-6)
            assert effect.log_odds.se == pytest.approx(np.sqrt(log_odds_variance[context]))
            assert effect.points.value == pytest.approx(points[context], abs=1e-5)
            assert effect.points.se == pytest.approx(np.sqrt(points_variance[context]))
        # Items are in one context each, so that the two effects are independent.
        effect = effects[model, "nurse", "gp", "ed"]
        assert effect.n_items == 105
        assert effect.log_odds.value == pytest.approx(log_odds["gp"] - log_odds["ed"], abs=1e-6)
        assert effect.log_odds.se == pytest.approx(np.sqrt(sum(log_odds_variance.values())))
        assert effect.points.value == pytest.approx(points["gp"] - points["ed"], abs=1e-5)
        assert effect.points.se == pytest.approx(np.sqrt(sum(points_variance.values())))
        z = effect.points.value / effect.points.se
        assert effect.points.p == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_rows_and_their_order(rows):
    assert list(fitted(rows)) == [
        (model, persona, context, versus)
        for model in ("m0", "m1", None)
        for persona in ("doctor", "nurse")
        for context, versus in (("ed", None), ("gp", None), ("gp", "ed"))
    ]
    assert {model for model, *_ in fitted(rows.filter(model="m0"))} == {"m0"}


def test_the_other_reference_context_turns_the_interaction(rows):
    one, other = fitted(rows), fitted(rows, reference_context="gp")
    for model in ("m0", None):
        forth, back = one[model, "doctor", "gp", "ed"], other[model, "doctor", "ed", "gp"]
        assert back.log_odds.value == pytest.approx(-forth.log_odds.value, abs=1e-6)
        assert back.points.se == pytest.approx(forth.points.se)
        same = one[model, "doctor", "gp", None]
        assert other[model, "doctor", "gp", None].points.value == pytest.approx(same.points.value)


def test_equal_answers_of_more_wordings_add_no_certainty(rows):
    rows = rows.filter(model="m0")
    once, thrice = fitted(rows), fitted(pl.concat([rows] * 3))
    for place, effect in once.items():
        assert thrice[place].log_odds.value == pytest.approx(effect.log_odds.value, abs=1e-6)
        assert thrice[place].points.se == pytest.approx(effect.points.se, rel=1e-6)


def set_to(rows, value, **where):
    """The same rows with `correct` set where all columns have the values of `where`."""
    here = pl.all_horizontal(pl.col(column) == label for column, label in where.items())
    return rows.with_columns(correct=pl.when(here).then(value).otherwise("correct"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "all answers of nurse in gp are right"),
        (False, "no answer of nurse in gp is right"),
    ],
)
def test_a_separated_persona_has_a_reason_and_the_others_are_as_without_it(rows, value, reason):
    broken = fitted(set_to(rows, pl.lit(value), persona="nurse", context="gp"))
    without = fitted(rows.filter(pl.col("persona") != "nurse"))
    for place, effect in broken.items():
        if place[1] == "nurse":
            assert effect.reason == reason
            assert (effect.log_odds, effect.points) == (None, None)
            assert effect.n_items > 0
        else:
            assert effect == without[place]
            assert effect.reason is None


def test_a_separated_baseline_leaves_no_estimate(rows):
    broken = fitted(set_to(rows, pl.lit(True), persona="none", context="ed", model="m0"))
    for (model, *_), effect in broken.items():
        if model == "m0":
            assert effect.reason == "all answers of none in ed are right"
        else:  # all models together have wrong answers
            assert effect.reason is None


def test_a_model_that_is_always_wrong(rows):
    broken = fitted(set_to(rows, pl.lit(False), model="m1"))
    assert {e.reason for place, e in broken.items() if place[0] is None} == {
        "all answers of m1 are wrong"
    }
    assert {e.reason for place, e in broken.items() if place[0] == "m0"} == {None}


def test_separation_that_no_cell_shows():
    # m1 is right under the persona alone, m0 wrong under the baseline alone: every cell and both
    # models have right and wrong answers, yet the coefficients run to infinity.
    rows = answers(2, personas=("none", "nurse"))
    rows = set_to(rows, pl.lit(True), model="m0", persona="nurse")
    rows = set_to(rows, pl.lit(False), model="m1", persona="none")
    pooled = [effect for place, effect in fitted(rows).items() if place[0] is None]
    assert all(effect.reason for effect in pooled)
    assert {effect.points for effect in pooled} == {None}


def test_a_persona_without_any_effect_has_no_standard_error(rows):
    copy = rows.filter(persona="none").with_columns(persona=pl.lit("copy"))
    effects = fitted(pl.concat([rows, copy]))
    assert effects["m0", "copy", "ed", None].reason == (
        "copy and none differ by the same share on every item in ed"
    )
    assert effects["m0", "nurse", "ed", None].reason is None
    alone = fitted(pl.concat([rows.filter(persona="none"), copy]))
    assert alone
    assert all(effect.points is None and effect.reason for effect in alone.values())


def test_cells_without_answers_or_with_one_item(rows):
    missing = rows.filter((pl.col("persona") != "nurse") | (pl.col("context") != "gp"))
    effects = fitted(missing)
    assert effects[None, "nurse", "ed", None].reason == "no answers of nurse in gp"
    assert effects[None, "doctor", "ed", None].reason is None
    one = rows.filter((pl.col("context") != "gp") | (pl.col("item_id") == "gp0"))
    assert {effect.reason for effect in fitted(one).values()} == {"fewer than two items in gp"}


def test_one_context_has_no_interaction(rows):
    effects = fitted(rows.filter(context="ed"))
    assert {versus for *_, versus in effects} == {None}
    both = fitted(rows)
    place = ("m0", "doctor", "ed", None)
    assert effects[place].points.value == pytest.approx(both[place].points.value, abs=1e-6)


class Failing:
    """In place of statsmodels' GEE."""

    def __init__(self, *arguments, **names):
        self.model = sm.GEE(*arguments, **names)

    def fit(self, **names):
        return self.outcome(self.model.fit(**names))


def singular(_):
    raise np.linalg.LinAlgError("Singular matrix")


def unfinished(result):
    result.converged = False
    return result


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (singular, "the fit failed: Singular matrix"),
        (unfinished, "the fit did not converge"),
    ],
)
def test_a_fit_that_fails_is_a_reason(rows, monkeypatch, outcome, reason):
    monkeypatch.setattr(gee, "GEE", type("G", (Failing,), {"outcome": staticmethod(outcome)}))
    effects = fitted(rows.filter(model="m0"))
    assert {effect.reason for effect in effects.values()} == {reason}
    assert {effect.log_odds for effect in effects.values()} == {None}


def test_what_is_not_there_is_refused(rows):
    with pytest.raises(ValueError, match="no answers of nobody"):
        persona_by_context(rows, baseline="nobody", reference_context="ed", confidence=0.95)
    with pytest.raises(ValueError, match="in icu"):
        persona_by_context(rows, baseline="none", reference_context="icu", confidence=0.95)


def test_intervals_cover_what_they_estimate():
    shift = {("nurse", "ed"): 0.7, ("nurse", "gp"): -0.7}
    ease = stats.norm(0.4, 1)

    def share(offset):
        return ease.expect(lambda x: expit(x + offset))

    points = 100 * ((share(-0.7) - share(0)) - (share(0.7) - share(0)))
    log_odds = (logit(share(-0.7)) - logit(share(0))) - (logit(share(0.7)) - logit(share(0)))
    covered = np.zeros(2)
    studies = 300
    for seed in range(studies):
        rows = answers(seed, items=(45, 45), models=1, personas=("none", "nurse"), shift=shift)
        effect = fitted(rows)["m0", "nurse", "gp", "ed"]
        covered += [
            effect.log_odds.low <= log_odds <= effect.log_odds.high,
            effect.points.low <= points <= effect.points.high,
        ]
    # Three standard errors of a share of 0.95 are 0.038.
    assert covered / studies == pytest.approx([0.95, 0.95], abs=0.038)
