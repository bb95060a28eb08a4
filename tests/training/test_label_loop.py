"""The loop of labels: losses as of the plain computation, and as of trl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_families import write_family

from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.training import base_model
from persona_paradox.training.checkpoints import Checkpoints
from persona_paradox.training.examples import Example
from persona_paradox.training.label_loop import LabelTrainer, train_labels
from persona_paradox.training.settings import Settings

os.environ["HF_HUB_OFFLINE"] = "1"
DRAW = np.random.default_rng(0)


def examples() -> list[Example]:
    """Two groups whose prompts begin alike, of many lengths, and one of a single prompt."""
    made = []
    for group, common, count in (("a", 30, 5), ("b", 12, 3), ("c", 0, 1)):
        start = DRAW.integers(0, 250, common).tolist()
        for _ in range(count):
            rest = DRAW.integers(0, 250, DRAW.integers(2, 40)).tolist()
            completion = DRAW.integers(0, 250, DRAW.integers(1, 4)).tolist()
            made.append(Example(group, (*start, *rest), tuple(completion)))
    return made


EXAMPLES = examples()
IN_ORDER = ([0, 1, 2], [3, 4], [5, 6, 7], [8])


def tuned(
    path: Path, family: str, first: int, dtype: torch.dtype = torch.float32
) -> tuple[Any, Any]:
    """A model with LoRA that is drawn at random: transformers' and peft's."""
    if not path.exists():
        write_family(path, family)
    with open_vocabulary(path, "model") as vocabulary:
        header = base_model.read_header(vocabulary, "x")
    model = base_model.load_base(path, header, dtype)
    peft = base_model.add_lora(model, Settings("sft", rank=4, first_layer=first))
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.05 * torch.randn_like(weight))
    return model, peft


def plain_loss(model: Any, chosen: list[int], weights: dict[int, float] | None = None) -> Any:
    """Every example by itself, as a whole."""
    total, count = 0.0, 0
    for i in chosen:
        one = EXAMPLES[i]
        tokens = torch.tensor([[*one.prompt, *one.completion]])
        said = model(tokens).logits[0].float().log_softmax(-1)
        for j, token in enumerate(one.completion):
            weight = (weights or {}).get(i, 1.0)
            total = total - weight * said[len(one.prompt) - 1 + j, token]
            count += 1
    return total / count


def gradients(model: Any) -> dict[str, np.ndarray]:
    """By the names of weights, and none kept."""
    found = {n: p.grad.numpy().copy() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "gemma3"])
@pytest.mark.parametrize("first", [0, 2])
def test_losses_and_gradients_are_the_plain_ones(family: str, first: int, tmp_path: Path) -> None:
    model, _ = tuned(tmp_path / "model.gguf", family, first)
    wanted = []
    for chosen in IN_ORDER:
        loss = plain_loss(model, chosen)
        loss.backward()
        wanted.append((float(loss.detach()), gradients(model)))
    trainer = LabelTrainer(model, EXAMPLES, first)
    for chosen, (loss, slopes) in zip(IN_ORDER, wanted, strict=True):
        found = trainer.loss(chosen)
        found.backward()
        assert float(found.detach()) == pytest.approx(loss, rel=1e-4)
        mine = gradients(model)
        assert len(mine) == len(slopes) > 0
        # Layers that are left out are no part of the model any more.
        for name, slope in slopes.items():
            size = max(np.abs(slope).max(), 1e-3)
            assert np.abs(mine[name] - slope).max() < 1e-3 * size, name


def test_labels_are_told_apart_where_weights_have_16_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = tuned(tmp_path / "base.gguf", "llama", 0, torch.bfloat16)
    trainer = LabelTrainer(model, EXAMPLES, 0)
    head = model.get_output_embeddings().weight
    # Logits around 40, where numbers of bfloat16 are a quarter apart.
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn((1, 100, head.shape[1]), generator=generator)
    hidden = (40 * hidden / (hidden.float() @ head.float().T).std()).to(torch.bfloat16)
    monkeypatch.setattr(trainer, "_read", lambda *_: (hidden, None))
    _, chosen = next(iter(trainer.groups.items()))
    loss = trainer.loss(chosen[:1])
    one = EXAMPLES[chosen[0]]
    start = len(one.prompt) - 1 - 30
    places = slice(start, start + len(one.completion))
    exact = (hidden[0, places].double() @ head.double().T).log_softmax(-1)
    wanted = -exact[range(len(one.completion)), list(one.completion)].mean()
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-3)


def test_a_weight_counts_as_often_as_it_says(tmp_path: Path) -> None:
    model, _ = tuned(tmp_path / "model.gguf", "llama", 0)
    weighed = [
        Example(one.group, one.prompt, one.completion, 1.0 + i) for i, one in enumerate(EXAMPLES)
    ]
    loss = LabelTrainer(model, weighed, 0).loss([0, 1, 2])
    wanted = plain_loss(model, [0, 1, 2], {0: 1.0, 1: 2.0, 2: 3.0})
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-4)


def test_losses_are_those_of_trl(tmp_path: Path) -> None:
    """Of five steps on all examples of a group, with the same AdamW, schedule and A."""
    path = tmp_path / "model.gguf"
    chosen = [i for i, one in enumerate(EXAMPLES) if one.group == "a"]
    made = [EXAMPLES[i] for i in chosen]
    settings = Settings("sft", rank=4, first_layer=1, epochs=5, batch=8, learning_rate=1e-2)
    model, _ = tuned(path, "llama", 1)
    mine = train_labels(model, made, settings, Checkpoints(tmp_path / "none"))
    theirs = by_trl(path, made, settings, tmp_path / "trl")
    assert len(mine) == len(theirs) == 5
    assert mine[-1].loss < 0.9 * mine[0].loss
    assert [one.loss for one in mine] == pytest.approx(theirs, rel=1e-3)


def by_trl(path: Path, made: list[Example], settings: Settings, folder: Path) -> list[float]:
    """Losses of trl's SFT of the same model, without anything of ours."""
    from datasets import Dataset  # noqa: PLC0415 - these take seconds
    from tokenizers import Tokenizer, models  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    end = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"x": 0}, "x")),
        **dict.fromkeys(("eos_token", "pad_token", "unk_token"), "x"),
    )
    _, peft = tuned(path, "llama", settings.first_layer)
    rows = {
        "input_ids": [[*one.prompt, *one.completion] for one in made],
        "completion_mask": [[0] * len(one.prompt) + [1] * len(one.completion) for one in made],
    }
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        bf16=False,
        max_length=None,
        completion_only_loss=True,
        save_strategy="no",
        gradient_checkpointing=False,
        disable_tqdm=True,
    )
    data = Dataset.from_dict(rows)
    trainer = SFTTrainer(model=peft, args=config, train_dataset=data, processing_class=end)
    trainer.train()
    return [one["loss"] for one in trainer.state.log_history if "loss" in one]
