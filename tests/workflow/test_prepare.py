"""Preparation of weights: the format, the manifest, and what it says of them."""

from __future__ import annotations

import json
import re
import runpy
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
import yaml
from damaged_model import overwrite
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, TokenType
from gguf.quants import dequantize
from project import Project, add_model
from root import ROOT
from tiny_model import ARCHITECTURES, CHATML, TOKENIZERS, write_tiny_model

from persona_paradox.engine.engine import Engine
from persona_paradox.engine.settings import Settings
from persona_paradox.files import sha256_file

SCRIPT = ROOT / "workflow/scripts/prepare_model.py"
CONFIG = "config/models/tiny.yaml"
F32, F16, Q8_0 = (
    GGMLQuantizationType.F32,
    GGMLQuantizationType.F16,
    GGMLQuantizationType.Q8_0,
)


def prepare(folder: Path, source: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """Run the script as its rule does; the result and its manifest."""
    origin = {"sha256": sha256_file(source), "kind": "path"}
    (folder / "origin.json").write_text(json.dumps(origin))
    (folder / "prepare.json").write_text(json.dumps({"prepare": kind}))
    result, manifest = folder / "model.gguf", folder / "manifest.json"
    command = [sys.executable, str(SCRIPT), "--source", str(source)]
    command += ["--source-manifest", str(folder / "origin.json")]
    command += ["--prepare", str(folder / "prepare.json"), "--model", str(result)]
    command += ["--manifest", str(manifest), "--config-file", CONFIG]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads(manifest.read_text())
    assert found["origin"] == origin
    return result, found


def weights(path: Path) -> dict[str, tuple[GGMLQuantizationType, np.ndarray]]:
    """Type and values of every tensor."""
    return {
        tensor.name: (tensor.tensor_type, dequantize(tensor.data, tensor.tensor_type))
        for tensor in GGUFReader(path).tensors
    }


def largest_change(source: Path, result: Path) -> float:
    before, after = weights(source), weights(result)
    assert before.keys() == after.keys()
    return max(float(np.abs(before[name][1] - after[name][1]).max()) for name in before)


def allocated(path: Path) -> int:
    """Bytes of the attention cache of 16 windows of 2,048 tokens, by llama.cpp's own account."""
    with Engine(path, Settings(context=2048, width=15), 1, "x") as engine:
        lines = "\n".join(engine._messages)
    sizes = re.findall(r"llama_kv_cache: size = +([0-9.]+) MiB \( *2048 cells.*16/16 seqs", lines)
    return int(sum(map(float, sizes)) * 2**20)


# Source, key, what comes of it.
FORMATS = [
    ("F32", "auto", "f16", F16),
    ("F32", "f16", "f16", F16),
    ("F32", "q8_0", "q8_0", Q8_0),
    ("F32", "none", "none", F32),
    ("F16", "auto", "f16", F16),
    ("Q8_0", "auto", "f16", F16),
    ("Q4_1", "auto", "f16", F16),
    ("Q4_1", "q8_0", "q8_0", Q8_0),
    ("Q4_1", "none", "none", GGMLQuantizationType.Q4_1),
]


@pytest.mark.parametrize(("file_type", "kind", "expected", "stored"), FORMATS)
def test_formats(
    tmp_path: Path, file_type: str, kind: str, expected: str, stored: GGMLQuantizationType
) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source, file_type=file_type)
    result, manifest = prepare(tmp_path, source, kind)
    assert manifest["format"] == expected
    assert manifest["sha256"] == sha256_file(result)
    assert manifest["origin"]["sha256"] == sha256_file(source)
    assert manifest["size"] == result.stat().st_size
    assert manifest["largest_weight_change"] == largest_change(source, result)
    types = {tensor.name: tensor.tensor_type for tensor in GGUFReader(result).tensors}
    assert types["blk.0.ffn_up.weight"] == types["token_embd.weight"] == stored
    assert types["output_norm.weight"] == F32
    template = GGUFReader(result).get_field("tokenizer.chat_template")
    assert template.contents() == CHATML, "what is not a weight stays"
    if expected == "none":
        assert result.read_bytes() == source.read_bytes()
        assert manifest["largest_weight_change"] == 0
    elif (file_type, expected) == ("F16", "f16"):
        assert manifest["largest_weight_change"] == 0
    else:
        # Of weights up to about 16; F16 has 11 significant bits, Q8_0 some 7.
        largest = max(np.abs(values).max() for _, values in weights(source).values())
        bound = largest / 2**11 if expected == "f16" else largest / 2**7
        assert bound / 100 < manifest["largest_weight_change"] <= bound
    assert not list(tmp_path.glob(".*part"))


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        write_tiny_model(folder / "tiny.gguf", file_type="Q4_1")
        result, manifest = prepare(folder, folder / "tiny.gguf", "auto")
        found.append((result.read_bytes(), manifest))
    assert found[0] == found[1]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cache_bytes_per_token(tmp_path: Path, architecture: str) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source, architecture=architecture)
    result, manifest = prepare(tmp_path, source, "auto")
    assert manifest["format"] == "f16"
    # 2 layers of 2 heads for keys and for values, each 16 floats of 2 bytes.
    layers = 0 if architecture == "mamba" else 2
    assert manifest["cache_bytes_per_token"] == layers * 2 * (16 + 16) * 2
    taken = 16 * 2048 * manifest["cache_bytes_per_token"]
    # Jamba has a cache in one layer of two: the manifest counts both.
    assert allocated(result) == (taken / 2 if architecture == "jamba" else taken)


