"""What changes the logits of a prompt: flash attention, the split point, the number of threads.

    python benchmarks/purity.py MODEL.gguf [results/delivered/MODEL/TASK/PERSONA.parquet] [--amx]

For flash attention on and off: the largest difference of a logit (a) between a prompt decoded in
one call and in two, for split points all along it, without and with pieces of one token; (b)
between one thread and more, for prompts and for generated tokens; and the speed in tokens/s, in
turns, of a prompt and of 16 answers side by side. For the prompts of a cell: (c) between prompts
in calls of their own and several prompts in one call, and how often the likeliest next token is
another one.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import llama_cpp
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from persona_paradox.engine.vocabulary import weights_parameters

TEXT = "The patient reports chest pain since this morning and looks pale. " * 60
GENERATED = 40
SIDE_BY_SIDE = 16
TURNS = 5


class Context:
    """A context of its own for one setting of flash attention and threads."""

    def __init__(self, model: object, flash: bool, threads: int, together: int = 1) -> None:
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_batch = 2048
        parameters.n_ctx = 2048 * together
        parameters.n_seq_max = together
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = int(flash)
        self.context = llama_cpp.llama_init_from_model(model, parameters)
        self.memory = llama_cpp.llama_get_memory(self.context)
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        self.size = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def decode(self, tokens: Sequence[int], position: int) -> np.ndarray:
        """Logits after the last token."""
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, i == len(tokens) - 1
        if llama_cpp.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        llama_cpp.llama_batch_free(batch)
        row = llama_cpp.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(row, shape=(self.size,)).copy()

    def prompts(self, several: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Logits after each of several prompts that are decoded in one call."""
        llama_cpp.llama_memory_clear(self.memory, True)
        rows = [(t, i, s, i == len(p) - 1) for s, p in enumerate(several) for i, t in enumerate(p)]
        batch = llama_cpp.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, last) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, last
        if llama_cpp.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        llama_cpp.llama_batch_free(batch)
        ends = [i for i, row in enumerate(rows) if row[3]]
        found = [llama_cpp.llama_get_logits_ith(self.context, i) for i in ends]
        return [np.ctypeslib.as_array(row, shape=(self.size,)).copy() for row in found]

    def prompt(self, tokens: Sequence[int], *cuts: int) -> np.ndarray:
        """Logits after a prompt that is decoded in pieces."""
        llama_cpp.llama_memory_clear(self.memory, True)
        edges = [0, *cuts, len(tokens)]
        for start, end in itertools.pairwise(edges):
            logits = self.decode(tokens[start:end], start)
        return logits

    def run(self, tokens: Sequence[int]) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Logits of a prompt and of what follows greedily, and both speeds."""
        started = time.perf_counter()
        first = last = self.prompt(tokens)
        read = time.perf_counter()
        rows = []
        for i in range(GENERATED):
            last = self.decode([int(last.argmax())], len(tokens) + i)
            rows.append(last)
        written = time.perf_counter()
        speeds = len(tokens) / (read - started), GENERATED / (written - read)
        return first, np.array(rows), *speeds

    def steps(self, tokens: Sequence[int], width: int) -> float:
        """Tokens/s of `width` answers side by side behind one prompt, a stream for each."""
        self.prompt(tokens)
        for stream in range(1, width):
            llama_cpp.llama_memory_seq_cp(self.memory, 0, stream, -1, -1)
        batch = llama_cpp.llama_batch_init(width, 0, 1)
        batch.n_tokens = width
        started = 0.0
        for step in range(GENERATED + 1):
            if step == 1:  # the first one copies the streams
                started = time.perf_counter()
            for i in range(width):
                batch.token[i], batch.pos[i] = tokens[(step + i) % len(tokens)], len(tokens) + step
                batch.n_seq_id[i], batch.logits[i] = 1, True
                batch.seq_id[i][0] = i
            if llama_cpp.llama_decode(self.context, batch):
                raise RuntimeError("llama_decode failed")
            llama_cpp.llama_synchronize(self.context)
        spent = time.perf_counter() - started
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_memory_clear(self.memory, True)
        return GENERATED * width / spent


def compare_speed(model: object, tokens: Sequence[int]) -> None:
    """Print medians of reading and of writing side by side, flash attention off and on in turns."""
    contexts = {flash: Context(model, flash, 1, SIDE_BY_SIDE) for flash in (False, True)}
    read: dict[bool, list[float]] = {False: [], True: []}
    written: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(TURNS):
        for flash, context in contexts.items():
            started = time.perf_counter()
            context.prompt(tokens)
            read[flash].append(len(tokens) / (time.perf_counter() - started))
            written[flash].append(context.steps(tokens, SIDE_BY_SIDE))
    for name, found in (("prompt", read), (f"{SIDE_BY_SIDE} answers side by side", written)):
        off, on = (median(found[flash]) for flash in (False, True))
        print(f"{name}, 1 thread: {off:.0f} tokens/s without, {on:.0f} with: {on / off:.2f} times")


def tokenize(model: object, text: str) -> list[int]:
    """Tokens of a text."""
    data = text.encode()
    buffer = (llama_cpp.llama_token * len(data))()
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    count = llama_cpp.llama_tokenize(vocabulary, data, len(data), buffer, len(data), False, False)
    return list(buffer[:count])


def batching(model: object, prompts: Sequence[Sequence[int]]) -> None:
    """Print what several prompts in one call change."""
    single = Context(model, False, 2)
    alone = [single.prompts([prompt])[0] for prompt in prompts]
    for together in (2, 4, 8):
        context = Context(model, False, 2, together)
        found = [
            logits
            for start in range(0, len(prompts), together)
            for logits in context.prompts(prompts[start : start + together])
        ]
        largest = max(np.abs(a - b).max() for a, b in zip(alone, found, strict=True))
        flips = sum(a.argmax() != b.argmax() for a, b in zip(alone, found, strict=True))
        print(
            f"{together} prompts in one call: largest difference {largest:.3g}, another likeliest "
            f"token after {flips} of {len(prompts)} prompts"
        )


def main() -> None:
    """Measure and print one line per setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("model", help="GGUF file")
    parser.add_argument("delivered", nargs="?", help="prompts of a cell, results/delivered/…")
    parser.add_argument(
        "--amx", action="store_true", help="with llama.cpp's kernels for AMX, if it has them"
    )
    options = parser.parse_args()

    @llama_cpp.llama_log_callback
    def quiet(level: int, text: bytes, data: object) -> None:
        pass

    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    llama_cpp.llama_backend_init()
    parameters = weights_parameters()
    parameters.use_extra_bufts |= options.amx
    parameters.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(options.model.encode(), parameters)
    if options.delivered:
        cell = pl.read_parquet(options.delivered).get_column("pieces").to_list()
        batching(model, [[t for piece in pieces for t in piece] for pieces in cell])
    tokens = tokenize(model, TEXT)[:700]
    short = tokens[:206]
    compare_speed(model, short)
    for flash in (False, True):
        context = Context(model, flash, threads=2)
        whole = context.prompt(short)
        splits = {
            cut: np.abs(context.prompt(short, cut) - whole).max()
            for cut in (1, *range(10, 205, 15), 205)
        }
        ones = {1, 205}
        inside = max(value for cut, value in splits.items() if cut not in ones)
        edge = max(np.abs(context.prompt(short, cut) - whole).max() for cut in ones)
        name = "on " if flash else "off"
        print(f"flash attention {name}: split {inside:.3g}, piece of one token {edge:.3g}")
        reference = Context(model, flash, threads=1).run(tokens)
        for threads in (1, 2, 3):
            first, rows, reading, writing = Context(model, flash, threads).run(tokens)
            prompt = np.abs(first - reference[0]).max()
            generated = np.abs(rows - reference[1]).max()
            print(
                f"  {threads} threads against 1: prompt {prompt:.3g}, generated {generated:.3g}; "
                f"{reading:.0f} prompt tokens/s, {writing:.0f} generated tokens/s"
            )


if __name__ == "__main__":
    main()
