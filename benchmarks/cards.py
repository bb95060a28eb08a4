"""What a graphics card does to answers, and how fast it is: to choose how the engine uses one.

    python benchmarks/cards.py            # at most 8 minutes; llama.cpp must be built for the card
    python benchmarks/cards.py --cpu      # the same, smaller, without a card: 10 minutes of 2 cores
    python benchmarks/cards.py --quick    # a trial run with random weights, half a minute

(a) Audit: are answers bit for bit the same in another order, one by one, in two halves, among
others, in an engine that was loaded anew with other threads? With flash attention off and on, with
steps of several widths, and with an anchor (`Anchored`). (b) Speed of labels and free text by
width. (c) Prompts one by one, and several to a call of fixed shape. Every part is a process with a
time limit; what it finds goes into a file (`--output`, JSON lines) at once, so that an overrun
loses nothing. Needs the model that `make` fetches.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import llama_cpp
import paths
import readme
from cards_measure import LARGE, SMOLLM2, TINY, Bench, Part, Plan, smi
from cards_table import table

from persona_paradox.engine.settings import cards, usable_cpus
from persona_paradox.engine.vocabulary import features, start_llama

MODEL = paths.ROOT / "resources" / "models" / "smollm2_135m_instruct"
ENOUGH_S = 3  # of a part that is left when no new one is begun

CARD = Plan()
CPU = replace(CARD, context=512, audited=3, audit_tokens=3, companions=6, scored=8, tokens=3)
CPU = replace(CPU, explained=8, repeats=32)
QUICK = replace(CPU, widths=(2, 4), audited=4, scored=4, repeats=1, several=(2,), threads=1)


def parts(plan: Plan, models: Sequence[str]) -> list[Part]:
    """What is measured, the most wanted first."""
    tiny = tuple(name for name in models if name.startswith("tiny"))
    own = tuple(name for name in models if name in SMOLLM2)
    first, *rest = plan.widths
    # The tiny ones stand for SmolLM2 where it is not there.
    own = own or tiny[1:2]
    wanted = [
        Part("audit", own, (first,)),
        Part("speed", own[:1], plan.widths),
        Part("audit", tiny, (first,)),
        Part("audit", own, (first,), anchored=True),
        Part("prompts", own, (max(plan.several),)),
        Part("audit", own[:1], tuple(rest)),
        Part("audit", own[:1], tuple(rest), anchored=True),
        Part("speed", own[:1], plan.widths, anchored=True),
        Part("speed", own[1:], plan.widths),
        Part("speed", tuple(name for name in models if name == LARGE), plan.widths),
    ]
    return [part for part in wanted if part.models]


def machine(cpu: bool) -> dict[str, Any]:
    """What is measured on."""
    start_llama()
    return {
        "kind": "machine",
        "cards": [] if cpu else cards(),
        "driver": None if cpu else smi("driver_version,memory.total"),
        "processor": readme.processor(),
        "threads": usable_cpus(),
        "llama_cpp_python": llama_cpp.__version__,
        "features": features(),
    }


def run(options: argparse.Namespace, plan: Plan, models: Sequence[str], folder: str) -> None:
    """Run part after part, each as a process, until the time is over."""
    end = time.monotonic() + 60 * options.minutes
    command = [sys.executable, __file__, "--folder", folder, "--model", str(options.model)]
    command += ["--cpu"] * options.cpu + ["--quick"] * options.quick
    with options.output.open("a", encoding="utf-8") as file:

        def write(row: Mapping[str, Any]) -> None:
            print(json.dumps(row), file=file, flush=True)

        for part in parts(plan, models):
            given = json.dumps(asdict(part))
            slow = 5 if options.cpu else 2 if LARGE in part.models else 1
            limit = min(slow * plan.limit_s, end - time.monotonic())
            print(f"{time.strftime('%H:%M:%S')} {given}", file=sys.stderr)
            if limit < ENOUGH_S:
                write(asdict(part) | {"unfinished": "no time was left"})
                continue
            try:
                done = subprocess.run(
                    [*command, "--part", given],
                    stdout=file,
                    stderr=subprocess.PIPE,
                    text=True,
                    timeout=limit,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                write(asdict(part) | {"unfinished": f"ended after {limit:.0f} s"})
                continue
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
                write(asdict(part) | {"unfinished": f"status {done.returncode}: {said}"})


def main(options: argparse.Namespace) -> None:
    """Measure, and print the tables; or one part, as a row of JSON per finding."""
    plan = QUICK if options.quick else CPU if options.cpu else CARD
    if options.part:
        given = json.loads(options.part)
        lists = {name: tuple(given[name]) for name in ("models", "widths")}
        part = Part(**given | lists)
        bench = Bench(plan, Path(options.folder), options.model, options.cpu)
        for row in bench.measure(part):
            print(json.dumps(row), flush=True)
        return
    if not options.cpu and not machine(cpu=False)["cards"]:
        sys.exit(
            "error: llama.cpp finds no graphics card; build it for one "
            "(docs/how-to/graphics-card.md), or try it with --cpu"
        )
    there = [name for name, file in SMOLLM2.items() if (options.model / file).is_file()]
    if options.quick:
        there = []
    elif not there:
        print(f"{options.model} is not there (make fetches it): random weights alone")
    options.output.unlink(missing_ok=True)
    options.output.write_text(json.dumps(machine(options.cpu)) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        large = [LARGE] if options.large and not (options.cpu or options.quick) else []
        run(options, plan, [*there, *TINY, *large], folder)
    text = table([json.loads(line) for line in options.output.read_text().splitlines()])
    print(text)
    if options.write:
        readme.write("cards.py", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of SmolLM2's files")
    parser.add_argument("--output", type=Path, default=Path("cards.jsonl"), help="what is found")
    parser.add_argument("--minutes", type=float, default=8, help="time for all")
    parser.add_argument(
        "--large", action="store_true", help="speed of a model of 8.5 GB with random weights, too"
    )
    parser.add_argument("--cpu", action="store_true", help="without a card, smaller")
    parser.add_argument("--quick", action="store_true", help="random weights, tiny sizes")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md here")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    main(parser.parse_args())