@pytest.mark.parametrize("kind", ["auto", "none"])
@pytest.mark.parametrize("key", ["general.architecture", "llama.block_count"])
def test_a_header_that_says_something_else(tmp_path: Path, key: str, kind: str) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source)
    whole = source.read_bytes()
    # Without the key, or with a value of another type: an array of no texts.
    name = key.encode()
    at = whole.index(name) + len(name)
    others = [whole.replace(name, name[:-1] + b"?")] if key.startswith("general") else []
    others.append(whole[:at] + struct.pack("<IIQ", 9, 8, 0) + whole[value_end(whole, at) :])
    for other in others:
        source.write_bytes(other)
        with pytest.raises(subprocess.CalledProcessError) as caught:
            prepare(tmp_path, source, kind)
        text = caught.value.stderr.decode()
        assert "Traceback" not in text
        assert text.startswith(f"error: {CONFIG}: the header of the model cannot be read")
        assert not (tmp_path / "model.gguf").exists()


def value_end(data: bytes, at: int) -> int:
    """Where the text or the number of 32 bits ends whose type stands at `at`."""
    (kind,) = struct.unpack_from("<I", data, at)
    return at + 12 + struct.unpack_from("<Q", data, at + 4)[0] if kind == 8 else at + 8


PUBLISHED = {
    "Llama 3.1 8B": (
        {"block_count": 32, "embedding_length": 4096, "head_count": 32, "head_count_kv": 8},
        2 * 32 * 8 * (128 + 128),
    ),
    # Its heads are shorter than its width divided by their number.
    "Gemma 2 27B": (
        {"block_count": 46, "embedding_length": 4608, "head_count": 32, "head_count_kv": 16}
        | {"key_length": 128, "value_length": 128},
        2 * 46 * 16 * (128 + 128),
    ),
    "GPT-2": (
        {"block_count": 12, "embedding_length": 768, "head_count": 12},
        2 * 12 * 12 * (64 + 64),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_cache_bytes_per_token_of_published_shapes(tmp_path: Path, name: str) -> None:
    keys, expected = PUBLISHED[name]
    writer = GGUFWriter(tmp_path / "header.gguf", "some")
    for key, value in keys.items():
        getattr(writer, f"add_{key}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    script = runpy.run_path(str(SCRIPT))
    assert script["cache_bytes_per_token"](tmp_path / "header.gguf") == expected


@pytest.mark.parametrize("kind", ["f16", "q8_0", "none"])
def test_auto_goes_by_memory(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source, file_type="Q4_1")
    script = runpy.run_path(str(SCRIPT))
    choose = script["choose"]
    assert script["SMALL_BYTES"] == 4 * 2**30
    two_each = 2 * sum(tensor.n_elements for tensor in GGUFReader(source).tensors)
    for limit, expected in ((two_each, "f16"), (two_each - 1, "none"), (0, "none")):
        choose.__globals__["SMALL_BYTES"] = limit
        assert choose("auto", source) == expected
        assert choose(kind, source) == kind, "what is asked for is done"


def refused(folder: Path, source: Path, kind: str, *words: str) -> None:
    """The script says one line `error: …` that holds all of `words`, and leaves no model."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        prepare(folder, source, kind)
    (text,) = caught.value.stderr.decode().splitlines()
    assert text.startswith(f"error: {CONFIG}: ")
    for word in words:
        assert word in text
    assert not (folder / "model.gguf").exists()
    assert not list(folder.glob(".*part"))


@pytest.mark.parametrize("kind", ["f16", "none"])
def test_models_that_the_engine_cannot_run(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source)
    whole = source.read_bytes()
    source.write_bytes(whole.replace(b"llama", b"lxmax"))
    newer = f"llama-cpp-python {llama_cpp.__version__} does not know the model's"
    refused(tmp_path, source, kind, f"{newer} architecture, 'lxmax'; use a newer one")
    source.write_bytes(whole.replace(b"smollm", b"smallm"))
    refused(tmp_path, source, kind, f"{newer} tokenizer, 'smallm'; use a newer one")
    write_tiny_model(source, template=None)
    refused(tmp_path, source, kind, "no chat template", "use an instruct build")


@pytest.mark.parametrize(
    ("architecture", "what"),
    [("t5", "has an encoder"), ("llada", "writes all of an answer")],
)
def test_models_that_do_not_write_token_by_token(
    tmp_path: Path, architecture: str, what: str
) -> None:
    source = tmp_path / "tiny.gguf"
    writer = GGUFWriter(source, architecture)
    for key in ("context_length", "embedding_length", "block_count", "feed_forward_length"):
        getattr(writer, f"add_{key}")(64)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_relative_attn_buckets_count(32)
    writer.add_causal_attention(False)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(["a", "b", "\u010a"])
    writer.add_token_types([TokenType.NORMAL] * 3)
    writer.add_token_merges(["a b"])
    writer.add_chat_template(CHATML)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    words = (f"the model ({architecture}) {what}", "use a causal language model")
    refused(tmp_path, source, "none", *words)


def test_weights_too_large_for_16_bits(tmp_path: Path) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source)
    overwrite(source, "output.weight", 1e6, row=17)
    words = ("the model cannot be written as f16", "set key `prepare` to none")
    refused(tmp_path, source, "f16", *words)
    prepare(tmp_path, source, "none")


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_the_manifest_says_how_labels_are_spelled(tmp_path: Path, tokenizer: str) -> None:
    source = tmp_path / "tiny.gguf"
    write_tiny_model(source, tokenizer=tokenizer)
    _, manifest = prepare(tmp_path, source, "none")
    # Byte-level models have the manifest, and so the keys, that they always had.
    assert ("spells_alone" in manifest) == (tokenizer != "gpt2")
    assert manifest.get("spells_alone", True) == (tokenizer == "gpt2")


MANIFEST = "resources/models/tiny/manifest.json"


def test_the_key_of_a_model(project: Project) -> None:
    """Through the workflow: the default is `auto`, and another format prepares anew."""
    add_model(project, file_type="Q4_1")
    project.run("--cores", "1", MANIFEST)
    manifest = json.loads((project.path / MANIFEST).read_text())
    model = yaml.safe_load((project.path / "config/models/tiny.yaml").read_text())
    assert "prepare" not in model
    assert manifest["format"] == "f16"
    assert manifest["origin"]["sha256"] == model["source"]["sha256"]
    assert manifest["origin"]["licence"] == model["licence"]
    assert manifest["sha256"] == sha256_file(project.path / "resources/models/tiny/model.gguf")
    project.edit("config/models/tiny.yaml", lambda m: m.update(prepare="none"))
    assert project.jobs(MANIFEST) == ["prepare_model tiny"]
    project.run("--cores", "1", MANIFEST)
    manifest = json.loads((project.path / MANIFEST).read_text())
    assert (manifest["format"], manifest["largest_weight_change"]) == ("none", 0)
    assert manifest["sha256"] == model["source"]["sha256"]
    source = project.path / "tiny.gguf"
    assert (project.path / "resources/models/tiny/model.gguf").read_bytes() == source.read_bytes()
