"""Print the peak memory, in MB, of an engine that answers many short prompts.

    python benchmarks/memory.py model.gguf 400

Before the first answer, when all questions are made, and at the end.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import paths  # noqa: F401 - finds the library

from persona_paradox.engine.decoding import Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.running import Question
from persona_paradox.engine.settings import Settings


def peak_mb() -> float:
    """The largest memory that this process had; getrusage would begin with that of its parent."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def main(model: Path, count: int) -> None:
    """Answer `count` different prompts and keep no answer."""
    with Engine(model, Settings(context=512, width=16), 1, str(model)) as engine:
        questions = [
            Question(
                engine.vocabulary.prompt(
                    ["You are a physician. ", f"Patient {number} has a cough. Answer:"]
                ),
                Decoding(max_tokens=4),
            )
            for number in range(count)
        ]
        before = peak_mb()
        forms = engine.vocabulary.label_forms("ABC")
        answers = sum(1 for _ in engine.generate(questions, forms))
        if answers != count:
            raise RuntimeError(f"{answers} answers to {count} prompts")
    print(f"{before:.1f} {peak_mb():.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
