"""The tests' own model: llama.cpp loads it, and it is alive enough to test with."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jinja2
import llama_cpp
import numpy as np
import pytest
from tiny_model import CHATML, DATED, DROPS_SYSTEM, NO_SYSTEM, write_tiny_model

CHAT = [
    {"role": "system", "content": "You are an Emergency Department Nurse."},
    {"role": "user", "content": "The patient has a cough."},
]


@contextmanager
def loaded(path: Path) -> Iterator[llama_cpp.llama_model_p]:
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        str(path).encode(), llama_cpp.llama_model_default_params()
    )
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


def logits(model: llama_cpp.llama_model_p, prompt: str) -> np.ndarray:
    """Logits behind `prompt`, shape (vocabulary,)."""
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 512, 1, 1
    context = llama_cpp.llama_init_from_model(model, params)
    assert context is not None
    tokens = tokenize(model, prompt, special=True)
    array = (llama_cpp.llama_token * len(tokens))(*tokens)
    assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))) == 0
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    result = np.array(
        np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), shape=(size,))
    )
    llama_cpp.llama_free(context)
    return result


@pytest.mark.parametrize("file_type", ["F32", "F16", "Q8_0"])
def test_loads_and_decodes(tmp_path: Path, file_type: str) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, file_type=file_type)
    with loaded(path) as model:
        first = logits(model, "<|im_start|>user\nA fall from a ladder.<|im_end|>\n")
        second = logits(model, "<|im_start|>user\nA dry cough for days.<|im_end|>\n")
        again = logits(model, "<|im_start|>user\nA fall from a ladder.<|im_end|>\n")
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()
    assert np.abs(first - second).max() > 1
    assert 1 < first.std() < 10
    assert (first == again).all()


def test_the_start_of_a_prompt_reaches_its_end(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path)
    tail = "<|im_end|>\n<|im_start|>user\n" + "The patient is here. " * 15 + "<|im_end|>\n"
    with loaded(path) as model:
        nurse = logits(model, "<|im_start|>system\nYou are a nurse." + tail)
        pilot = logits(model, "<|im_start|>system\nYou are a pilot." + tail)
    assert np.abs(nurse - pilot).max() > 0.1


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


@pytest.mark.parametrize("template", [CHATML, NO_SYSTEM, DROPS_SYSTEM, DATED, None])
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
