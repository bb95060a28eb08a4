"""Prompts as a model reads them: rendered, tokenized and proven."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from ..data.items import is_null_case
from ..engine.decoding import CONTROL_TOKENS
from ..engine.vocabulary import Prompt, Vocabulary, open_vocabulary
from ..errors import InputError
from ..files import sha256_bytes
from ..names import OK
from .chat import FROZEN_DATE, ChatTemplate, RenderedChat
from .control_tokens import ControlTokens
from .proof import LATER, prove
from .thinking import Thinking, marks_in
from .window import too_long
from .words import CONTROL, MARK, said_by_mark, words_of

log = logging.getLogger("persona_paradox")

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "text": pl.String,
    "pieces": pl.List(pl.List(pl.Int32)),
    "n_prompt_tokens": pl.Int64,
    "status": pl.String,
    "repeat": pl.Int64,
    "thought_close": pl.String,
    "persona_delivered": pl.Boolean,
    "task_delivered": pl.Boolean,
    "case_delivered": pl.Boolean,
    "second_turn_delivered": pl.Boolean,
    "foreign_text": pl.String,
    "n_bos": pl.Int64,
    "system_role": pl.String,
    "template_date": pl.String,
    "template_thought": pl.String,
    "prompt_sha256": pl.String,
}

NO_CONTROL_TOKENS = ControlTokens()


@contextmanager
def open_template(
    view: Mapping[str, Any], model: Path | None, name: str, *, thinks: bool = True
) -> Iterator[tuple[ChatTemplate, Vocabulary | None]]:
    """A model's chat template and its tokens; a server's model has no tokens here.

    Args:
        view: of the template; a server's holds its text. `thinking`, if it is there, holds
            `think`, and perhaps the marks `open` and `close`.
        model: GGUF file, None for a server.
        name: the model's file in errors.
        thinks: whether a model that is to think does so here; else it reads a thought without a
            word.
    """

    def thinking(source: str) -> Thinking:
        found = Thinking.of(view)
        if not found.think or thinks:
            return found
        # Named, so that it stands there also where the template opens none.
        return Thinking(think=False, marks=found.marks or marks_in(source))

    if model is None:
        source, bos, eos = view["text"], view["bos"], view["eos"]
        yield ChatTemplate(source, bos, eos, name, thinking(source)), None
        return
    with open_vocabulary(model, name) as vocabulary:
        bos, eos = vocabulary.bos, vocabulary.eos
        source = vocabulary.chat_template
        yield ChatTemplate(source, bos, eos, name, thinking(source)), vocabulary


def deliver(
    prompts: pl.DataFrame,
    template: ChatTemplate,
    vocabulary: Vocabulary | None,
    *,
    answer_prefix: str,
    accepted: str,
    name: str,
    named: Sequence[str] = (),
) -> pl.DataFrame:
    """Render and tokenize the prompts of a cell, and prove that each arrives.

    Args:
        prompts: table of `prompts.SCHEMA`, and perhaps the column `LATER`; `thought`, what the
            model has thought before; `repeat`, of the step that the chat goes on behind; and
            `status`, why it is not to be run.
        template: the model's chat template.
        vocabulary: the model's tokens; None for a server, which tokenizes the text itself.
        answer_prefix: text that the answer is forced to begin with; a column of this name in
            the prompts stands for a text of each row's own instead.
        accepted: foreign text of the template that may stand in the prompt.
        name: the cell in errors.
        named: control tokens that the persona's sentence may spell, by its file.

    Returns:
        A table of `SCHEMA`. A case that spells a control token of the model is not to be run, and
        neither is a chat that would go on behind no answer; its `status` says so.

    Raises:
        InputError: a prompt does not hold our words, or holds others; or a control token of the
            persona's is one that structures chats.
    """
    spelled = NO_CONTROL_TOKENS
    if vocabulary is not None:
        spelled = ControlTokens.of(named, vocabulary, "\0".join(template.written), name)
    remedy = _Remedies(template.name, server=vocabulary is None)
    if not template.opens_turn:
        log.warning("%s: the chat template opens no turn for the answer", template.name)
    rows = []
    for row, found, failure in proven(
        prompts,
        template,
        vocabulary,
        answer_prefix=answer_prefix,
        accepted=accepted,
        spelled=spelled,
    ):
        # Control tokens in a case are read as such: such a prompt proves nothing and is not run.
        if failure and found["status"] == OK:
            raise InputError(
                f"{name}: the prompt of item {row['item_id']} is not as it must be: {failure}; "
                f"{remedy.of(row, found)} (config/README.md, Delivery)"
            )
        rows.append(found)
    return pl.DataFrame(rows, schema=SCHEMA)


def proven(
    prompts: pl.DataFrame,
    template: ChatTemplate,
    vocabulary: Vocabulary | None,
    *,
    answer_prefix: str,
    accepted: str,
    spelled: ControlTokens = NO_CONTROL_TOKENS,
) -> Iterator[tuple[dict[str, Any], dict[str, Any], str | None]]:
    """Each prompt, the row that is delivered of it, and why it must not be run, or None.

    Arguments are those of `deliver`; `spelled` are the control tokens that the persona may spell.
    """
    date = f"frozen at {FROZEN_DATE:%Y-%m-%d}" if template.prints_date else "none"
    thought_of_template = template.thought
    # However few they are: no name of a role stands in a thought.
    thought_words = words_of(template.thought_words)
    reader = _Reader(template, vocabulary)
    for row in prompts.iter_rows(named=True):
        ours = [row["system"], row["user"], *row.get(LATER, ())]
        prefix = row.get("answer_prefix", answer_prefix)
        shared, thought = row.get("shared", ""), row.get("thought")
        thinks = template.thinks and thought is None
        chat = template.render(ours[0], ours[1], prefix, ours[2:], shared=shared, thought=thought)
        prompt = None if vocabulary is None else vocabulary.prompt(chat.parts)
        read, n_bos = reader.read(chat, prompt)
        bare = spelled.without(row)
        proof = prove(read, n_bos, bare, reader.text(chat.lead), reader.text(chat.parts[0]))
        if prompt is not None and not spelled.stand_in(prompt.tokens, row["persona"]):
            proof = replace(proof, persona_delivered=False)
        if thought_words not in proof.foreign_text:
            said = [text for text in (proof.foreign_text, thought_words) if text]
            proof = replace(proof, foreign_text=" … ".join(said))
        failure = proof.failure(reader.wants_bos, accepted)
        if failure is None and not chat.delivered:
            failure = "the chat template changes our words, or its own for this case"
        controls = reader.has_controls([bare["system"], *ours[1:], prefix, thought or ""])
        found = {
            **{key: row[key] for key in ("item_id", "prompt_id", "variant")},
            "text": chat.text,
            "pieces": prompt.pieces if prompt else None,
            "n_prompt_tokens": len(prompt) if prompt else None,
            "status": CONTROL_TOKENS if controls else row.get("status") or OK,
            "repeat": row.get("repeat"),
            "thought_close": template.marks.end if thinks and template.marks else None,
            **asdict(proof),
            "system_role": chat.system_role,
            "template_date": date,
            "template_thought": thought_of_template,
            "prompt_sha256": sha256_bytes(chat.text.encode()),
        }
        yield row, found, failure


class _Reader:
    """How a model reads texts: from its tokens, or, on a server, by how control tokens are spelled.

    Args:
        template: the model's.
        vocabulary: its tokens, None on a server.
    """

    def __init__(self, template: ChatTemplate, vocabulary: Vocabulary | None) -> None:
        self._vocabulary = vocabulary
        self.wants_bos = vocabulary is not None and vocabulary.wanted_bos is not None
        self._written = set(MARK.findall("\0".join(template.written)))

    def text(self, text: str) -> str:
        """A text without control tokens."""
        if self._vocabulary is None:
            return CONTROL.sub(said_by_mark, text)
        return self._vocabulary.text(self._vocabulary.tokenize(text, special=True), special=False)

    def read(self, chat: RenderedChat, prompt: Prompt | None) -> tuple[str, int | None]:
        """A prompt without control tokens; its beginning-of-sequence tokens, None if unknown."""
        if prompt is None or self._vocabulary is None:
            return self.text(chat.text), None
        read = self._vocabulary.text(prompt.tokens, special=False)
        return read, leading_bos(prompt, self._vocabulary)

    def has_controls(self, texts: Sequence[str]) -> bool:
        """Whether one of the texts spells a control token."""
        if self._vocabulary is not None:
            return any(self._vocabulary.has_control_tokens(text) for text in texts)
        return any(
            CONTROL.search(text) is not None or any(mark in text for mark in self._written)
            for text in texts
        )


@dataclass(frozen=True)
class _Remedies:
    """What helps where a prompt is not as it must be.

    Attributes:
        model: the model's file.
        server: whether it is on a server, so that its template is a file of the project.
    """

    model: str
    server: bool

    def of(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> str:
        """The remedy for one prompt."""
        persona, system = row["persona"].strip(), row["system"]
        if persona and system.count(persona) > 1:
            return "change the persona's sentence or the task's instruction, which holds it, too"
        template = (
            f"mend the file of key `source.template` of {self.model}"
            if self.server
            else "use another build of the model, with another chat template"
        )
        if found["foreign_text"]:
            accept = f"if the model may read that, set key `accepted_template_text` of {self.model}"
            return f"{accept} to it; else {template}"
        if LATER in row:
            return (
                "leave out keys `turns` and `verbalized` of the task and `identification` of the "
                f"study, or {template}"
            )
        return template


def deliver_chats(
    chats: pl.DataFrame,
    view: Mapping[str, Any],
    model: Path | None,
    config_file: str,
    *,
    name: str,
    labels: Sequence[str] = (),
    answer_prefix: str = "",
    thinks: bool = False,
) -> pl.DataFrame:
    """Deliver chats to a model, after a look at whether it can tell the labels apart.

    Args:
        chats: as for `deliver`.
        view: of the model's template.
        model: GGUF file, None for a server.
        config_file: the model's file in errors.
        name: the cell in errors.
        labels: of the answers, if they have any.
        answer_prefix: of chats that have none of their own.
        thinks: whether a model that is to think does so here, as it does before its first answers.
    """
    opened = open_template(view, model, config_file, thinks=thinks)
    with opened as (template, vocabulary):
        if vocabulary is not None:
            vocabulary.label_forms(labels)
        return deliver(
            chats,
            template,
            vocabulary,
            answer_prefix=answer_prefix,
            accepted=view["accepted_template_text"],
            name=name,
        )


def leading_bos(prompt: Prompt, vocabulary: Vocabulary) -> int:
    """Number of beginning-of-sequence tokens that a prompt begins with."""
    count = 0
    for token in prompt.tokens:
        if token != vocabulary.bos_token:
            break
        count += 1
    return count


def summary(delivered: pl.DataFrame, context: int | None, max_tokens: int) -> dict[str, Any]:
    """One cell of the table of deliveries: counts over its prompts, and what is equal for all.

    Args:
        delivered: table of `SCHEMA`.
        context: tokens of the model's window; None on a server.
        max_tokens: most tokens of what is written first.
    """
    lost = None if context is None else delivered.filter(too_long(context - max_tokens)).height
    return {
        "n_prompts": delivered.height,
        "n_null_cases": delivered.filter(is_null_case()).height,
        **{
            f"n_{key}": int(delivered.get_column(key).sum())
            for key in ("persona_delivered", "task_delivered", "case_delivered")
        },
        "n_control_tokens": delivered.filter(pl.col("status") == CONTROL_TOKENS).height,
        "n_too_long": lost,
        **{
            key: "; ".join(sorted({str(v) for v in delivered.get_column(key) if v is not None}))
            for key in ("system_role", "foreign_text", "n_bos", "template_date", "template_thought")
        },
    }
