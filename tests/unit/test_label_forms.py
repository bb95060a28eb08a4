"""Label probabilities against brute force, over every kind of tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from tiny_model import TOKENIZERS, write_tiny_model

from persona_paradox.engine.engine import Engine
from persona_paradox.engine.settings import Settings
from persona_paradox.engine.vocabulary import LEADS, Prompt, Vocabulary, open_vocabulary
from persona_paradox.errors import InputError

SETTINGS = Settings(context=256, width=1)
LABELS = ("A", "B", "2", "17")
# What may stand at the end of a prompt: the template's opening of an answer, a header, marks.
ENDS = {
    "control token": "<|im_start|>assistant<|im_end|>",
    "words": "<|im_start|>Level: care",
    "newline": "<|im_start|>## Final Response\n",
    "bracket": "<|im_start|>the patient (",
    "bold": "<|im_start|>the patient **",
    "colon": "<|im_start|>The level is:",
}
KINDS = [*((kind, True) for kind in TOKENIZERS), ("llama", False), ("t5", False)]


def pieces(vocabulary: Vocabulary) -> list[str]:
    """What every token reads as; small letters, for the tokenizer that knows no others."""
    return [vocabulary.text([t], special=True).casefold() for t in range(vocabulary.size)]


def spellings(text: str, pieces: list[str]) -> Iterator[tuple[int, ...]]:
    """All sequences of tokens that read as a text."""
    if not text:
        yield ()
    for token, piece in enumerate(pieces):
        if piece and text.startswith(piece):
            for rest in spellings(text[len(piece) :], pieces):
                yield (token, *rest)


def continuations(
    vocabulary: Vocabulary, prompt: str, label: str, pieces: list[str]
) -> set[tuple[int, ...]]:
    """Of all sequences that read as a label, those that the tokenizer makes behind the prompt."""
    before = vocabulary.tokenize(prompt, special=True)
    made = [vocabulary.tokenize(prompt + lead + label, special=True) for lead in LEADS]
    every = {s for lead in LEADS for s in spellings((lead + label).casefold(), pieces)}
    return {sequence for sequence in every if [*before, *sequence] in made}


def logprob(llama: llama_cpp.Llama, prompt: list[int], sequence: tuple[int, ...]) -> float:
    """Of a continuation, from an empty memory."""
    llama.reset()
    # In the calls of the engine: others round other sums.
    for part in (prompt, *([token] for token in sequence)):
        llama.eval(part)
    rows = np.array(llama.scores[len(prompt) - 1 : len(prompt) + len(sequence) - 1], "f8")
    rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
    return float(sum(row[token] for row, token in zip(rows, sequence, strict=True)))


@pytest.mark.parametrize(("tokenizer", "space"), KINDS)
def test_probabilities_are_those_of_the_label_as_the_prompt_goes_on(
    tmp_path: Path, tokenizer: str, space: bool
) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, tokenizer=tokenizer, add_space_prefix=space)
    llama = llama_cpp.Llama(str(model), n_ctx=256, logits_all=True, verbose=False, n_threads=1)
    with Engine(model, SETTINGS, 1, "x") as engine:
        vocabulary = engine.vocabulary
        forms = vocabulary.label_forms(LABELS)
        read_as = pieces(vocabulary)
        # Right behind letters WordPiece writes no label but a longer word.
        ends = [text for end, text in ENDS.items() if (tokenizer, end) != ("bert", "words")]
        prompts = [vocabulary.tokenize(text, special=True) for text in ends]
        found = dict(engine.score([Prompt((tuple(p),)) for p in prompts], forms))
        for i, (text, prompt) in enumerate(zip(ends, prompts, strict=True)):
            for label, ours in zip(LABELS, found[i].label_logprob, strict=True):
                theirs = continuations(vocabulary, text, label, read_as)
                own = set(forms[LABELS.index(label)])
                assert theirs <= own
                every = [logprob(llama, prompt, sequence) for sequence in own]
                assert ours == pytest.approx(np.logaddexp.reduce(every), abs=2e-5)
        for label, own in zip(LABELS, forms, strict=True):
            seen = [continuations(vocabulary, text, label, read_as) for text in ends]
            assert set().union(*seen) == set(own), "no form that never goes on"


# The tokens of a label in its three forms, of tokenizers with and without a piece ` A`.
FORMS = {
    ("gpt2", True): {"A": [["A"], [" A"], ["\n", "A"]], "2": [["2"], [" ", "2"], ["\n", "2"]]},
    ("llama", True): {"A": [["A"], [" A"], ["\n", "A"]], "2": [["2"], [" ", "2"], ["\n", "2"]]},
    ("llama", False): {"A": [["A"], [" A"], ["\n", "A"]], "2": [["2"], [" ", "2"], ["\n", "2"]]},
    # Neither has a newline.
    ("t5", True): {"A": [["A"], [" A"]], "2": [["2"], [" ", "2"]]},
    ("t5", False): {"A": [["A"], [" A"]], "2": [["2"], [" ", "2"]]},
    # It begins a word behind whatever is no letter, and writes small ones.
    ("bert", True): {"A": [[" a"]], "2": [[" 2"]]},
}


@pytest.mark.parametrize(("tokenizer", "space"), FORMS)
def test_forms(tmp_path: Path, tokenizer: str, space: bool) -> None:
    write_tiny_model(tmp_path / "tiny.gguf", tokenizer=tokenizer, add_space_prefix=space)
    with open_vocabulary(tmp_path / "tiny.gguf", "x") as vocabulary:
        for label, expected in FORMS[tokenizer, space].items():
            [forms] = vocabulary.label_forms([label])
            read = [[vocabulary.text([t], special=True) for t in form] for form in forms]
            assert sorted(read) == sorted(expected)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_labels_that_cannot_be_told_apart_or_spelled(tmp_path: Path, tokenizer: str) -> None:
    write_tiny_model(tmp_path / "tiny.gguf", tokenizer=tokenizer)
    with open_vocabulary(tmp_path / "tiny.gguf", "config/models/x.yaml") as vocabulary:
        with pytest.raises(InputError, match="cannot tell label '1' from the start of label '10'"):
            vocabulary.label_forms(["1", "10"])
        if tokenizer in ("gpt2", "llama"):
            assert vocabulary.label_forms(["赤"]), "spelled by its bytes"
        else:
            with pytest.raises(InputError, match="cannot spell label '赤'; choose other labels"):
                vocabulary.label_forms(["赤"])


def test_the_fingerprint_follows_the_forms() -> None:
    engine = {"context": 256, "width": 1, "gpu_layers": 0, "main_gpu": 0, "tensor_split": []}
    manifest = {"cache_bytes_per_token": 1}
    before = Settings.resolve(engine, manifest)
    assert "label_forms" not in before.describe("a")
    behind = Settings.resolve(engine, manifest | {"spells_alone": False})
    assert behind.fingerprint("a") != before.fingerprint("a")
