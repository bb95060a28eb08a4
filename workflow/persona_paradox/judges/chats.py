"""What a judge is asked about answers, pairs of them and lists.

Two answers are always shown in both orders. An answer that says nothing is not shown to a judge,
and two equal answers are a tie unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from ..files import sha256_bytes
from ..identification.masking import mask
from ..identification.options import question as with_options
from ..names import ACTION, PERSONA

Rows = list[dict[str, Any]]
# What of a judge's questions is asked.
Asked = Literal["all", "ratings", "classes"]

# What stands in the place of a persona's sentence where there is none.
NO_PERSONA = "nobody in particular"

EMPTY = "empty"
NO_ANSWER = "no_answer"
IDENTICAL = "identical"

# Chats for `delivery.deliver`; the first columns say what a verdict is about.
CHAT = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "system": pl.String,
    "persona": pl.String,
    "user": pl.String,
    "shared": pl.String,
}
RATING_CHAT = {**CHAT, "repeat": pl.Int64, "dimension": pl.String, "n_characters": pl.Int64}
PAIR_CHAT = {**CHAT, "swapped": pl.Boolean, "length_difference": pl.Int64}
LIST_CHAT = {**CHAT, "rotation": pl.Int64}


def said(answers: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold an answer: its `text` is not blank."""
    return answers.filter(pl.col("text").str.contains(r"\S"))


def _chat(system: str, user: str, shared: str, **about: Any) -> dict[str, Any]:
    digest = sha256_bytes(f"{system}\0{user}".encode())[:16]
    chat = {"prompt_id": digest, "system": system, "persona": "", "user": user, "shared": shared}
    return {"variant": "main", **chat, **about}


def _before(template: str, *places: str) -> str:
    """What stands before the first of these places of a template."""
    return template[: min(template.find(f"{{{place}}}") for place in places)]


def _fill(template: str, **texts: str) -> str:
    """Put texts in the places of a template; a text that spells a place is left as it is."""
    parts: list[str] = []
    rest = template
    while True:
        found = [(rest.find(f"{{{name}}}"), name) for name in texts]
        at, name = min((f for f in found if f[0] >= 0), default=(-1, ""))
        if at < 0:
            return "".join([*parts, rest])
        parts += [rest[:at], texts[name]]
        rest = rest[at + len(name) + 2 :]


def rating_chats(
    answers: pl.DataFrame, judge: Mapping[str, Any], *, asked: Asked = "all"
) -> pl.DataFrame:
    """One chat for every answer and dimension; those of an answer share all but the question.

    Args:
        answers: columns `item_id`, `variant`, `repeat`, `question` and `text`, and perhaps
            `persona`, for a judge whose `user` has a place for it.
        judge: the judge's view: `instruction`, `user` and `questions` (dimension → text), and
            perhaps `classes`, the questions on its own classes. Where it has `identification`, it
            is asked who answered instead, with what tells of a persona masked.
        asked: for `ratings`, for `classes`, of which the action is one, or for all.

    Returns:
        A table of `RATING_CHAT`.
    """
    if naming := judge.get("identification"):
        return _naming_chats(answers, judge, naming)
    rows: Rows = []
    questions = judge["questions"] | judge.get("classes", {})
    of_classes = {ACTION, *judge.get("classes", {})}
    if asked != "all":
        wanted = asked == "classes"
        questions = {k: text for k, text in questions.items() if (k in of_classes) == wanted}
    for row in said(answers).iter_rows(named=True):
        texts = {"question": row["question"], "answer": row["text"]}
        texts["persona"] = row.get("persona") or NO_PERSONA
        shared = _fill(judge["user"], **texts) + "\n\n"
        for dimension, question in questions.items():
            about = {key: row[key] for key in ("item_id", "variant", "repeat")}
            rows.append(
                _chat(judge["instruction"], shared + question, shared, **about)
                | {"dimension": dimension, "n_characters": len(row["text"])}
            )
    return pl.DataFrame(rows, schema=RATING_CHAT)


