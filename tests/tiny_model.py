"""Random models of about 0.5 MB that llama.cpp really loads: the tests' stand-in for a download.

They speak no language, but what surrounds a language model is real: a GGUF of a known architecture
(grouped-query attention with RoPE; and for other kinds of memory a sliding window, a recurrent
state, and a recurrent state next to attention), a byte-level BPE tokenizer (or one of the other
kinds) with control tokens, and chat templates with the habits that a persona has to survive.
Greedy answers differ between prompts, and some of them are labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from gguf import (
    GGML_QUANT_SIZES,
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

# gpt-oss: whatever the system message says, the template tells the model who it is.
FOREIGN_PERSONA = """\
{% if messages[0]['role'] == 'system' %}\
{% set system_message = messages[0]['content'] %}{% set messages = messages[1:] %}\
{% else %}{% set system_message = '' %}{% endif %}\
{{ '<|im_start|>system\\nYou are Tiny, a large language model drawn from random numbers.\\n\\n' }}\
{{ system_message + '<|im_end|>\\n' }}\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# Prints the BOS token; with `add_bos=True` the tokenizer puts a second one in front.
DOUBLE_BOS = "{{ bos_token }}" + CHATML

# Says the system message twice: in its own turn, and again in front of the first question.
REPEATS_SYSTEM = """\
{% if messages[0]['role'] == 'system' %}\
{% set system_message = messages[0]['content'] %}{% set messages = messages[1:] %}\
{% else %}{% set system_message = '' %}{% endif %}\
{{ '<|im_start|>system\\n' + system_message + '<|im_end|>\\n' }}\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' }}\
{% if loop.first and system_message %}{{ system_message + '\\n\\n' }}{% endif %}\
{{ message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# Asks for today's date whatever the caller says.
TODAY = """\
{{ '<|im_start|>system\\nCurrent date: ' + strftime_now('%Y-%m-%d') + '\\n\\n' }}\
{% if messages[0]['role'] == 'system' %}\
{{ messages[0]['content'] }}{% set messages = messages[1:] %}\
{% endif %}\
{{ '<|im_end|>\\n' }}\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# DeepSeek R1, QwQ: opens a thought for every answer.
THINKS = """\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"""

