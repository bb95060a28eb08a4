"""The engine on random-weights models: purity, the read-out, sampling, and what it refuses."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from damaged_model import overwrite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_cpp.llama_grammar import json_schema_to_gbnf
from tiny_model import (
    ARCHITECTURES,
    CHATML,
    DATED,
    DOUBLE_BOS,
    DROPS_SYSTEM,
    NO_SYSTEM,
    REPEATS_SYSTEM,
    TODAY,
    write_tiny_model,
)

from persona_paradox.engine.decoding import LENGTH, STOP, TOO_LONG, Answer, Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.running import Question
from persona_paradox.engine.settings import Settings
from persona_paradox.engine.vocabulary import Prompt, Vocabulary, open_vocabulary
from persona_paradox.errors import InputError
from persona_paradox.prompting.chat import FROZEN_DATE, ChatTemplate

WORDS = ["chest pain", "a cut finger", "fever for three days", "no pulse", "itching", "48 years"]
SYSTEMS = [
    "You are a Bold Physician.\nAnswer with a single letter: A, B or C.",
    "Answer with a single letter: A, B or C.",
]
SETTINGS = Settings(context=1024, width=4)
LABELS = "ABC"
GREEDY = Decoding(max_tokens=24)
SAMPLED = Decoding(max_tokens=24, temperature=0.9, top_p=0.95, min_p=0.02)


def cases() -> list[str]:
    rng = random.Random(3)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 40))) for _ in range(9)]


def prompts(vocabulary: Vocabulary, systems: Sequence[str] = SYSTEMS) -> list[Prompt]:
    template = ChatTemplate(vocabulary.chat_template, vocabulary.bos, vocabulary.eos, "x")
    chats = [template.render(s, case, "Answer:") for s in systems for case in cases()]
    assert all(chat.delivered for chat in chats)
    return [vocabulary.prompt(chat.parts) for chat in chats]


def all_answers(
    engine: Engine, questions: Sequence[Question], order: Sequence[int]
) -> dict[int, Answer]:
    forms = engine.vocabulary.label_forms(LABELS)
    found = engine.generate([questions[i] for i in order], forms)
    return {order[place]: answer for place, answer in found}


def questions_of(engine: Engine) -> list[Question]:
    """A greedy answer and two sampled ones to every prompt."""
    ways = [(GREEDY, 0), (SAMPLED, 5), (SAMPLED, 77)]
    return [Question(p, d, seed) for p in prompts(engine.vocabulary) for d, seed in ways]


# F16 and F32 show best what a batch of another shape does; the others have kernels of their own.
KINDS = [
    *(("llama", kind) for kind in ("F32", "F16", "Q8_0", "Q4_1")),
    *((architecture, "F16") for architecture in ARCHITECTURES if architecture != "llama"),
]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    architecture, file_type = request.param
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(path, architecture=architecture, file_type=file_type)
    return path


@pytest.fixture(scope="module")
def alone(model: Path) -> dict[int, Answer]:
    """Every answer in a process state of its own: a new engine, no companion."""
    result = {}
    with Engine(model, SETTINGS, 1, "x") as engine:
        count = len(questions_of(engine))
    for i in range(count):
        with Engine(model, SETTINGS, 1, "x") as engine:
            result |= all_answers(engine, questions_of(engine), [i])
    assert len({answer.text for answer in result.values()}) > 10, "the model must not repeat itself"
    return result


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_answers_depend_on_nothing_but_their_inputs(
    model: Path, alone: dict[int, Answer], data: st.DataObject
) -> None:
    """Any order, any companions, any split into jobs, any number of threads: the same bits."""
    chosen = data.draw(st.lists(st.sampled_from(sorted(alone)), min_size=1, max_size=20))
    split = data.draw(st.integers(0, len(chosen)))
    found: dict[int, Answer] = {}
    for job in (chosen[:split], chosen[split:]):
        threads = data.draw(st.integers(1, 3))
        with Engine(model, SETTINGS, threads, "x") as engine:
            found |= all_answers(engine, questions_of(engine), job)
    assert found == {i: alone[i] for i in chosen}


def test_the_fixed_width_is_what_makes_answers_pure(tmp_path: Path) -> None:
    """Another width is another shape of every sum, which the answers show."""
    write_tiny_model(tmp_path / "tiny.gguf", file_type="F16")
    decoding = Decoding(max_tokens=24, token_logprobs=True)
    found = []
    for width in (1, 4):
        with Engine(tmp_path / "tiny.gguf", Settings(1024, width), 1, "x") as engine:
            todo = [Question(p, decoding) for p in prompts(engine.vocabulary)]
            found.append(all_answers(engine, todo, range(len(todo))))
    assert found[0] != found[1]


@pytest.mark.parametrize("file_type", ["F16", "Q8_0", "Q4_1"])
def test_answers_of_long_contexts_do_not_depend_on_companions_or_threads(
    tmp_path: Path, file_type: str
) -> None:
    """Beyond 512 tokens the attention cache has another size, and companions of their own."""
    write_tiny_model(tmp_path / "tiny.gguf", file_type=file_type)
    long = Settings(context=2048, width=4)
    results = []
    for threads, others in ((1, [9, 1]), (2, [3, 400]), (3, [1100, 30])):
        with Engine(tmp_path / "tiny.gguf", long, threads, "x") as engine:
            text = "".join(random.Random(1).choices("abcdefgh ", k=900))
            mixed = [text, *("x" * length for length in others)]
            todo = [Question(engine.vocabulary.prompt([t]), GREEDY) for t in mixed]
            assert len(todo[0].prompt) > 512
            results.append(all_answers(engine, todo, range(3))[0])
    assert results[0] == results[1] == results[2]


def naive_label_logprobs(model: Path, prompt: Prompt, forms: list) -> list[float]:
    """By the high-level interface: every form of every label from an empty memory."""
    llama = llama_cpp.Llama(str(model), n_ctx=1024, logits_all=True, verbose=False, n_threads=1)
    result = []
    for own in forms:
        total = -np.inf
        for form in own:
            llama.reset()
            # In the same pieces as the engine: other pieces round other sums.
            for piece in (*prompt.pieces, *([token] for token in form)):
                llama.eval(list(piece))
            rows = np.array(llama.scores[len(prompt) - 1 : len(prompt) + len(form) - 1], "f8")
            rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
            total = np.logaddexp(total, sum(row[t] for row, t in zip(rows, form, strict=True)))
        result.append(total)
    return result


@pytest.mark.parametrize("labels", [["A", "B", "C"], ["1", "2", "3"], ["17", "28", "99"]])
@pytest.mark.parametrize("architecture", ["llama", "mamba"])
def test_label_logprobs_against_full_passes(
    tmp_path: Path, labels: list[str], architecture: str
) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, architecture=architecture)
    with Engine(model, SETTINGS, 1, "x") as engine:
        assert engine.shares == (architecture == "llama")
        forms = engine.vocabulary.label_forms(labels)
        assert any(len(form) > 1 for own in forms for form in own)
        some = prompts(engine.vocabulary)[:3]
        found = dict(engine.score(some, forms))
        for i, prompt in enumerate(some):
            assert (found[i].text, found[i].n_tokens) == ("", 0)
            theirs = naive_label_logprobs(model, prompt, forms)
            np.testing.assert_allclose(found[i].label_logprob, theirs, atol=2e-5)


def test_labels_after_an_answer_and_a_forced_header(tmp_path: Path) -> None:
    """A read-out at any position: behind what the model wrote before."""
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    with Engine(model, SETTINGS, 1, "x") as engine:
        vocabulary = engine.vocabulary
        first = prompts(vocabulary)[0]
        ((_, reasons),) = engine.generate([Question(first, Decoding(20))])
        header = vocabulary.tokenize(f"{reasons.text}\n## Final Response\n", special=False)
        behind = Prompt((*first.pieces, tuple(header)))
        forms = vocabulary.label_forms(LABELS)
        ((_, answer),) = engine.score([behind], forms)
        theirs = naive_label_logprobs(model, behind, forms)
        np.testing.assert_allclose(answer.label_logprob, theirs, atol=2e-5)


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_greedy_text_against_the_high_level_interface(tmp_path: Path, architecture: str) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model, architecture=architecture)
    llama = llama_cpp.Llama(str(model), n_ctx=1024, verbose=False, n_threads=1)
    with Engine(model, SETTINGS, 1, "x") as engine:
        some = prompts(engine.vocabulary)[:4]
        found = dict(engine.generate([Question(p, Decoding(12)) for p in some]))
        for i, prompt in enumerate(some):
            llama.reset()
            done = llama.create_completion(list(prompt.tokens), max_tokens=12, temperature=0)
            assert found[i].text == done["choices"][0]["text"]
            assert found[i].label_logprob is None


def test_sampled_tokens_have_the_probabilities_of_the_definition(tmp_path: Path) -> None:
    """Frequencies of 4000 first tokens against temperature, min-p and top-p by hand."""
    model = tmp_path / "tiny.gguf"
    write_tiny_model(model)
    decoding = Decoding(max_tokens=1, temperature=2.5, min_p=0.05, top_p=0.9, token_logprobs=True)
    with Engine(model, SETTINGS, 1, "x") as engine:
        prompt = prompts(engine.vocabulary)[0]
        draws = dict(engine.generate([Question(prompt, decoding, seed) for seed in range(4000)]))
        llama = llama_cpp.Llama(str(model), n_ctx=1024, logits_all=True, verbose=False)
        llama.eval(list(prompt.tokens))
        logits = np.array(llama.scores[len(prompt) - 1], "f8")
        texts = [engine.vocabulary.text([t], special=False) for t in range(len(logits))]
        ends = [engine.vocabulary.ends(t) for t in range(len(logits))]
    p = np.exp(logits / 2.5 - np.logaddexp.reduce(logits / 2.5))
    p[p < 0.05 * p.max()] = 0
    p /= p.sum()
    order = np.argsort(-p)
    p[order[np.searchsorted(np.cumsum(p[order]), 0.9) + 1 :]] = 0
    p /= p.sum()
    assert (p > 0).sum() >= 3
    raw = logits - np.logaddexp.reduce(logits)
    counts: dict[str, int] = {}
    for answer in draws.values():
        counts[answer.text] = counts.get(answer.text, 0) + 1
        if answer.n_tokens:
            assert min(abs(raw - answer.token_logprob[0])) < 1e-4, "of the unchanged distribution"
    expected: dict[str, float] = {}
    for text, end, share in zip(texts, ends, p, strict=True):
        if share > 0:
            key = "" if end else text
            expected[key] = expected.get(key, 0.0) + 4000 * share
    assert set(counts) == set(expected)
    for text, count in counts.items():
        assert abs(count - expected[text]) < 5 * np.sqrt(expected[text])


def test_stop_strings_end_an_answer_and_are_not_part_of_it(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        some = prompts(engine.vocabulary)
        free = dict(engine.generate([Question(p, Decoding(40)) for p in some]))
        stopping = Decoding(40, stop=("zq", free[0].text[5:8]))
        cut = dict(engine.generate([Question(p, stopping) for p in some]))
    assert len(free[0].text) >= 10
    for i, answer in cut.items():
        places = [free[i].text.index(stop) for stop in stopping.stop if stop in free[i].text]
        assert answer.text == free[i].text[: min(places, default=None)]
        if places:
            assert answer.finish_reason == STOP
            assert answer.n_tokens <= free[i].n_tokens


def test_answers_follow_a_grammar_and_a_json_schema(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    schema = {"type": "object", "properties": {"level": {"enum": ["A", "B"]}}}
    schema |= {"required": ["level"], "additionalProperties": False}
    by_schema = json_schema_to_gbnf(json.dumps(schema))
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        some = prompts(engine.vocabulary)
        for grammar, temperature in (('root ::= "level " [1-5]', 0), (by_schema, 1.5)):
            decoding = Decoding(60, temperature=temperature, grammar=grammar)
            found = dict(engine.generate([Question(p, decoding, 3) for p in some]))
            for answer in found.values():
                assert answer.finish_reason == STOP
                if temperature:
                    assert json.loads(answer.text) in ({"level": "A"}, {"level": "B"})
                else:
                    assert answer.text in {f"level {n}" for n in range(1, 6)}
        assert len({"".join(a.text.split()) for a in found.values()}) == 2, "both are drawn"
        bad = Question(some[0], Decoding(5, grammar="root ::= ("))
        with pytest.raises(InputError, match=r"decoding\.grammar"):
            list(engine.generate([bad]))


def test_only_new_pieces_of_a_prompt_are_computed(tmp_path: Path) -> None:
    """Over the whole tree: wordings share the template's start, cases the wording, repeats all."""
    write_tiny_model(tmp_path / "tiny.gguf", template=DATED)
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        some = prompts(engine.vocabulary)
        assert all(len(p.pieces) == 3 for p in some)
        random.Random(2).shuffle(some)
        todo = [Question(p, Decoding(2), seed) for seed in range(3) for p in some]
        assert len(list(engine.generate(todo))) == 3 * len(some)
        nodes = {p.pieces[:depth] for p in some for depth in (1, 2, 3)}
        assert engine.computed["prompt"] == sum(len(node[-1]) for node in nodes)


