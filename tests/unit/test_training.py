"""What training makes of examples before a library sees them, and the curve of losses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_model import CHATML, write_tiny_model

from persona_paradox.engine.vocabulary import Vocabulary, open_vocabulary
from persona_paradox.errors import InputError
from persona_paradox.figures import ink
from persona_paradox.training import base_model
from persona_paradox.training.adapter_file import rotary_order, tensors
from persona_paradox.training.curve import by_epoch, draw
from persona_paradox.training.examples import (
    Example,
    Reader,
    are_short,
    as_masked,
    balanced,
    batches,
    common_length,
    read_examples,
    read_preferences,
)
from persona_paradox.training.settings import Settings

NAME = "config/adapters/x.yaml"
CHAT = "<|im_start|>user\nA patient has chest pain.<|im_end|>\n<|im_start|>assistant\nLevel:"


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def vocabulary(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vocabulary]:
    path = tmp_path_factory.mktemp("training") / "model.gguf"
    write_tiny_model(path, tokenizer=request.param, add_bos=True)
    with open_vocabulary(path, "model") as found:
        yield found


def test_prompts_and_completions_are_what_a_cell_reads_and_writes(vocabulary: Vocabulary) -> None:
    """However a cell cuts its prompt into pieces; and a label in one of the forms it looks for."""
    reader = Reader(vocabulary, NAME)
    cell = vocabulary.prompt([CHAT[:20], CHAT[20:40], CHAT[40:]])
    assert reader.prompt(CHAT) == cell.tokens
    assert reader.prompt(CHAT)[0] == vocabulary.bos_token
    (forms,) = vocabulary.label_forms(["A"])
    for text in ("A", " A"):
        *written, end = reader.completion(text)
        assert tuple(written) in forms
        assert vocabulary.ends(end)
    assert reader.completion("A")[-1] == reader.end


GEMMA = "{{ bos_token }}<start_of_turn>model\n{{ content }}<|endoftext|>\n"


@pytest.mark.parametrize(("template", "end"), [(CHATML, "<|im_end|>"), (GEMMA, "<|endoftext|>")])
def test_a_turn_ends_as_the_template_ends_it(template: str, end: str, tmp_path: Path) -> None:
    """Whichever of the tokens that end something llama.cpp names first."""
    write_tiny_model(tmp_path / "model.gguf", template=template)
    with open_vocabulary(tmp_path / "model.gguf", "model") as vocabulary:
        (written,) = vocabulary.tokenize(end, special=True)
        assert Reader(vocabulary, NAME).end == written


def test_rows_become_examples(vocabulary: Vocabulary) -> None:
    reader = Reader(vocabulary, NAME)
    rows = [
        {"task": "t", "persona": "p", "prompt": CHAT, "completion": completion}
        for completion in ("A", "A", "A", "B")
    ]
    settings = Settings("sft", weights="balanced")
    examples = read_examples(rows, reader, settings, NAME)
    assert [one.weight for one in examples] == pytest.approx([2 / 3] * 3 + [2])
    assert are_short(examples)
    (masked, *_) = as_masked(examples)
    assert masked["input_ids"] == [*reader.prompt(CHAT), *reader.completion("A")]
    assert sum(masked["completion_mask"]) == len(reader.completion("A"))
    long = [row | {"completion": "A patient has chest pain. " * 4} for row in rows]
    assert not are_short(read_examples(long, reader, Settings("sft"), NAME))


def test_every_answer_of_kto_stands_once_behind_another_prompt(vocabulary: Vocabulary) -> None:
    """In batches that trl reads as they come: of one answer there is none."""
    reader = Reader(vocabulary, NAME)
    rows = [{"prompt": CHAT, "completion": " A" * (i + 1), "label": i % 2 == 0} for i in range(9)]
    found = read_preferences(rows, reader, Settings("kto", batch=4), NAME)
    assert len(found) == 8
    for start in (0, 4):
        batch = found[start : start + 4]
        own, other = (
            [one[key] for one in batch] for key in ("completion_ids", "KL_completion_ids")
        )
        assert sorted(own) == sorted(other)
        assert all(a != b for a, b in zip(own, other, strict=True))


@pytest.mark.parametrize(
    ("method", "rows", "says"),
    [
        ("kto", [("A", True)] * 4, "KTO needs good answers and bad ones"),
        ("kto", [], "there is no example"),
        ("kto", [("", True), ("A", False)], "a text of `completion` is empty"),
    ],
)
def test_what_teaches_nothing_is_refused(
    method: str, rows: list, says: str, vocabulary: Vocabulary
) -> None:
    made = [{"prompt": CHAT, "completion": text, "label": good} for text, good in rows]
    with pytest.raises(InputError, match=f"^{NAME}: key `training.*{says}.*; "):
        read_preferences(made, Reader(vocabulary, NAME), Settings(method), NAME)


def test_balanced_weights_give_every_completion_the_same_sum() -> None:
    made = [Example("a", (1, 2), (3,))] * 6 + [Example("a", (1, 2), (4,))] * 2
    sums = {completion: 0.0 for completion in ((3,), (4,))}
    for one in balanced(made):
        sums[one.completion] += one.weight
    assert sums == {(3,): pytest.approx(4), (4,): pytest.approx(4)}


def test_what_prompts_have_in_common_leaves_each_a_token() -> None:
    assert common_length([(1, 2, 3), (1, 2, 4)]) == 2
    assert common_length([(1, 2), (1, 2, 4)]) == 1
    assert common_length([(1, 2)]) == 1
    assert common_length([(5, 2), (1, 2)]) == 0
    assert common_length([(1,), (1,)]) == 0


def test_every_example_is_read_once_in_an_epoch() -> None:
    groups = {"a": list(range(10)), "b": list(range(10, 13))}
    found = list(batches(groups, 4, np.random.default_rng(0)))
    assert sorted(i for _, chosen in found for i in chosen) == list(range(13))
    assert all(set(chosen) <= set(groups[group]) for group, chosen in found)
    assert {len(chosen) for _, chosen in found} == {4, 2, 3}


def test_rows_of_queries_and_keys_are_interleaved_within_heads() -> None:
    """Worked by hand: two heads of four rows each."""
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert rotary_order(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_tensors_have_the_names_and_the_order_of_their_architecture() -> None:
    weights = {
        f"base_model.model.model.layers.7.self_attn.{name}.lora_{matrix}.weight": np.arange(
            16, dtype=np.float32
        ).reshape((2, 8) if matrix == "A" else (8, 2))
        for name in ("q_proj", "v_proj")
        for matrix in "AB"
    }
    plain = tensors(weights, base_model.Header("qwen2", 9, 2, 1))
    ordered = tensors(weights, base_model.Header("llama", 9, 2, 1))
    assert plain.keys() == ordered.keys()
    assert set(plain) == {f"blk.7.attn_{x}.weight.lora_{m}" for x in "qv" for m in "ab"}
    moved = [name for name in plain if not np.array_equal(plain[name], ordered[name])]
    assert moved == ["blk.7.attn_q.weight.lora_b"]
    with pytest.raises(ValueError, match="no weight of LoRA"):
        tensors({"model.embed_tokens.lora_A.weight": np.ones((1, 1))}, _llama())


def _llama() -> base_model.Header:
    return base_model.Header("llama", 3, 4, 2)


@pytest.mark.parametrize("architecture", ["mamba", "jamba"])
def test_other_architectures_are_refused(architecture: str, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.gguf", architecture=architecture)
    with (
        open_vocabulary(tmp_path / "model.gguf", "model") as vocabulary,
        pytest.raises(InputError, match=f"^{NAME}: key `base`: .*'{architecture}'.*; name a base"),
    ):
        base_model.read_header(vocabulary, NAME)


def test_a_layer_that_is_not_there_is_refused() -> None:
    base_model.check_first_layer(_llama(), Settings("sft", first_layer=2), NAME)
    with pytest.raises(InputError, match=r"`training\.first_layer`: 3 is no layer .* write 0 to 2"):
        base_model.check_first_layer(_llama(), Settings("sft", first_layer=3), NAME)


LOSSES = pl.DataFrame(
    {"step": [1, 2, 3], "epoch": [1, 1, 2], "examples": [8, 4, 8], "loss": [3.0, 1.5, 1.0]}
)


def test_the_mean_of_an_epoch_is_of_its_examples() -> None:
    assert by_epoch(LOSSES).rows() == [(1, 1, 2, pytest.approx(2.5)), (2, 3, 3, 1.0)]


def test_equal_losses_give_an_equal_curve(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        ink.save(draw(LOSSES, "taught"), tmp_path / name, "pdf")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
