"""The tests' own models: llama.cpp loads them, and they are alive enough to test with."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jinja2
import llama_cpp
import numpy as np
import pytest
import tiny_model
from tiny_model import (
    ARCHITECTURES,
    CHATML,
    DATED,
    DOUBLE_BOS,
    DROPS_SYSTEM,
    FOREIGN_PERSONA,
    NO_SYSTEM,
    REPEATS_SYSTEM,
    TODAY,
    write_tiny_model,
)

from persona_paradox.engine.vocabulary import weights_parameters

CHAT = [
    {"role": "system", "content": "You are an Emergency Department Nurse."},
    {"role": "user", "content": "The patient has a cough."},
]


def question(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@contextmanager
def loaded(path: Path) -> Iterator[llama_cpp.llama_model_p]:
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), weights_parameters())
    assert model is not None
    try:
        yield model
    finally:
        llama_cpp.llama_model_free(model)


def tokenize(model: llama_cpp.llama_model_p, text: str, *, special: bool = False) -> list[int]:
    vocab = llama_cpp.llama_model_get_vocab(model)
    data = text.encode()
    tokens = (llama_cpp.llama_token * (len(data) + 8))()
    count = llama_cpp.llama_tokenize(vocab, data, len(data), tokens, len(tokens), True, special)
    assert count > 0
    return list(tokens[:count])


@contextmanager
def context_of(model: llama_cpp.llama_model_p) -> Iterator[llama_cpp.llama_context_p]:
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 512, 1, 1
    context = llama_cpp.llama_init_from_model(model, params)
    assert context is not None
    try:
        yield context
    finally:
        llama_cpp.llama_free(context)


def decode(context: llama_cpp.llama_context_p, tokens: list[int]) -> np.ndarray:
    """Logits behind `tokens`, which continue what was decoded before, shape (vocabulary,)."""
    array = (llama_cpp.llama_token * len(tokens))(*tokens)
    assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))) == 0
    model = llama_cpp.llama_get_model(context)
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    row = llama_cpp.llama_get_logits_ith(context, -1)
    return np.ctypeslib.as_array(row, shape=(size,)).copy()


def logits(model: llama_cpp.llama_model_p, prompt: str) -> np.ndarray:
    """Logits behind `prompt`, shape (vocabulary,)."""
    with context_of(model) as context:
        return decode(context, tokenize(model, prompt, special=True))


def greedy(model: llama_cpp.llama_model_p, prompt: str) -> tuple[int, ...]:
    """The first tokens of the likeliest answer, up to its end."""
    vocab = llama_cpp.llama_model_get_vocab(model)
    answer: list[int] = []
    with context_of(model) as context:
        row = decode(context, tokenize(model, prompt, special=True))
        while len(answer) < 8 and not llama_cpp.llama_vocab_is_eog(vocab, int(row.argmax())):
            answer.append(int(row.argmax()))
            row = decode(context, answer[-1:])
    return tuple(answer)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("file_type", ["F32", "F16", "Q8_0", "Q4_1"])
def test_loads_and_decodes(tmp_path: Path, file_type: str, architecture: str) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, file_type=file_type, architecture=architecture)
    assert path.stat().st_size < 600_000
    with loaded(path) as model:
        first = logits(model, "<|im_start|>user\nA fall from a ladder.<|im_end|>\n")
        second = logits(model, "<|im_start|>user\nA dry cough for days.<|im_end|>\n")
        again = logits(model, "<|im_start|>user\nA fall from a ladder.<|im_end|>\n")
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    assert np.abs(first - second).max() > 1
    assert 1 < first.std() < 10
    assert (first == again).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("file_type", ["F32", "Q4_1"])
def test_the_start_of_a_prompt_reaches_its_end(
    tmp_path: Path, file_type: str, architecture: str
) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, file_type=file_type, architecture=architecture)
    tail = "<|im_end|>\n<|im_start|>user\n" + "The patient is here. " * 30 + "<|im_end|>\n"
    with loaded(path) as model:
        assert len(tokenize(model, tail, special=True)) > 300
        nurse = logits(model, "<|im_start|>system\nYou are a nurse." + tail)
        pilot = logits(model, "<|im_start|>system\nYou are a pilot." + tail)
    assert np.isfinite([nurse, pilot]).all()
    assert np.abs(nurse - pilot).max() > 0.1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_answers_differ_between_prompts(tmp_path: Path, architecture: str) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, architecture=architecture)
    cases = ["chest pain", "a cut finger", "no pulse", "itching", "fever for three days"]
    with loaded(path) as model:
        answers = [greedy(model, render(CHATML, [CHAT[0], question(case)])) for case in cases]
    assert len(set(answers)) >= 4


@pytest.mark.parametrize(
    ("architecture", "recurrent", "hybrid", "window"),
    [
        ("llama", False, False, 0),
        ("gemma3", False, False, 64),
        ("mamba", True, False, 0),
        ("jamba", False, True, 0),
    ],
)
def test_kind_of_memory(
    tmp_path: Path, architecture: str, recurrent: bool, hybrid: bool, window: int
) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, architecture=architecture)
    with loaded(path) as model, context_of(model) as context:
        assert llama_cpp.llama_model_is_recurrent(model) == recurrent
        assert llama_cpp.llama_model_is_hybrid(model) == hybrid
        assert llama_cpp.llama_model_n_swa(model) == window

        tokens = tokenize(model, "The patient is here. " * 10)
        before = decode(context, tokens)
        memory = llama_cpp.llama_get_memory(context)
        # A state keeps no past: it forgets everything or nothing.
        stateful = recurrent or hybrid
        for start in (len(tokens) - 1, 5):
            assert llama_cpp.llama_memory_seq_rm(memory, 0, start, -1) != stateful
        left = llama_cpp.llama_memory_seq_pos_max(memory, 0)
        assert left == (len(tokens) - 1 if stateful else 4)
        assert llama_cpp.llama_memory_seq_rm(memory, 0, -1, -1)
        assert (decode(context, tokens) == before).all()


def test_the_window_slides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = tiny_model.WINDOW
    write_tiny_model(tmp_path / "sliding.gguf", architecture="gemma3")
    monkeypatch.setattr(tiny_model, "WINDOW", 10 * window)
    write_tiny_model(tmp_path / "wide.gguf", architecture="gemma3")

    def differs(count: int) -> bool:
        rows = []
        for name in ("sliding.gguf", "wide.gguf"):
            with loaded(tmp_path / name) as model, context_of(model) as context:
                text = "The patient has a cough, and a fever of 39.4 for days. " * 10
                rows.append(decode(context, tokenize(model, text)[:count]))
        return bool((rows[0] != rows[1]).any())

    assert not differs(window)
    assert differs(window + 1)


def test_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, context=777)
    with loaded(path) as model:
        vocab = llama_cpp.llama_model_get_vocab(model)
        for text in ("A", " A", "B", " C", "5", " the", " patient"):
            assert len(tokenize(model, text)) == 1, text
        for text in ("<|im_start|>", "<|im_end|>", "<|endoftext|>"):
            [token] = tokenize(model, text, special=True)
            assert llama_cpp.llama_vocab_get_attr(vocab, token) & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL
            assert len(tokenize(model, text)) > 1
        assert tokenize(model, "<|im_end|>", special=True) == [llama_cpp.llama_vocab_eos(vocab)]
        assert tokenize(model, "<|endoftext|>", special=True) == [llama_cpp.llama_vocab_bos(vocab)]
        assert llama_cpp.llama_model_n_ctx_train(model) == 777

        text = "Fièvre 39,4 °C – the patient\n\tis 痛い 🤒"
        tokens = tokenize(model, text)
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        buffer = ctypes.create_string_buffer(200)
        length = llama_cpp.llama_detokenize(vocab, array, len(tokens), buffer, 200, False, False)
        assert buffer.raw[:length].decode() == text


def test_bos_in_front_where_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, add_bos=True)
    with loaded(path) as model:
        bos = llama_cpp.llama_vocab_bos(llama_cpp.llama_model_get_vocab(model))
        assert tokenize(model, " the")[0] == bos
        assert len(tokenize(model, " the")) == 2


def test_bytes_hang_on_the_arguments_alone(tmp_path: Path) -> None:
    def content(name: str, **arguments: object) -> bytes:
        write_tiny_model(tmp_path / name, **arguments)
        return (tmp_path / name).read_bytes()

    assert content("one", seed=3) == content("two", seed=3)
    assert content("one", seed=3) != content("two", seed=4)
    assert content("one", seed=3) != content("two", seed=3, file_type="F16")
    assert content("one", seed=3) != content("two", seed=3, template=DATED)
    seen = set()
    for architecture in ARCHITECTURES:
        for file_type in ("F16", "Q4_1"):
            options = {"architecture": architecture, "file_type": file_type}
            assert content("one", **options) == content("two", **options)
            seen.add(content("one", **options))
    assert len(seen) == 2 * len(ARCHITECTURES)


@pytest.mark.parametrize(
    "template",
    [
        CHATML,
        NO_SYSTEM,
        DROPS_SYSTEM,
        DATED,
        FOREIGN_PERSONA,
        DOUBLE_BOS,
        REPEATS_SYSTEM,
        TODAY,
        None,
    ],
)
def test_template_in_the_file(tmp_path: Path, template: str | None) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, template=template)
    with loaded(path) as model:
        found = llama_cpp.llama_model_chat_template(model, None)
    assert (found and found.decode()) == template


def render(template: str, chat: list[dict[str, str]], **values: object) -> str:
    def refuse(message: str) -> None:
        raise ValueError(message)

    # The settings under which transformers renders templates.
    environment = jinja2.Environment(  # noqa: S701 (the text goes to a model, not to a browser)
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(template).render(
        messages=chat,
        add_generation_prompt=True,
        bos_token="<|endoftext|>",  # noqa: S106
        raise_exception=refuse,
        **values,
    )


def test_habits_of_the_templates() -> None:
    user = "<|im_start|>user\nThe patient has a cough.<|im_end|>\n<|im_start|>"
    persona = "<|im_start|>system\nYou are an Emergency Department Nurse.<|im_end|>\n"
    own = "<|im_start|>system\nYou are a helpful AI assistant named Tiny<|im_end|>\n"
    assert render(CHATML, CHAT) == persona + user + "assistant\n"
    assert render(CHATML, CHAT[1:]) == own + user + "assistant\n"

    assert render(NO_SYSTEM, CHAT[1:]) == "<|endoftext|>" + user + "model\n"
    with pytest.raises(ValueError, match="System role not supported"):
        render(NO_SYSTEM, CHAT)

    assert render(DROPS_SYSTEM, CHAT) == user + "assistant\n"

    now = render(DATED, CHAT, strftime_now=lambda form: f"now as {form}")
    assert "Today Date: now as %d %b %Y\n\nYou are an Emergency Department Nurse.<|im_end|>" in now
    assert "Today Date: 26 Jul 2024\n\n<|im_end|>" in render(
        DATED, CHAT[1:], date_string="26 Jul 2024"
    )

    foreign = "<|im_start|>system\nYou are Tiny, a large language model drawn from random numbers."
    nurse = "You are an Emergency Department Nurse."
    assert render(FOREIGN_PERSONA, CHAT) == f"{foreign}\n\n{nurse}<|im_end|>\n{user}assistant\n"
    assert render(FOREIGN_PERSONA, CHAT[1:]) == f"{foreign}\n\n<|im_end|>\n{user}assistant\n"

    assert render(DOUBLE_BOS, CHAT) == "<|endoftext|>" + render(CHATML, CHAT)

    repeated = user.replace("The patient", f"{nurse}\n\nThe patient")
    assert render(REPEATS_SYSTEM, CHAT) == persona + repeated + "assistant\n"
    assert render(REPEATS_SYSTEM, CHAT[1:]) == persona.replace(nurse, "") + user + "assistant\n"

    for chat, said in ((CHAT, nurse), (CHAT[1:], "")):
        today = render(
            TODAY, chat, strftime_now=lambda form: f"now as {form}", date_string="26 Jul 2024"
        )
        head = "<|im_start|>system\nCurrent date: now as %Y-%m-%d\n\n"
        assert today == f"{head}{said}<|im_end|>\n{user}assistant\n"


def test_bos_twice(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, template=DOUBLE_BOS, add_bos=True)
    with loaded(path) as model:
        bos = llama_cpp.llama_vocab_bos(llama_cpp.llama_model_get_vocab(model))
        assert tokenize(model, render(DOUBLE_BOS, CHAT), special=True)[:3].count(bos) == 2
