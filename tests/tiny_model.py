"""A random model of 0.4 MB that llama.cpp really loads: the tests' stand-in for a download.

It speaks no language, but what surrounds a language model is real: a llama-architecture GGUF
with grouped-query attention and RoPE, a byte-level BPE tokenizer with control tokens, and chat
templates with the habits that a persona has to survive. Greedy answers differ between prompts,
and some of them are labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from gguf import (
    GGML_QUANT_VERSION,
    GGMLQuantizationType,
    GGUFWriter,
    LlamaFileType,
    TokenType,
    quants,
)

# SmolLM2: puts a system message of its own in front where there is none.
CHATML = """\
{% for message in messages %}\
{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful AI assistant named Tiny<|im_end|>\\n' }}\
{% endif %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# Gemma 2: refuses a system message, insists on alternating roles, prints the BOS token itself.
NO_SYSTEM = """\
{{ bos_token }}\
{% if messages[0]['role'] == 'system' %}\
{{ raise_exception('System role not supported') }}\
{% endif %}\
{% for message in messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}\
{{ '<|im_start|>' + ('model' if message['role'] == 'assistant' else message['role']) }}\
{{ '\\n' + message['content'] | trim + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>model\\n' }}{% endif %}"""

# Knows users and assistants only; a system message vanishes without an error.
DROPS_SYSTEM = """\
{% for message in messages if message['role'] in ('user', 'assistant') %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# Llama 3: today's date stands in the system header, unless the caller names one.
DATED = """\
{{ bos_token }}\
{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}\
{% if messages[0]['role'] == 'system' %}\
{% set system_message = messages[0]['content'] | trim %}{% set messages = messages[1:] %}\
{% else %}{% set system_message = '' %}{% endif %}\
{{ '<|im_start|>system\\nCutting Knowledge Date: December 2023\\n' }}\
{{ 'Today Date: ' + date_string + '\\n\\n' + system_message + '<|im_end|>\\n' }}\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n\\n' + message['content'] | trim + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n\\n' }}{% endif %}"""

N_EMBD, N_LAYER, N_HEAD, N_HEAD_KV, N_FF = 64, 2, 4, 2, 128
HEAD = N_EMBD // N_HEAD

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LABELS = (*"ABCDE12345", " A", " B", " C", " D", " E")
WORDS = (" A", " B", " C", " D", " E", " the", " is", " care", " You", " are", " an", " patient")

FILE_TYPES = {
    "F32": (LlamaFileType.ALL_F32, GGMLQuantizationType.F32),
    "F16": (LlamaFileType.MOSTLY_F16, GGMLQuantizationType.F16),
    "Q8_0": (LlamaFileType.MOSTLY_Q8_0, GGMLQuantizationType.Q8_0),
}


def _byte_letters() -> list[str]:
    # GPT-2's alphabet: every byte gets a printable character of its own.
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _vocabulary() -> tuple[list[str], list[str]]:
    """Tokens (bytes, merged pieces, control tokens) and the merges that lead to the pieces."""
    letters = _byte_letters()
    tokens, merges = list(letters), []
    for word in WORDS:
        spelled = [letters[byte] for byte in word.encode()]
        for end in range(1, len(spelled)):
            piece = "".join(spelled[: end + 1])
            if piece not in tokens:
                tokens.append(piece)
                merges.append(f"{piece[:-1]} {piece[-1]}")
    return [*tokens, *CONTROL], merges


def _loudness(tokens: list[str], labels: set[str]) -> np.ndarray:
    # Labels come up often enough to be seen in a test, bytes that are no readable text rarely.
    letters = _byte_letters()
    unreadable = {letters[byte] for byte in range(256) if not 0x20 <= byte < 0x7F}

    def loudness(token: str) -> float:
        if token in labels:
            return 1.5
        return 0.5 if token in unreadable or token in CONTROL[:2] else 1.0

    return np.array([loudness(token) for token in tokens], dtype=np.float32)[:, None]


def _weights(seed: int, tokens: list[str]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, gain: float) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) * gain / columns**0.5).astype(np.float32)

    one = np.ones(N_EMBD, dtype=np.float32)
    result = {"token_embd.weight": matrix(len(tokens), N_EMBD, 4.0)}
    for layer in range(N_LAYER):
        # Sharp attention with a loud voice: the answer hangs on the whole prompt, not on its end.
        block = {
            "attn_norm": one,
            "attn_q": matrix(N_HEAD * HEAD, N_EMBD, 1.5),
            "attn_k": matrix(N_HEAD_KV * HEAD, N_EMBD, 1.5),
            "attn_v": matrix(N_HEAD_KV * HEAD, N_EMBD, 1.5),
            "attn_output": matrix(N_EMBD, N_HEAD * HEAD, 1.5),
            "ffn_norm": one,
            "ffn_gate": matrix(N_FF, N_EMBD, 1.0),
            "ffn_up": matrix(N_FF, N_EMBD, 1.0),
            "ffn_down": matrix(N_EMBD, N_FF, 1.0),
        }
        result |= {f"blk.{layer}.{name}.weight": tensor for name, tensor in block.items()}
    result["output_norm.weight"] = one
    letters = _byte_letters()
    labels = {"".join(letters[byte] for byte in label.encode()) for label in LABELS}
    result["output.weight"] = matrix(len(tokens), N_EMBD, 3.0) * _loudness(tokens, labels)
    # Behind a label the turn likely ends, so that some answers are nothing but a label.
    end_of_turn = result["output.weight"][tokens.index("<|im_end|>")]
    for label in labels:
        result["token_embd.weight"][tokens.index(label)] += 1.5 * end_of_turn
    return result


def write_tiny_model(
    path: Path,
    *,
    template: str | None = CHATML,
    seed: int = 0,
    context: int = 2048,
    file_type: Literal["F32", "F16", "Q8_0"] = "F32",
    add_bos: bool = False,
) -> None:
    """Write the model to `path`; equal arguments give equal bytes.

    Args:
        path: where the GGUF goes; its folder exists.
        template: the chat template in the metadata, None for none.
        seed: seed of the weights.
        context: the context length that the model says it was trained with.
        file_type: how the matrices are stored; norms are always F32.
        add_bos: whether the tokenizer puts a BOS token in front.
    """
    tokens, merges = _vocabulary()
    kind, storage = FILE_TYPES[file_type]
    writer = GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_description("Random weights for tests")
    writer.add_license("cc0-1.0")
    writer.add_file_type(kind)
    writer.add_quantization_version(GGML_QUANT_VERSION)

    writer.add_vocab_size(len(tokens))
    writer.add_context_length(context)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYER)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_HEAD_KV)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [TokenType.CONTROL if token in CONTROL else TokenType.NORMAL for token in tokens]
    )
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(add_bos)
    if template is not None:
        writer.add_chat_template(template)

    for name, tensor in _weights(seed, tokens).items():
        stored = GGMLQuantizationType.F32 if "norm" in name else storage
        writer.add_tensor(name, quants.quantize(tensor, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
