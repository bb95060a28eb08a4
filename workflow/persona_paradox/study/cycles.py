"""Adapters that are trained in cycles, and the choice of one among the candidates of a cycle.

A file with key `training.cycles` stands for adapters `id_1`, `id_2`, …, each trained on answers of
the one before. Where a validator chooses (key `training.validation`), `id_2` is the best candidate
of the cycle, and `id_2_dpo` and `id_2_kto` are the candidates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..data.split import VALIDATION
from ..errors import InputError
from .conditions import MARK, split

# Of studies that ask a base and what became of it in cycles.
CYCLE_TABLES = ("cycles",)

# The id of a cycle's adapter: that of the file, the number, and of a candidate its method.
_ID = re.compile(r"(?P<file>.+?)_(?P<number>0|[1-9]\d*)(_(?P<method>dpo|kto))?")


def cycle_named(id_: str) -> tuple[str, int, str | None] | None:
    """What an id may mean: the id of a file, the number of a cycle, and of a candidate its method.

    None where it can name no cycle.
    """
    found = _ID.fullmatch(id_)
    return None if found is None else (found["file"], int(found["number"]), found["method"])


def file_of_adapter(id_: str, adapter: Mapping[str, Any]) -> str:
    """The file that an adapter is written in, as errors call it.

    Args:
        id_: of the adapter.
        adapter: what `load_adapter` made of that file.
    """
    return f"config/adapters/{adapter.get('cycle', {}).get('file', id_)}.yaml"


def is_of_validated(adapter: Mapping[str, Any]) -> bool:
    """Whether an adapter is chosen by a validator, or is a candidate."""
    return VALIDATION in adapter or adapter.get("cycle", {}).get("candidate", False)


def methods_of(training: Mapping[str, Any]) -> list[str]:
    """The methods of the candidates of a cycle."""
    method = training["method"]
    return [method] if isinstance(method, str) else list(method)


def check_cycles(name: str, adapter: Mapping[str, Any]) -> None:
    """Check that what needs cycles or a validator has them.

    Raises:
        InputError: it has not; `name` is the adapter's file.
    """
    training = adapter.get("training", {})
    if VALIDATION in training and "cycles" not in training:
        raise InputError(
            f"{name}: key `training.{VALIDATION}` chooses after every cycle, but key "
            "`training.cycles` is missing; write it, 1 for one cycle"
        )
    if not isinstance(training.get("method", ""), str) and VALIDATION not in training:
        raise InputError(
            f"{name}: key `training.method` is a list, but nothing chooses among its methods; "
            f"write key `training.{VALIDATION}`, or one method"
        )
    if VALIDATION in training and "sft" in methods_of(training):
        raise InputError(
            f"{name}: key `training.method` is 'sft', but key `training.{VALIDATION}` chooses "
            "among what is trained on judged answers; use dpo, kto or a list of both"
        )


def families(study: Any) -> list[dict[str, Any]]:
    """Bases of a study beside what became of them in cycles.

    Returns:
        For each: `family`, the id of the adapters' file; `base`; `models`, cycle → model, with
        the base as cycle 0; and whether the adapters are `validated`, chosen among candidates.
        Only of those whose base the study asks, too.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for model in study.models:
        base, part = split(model)
        cycle = study.adapters[part].get("cycle") if part else None
        if cycle and not cycle.get("candidate") and base in study.models:
            about = {"family": cycle["file"], "base": base, "models": {0: base}}
            about["validated"] = VALIDATION in study.adapters[part]
            one = found.setdefault((cycle["file"], base), about)
            one["models"][cycle["number"]] = model
    return [one | {"models": dict(sorted(one["models"].items()))} for one in found.values()]


def of_cycle(
    id_: str, adapter: Mapping[str, Any], number: int, method: str | None = None
) -> dict[str, Any]:
    """The adapter of one cycle, as if it had a file of its own.

    Its key `cycle` says of which `file` it is, the `number` of the cycle, how many there are
    (`of`), and the adapter of the cycle `before` (None in the first one). Where a validator
    chooses, the adapter that goes on has the key `validation`, with its `candidates`, in the place
    of `training`.

    Args:
        id_: of the file with key `cycles`.
        adapter: content of that file.
        number: of the cycle, from 1.
        method: of a candidate.

    Raises:
        InputError: there are fewer cycles, or no such candidate.
    """
    name = f"config/adapters/{id_}.yaml"
    n = adapter["training"]["cycles"]
    if not 1 <= number <= n:
        raise InputError(
            f"{name}: key `training.cycles` is {n}, so that there is no {id_}_{number}; use one of "
            f"{', '.join(f'{id_}_{one}' for one in range(1, n + 1))}, or raise the key"
        )
    methods = methods_of(adapter["training"])
    chosen = VALIDATION in adapter["training"]
    if method is not None and not (chosen and method in methods):
        raise InputError(
            f"{name}: no cycle has a candidate {id_}_{number}_{method}; name {id_}_{number}, or "
            f"mend keys `training.method` and `training.{VALIDATION}`"
        )
    before = None if number == 1 else f"{id_}_{number - 1}"
    cycle = {"file": id_, "number": number, "of": n, "before": before}
    model = adapter["base"] if before is None else f"{adapter['base']}{MARK}{before}"
    kept = {key: value for key, value in adapter.items() if key not in ("product", "training")}
    kept |= {"title": f"{adapter['title']}, cycle {number}", "cycle": cycle}
    if chosen and method is None:
        candidates = [f"{id_}_{number}_{one}" for one in methods]
        about = {"candidates": candidates, "before": model, "seed": adapter["training"]["seed"]}
        return kept | {VALIDATION: adapter["training"][VALIDATION] | about}
    data = [
        {**part, "answers": {"model": model, **part["answers"]}} if "answers" in part else part
        for part in adapter["training"]["data"]
    ]
    left = ("cycles", VALIDATION)
    training = {key: value for key, value in adapter["training"].items() if key not in left}
    if method is not None:
        kept["title"] += f", {method}"
        kept["cycle"] = cycle | {"candidate": True}
        training["method"] = method
    return kept | {"training": training | {"data": data}}
