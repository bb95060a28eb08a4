"""Stated confidence: the question that follows an answer, and the number in what comes back.

The model is asked in a second turn, behind its own greedy answer, how sure it is (Tian et al.
2023 call this verbalized confidence, in two stages).
"""

from __future__ import annotations

import re

import polars as pl

from ...data.items import is_null_case
from ...engine.decoding import LENGTH
from ...prompting.thinking import behind_thoughts
from ...prompting.turns import behind_answers
from .plain_text import UNSPACED

SCHEMA = {
    "item_id": pl.String,
    "prompt_id": pl.String,
    "variant": pl.String,
    "text": pl.String,
    "confidence": pl.Float64,
    "status": pl.String,
    "response_key": pl.String,
    "backend": pl.String,
}

READ = "read"
NOT_A_NUMBER = "not_a_number"
AMBIGUOUS = "ambiguous"
OUT_OF_RANGE = "out_of_range"
CUT_OFF = "cut_off"
THOUGHT = "thought"
NO_ANSWER = "no_answer"

# A number by itself: no part of a word or of a longer number ("A2", "1.2.3", "1,000", "1e-1"). A
# minus belongs to it unless something stands before it, as in "80-90". A decimal comma is one only
# in a share ("0,85") or before a sign of hundredths ("85,5%"). In scripts without blanks, letters
# may stand right before it ("我有85%的把握"), and a few words right behind it ("85分").
_LETTER = rf"[^\W{UNSPACED}]"
_PERCENT = r"[%％]|percent\b|per cent\b"
_OF = r"/|out of(?: an?)?|of|von|sur|de|su|van|av|из"
_HUNDRED = r"100(?![\w%]|[.,]\d)"
_NUMBER = re.compile(
    rf"(?<!{_LETTER})(?<![第\d.,])(?<!\d[eE][-−+])(?P<number>(?:(?<![\w%)])[-−])?"
    rf"(?:0,\d{{1,2}}(?!\d)|1,0{{1,2}}(?!\d)|\d{{1,3}},\d{{1,2}}(?=\s*(?:{_PERCENT}))"
    r"|\d+(?:\.\d+)?|\.\d+))"
    r"(?!(?!分(?![钟鐘间間之])|点|點|です|である|점|입니다|퍼센트|パーセント)\w|[.,]\d)"
    rf"(?P<of_100>\s*(?:{_PERCENT}|(?:{_OF})\s*{_HUNDRED}))?"
)
# A bound or what is denied, or a share of another number than 100: "<50", "not 85", "1/1".
_UNSURE = re.compile(
    r"(?i)(?:[<≤≥]|(?<![\w\"'/=|-])>)\s*\d"
    r"|\b(?:not|nicht|less than|more than|at least|at most|up to|under|over|above|below) \d"
    r"|(?:不是?|不到|低于|高于|大于|小于|超过|至少|至多) ?\d"
    rf"|\d\s*(?:{_OF})\s*(?!{_HUNDRED})\d"
)
_CUT = re.compile(r"[\d.,/]$")


def stated_confidence(text: str, finish_reason: str) -> tuple[float | None, str]:
    """The confidence that a text states, as a share, and how it was read.

    Numbers count from 0 to 100: "85", "85%", "85 percent", "85/100" and "85 out of 100" are .85.
    A number that is written with a decimal point or comma, is at most 1 and has none of these
    signs is a share already: "0.85" is .85 and "1.0" is 1, but "1" is .01, and so is "1.0%".
    Nothing is guessed: a text with numbers of different value has no confidence, and words are no
    numbers.

    Args:
        text: what the model wrote; thoughts are left aside.
        finish_reason: `length` where the text was cut at its longest.

    Returns:
        A confidence in [0, 1] and `read`, or None and

        - `not_a_number`: no number by itself;
        - `ambiguous`: different ones ("80-90"), a bound ("<50"), a denied one ("not 85"), or one
          out of another number than 100 ("8/10");
        - `out_of_range`: less than 0 or more than 100;
        - `cut_off`: the text was cut behind a digit, where a number may not have ended;
        - `thought`: the text ends inside a thought.
    """
    said = behind_thoughts(text)
    if said is None:
        return None, THOUGHT
    text = said.strip()
    if finish_reason == LENGTH and _CUT.search(text):
        return None, CUT_OFF
    values = {_share(match) for match in _NUMBER.finditer(text)}
    if len(values) != 1 or _UNSURE.search(text):
        return None, AMBIGUOUS if values else NOT_A_NUMBER
    value = values.pop()
    return (value, READ) if 0 <= value <= 1 else (None, OUT_OF_RANGE)


def _share(match: re.Match[str]) -> float:
    written = match["number"].replace("−", "-").replace(",", ".")
    value = float(written)
    is_share = match["of_100"] is None and "." in written and value <= 1
    # Rounded, lest "12.3% (0.123)" be two numbers.
    return value if is_share else round(value / 100, 12)


def second_turns(
    prompts: pl.DataFrame, responses: pl.DataFrame, question: str, answer_prefix: str
) -> pl.DataFrame:
    """The chats that go on behind the greedy answers, in the order of the prompts.

    Arguments are those of `turns.behind_answers`, where `question` is said.

    Returns:
        What that returns, without a row where there is no answer to ask about.
    """
    chats = behind_answers(prompts, _greedy(responses), question, answer_prefix)
    return chats.filter(pl.col("status").is_null()).drop("repeat", "status")


def verbalized(responses: pl.DataFrame, statements: pl.DataFrame) -> pl.DataFrame:
    """The confidences that a cell's greedy answers were given.

    Args:
        responses: the first answers, table of `responses.SCHEMA`.
        statements: what was answered to `second_turns`, in the same form.

    Returns:
        A table of `SCHEMA`, one row per greedy answer to an item. `confidence` is null where
        `status` is not `read`: as in `stated_confidence`, `no_answer` (there was none to ask
        about), or the second prompt's `prompt_too_long` or `control_tokens`.
    """
    keys = ["item_id", "prompt_id", "variant"]
    found = statements.select(*keys, "text", "finish_reason", "response_key")
    rows = []
    joined = (
        _greedy(responses)
        .select(*keys, "backend")
        .join(found, on=keys, how="left", maintain_order="left")
    )
    for row in joined.iter_rows(named=True):
        confidence, status = None, row["finish_reason"] or NO_ANSWER
        if row["text"] is not None:
            confidence, status = stated_confidence(row["text"], row["finish_reason"])
        rows.append({**row, "confidence": confidence, "status": status})
    return pl.DataFrame(rows, schema=SCHEMA)


def _greedy(responses: pl.DataFrame) -> pl.DataFrame:
    return responses.filter((pl.col("repeat") == 0) & ~is_null_case())
