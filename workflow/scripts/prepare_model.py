"""Write a model's weights in the format that the engine runs fastest.

`f16` keeps the values of the source up to rounding to 16 bits; `q8_0` quantizes to 8 bits;
`none` uses the file as it is; `auto` is `f16` where the weights then take at most 4 GiB, else
`none`. The manifest says what was done, the largest change of a weight, and what a token
takes in the attention cache.
"""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gguf
import numpy as np
from gguf.quants import dequantize

from persona_paradox import cli, files
from persona_paradox.engine.prepared import WEIGHTS
from persona_paradox.engine.quantization import quantize
from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.errors import InputError

T = TypeVar("T")


def largest_change(source: Path, result: Path) -> float:
    """Largest absolute difference of a weight between two GGUF files of the same tensors."""
    before = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    largest = 0.0
    for tensor in gguf.GGUFReader(result).tensors:
        old = before[tensor.name]
        if old.tensor_type == tensor.tensor_type:
            continue
        change = dequantize(old.data, old.tensor_type) - dequantize(tensor.data, tensor.tensor_type)
        largest = max(largest, float(np.abs(change).max()))
    return largest


# What `auto` takes for a small model: its F16 weights fit beside the work of a plain laptop.
SMALL_BYTES = 4 * 2**30


def choose(kind: str, source: Path) -> str:
    """The format that `auto` stands for."""
    if kind != "auto":
        return kind
    weights = sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(source).tensors)
    return "f16" if 2 * weights <= SMALL_BYTES else "none"


def cache_bytes_per_token(model: Path) -> int:
    """Bytes that a token takes in the attention cache of 16-bit floats, from the metadata.

    An upper bound where layers differ: every layer counts as the largest.
    """
    fields = gguf.GGUFReader(model).fields
    architecture = fields["general.architecture"].contents()

    def value(key: str) -> int | None:
        field = fields.get(f"{architecture}.{key}")
        found = field.contents() if field else None
        return max(found) if isinstance(found, list) else found

    heads = value("attention.head_count")
    if not heads:
        return 0
    head = (value("embedding_length") or 0) // heads
    key, this = value("attention.key_length") or head, value("attention.value_length") or head
    shared = value("attention.head_count_kv") or heads
    return 2 * (value("block_count") or 0) * shared * (key + this)


def read_header(read: Callable[[Path], T], source: Path, config_file: str) -> T:
    """What `read` finds in the header of a GGUF file.

    Raises:
        InputError: the header lacks it, or holds something else in its place.
    """
    try:
        return read(source)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{config_file}: the header of the model cannot be read ({error!r}); use another build "
            "of the model"
        ) from error


def main(arguments: Namespace) -> None:
    """Prepare the model and write its manifest."""
    origin = files.read_json(arguments.source_manifest)
    files.check_sha256(arguments.source, origin["sha256"])
    asked = files.read_json(arguments.prepare)["prepare"]
    kind = read_header(partial(choose, asked), arguments.source, arguments.config_file)
    cache_bytes = read_header(cache_bytes_per_token, arguments.source, arguments.config_file)
    with open_vocabulary(arguments.source, arguments.config_file) as vocabulary:
        vocabulary.check()
        spells_alone = vocabulary.spells_alone
    with files.atomic_path(arguments.model) as temporary:
        if kind == "none":
            temporary.unlink()
            try:
                os.link(arguments.source, temporary)
            except OSError:
                shutil.copyfile(arguments.source, temporary)
            sha256, change = origin["sha256"], 0.0
        else:
            quantize(arguments.source, temporary, kind, arguments.config_file)
            sha256 = files.sha256_file(temporary)
            change = largest_change(arguments.source, temporary)
    size = arguments.model.stat().st_size
    weights = {"role": WEIGHTS, "path": arguments.model.name, "sha256": sha256, "size": size}
    manifest = {
        "files": [weights],
        "sha256": sha256,
        "format": kind,
        "largest_weight_change": change,
        "cache_bytes_per_token": cache_bytes,
        "size": size,
        "origin": origin,
    }
    if not spells_alone:
        manifest["spells_alone"] = False
    cli.log.info("prepared as %s: sha256 %s, largest change of a weight %g", kind, sha256, change)
    files.write_text(arguments.manifest, files.canonical_json(manifest))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        source="GGUF file as it came",
        source_manifest="its manifest",
        prepare="view with key `prepare`",
        model="GGUF file to write",
        manifest="manifest to write",
    )
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
