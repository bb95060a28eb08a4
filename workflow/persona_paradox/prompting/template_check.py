"""How a chat template would deliver a persona, without a study and without weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..engine.vocabulary import Vocabulary, open_vocabulary
from ..errors import InputError
from ..schema import check_schema
from ..study.views import template_view
from ..study.yaml_reading import read_yaml
from .chat import ChatTemplate
from .delivery import open_template, proven
from .prompts import SCHEMA as PROMPTS

PERSONA = "You are an Emergency Department Physician."
INSTRUCTION = "Assign one level to the patient.\nAnswer with one digit."
QUESTION = "The patient has had chest pain for 20 minutes.\n\nWhich level is this?"
# What every study needs of a template, by what the message of a refusal calls it.
CHATS = {
    "with a persona and an instruction": (PERSONA, f"{PERSONA}\n{INSTRUCTION}"),
    "with an instruction alone": ("", INSTRUCTION),
    "with a persona alone": (PERSONA, PERSONA),
    "without a system text": ("", ""),
}


@dataclass(frozen=True)
class Delivery:
    """How a template delivers a persona.

    Attributes:
        system_role: `native` or `folded`.
        thought: as `ChatTemplate.thought`.
        prompt: with persona and instruction.
        baseline: without a system text.
        foreign_text: text of the template's own that the model's file accepts.
        date: the day that the template prints, else `none`.
        opens_turn: whether it opens a turn for the answer.
        second_turn: why nothing can be asked a second time; None where it can.
    """

    system_role: str
    thought: str
    prompt: str
    baseline: str
    foreign_text: str
    date: str
    opens_turn: bool
    second_turn: str | None


def checked(what: str, bos: str, eos: str) -> Delivery:
    """`check` what `opened` opens, of the same arguments.

    Raises:
        InputError: it would not be delivered, or cannot be opened.
    """
    with opened(what, bos, eos) as subject:
        return check(subject)


@dataclass(frozen=True)
class Subject:
    """A template to be checked, and what else its model says.

    Attributes:
        template: of the model.
        vocabulary: its tokens; None where only the template is at hand.
        accepted: text of the template's own that may stand in a prompt.
    """

    template: ChatTemplate
    vocabulary: Vocabulary | None
    accepted: str = ""


def check(subject: Subject) -> Delivery:
    """See how a persona would be delivered.

    Raises:
        InputError: it would not be, and why.
    """
    delivered = {what: _deliver(subject, what, chat) for what, chat in CHATS.items()}
    first = delivered["with a persona and an instruction"]
    try:
        later = {"answer": "Level: 2", "question": "How sure are you, from 0 to 100?"}
        _deliver(subject, "with a second turn", ("", INSTRUCTION), **later)
        second_turn = None
    except InputError as error:
        second_turn = str(error)
    return Delivery(
        system_role=first["system_role"],
        thought=first["template_thought"],
        prompt=first["text"],
        baseline=delivered["without a system text"]["text"],
        foreign_text=first["foreign_text"],
        date=first["template_date"],
        opens_turn=subject.template.opens_turn,
        second_turn=second_turn,
    )


def _deliver(subject: Subject, what: str, chat: tuple[str, str], **later: str) -> dict[str, Any]:
    persona, system = chat
    given = {"item_id": what, "prompt_id": "", "variant": "main"}
    given |= {"persona": persona, "system": system, "user": QUESTION} | later
    prompts = pl.DataFrame([given], schema=PROMPTS | dict.fromkeys(later, pl.String))
    template, accepted = subject.template, subject.accepted
    ((_, found, failure),) = proven(
        prompts, template, subject.vocabulary, answer_prefix="", accepted=accepted
    )
    if failure is not None:
        remedy = ""
        if found["foreign_text"]:
            remedy = "; key `accepted_template_text` of the model's file can allow it"
        raise InputError(f"{template.name}: {what}, {failure}{remedy}")
    return found


@contextmanager
def opened(what: str, bos: str, eos: str) -> Iterator[Subject]:
    """Open a template.

    Args:
        what: a Jinja file, a GGUF file, a JSON file of a tokenizer (`tokenizer_config.json`,
            `chat_template.json`), or the id of a model in `config/models/`.
        bos: text of the beginning-of-sequence token, where a file does not say.
        eos: text of the end-of-sequence token, likewise.

    Raises:
        InputError: it is none of these, or has no chat template.
    """
    path = Path(what)
    config = Path("config/models") / f"{what}.yaml"
    if not path.is_file() and config.is_file():
        with _model(config) as subject:
            yield subject
        return
    if not path.is_file():
        raise InputError(
            f"{what}: is neither a file nor the id of a model in config/models/; name a Jinja "
            "file, a GGUF file, a tokenizer_config.json, or an id"
        )
    with open(path, "rb") as file:
        is_gguf = file.read(4) == b"GGUF"
    if is_gguf:
        with open_vocabulary(path, what) as vocabulary:
            source = vocabulary.chat_template
            yield Subject(ChatTemplate(source, vocabulary.bos, vocabulary.eos, what), vocabulary)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            text, bos, eos = _of_tokenizer(json.loads(text), bos, eos)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else error
        raise InputError(
            f"{what}: holds no chat template ({reason}); name a Jinja file, a GGUF file, a "
            "tokenizer_config.json, or the id of a model in config/models/"
        ) from error
    yield Subject(ChatTemplate(text, bos, eos, what), None)


@contextmanager
def _model(config: Path) -> Iterator[Subject]:
    """Open the template of a model that a file of the project describes."""
    name = str(config)
    model = read_yaml(config, name)
    check_schema(model, "model", name)
    view, source = template_view(name, model), model["source"]
    path = Path("resources/models") / config.stem / "model.gguf"
    if not path.is_file() and source["kind"] == "path":
        path = Path(source["path"])
    server = source["kind"] == "server"
    if not server and not path.is_file():
        raise InputError(
            f"{name}: the model is not on this machine; name its chat template instead, the file "
            "chat_template.jinja or tokenizer_config.json of its repository"
        )
    with open_template(view, None if server else path, name) as (template, vocabulary):
        yield Subject(template, vocabulary, view["accepted_template_text"])


def _of_tokenizer(content: Any, bos: str, eos: str) -> tuple[str, str, str]:
    """Template and both tokens of a tokenizer's JSON file.

    Raises:
        ValueError: there is no template.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")
    template = content.get("chat_template")
    if isinstance(template, list):
        # Some models have several, for tools, say; the one called `default` is for chats.
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    if not isinstance(template, str):
        raise ValueError("it has no key `chat_template` with a text")
    tokens = []
    for key, otherwise in (("bos_token", bos), ("eos_token", eos)):
        token = content.get(key, otherwise)
        token = token.get("content") if isinstance(token, dict) else token
        tokens.append(token if isinstance(token, str) else "")
    return template, tokens[0], tokens[1]
