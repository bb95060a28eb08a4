"""A model of random weights in the shape of a large one, for its speed; it says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_VERSION, GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
from tiny_model import CHATML, CONTROL, _vocabulary

# A block of Q8_0: 32 weights of 8 bits and their scale.
BLOCK = np.dtype([("scale", "<f2"), ("weights", "i1", 32)])
POOL = 1 << 20  # random blocks, used over and over


@dataclass(frozen=True)
class Shape:
    """Sizes of a model of the architecture llama; that of Llama 3.1 8B, from its config.json."""

    embedding: int = 4096
    layers: int = 32
    heads: int = 32
    heads_kv: int = 8
    feed_forward: int = 14336
    vocabulary: int = 128256

    def matrices(self) -> Iterator[tuple[str, int, int]]:
        """Name, rows and columns of every matrix."""
        kv = self.embedding // self.heads * self.heads_kv
        yield "token_embd.weight", self.vocabulary, self.embedding
        for layer in range(self.layers):
            block = f"blk.{layer}."
            yield block + "attn_q.weight", self.embedding, self.embedding
            yield block + "attn_k.weight", kv, self.embedding
            yield block + "attn_v.weight", kv, self.embedding
            yield block + "attn_output.weight", self.embedding, self.embedding
            yield block + "ffn_gate.weight", self.feed_forward, self.embedding
            yield block + "ffn_up.weight", self.feed_forward, self.embedding
            yield block + "ffn_down.weight", self.embedding, self.feed_forward
        yield "output.weight", self.vocabulary, self.embedding

    def norms(self) -> Iterator[str]:
        """Names of the vectors."""
        for layer in range(self.layers):
            yield f"blk.{layer}.attn_norm.weight"
            yield f"blk.{layer}.ffn_norm.weight"
        yield "output_norm.weight"


def write_shaped_model(path: Path, shape: Shape, context: int = 8192) -> None:
    """Write the model in Q8_0 to `path`: 8.5 GB in the shape of Llama 3.1 8B.

    It has the tests' tokenizer of bytes, with tokens that are never spelled to fill the vocabulary.
    """
    tokens, merges = _vocabulary()
    filled = [*tokens, *(f"<unused_{i}>" for i in range(shape.vocabulary - len(tokens)))]
    kinds = [
        TokenType.CONTROL
        if token in CONTROL
        else TokenType.NORMAL
        if i < len(tokens)
        else TokenType.UNUSED
        for i, token in enumerate(filled)
    ]
    writer = GGUFWriter(path, "llama")
    writer.add_name("Shape of a large model")
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(context)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads_kv)
    writer.add_rope_dimension_count(shape.embedding // shape.heads)
    writer.add_rope_freq_base(500000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(filled)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)

    matrices = list(shape.matrices())
    for name, rows, columns in matrices:
        size = columns // 32 * BLOCK.itemsize
        kind = np.dtype(np.uint8)
        writer.add_tensor_info(
            name, (rows, size), kind, rows * size, raw_dtype=GGMLQuantizationType.Q8_0
        )
    ones = np.ones(shape.embedding, dtype=np.float32)
    for name in shape.norms():
        writer.add_tensor_info(name, ones.shape, ones.dtype, ones.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()

    generator = np.random.default_rng(0)
    pool = np.zeros(POOL, dtype=BLOCK)
    pool["weights"] = generator.integers(-127, 128, (POOL, 32), dtype=np.int8)
    for _, rows, columns in matrices:
        # Weights with a standard deviation of one over the root of the columns.
        pool["scale"] = 1 / (73.3 * columns**0.5)
        writer.write_tensor_data(np.resize(pool, rows * columns // 32).view(np.uint8))
    for _ in shape.norms():
        writer.write_tensor_data(ones)
    writer.close()
