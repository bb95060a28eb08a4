"""What judges are asked, and what their verdicts say.

A judge answers with one digit. Its verdict is read from the probabilities of the digits at the
place of the first one, so that none is lost to parsing: a rating is the expected value on its
scale, a preference the likelier of two. Two answers are always shown in both orders, and a
preference that changes with the order is a tie. An answer that says nothing is not shown to a
judge, and two equal answers are a tie unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..data.items import is_null_case
from ..errors import InputError
from ..files import read_table, sha256_bytes
from ..prompting.thinking import shown

Rows = list[dict[str, Any]]

# The dimension of the question on what an answer does.
ACTION = "action"

READ = "read"
EMPTY = "empty"
NO_ANSWER = "no_answer"
IDENTICAL = "identical"
NO_PROBABILITY = "no_probability"

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

JUDGEMENT: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "variant": pl.String,
    "repeat": pl.Int64,
    "dimension": pl.String,
    "status": pl.String,
    "value": pl.Float64,
    "mode": pl.Int64,
    "entropy": pl.Float64,
    "probabilities": pl.List(pl.Float64),
    "mass": pl.Float64,
    "written": pl.Int64,
    "rationale": pl.String,
    "n_characters": pl.Int64,
    "response_key": pl.String,
    "backend": pl.String,
}
PREFERENCE = {
    "item_id": pl.String,
    "first": pl.String,
    "second": pl.String,
    "status": pl.String,
    "p_first": pl.Float64,
    "p_first_swapped": pl.Float64,
    "outcome": pl.Float64,
    "consistent": pl.Boolean,
    "mass": pl.Float64,
    "length_difference": pl.Int64,
    "backend": pl.String,
}

LISTED = {"item_id": pl.String, "name": pl.String, "status": pl.String, "p": pl.Float64}


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
    answers: pl.DataFrame, judge: Mapping[str, Any], *, action: bool = True
) -> pl.DataFrame:
    """One chat for every answer and dimension; those of an answer share all but the question.

    Args:
        answers: columns `item_id`, `variant`, `repeat`, `question` and `text`.
        judge: the judge's view: `instruction`, `user` and `questions` (dimension → text).
        action: whether to ask for the action, too.

    Returns:
        A table of `RATING_CHAT`.
    """
    rows: Rows = []
    for row in said(answers).iter_rows(named=True):
        shared = _fill(judge["user"], question=row["question"], answer=row["text"]) + "\n\n"
        for dimension, question in judge["questions"].items():
            if dimension == ACTION and not action:
                continue
            about = {key: row[key] for key in ("item_id", "variant", "repeat")}
            rows.append(
                _chat(judge["instruction"], shared + question, shared, **about)
                | {"dimension": dimension, "n_characters": len(row["text"])}
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
        if _unseen(row) is not None:
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


def _unseen(row: Mapping[str, Any]) -> str | None:
    """Why a pair is not shown to a judge, or None."""
    texts = (row["text"], row["text_other"])
    if None in texts:
        return NO_ANSWER
    if not all(text.strip() for text in texts):
        return EMPTY
    return IDENTICAL if texts[0].strip() == texts[1].strip() else None


def digits(verdict: Mapping[str, Any], n: int) -> tuple[NDArray[np.float64] | None, float | None]:
    """Probabilities of the digits 1 to n, shape (n,), and the probability that they have at all.

    None where the judge was not asked, or where a server lists none of them.
    """
    logprob = verdict["label_logprob"]
    if logprob is None or max(logprob[:n]) == -np.inf:
        return None, None
    values = np.asarray(logprob[:n], dtype=np.float64)
    total = np.logaddexp.reduce(values)
    return np.exp(values - total), float(np.exp(total))


def judgements(
    answers: pl.DataFrame,
    chats: pl.DataFrame,
    verdicts: pl.DataFrame,
    judge: Mapping[str, Any],
    *,
    action: bool = True,
) -> pl.DataFrame:
    """The ratings of a cell's answers.

    Args:
        answers: as for `rating_chats`.
        chats: what `rating_chats` made of them.
        verdicts: responses to these, in the same order, one to each.
        judge: view of the verdicts: `scale`, `better` (dimension → end) and `actions`.
        action: whether the chats ask for the action, too.

    Returns:
        A table of `JUDGEMENT`, one row per answer and dimension. `value` is the expected
        rating, 1 to `scale`; of the action there is the likeliest (`mode`) alone. `entropy` is in
        nats, `mass` the probability that falls on the scale at all, `written` the digit that the
        judge wrote. Where `status` is not `read` it says why there is no verdict: the answer is
        `empty` or was not given (`no_answer`), it does not fit the judge's window with the
        rubric (`prompt_too_long`), it spells a control token of the judge (`control_tokens`), or
        no digit has a probability (`no_probability`).
    """
    both = chats.select("item_id", "variant", "repeat", "dimension", "n_characters").hstack(
        verdicts.select(pl.exclude("item_id", "variant", "repeat", "prompt_id"))
    )
    found = {
        (row["item_id"], row["variant"], row["repeat"], row["dimension"]): row
        for row in both.iter_rows(named=True)
    }
    dimensions = [*judge["better"], *([ACTION] if judge["actions"] and action else [])]
    rows: Rows = []
    keys = ("item_id", "variant", "repeat")
    for row in answers.iter_rows(named=True):
        about = {key: row[key] for key in keys}
        for dimension in dimensions:
            n = len(judge["actions"]) if dimension == ACTION else judge["scale"]
            verdict = found.get((*about.values(), dimension))
            judged = _judgement(row, verdict, n, dimension)
            rows.append({**about, "dimension": dimension, **judged})
    return pl.DataFrame(rows, schema=JUDGEMENT)


def _judgement(
    answer: Mapping[str, Any], verdict: Mapping[str, Any] | None, n: int, dimension: str
) -> dict[str, Any]:
    if verdict is None:
        text = answer["text"]
        return {
            "status": NO_ANSWER if text is None else EMPTY,
            "n_characters": None if text is None else len(text),
        }
    kept = {key: verdict[key] for key in ("n_characters", "response_key", "backend")}
    if verdict["text"] is None:
        return {**kept, "status": verdict["finish_reason"]}
    p, mass = digits(verdict, n)
    written = verdict["text"].strip()
    digit = written[:1] if written[:1].isdecimal() else ""
    kept |= {
        "written": int(digit) if digit else None,
        "rationale": written.removeprefix(digit).lstrip() or None,
    }
    if p is None:
        return {**kept, "status": NO_PROBABILITY}
    return {
        **kept,
        "status": READ,
        "value": None if dimension == ACTION else float(p @ np.arange(1, n + 1)),
        "mode": int(np.argmax(p)) + 1,
        "entropy": float(-(p * np.log(np.where(p > 0, p, 1.0))).sum()),
        "probabilities": p.tolist(),
        "mass": mass,
    }


def preferences(
    pairs: pl.DataFrame, chats: pl.DataFrame, verdicts: pl.DataFrame, names: tuple[str, str]
) -> pl.DataFrame:
    """What a judge prefers in every pair.

    Args:
        pairs: as for `pair_chats`.
        chats: what `pair_chats` made of them.
        verdicts: responses to these, in the same order, one to each.
        names: what `text` and `text_other` are called.

    Returns:
        A table of `PREFERENCE`, one row per pair. `p_first` is the probability that the first is
        preferred where it is shown first, `p_first_swapped` where it is shown second; `outcome`
        is 1 for the first, 0 for the second, and 0.5 for a tie; `consistent` says whether
        both orders agree. Pairs with `status` `identical` are ties unseen; with any other than
        `read` there is no outcome.
    """
    both = chats.select("item_id", "swapped", "length_difference").hstack(
        verdicts.select(pl.exclude("item_id", "variant", "prompt_id"))
    )
    found = {(row["item_id"], row["swapped"]): row for row in both.iter_rows(named=True)}
    rows: Rows = []
    for row in pairs.iter_rows(named=True):
        about = {"item_id": row["item_id"], "first": names[0], "second": names[1]}
        unseen = _unseen(row)
        if unseen is not None:
            outcome = 0.5 if unseen == IDENTICAL else None
            rows.append({**about, "status": unseen, "outcome": outcome})
            continue
        orders = [found[row["item_id"], swapped] for swapped in (False, True)]
        rows.append({**about, **_preference(orders)})
    return pl.DataFrame(rows, schema=PREFERENCE)


def _preference(orders: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    about = {key: orders[0][key] for key in ("length_difference", "backend")}
    for verdict in orders:
        if verdict["text"] is None:
            return {**about, "status": verdict["finish_reason"]}
    (p, mass), (p_swapped, mass_swapped) = (digits(verdict, 2) for verdict in orders)
    if p is None or p_swapped is None or mass is None or mass_swapped is None:
        return {**about, "status": NO_PROBABILITY}
    choices = (_choice(p[0], p[1]), _choice(p_swapped[1], p_swapped[0]))
    consistent = choices[0] == choices[1]
    return {
        **about,
        "status": READ,
        "p_first": float(p[0]),
        "p_first_swapped": float(p_swapped[1]),
        "outcome": choices[0] if consistent else 0.5,
        "consistent": consistent,
        "mass": (mass + mass_swapped) / 2,
    }


def _choice(p: float, p_other: float) -> float:
    """1 for the first of two, 0 for the second, 0.5 where they are equally likely."""
    return 0.5 if p == p_other else float(p > p_other)


def list_preferences(
    lists: pl.DataFrame, chats: pl.DataFrame, verdicts: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """How likely each answer is called the best, over all rotations of the list.

    Args:
        lists: as for `list_chats`.
        chats: what `list_chats` made of them.
        verdicts: responses to these, in the same order, one to each.
        names: what the answers are called, in their order.

    Returns:
        A table of `LISTED`, one row per question and answer. `p` is the mean probability over
        the rotations, which show every answer once in every place; it is null, and `status` says
        why, where a rotation was not judged, or where an answer of the list says nothing.
    """
    both = chats.select("item_id", "rotation").hstack(
        verdicts.select("text", "finish_reason", "label_logprob")
    )
    rotations: dict[str, Rows] = {}
    for row in both.iter_rows(named=True):
        rotations.setdefault(row["item_id"], []).append(row)
    rows: Rows = []
    for row in lists.iter_rows(named=True):
        p: NDArray[np.float64] | None = None
        if row["item_id"] in rotations:
            status, p = _best(rotations[row["item_id"]], len(names))
        else:
            status = NO_ANSWER if None in row["texts"] else EMPTY
        about = {"item_id": row["item_id"], "status": status}
        for i, name in enumerate(names):
            rows.append({**about, "name": name, "p": None if p is None else float(p[i])})
    return pl.DataFrame(rows, schema=LISTED)


def _best(rotations: Rows, n: int) -> tuple[str, NDArray[np.float64] | None]:
    """Status of a list, and the mean probability of each of its `n` answers to be the best."""
    total = np.zeros(n)
    for row in rotations:
        if row["text"] is None:
            return row["finish_reason"], None
        p, _ = digits(row, n)
        if p is None:
            return NO_PROBABILITY, None
        # Rotation r shows answer r first.
        total += np.roll(p, row["rotation"])
    return READ, total / n


def questioned(responses: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Answers with the questions that they are about: the user's messages.

    Args:
        responses: table of `responses.SCHEMA`; null cases are left out.
        prompts: of the same cell, table of `prompts.SCHEMA`.

    Returns:
        Columns `item_id`, `variant`, `repeat`, `question`, `text`. Thoughts are left out of the
        text, and an answer that ends inside one has none.
    """
    users = prompts.select("item_id", "variant", question="user")
    asked = responses.filter(~is_null_case())
    joined = asked.join(users, on=["item_id", "variant"], how="left", maintain_order="left")
    return joined.select("item_id", "variant", "repeat", "question", shown())


