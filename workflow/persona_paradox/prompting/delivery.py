"""Proof, from the tokens a model reads, that a prompt holds our words and no others."""

from __future__ import annotations

import logging
import math
import re
import unicodedata
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
from .thinking import Thinking, marks_in

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


# Columns of prompts that ask a second time: the model's answer, and the user's next message.
SECOND_TURN = ("answer", "question")

# So many words in a row are a message of the template's own; names of roles are shorter.
FOREIGN_WORDS = 4

# Letters that count as a word where a script has no blanks between words, or has few: so that a
# sentence is one, and the name of a role is none.
_LETTERS_A_WORD = (
    # Han and Hiragana: a word has one or two. Names of roles: 用户, 助手, 系统.
    (re.compile(r"[\u3005-\u3007\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"), 1),
    (re.compile(r"[\U00020000-\U0003ffff]"), 1),
    # Katakana, also of half width: words of other languages, which are longer. システム, ユーザー.
    (re.compile(r"[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]+"), 4),
    # Hangul: particles and endings are written to the word before.
    (re.compile(r"[\uac00-\ud7a3]+"), 2),
    # Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, Tai Tham, Balinese, Javanese, Tai Viet.
    (
        re.compile(
            r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"
            r"\ua980-\ua9ff\uaa60-\uaadf]+"
        ),
        2,
    ),
)

# What Llama 3 and its kin write into the system message; the date is frozen.
_DATE_LINE = re.compile(
    r"(?im)^(?:cutting knowledge date|knowledge cutoff|(?:today|current) date):[ \t]*"
    r"(?:(?:\d[\d:./-]*(?:st|nd|rd|th)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b[ \t\r,.]*){0,6}$"
)

# How control tokens are spelled, for servers, whose tokenizer is not at hand.
_CONTROL = re.compile(
    r"<([|｜])[^|｜>\s]*\1>"  # Llama, Qwen; DeepSeek has bars of its own
    r"|</?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>"
    r"|\[/?(?:INST|SYSTEM_PROMPT)\]"
)

