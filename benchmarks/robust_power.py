"""How often the rules on robust effects err and find, by worlds, controls, items and personas.

    python benchmarks/robust_power.py --write     # about 4 minutes on 1 core
    python benchmarks/robust_power.py --quick     # a small version, 1 minute

The answers are those of `simulation.py`, without tables: of every wording the effect and the p of
McNemar's exact test. Three rules are held against each other: the verdict, the same with normal
tails (`p_robust_normal`), and the verdict by intervals. `simulated_study.py` has fewer studies
with all tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

import readme
from simulation import Floats, Rate, World, rate

from persona_paradox.measures import control_test, paired_tests
from persona_paradox.measures.statistics import holm

SEED = 41
ALPHA = 0.05
JUDGED = 7
WORDINGS = 3
NULL_CONTROLS = 20

# Effects of sentences, with mean 0 and standard deviation 1.
Shape = Callable[[np.random.Generator, int], Floats]


def _two(far: float) -> Shape:
    """Two clusters, of which one has this share."""
    places = np.array([1 - far, -far]) / np.sqrt(far * (1 - far))

    def draw(generator: np.random.Generator, size: int) -> Floats:
        place = np.where(generator.random(size) < far, *places)
        return np.asarray(0.95 * place + np.sqrt(1 - 0.95**2) * generator.standard_normal(size))

    return draw


SHAPES: dict[str, Shape] = {
    "normal": lambda generator, size: generator.standard_normal(size),
    "skewed (exponential)": lambda generator, size: generator.exponential(size=size) - 1,
    "heavy tails (t, 3 df)": lambda generator, size: generator.standard_t(3, size) / np.sqrt(3),
    "two clusters, equal": _two(0.5),
    "two clusters, one in ten far off": _two(0.1),
}


@dataclass(frozen=True)
class Null:
    """A world in which no persona does anything by its meaning.

    Attributes:
        title: what there is instead.
        sentence: standard deviation of the effects of sentences, a share.
        wording: that of the effects of wordings.
        shape: of the effects of sentences.
        items: number of items.
        control: effect that all controls have, and no persona.
        judged_wording: that of the wordings of personas, where it is another one.
    """

    title: str
    sentence: float
    wording: float
    shape: str = "normal"
    items: int = 300
    control: float = 0.0
    judged_wording: float | None = None


NULLS = (
    Null("nothing but chance", 0.0, 0.0),
    Null("wordings differ by 4 points", 0.0, 0.04),
    Null("any sentence has an effect, by 4 points", 0.04, 0.02),
    Null("the same by 10 points, n = 1,245", 0.10, 0.02, items=1245),
    *(
        Null(f"{shape}, by {100 * sd:.0f} points, n = {n:,}", sd, 0.02, shape, n)
        for shape in list(SHAPES)[1:]
        for sd, n in ((0.04, 300), (0.10, 1245))
    ),
    Null("all controls have an effect of 8 points, no persona has", 0.01, 0.01, control=0.08),
    Null(
        "wordings of personas differ by 6 points, of controls by 2", 0.0, 0.02, judged_wording=0.06
    ),
)


def mcnemar(gained: NDArray[np.int64], lost: NDArray[np.int64]) -> Floats:
    """p of the exact test, of many tables at once."""
    p = 2 * binom.cdf(np.minimum(gained, lost), gained + lost, 0.5)
    return np.asarray(np.minimum(p, 1.0))


@dataclass(frozen=True)
class Effects:
    """Of personas and their wordings, shape (personas, wordings).

    Attributes:
        effect: on the accuracy.
        p: of McNemar's exact test.
        se: its standard error over items.
        p_mean: of the effect averaged over wordings, shape (personas,).
    """

    effect: Floats
    p: Floats
    se: Floats
    p_mean: Floats


def ask(world: World, shifts: Floats, generator: np.random.Generator) -> Effects:
    """Effects on one set of items.

    Args:
        world: the model; of it, what concerns one wording.
        shifts: shape (personas, wordings), on the latent scale.
        generator: draws items and answers.
    """
    n = world.items
    item = np.sqrt(world.alike) * generator.standard_normal(n)
    rest = np.sqrt(1 - world.alike)

    def right(shift: Floats) -> NDArray[np.bool_]:
        level = (world.mu + shift)[..., None] + item
        # Right and valid: the two are drawn independently.
        p = (1 - world.invalid) * ndtr(level / rest)
        return np.asarray(generator.random(p.shape) < p)

    before, after = right(np.zeros(())), right(shifts)
    gained = np.count_nonzero(after & ~before, axis=-1)
    lost = np.count_nonzero(before & ~after, axis=-1)
    effect = (gained - lost) / n
    se = np.sqrt((gained + lost) / n - effect**2) / np.sqrt(n)
    # Shape (personas, items).
    turned = after.mean(axis=-2) - before
    errors = turned.std(axis=-1, ddof=1) / np.sqrt(n)
    p_mean = [
        control_test.mean_p(mean, error)
        for mean, error in zip(turned.mean(axis=-1), errors, strict=True)
    ]
    return Effects(effect, mcnemar(gained, lost), se, np.array(p_mean))


RULES = ("verdict", "with normal tails", "by intervals")


def verdicts(found: Effects, judged: int, personas: int, controls: int) -> dict[str, list[bool]]:
    """Whether each of the first `personas` is robust, by rule, with the first `controls`.

    Args:
        found: effects of `judged` personas and, behind them, of controls.
        judged: how many of them are no controls.
        personas: how many are judged together.
        controls: how many controls there are.
    """
    own, theirs = found.effect[:personas], found.effect[judged : judged + controls]
    told = control_test.judge(
        list(zip(own, found.p_mean[:personas], strict=True)), list(theirs), ALPHA
    )
    chosen = [*range(personas), *range(judged, judged + controls)]
    adjusted = holm(found.p[chosen, 0])[:personas]
    strict = []
    for i, effects in enumerate(own):
        half = float(ndtri(1 - ALPHA / 2)) * found.se[i, 0]
        strict.append(
            paired_tests.robust(
                effects[0],
                (effects[0] - half, effects[0] + half),
                effects[1:],
                theirs.mean(axis=1),
                p_adjusted=adjusted[i],
                alpha=ALPHA,
                family=personas,
            ).verdict
        )
    passed = [t.p_robust_normal <= ALPHA for t in told]
    alike = ((own > 0).all(axis=1) | (own < 0).all(axis=1)).tolist()
    return {
        "verdict": [t.verdict == "robust" for t in told],
        "with normal tails": [a and b for a, b in zip(passed, alike, strict=True)],
        "by intervals": [verdict == "robust" for verdict in strict],
    }


def false_claims(null: Null, studies: int, number: int) -> dict[tuple[str, int], Rate]:
    """How often any persona is called robust, by rule and number of personas judged."""
    world = World(null.items, 5, null.wording, null.sentence)
    hits: dict[tuple[str, int], list[bool]] = {}
    for i in range(studies):
        generator = np.random.Generator(np.random.PCG64([SEED, 1, number, i]))
        size = JUDGED + NULL_CONTROLS
        own = world.latent_sd(null.sentence) * SHAPES[null.shape](generator, size)
        own += world.shift_of(0)
        own[JUDGED:] += world.shift_of(null.control) - world.shift_of(0)
        spread = np.full((size, 1), world.latent_sd(null.wording))
        if null.judged_wording is not None:
            spread[:JUDGED] = world.latent_sd(null.judged_wording)
        shifts = own[:, None] + spread * generator.standard_normal((size, WORDINGS))
        found = ask(world, shifts, generator)
        for personas in (JUDGED, 1):
            for rule, said in verdicts(found, JUDGED, personas, NULL_CONTROLS).items():
                hits.setdefault((rule, personas), []).append(any(said))
    return {key: rate(happened) for key, happened in hits.items()}


EFFECTS = (0.10, 0.15)
ITEMS = (300, 1245)
CONTROLS = (5, 10, 20, 40)
FAMILIES = (1, 2, 3, 7)
SENTENCE, WORDING = 0.03, 0.02
Power = dict[tuple[int, float, int, int, str], Rate]


def power(studies: int, items: Sequence[int] = ITEMS, wordings: int = WORDINGS) -> Power:
    """How often an effect is found, by n, effect, controls, personas judged and rule.

    One persona has the effect, all others that are judged with it have none.
    """
    hits: dict[tuple[int, float, int, int, str], list[bool]] = {}
    for n in items:
        world = World(n, 5, WORDING, SENTENCE)
        for effect in EFFECTS:
            for i in range(studies):
                seed = [SEED, 2, n, round(1000 * effect), wordings, i]
                generator = np.random.Generator(np.random.PCG64(seed))
                size = JUDGED + max(CONTROLS)
                own = np.full(size, world.shift_of(0))
                own[0] = world.shift_of(effect)
                spread = world.latent_sd(SENTENCE) * generator.standard_normal(max(CONTROLS))
                own[JUDGED:] += spread
                noise = world.latent_sd(WORDING) * generator.standard_normal((size, wordings))
                found = ask(world, own[:, None] + noise, generator)
                for controls in CONTROLS:
                    for personas in FAMILIES:
                        said = verdicts(found, JUDGED, personas, controls)
                        for rule, robust in said.items():
                            key = (n, effect, controls, personas, rule)
                            hits.setdefault(key, []).append(robust[0])
    return {key: rate(happened) for key, happened in hits.items()}


def ceiling(n: int, effect: float, personas: int, wordings: int = WORDINGS) -> float:
    """Power of a two-sided test that knows what sentences do, of which the effects are normal.

    As with any number of controls: the persona's mean is normal, with the variance of sentences,
    wordings and items where it is one more sentence, and without that of sentences where its
    effect is its own. The level is that of the first step of Holm's adjustment, alpha / personas;
    with independent personas, none above 1 - (1 - alpha)^(1 / personas), hardly more, would hold
    the error of all of them.
    """
    world = World(n, 5, WORDING, SENTENCE)

    def noise(shift: float) -> float:
        return (world.wording_sd(shift) ** 2 + world.item_sd(shift) ** 2) / wordings

    limit = float(ndtri(1 - ALPHA / personas / 2)) * np.sqrt(SENTENCE**2 + noise(world.shift_of(0)))
    sd = np.sqrt(noise(world.shift_of(effect)))
    return float(ndtr((effect - limit) / sd) + ndtr((-effect - limit) / sd))


def report(
    studies: Mapping[str, int],
    false: Mapping[str, Mapping[tuple[str, int], Rate]],
    found: Power,
    more: Power,
) -> str:
    """Everything, as Markdown."""
    heads = [f"{rule}, {j}" for j in (JUDGED, 1) for rule in RULES]
    lines = [
        f"Studies of one task in which a persona is called robust, though none does anything by "
        f"its meaning ({studies['null']:,} studies a row with {NULL_CONTROLS} controls, {WORDINGS} "
        f"wordings and, where nothing else is said, n = 300; {JUDGED} personas judged, or 1):",
        "",
        "| | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(heads),
    ]
    for title, rates in false.items():
        cells = [_short(rates[rule, j]) for j in (JUDGED, 1) for rule in RULES]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for effect in EFFECTS:
        lines += [
            "",
            f"How often a persona of {100 * effect:.0f} points is called robust, where sentences "
            f"differ by {100 * SENTENCE:.0f} points and wordings by {100 * WORDING:.0f} "
            f"({studies['power']:,} studies), in percent: verdict / with normal tails / by "
            "intervals. The last column knows what sentences do:",
            "",
            "| | "
            + " | ".join(f"{controls} controls" for controls in CONTROLS)
            + " | sentences known |",
            "|---|" + "---|" * (len(CONTROLS) + 1),
        ]
        for n in ITEMS:
            for j in FAMILIES:
                cells = [_three(found, n, effect, controls, j) for controls in CONTROLS]
                cells.append(f"{100 * ceiling(n, effect, j):.0f}")
                lines.append(f"| n = {n:,}, {_judged(j)} | {' | '.join(cells)} |")
    lines += ["", f"The same for 10 points with {MORE} wordings, n = 300:", ""]
    lines.append("| | " + " | ".join(f"{c} controls" for c in CONTROLS) + " | sentences known |")
    lines.append("|---|" + "---|" * (len(CONTROLS) + 1))
    for j in FAMILIES:
        cells = [_three(more, 300, EFFECTS[0], controls, j) for controls in CONTROLS]
        cells.append(f"{100 * ceiling(300, EFFECTS[0], j, MORE):.0f}")
        lines.append(f"| {_judged(j)} | {' | '.join(cells)} |")
    return "\n".join(lines)


MORE = 8


def _judged(personas: int) -> str:
    return f"{personas} persona{'s' * (personas > 1)} judged"


def _three(found: Power, n: int, effect: float, controls: int, personas: int) -> str:
    shares = [found[n, effect, controls, personas, rule].share for rule in RULES]
    return " / ".join(f"{100 * share:.0f}" for share in shares)


def _short(one: Rate) -> str:
    low, high = one.interval
    return f"{100 * one.share:.1f}% ({100 * low:.1f}–{100 * high:.1f})"


SIZES = {"null": 1000, "power": 400}
QUICK = {"null": 60, "power": 30}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="a small version")
    parser.add_argument("--write", action="store_true", help="into README.md here")
    options = parser.parse_args()
    sizes = QUICK if options.quick else SIZES
    false = {}
    for number, null in enumerate(NULLS):
        false[null.title] = false_claims(null, sizes["null"], number)
        print(null.title, {k: str(v) for k, v in false[null.title].items()}, flush=True)
    text = report(sizes, false, power(sizes["power"]), power(sizes["power"], (300,), MORE))
    print(text)
    if options.write:
        readme.write("robust_power.py", text)


if __name__ == "__main__":
    main()
