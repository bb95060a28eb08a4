"""The adapter of a real model: llama.cpp says what transformers says, at every position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from project import new_project
from tiny_families import engine_logits

from persona_paradox.engine.adapters import Adapter, try_adapter
from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.training import base_model
from persona_paradox.training.adapter_file import write_adapter
from persona_paradox.training.examples import Reader
from persona_paradox.training.settings import Settings

MODEL = "smollm2_135m_instruct"
SETTINGS = Settings("sft", rank=8, alpha=16)
CASE = """<|im_start|>system
You are an Emergency Department Nurse.
Answer with a single digit: 1, 2, 3, 4 or 5.<|im_end|>
<|im_start|>user
Chief complaint: right ocular pain
Age: 71 years
Which level is this? Reply with the digit only.<|im_end|>
<|im_start|>assistant
Level:"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of the default study, prepared as it prepares them."""
    project = new_project(tmp_path_factory.mktemp("smollm2") / "project")
    project.run("--cores", "1", "--", f"resources/models/{MODEL}/manifest.json")
    return project.path / f"resources/models/{MODEL}/model.gguf"


def test_the_adapter_of_smollm2_says_what_it_says_merged(model: Path, tmp_path: Path) -> None:
    with open_vocabulary(model, MODEL) as vocabulary:
        header = base_model.read_header(vocabulary, MODEL)
        reader = Reader(vocabulary, MODEL)
        tokens = list(reader.prompt(CASE))
        # By hand of its tokenizer: a digit is a token of its own, and so is the space before it.
        assert reader.completion(" 3") == (216, 35, 2)
    base = base_model.load_base(model, header, torch.float32)
    peft = base_model.add_lora(base, SETTINGS)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            # As large as of a training of 20 steps.
            if "lora_B" in name:
                weight.copy_(0.01 * torch.randn_like(weight))
    write_adapter(tmp_path / "a.gguf", base_model.lora_weights(peft), SETTINGS.alpha, header)
    try_adapter(model, tmp_path / "a.gguf", MODEL)
    adapted = engine_logits(model, tokens, (Adapter(tmp_path / "a.gguf", 1.0),))
    untuned = engine_logits(model, tokens)
    with torch.no_grad():
        merged = peft.merge_and_unload()(torch.tensor([tokens])).logits[0].numpy()
    assert np.abs(adapted - untuned).max() > 1
    assert np.abs(adapted - merged).max() < 0.1