def test_labels_are_read_once_for_all_answers_to_a_prompt(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    computed = []
    for seeds in (1, 3):
        with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
            forms = engine.vocabulary.label_forms(["1", "2"])
            # Two kinds of forms go on behind their first token.
            assert len({form[0] for own in forms for form in own if len(form) > 1}) > 1
            some = prompts(engine.vocabulary)
            todo = [Question(p, SAMPLED, seed) for seed in range(seeds) for p in some]
            found = dict(engine.generate(todo, forms))
            assert len(found) == len(todo)
            for i, answer in found.items():
                assert answer.label_logprob == found[i % len(some)].label_logprob
            others = dict(engine.score(some, engine.vocabulary.label_forms(["1", "3"])))
            for i in range(len(some)):
                assert others[i].label_logprob[0] == found[i].label_logprob[0]
                assert others[i].label_logprob[1] != found[i].label_logprob[1]
            computed.append(engine.computed["prompt"])
    assert computed[0] == computed[1]


def test_forms_that_end_in_the_same_token_count_once(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with open_vocabulary(tmp_path / "tiny.gguf", "x") as vocabulary:
        for label, own in zip("AB", vocabulary.label_forms("AB"), strict=True):
            assert len(set(own)) == len(own)
            spelled = {vocabulary.text(form, special=False) for form in own}
            assert spelled == {label, f" {label}", f"\n{label}"}


def test_a_prompt_longer_than_the_window_is_not_cut(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", Settings(128, 2), 1, "x") as engine:
        vocabulary = engine.vocabulary
        exact = vocabulary.prompt(["x" * 120])
        found = dict(
            engine.generate(
                [
                    Question(vocabulary.prompt(["pain " * 200]), Decoding(8)),
                    Question(exact, Decoding(8)),
                    Question(exact, Decoding(9)),
                ],
                vocabulary.label_forms("AB"),
            )
        )
    assert found[0] == found[2] == Answer(None, TOO_LONG, 0)
    assert found[1].label_logprob is not None


def test_length_is_a_reason_of_its_own(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x") as engine:
        todo = [Question(p, Decoding(2)) for p in prompts(engine.vocabulary)]
        cut = [answer for _, answer in engine.generate(todo)]
    assert all(a.n_tokens <= 2 for a in cut)
    assert any(a.finish_reason == LENGTH and a.n_tokens == 2 for a in cut)


def cached(bytes_per_token: int) -> dict[str, int]:
    """The part of a prepared model's manifest that says what a token takes."""
    return {"cache_bytes_per_token": bytes_per_token}


DAMAGED = {
    "one token is NaN": ("output.weight", np.nan, 17, "for 1 of its 287 tokens"),
    "all are NaN": ("output_norm.weight", np.nan, None, "for 287 of its 287 tokens"),
    "one is infinite": ("output.weight", 3e38, 17, "for 1 of its 287 tokens"),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("asked", ["labels", "greedy", "sampled", "grammar"])
def test_what_is_no_number_is_no_answer(tmp_path: Path, name: str, asked: str) -> None:
    """No answer at all: not the token that NaN would win for, nor probabilities of the rest."""
    *damage, words = DAMAGED[name]
    write_tiny_model(tmp_path / "tiny.gguf")
    overwrite(tmp_path / "tiny.gguf", *damage)
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "config/models/x.yaml") as engine:
        question = Question(
            prompts(engine.vocabulary)[0],
            {
                "labels": Decoding(0),
                "greedy": GREEDY,
                "sampled": SAMPLED,
                "grammar": Decoding(5, grammar="root ::= [1-5]"),
            }[asked],
        )
        forms = engine.vocabulary.label_forms(LABELS) if asked == "labels" else ()
        with pytest.raises(InputError, match=r"x\.yaml: the model gives no numbers") as caught:
            list(engine.generate([question], forms))
    assert words in str(caught.value)


def test_the_width_comes_from_context_and_cache_alone() -> None:
    keys = {"context": 2048, "width": None, "cache_gib": 4.0}
    keys |= {"gpu_layers": 0, "main_gpu": 0, "tensor_split": []}
    # SmolLM2-135M: 30 layers of 3 heads, 64 wide; Llama 3.1 8B: 32 of 8, 128 wide.
    small, large = 2 * 30 * 3 * 128, 2 * 32 * 8 * 256
    assert Settings.resolve(keys, cached(small)).width == 16
    # 17 windows of 47 MB do not fit half a GiB, 9 do.
    assert Settings.resolve(keys | {"cache_gib": 0.5}, cached(small)).width == 8
    assert Settings.resolve(keys | {"context": 8192}, cached(large)).width == 2
    assert Settings.resolve(keys | {"context": 131072}, cached(large)).width == 1
    assert Settings.resolve(keys | {"width": 5}, cached(large)).width == 5
    assert Settings.resolve(keys, cached(0)).width == 16, "a recurrent model has no attention cache"


def test_the_fingerprint_follows_what_changes_bits() -> None:
    prints = [
        Settings(2048, 16).fingerprint("a"),
        Settings(2048, 8).fingerprint("a"),
        Settings(1024, 16).fingerprint("a"),
        Settings(2048, 16).fingerprint("b"),
        Settings(2048, 16, tensor_split=(0.5, 0.5)).fingerprint("a"),
    ]
    assert len(set(prints)) == len(prints)
    assert Settings(2048, 16).fingerprint("a") == prints[0]


@pytest.mark.parametrize(
    ("built_with", "extra_buffers", "features"),
    [
        (b"AVX512 = 1 | REPACK = 1 | ", True, "AVX512 = 1 | REPACK = 1"),
        (b"AMX_INT8 = 1 | REPACK = 1 | ", False, "AMX_INT8 = off | REPACK = 1"),
    ],
)
def test_amx_is_off_and_the_fingerprint_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    built_with: bytes,
    extra_buffers: bool,
    features: str,
) -> None:
    """What AMX does to answers the other tests see, on a processor that has it."""
    monkeypatch.setattr(llama_cpp, "llama_print_system_info", lambda: b"CPU : " + built_with)
    loaded_with = []
    real = llama_cpp.llama_model_load_from_file

    def load(path: bytes, parameters: llama_cpp.llama_model_params) -> object:
        loaded_with.append(parameters.use_extra_bufts)
        return real(path, parameters)

    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", load)
    write_tiny_model(tmp_path / "tiny.gguf")
    with Engine(tmp_path / "tiny.gguf", SETTINGS, 1, "x"):
        assert loaded_with == [extra_buffers]
    assert Settings(2048, 16).describe("a")["features"].strip() == "CPU : " + features


def test_a_card_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    if llama_cpp.llama_supports_gpu_offload():
        pytest.skip("this build has a card")
    with pytest.raises(InputError, match=r"engine\.gpu_layers.*no graphics card"):
        Engine(tmp_path / "tiny.gguf", Settings(512, 2, gpu_layers=-1), 1, "config/models/x.yaml")


@pytest.mark.parametrize("template", [CHATML, DATED, DOUBLE_BOS])
def test_bos_stands_once_whether_the_template_writes_it_or_not(
    tmp_path: Path, template: str
) -> None:
    write_tiny_model(tmp_path / "tiny.gguf", template=template, add_bos=True)
    with open_vocabulary(tmp_path / "tiny.gguf", "x") as vocabulary:
        bos = vocabulary.tokenize(vocabulary.bos, special=True)
        assert len(bos) == 1
        for prompt in prompts(vocabulary):
            assert prompt.tokens[0] == bos[0]
            assert prompt.tokens.count(bos[0]) == 1


def test_a_persona_is_folded_where_there_is_no_system_role() -> None:
    for source in (NO_SYSTEM, DROPS_SYSTEM, REPEATS_SYSTEM):
        template = ChatTemplate(source, "<|endoftext|>", "<|im_end|>", "x")
        chat = template.render(SYSTEMS[0], "chest pain", "")
        assert (chat.system_role, chat.delivered) == ("folded", True)
        assert chat.text.count(SYSTEMS[0]) == 1
        assert f"user\n{SYSTEMS[0]}\n\nchest pain<|im_end|>" in chat.text
        empty = template.render("", "chest pain", "")
        assert empty.delivered
        assert "user\nchest pain<|im_end|>" in empty.text


def test_no_default_system_message_for_an_empty_one() -> None:
    template = ChatTemplate(CHATML, "", "<|im_end|>", "x")
    assert "helpful AI assistant" in template._render([{"role": "user", "content": "x"}])
    chat = template.render("", "x", "")
    assert chat.delivered
    assert "helpful AI assistant" not in chat.text


@pytest.mark.parametrize("source", [DATED, TODAY])
def test_the_date_is_frozen(source: str) -> None:
    template = ChatTemplate(source, "", "<|im_end|>", "x")
    chat = template.render(SYSTEMS[0], "x", "")
    assert chat.delivered
    assert f"{FROZEN_DATE:%d %b %Y}" in chat.text or f"{FROZEN_DATE:%Y-%m-%d}" in chat.text
    assert template.prints_date
    assert not ChatTemplate(CHATML, "", "<|im_end|>", "x").prints_date


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