# What a model remembers of its prompt: llama keys and values of every token; gemma3 in its first
# layer only those of the last `WINDOW` tokens; mamba one state per sequence; jamba a state in its
# first layer, keys and values in its second.
Architecture = Literal["llama", "gemma3", "mamba", "jamba"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

# How the tokenizer cuts text, by the names in a GGUF: byte-level BPE; SentencePiece as of Llama 2;
# unigram as of T5; WordPiece as of BERT.
Tokenizer = Literal["gpt2", "llama", "t5", "bert"]
TOKENIZERS: tuple[Tokenizer, ...] = get_args(Tokenizer)

N_EMBD, N_LAYER, N_HEAD, N_HEAD_KV, N_FF = 64, 2, 4, 2, 128
HEAD = N_EMBD // N_HEAD
WINDOW = 64
# llama.cpp's Mamba layers are twice as wide inside as outside.
D_INNER, D_STATE, D_CONV, DT_RANK = 2 * N_EMBD, 16, 4, 4

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CONTROLS = dict.fromkeys(CONTROL, TokenType.CONTROL)
LABELS = (*"ABCDE12345", " A", " B", " C", " D", " E")
WORDS = (" A", " B", " C", " D", " E", " the", " is", " care", " You", " are", " an", " patient")

FILE_TYPES = {
    "F32": (LlamaFileType.ALL_F32, GGMLQuantizationType.F32),
    "F16": (LlamaFileType.MOSTLY_F16, GGMLQuantizationType.F16),
    "Q8_0": (LlamaFileType.MOSTLY_Q8_0, GGMLQuantizationType.Q8_0),
    "Q4_1": (LlamaFileType.MOSTLY_Q4_1, GGMLQuantizationType.Q4_1),
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


# What stands for a space in the pieces of all tokenizers but byte-level BPE.
SPACE = "\u2581"


def _pieces(tokenizer: Tokenizer) -> tuple[list[str], list[TokenType], list[float]]:
    """Tokens of a tokenizer that is no BPE, their types and scores (the higher, the sooner)."""
    letters = [chr(code) for code in range(0x21, 0x7F)]
    words = [word.replace(" ", SPACE) for word in WORDS]
    special = ["<unk>", *CONTROL]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if tokenizer == "llama" else []
    if tokenizer == "bert":
        letters = [letter for letter in letters if letter == letter.lower()]
        words = [word.lower() for word in words] + [SPACE + letter for letter in letters]
    else:
        # Digits have no piece with a space, as in Llama 2.
        letters = [SPACE, *letters]
    pieces = list(dict.fromkeys([*letters, *words]))
    types = [TokenType.UNKNOWN] + [TokenType.CONTROL] * len(CONTROL)
    types += [TokenType.BYTE] * len(bytes_) + [TokenType.NORMAL] * len(pieces)
    scores = [0.0] * (len(special) + len(bytes_)) + [2.0 * len(p) - 9 for p in pieces]
    return [*special, *bytes_, *pieces], types, scores


def _spelled(label: str, tokens: list[str]) -> str:
    """The one token that is a label, as its vocabulary writes it; small where it must."""
    letters = _byte_letters()
    spaced = label.replace(" ", SPACE)
    forms = ("".join(letters[byte] for byte in label.encode()), spaced, spaced.lower())
    return next(form for form in forms if form in tokens)


def _loudness(tokens: list[str], labels: set[str]) -> np.ndarray:
    # Labels come up often enough to be seen in a test, bytes that are no readable text rarely.
    letters = _byte_letters()
    unreadable = {letters[byte] for byte in range(256) if not 0x20 <= byte < 0x7F}
    unreadable |= {f"<0x{byte:02X}>" for byte in range(256)} | {"<unk>"}

    def loudness(token: str) -> float:
        if token in labels:
            return 1.5
        return 0.5 if token in unreadable or token in CONTROL[:2] else 1.0

    return np.array([loudness(token) for token in tokens], dtype=np.float32)[:, None]


Matrix = Callable[[int, int, float], np.ndarray]
Tensors = dict[str, np.ndarray]


def _ones(size: int, value: float = 1.0) -> np.ndarray:
    return np.full(size, value, dtype=np.float32)


def _attention(matrix: Matrix) -> Tensors:
    # Sharp attention with a loud voice: the answer hangs on the whole prompt, not on its end.
    return {
        "attn_q.weight": matrix(N_HEAD * HEAD, N_EMBD, 1.5),
        "attn_k.weight": matrix(N_HEAD_KV * HEAD, N_EMBD, 1.5),
        "attn_v.weight": matrix(N_HEAD_KV * HEAD, N_EMBD, 1.5),
        "attn_output.weight": matrix(N_EMBD, N_HEAD * HEAD, 1.5),
    }


def _feed_forward(matrix: Matrix) -> Tensors:
    return {
        "ffn_norm.weight": _ones(N_EMBD),
        "ffn_gate.weight": matrix(N_FF, N_EMBD, 1.0),
        "ffn_up.weight": matrix(N_FF, N_EMBD, 1.0),
        "ffn_down.weight": matrix(N_EMBD, N_FF, 1.0),
    }


def _state_space(matrix: Matrix) -> Tensors:
    # Half of the states decay by less than 1/300 in a step of about 0.13: at the end of a long
    # prompt its start is still there.
    decay = np.geomspace(1e-3, 1.0, D_STATE, dtype=np.float32)
    return {
        "ssm_in.weight": matrix(2 * D_INNER, N_EMBD, 1.5),
        "ssm_conv1d.weight": matrix(D_INNER, D_CONV, 1.0),
        "ssm_conv1d.bias": _ones(D_INNER, 0.0),
        "ssm_x.weight": matrix(DT_RANK + 2 * D_STATE, D_INNER, 2.0),
        "ssm_dt.weight": matrix(D_INNER, DT_RANK, 0.5),
        "ssm_dt.bias": _ones(D_INNER, -2.0),
        "ssm_a": np.tile(-decay, (D_INNER, 1)),
        "ssm_d": _ones(D_INNER, 0.3),
        "ssm_out.weight": matrix(N_EMBD, D_INNER, 1.0),
    }


def _block(architecture: Architecture, layer: int, matrix: Matrix) -> Tensors:
    norm = {"attn_norm.weight": _ones(N_EMBD)}
    if architecture == "mamba":
        return norm | _state_space(matrix)
    if architecture == "jamba" and layer == 0:
        norms = {"ssm_dt_norm": DT_RANK, "ssm_b_norm": D_STATE, "ssm_c_norm": D_STATE}
        norm |= {f"{name}.weight": _ones(size) for name, size in norms.items()}
        return norm | _state_space(matrix) | _feed_forward(matrix)
    if architecture == "gemma3":
        norm |= {f"attn_{name}_norm.weight": _ones(HEAD, 1.5) for name in "qk"}
        norm |= {f"post_{name}_norm.weight": _ones(N_EMBD) for name in ("attention", "ffw")}
    return norm | _attention(matrix) | _feed_forward(matrix)


def _weights(seed: int, tokens: list[str], architecture: Architecture) -> Tensors:
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, gain: float) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) * gain / columns**0.5).astype(np.float32)

    result = {"token_embd.weight": matrix(len(tokens), N_EMBD, 4.0)}
    for layer in range(N_LAYER):
        block = _block(architecture, layer, matrix)
        result |= {f"blk.{layer}.{name}": tensor for name, tensor in block.items()}
    result["output_norm.weight"] = _ones(N_EMBD)
    labels = {_spelled(label, tokens) for label in LABELS}
    result["output.weight"] = matrix(len(tokens), N_EMBD, 3.0) * _loudness(tokens, labels)
    # Behind a label the turn likely ends, so that some answers are nothing but a label.
    end_of_turn = result["output.weight"][tokens.index("<|im_end|>")]
    for label in sorted(labels):
        result["token_embd.weight"][tokens.index(label)] += 1.5 * end_of_turn
    if architecture == "gemma3":  # it multiplies its embeddings by this
        result["token_embd.weight"] /= np.float32(N_EMBD**0.5)
    return result