# How publishers spell marks that structure a prompt, control tokens or not: no words of a message.
_MARK = re.compile(
    r"</?[|｜]?[A-Za-z][A-Za-z0-9_.:/▁-]{0,40}[|｜]?>"  # <think>, <|channel>, <seed:think>
    r"|\[/?\|?[A-Za-z_]{1,40}\|?\]"  # [MODEL_SETTINGS], [|assistant|], [gMASK]
    r"|◁/?[a-z_]{1,40}▷"  # Kimi
    r"|\]~!?b[\[\]]|\[e~\["  # MiniMax
)
# The same, and words that are dressed as marks, one by one.
_MARKS = re.compile(rf"(?:[<\[][A-Za-z]+[>\]]\s*){{{FOREIGN_WORDS},}}|{_MARK.pattern}")
# What names of marks have of their own: <|START_OF_TURN_TOKEN|>, <｜hy_place▁holder▁no▁2｜>.
_OF_MARKS = {"begin", "start", "end", "of", "turn", "token", "place", "holder", "no"}
# you_are, YouAre
_WORD_ENDS = re.compile(r"_|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Proof:
    """What was found in the prompt of one item.

    Attributes:
        persona_delivered: the persona's sentence stands in it exactly once, in the system text or
            where the user's message begins; True for no persona.
        task_delivered: so does the task's instruction.
        case_delivered: the user's message stands in it.
        second_turn_delivered: the model's answer and the user's next message stand in it behind
            the case, in this order; None where nothing is asked a second time.
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
        if self.foreign_text and self.foreign_text != _words_of(accepted):
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
            perhaps the texts of `SECOND_TURN`.
        lead: how the prompt's end reads, in which the template has no part: a thought, and what
            the answer is forced to begin with.
        head: how its beginning reads, up to where the system text stands.
    """
    persona, system, user = (row[key].strip() for key in ("persona", "system", "user"))
    later = [row[key].strip() for key in SECOND_TURN if key in row]
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
    added = [_words_of(_DATE_LINE.sub("", text)) for text in around] if ours else []
    said = before.count(persona) if persona else 1
    return Proof(
        # With the user's message comes the sentence that it begins with.
        persona_delivered=said == 0 and found[0] if with_user else said == 1,
        task_delivered=not task or before.count(task) == 1,
        case_delivered=found[0],
        second_turn_delivered=all(found[1:]) if later else None,
        foreign_text=" … ".join(text for text in added if _n_words(text) >= FOREIGN_WORDS),
        n_bos=n_bos,
    )


def _words_of(text: str) -> str:
    """A text as one line, without the marks that structure a prompt."""
    return " ".join(_MARKS.sub(_said, text).split())


def _said(mark: re.Match[str]) -> str:
    """What a mark says: itself where its name is a message, else nothing."""
    words = re.findall(r"[^\W\d_]+", _WORD_ENDS.sub(" ", mark[0]))
    named = [word for word in words if word.lower() not in _OF_MARKS]
    return mark[0] if len(named) >= FOREIGN_WORDS else ""


def _n_words(text: str) -> int:
    # Signs that are put on letters are no letters: \w would end a word at each.
    rest = "".join(one for one in text if not unicodedata.category(one).startswith("M"))
    count = 0
    for letters, a_word in _LETTERS_A_WORD:
        count += sum(math.ceil(len(run) / a_word) for run in letters.findall(rest))
        rest = letters.sub(" ", rest)
    # you_are_a_nurse: a name is one word, a sentence that is written as one is not.
    names = [len(_WORD_ENDS.sub(" ", name).split()) for name in re.findall(r"\w+", rest)]
    return count + sum(parts if parts >= FOREIGN_WORDS else 1 for parts in names)


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
) -> pl.DataFrame:
    """Render and tokenize the prompts of a cell, and prove that each arrives.

    Args:
        prompts: table of `prompts.SCHEMA`, and perhaps the columns of `SECOND_TURN`; `thought`,
            what the model has thought before; and `repeat`, of the step that the chat goes on
            behind.
        template: the model's chat template.
        vocabulary: the model's tokens; None for a server, which tokenizes the text itself.
        answer_prefix: text that the answer is forced to begin with; a column of this name in
            the prompts stands for a text of each row's own instead.
        accepted: foreign text of the template that may stand in the prompt.
        name: the cell in errors.

    Returns:
        A table of `SCHEMA`. A case that spells a control token of the model is not to be run;
        its `status` says so.

    Raises:
        InputError: a prompt does not hold our words, or holds others.
    """
    remedy = _Remedies(template.name, server=vocabulary is None)
    if not template.opens_turn:
        log.warning("%s: the chat template opens no turn for the answer", template.name)
    rows = []
    for row, found, failure in proven(
        prompts, template, vocabulary, answer_prefix=answer_prefix, accepted=accepted
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
) -> Iterator[tuple[dict[str, Any], dict[str, Any], str | None]]:
    """Each prompt, the row that is delivered of it, and why it must not be run, or None.

    Arguments are those of `deliver`.
    """
    date = f"frozen at {FROZEN_DATE:%Y-%m-%d}" if template.prints_date else "none"
    thought_of_template = template.thought
    # However few they are: no name of a role stands in a thought.
    thought_words = _words_of(template.thought_words)
    later = [key for key in SECOND_TURN if key in prompts.columns]
    reader = _Reader(template, vocabulary)
    for row in prompts.iter_rows(named=True):
        ours = [row[key] for key in ("system", "user", *later)]
        prefix = row.get("answer_prefix", answer_prefix)
        shared, thought = row.get("shared", ""), row.get("thought")
        thinks = template.thinks and thought is None
        chat = template.render(ours[0], ours[1], prefix, ours[2:], shared=shared, thought=thought)
        prompt = None if vocabulary is None else vocabulary.prompt(chat.parts)
        read, n_bos = reader.read(chat, prompt)
        proof = prove(read, n_bos, row, reader.text(chat.lead), reader.text(chat.parts[0]))
        if thought_words not in proof.foreign_text:
            said = [text for text in (proof.foreign_text, thought_words) if text]
            proof = replace(proof, foreign_text=" … ".join(said))
        failure = proof.failure(reader.wants_bos, accepted)
        if failure is None and not chat.delivered:
            failure = "the chat template changes our words, or its own for this case"
        controls = reader.has_controls([*ours, prefix, thought or ""])
        found = {
            **{key: row[key] for key in ("item_id", "prompt_id", "variant")},
            "text": chat.text,
            "pieces": prompt.pieces if prompt else None,
            "n_prompt_tokens": len(prompt) if prompt else None,
            "status": CONTROL_TOKENS if controls else OK,
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
        self._written = set(_MARK.findall("\0".join(template.written)))

    def text(self, text: str) -> str:
        """A text without control tokens."""
        if self._vocabulary is None:
            return _CONTROL.sub(_said, text)
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
            _CONTROL.search(text) is not None or any(mark in text for mark in self._written)
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
        if any(key in row for key in SECOND_TURN):
            return f"leave key `verbalized` of the task out, or {template}"
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


def too_long(longest: int) -> pl.Expr:
    """Prompts that are not run since they have more than `longest` tokens; null on a server."""
    return (pl.col("n_prompt_tokens") > longest) & (pl.col("status") == OK)


def check_window(
    delivered: pl.DataFrame, context: int, max_tokens: int, name: str, remedy: str
) -> int:
    """Number of prompts that do not fit a window with what the model may write behind them.

    Args:
        delivered: table of `SCHEMA`, of a model that runs here.
        context: tokens of the window.
        max_tokens: most tokens of what is written first: an answer, a thought or a reasoning.
        name: the cell in errors.
        remedy: what to do where no case fits.

    Raises:
        InputError: there are cases, and none of them fits.
    """
    longest = context - max_tokens
    cases = delivered.filter(~is_null_case(), pl.col("status") == OK)["n_prompt_tokens"]
    shortest = cases.min()
    if isinstance(shortest, int) and shortest > longest:
        raise InputError(
            f"{name}: no case can be answered: its shortest prompt has {shortest} tokens and up to "
            f"{max_tokens} follow, but the window has {context}; {remedy}"
        )
    return delivered.filter(too_long(longest)).height


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
