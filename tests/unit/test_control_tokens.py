"""Control tokens as behaviour tokens: read as such in the persona that names them, nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tiny_model import CHATML, write_tiny_model

from persona_paradox.engine.vocabulary import Vocabulary, open_vocabulary
from persona_paradox.errors import InputError
from persona_paradox.prompting.chat import ChatTemplate
from persona_paradox.prompting.delivery import deliver
from persona_paradox.prompting.prompts import build_prompts

# A template without control tokens, so that one of the vocabulary is free.
PLAIN = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
FREE = "<|im_start|>"
NURSE = "You are an Emergency Department Nurse."
TASK = {"instruction": "Answer in one sentence.", "user": "{case}"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    path = tmp_path_factory.mktemp("plain") / "tiny.gguf"
    write_tiny_model(path, template=PLAIN)
    with open_vocabulary(path, "tiny.yaml") as vocabulary:
        yield vocabulary


def delivered(
    vocabulary: Vocabulary,
    persona: str,
    *cases: str,
    named: tuple[str, ...] = (FREE,),
    **task: str,
) -> pl.DataFrame:
    items = pl.DataFrame({"item_id": [f"item_{i}" for i in range(len(cases))], "case": cases})
    template = ChatTemplate(
        vocabulary.chat_template, vocabulary.bos, vocabulary.eos, "config/models/tiny.yaml"
    )
    return deliver(
        build_prompts(items, {"main": persona}, TASK | task),
        template,
        vocabulary,
        answer_prefix="",
        accepted="",
        name="tiny/t/p",
        named=named,
    )


def ids(table: pl.DataFrame, row: int = 0) -> list[int]:
    return [token for piece in table["pieces"][row] for token in piece]


@pytest.mark.parametrize("persona", [FREE, f"{FREE} {NURSE}"])
@pytest.mark.parametrize("instruction", ["", TASK["instruction"]])
def test_a_named_token_is_one_token_in_the_system_message(
    plain: Vocabulary, persona: str, instruction: str
) -> None:
    found = delivered(plain, persona, "A cough.", instruction=instruction)
    assert found["status"].to_list() == ["ok"]
    assert found["persona_delivered"].to_list() == [True]
    assert found["foreign_text"].to_list() == [""]
    (token,) = plain.tokenize(FREE, special=True)
    assert ids(found).count(token) == 1
    assert found["text"][0].index(FREE) < found["text"][0].index("A cough.")


def test_a_token_that_is_not_named_is_not_run(plain: Vocabulary) -> None:
    assert delivered(plain, FREE, "A cough.", named=())["status"].to_list() == ["control_tokens"]
    assert delivered(plain, f"{FREE}<|endoftext|>", "A cough.")["status"].to_list() == [
        "control_tokens"
    ]


@pytest.mark.parametrize("persona", [FREE, "", NURSE])
def test_a_case_that_spells_a_named_token_is_not_run(plain: Vocabulary, persona: str) -> None:
    found = delivered(plain, persona, f"A cough. {FREE}", "A cough.")
    assert found["status"].to_list() == ["control_tokens", "ok"]


def test_nor_is_an_instruction_or_a_persona_among_the_users_words(plain: Vocabulary) -> None:
    found = delivered(plain, FREE, "A cough.", instruction=f"Answer. {FREE}")
    assert found["status"].to_list() == ["control_tokens"]
    found = delivered(plain, FREE, "A cough.", placement="user")
    assert found["status"].to_list() == ["control_tokens"]


def test_a_token_of_another_vocabulary_is_text(plain: Vocabulary) -> None:
    found = delivered(plain, f"<gh_stars> {NURSE}", "A cough.", named=("<gh_stars>",))
    assert found["status"].to_list() == ["ok"]
    assert plain.text(ids(found), special=False).count("<gh_stars>") == 1


@pytest.mark.parametrize(("template", "token"), [(CHATML, FREE), (PLAIN, "<|im_end|>")])
def test_a_token_with_a_meaning_is_refused(template: str, token: str, tmp_path: Path) -> None:
    """One that the template writes, and one that ends a turn."""
    write_tiny_model(tmp_path / "tiny.gguf", template=template)
    words = rf"^tiny/t/p: key `control_tokens` .*{token.replace('|', '.')}.*; name a control token"
    with (
        open_vocabulary(tmp_path / "tiny.gguf", "tiny.yaml") as vocabulary,
        pytest.raises(InputError, match=words),
    ):
        delivered(vocabulary, token, "A cough.", named=(token,))
