"""Personas that are no text, or not text alone: a push of the residual stream, or a cap on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InputError
from .conditions import file_of
from .readings import default_of, read_models, read_tasks, roles_of, steered
from .study import Study

# What a vector points to that is no single persona.
ROLES = "roles"

# A scale beyond it is a slip; far beyond, the stream overflows. Our own bound.
_LARGEST = 1_000_000

# What moves the model.
PUSH, CAP = "push", "cap"


def steering_views(study: Study) -> Iterator[tuple[str, Any]]:
    """What the vectors of a steered persona are made of, for each of these."""
    for id_ in steered(study):
        asked = study.personas[id_]["steering"]
        yield (
            f"steering/{id_}",
            {
                "towards": towards(study, id_),
                "default": default_of(study),
                "tasks": vector_rounds(study),
                "depths": depths(study, asked),
                "scale": asked.get("scale"),
                "cap": asked.get("cap"),
            },
        )
    if steered(study):
        yield "doses", _doses_view(study)


def _doses_view(study: Study) -> dict[str, Any]:
    """What is told of every dose, and from where on an answer is incoherent."""
    asked = study.settings["readings"]
    doses = []
    for id_ in steered(study):
        own = study.personas[id_]["steering"]
        way = PUSH if "scale" in own else CAP
        dose = float(own["scale"] if "scale" in own else own["cap"])
        doses.append({"persona": id_, "towards": own["towards"], "way": way, "dose": dose})
    texts = [one["towards"] for one in doses if one["towards"] in study.personas]
    return {
        "models": read_models(study),
        "tasks": list(read_tasks(study)),
        "default": default_of(study),
        "personas": list(dict.fromkeys([default_of(study), *texts, *steered(study)])),
        "doses": doses,
        "metrics": asked["metrics"] if asked else [],
        "incoherent": asked["incoherent"] if asked else {},
    }


def depths(study: Study, asked: Mapping[str, Any]) -> list[float]:
    """Where a steered persona is moved: its own depths, or all that are read."""
    own: list[float] | None = asked.get("depths")
    read = study.settings["readings"]
    return own if own is not None else read["depths"] if read else []


def towards(study: Study, persona: str) -> list[str]:
    """Ids of the personas whose mean a persona is steered to, from the default."""
    target = study.personas[persona]["steering"]["towards"]
    return roles_of(study) if target == ROLES else [target]


def vector_tasks(study: Study) -> list[str]:
    """Ids of the tasks whose readings make vectors."""
    asked = study.settings["readings"]
    own = asked["vectors"] if asked else None
    return list(read_tasks(study)) if own is None else own


def vector_rounds(study: Study) -> list[str]:
    """The same; of conversations the first answers."""
    return [read_tasks(study)[task][0] for task in vector_tasks(study)]


def vector_files(study: Study, model: str, persona: str) -> list[str]:
    """The readings that the vectors of a steered persona are made of."""
    both = sorted({default_of(study), *towards(study, persona)})
    return [
        f"results/readings/{model}/{task}/{one}.parquet"
        for task in vector_rounds(study)
        for one in both
    ]


def check_steering(study: Study) -> None:
    """Check that there is something to steer to, and a model that can be steered.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    asked = study.settings["readings"]
    for id_ in study.training.personas:
        if "steering" in study.training.personas[id_]:
            raise InputError(
                f"{file_of('personas', id_)}: key `steering` moves a model while it answers, which "
                "is no answer that an adapter is trained on; name a persona without the key"
            )
    _check_ends(study)
    for id_ in steered(study):
        name = file_of("personas", id_)
        own = study.personas[id_]["steering"]
        _check_dose(name, id_, own)
        if asked is None:
            raise InputError(
                f"{name}: key `steering` needs vectors, which are made of readings; add key "
                "`readings` to the study, or take the persona out of key `personas`"
            )
        if study.servers and any(model in study.servers for model in study.models):
            raise InputError(
                f"{name}: key `steering` moves a model that runs here, but {study.servers[0]} runs "
                "on a server; take either out of the study"
            )
        known = [one for one in study.personas if one not in steered(study)]
        if own["towards"] != ROLES and own["towards"] not in known:
            raise InputError(
                f"{name}: key `steering.towards` is {own['towards']!r}, which is no persona of the "
                f"study without steering; write {ROLES}, or one of {', '.join(known)}"
            )
        if own["towards"] == default_of(study):
            raise InputError(
                f"{name}: key `steering.towards` is {own['towards']!r}, from which vectors begin; "
                f"write {ROLES}, or another persona"
            )
        for depth in depths(study, own):
            if depth not in asked["depths"]:
                raise InputError(
                    f"{name}: key `steering.depths` names {depth}, which key `readings.depths` of "
                    "the study does not read; add it there, or name one of "
                    f"{', '.join(map(str, asked['depths']))}"
                )
    for id_ in vector_tasks(study):
        if id_ not in read_tasks(study):
            raise InputError(
                f"key `readings.vectors` of the study names {id_!r}, which key `readings.tasks` "
                "does not list; add it there, or name one of these"
            )


def _check_ends(study: Study) -> None:
    """Check that vectors lie between answers of which none is steered by one."""
    moved = steered(study)
    if moved and default_of(study) in moved:
        asked = study.settings["readings"]
        key = "readings.default" if asked and asked["default"] is not None else "baseline"
        raise InputError(
            f"key `{key}` of the study is {default_of(study)!r}, from which vectors begin, but "
            "that persona is steered by such a vector; name one without key `steering`"
        )
    roles = [one for one in roles_of(study) if one in moved]
    for id_ in moved:
        if roles and study.personas[id_]["steering"]["towards"] == ROLES:
            raise InputError(
                f"{file_of('personas', id_)}: key `steering.towards` is {ROLES!r}, but "
                f"{roles[0]!r} is of a group of key `readings.roles` of the study and steered "
                "itself; give that persona another `group`"
            )


def _check_dose(name: str, persona: str, own: Mapping[str, Any]) -> None:
    """Check that a persona says by how much it moves a model, and says it once."""
    if ("scale" in own) == ("cap" in own):
        raise InputError(
            f"{name}: key `steering` has {'both' if 'cap' in own else 'neither'} of `scale` "
            "and `cap`; write one of them"
        )
    for key, number in (("scale", own.get("scale", 0)), ("cap", own.get("cap", 0))):
        if isinstance(number, str):
            raise InputError(
                f"{name}: key `steering.{key}` is {number!r}, but only a set of personas has "
                "factors; write a number"
            )
        if key == "scale" and abs(number) > _LARGEST:
            raise InputError(
                f"{name}: key `steering.scale` of {persona} is {number:g}, which moves the model "
                f"beyond all numbers; write one from {-_LARGEST} to {_LARGEST}"
            )
        if key == "cap" and not 0 <= number <= 1:
            raise InputError(
                f"{name}: key `steering.cap` of {persona} is {number:g}, but a quantile is from 0 "
                "to 1; write another number"
            )
