"""The tables of the benchmark, as Markdown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, median

import llama_cpp
from cells import Cells, Sizes
from limits import Run
from readme import busy, processor
from rounds import Plan, Round
from workload import tree_tokens

from persona_paradox.engine.settings import usable_cpus

SCORE, GENERATE, LABELS, TEXT, CELL_S = 0.95, 0.90, 1.2, 1.5, 1.5

Rounds = Mapping[str, Sequence[Round]]


def report(where: str, plan: Plan, rounds: Rounds, cells: Cells, sizes: Sizes) -> str:
    """Everything but the profile.

    Args:
        where: on what machine, as `machine` says.
        plan: how much was measured.
        rounds: weights as shipped, then as prepared → what was measured.
        cells: what was measured through the command line.
        sizes: of its study.
    """
    parts = [
        f"{where} Medians of {plan.repeats} rounds, in brackets the range.",
        table("label log-probabilities", rounds, score_rows(plan, rounds)),
        table("free text", rounds, text_rows(plan, rounds)),
        other_rows(cells, sizes),
        targets(rounds, cells, sizes),
    ]
    return "\n\n".join(parts)


def machine(model: str, threads: int, load: float) -> str:
    """What it was measured on; `load` is its load average when it began."""
    features = llama_cpp.llama_print_system_info().decode()
    on = re.findall(r"(\w+) = 1\b", features)
    return (
        f"{processor()}, {usable_cpus()} of {os.cpu_count()} cores "
        f"usable, {threads} threads for everyone; llama-cpp-python {llama_cpp.__version__} "
        f"({', '.join(on)}); model {model}.{busy(load)}"
    )


Rows = Sequence[tuple[str, Callable[[Round], float], str]]


def table(title: str, rounds: Rounds, rows: Rows) -> str:
    """A column per weights, a row per quantity: median (range) over the rounds."""
    lines = [f"| {title} | {' | '.join(rounds)} |", "|---|" + "---|" * len(rounds)]
    for name, value, form in rows:
        cells = [spread([value(one) for one in own], form) for own in rounds.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: Sequence[float], form: str) -> str:
    """Median, and the range in brackets where the values differ."""
    middle, low, high = (format(f(values), form) for f in (median, min, max))
    return middle if low == high else f"{middle} ({low}–{high})"


def score_rows(plan: Plan, rounds: Rounds) -> Rows:
    """Rows of the table of label log-probabilities."""
    load = next(iter(rounds.values()))[0].load
    distinct = tree_tokens([chat.prompt for chat in load.triage])
    n = plan.repeats * plan.each * len(plan.personas)
    n_paper = plan.repeats * plan.paper * len(plan.personas)
    return [
        ("raw prompt speed, tokens/s", lambda r: mean(r.speeds[:2]), ".0f"),
        (f"limit: the {distinct:,} distinct tokens, s", lambda r: r.score_limit, ".1f"),
        (f"ours, {len(load.triage)} prompts, s", lambda r: r.scored.clock.total, ".1f"),
        ("tokens that ours computes", lambda r: r.scored.prompt_tokens, ",.0f"),
        ("**ours, share of the limit**", lambda r: r.score_share, ".3f"),
        ("raw speed in calls of our lengths, tokens/s", lambda r: mean(r.mixed), ".0f"),
        ("ours, share of the limit at that speed", lambda r: r.score_share_mixed, ".3f"),
        ("ours, prompts/s", lambda r: r.score_rate, ".2f"),
        (f"high-level `Llama` in a loop, prompts/s (n = {n})", lambda r: r.rates["high"], ".2f"),
        (f"llama_cpp.server, one client (n = {n})", lambda r: r.rates["server"], ".2f"),
        (f"the paper's procedure (n = {n_paper})", lambda r: r.rates["paper"], ".2f"),
        (f"high-level, the letter alone (n = {n})", lambda r: r.rates["letter"], ".2f"),
        (f"ours on the same prompts, prompts/s (n = {n})", lambda r: r.rates["ours"], ".2f"),
        ("ours ÷ high-level loop", lambda r: r.rates["ours"] / r.rates["high"], ".2f"),
        ("ours ÷ server", lambda r: r.rates["ours"] / r.rates["server"], ".2f"),
        ("ours ÷ the paper's procedure", lambda r: r.rates["ours"] / r.rates["paper"], ".1f"),
        ("ours ÷ the letter alone", lambda r: r.rates["ours"] / r.rates["letter"], ".2f"),
        ("ours in jobs of one thread side by side, prompts/s", lambda r: r.rates["jobs"], ".2f"),
        ("the same ÷ the letter alone", lambda r: r.rates["jobs"] / r.rates["letter"], ".2f"),
    ]


def text_rows(plan: Plan, rounds: Rounds) -> Rows:
    """Rows of the table of free text."""
    first = next(iter(rounds.values()))[0]
    load, width = first.load, first.width
    distinct = tree_tokens([chat.prompt for chat in load.explain])
    n = plan.repeats * plan.texts
    count = f"{len(load.explain)} answers of at most {load.max_tokens} tokens"
    return [
        (f"raw decode of {width} rows, tokens/s", lambda r: r.width / r.step, ".0f"),
        ("tokens generated", lambda r: r.explained.n_tokens, ",.0f"),
        (f"limit: with {distinct:,} distinct prompt tokens, s", lambda r: r.text_limit, ".1f"),
        (f"ours, {count}, s", lambda r: r.explained.clock.total, ".1f"),
        ("**ours, share of the limit**", lambda r: r.text_share, ".3f"),
        ("the same, decoding alone", lambda r: r.decoding_share, ".3f"),
        ("rows of the steps that belong to an answer", lambda r: r.occupancy, ".3f"),
        ("share of the limit of as many steps", lambda r: r.text_share_of_steps, ".3f"),
        ("the same, decoding alone", lambda r: r.decoding_share_of_steps, ".3f"),
        ("ours, tokens/s with the prompts", lambda r: r.text_rate, ".0f"),
        (f"high-level `Llama` in a loop (n = {n})", lambda r: r.rates["high text"], ".0f"),
        (f"llama_cpp.server, one client (n = {n})", lambda r: r.rates["server text"], ".0f"),
        ("ours ÷ high-level loop", lambda r: r.text_rate / r.rates["high text"], ".2f"),
        ("ours ÷ server", lambda r: r.text_rate / r.rates["server text"], ".2f"),
        ("ours in jobs of one thread side by side", lambda r: r.rates["jobs text"], ".0f"),
        (
            "the same ÷ high-level loop",
            lambda r: r.rates["jobs text"] / r.rates["high text"],
            ".2f",
        ),
    ]


def other_rows(cells: Cells, sizes: Sizes) -> str:
    """What was measured through the command line, with a model of random weights."""
    study = f"{sizes.cases} cases, {len(sizes.personas)} personas"
    rows = [
        (f"a cell of {sizes.cases} answers fully in the store, s", spread(cells.stored, ".2f")),
        (f"the same beside {sizes.others:,} other answers, s", spread(cells.crowded, ".2f")),
        (f"answers computed for {study}", str(cells.first)),
        ("answers computed after adding a case", str(cells.added)),
        *(
            (f"peak memory, {count:,} prompts, MB", f"{most:.0f} ({before:.0f} before the first)")
            for count, (before, most) in zip(sizes.answers, cells.peaks, strict=True)
        ),
    ]
    head = "| through the command line, random weights | |\n|---|---|\n"
    return head + "\n".join(f"| {name} | {value} |" for name, value in rows)


def targets(rounds: Rounds, cells: Cells, sizes: Sizes) -> str:
    """Each target, what was measured, and whether it was met."""

    def middle(own: Sequence[Round], value: Callable[[Round], float]) -> float:
        return median(value(one) for one in own)

    (few, low), (many, high) = ((sizes.answers[i], cells.peaks[i][1]) for i in (0, -1))
    each = (high - low) * 1024 / (many - few)
    found = [
        (f"score at ≥ {SCORE:.2f} of the limit, {title}", f"{share:.3f}", share >= SCORE)
        for title, share in ((t, middle(own, lambda r: r.score_share)) for t, own in rounds.items())
    ]
    for title, own in rounds.items():
        steps = middle(own, lambda r: r.text_share_of_steps)
        name = f"generate at ≥ {GENERATE:.2f} of as many steps, {title}"
        found.append((name, f"{steps:.3f}", steps >= GENERATE))
        labels = middle(own, lambda r: r.over_rivals)
        name = f"label probabilities ≥ {LABELS} × the fastest other, {title}"
        found.append((name, f"{labels:.2f}", labels >= LABELS))
        text = middle(own, lambda r: r.text_over_rivals)
        name = f"free text ≥ {TEXT} × the fastest other, {title}"
        found.append((name, f"{text:.2f}", text >= TEXT))
    found += [
        (
            f"a cell fully in the store in ≤ {CELL_S} s",
            f"{median(cells.stored):.2f} s",
            median(cells.stored) <= CELL_S,
        ),
        (
            f"a case added to {len(sizes.personas)} personas computes as many answers",
            str(cells.added),
            cells.added == len(sizes.personas),
        ),
        (
            "memory flat in the number of items",
            f"{each:.1f} kB per prompt of {low:.0f} MB",
            each < 10,
        ),
    ]
    lines = ["| target | measured | |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {'met' if met else 'missed'} |" for name, value, met in found]
    return "\n".join(lines)


# The parts of a profile, in the order in which they are shown; `Clock` names them.
PARTS = {
    "prompts": "llama_decode of prompts",
    "label forms": "llama_decode of label forms of several tokens",
    "steps": "llama_decode of steps",
    "copies of logits": "copying logits out of llama.cpp",
    "choice of tokens": "choosing tokens",
    "label sums": "adding up label forms",
    "reading": "finding what a prompt shares",
}


def profile(rounds: Rounds) -> str:
    """Where our time goes: means over the rounds."""
    kinds: dict[str, Callable[[Round], Run]] = {
        "labels": lambda r: r.scored,
        "free text": lambda r: r.explained,
    }
    columns = [
        (own, f"{title}: {kind}", pick)
        for title, own in rounds.items()
        for kind, pick in kinds.items()
    ]

    def row(name: str, value: Callable[[Round, Run], float], form: str = ".2f") -> str:
        cells = [format(mean(value(r, pick(r)) for r in own), form) for own, _, pick in columns]
        return f"| {name} | {' | '.join(cells)} |"

    def seconds(part: str) -> Callable[[Round, Run], float]:
        return lambda _, run: run.clock.seconds[part]

    lines = [
        f"| profile, s | {' | '.join(title for _, title, _ in columns)} |",
        "|---|" + "---|" * len(columns),
        *(row(name, seconds(part)) for part, name in PARTS.items()),
        row("the rest of Python", lambda _, run: run.clock.total - run.clock.seconds.total()),
        row("all", lambda _, run: run.clock.total),
        row("of it copying prompts to streams, about", lambda r, run: run.n_copied * r.copy),
        row("tokens/s of prompts", lambda _, run: prompt_speed(run), ".0f"),
        row("raw: tokens/s", lambda r, _: mean(r.speeds), ".0f"),
        row("ms of a step", lambda _, run: 1000 * per_call(run, "steps")),
        row("raw: ms of a step", lambda r, _: 1000 * r.step),
        row("ms of a label form", lambda _, run: 1000 * per_call(run, "label forms")),
        row("tokens of a call for a prompt", prompt_call, ".0f"),
    ]
    return "\n".join(lines)


def prompt_tokens(run: Run) -> int:
    """Tokens of prompts, without the single ones of label forms."""
    return run.prompt_tokens - run.clock.calls["label forms"]


def prompt_call(_: Round, run: Run) -> float:
    """Tokens of the usual call that decodes a piece of a prompt."""
    return prompt_tokens(run) / run.clock.calls["prompts"]


def prompt_speed(run: Run) -> float:
    """Tokens/s inside the calls that decode prompts."""
    return prompt_tokens(run) / run.clock.seconds["prompts"]


def per_call(run: Run, part: str) -> float:
    """Seconds of a call of one kind, 0 without any."""
    return run.clock.seconds[part] / max(1, run.clock.calls[part])
