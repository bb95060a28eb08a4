"""How fast the engine is, against the physical limit and against what people use instead.

    python benchmarks/engine.py            # about half an hour on 2 cores; nothing else should run
    python benchmarks/engine.py --write    # the same, and puts the tables into the README here
    python benchmarks/engine.py --quick    # a trial run of everything with random weights

For the weights as shipped and as prepared, in every round: the raw speed of the engine's context,
the label log-probabilities of the Semigran cases under four personas, raw speed, free text, raw
speed; then a part of the same prompts by the high-level `Llama`, by the paper's procedure and by
llama_cpp.server. At the end cells out of the store, a case added to a study, and memory. Needs the
data folder (`PERSONA_DATA_DIR`, else ../shared/data) and the model that `make` fetches.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cells
import readme
import report
import rounds
from workload import tiny_weights, weights, workload

from persona_paradox.engine.settings import usable_cpus

MODEL = "smollm2_135m_instruct"
QUICK_SIZES = cells.Sizes(4, cells.PERSONAS[:2], 500, (20, 80))


def say(text: str) -> None:
    """Tell on stderr how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr)


def main(options: argparse.Namespace) -> None:
    """Measure and print the tables."""
    busy = os.getloadavg()[0]
    plan, sizes = (rounds.QUICK, QUICK_SIZES) if options.quick else (rounds.Plan(), cells.Sizes())
    given = {key: getattr(options, key) for key in ("repeats", "cases", "answers")}
    plan = replace(plan, **{key: value for key, value in given.items() if value is not None})
    with tempfile.TemporaryDirectory() as folder:
        found = tiny_weights(Path(folder)) if options.quick else weights(options.model)
        if options.prepared:
            found = found[1:]
        load = workload(found[0].path, plan.personas, plan.cases, plan.answers, plan.max_tokens)
        measured: dict[str, list[rounds.Round]] = {one.title: [] for one in found}
        for number in range(plan.repeats):
            for one in found:
                say(f"round {number + 1} of {plan.repeats}, {one.title}")
                done = rounds.measure(number, one, load, plan, options.threads)
                measured[one.title].append(done)
        say("cells and memory")
        other = cells.measure(Path(folder), sizes)
    model = "with random weights" if options.quick else options.model
    where = report.machine(model, options.threads, busy)
    text = report.report(where, plan, measured, other, sizes)
    if options.profile:
        text += "\n\n" + report.profile(measured)
    print(text)
    if options.write:
        readme.write("engine.py", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=MODEL, help="id of the model")
    parser.add_argument(
        "--threads", type=int, default=usable_cpus(), help="of every computation; all cores"
    )
    parser.add_argument("--repeats", type=int, help="rounds, 5")
    parser.add_argument("--cases", type=int, help="cases under each persona, all")
    parser.add_argument("--answers", type=int, help="free-text answers, 40")
    parser.add_argument(
        "--prepared", action="store_true", help="the prepared weights alone, a third of the time"
    )
    parser.add_argument("--profile", action="store_true", help="show where our time goes, too")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md here")
    parser.add_argument("--quick", action="store_true", help="random weights, tiny sizes")
    main(parser.parse_args())
