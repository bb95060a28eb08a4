"""The answers and pairs of answers that clinicians are shown, drawn evenly and put in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations

import polars as pl

from ..files import sha256_bytes
from ..identification.masking import MASK
from .forms import Row

# A table row of two answers has both sides; of a single answer, side A alone.
TASKS: dict[str, type[pl.DataType]] = {
    "number": pl.Int64,
    "form": pl.String,
    "model": pl.String,
    "task": pl.String,
    "item_id": pl.String,
    "category": pl.String,
    "question": pl.String,
    **{
        f"{name}_{side}": dtype
        for side in "ab"
        for name, dtype in (("persona", pl.String), ("text", pl.String), ("masked", pl.Int64))
    },
}
COUNTS: dict[str, type[pl.DataType]] = {
    "form": pl.String,
    "persona": pl.String,
    "versus": pl.String,
    "available": pl.Int64,
    "empty": pl.Int64,
    "identical": pl.Int64,
    "drawn": pl.Int64,
}


Stratum = tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    """Something to draw: the strata it is in, the weightiest first, and its seeded rank.

    Strata of single answers and of pairs have names of their own, but for questions: one that
    was drawn for a single answer is seldom drawn again for a pair.
    """

    strata: tuple[Stratum, ...]
    rank: str
    sides: tuple[Row, ...]

    @property
    def personas(self) -> tuple[str, ...]:
        return tuple(side["persona"] for side in self.sides)

    @property
    def empty(self) -> bool:
        return not all(_words(side["text"]) for side in self.sides)

    @property
    def identical(self) -> bool:
        texts = [_words(side["text"]) for side in self.sides]
        return all(texts) and len(set(texts)) < len(texts)


def _single(row: Row, seed: int) -> _Candidate:
    persona, category, source = row["persona"], row["category"] or "", (row["model"], row["task"])
    strata = (
        ("cell", persona, category),
        ("persona", persona),
        ("category", category),
        ("source", persona, *source),
        ("question", row["task"], row["item_id"]),
    )
    return _Candidate(strata, _rank(seed, persona, *source, row["item_id"]), (row,))


def _pair(first: Row, second: Row, seed: int) -> _Candidate:
    personas, category = (first["persona"], second["persona"]), first["category"] or ""
    source = (first["model"], first["task"])
    strata = (
        ("pair", *personas),
        ("cell of pairs", *personas, category),
        ("category of pairs", category),
        ("source of pairs", *personas, *source),
        ("question", first["task"], first["item_id"]),
    )
    return _Candidate(strata, _rank(seed, *personas, *source, first["item_id"]), (first, second))


def draw(
    answers: pl.DataFrame, seed: int, n_answers: int, n_pairs: int, baseline: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw what clinicians rate, and put it in order.

    Args:
        answers: one row per answer, with columns `model`, `task`, `persona`, `item_id`, `category`,
            `question`, `text`, `form` and `masked` (of `mask`).
        seed: of the draw, of the sides and of the order.
        n_answers: single answers of every form.
        n_pairs: pairs of every form: two personas' answers of one model to one question.
        baseline: where pairs of personas cannot all come equally often, its pairs come first.

    Returns:
        The table `TASKS`, and the table `COUNTS` of what there was and what was drawn (`versus`
        is null for single answers). Answers without text and pairs of equal texts are counted
        and not drawn.

        Persona × category cells differ by at most one, but for cells that have no more answers;
        within that, so do personas. Categories, models and questions come as evenly as
        this leaves. Pairs of personas differ by at most one too, and so does how often either of
        a pair is shown as A. Forms follow each other; within a form the order is random.

    Raises:
        ValueError: an answer stands twice.
    """
    keys = ["model", "task", "persona", "item_id"]
    if answers.select(keys).is_duplicated().any():
        raise ValueError("answers: a model, task, persona and item stand twice")
    tasks: list[Row] = []
    counts: list[Row] = []
    for form in answers["form"].unique().sort():
        rows = answers.filter(pl.col("form") == form).sort(keys).to_dicts()
        singles = [_single(row, seed) for row in rows]
        together: dict[tuple[str, ...], list[Row]] = {}
        for row in sorted(rows, key=lambda row: str(row["persona"])):
            together.setdefault((row["model"], row["task"], row["item_id"]), []).append(row)
        pairs = [_pair(*two, seed) for same in together.values() for two in combinations(same, 2)]
        taken: dict[Stratum, float] = defaultdict(float)
        # In every round, pairs with the baseline are half a count ahead of the others.
        taken |= {pair.strata[0]: 0.5 * (baseline not in pair.personas) for pair in pairs}
        drawn = _evenly(singles, n_answers, taken)
        drawn += _sided(_evenly(pairs, n_pairs, taken), seed)
        counts += _counts(form, [*singles, *pairs], drawn)
        drawn.sort(key=lambda one: _rank(seed, "order", one.rank))
        tasks += [_task(number, one) for number, one in enumerate(drawn, start=len(tasks) + 1)]
    return pl.DataFrame(tasks, schema=TASKS), pl.DataFrame(counts, schema=COUNTS)


