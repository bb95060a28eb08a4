"""Thoughts: where they end in what a model writes, and what tells them from other answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import polars as pl
import pytest
from gguf import TokenType
from tiny_model import CHATML, write_tiny_model

from persona_paradox.engine.decoding import LENGTH, STOP, Answer, Decoding
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.responses import Request
from persona_paradox.engine.running import Question
from persona_paradox.engine.settings import Settings
from persona_paradox.kinds.asking import UNBOUND
from persona_paradox.prompting.chat import ChatTemplate
from persona_paradox.prompting.delivery import open_template
from persona_paradox.prompting.thinking import Marks, Thinking

MARKS = ("[THINK]", "[/THINK]")
CASES = ("a cut", "chest pain since noon", "fever", "itching of the arm", "no pulse", "48 years")
# Drawn, so that thoughts differ; with the same draws whether anything ends them.
FREE = Decoding(max_tokens=24, temperature=1.5)
DRAWS = 6
# Closes thoughts that it does not open.
TEMPLATE = CHATML + "{# [THINK] #}"


@pytest.fixture(scope="module", params=[TokenType.CONTROL, TokenType.USER_DEFINED], ids=str)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A model whose marks are tokens of their own, of two types."""
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(path, template=TEMPLATE, seed=6, marks=MARKS, marks_are=request.param)
    with Engine(path, Settings(context=1024, width=4), 1, "x") as engine:
        yield engine


def answers(engine: Engine, decoding: Decoding) -> list[Answer]:
    vocabulary = engine.vocabulary
    template = ChatTemplate(
        vocabulary.chat_template, vocabulary.bos, vocabulary.eos, "x", Thinking(think=True)
    )
    prompts = [vocabulary.prompt(template.render("Be kind.", one, "").parts) for one in CASES]
    todo = [Question(prompt, decoding, seed) for prompt in prompts for seed in range(DRAWS)]
    found = dict(engine.generate(todo))
    return [found[i] for i in range(len(todo))]


def test_a_mark_ends_a_thought_whatever_kind_of_token_it_is(engine: Engine) -> None:
    """Against the tokens that the model writes where nothing ends it."""
    vocabulary = engine.vocabulary
    control = not vocabulary.text(vocabulary.tokenize(MARKS[1], special=True), special=False)
    free, thoughts = answers(engine, FREE), answers(engine, replace(FREE, close=MARKS[1]))
    closed = 0
    for before, thought in zip(free, thoughts, strict=True):
        assert MARKS[1] not in thought.text
        if thought.n_tokens < before.n_tokens or thought.finish_reason != before.finish_reason:
            closed += 1
            assert thought.finish_reason == STOP
            assert before.text.startswith(thought.text)
            if not control:
                assert before.text.removeprefix(thought.text).startswith(MARKS[1])
        else:
            assert (thought.text, thought.finish_reason) == (before.text, before.finish_reason)
    assert closed > 0, "the model must close a thought"
    cut = answers(engine, Decoding(max_tokens=2, close="~~"))
    assert {(one.finish_reason, one.n_tokens) for one in cut} >= {(LENGTH, 2)}


def test_a_mark_of_several_tokens_ends_a_thought(engine: Engine) -> None:
    free = answers(engine, FREE)
    # Texts that are read as they are spelled: no part of a character, and no control token.
    whole = [i for i, a in enumerate(free) if "\ufffd" not in a.text and MARKS[0] not in a.text]
    close = max((free[i].text for i in whole), key=len)[3:6]
    assert len(close) == 3
    thoughts = answers(engine, replace(FREE, close=close))
    for before, thought in ((free[i], thoughts[i]) for i in whole):
        assert thought.text == before.text.partition(close)[0]
        assert thought.finish_reason == STOP or close not in before.text


