"""What an archive says of its models and answers that cannot be true together.

None of it needs the weights of a model: whoever changes one thing has to change all that hangs on
it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import zip_longest
from typing import Any

import polars as pl

from ..engine.completions import ROUNDING as SERVER_ROUNDING
from ..engine.decoding import CONTROL_TOKENS, LENGTH, NO_ANSWER, STOP, TOO_LONG, Wanted
from ..engine.prepared import ADAPTER, WEIGHTS, composite
from ..engine.responses import ABOUT, LOCAL, label_mass
from ..engine.settings import Settings
from ..files import canonical_json, sha256_bytes, sources_of
from ..names import OK
from ..prompting.proof import Proof
from .verification import RELATIVE
from .withholding import MARK

# Probabilities are sums over a vocabulary in single precision.
ROUNDING = 1e-4

# Why an answer that was given ended, and why one was not given.
_GIVEN, _NOT_GIVEN = (STOP, LENGTH), (TOO_LONG, CONTROL_TOKENS, NO_ANSWER)

# What stands beside an answer only where several steps are one row.
_OF_SEVERAL_STEPS = ("thought", "n_thought_tokens", "thought_cut")

# What an answer is; equal keys have equal ones.
_ANSWER = ("text", "finish_reason", "n_tokens", "label_logprob", "token_logprob")


def of_source(manifest: Any, spec: Mapping[str, Any]) -> str | None:
    """How a manifest differs from the source that a configuration pins; None where it does not.

    Args:
        manifest: of what was fetched, untrusted.
        spec: the configuration of a model or a data set.
    """
    if not isinstance(manifest, dict):
        return "is no mapping"
    pinned: list[Any] = []
    for source in sources_of(spec):
        value = source.get("sha256")
        pinned += value if isinstance(value, list) else [value]
    # A set of several files and a model in parts have each of their own.
    several: Any = manifest.get("files", manifest.get("parts", [manifest]))
    try:
        found = [each["sha256"] for each in several]
    except (TypeError, KeyError):
        return "does not say what was fetched"
    for number, (one, other) in enumerate(zip_longest(found, pinned), start=1):
        if one != other and (other is not None or number > len(pinned)):
            return f"has SHA-256 {one}, but the configuration pins {other}"
    licence = manifest.get("licence", spec["licence"])
    if licence != spec["licence"]:
        return f"has licence {licence!r}, but the configuration {spec['licence']!r}"
    return None


def of_weights(manifest: Any, spec: Mapping[str, Any]) -> str | None:
    """How the manifest of prepared weights contradicts itself or the configuration."""
    origin = manifest.get("origin") if isinstance(manifest, dict) else None
    if not isinstance(origin, dict):
        return "does not say what the weights were made of"
    if (told := of_source(origin, spec)) is not None:
        return f"`origin` {told}"
    for key in ("size", "cache_bytes_per_token"):
        value = manifest.get(key)
        if not isinstance(value, int) or value < (key == "size"):
            return f"has {key} {value!r}, which no weights have"
    if manifest.get("format") == "none" and manifest["size"] != origin.get("size"):
        return (
            f"has size {manifest['size']}, but the weights were not converted and their source has "
            f"{origin.get('size')}"
        )
    if manifest.get("format") == "none" and manifest.get("sha256") != origin["sha256"]:
        return (
            f"has SHA-256 {manifest.get('sha256')}, but the weights were not converted and their "
            f"source has {origin['sha256']}"
        )
    return _of_files(manifest, [{"role": WEIGHTS, "sha256": manifest.get("sha256")}])


def of_derived(manifest: Any, base: Any, spec: Mapping[str, Any]) -> str | None:
    """How the manifest of a model with an adapter contradicts its base or the configuration.

    Args:
        manifest: of both, untrusted.
        base: of the weights alone, untrusted.
        spec: the configuration of the derived model.
    """
    origin = manifest.get("adapter") if isinstance(manifest, dict) else None
    if not isinstance(origin, dict) or not isinstance(base, dict):
        return "does not say what the adapter was made of"
    adapter = spec["adapter"]
    if (told := of_source(origin, adapter)) is not None:
        return f"`adapter` {told}"
    listed = [
        {"role": WEIGHTS, "sha256": base.get("sha256")},
        {"role": ADAPTER, "sha256": origin.get("sha256"), "scale": adapter["scale"]},
    ]
    if manifest.get("sha256") != (expected := composite(listed)):
        return (
            f"has SHA-256 {manifest.get('sha256')}, but weights, adapter and scale lead to "
            f"{expected}"
        )
    for key in ("format", "cache_bytes_per_token", "spells_alone", "origin"):
        if manifest.get(key) != base.get(key):
            return f"has {key} {manifest.get(key)!r}, but its base {base.get(key)!r}"
    sizes = [one for one in (base.get("size"), origin.get("size")) if isinstance(one, int)]
    if len(sizes) < len(listed) or manifest.get("size") != sum(sizes):
        return f"has size {manifest.get('size')!r}, which is not that of weights and adapter"
    return _of_files(manifest, listed)


def _of_files(manifest: Mapping[str, Any], expected: Sequence[Mapping[str, Any]]) -> str | None:
    """How the files of a manifest are not those that are expected."""
    listed = manifest.get("files")
    keys = ("role", "sha256", "scale")
    try:
        found = [{key: one[key] for key in keys if key in one} for one in listed or ()]
    except TypeError:
        found = []
    if canonical_json(found) != canonical_json(expected):
        return f"lists the files {listed!r}, which are not those that its checksum stands for"
    return None


def of_engine(
    engine: Mapping[str, Any] | None, manifest: Any, view: Mapping[str, Any]
) -> str | None:
    """How what computed a file of answers contradicts the manifest and the configuration.

    Args:
        engine: as the file says; None where it says nothing.
        manifest: of the prepared weights, untrusted.
        view: the engine's keys of the model's file.
    """
    if engine is None:
        return "does not say which engine computed it"
    if not isinstance(manifest, dict):
        return "has no manifest of its weights"
    if engine.get("weights") != manifest.get("sha256"):
        return (
            f"is of weights of SHA-256 {engine.get('weights')}, but the manifest says "
            f"{manifest.get('sha256')}"
        )
    try:
        settings = Settings.resolve(view, manifest).described
    except (KeyError, TypeError, ValueError):
        return "has weights whose manifest lacks `cache_bytes_per_token`"
    for key in sorted({*settings, *engine.keys() & {"label_forms"}}):
        value = settings.get(key)
        if canonical_json(engine.get(key)) != canonical_json(value):
            return (
                f"was computed with {key} {engine.get(key)!r}, but the configuration leads to "
                f"{value!r}"
            )
    return None


def of_prompts(
    name: str, delivered: pl.DataFrame, prompts: pl.DataFrame, backend: str, accepted: str
) -> str | None:
    """How prompts as a model read them do not follow from what was to be asked.

    Their text is compared, not their tokens, which only the model's own vocabulary can tell.
    Withheld texts are left out.

    Args:
        name: of the file.
        delivered: table of `delivery.SCHEMA`, untrusted.
        prompts: table of `prompts.SCHEMA`, made here.
        backend: what answered.
        accepted: foreign text of the model's template that may stand in a prompt.
    """
    keys = ["item_id", "prompt_id", "variant"]
    if not delivered.select(keys).equals(prompts.select(keys)):
        return f"{name} has other items or wordings than the prompts"
    for number, (read, asked) in enumerate(
        zip(delivered.iter_rows(named=True), prompts.iter_rows(named=True), strict=True), start=1
    ):
        if (told := _of_delivery(read, backend, accepted)) is not None:
            return f"{name}, row {number}: {told}"
        if read["text"].startswith(MARK):
            if read["text"] != f"{MARK}{read['prompt_sha256']}]":
                return (
                    f"{name}, row {number}: prompt_sha256 is not that of the text that is withheld"
                )
            continue
        if sha256_bytes(read["text"].encode()) != read["prompt_sha256"]:
            return f"{name}, row {number}: prompt_sha256 is not that of its text"
        for part in ("persona", "system", "user") if read["status"] == OK else ():
            if asked[part].strip() not in read["text"]:
                return f"{name}, row {number}: its text lacks the words of the prompt ({part})"
    return None


def _of_delivery(read: Mapping[str, Any], backend: str, accepted: str) -> str | None:
    """How a prompt cannot be as it is described."""
    tokens = None if read["pieces"] is None else sum(map(len, read["pieces"]))
    if tokens is not None and tokens != read["n_prompt_tokens"]:
        return "n_prompt_tokens is not the number of its tokens"
    if read["status"] not in (OK, CONTROL_TOKENS):
        return f"status {read['status']!r}, which no prompt has"
    if read["repeat"] is not None:
        return f"repeat {read['repeat']} of a prompt that is behind no answer"
    # Only here are the tokens seen.
    if (read["n_bos"] is None) == (backend == LOCAL):
        return f"n_bos {read['n_bos']} of a prompt that was read by {backend}"
    proof = Proof(**{one.name: read[one.name] for one in fields(Proof)})
    why = proof.failure(wants_bos=False, accepted=accepted) if read["status"] == OK else None
    return None if why is None else f"it would not have been run: {why}"


class Templates:
    """What is equal in all first prompts of a model, over all files of an archive."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Any] = {}

    def of_file(self, model: str, delivered: pl.DataFrame) -> str | None:
        """How a file contradicts itself, or one of the model's before."""
        for column in ("template_date", "template_thought"):
            for value in delivered[column].unique(maintain_order=True):
                before = self._seen.setdefault((model, column), value)
                if before != value:
                    return f"has {column} {value!r}, where others of the model have {before!r}"
        return None


