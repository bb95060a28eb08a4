"""Models that a study asks with and without an adapter, and the personas of its training."""

from __future__ import annotations

from typing import Any

from .conditions import base_of, is_derived, plain, split

# Of studies that ask a model with and without an adapter.
TUNING_TABLES = ("tuning",)


def tuned_models(study: Any) -> list[str]:
    """Ids of the models with an adapter whose base the study asks as well, in its order."""
    return [id_ for id_ in study.models if is_derived(id_) and base_of(id_) in study.models]


def tuned_tasks(study: Any) -> list[str]:
    """Ids of the tasks in which both are compared: those with a right answer, arms apart."""
    if not tuned_models(study):
        return []
    return [id_ for id_ in plain(study.tasks_having("measures")) if study.traits(id_).reference]


def tuned_pairs(study: Any) -> list[dict[str, Any]]:
    """The `model`, its `base`, its `adapter`, and with which personas it was `trained_with`.

    The latter are those whose sentences stood before the prompts of the training, in the order of
    the adapter's file; None of an adapter that was not trained here, and of a training from files
    alone, of which nobody knows. All candidates of a file's cycles have the same ones. Whether one
    of them went on, the manifest of an adapter says that is `chosen` among candidates.
    """
    training = study.training
    found = []
    for model in tuned_models(study):
        base, adapter = split(model)
        chosen = adapter in training.validated
        candidates = training.validated[adapter].candidates if chosen else [model]
        own = [split(one)[1] for one in candidates]
        cells = [cell for id_ in own if id_ in training.cells for cell in training.cells_of(id_)]
        mix = list(dict.fromkeys(cell.persona for cell in cells)) or None
        about = {"model": model, "base": base, "adapter": adapter, "chosen": chosen}
        found.append(about | {"trained_with": mix})
    return found
