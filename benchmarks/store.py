"""What a look-up in the response store costs, by what else is stored.

    python benchmarks/store.py            # about 10 minutes of one core, 500 MB of disk
    python benchmarks/store.py --write    # the same, and puts the tables into the README here
    python benchmarks/store.py --quick    # a trial run with fewer answers

Stores are filled as jobs fill them. Then processes of their own look up a cell's answers that are
there, and those of a cell that are not; for comparison, one reads all lines, as look-ups did before
there was an index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import paths  # noqa: F401 - puts the library on the path
import readme

from persona_paradox.engine.store import INDEX, Segment, Store, entry, segments

SCOPE = "0" * 32
CELL = 1000  # answers of the cell that is looked up
LENGTH = 287  # bytes of a line; the mean of triage, see docs/scaling.md
TIMES = 5
# Answers, and segments that hold them.
SIZES = (
    *((10**3, 1), (10**4, 1), (10**5, 1), (10**6, 1)),
    *((10**5, 100), (10**6, 100), (10**6, 1000), (10**6, 10_000), (10**6, 50_000)),
)
QUICK = ((10**3, 1), (10**4, 1), (10**4, 100))


@dataclass(frozen=True)
class Cost:
    """What something took: of the processor and by the clock in s, bytes read, files opened."""

    processor: float
    clock: float
    read: int
    opened: int


@dataclass
class Filling:
    """What it took to fill a store, in s: all `put`s, and the index at the ends of all jobs.

    Attributes:
        put: of the processor, all answers.
        index: of the processor, all jobs.
        index_clock: by the clock, all jobs.
        close_clock: by the clock, the ends of all jobs without the index.
    """

    put: float = 0.0
    index: float = 0.0
    index_clock: float = 0.0
    close_clock: float = 0.0


def key_of(number: int) -> str:
    """The key of an answer."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def value_of(text: str) -> dict[str, Any]:
    """An answer."""
    return {"text": text, "finish_reason": "stop", "n_tokens": 3, "label_logprob": [-1.25] * 5}


def fill(root: Path, count: int, jobs: int) -> Filling:
    """Store answers 0 to `count` as some jobs do, one after another."""
    spent = Filling()

    class Timed(Store):
        def _add_to_index(self, *arguments: Any) -> None:
            processor, clock = time.process_time(), time.perf_counter()
            super()._add_to_index(*arguments)
            spent.index += time.process_time() - processor
            spent.index_clock += time.perf_counter() - clock

    value = value_of("x" * (LENGTH - len(entry(key_of(0), value_of("")))))
    each = count // jobs
    for job in range(jobs):
        store = Timed(root, SCOPE)
        processor = time.process_time()
        for number in range(job * each, (job + 1) * each):
            store.put(key_of(number), value)
        spent.put += time.process_time() - processor
        clock = time.perf_counter()
        store.close()
        spent.close_clock += time.perf_counter() - clock
    spent.close_clock -= spent.index_clock
    return spent


def look_up(root: Path, what: str, count: int) -> Cost:
    """Look up a cell's answers in this process, which has not opened the store before."""
    first = {"stored": count // 2 // CELL * CELL, "missing": count, "all lines": 0}[what]
    keys = {key_of(number) for number in range(first, first + CELL)}
    opened = 0

    def count_opened(event: str, _: object) -> None:
        nonlocal opened
        opened += event in ("open", "os.listdir", "os.scandir")

    store = Store(root, SCOPE)
    sys.addaudithook(count_opened)
    before, processor, clock = bytes_read(), time.process_time(), time.perf_counter()
    if what == "all lines":
        found = {
            key: value
            for path in segments(store.folder)
            for key, value in Segment(path)
            if key in keys
        }
    else:
        found = store.find(keys)
    spent = time.process_time() - processor, time.perf_counter() - clock
    if len(found) != (0 if what == "missing" else CELL):
        raise RuntimeError(f"{len(found)} answers found")
    return Cost(*spent, bytes_read() - before, opened)


def bytes_read() -> int:
    """What this process has asked the system for since its start."""
    return int(Path("/proc/self/io").read_text().split()[1])


def measured(root: Path, what: str, count: int, times: int = TIMES) -> Cost:
    """Medians of look-ups in processes of their own."""
    command = [sys.executable, __file__, "--look-up", str(root), what, str(count)]
    found = [
        Cost(**json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
        for _ in range(times)
    ]
    return Cost(*(median(column) for column in zip(*map(astuple, found), strict=True)))


def measure(sizes: Sequence[tuple[int, int]]) -> str:
    """The tables."""
    looked, filled = [], []
    least = 0.0
    for count, jobs in sizes:
        print(f"{time.strftime('%H:%M:%S')} {count:,} answers, {jobs:,} jobs", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            spent = fill(root, count, jobs)
            index = [path.stat().st_size for path in root.glob(f"*/*/{INDEX}/*")]
            stored, missing = (measured(root, what, count) for what in ("stored", "missing"))
            lines = measured(root, "all lines", count, 1)
            shutil.rmtree(Store(root, SCOPE).folder / INDEX)
            first = measured(root, "stored", count, 1)
        size = {"answers": f"{count:,}", "segments": f"{jobs:,}"}
        least = least or stored.processor
        indexing = first.processor / lines.processor
        looked.append(
            size
            | {
                "processor, ms": f"{stored.processor * 1e3:.1f}",
                "÷ that of the first row": f"{stored.processor / least:.1f}",
                "clock, ms": f"{stored.clock * 1e3:.1f}",
                "MB read": f"{stored.read / 1e6:.2f}",
                "files and folders opened": f"{stored.opened}",
                "answers that are not stored: processor, ms": f"{missing.processor * 1e3:.1f}",
                "all lines: MB read": f"{lines.read / 1e6:,.1f}",
                "÷ the look-up, processor": f"{lines.processor / stored.processor:,.1f}",
                "first look-up without index ÷ all lines": f"{indexing:.1f}",
            }
        )
        filled.append(
            size
            | {
                "storing an answer, processor, µs": f"{spent.put / count * 1e6:.1f}",
                "index at a job's end: processor, ms": f"{spent.index / jobs * 1e3:.1f}",
                "clock, ms": f"{spent.index_clock / jobs * 1e3:.1f}",
                "the rest of its end: clock, ms": f"{spent.close_clock / jobs * 1e3:.1f}",
                "files of the index": f"{len(index)}",
                "bytes of it per answer": f"{sum(index) / count:.1f}",
            }
        )
    return f"{markdown(looked)}\n\n{markdown(filled)}"


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (rows[0], *(row.values() for row in rows))]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def main(options: argparse.Namespace) -> None:
    """Measure and print the tables."""
    if options.look_up:
        root, what, count = options.look_up
        print(json.dumps(asdict(look_up(Path(root), what, int(count)))))
        return
    load = os.getloadavg()[0]
    about = (
        f"{readme.processor()}; a cell of {CELL:,} answers of {LENGTH} bytes, medians of {TIMES}."
    )
    text = f"{about}{readme.busy(load)}\n\n{measure(QUICK if options.quick else SIZES)}"
    print(text)
    if options.write:
        readme.write("store.py", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer answers")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md here")
    parser.add_argument("--look-up", nargs=3, help=argparse.SUPPRESS)
    main(parser.parse_args())
