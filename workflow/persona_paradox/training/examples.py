"""Examples of a training as tokens: those that the engine reads and writes in a cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import llama_cpp
import numpy as np

from ..engine.vocabulary import Vocabulary
from ..errors import InputError
from .settings import DPO, Settings

Tokens = tuple[int, ...]

# Text that no tokenizer joins with what follows, for completions of a tokenizer that puts a space
# in front of whatever it is given.
_BEFORE = ("(", "\n", ":", "**")

# A completion of at most so many tokens is short: its loss is computed at few positions.
SHORT_TOKENS = 32


@dataclass(frozen=True)
class Example:
    """A prompt and what is to be written behind it.

    Attributes:
        group: examples of a group have the beginning of their prompts in common.
        prompt: tokens of the prompt, as a cell has them.
        completion: tokens behind it, with the one that ends the turn.
        weight: of its loss; 1 on average.
    """

    group: str
    prompt: Tokens
    completion: Tokens
    weight: float = 1.0


class Reader:
    """Texts as tokens of the base model.

    Args:
        vocabulary: of the base model.
        name: the adapter's file, in errors.
    """

    def __init__(self, vocabulary: Vocabulary, name: str) -> None:
        self._vocabulary = vocabulary
        self._name = name
        self._alone = vocabulary.spells_alone
        self.end = _end_of_turn(vocabulary)

    def prompt(self, text: str) -> Tokens:
        """Tokens of a prompt, as `deliver` writes them."""
        return self._vocabulary.prompt([text]).tokens

    def completion(self, text: str) -> Tokens:
        """Tokens by which a prompt goes on, and the one that ends the turn.

        Raises:
            InputError: the tokenizer cannot write the text behind another.
        """
        return (*self._behind(text), self.end)

    def _behind(self, text: str) -> Tokens:
        tokenize = self._vocabulary.tokenize
        if self._alone:
            return tuple(tokenize(text, special=False))
        for before in _BEFORE:
            known = tokenize(before, special=False)
            tokens = tokenize(before + text, special=False)
            if tokens[: len(known)] == known:
                return tuple(tokens[len(known) :])
        raise InputError(
            f"{self._name}: the tokenizer of the base model cannot write the completion {text!r}; "
            "begin it with a letter or a space"
        )


def _end_of_turn(vocabulary: Vocabulary) -> int:
    """The token that the chat template writes behind an answer.

    Mostly that is the end of sequence. Gemma's is another one; what llama.cpp takes for the end of
    a turn is one that SmolLM2's template never writes.
    """
    template = vocabulary.metadata("tokenizer.chat_template") or ""
    eos, eot = (
        int(of(vocabulary.pointer)) for of in (llama_cpp.llama_vocab_eos, llama_cpp.llama_vocab_eot)
    )
    written = [
        one for one in (eos, eot) if one >= 0 and vocabulary.spelled(one).decode() in template
    ]
    return written[0] if written else eos


def read_examples(
    rows: Sequence[Mapping[str, Any]], reader: Reader, settings: Settings, name: str
) -> list[Example]:
    """Examples of supervised training.

    Args:
        rows: with `prompt` and `completion`; `task` and `persona` where they have them.
        reader: of the base model's tokens.
        settings: whose `weights` are asked for.
        name: the adapter's file, in errors.

    Raises:
        InputError: there is none, or a completion is empty.
    """
    _check(rows, ("completion",), name)
    prompts = {text: reader.prompt(text) for text in {row["prompt"] for row in rows}}
    completions = {text: reader.completion(text) for text in {row["completion"] for row in rows}}
    examples = [
        Example(
            f"{row.get('task')}/{row.get('persona')}",
            prompts[row["prompt"]],
            completions[row["completion"]],
        )
        for row in rows
    ]
    return balanced(examples) if settings.weights == "balanced" else examples


def as_masked(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Examples in the columns of trl's SFT: tokens, and which of them are the completion."""
    return [
        {
            "input_ids": [*one.prompt, *one.completion],
            "completion_mask": [0] * len(one.prompt) + [1] * len(one.completion),
        }
        for one in examples
    ]


def read_preferences(
    rows: Sequence[Mapping[str, Any]], reader: Reader, settings: Settings, name: str
) -> list[dict[str, Any]]:
    """Examples in the columns of tokens of trl's DPO or KTO.

    Args:
        rows: with `prompt`, and `chosen` and `rejected`, or `completion` and `label`.
        reader: of the base model's tokens.
        settings: of the training.
        name: the adapter's file, in errors.

    Raises:
        InputError: there is none, an answer is empty, or KTO has only good or only bad ones.
    """
    texts = ("chosen", "rejected") if settings.method == DPO else ("completion",)
    _check(rows, texts, name)
    found: list[dict[str, Any]] = [
        {"prompt_ids": list(reader.prompt(row["prompt"]))}
        | {f"{text}_ids": list(reader.completion(row[text])) for text in texts}
        for row in rows
    ]
    if settings.method == DPO:
        return found
    labels = [bool(row["label"]) for row in rows]
    if len(set(labels)) < 2 or settings.batch < 2:
        raise InputError(
            f"{name}: key `training`: KTO needs good answers and bad ones, and a `batch` of at "
            "least 2; bring both, or choose dpo or sft"
        )
    order = np.random.default_rng(settings.seed).permutation(len(found)).tolist()
    drawn = [found[i] | {"label": labels[i]} for i in order]
    # The last batch must not be of one answer, which has no neighbour.
    if len(drawn) % settings.batch == 1:
        drawn.pop()
    for start in range(0, len(drawn), settings.batch):
        batch = drawn[start : start + settings.batch]
        answers = [one["completion_ids"] for one in batch]
        for one, other in zip(batch, [answers[-1], *answers[:-1]], strict=True):
            one["KL_completion_ids"] = other
    return drawn


def _check(rows: Sequence[Mapping[str, Any]], texts: Sequence[str], name: str) -> None:
    """See that there are examples, and that each is whole."""
    empty = [text for text in texts if any(not row[text] for row in rows)]
    if empty or not rows:
        what = f"a text of `{empty[0]}` is empty" if empty else "there is no example"
        raise InputError(f"{name}: key `training.data`: {what}; bring other examples")


def balanced(examples: Sequence[Example]) -> list[Example]:
    """Examples by whose weights every completion weighs the same in sum, N / (K · n)."""
    counts = Counter(one.completion for one in examples)
    share = len(examples) / len(counts)
    return [replace(one, weight=share / counts[one.completion]) for one in examples]


def are_short(examples: Sequence[Example]) -> bool:
    """Whether all completions are short, as labels are."""
    return all(len(one.completion) <= SHORT_TOKENS for one in examples)


def common_length(prompts: Sequence[Tokens]) -> int:
    """How many tokens all prompts begin with, their last ones left out."""
    shortest = min(len(one) for one in prompts) - 1
    # What the first and the last in order have in common all have in common.
    first, last = min(prompts), max(prompts)
    return next((i for i in range(shortest) if first[i] != last[i]), shortest)


def batches(
    groups: Mapping[str, Sequence[int]], size: int, order: Any
) -> Iterator[tuple[str, list[int]]]:
    """Every example once, in random order: (group, indices of a batch).

    A batch is of one group, so that what its prompts have in common is read once.

    Args:
        groups: group → indices of its examples.
        size: examples of a batch; the last of a group may have fewer.
        order: numpy's random generator.
    """
    found = []
    for group, indices in groups.items():
        drawn = order.permutation(indices).tolist()
        found += [(group, drawn[i : i + size]) for i in range(0, len(drawn), size)]
    for i in order.permutation(len(found)):
        yield found[i]
