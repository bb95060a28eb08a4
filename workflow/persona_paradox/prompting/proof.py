"""Proof, from the text a model reads, that a prompt holds our words and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .words import DATE_LINE, FOREIGN_WORDS, n_words, words_of

# Column of prompts that ask again: by turns what the model answered and the user's next message.
LATER = "later"


@dataclass(frozen=True)
class Proof:
    """What was found in the prompt of one item.

    Attributes:
        persona_delivered: the persona's sentence stands in it exactly once, in the system text or
            where the user's message begins; True for no persona.
        task_delivered: so does the task's instruction.
        case_delivered: the user's message stands in it.
        second_turn_delivered: what the model answered and the user's next messages stand in it
            behind the case, in their order; None where nothing is asked a second time.
        foreign_text: what the template adds of its own, where that is a sentence, as one line;
            else empty, also where our words are not all there.
        n_bos: beginning-of-sequence tokens at its start; None where a server adds them.
    """

    persona_delivered: bool
    task_delivered: bool
    case_delivered: bool
    second_turn_delivered: bool | None
    foreign_text: str
    n_bos: int | None

    def failure(self, wants_bos: bool, accepted: str) -> str | None:
        """Why the prompt must not be run, or None; `accepted` is foreign text that may stand."""
        for delivered, otherwise in (
            (self.persona_delivered, "the persona's sentence does not stand in it exactly once"),
            (self.task_delivered, "the task's instruction does not stand in it exactly once"),
            (self.case_delivered, "the case does not stand in it"),
            (
                self.second_turn_delivered is not False,
                "the model's answer and the next question do not stand in it behind the case",
            ),
        ):
            if not delivered:
                return otherwise
        if self.foreign_text and self.foreign_text != words_of(accepted):
            return f"the chat template adds a message of its own, {self.foreign_text!r}"
        if self.n_bos is not None and (self.n_bos > 1 or self.n_bos < int(wants_bos)):
            return f"it begins with {self.n_bos} beginning-of-sequence tokens"
        return None


def prove(read: str, n_bos: int | None, row: Mapping[str, Any], lead: str, head: str = "") -> Proof:
    """Look for our words, and for others, in a prompt.

    Args:
        read: the prompt's text without control tokens.
        n_bos: beginning-of-sequence tokens at its start, None if unknown.
        row: a row of the prompts: `persona`, `system` (persona and instruction), `user`, and
            perhaps the texts of `LATER`.
        lead: how the prompt's end reads, in which the template has no part: a thought, and what
            the answer is forced to begin with.
        head: how its beginning reads, up to where the system text stands.
    """
    persona, system, user = (row[key].strip() for key in ("persona", "system", "user"))
    later = [text.strip() for text in row.get(LATER, ())]
    task = system.removeprefix(persona).strip()
    with_user = bool(persona) and not system.startswith(persona) and user.startswith(persona)
    before = read.strip().removesuffix(lead.strip())
    found: list[bool] = []
    behind: list[str] = []
    # From the end: a case may say what the system text says, an answer what the case does.
    for text in reversed([user, *later]):
        found.insert(0, text in before)
        if found[0]:
            # An empty case may leave the user without a word.
            before, after = before.rsplit(text, 1) if text else (before, "")
            behind.insert(0, after)
    if system:
        around = [*before.partition(system)[::2], *behind]
    elif head.strip() and before.startswith(head.strip()):
        # Names of roles before and behind a system text without a word are no run of words.
        around = [head.strip(), before.removeprefix(head.strip()), *behind]
    else:
        around = [before, *behind]
    # Where a part of our words is missing, what is left is not the template's alone.
    ours = all(found) and system in before
    added = [words_of(DATE_LINE.sub("", text)) for text in around] if ours else []
    said = before.count(persona) if persona else 1
    return Proof(
        # With the user's message comes the sentence that it begins with.
        persona_delivered=said == 0 and found[0] if with_user else said == 1,
        task_delivered=not task or before.count(task) == 1,
        case_delivered=found[0],
        second_turn_delivered=all(found[1:]) if later else None,
        foreign_text=" … ".join(text for text in added if n_words(text) >= FOREIGN_WORDS),
        n_bos=n_bos,
    )