def of_answers(
    name: str,
    asked: Sequence[Wanted],
    rows: Sequence[Mapping[str, Any]],
    backend: str,
    n_labels: int,
) -> str | None:
    """How a file of answers does not follow from its prompts, its decoding and its engine.

    Keys are compared where the prompt is not withheld.

    Args:
        name: of the file.
        asked: the answers that the prompts lead to.
        rows: of `responses.SCHEMA`, untrusted.
        backend: what answered.
        n_labels: number of labels whose probabilities were asked for.
    """
    foreign = {row["response_key"] for row in rows} - {one.key for one in asked}
    if foreign and not any(map(is_hidden, asked)):
        return (
            f"{name}: {len(foreign)} response keys are not those of its prompts, its decoding "
            "and its engine"
        )
    if len(rows) != len(asked):
        return f"{name} has {len(rows)} answers to {len(asked)} prompts"
    for number, (one, row) in enumerate(zip(asked, rows, strict=True), start=1):
        expected = about_of(one) | {"backend": backend}
        for column, value in expected.items():
            if row[column] != value:
                return (
                    f"{name}, row {number}: {column} {row[column]!r}, where the prompts lead to "
                    f"{value!r}"
                )
        if (told := _of_answer(one, row, n_labels)) is not None:
            return f"{name}, row {number}: {told}"
    return None


