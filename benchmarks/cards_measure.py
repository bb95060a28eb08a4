"""What the script for graphics cards measures: purity, speed, and prompts several to a call."""

from __future__ import annotations

import contextlib
import csv
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from itertools import groupby, product, zip_longest
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import paths
import yaml
from shaped_model import Shape, write_shaped_model
from tiny_model import ARCHITECTURES, write_tiny_model

from persona_paradox.engine.decoding import Answer, Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.running import Question
from persona_paradox.engine.settings import Settings, usable_cpus
from persona_paradox.engine.vocabulary import Prompt, Vocabulary, open_vocabulary
from persona_paradox.prompting.chat import ChatTemplate

SMOLLM2 = {"F16": "model.gguf", "Q4_1": "source.gguf"}  # prepared, and as shipped
TINY = {f"tiny {kind}": {"file_type": kind} for kind in ("F32", "F16", "Q8_0", "Q4_1")}
TINY |= {f"tiny {kind}": {"architecture": kind} for kind in ARCHITECTURES[1:]}
# For its speed alone: most models that need a card are of such a size.
LARGE = "Llama 3.1 8B's shape, Q8_0"

PERSONAS = ("ed_physician", "ed_nurse", "layperson", "helpful_assistant")
LABELS = "12345"
QUESTION = "Where should this person go, and why? Explain in a few sentences."
PADDED_TO = 64  # tokens: calls of several prompts have this length or a multiple


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        context: window in tokens.
        widths: rows of a step.
        audited: answers that are computed in several ways.
        audit_tokens: most tokens of one.
        companions: others among them, None for twice the width.
        scored: prompts whose labels are timed.
        explained: free-text prompts.
        repeats: times that each of them is answered.
        tokens: most tokens of an answer.
        several: prompts to a call.
        limit_s: of a part.
        threads: of the processor; None for all cores.
    """

    context: int = 2048
    widths: tuple[int, ...] = (16, 64, 256)
    audited: int = 24
    audit_tokens: int = 24
    companions: int | None = None
    scored: int = 240
    explained: int = 32
    repeats: int = 16
    tokens: int = 64
    several: tuple[int, ...] = (4, 16)
    limit_s: float = 120
    threads: int | None = None


@dataclass(frozen=True)
class Part:
    """A process: what it measures of each model at each width, flash attention off and on."""

    kind: str
    models: tuple[str, ...]
    widths: tuple[int, ...] = ()
    anchored: bool = False


# --- what is asked ------------------------------------------------------------------------


class Work:
    """Prompts of the bundled teaching cases, in the model's own template and tokens.

    A tiny model has a token for every byte: it reads the beginning of a case, and no instruction.

    Attributes:
        triage: prompts that end where a label is due.
        explain: prompts that ask for free text.
        long: prompts of several cases, longer than the others.
    """

    def __init__(self, vocabulary: Vocabulary, plan: Plan, tiny: bool) -> None:
        config = paths.ROOT / "config"
        task = yaml.safe_load((config / "tasks" / "triage_ed.yaml").read_text(encoding="utf-8"))
        path = paths.ROOT / "resources" / "bundled" / "teaching_ed.csv"
        with path.open(encoding="utf-8", newline="") as file:
            cases = [row["case"] for row in csv.DictReader(file)]
        instruction = task["instruction"]
        longest = plan.context - plan.tokens - plan.audit_tokens
        if tiny:
            cases, instruction = [case[:120] for case in cases], "Answer with a digit."
        template = ChatTemplate(vocabulary.chat_template, vocabulary.bos, vocabulary.eos, "model")

        def prompt(system: str, user: str, prefix: str = "") -> Prompt:
            return vocabulary.prompt(template.render(system, user, prefix).parts)

        systems = []
        for persona in PERSONAS:
            text = (config / "personas" / f"{persona}.yaml").read_text(encoding="utf-8")
            systems.append(yaml.safe_load(text)["texts"]["main"])
        self.triage = [
            prompt(f"{one}\n{instruction}", f"{case}\n\nWhich level is this?", "ESI level:")
            for one in systems
            for case in cases
        ]
        self.explain = [
            prompt(systems[0], f"{case}\n\n{QUESTION}") for case in cases[: plan.explained]
        ]
        self.long = []
        for start in range(len(cases)):
            several = [*cases[start:], *cases[:start]]
            fits = [prompt(systems[0], "\n\n".join(several[:n])) for n in (2, 4, 7)]
            self.long.append(max((p for p in fits if len(p) <= longest), key=len))

    def audited(self, plan: Plan) -> list[Question]:
        """Greedy and sampled answers of different lengths, with labels."""
        several = [*self.triage[:: len(self.triage) // plan.audited], *self.explain]
        greedy = self.decoding(plan.audit_tokens)
        sampled = replace(greedy, temperature=0.7)
        return [
            Question(several[place], sampled if i % 2 else greedy, seed=i)
            for i, place in enumerate(shuffled(len(several), seed=0)[: plan.audited])
        ]

    def companions(self, plan: Plan, count: int) -> list[Question]:
        """Other answers, half of them to long prompts."""
        mixed = [one for two in zip(self.long, self.triage, strict=False) for one in two]
        decoding = self.decoding(plan.audit_tokens)
        return [Question(mixed[i % len(mixed)], decoding, 1000 + i) for i in range(count)]

    @staticmethod
    def decoding(tokens: int) -> Decoding:
        """Greedy, with everything that tells bits apart."""
        return Decoding(max_tokens=tokens, token_logprobs=True)


# --- the engine in variants ---------------------------------------------------------------


class Anchored(Engine):
    """An engine whose steps always attend over the whole window.

    llama.cpp attends over as many cells as the longest of the streams of a call needs, in multiples
    of 256. On a card that number changes the order of sums, so that an answer may hang on how long
    its companions are. Here one more stream, which holds no answer, fills the window.
    """

    def __init__(self, model: Path, settings: Settings, threads: int, name: str) -> None:
        super().__init__(model, replace(settings, width=settings.width + 1), threads, name)
        self._anchor = self._streams[-1]
        self._streams = self._streams[:-1]
        self._last = settings.context - 1
        self._decode_piece([0] * self._last, 0)
        llama_cpp.llama_memory_seq_cp(self._memory, 0, self._anchor, -1, -1)
        self._step.token[-1], self._step.position[-1] = 0, self._last

    def _advance(self, running: Any) -> Any:
        logits = super()._advance(running)
        llama_cpp.llama_memory_seq_rm(self._memory, self._anchor, self._last, -1)
        return logits


@contextlib.contextmanager
def contexts(change: Callable[[Any], None]) -> Iterator[None]:
    """Contexts of the block have changed parameters."""
    original = llama_cpp.llama_init_from_model

    def start(model: Any, parameters: Any) -> Any:
        change(parameters)
        return original(model, parameters)

    llama_cpp.llama_init_from_model = start
    try:
        yield
    finally:
        llama_cpp.llama_init_from_model = original


def flash_attention(on: bool) -> AbstractContextManager[None]:
    """Contexts of the block have it on, or off."""

    def change(parameters: Any) -> None:
        parameters.flash_attn_type = int(on)

    return contexts(change)


def wide_calls(rows: int) -> AbstractContextManager[None]:
    """Contexts of the block take calls of so many rows in one go."""

    def change(parameters: Any) -> None:
        parameters.n_batch = parameters.n_ubatch = max(rows, parameters.n_batch)

    return contexts(change)


class Bench:
    """Measures the parts of a plan in one process."""

    def __init__(self, plan: Plan, folder: Path, model: Path, cpu: bool) -> None:
        self.plan, self._folder, self._model, self._cpu = plan, folder, model, cpu
        self._threads = plan.threads or usable_cpus()

    def file(self, model: str) -> Path:
        """The GGUF of a model's name."""
        if model in SMOLLM2:
            return self._model / SMOLLM2[model]
        path = self._folder / f"{model}.gguf"
        if not path.is_file() and model == LARGE:
            write_shaped_model(path, Shape())
        elif not path.is_file():
            write_tiny_model(path, **TINY[model])
        return path

    def engine(self, part: Part, model: str, width: int, threads: int = 0) -> Engine:
        """An engine in the variant of a part."""
        kind = Anchored if part.anchored else Engine
        settings = Settings(self.plan.context, width, gpu_layers=0 if self._cpu else -1)
        return kind(self.file(model), settings, threads or self._threads, model)

    def measure(self, part: Part) -> Iterator[dict[str, Any]]:
        """What is found, one row after the other."""
        ways = {"audit": self.audit, "speed": self.speed, "prompts": self.prompts}
        for model, flash in product(part.models, (False, True)):
            for width in part.widths:
                with flash_attention(flash):
                    for row in ways[part.kind](part, model, width):
                        yield asdict(part) | {"model": model, "flash": flash} | row

    # --- (a) ---

    def audit(self, part: Part, model: str, width: int) -> Iterator[dict[str, Any]]:
        """The same answers in several ways, each compared with all in one go."""
        with self.engine(part, model, width) as engine:
            work = Work(engine.vocabulary, self.plan, model not in SMOLLM2)
            asked = work.audited(self.plan)
            forms = engine.vocabulary.label_forms(LABELS)

            def answers(engine: Engine, questions: Sequence[Question]) -> list[Answer]:
                found = dict(engine.generate(questions, forms))
                return [found[i] for i in range(len(questions))]

            def mixed(others: Sequence[Question]) -> list[Answer]:
                both = [*asked, *others]
                order = shuffled(len(both), seed=1)
                found = dict(zip(order, answers(engine, [both[i] for i in order]), strict=True))
                return [found[i] for i in range(len(asked))]

            half = len(asked) // 2
            first = answers(engine, asked)
            ways = {
                "again": lambda: answers(engine, asked),
                "other order": lambda: mixed(()),
                "one by one": lambda: [answers(engine, [one])[0] for one in asked],
                "halves": lambda: answers(engine, asked[:half]) + answers(engine, asked[half:]),
                "companions": lambda: mixed(
                    work.companions(self.plan, self.plan.companions or 2 * width)
                ),
            }
            for check, way in ways.items():
                yield {"width": width, "check": check} | compare(first, way())
        with self.engine(part, model, width, self._threads + 1) as engine:
            found = compare(first, answers(engine, asked))
            yield {"width": width, "check": "loaded anew"} | found
        with self.engine(part, model, max(1, width // 2)) as engine:
            # Not the same key: how much it would change.
            found = compare(first, answers(engine, asked))
            yield {"width": width, "check": "half the width"} | found

    # --- (b) ---

    def speed(self, part: Part, model: str, width: int) -> Iterator[dict[str, Any]]:
        """Labels and free text of an engine, after a warming up."""
        plan = self.plan
        with self.engine(part, model, width) as engine:
            work = Work(engine.vocabulary, plan, model not in SMOLLM2)
            forms = engine.vocabulary.label_forms(LABELS)
            texts = [Question(prompt, Decoding(plan.tokens)) for prompt in work.explain]
            for _ in engine.generate([replace(texts[0], decoding=Decoding(2))], forms):
                pass
            started = time.perf_counter()
            scored = sum(1 for _ in engine.score(work.triage[-plan.scored :], forms))
            labels_s = time.perf_counter() - started
            clock = _Decoding(engine)
            started = time.perf_counter()
            found = [answer for _, answer in engine.generate(texts * plan.repeats)]
            text_s = time.perf_counter() - started
        written = sum(answer.n_tokens for answer in found)
        yield {
            "width": width,
            "labels_per_s": scored / labels_s,
            "tokens": written,
            "tokens_per_s": written / text_s,
            "step_ms": 1000 * clock.seconds["steps"] / max(1, clock.calls),
            "in_steps": clock.seconds["steps"] / text_s,
            "in_prompts": clock.seconds["prompts"] / text_s,
            "memory_mib": None if self._cpu else smi("memory.used"),
        }

    # --- (c) ---

    def prompts(self, part: Part, model: str, most: int) -> Iterator[dict[str, Any]]:
        """Prompts one by one as the engine reads them, then several to a call, at most `most`."""
        plan, file = self.plan, self.file(model)
        with open_vocabulary(file, model) as vocabulary:
            asked = Work(vocabulary, plan, model not in SMOLLM2).triage[-plan.scored :]
        asked.sort(key=lambda prompt: prompt.pieces)
        rows = most * PADDED_TO * max(blocks(prompt) for prompt in asked)
        with wide_calls(rows), self.engine(part, model, most) as engine:
            engine._read(asked[-1])
            started = time.perf_counter()
            alone = [engine._read(prompt)[0] for prompt in asked]
            spent = time.perf_counter() - started
            yield {"several": 1, "prompts_per_s": len(asked) / spent}
            for several in plan.several:
                reader = Several(engine, several)
                reader.read(asked[:several])
                started = time.perf_counter()
                found = reader.read(asked)
                spent = time.perf_counter() - started
                order = shuffled(len(asked), seed=2)
                other = dict(zip(order, reader.read([asked[i] for i in order]), strict=True))
                pairs = list(zip(alone, found, strict=True))
                yield {
                    "several": several,
                    "prompts_per_s": len(asked) / spent,
                    "n": len(asked),
                    "differ": sum(bool((row != other[i]).any()) for i, row in enumerate(found)),
                    "from_alone": max(float(np.abs(a - b).max()) for a, b in pairs),
                    "other_token": sum(bool(a.argmax() != b.argmax()) for a, b in pairs),
                }


class _Decoding:
    """Time that an engine spends in llama_decode."""

    def __init__(self, engine: Engine) -> None:
        self.seconds, self.calls = {"steps": 0.0, "prompts": 0.0}, 0
        decode, step, context = engine._decode, engine._step, engine._context

        def timed(batch: Any) -> None:
            started = time.perf_counter()
            decode(batch)
            # A card works on after the call.
            llama_cpp.llama_synchronize(context)
            self.seconds["steps" if batch is step else "prompts"] += time.perf_counter() - started
            self.calls += batch is step

        engine._decode = timed  # type: ignore[method-assign]


def blocks(prompt: Prompt) -> int:
    """Length of a prompt's last piece in multiples of `PADDED_TO`, rounded up."""
    return -(-len(prompt.pieces[-1]) // PADDED_TO)


class Several:
    """Reads prompts several to a call of fixed shape.

    Prompts that share all pieces but the last, and whose last ones are as long up to a multiple of
    `PADDED_TO`, go into a call together, each in a stream of its own, padded at its end. Where
    fewer are left the call has rows of padding, so that its shape hangs on the prompt alone.
    """

    def __init__(self, engine: Engine, several: int) -> None:
        self._engine, self._several = engine, several
        self._calls: dict[int, Any] = {}

    def read(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """Logits after each prompt, shape (vocabulary,)."""

        def shape(i: int) -> tuple[Any, int]:
            return prompts[i].pieces[:-1], blocks(prompts[i])

        found: dict[int, np.ndarray] = {}
        held = None
        for (shared, size), group in groupby(sorted(range(len(prompts)), key=shape), key=shape):
            if shared != held:
                self._share(shared)
                held = shared
            start = sum(len(piece) for piece in shared)
            alike = list(group)
            for first in range(0, len(alike), self._several):
                chosen = alike[first : first + self._several]
                lasts = [prompts[i].pieces[-1] for i in chosen]
                rows = self._call(lasts, start, size * PADDED_TO)
                found |= dict(zip(chosen, rows, strict=True))
        return [found[i] for i in range(len(prompts))]

    def _share(self, pieces: Sequence[tuple[int, ...]]) -> None:
        """Read pieces, of which every stream then has a copy."""
        engine, position = self._engine, 0
        llama_cpp.llama_memory_clear(engine._memory, False)
        engine._held = ()
        for piece in pieces:
            engine._decode_piece(piece, position)
            position += len(piece)
        for stream in range(1, self._several + 1):
            llama_cpp.llama_memory_seq_cp(engine._memory, 0, stream, -1, -1)

    def _call(self, lasts: Sequence[tuple[int, ...]], start: int, length: int) -> list[np.ndarray]:
        engine, batch = self._engine, self._batch(length)
        batch.position[:] = np.tile(np.arange(start, start + length), self._several)
        batch.token[:], batch.logits[:] = 0, 0
        ends = []
        for stream, last in zip_longest(range(self._several), lasts, fillvalue=()):
            row = stream * length
            batch.token[row : row + len(last)] = last
            ends.append(row + max(0, len(last) - 1))
        batch.logits[ends] = 1
        engine._decode(batch)
        for stream in range(1, self._several + 1):
            llama_cpp.llama_memory_seq_rm(engine._memory, stream, start, -1)
        return [engine._logits(end) for end in ends[: len(lasts)]]

    def _batch(self, length: int) -> Any:
        if length not in self._calls:
            streams = [1 + row // length for row in range(self._several * length)]
            kind = type(self._engine._step)
            self._calls[length] = kind(len(streams), streams).use(len(streams))
        return self._calls[length]


def shuffled(count: int, seed: int) -> list[int]:
    """The numbers below `count` in a random order."""
    return [int(i) for i in np.random.default_rng(seed).permutation(count)]


def compare(first: Sequence[Answer], second: Sequence[Answer]) -> dict[str, Any]:
    """How many answers differ in any bit, how many in their text, and the largest difference.

    The difference is of a label's log-probability, or of a token's where the texts are equal.
    """
    largest = 0.0
    for one, other in zip(first, second, strict=True):
        pairs = [(one.label_logprob, other.label_logprob)]
        if one.text == other.text:
            pairs.append((one.token_logprob, other.token_logprob))
        for a, b in pairs:
            difference = np.abs(np.subtract(a or (), b or ())).max(initial=0.0)
            largest = max(largest, float(difference))
    return {
        "n": len(first),
        "differ": sum(a != b for a, b in zip(first, second, strict=True)),
        "texts": sum(a.text != b.text for a, b in zip(first, second, strict=True)),
        "largest": largest,
    }


def smi(what: str) -> str | None:
    """What the driver's program says of the first card; None where it is not there."""
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits", "--id=0"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip()
    return None
