"""How far calibration errors are from the truth where items are few.

    python benchmarks/calibration_bias.py docs/figures/calibration_bias.png

Synthetic models whose calibration is known: three labels with probabilities softmax(2 z), z
standard normal, of which the most probable is the answer; it is correct with the probability that
it states (true error 0), or with 0.1 less (true error 0.1 for every measure, because the
difference is the same everywhere). Prints, and draws, the mean and the middle 90% of each
measure over simulations.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from persona_paradox.figures import ink, marks
from persona_paradox.figures.page import Entry, Sheet
from persona_paradox.measures.calibration import calibration_metrics

ITEMS = (45, 100, 300, 1245)
GAPS = (0.0, 0.1)
BINS = 10
SEED = 2026
MEASURES = {
    "ece_equal_width": "ECE, 10 equal-width bins",
    "ece_equal_mass": "ECE, 10 equal-mass bins",
    "smooth_ece": "smooth ECE",
    "ece_debiased": "debiased ECE (root mean square), 10 equal-mass bins",
}
TITLES = {0.0: "Perfect calibration: the true error is 0", 0.1: "The true error is 0.1"}
LEFT_MM, GAP_MM, HEIGHT_MM, HEAD_MM, TICKS_MM = 11.0, 14.0, 58.0, 4.5, 9.0
SPREAD = 0.045  # between measures, in decades of n

Summary = dict[tuple[float, int, str], tuple[float, float, float]]


def simulate(gap: float, n: int, simulations: int) -> dict[str, np.ndarray]:
    """Every measure in every simulation."""
    generator = np.random.Generator(np.random.PCG64([SEED, n, round(100 * gap)]))
    results = []
    for _ in range(simulations):
        weight = np.exp(2 * generator.standard_normal((n, 3)))
        confidence = weight.max(axis=1) / weight.sum(axis=1)
        correct = generator.random(n) < confidence - gap
        results.append(calibration_metrics(confidence, correct, BINS))
    return {name: np.array([result[name] for result in results]) for name in MEASURES}


def measure(simulations: int) -> Summary:
    """Mean, and 5% and 95% quantiles, by gap, number of items and measure."""
    summary = {}
    for gap in GAPS:
        for n in ITEMS:
            for name, values in simulate(gap, n, simulations).items():
                low, high = np.quantile(values, [0.05, 0.95])
                summary[gap, n, name] = float(values.mean()), float(low), float(high)
    return summary


def draw(summary: Summary, simulations: int, path: Path) -> None:
    """Draw one panel per true error."""
    looks = ink.looks(list(MEASURES))
    key = [
        Entry(text, ink.filled(*look_of(looks[name])), {"color": looks[name].colour})
        for name, text in MEASURES.items()
    ]
    key.append(Entry("truth", line={"color": ink.DARK, "linestyle": (0, (4, 2))}))
    notes = [
        f"{simulations} simulations each, seed {SEED}.",
        "Answers among three labels with probabilities softmax(2 z), z standard normal.",
        "With perfect calibration a measure that cannot be negative can only err upwards.",
    ]
    with ink.context():
        sheet = Sheet(
            {"title": "Calibration errors of few items"},
            "Mean over simulations (point) and their middle 90% (line), by number of items",
            HEAD_MM + HEIGHT_MM + TICKS_MM,
            key,
            notes,
        )
        width = (ink.INNER_MM - LEFT_MM * len(GAPS) - GAP_MM / 2) / len(GAPS)
        for i, gap in enumerate(GAPS):
            left = LEFT_MM + i * (width + LEFT_MM + GAP_MM / 2)
            sheet.text(left, 0, TITLES[gap], size=ink.PANEL_PT, weight="bold")
            draw_panel(sheet.axes(left, HEAD_MM, width, HEIGHT_MM), summary, gap)
    ink.save(sheet.figure, path, "png")


def look_of(look: ink.Look) -> tuple[str, object]:
    return look.colour, look.marker


def draw_panel(axes: Axes, summary: Summary, gap: float) -> None:
    looks = ink.looks(list(MEASURES))
    for i, name in enumerate(MEASURES):
        colour, marker = look_of(looks[name])
        places = [n * 10 ** (SPREAD * (i - (len(MEASURES) - 1) / 2)) for n in ITEMS]
        means = [summary[gap, n, name][0] for n in ITEMS]
        axes.plot(places, means, color=colour, linewidth=0.6, alpha=0.6, zorder=2)
        for n, x in zip(ITEMS, places, strict=True):
            mean, low, high = summary[gap, n, name]
            marks.interval(axes, [x, x], [low, high], f"interval|{name}|{n}", color=colour)
            marks.point(axes, x, mean, f"point|{name}|{n}", **ink.filled(colour, marker))
    axes.axhline(gap, color=ink.DARK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    axes.set_xscale("log")
    axes.set_xticks(ITEMS, [f"{n:,}" for n in ITEMS])
    axes.minorticks_off()
    axes.set_xlabel("items")
    axes.set_ylabel("calibration error")
    axes.set_xlim(ITEMS[0] / 1.4, ITEMS[-1] * 1.4)
    axes.set_ylim(0, 1.05 * max(high for _, _, high in summary.values()))
    axes.grid(axis="y", color=ink.PALE, linewidth=0.4)
    axes.set_axisbelow(True)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("figure", type=Path, help="PNG file to write")
    parser.add_argument("--simulations", type=int, default=2000)
    options = parser.parse_args()
    summary = measure(options.simulations)
    for gap in GAPS:
        print(f"true error {gap}: mean (5% to 95%)")
        for name in MEASURES:
            cells = []
            for n in ITEMS:
                mean, low, high = summary[gap, n, name]
                cells.append(f"n={n}: {mean:.3f} ({low:.3f}-{high:.3f})")
            print(f"  {name:16s}", "  ".join(cells))
    draw(summary, options.simulations, options.figure)


if __name__ == "__main__":
    main()
