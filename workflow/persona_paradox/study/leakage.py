"""No measured task asks about what an adapter of the study was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.split import kept, split_by
from ..errors import InputError
from ..files import sources_of
from .conditions import base_of, file_of
from .study import Study
from .training import asking_parts, parts_with, split_of, validating

# Keys of a source that say what its file is, and others that say where it lies.
_PLACE = ("repo", "file", "package", "version", "member", "url", "path")

# Keys of `format` that change no row's number.
_OF_VALUES = ("missing", "decimal")


def check_leakage(study: Study) -> None:
    """Check that no task of a study asks about an item that an adapter was trained on.

    Nor about one by which adapters were chosen, and these by none that one was trained on. Data
    sets that have a file in common count as one: a row of it that one of them keeps for training
    must not be asked about in another.

    Raises:
        InputError: one sentence on the first task that does.
    """
    for id_, dataset in study.training.datasets.items():
        split_of(base_of(id_), dataset)
    for id_, task in study.tasks.items():
        base = base_of(task["dataset"])
        dataset = study.datasets[base]
        if kept(dataset.get("training", {"share": 0})) >= 1:
            raise InputError(
                f"key `tasks` of the study names {id_!r}, but all items of its data set are for "
                f"the training of adapters (config/datasets/{base}.yaml: key `training.share`); "
                "take the task out, or lower the share"
            )
        _check_task(id_, base, dataset, study, chosen=False)
    for spec in study.adapters.values():
        if "validation" in spec:
            task = spec["validation"]["task"]
            base = study.training.files["tasks"][task]["dataset"]
            _check_task(task, base, study.training.files["datasets"][base], study, chosen=True)


def _check_task(
    id_: str, base: str, dataset: Mapping[str, Any], study: Study, *, chosen: bool
) -> None:
    """Check that a task, or its validation, asks about nothing that is kept from it.

    Args:
        id_: of the task.
        base: id of its data set.
        dataset: content of that.
        study: the study.
        chosen: whether adapters are chosen by it.
    """
    files = study.training.files
    for adapter, spec in study.adapters.items():
        # What adapters were chosen by may choose others.
        kept_from = [] if chosen else validating(spec)[:1]
        for part in (*asking_parts(spec), *kept_from):
            trained = files["tasks"][part["task"]]["dataset"]
            why = shared(trained, files["datasets"][trained], base, dataset, chosen=chosen)
            if why is not None:
                what = "trained on" if part not in kept_from else "chosen by"
                raise InputError(
                    f"{file_of('tasks', id_)}: the adapter {adapter!r} was {what} items "
                    f"that this task may ask about, since {why}, or take one of them out of "
                    "the study"
                )
        for part in parts_with(spec, "file"):
            if (part["file"],) in _places(dataset):
                raise InputError(
                    f"{file_of('tasks', id_)}: the adapter {adapter!r} was trained on the "
                    f"file that this task asks about ({part['file']}); take one of them out "
                    "of the study"
                )


def shared(
    one: str,
    trained: Mapping[str, Any],
    other: str,
    measured: Mapping[str, Any],
    *,
    chosen: bool = False,
) -> str | None:
    """Why a data set may ask about rows that another keeps for training, and what to do.

    Args:
        one: id of the data set whose training split is used.
        trained: its content.
        other: id of the data set of a measured task, or of one by which adapters are chosen.
        measured: its content.
        chosen: whether it is the latter.
    """
    if one == other or not _places(trained) & _places(measured):
        # Of one data set the two sides have no item in common.
        return None
    both = f"config/datasets/{one}.yaml and config/datasets/{other}.yaml read one file"
    if "training" not in measured:
        return (
            f"{both}, and the latter keeps none of its rows for training; give both the same key "
            "`training`"
        )
    mine, theirs = split_of(one, trained), split_of(other, measured)
    # Of those that are measured none may be of either part; of those that choose, none of training.
    end, start = (mine["share"], theirs["share"]) if chosen else (kept(mine), kept(theirs))
    if mine["seed"] != theirs["seed"] or end > start:
        return f"{both} and split it differently; give both the same key `training`"
    for key, first, second in (
        ("columns.item_id", trained["columns"]["item_id"], measured["columns"]["item_id"]),
        ("columns.cluster", split_by(trained["columns"]), split_by(measured["columns"])),
        ("format", _rows(trained), _rows(measured)),
        ("source", _order(trained), _order(measured)),
    ):
        if first != second:
            return (
                f"{both}, but differ in key `{key}`, by which its rows are told; give both the same"
            )
    return None


def _places(dataset: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """What files of a data set are told by: their checksums, and where they lie."""
    found: set[tuple[str, ...]] = set()
    for source in sources_of(dataset):
        if "sha256" in source:
            found.add(("sha256", str(source["sha256"])))
        found.add(tuple(str(source[key]) for key in _PLACE if key in source))
    return found


def _rows(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """How rows are found in a file."""
    return {key: value for key, value in dataset["format"].items() if key not in _OF_VALUES}


def _order(dataset: Mapping[str, Any]) -> list[set[tuple[str, ...]]] | None:
    """The files of a data set in their order, where numbers of rows go through all of them."""
    if "prefix" not in dataset["columns"]["item_id"]:
        return None
    return [_places({"source": source}) for source in sources_of(dataset)]