def _stored(name: str, tensor: np.ndarray, wanted: GGMLQuantizationType) -> GGMLQuantizationType:
    # As llama-quantize has it: matrices only, and of those of a state space not the ones that
    # have kernels for F32 alone; and a row is a whole number of blocks.
    if tensor.ndim < 2 or name.endswith(("ssm_conv1d.weight", "ssm_a")):
        return GGMLQuantizationType.F32
    block, _ = GGML_QUANT_SIZES[wanted]
    return GGMLQuantizationType.F32 if tensor.shape[1] % block else wanted


def _add_architecture(writer: GGUFWriter, architecture: Architecture) -> None:
    attends, has_state = architecture != "mamba", architecture in ("mamba", "jamba")
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYER)
    writer.add_feed_forward_length(N_FF if attends else 0)
    writer.add_head_count(N_HEAD if attends else 0)
    if attends:
        # Jamba: a layer without heads has a state instead.
        writer.add_head_count_kv([0, N_HEAD_KV] if has_state else N_HEAD_KV)
    if attends and not has_state:
        writer.add_rope_dimension_count(HEAD)
        writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    if architecture == "gemma3":
        writer.add_key_length(HEAD)
        writer.add_value_length(HEAD)
        writer.add_sliding_window(WINDOW)
        writer.add_sliding_window_pattern(2)
    if has_state:
        writer.add_ssm_conv_kernel(D_CONV)
        writer.add_ssm_inner_size(D_INNER)
        writer.add_ssm_state_size(D_STATE)
        writer.add_ssm_time_step_rank(DT_RANK)


def add_tokenizer(
    writer: GGUFWriter,
    tokenizer: Tokenizer,
    add_space_prefix: bool,
    marks: Mapping[str, TokenType],
) -> list[str]:
    """Write a tokenizer into the metadata of a model; its tokens."""
    writer.add_tokenizer_model(tokenizer)
    if tokenizer == "gpt2":
        tokens, merges = _vocabulary()
        tokens += marks
        types = CONTROLS | marks
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(tokens)
        writer.add_token_types([types.get(token, TokenType.NORMAL) for token in tokens])
        writer.add_token_merges(merges)
        return tokens
    tokens, types, scores = _pieces(tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(add_space_prefix)
    return tokens


def write_tiny_model(
    path: Path,
    *,
    template: str | None = CHATML,
    seed: int = 0,
    context: int = 2048,
    file_type: Literal["F32", "F16", "Q8_0", "Q4_1"] = "F32",
    add_bos: bool = False,
    architecture: Architecture = "llama",
    tokenizer: Tokenizer = "gpt2",
    add_space_prefix: bool = True,
    tensors_per_part: int = 0,
    marks: tuple[str, ...] = (),
    marks_are: TokenType = TokenType.USER_DEFINED,
    plus: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write the model to `path`; equal arguments give equal bytes.

    Args:
        path: where the GGUF goes; its folder exists.
        template: the chat template in the metadata, None for none.
        seed: seed of the weights.
        context: the context length that the model says it was trained with.
        file_type: how the matrices are stored; norms and other vectors are always F32.
        add_bos: whether the tokenizer puts a BOS token in front.
        architecture: one of `ARCHITECTURES`.
        tokenizer: one of `TOKENIZERS`.
        add_space_prefix: whether SentencePiece puts a space in front of a text.
        tensors_per_part: most tensors of a file, 0 for one file; of more the names are those of
            `path`, with -00001-of-0000N in front of the suffix.
        marks: further tokens of a byte-level BPE, which open and close a thought.
        marks_are: their type; of control tokens a text has no trace.
        plus: name → what is added to a tensor.
    """
    kind, storage = FILE_TYPES[file_type]
    writer = GGUFWriter(path, architecture, split_max_tensors=tensors_per_part)
    writer.add_name("Tiny")
    writer.add_description("Random weights for tests")
    writer.add_license("cc0-1.0")
    writer.add_file_type(kind)
    writer.add_quantization_version(GGML_QUANT_VERSION)

    writer.add_context_length(context)
    _add_architecture(writer, architecture)
    tokens = add_tokenizer(writer, tokenizer, add_space_prefix, dict.fromkeys(marks, marks_are))
    writer.add_vocab_size(len(tokens))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(add_bos)
    if template is not None:
        writer.add_chat_template(template)

    for name, drawn in _weights(seed, tokens, architecture).items():
        tensor = drawn if plus is None else drawn + plus.get(name, np.float32(0))
        stored = _stored(name, tensor, storage)
        writer.add_tensor(name, quants.quantize(tensor, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
