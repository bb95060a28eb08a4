"""The base model as transformers reads it from the GGUF that runs, with LoRA to be trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from transformers.utils.quantization_config import GgufConfig

from ..engine.vocabulary import Vocabulary
from ..errors import InputError
from .settings import Settings

# Names of weights: transformers' → the GGUF's, of all architectures below.
WEIGHTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}

# Architectures by their names in a GGUF; whether its rows of queries and keys stand in llama.cpp's
# order of rotary pairs (convert_hf_to_gguf.py, `undo_permute`).
ARCHITECTURES = {"llama": True, "qwen2": False, "gemma2": False, "gemma3": False}


@dataclass(frozen=True)
class Header:
    """What a GGUF says of its model.

    Attributes:
        architecture: its name in the GGUF.
        layers: number of layers.
        heads: of queries.
        heads_kv: of keys.
    """

    architecture: str
    layers: int
    heads: int
    heads_kv: int


def read_header(vocabulary: Vocabulary, name: str) -> Header:
    """What the GGUF of a base model says of it.

    Raises:
        InputError: its architecture is none that is trained here.
    """
    architecture = vocabulary.metadata("general.architecture") or "unknown"
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"{name}: key `base`: adapters of the architecture {architecture!r} are not trained "
            f"here; name a base of one of {', '.join(ARCHITECTURES)}, or bring an adapter by key "
            "`source`"
        )

    def value(key: str, default: int = 0) -> int:
        return int(vocabulary.metadata(f"{architecture}.{key}") or default)

    heads = value("attention.head_count")
    heads_kv = value("attention.head_count_kv", heads)
    return Header(architecture, value("block_count"), heads, heads_kv)


def check_first_layer(header: Header, settings: Settings, name: str) -> None:
    """See that there is a layer to be trained.

    Raises:
        InputError: there is none.
    """
    if not 0 <= settings.first_layer < header.layers:
        raise InputError(
            f"{name}: key `training.first_layer`: {settings.first_layer} is no layer of the base, "
            f"which has {header.layers}; write 0 to {header.layers - 1}"
        )


def device() -> torch.device:
    """The card where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast_type() -> torch.dtype:
    """The type in which frozen weights compute fastest: bfloat16 where there is hardware for it."""
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def load_base(model: Path, dtype: torch.dtype) -> Any:
    """The model of a GGUF as transformers' class of its architecture, without dropout."""
    transformers.logging.disable_progress_bar()
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        str(model.parent),
        gguf_file=model.name,
        dtype=dtype,
        # Otherwise the blocks of a GGUF may stay as they are, and do not train.
        quantization_config=GgufConfig(dequantize=True),
        local_files_only=True,
    )
    loaded.config.use_cache = False
    return loaded.to(device()).eval()


def add_lora(model: Any, settings: Settings) -> Any:
    """The model with LoRA of peft in its upper layers; A is drawn by the seed, and B is 0."""
    torch.manual_seed(settings.seed)
    return get_peft_model(model, lora_config(settings, model.config.num_hidden_layers))


def lora_config(settings: Settings, layers: int) -> LoraConfig:
    """What peft is to do."""
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=[name.rpartition(".")[2] for name in WEIGHTS],
        layers_to_transform=list(range(settings.first_layer, layers)),
    )


def lora_weights(tuned: Any) -> dict[str, Any]:
    """Peft's name → A or B of every weight, as 32-bit arrays of numpy."""
    state = get_peft_model_state_dict(tuned)
    return {name: one.detach().float().cpu().numpy() for name, one in state.items()}
