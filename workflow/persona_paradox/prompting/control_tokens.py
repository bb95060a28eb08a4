"""Control tokens that a persona's sentence may spell, such as behaviour tokens.

A vocabulary has control tokens that no chat template writes. A persona's file names those that its
sentence has; everywhere else, and in every other persona, a text that spells one is not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..engine.vocabulary import Vocabulary
from ..errors import InputError


@dataclass(frozen=True)
class ControlTokens:
    """The control tokens of a model that the persona of a cell may spell.

    Attributes:
        ids: how each is spelled, and its id. What a persona names and the vocabulary does not have
            is text like any other.
    """

    ids: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, named: Sequence[str], vocabulary: Vocabulary, written: str, name: str
    ) -> ControlTokens:
        """Those of a vocabulary.

        Args:
            named: texts, of key `control_tokens` of the persona.
            vocabulary: of the model.
            written: what its chat template writes.
            name: the cell in errors.

        Raises:
            InputError: one has a meaning in a chat: the template writes it, or it ends a turn.
        """
        found = {}
        for text in named:
            tokens = vocabulary.tokenize(text, special=True)
            if len(tokens) != 1 or not vocabulary.has_control_tokens(text):
                continue
            (token,) = tokens
            if text in written or vocabulary.ends(token) or token == vocabulary.bos_token:
                raise InputError(
                    f"{name}: key `control_tokens` of the persona names {text!r}, which has a "
                    "meaning in a chat with this model; name a control token that no chat holds"
                )
            found[text] = token
        return cls(found)

    def without(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the prompts whose persona is as it reads where control tokens are left out."""
        persona, system = row["persona"], row["system"]
        bare = self._bare(persona)
        if bare == persona or not system.startswith(persona):
            return dict(row)
        return {**row, "persona": bare, "system": bare + system.removeprefix(persona)}

    def stand_in(self, tokens: Sequence[int], persona: str) -> bool:
        """Whether each stands in a prompt as often as in the persona's sentence."""
        return all(tokens.count(token) == persona.count(text) for text, token in self.ids.items())

    def _bare(self, text: str) -> str:
        for one in self.ids:
            text = text.replace(one, "")
        return text