def _rank(seed: int, *parts: str) -> str:
    return sha256_bytes("\0".join((str(seed), *parts)).encode())


def _words(text: str | None) -> str:
    """The words of a text, to see whether there are any and whether two texts have the same."""
    return " ".join((text or "").replace(MASK, " ").split())


def _evenly(
    candidates: Iterable[_Candidate], n: int, taken: dict[Stratum, float]
) -> list[_Candidate]:
    """At most `n` to be shown, one by one, each of the strata taken least; adds to `taken`."""
    left = [one for one in candidates if not one.empty and not one.identical]
    drawn: list[_Candidate] = []
    while left and len(drawn) < n:
        best = min(left, key=lambda one: (*(taken[s] for s in one.strata), one.rank))
        left.remove(best)
        drawn.append(best)
        for stratum in best.strata:
            taken[stratum] += 1
    return drawn


def _sided(pairs: Iterable[_Candidate], seed: int) -> list[_Candidate]:
    """The pairs with A and B chosen: evenly for every two personas, then for every persona."""
    ahead: Counter[Stratum] = Counter()
    sided = []
    for pair in pairs:

        def cost(sides: tuple[Row, ...], rank: str = pair.rank) -> tuple[int, int, str]:
            a, b = (side["persona"] for side in sides)
            return ahead[a, b], ahead[(a,)] - ahead[(b,)], _rank(seed, rank, a)

        sided.append(replace(pair, sides=min(pair.sides, pair.sides[::-1], key=cost)))
        a, b = sided[-1].personas
        ahead.update([(a, b), (a,)])
        ahead.subtract([(b,)])
    return sided


def _counts(form: str, candidates: Iterable[_Candidate], drawn: Iterable[_Candidate]) -> list[Row]:
    counts: dict[Stratum, Counter[str]] = defaultdict(Counter)
    for one in candidates:
        found = {"available": 1, "empty": int(one.empty), "identical": int(one.identical)}
        counts[one.personas].update({**found, "drawn": 0})
    for one in drawn:
        counts[tuple(sorted(one.personas))]["drawn"] += 1
    return [
        {"form": form, "persona": who[0], "versus": who[1] if who[1:] else None, **counts[who]}
        for who in sorted(counts, key=lambda who: (len(who), who))
    ]


def _task(number: int, drawn: _Candidate) -> Row:
    shared = ("form", "model", "task", "item_id", "category", "question")
    sided = {
        f"{name}_{side}": row[name]
        for side, row in zip("ab", drawn.sides, strict=False)
        for name in ("persona", "text", "masked")
    }
    return {"number": number, **{name: drawn.sides[0][name] for name in shared}, **sided}