def is_hidden(one: Wanted) -> bool:
    """Whether the prompt of an answer is not there, so that its key cannot be computed."""
    return one.row["pieces"] is None and one.row["text"].startswith(MARK)


def about_of(one: Wanted) -> dict[str, Any]:
    """What the row of an answer says of its prompt, without the key where that is not known."""
    known = {name: one.row[name] for name in ABOUT if name in one.row} | {"repeat": one.repeat}
    return known if is_hidden(one) else known | {"response_key": one.key}


def _of_answer(one: Wanted, row: Mapping[str, Any], n_labels: int) -> str | None:
    reason, status = row["finish_reason"], one.row["status"]
    not_run = reason if reason in (CONTROL_TOKENS, NO_ANSWER) else OK
    if status not in (None, not_run):
        return f"finish_reason {reason!r} of a prompt whose status is {status!r}"
    if reason not in (*_GIVEN, *_NOT_GIVEN):
        return f"finish_reason {reason!r}, which no answer has"
    given = reason in _GIVEN
    if given != (row["text"] is not None):
        return f"finish_reason {reason!r} of an answer {'without' if given else 'with'} a text"
    if given and not row["persona_delivered"]:
        return "an answer to a prompt that lacks the persona's sentence, which is never run"
    for column in _OF_SEVERAL_STEPS:
        if row[column] is not None:
            return f"{column} {row[column]!r} in a file of single steps"
    return (
        _of_tokens(one, row, given)
        or _of_token_logprob(one, row, given)
        or _of_labels(row, n_labels if given else 0)
    )


