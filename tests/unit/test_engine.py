"""The engine on a random-weights model: purity, the read-out, and what it refuses."""

from __future__ import annotations

import random
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from tiny_model import CHATML, DATED, DROPS_SYSTEM, NO_SYSTEM, write_tiny_model

from persona_paradox.chat import FROZEN_DATE, ChatTemplate
from persona_paradox.engine import LENGTH, TOO_LONG, Engine, Prompt, Settings
from persona_paradox.errors import InputError

WORDS = ["chest pain", "a cut finger", "fever for three days", "no pulse", "itching", "48 years"]
SYSTEM = "You are a Bold Physician.\nAnswer with a single letter: A, B or C."
SETTINGS = Settings(context=1024)


@pytest.fixture(scope="module", params=["F32", "F16", "Q8_0"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(path, file_type=request.param)
    return path


def cases() -> list[str]:
    rng = random.Random(3)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 60))) for _ in range(12)]


def prompts(engine: Engine) -> list:
    template = ChatTemplate(engine.chat_template, engine.bos, engine.eos, "x")
    chats = [template.render(SYSTEM, case, "Answer:") for case in cases()]
    assert all(chat.delivered for chat in chats)
    return [engine.prompt(chat.prefix, chat.rest) for chat in chats]


def answers(model: Path, order: list[int], threads: int = 1) -> dict[int, object]:
    with Engine(model, SETTINGS, threads, "x") as engine:
        forms = engine.label_forms("ABC")
        todo = prompts(engine)
        return {i: engine.answer(todo[i], forms, 24) for i in order}


def test_answers_do_not_depend_on_order_companions_or_threads(model: Path) -> None:
    everything = list(range(12))
    alone = {i: answers(model, [i])[i] for i in everything}
    assert len({a.text for a in alone.values()}) > 3, "the model must not say one thing only"
    shuffled = random.Random(1).sample(everything, 12)
    # Exact equality, floating-point numbers included.
    assert answers(model, everything) == alone
    assert answers(model, shuffled) == alone
    assert answers(model, [7, 7, 2, 7]) == {i: alone[i] for i in (7, 2)}
    assert answers(model, everything, threads=2) == alone


def naive_label_logprobs(model: Path, prompt: Prompt, forms: list) -> list[float]:
    """By the high-level interface: every form of every label from an empty memory."""
    tokens = prompt.tokens
    llama = llama_cpp.Llama(str(model), n_ctx=1024, logits_all=True, verbose=False, n_threads=1)
    result = []
    for own in forms:
        total = -np.inf
        for form in own:
            llama.reset()
            # In the same pieces as the engine: other pieces round other sums.
            for piece in (prompt.prefix, prompt.rest, *([token] for token in form)):
                llama.eval(list(piece))
            rows = np.array(llama.scores[len(tokens) - 1 : len(tokens) + len(form) - 1], "f8")
            rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
            total = np.logaddexp(total, sum(row[t] for row, t in zip(rows, form, strict=True)))
        result.append(total)
    return result


@pytest.mark.parametrize("labels", [["A", "B", "C"], ["1", "2", "3"], ["17", "28", "99"]])
def test_label_logprobs_against_full_passes(tmp_path: Path, labels: list[str]) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    with Engine(model, SETTINGS, 1, "x") as engine:
        forms = engine.label_forms(labels)
        assert any(len(form) > 1 for own in forms for form in own)
        for prompt in prompts(engine)[:4]:
            ours = engine.answer(prompt, forms, 1).label_logprob
            theirs = naive_label_logprobs(model, prompt, forms)
            np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_greedy_text_against_the_high_level_interface(tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    llama = llama_cpp.Llama(str(model), n_ctx=1024, verbose=False, n_threads=1)
    with Engine(model, SETTINGS, 1, "x") as engine:
        for prompt in prompts(engine)[:4]:
            ours = engine.answer(prompt, engine.label_forms("ABC"), 12)
            llama.reset()
            done = llama.create_completion(list(prompt.tokens), max_tokens=12, temperature=0)
            assert ours.text == done["choices"][0]["text"]


def test_forms_that_end_in_the_same_token_count_once(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        for label, own in zip("AB", engine.label_forms("AB"), strict=True):
            assert len(set(own)) == len(own)
            spelled = {engine._pieces(form, special=False).decode() for form in own}
            assert spelled == {label, f" {label}", f"\n{label}"}


def test_a_prompt_longer_than_the_window_is_not_cut(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", Settings(context=128), 1, "x") as engine:
        template = ChatTemplate(engine.chat_template, engine.bos, engine.eos, "x")
        chat = template.render(SYSTEM, "pain " * 200, "")
        answer = engine.answer(engine.prompt(chat.prefix, chat.rest), engine.label_forms("AB"), 8)
        assert (answer.text, answer.finish_reason, answer.label_logprob) == (None, TOO_LONG, None)


def test_length_is_a_reason_of_its_own(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        cut = [engine.answer(p, engine.label_forms("AB"), 2) for p in prompts(engine)]
    assert all(a.n_tokens <= 2 for a in cut)
    assert any(a.finish_reason == LENGTH and a.n_tokens == 2 for a in cut)


def test_bos_stands_once_whether_the_template_writes_it_or_not(tmp_path: Path) -> None:
    for template in (CHATML, DATED):
        write_tiny_model(tmp_path / "tiny.gguf", template=template, add_bos=True)
        with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
            bos = engine.tokenize(engine.bos, special=True)
            assert len(bos) == 1
            for prompt in prompts(engine):
                assert prompt.tokens[0] == bos[0]
                assert prompt.tokens.count(bos[0]) == 1


def test_a_persona_is_folded_where_there_is_no_system_role() -> None:
    for source in (NO_SYSTEM, DROPS_SYSTEM):
        template = ChatTemplate(source, "<|endoftext|>", "<|im_end|>", "x")
        chat = template.render(SYSTEM, "chest pain", "")
        assert (chat.system_role, chat.delivered) == ("folded", True)
        assert chat.text.count(SYSTEM) == 1
        assert f"user\n{SYSTEM}\n\nchest pain<|im_end|>" in chat.text
        empty = template.render("", "chest pain", "")
        assert empty.delivered
        assert "user\nchest pain<|im_end|>" in empty.text


def test_no_default_system_message_for_an_empty_one() -> None:
    template = ChatTemplate(CHATML, "", "<|im_end|>", "x")
    assert "helpful AI assistant" in template._template.render(
        messages=[{"role": "user", "content": "x"}], add_generation_prompt=True
    )
    chat = template.render("", "x", "")
    assert chat.delivered
    assert "helpful AI assistant" not in chat.text


def test_the_date_is_frozen() -> None:
    chat = ChatTemplate(DATED, "", "<|im_end|>", "x").render(SYSTEM, "x", "")
    assert chat.delivered
    assert FROZEN_DATE.strftime("Today Date: %d %b %Y") in chat.text


def test_a_system_text_that_a_template_changes_is_not_delivered() -> None:
    source = CHATML.replace("message['content']", "message['content'][:99]")
    template = ChatTemplate(source, "", "", "x")
    assert template.render("short", "x", "").delivered
    assert not template.render("long " * 40, "x", "").delivered


def test_log_callback_does_not_reach_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InputError, match="cannot load the model"):
        Engine(tmp_path / "x.gguf", SETTINGS, 1, "config/models/x.yaml")
    assert capfd.readouterr() == ("", "")
