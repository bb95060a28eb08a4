"""How a chat template would deliver a persona, without a study and without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..engine.vocabulary import Vocabulary
from ..errors import InputError
from .chat import ChatTemplate
from .delivery import proven
from .prompts import SCHEMA as PROMPTS
from .proof import LATER

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
        later = ["Level: 2", "How sure are you, from 0 to 100?"]
        _deliver(subject, "with a second turn", ("", INSTRUCTION), later)
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


def _deliver(
    subject: Subject, what: str, chat: tuple[str, str], later: Sequence[str] = ()
) -> dict[str, Any]:
    persona, system = chat
    given = {"item_id": what, "prompt_id": "", "variant": "main"}
    given |= {"persona": persona, "system": system, "user": QUESTION}
    prompts = pl.DataFrame([given], schema=PROMPTS)
    if later:
        prompts = prompts.with_columns(pl.lit(list(later)).alias(LATER))
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