def check_chats(
    answers: pl.DataFrame, of_classes: pl.DataFrame, judge: Mapping[str, Any]
) -> pl.DataFrame:
    """The chats on answers of which it is known what a judge should say, as of `rating_chats`.

    Args:
        answers: of known worth, which are rated.
        of_classes: of known classes, which are asked for.
        judge: as for `rating_chats`.
    """
    # Of which class an answer of known worth is, nobody asks.
    rated = rating_chats(answers, judge, asked="ratings")
    return pl.concat([rated, rating_chats(of_classes, judge, asked="classes")])


def _naming_chats(
    answers: pl.DataFrame, judge: Mapping[str, Any], naming: Mapping[str, Any]
) -> pl.DataFrame:
    """One chat for every answer, on who gave it, among options in an order of the item's own."""
    rows: Rows = []
    masked = mask(said(answers), judge["masked"])
    for row, text in zip(masked.iter_rows(named=True), said(answers)["text"], strict=True):
        shared = _fill(judge["user"], question=row["question"], answer=row["text"]) + "\n\n"
        asked = with_options(naming["question"], row["item_id"], naming)
        about = {key: row[key] for key in ("item_id", "variant", "repeat")}
        rows.append(
            _chat(judge["instruction"], shared + asked, shared, **about)
            | {"dimension": PERSONA, "n_characters": len(text)}
        )
    return pl.DataFrame(rows, schema=RATING_CHAT)


def pair_chats(pairs: pl.DataFrame, judge: Mapping[str, Any]) -> pl.DataFrame:
    """Two chats, one in each order, for every pair of different answers.

    Both share what stands before the answers.

    Args:
        pairs: columns `item_id`, `question`, `text` and `text_other`.
        judge: the judge's view: `instruction` and `pairs` (`user`, `question`).

    Returns:
        A table of `PAIR_CHAT`; `length_difference` counts characters, `text` minus `text_other`.
        It is empty where the judge compares no pairs.
    """
    asked = judge["pairs"]
    rows: Rows = []
    if asked is None:
        return pl.DataFrame(rows, schema=PAIR_CHAT)
    for row in pairs.iter_rows(named=True):
        if unseen(row) is not None:
            continue
        for swapped in (False, True):
            first, second = (row["text"], row["text_other"])[:: -1 if swapped else 1]
            texts = {"question": row["question"], "first": first, "second": second}
            user = _fill(asked["user"], **texts) + "\n\n" + asked["question"]
            shared = _fill(_before(asked["user"], "first", "second"), question=row["question"])
            about = {"item_id": row["item_id"], "swapped": swapped}
            about["length_difference"] = len(row["text"]) - len(row["text_other"])
            rows.append(_chat(judge["instruction"], user, shared, **about))
    return pl.DataFrame(rows, schema=PAIR_CHAT)


def list_chats(lists: pl.DataFrame, judge: Mapping[str, Any]) -> pl.DataFrame:
    """As many chats for every question as it has answers, each beginning with another one.

    They share what stands before the answers.

    Args:
        lists: columns `item_id`, `question` and `texts`, a list of answers in a fixed order.
        judge: the judge's view: `instruction` and `list` (`user`, `answer`, `question`).

    Returns:
        A table of `LIST_CHAT`; the chat of rotation r shows answer r first. There is none for a
        question with an answer that says nothing.
    """
    asked = judge["list"]
    rows: Rows = []
    for row in lists.iter_rows(named=True):
        texts = row["texts"]
        shared = _fill(_before(asked["user"], "answers"), question=row["question"])
        if any(text is None or not text.strip() for text in texts):
            continue
        for rotation in range(len(texts)):
            shown = [*texts[rotation:], *texts[:rotation]]
            answers = "\n\n".join(
                _fill(asked["answer"], number=str(number), answer=text)
                for number, text in enumerate(shown, start=1)
            )
            user = _fill(asked["user"], question=row["question"], answers=answers)
            user += "\n\n" + asked["question"]
            about = {"item_id": row["item_id"], "rotation": rotation}
            rows.append(_chat(judge["instruction"], user, shared, **about))
    return pl.DataFrame(rows, schema=LIST_CHAT)


def unseen(row: Mapping[str, Any]) -> str | None:
    """Why a pair is not shown to a judge, or None."""
    texts = (row["text"], row["text_other"])
    if None in texts:
        return NO_ANSWER
    if not all(text.strip() for text in texts):
        return EMPTY
    return IDENTICAL if texts[0].strip() == texts[1].strip() else None