def test_the_text_in_front_of_a_mark_is_whole(engine: Engine) -> None:
    """A mark may begin inside a token, and a character may be of several tokens."""
    vocabulary = engine.vocabulary
    for text in ("über the care", "a the patient", ""):
        tokens = vocabulary.tokenize(f"{text}{MARKS[1]} A", special=True)
        assert vocabulary.text_before(tokens, MARKS[1]) == text
    tokens = vocabulary.tokenize("ü the patient", special=True)
    assert vocabulary.text_before(tokens, "atient") == "ü the p"
    assert vocabulary.text_before(tokens, "no such thing") == "ü the patient"


def test_answers_that_are_no_thoughts_are_told_apart_as_ever() -> None:
    """Their keys know nothing of thoughts, so that stored answers stay."""
    plain = Decoding(max_tokens=7, stop=("x",))
    old = asdict(plain)
    del old["close"]
    assert plain.describe() == old
    assert replace(plain, close="</think>").describe() == old | {"close": "</think>"}


DRAWN = {"answers": 2, "wordings": "main", "temperature": 1.0, "min_p": 0.0, "top_p": 1.0}
COLUMNS = {
    "item_id": pl.String,
    "variant": pl.String,
    "pieces": pl.List(pl.List(pl.Int32)),
    "text": pl.String,
    "repeat": pl.Int64,
    "thought_close": pl.String,
}
VIEW = {"labels": [], "max_tokens": 4, "stop": [], "token_logprobs": False, "seed": 1} | UNBOUND


def row(repeat: int | None, close: str | None = None) -> dict:
    return {
        "item_id": "x",
        "variant": "main",
        "pieces": [[1, 2]],
        "text": "x",
        "repeat": repeat,
        "thought_close": close,
    }


@pytest.mark.parametrize(
    ("drawn", "step", "wanted"),
    [
        (2, None, [0, 1, 2]),  # the first step
        (2, 0, [0]),  # behind the greedy thought the greedy answer
        (2, 2, [2]),  # behind a drawn thought one that is drawn
        (0, 2, [0]),  # labels behind a drawn reasoning are greedy
    ],
)
def test_one_answer_stands_behind_a_step(drawn: int, step: int | None, wanted: list[int]) -> None:
    request = Request.of(VIEW | {"sampled": DRAWN | {"answers": drawn}}, "print")
    found = request.wanted(pl.DataFrame([row(step)], schema=COLUMNS))
    assert [one.repeat for one in found] == wanted
    assert [one.decoding.temperature for one in found] == [float(one > 0) for one in wanted]


def test_the_greedy_answer_behind_a_step_has_the_key_of_any_other() -> None:
    request = Request.of(VIEW | {"sampled": DRAWN}, "print")
    rows = [row(None), row(0), row(None, close="</think>")]
    found = request.wanted(pl.DataFrame(rows, schema=COLUMNS))
    plain, behind, thought = (found[i] for i in (0, DRAWN["answers"] + 1, DRAWN["answers"] + 2))
    assert plain.key == behind.key != thought.key
    assert thought.decoding == replace(plain.decoding, close="</think>")


def test_a_second_turn_of_a_model_that_thinks_has_an_empty_thought() -> None:
    """Also where the template opens none."""
    view = {"text": TEMPLATE, "bos": "", "eos": "", "accepted_template_text": ""}
    view |= {"thinking": {"think": True, "open": None, "close": None}}
    ends = []
    for thinks in (True, False):
        with open_template(view, None, "x", thinks=thinks) as (template, _):
            ends.append(template.render("a", "b", "").text.rpartition("assistant\n")[2])
    assert ends == ["[THINK]", "[THINK][/THINK]"]


def test_what_is_put_behind_a_thought() -> None:
    marks = Marks("## Thinking\n\n", "\n\n## Final Response\n\n")
    assert marks.closed("It hurts.") == "It hurts.\n\n## Final Response\n\n"
    assert marks.closed("It hurts.\n\n") == "It hurts.\n\n## Final Response\n\n"
