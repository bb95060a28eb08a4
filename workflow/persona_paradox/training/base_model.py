"""The base model as transformers reads it from the GGUF that runs, with LoRA to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from ..engine.vocabulary import Vocabulary
from ..errors import InputError
from .architectures import ARCHITECTURES, WEIGHTS, Header, header_of
from .settings import Settings

# Of SmolLM2, bfloat16 and Q4_1 leave more than nine in ten first tokens as they are.
LEAST_AGREEMENT = 0.8


def read_header(vocabulary: Vocabulary, name: str) -> Header:
    """What the GGUF of a base model says of it.

    Raises:
        InputError: its architecture is none that is trained here.
    """
    header = header_of(vocabulary)
    if header.architecture not in ARCHITECTURES:
        raise InputError(
            f"{name}: key `base`: adapters of the architecture {header.architecture!r} are not "
            f"trained here; name a base of one of {', '.join(ARCHITECTURES)}, or bring an adapter "
            "by key `source`"
        )
    return header


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


def load_base(model: Path, header: Header, dtype: torch.dtype) -> Any:
    """The model of a GGUF as transformers' class of its architecture, without dropout."""
    import transformers  # noqa: PLC0415 - of an environment of its own
    from transformers.utils.quantization_config import GgufConfig  # noqa: PLC0415

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
    _mend(loaded, model, header)
    return loaded.to(device()).eval()


# Layers of the models of 27B, whose attention llama.cpp scales by another size of a head.
_LARGE = {"gemma2": 46, "gemma3": 62}


def _mend(loaded: Any, model: Path, header: Header) -> None:
    """What transformers leaves out of a GGUF, as llama.cpp computes it.

    The scale of Gemma's attention, which is in no GGUF; and the factors by which Llama 3.1 and
    later divide the frequencies of their positions.
    """
    body = loaded.get_decoder()
    if header.architecture in _LARGE:
        config = loaded.config
        large = header.layers == _LARGE[header.architecture]
        size = config.hidden_size / header.heads if large else config.head_dim
        for layer in body.layers:
            layer.self_attn.scaling = size**-0.5
    if header.architecture == "llama":
        tensors = {one.name: one for one in gguf.GGUFReader(model).tensors}
        if "rope_freqs.weight" in tensors:
            factors = torch.tensor(tensors["rope_freqs.weight"].data.astype("float32"))
            body.rotary_emb.inv_freq /= factors


def check_reading(
    loaded: Any, said: NDArray[np.float32], tokens: Sequence[int], name: str
) -> float:
    """See that transformers' model says what llama.cpp's does: the share of equal first tokens.

    Args:
        loaded: see `load_base`.
        said: llama.cpp's logits behind each of `tokens`, shape (tokens, vocabulary).
        tokens: of a prompt.
        name: the adapter's file, in errors.

    Raises:
        InputError: it says something else, so that what is trained is not what runs.
    """
    import transformers  # noqa: PLC0415 - as above

    with torch.no_grad():
        found = loaded(torch.tensor([list(tokens)], device=loaded.device)).logits[0]
    share = float((found.float().cpu().numpy().argmax(1) == said.argmax(1)).mean())
    if share < LEAST_AGREEMENT:
        raise InputError(
            f"{name}: key `base`: transformers {transformers.__version__} reads the base in "
            f"another way than llama.cpp runs it (the same next token at {share:.0%} of a prompt), "
            "so an adapter would not do what it learned; name another base, or bring an adapter by "
            "key `source`"
        )
    return share


def add_lora(model: Any, settings: Settings) -> Any:
    """The model with LoRA of peft in its upper layers; A is drawn by the seed, and B is 0."""
    from peft import get_peft_model  # noqa: PLC0415 - as above

    torch.manual_seed(settings.seed)
    return get_peft_model(model, lora_config(settings, model.config.num_hidden_layers))


def lora_config(settings: Settings, layers: int) -> Any:
    """What peft is to do, its `LoraConfig`."""
    from peft import LoraConfig  # noqa: PLC0415 - as above

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
    from peft import get_peft_model_state_dict  # noqa: PLC0415 - as above

    state = get_peft_model_state_dict(tuned, save_embedding_layers=False)
    return {name: one.detach().float().cpu().numpy() for name, one in state.items()}