def read_answers(responses: Path, prompts: Path) -> pl.DataFrame:
    """The answers of a cell with their questions, from both files; see `questioned`."""
    return questioned(read_table(responses), read_table(prompts))


def read_cells(
    responses: Path, prompts: Path, personas: Sequence[str]
) -> tuple[dict[str, pl.DataFrame], dict[str, Path]]:
    """The answers of several personas, as `questioned` gives them, and the files of each."""
    cells: dict[str, pl.DataFrame] = {}
    inputs: dict[str, Path] = {}
    for persona in personas:
        paths = responses / f"{persona}.parquet", prompts / f"{persona}.parquet"
        cells[persona] = read_answers(*paths)
        inputs |= {f"responses.{persona}": paths[0], f"prompts.{persona}": paths[1]}
    return cells, inputs


def paired(mine: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The greedy answers of two cells in the main wording, question by question.

    Args:
        mine: as `questioned` gives them.
        other: of the other cell.

    Returns:
        Columns `item_id`, `question`, `text`, `text_other`.
    """
    main = (pl.col("variant") == "main") & (pl.col("repeat") == 0)
    others = other.filter(main).select("item_id", text_other="text")
    return (
        mine.filter(main)
        .select("item_id", "question", "text")
        .join(others, on="item_id", how="inner", maintain_order="left")
    )


def listed(cells: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The greedy answers of several cells in the main wording, side by side.

    Args:
        cells: as `questioned` gives them, in the order of the list.

    Returns:
        Columns `item_id`, `question` and `texts`, a list of the answers in their order.
    """
    main = (pl.col("variant") == "main") & (pl.col("repeat") == 0)
    joined = cells[0].filter(main).select("item_id", "question", text_0="text")
    for i, cell in enumerate(cells[1:], start=1):
        one = cell.filter(main).select("item_id", pl.col("text").alias(f"text_{i}"))
        joined = joined.join(one, on="item_id", how="inner", maintain_order="left")
    texts = pl.concat_list([f"text_{i}" for i in range(len(cells))])
    return joined.select("item_id", "question", texts=texts)


# --- answers whose worth is known beforehand ---------------------------------------------

# Columns of the files of keys `sanity` and `injections`.
SANITY = ("id", "question", "safer", "unsafe")
INJECTIONS = ("id", "question", "answer", "injection")


def read_checks(path: Path, columns: Sequence[str], name: str) -> pl.DataFrame:
    """Read a file of sanity pairs or of injections.

    Args:
        path: CSV file, UTF-8.
        columns: that it must have.
        name: file and key of the judge, named in errors.

    Raises:
        InputError: the file cannot be read, lacks a column, or has an empty field, an id twice, or
            two answers that are the same.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{name} names {path}, which cannot be read as CSV ({reason}); mend the file or the key"
        ) from error
    for column in columns:
        if column not in table.columns:
            raise InputError(f"{name} names {path}, which has no column {column!r}; add it")
        empty = table.filter(pl.col(column).is_null() | (pl.col(column).str.strip_chars() == ""))
        if empty.height:
            raise InputError(
                f"{name} names {path}, where id {empty.item(0, 'id')!r} has nothing in column "
                f"{column!r}; write it or remove the row"
            )
    twice = table.filter(pl.col("id").is_duplicated())
    if twice.height:
        raise InputError(
            f"{name} names {path}, which has the id {twice.item(0, 'id')!r} twice; rename one"
        )
    one, other = columns[-2:]
    same = table.filter(pl.col(one).str.strip_chars() == pl.col(other).str.strip_chars())
    if same.height:
        raise InputError(
            f"{name} names {path}, where id {same.item(0, 'id')!r} has the same text in columns "
            f"{one!r} and {other!r}; mend one or remove the row"
        )
    return table


def checks_of(
    sanity: Path | None, injections: Path | None, judge: str
) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """The tables of both files, None for a file that there is not; `judge` is named in errors."""
    return (
        None if sanity is None else read_checks(sanity, SANITY, f"{judge}: key `sanity`"),
        None
        if injections is None
        else read_checks(injections, INJECTIONS, f"{judge}: key `injections`"),
    )


def check_pairs(sanity: pl.DataFrame | None) -> pl.DataFrame:
    """Sanity pairs in the form of `paired`, the safer answer first; none without a file."""
    if sanity is None:
        sanity = pl.DataFrame(schema=dict.fromkeys(SANITY, pl.String))
    return sanity.select(item_id="id", question="question", text="safer", text_other="unsafe")


def check_answers(sanity: pl.DataFrame | None, injections: pl.DataFrame | None) -> pl.DataFrame:
    """The answers of both files in the form of `questioned`; `variant` says which one it is."""
    empty = pl.DataFrame(schema=dict.fromkeys((*SANITY, *INJECTIONS), pl.String))
    found = [(sanity, SANITY[2:]), (injections, INJECTIONS[2:]), (empty, SANITY[2:])]
    return pl.concat(
        table.select(
            item_id="id",
            variant=pl.lit(column),
            repeat=pl.lit(0, dtype=pl.Int64),
            question="question",
            text=column,
        )
        for table, columns in found
        if table is not None
        for column in columns
    )
