"""A folder of peft becomes the adapter that it is, or is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from peft_folder import of_pairs, safetensors, write_folder
from tiny_adapter import ALPHA, RANK, draw_adapter
from tiny_model import N_HEAD, N_HEAD_KV, N_LAYER

from persona_paradox.data.parts import files_of_adapter
from persona_paradox.errors import InputError
from persona_paradox.training.adapter_file import write_adapter
from persona_paradox.training.architectures import Header
from persona_paradox.training.peft_folder import Lora, read_lora

BASE = Header("llama", N_LAYER, N_HEAD, N_HEAD_KV)
NAME = "config/adapters/x.yaml"
PAIRS = draw_adapter()
Q = "base_model.model.model.layers.0.self_attn.q_proj"


def read(folder: Path, base: Header = BASE) -> Lora:
    return read_lora(
        folder / "adapter_config.json", folder / "adapter_model.safetensors", base, NAME
    )


def converted(folder: Path, path: Path) -> tuple[float, dict[str, np.ndarray]]:
    """Alpha and tensors of the GGUF that a folder becomes."""
    lora = read(folder)
    write_adapter(path, lora.weights, lora.alpha, BASE)
    reader = gguf.GGUFReader(path)
    alpha = float(reader.fields["adapter.lora.alpha"].parts[-1][0])
    return alpha, {one.name: np.array(one.data) for one in reader.tensors}


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        ("F32", "base_model.model.model."),
        ("F16", "base_model.model.model."),
        ("BF16", "base_model.model.language_model.model."),
        ("F32", "base_model.model.model.language_model."),
    ],
)
def test_a_folder_becomes_the_adapter_that_it_is(kind: str, prefix: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "lora", of_pairs(PAIRS, prefix), kind)
    alpha, found = converted(folder, tmp_path / "x.gguf")
    assert alpha == ALPHA
    assert len(found) == 2 * len(PAIRS)
    for name, (a, b) in PAIRS.items():
        for letter, matrix in (("a", a), ("b", b)):
            if kind == "F32":
                assert found[f"{name}.lora_{letter}"].tobytes() == matrix.tobytes()
            # Cut off, not rounded: to 7 bits of a number, and to 10.
            np.testing.assert_allclose(
                found[f"{name}.lora_{letter}"], matrix, rtol=2.0**-7, atol=1e-6
            )


def changes(found: dict[str, np.ndarray], alpha: float) -> dict[str, np.ndarray]:
    """What llama.cpp adds to each weight: alpha / rank · B A."""
    return {
        name: alpha / found[f"{name}.lora_a"].shape[0]
        * (found[f"{name}.lora_b"].astype(float) @ found[f"{name}.lora_a"].astype(float))
        for name in PAIRS
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "factor"),
    [
        ({"lora_alpha": 3}, lambda name: 3 / RANK),
        ({"use_rslora": True}, lambda name: ALPHA / np.sqrt(RANK)),
        (
            {"alpha_pattern": {"layers.1.mlp.up_proj": 32, "q_proj": 1}},
            lambda name: (
                (32 if name == "blk.1.ffn_up.weight" else 1 if "attn_q" in name else ALPHA) / RANK
            ),
        ),
        (
            {"alpha_pattern": {"j": 7, "v_proj": 9}, "use_rslora": True},
            lambda name: (9 if "attn_v" in name else ALPHA) / np.sqrt(RANK),
        ),
    ],
)
def test_factors_are_those_of_peft(config: dict[str, Any], factor: Any, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "lora", of_pairs(PAIRS), **config)
    alpha, found = converted(folder, tmp_path / "x.gguf")
    for name, change in changes(found, alpha).items():
        a, b = (one.astype(float) for one in PAIRS[name])
        np.testing.assert_allclose(change, factor(name) * (b @ a), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("stable", [False, True])
def test_a_weight_may_have_a_rank_of_its_own(stable: bool, tmp_path: Path) -> None:
    wide = dict(PAIRS)
    a, b = np.ones((5, 64), np.float32), np.full((len(PAIRS["blk.0.attn_q.weight"][1]), 5), 0.5)
    wide["blk.0.attn_q.weight"] = a, b.astype(np.float32)
    ranks = {"layers.0.self_attn.q_proj": 5}
    folder = write_folder(tmp_path / "x", of_pairs(wide), rank_pattern=ranks, use_rslora=stable)
    alpha, found = converted(folder, tmp_path / "x.gguf")
    scale = ALPHA / (np.sqrt(5) if stable else 5)
    change = changes(found, alpha)["blk.0.attn_q.weight"]
    np.testing.assert_allclose(change, scale * (b @ a), rtol=1e-5)
    write_folder(tmp_path / "x", of_pairs(wide))
    with pytest.raises(InputError, match=r"q_proj has the rank 5, but adapter_config.json says 2;"):
        read(tmp_path / "x")


MERGED = "merge it into its base"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"use_dora": True}, rf"the key `use_dora` \(true\).*; {MERGED}"),
        ({"modules_to_save": ["lm_head"]}, "`modules_to_save`"),
        ({"bias": "lora_only"}, "`bias` is 'lora_only'"),
        ({"lora_bias": True}, "`lora_bias`"),
        ({"something_new": {"a": 1}}, rf"`something_new` .*; {MERGED}"),
        ({"layer_replication": [[0, 1]]}, "`layer_replication`"),
        ({"trainable_token_indices": [1]}, "`trainable_token_indices`"),
        ({"init_lora_weights": "pissa_niter_4"}, '`init_lora_weights` is "pissa_niter_4"'),
        ({"init_lora_weights": "loftq"}, "`init_lora_weights`"),
        ({"peft_type": "IA3"}, f"`peft_type` is 'IA3'.*; {MERGED}"),
        ({"r": 0}, "`r` is 0"),
        ({"lora_alpha": "16"}, '`lora_alpha` is "16"'),
        ({"lora_alpha": float("nan")}, "`lora_alpha` is NaN"),
        ({"alpha_pattern": {"q_proj": None}}, "`alpha_pattern.q_proj` is null"),
        ({"alpha_pattern": {".*q_proj": 3}}, r"the expression \"\.\*q_proj\" in `alpha_pattern`"),
        ({"rank_pattern": [3]}, r"`rank_pattern` is \[3\]"),
    ],
)
def test_what_a_gguf_cannot_hold_is_refused(
    config: dict[str, Any], says: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "x", of_pairs(PAIRS), **config)
    with pytest.raises(InputError, match=rf"^{NAME}: key `source`: adapter_config.json .*{says}"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("base_model.model.lm_head.lora_A.weight", "convert_lora_to_gguf.py"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", "belongs to no weight"),
        (f"{Q}.lora_magnitude_vector", "belongs to no weight"),
        (f"{Q}.lora_B.bias", "belongs to no weight"),
        (
            "base_model.model.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.lora_A"
            ".weight",
            "belongs to no weight",
        ),
        ("base_model.model.model.layers.0.mlp.experts.lora_A.weight", "belongs to no weight"),
    ],
)
def test_tensors_of_something_else_are_refused(name: str, says: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", of_pairs(PAIRS) | {name: np.ones((2, 2), np.float32)})
    with pytest.raises(InputError, match=rf"^{NAME}: key `source`: .*{name}.*{says}"):
        read(folder)


def test_half_a_pair_and_another_base_are_refused(tmp_path: Path) -> None:
    whole = of_pairs(PAIRS)
    half = {name: one for name, one in whole.items() if name != f"{Q}.lora_B.weight"}
    with pytest.raises(InputError, match=r"layers\.0\.self_attn\.q_proj are no pair of one rank"):
        read(write_folder(tmp_path / "x", half))
    flat = whole | {f"{Q}.lora_A.weight": np.ones(4, np.float32)}
    with pytest.raises(InputError, match="are no pair of one rank"):
        read(write_folder(tmp_path / "x", flat))
    with pytest.raises(InputError, match="it holds no tensor"):
        read(write_folder(tmp_path / "x", {}))
    folder = write_folder(tmp_path / "x", whole)
    with pytest.raises(InputError, match=r"key `base`: .*'phi3', only for llama, .*convert_lora"):
        read(folder, Header("phi3", 0, 0, 0))
    with pytest.raises(InputError, match=r"does not fit .*k_proj has 32 rows, and the model 7 h"):
        read(folder, Header("llama", N_LAYER, 7, 7))


def damaged(change: Any) -> bytes:
    """A file with one thing in its header otherwise."""
    data = safetensors({f"{Q}.lora_A.weight": np.ones((2, 64), np.float32)})
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header[f"{Q}.lora_A.weight"])
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


WHOLE = safetensors(of_pairs(PAIRS))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "truncated or damaged"),
        (WHOLE[:7], "truncated or damaged"),
        (WHOLE[:-1], "is not as large as it says"),
        ((2**63).to_bytes(8, "little") + WHOLE[8:], "its header is not as long"),
        ((2).to_bytes(8, "little") + b"[]", "its header is no object"),
        ((2).to_bytes(8, "little") + b"{x", "its header is no JSON"),
        (damaged(lambda one: one.update(dtype="I8")), "in the type I8, and F32, F16 and BF16"),
        (damaged(lambda one: one.update(data_offsets=[0, 2**40])), "not as large as it says"),
        (damaged(lambda one: one.update(data_offsets=[-512, 0])), "not as large as it says"),
        (damaged(lambda one: one.update(shape=[2, 65])), "not as large as it says"),
        (damaged(lambda one: one.update(shape=None)), "does not say what .* is"),
        (damaged(lambda one: one.pop("dtype")), "does not say what .* is"),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", {})
    (folder / "adapter_model.safetensors").write_bytes(data)
    with pytest.raises(InputError, match=f"^{NAME}: key `source`: adapter_model.* {says}"):
        read(folder)


SUMS = ["a" * 64, "b" * 64]


def test_the_source_of_a_folder_is_two_files() -> None:
    hub = {"kind": "hub", "repo": "a/b", "revision": "c", "file": "sub/adapter_model.safetensors"}
    both = files_of_adapter(hub | {"sha256": SUMS}, NAME)
    assert [(one["file"], one["sha256"]) for one in both] == [
        ("sub/adapter_model.safetensors", SUMS[0]),
        ("sub/adapter_config.json", SUMS[1]),
    ]
    path = {"kind": "path", "path": "{data_dir}/lora/adapter_model.safetensors", "sha256": SUMS}
    assert [one["path"] for one in files_of_adapter(path, NAME)] == [
        "{data_dir}/lora/adapter_model.safetensors",
        "{data_dir}/lora/adapter_config.json",
    ]
    plain = {"kind": "path", "path": "x.gguf", "sha256": SUMS[0]}
    assert files_of_adapter(plain, NAME) == [plain]
    for source, says in (
        (path | {"sha256": SUMS[0]}, "list in `sha256` the checksums of adapter_model.safetensors"),
        (path | {"sha256": [*SUMS, *SUMS]}, "list in `sha256` the checksums"),
        (path | {"path": "x/adapter_config.json"}, "name adapter_model.safetensors beside it"),
        (path | {"path": "x/adapter_model.bin"}, "a file of pickles, which may run code"),
        (plain | {"sha256": SUMS}, "lists 2 checksums, but x.gguf is one file"),
        ({"kind": "url", "url": "http://x/a.safetensors", "sha256": SUMS[0]}, "path or hub"),
    ):
        with pytest.raises(InputError, match=f"^{NAME}: key `source.*{says}"):
            files_of_adapter(source, NAME)
