"""A LoRA as peft saves it, `adapter_config.json` and `adapter_model.safetensors`, to be converted.

What a GGUF adapter can hold is converted exactly: factors of single weights and of rank-stabilized
LoRA are put into B. All else is refused, since an adapter of which a part is left out is another.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .architectures import ARCHITECTURES, WEIGHTS, Header
from .safetensors import read_tensors

Matrix = NDArray[np.float32]

CONVERT = (
    "convert it by llama.cpp's convert_lora_to_gguf.py, and name the GGUF file in key `source`"
)
MERGE = (
    "merge it into its base by peft's merge_and_unload, convert the whole by llama.cpp's "
    "convert_hf_to_gguf.py, and describe that as a model of its own in config/models"
)

# Keys that change nothing of what a saved adapter does, or that are read here.
_READ = {"peft_type", "r", "lora_alpha", "use_rslora", "alpha_pattern", "rank_pattern", "bias"}
_NEEDLESS = {
    *("auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision"),
    *("task_type", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    *("lora_dropout", "init_lora_weights", "eva_config", "qalora_group_size", "megatron_core"),
    *("runtime_config", "ensure_weight_tying"),
}
# How B and A may have begun: others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) changed the base as well.
_BEGUN = (True, False, None, "gaussian", "orthogonal", "eva")

# A weight of a layer of the language model, and not of what sees or hears beside it.
_MODULE = re.compile(
    r"base_model\.model\.(?P<module>(?:model\.)?(?:language_model\.)?(?:model\.)?"
    r"layers\.\d+\.(?P<weight>\w+\.\w+))\.lora_(?P<matrix>[AB])\.weight"
)
_PLAIN = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


@dataclass(frozen=True)
class Lora:
    """An adapter as `adapter_file.write_adapter` takes it.

    Attributes:
        weights: peft's name → A of shape (rank, columns) or B of shape (rows, rank).
        alpha: factor of the change times the rank of each weight.
    """

    weights: Mapping[str, Matrix]
    alpha: float


def read_lora(config: Path, weights: Path, base: Header, name: str) -> Lora:
    """Read a folder of peft.

    Args:
        config: its `adapter_config.json`.
        weights: its `adapter_model.safetensors`.
        base: what the GGUF of the base says.
        name: the adapter's file in config/adapters, in errors.

    Raises:
        InputError: it is damaged, or cannot be converted here.
    """
    if base.architecture not in ARCHITECTURES:
        raise InputError(
            f"{name}: key `base`: folders of peft are not converted here for the architecture "
            f"{base.architecture!r}, only for {', '.join(ARCHITECTURES)}; {CONVERT}"
        )
    said = _config(config, name)
    found = _weights(weights, base, said, name)
    rank, stable = said["r"], said.get("use_rslora") or False
    alpha = said["lora_alpha"] * (math.sqrt(rank) if stable else 1.0)
    pattern = said.get("alpha_pattern") or {}
    for module, (_, b) in found.items():
        own = b.shape[1]
        # What peft multiplies with, over what llama.cpp will.
        scale = _alpha(module, said["lora_alpha"], pattern) / (math.sqrt(own) if stable else own)
        factor = scale * own / alpha
        if not math.isclose(factor, 1.0, rel_tol=1e-9):
            b[:] = (factor * b.astype(np.float64)).astype(np.float32)
    named = {
        f"base_model.model.{module}.lora_{letter}.weight": matrix
        for module, both in found.items()
        for letter, matrix in zip("AB", both, strict=True)
    }
    return Lora(named, alpha)


def _alpha(module: str, alpha: float, pattern: Mapping[str, float]) -> float:
    """The alpha of a module: of the first key that is the end of its name, as peft takes it."""
    for key, own in pattern.items():
        if f".{module}".endswith(f".{key}"):
            return own
    return alpha


def _config(path: Path, name: str) -> dict[str, Any]:
    """What `adapter_config.json` says, where all of it can be converted."""

    def wrong(what: str, remedy: str) -> InputError:
        return InputError(f"{name}: key `source`: adapter_config.json {what}; {remedy}")

    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise wrong("is no JSON", "name the folder that peft's save_pretrained wrote") from error
    if not isinstance(said, dict) or said.get("peft_type") != "LORA":
        kind = said.get("peft_type") if isinstance(said, dict) else None
        raise wrong(f"says `peft_type` is {kind!r}, and LORA alone can be run", MERGE)
    if said.get("bias", "none") != "none":
        raise wrong(f"says `bias` is {said['bias']!r}, which no GGUF adapter holds", MERGE)
    for key, value in said.items():
        if value and key not in _READ | _NEEDLESS:
            raise wrong(
                f"has the key `{key}` ({_short(value)}), which no GGUF adapter holds", MERGE
            )
    begun = said.get("init_lora_weights", True)
    if begun not in _BEGUN:
        raise wrong(
            f"says `init_lora_weights` is {_short(begun)}, by which the base was changed as well",
            "save it anew by save_pretrained with path_initial_model_for_weight_conversion, "
            f"or {MERGE}",
        )
    numbers: dict[str, Any] = {"r": said.get("r"), "lora_alpha": said.get("lora_alpha")}
    patterns = {key: said.get(key) or {} for key in ("alpha_pattern", "rank_pattern")}
    for key, pattern in patterns.items():
        if not isinstance(pattern, dict):
            raise wrong(f"says `{key}` is {_short(pattern)}, no object", "mend the file")
        numbers |= {f"{key}.{one}": value for one, value in pattern.items()}
    for key, value in numbers.items():
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise wrong(
                f"says `{key}` is {_short(value)}, which must be a number above 0",
                "name the folder that peft's save_pretrained wrote",
            )
    for key in patterns["alpha_pattern"]:
        if not _PLAIN.fullmatch(key):
            raise wrong(f"has the expression {_short(key)} in `alpha_pattern`", MERGE)
    return said


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _weights(
    path: Path, base: Header, said: Mapping[str, Any], name: str
) -> dict[str, tuple[Matrix, Matrix]]:
    """Module → A and B, where every tensor is one of a weight that a GGUF adapter may change."""
    found: dict[str, dict[str, Matrix]] = {}

    def wrong(what: str) -> InputError:
        return InputError(f"{name}: key `source`: adapter_model.safetensors: {what}")

    try:
        for tensor, matrix in read_tensors(path):
            parts = _MODULE.fullmatch(tensor)
            if parts is None or parts["weight"] not in WEIGHTS:
                raise wrong(
                    f"{tensor} belongs to no weight of attention or of a feed-forward layer; "
                    f"{CONVERT}, or {MERGE}"
                )
            found.setdefault(parts["module"], {})[parts["matrix"]] = matrix
    except ValueError as error:
        raise wrong(str(error)) from error
    if not found:
        raise wrong("it holds no tensor; name the folder that peft's save_pretrained wrote")
    ranks = {said["r"], *(said.get("rank_pattern") or {}).values()}
    pairs = {}
    for module, both in found.items():
        a, b = both.get("A"), both.get("B")
        if a is None or b is None or a.ndim != 2 or b.ndim != 2 or len(a) != b.shape[1]:
            raise wrong(
                f"A and B of {module} are no pair of one rank; name the folder that peft's "
                "save_pretrained wrote"
            )
        if len(a) not in ranks:
            raise wrong(
                f"{module} has the rank {len(a)}, but adapter_config.json says "
                f"{', '.join(map(str, sorted(ranks)))}; name the two files of one folder"
            )
        pairs[module] = a, b
    _check_fit(pairs, base, name)
    return pairs


def _check_fit(pairs: Mapping[str, tuple[Matrix, Matrix]], base: Header, name: str) -> None:
    """See that queries and keys have rows for every head of the base; the rest llama.cpp sees."""
    for module, (_, b) in pairs.items():
        heads = {"q_proj": base.heads, "k_proj": base.heads_kv}.get(module.rpartition(".")[2])
        if heads is not None and len(b) % (2 * heads):
            raise InputError(
                f"{name}: the adapter does not fit the model of key `base` ({module} has {len(b)} "
                f"rows, and the model {heads} heads); name the model from which it was trained"
            )