def _of_tokens(one: Wanted, row: Mapping[str, Any], given: bool) -> str | None:
    n_tokens, most = row["n_tokens"], one.decoding.max_tokens
    # What a server counts is its own affair.
    local = row["backend"] == LOCAL
    if n_tokens is None or n_tokens < 0 or (local and n_tokens > most):
        return f"{n_tokens} tokens, where max_tokens is {most}"
    if not given and n_tokens > 0:
        return f"{n_tokens} tokens of an answer that was not given"
    if local and row["finish_reason"] == LENGTH and n_tokens != most:
        return f"finish_reason {LENGTH!r} after {n_tokens} tokens, where max_tokens is {most}"
    if local and row["text"] and n_tokens == 0:
        return "a text of 0 tokens"
    return None


def _of_token_logprob(one: Wanted, row: Mapping[str, Any], given: bool) -> str | None:
    logprob = row["token_logprob"]
    if (logprob is not None) != (given and one.decoding.token_logprobs):
        return f"token_logprob is {'missing' if logprob is None else 'there'}, against its decoding"
    if logprob is not None and row["backend"] == LOCAL and len(logprob) != row["n_tokens"]:
        return f"{len(logprob)} probabilities of {row['n_tokens']} tokens"
    if logprob is not None and not all(map(_is_logprob, logprob)):
        return "token_logprob holds what is no logarithm of a probability"
    return None


def _of_labels(row: Mapping[str, Any], n_labels: int) -> str | None:
    logprob = row["label_logprob"]
    found = 0 if logprob is None else len(logprob)
    if found != n_labels or (logprob is not None and not n_labels):
        return f"label_logprob of {found} labels, where it must have {n_labels}"
    # A server lists the likeliest tokens alone: the others count as impossible.
    known = math.isfinite if row["backend"] == LOCAL else lambda value: not math.isnan(value)
    if logprob is not None and not all(one is not None and known(one) for one in logprob):
        return "label_logprob holds what is no number"
    mass = label_mass(logprob)
    if (mass is None) != (row["label_mass"] is None) or (
        mass is not None and not math.isclose(mass, row["label_mass"], rel_tol=RELATIVE)
    ):
        return "label_mass is not that of its label_logprob"
    if mass is not None and mass > 1 + ROUNDING:
        return f"the probabilities of its labels add up to {mass!r}"
    return None


def _is_logprob(value: float | None) -> bool:
    # Servers round; NaN is below nothing.
    return value is not None and value <= SERVER_ROUNDING


class Keys:
    """Answers by key, over all files of an archive."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def of_rows(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[int]:
        """Numbers of rows, from 1, whose key had another answer before."""
        for number, row in enumerate(rows, start=1):
            if row["response_key"] is None:
                continue
            answer = sha256_bytes(repr([row[name] for name in _ANSWER]).encode())[:16]
            if self._seen.setdefault(row["response_key"], answer) != answer:
                yield number
