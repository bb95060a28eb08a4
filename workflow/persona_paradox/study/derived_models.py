"""Derived models: `base@adapter` is the model `base` with an adapter of config/adapters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InputError
from .conditions import MARK, split
from .cycles import file_of_adapter
from .training import answering, asking_parts, source_of, validating


def models_of(
    wanted: Iterable[str],
    written: Mapping[str, dict[str, Any]],
    adapters: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The models of some ids, in their order.

    Args:
        wanted: ids; `base@adapter` is a model with an adapter.
        written: id → content of its file, also for the base of every derived model.
        adapters: id → content of its file, for every adapter that is named.

    Returns:
        Id → model as its file has it. A derived one is its base but for `title` and `licence`,
        which name both, and `adapter`: the adapter's file, its `id` and its `source`.

    Raises:
        InputError: an adapter is not for this base, or the base runs on a server.
    """
    found = {}
    for id_ in wanted:
        base, part = split(id_)
        found[id_] = _derived(id_, written[base], adapters[part]) if part else written[base]
    return found


def training_models(
    adapters: Mapping[str, Mapping[str, Any]], files: Mapping[str, dict[str, dict[str, Any]]]
) -> dict[str, Any]:
    """The models whose answers adapters are trained on, and those that judge these.

    Args:
        adapters: id → content of its file.
        files: as `Training.files` has them.
    """
    parts = [
        (adapter, part)
        for adapter in adapters.values()
        for part in (*asking_parts(adapter), *validating(adapter))
    ]
    judged = [(adapter, part) for adapter, part in parts if "judge" in part]
    wanted = [answering(*one) for one in judged]
    wanted += [files["judges"][part["judge"]]["model"] for _, part in judged]
    return models_of(dict.fromkeys(wanted), files.get("models", {}), files.get("adapters", {}))


def _derived(id_: str, model: Mapping[str, Any], adapter: Mapping[str, Any]) -> dict[str, Any]:
    base, part = split(id_)
    name = file_of_adapter(part, adapter)
    if adapter["base"] != base:
        raise InputError(
            f"{name}: key `base` is {adapter['base']!r}, but the study names {id_!r}; name "
            f"{adapter['base']}{MARK}{part} there, or mend the key"
        )
    if model["source"]["kind"] == "server":
        raise InputError(
            f"{name}: key `base` names {base!r}, which runs on a server, where no adapter can be "
            "put on it; name a model that runs here, or let the server run the model with its "
            "adapter and describe that as a model of its own"
        )
    return {
        **model,
        "title": f"{model['title']} + {adapter['title']}",
        "licence": f"{model['licence']} (weights), {adapter['licence']} (adapter)",
        # 1 and 1.0 are one scale.
        "adapter": {
            **adapter,
            "id": part,
            "scale": float(adapter["scale"]),
            "source": source_of(adapter),
        },
    }
