"""The parts of a study that single stages depend on.

A view is the part of the configuration that one stage of one cell depends on, as
JSON with sorted keys in a file named by its content. Rules take views as inputs, so that
a rule runs again exactly where the meaning of its configuration changed: not for a
comment, the order of keys, a title, or a persona of another cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..figures.catalogue import figures
from ..files import canonical_json, sha256_bytes, write_text
from ..kinds import asking, base
from ..names import ALL, CRITERIA, RATED, RELATION, USER
from .ambiguity import ambiguity_shown, ambiguity_views
from .arm_rules import names_answers
from .arms import view_of as arm_view
from .conditions import base_of, file_of, is_derived
from .identification import identification_view, identification_views, named_tasks
from .inventory import prompted
from .judge_views import judge_shown, judge_views, judged_metrics, judged_view
from .measured_views import comparison_views, measured, measures_view
from .raters import titles, word_tasks, word_views
from .reader_views import reader_views
from .readings import read_tasks, reading_views, readings_shown
from .rounds import thought_tasks, with_rounds
from .routing import routing_shown, routing_views
from .rubrics import criteria_tasks
from .steering import steering_views
from .study import Study
from .training import is_trained
from .training_views import control_tokens, split_view, training_views

# What figures call the column by which a sample is drawn.
STRATA = {"reference": "reference level"}
# And the groups of items by what they are to a persona.
RELATION_TITLE = "Relation to the persona's field"


# What clinicians say of all criteria of an answer together, as they are asked one by one.
_CRITERIA_SHOWN = {"id": CRITERIA, "title": "Criteria met", "rating": None, "values": [0, 1]}


def views(study: Study) -> Iterator[tuple[str, Any]]:
    """The views of a study: name and content of each."""
    settings = study.settings
    yield from _model_views(study)
    for id_, dataset in (study.datasets | study.training.datasets).items():
        yield from _dataset_views(id_, dataset, study)
    for id_ in study.personas:
        yield f"personas/{id_}", {"texts": study.texts(id_)} | control_tokens(study.personas[id_])
    for id_ in prompted(study):
        yield f"prompts/{id_}", _prompt_view(id_, study.asked_tasks[id_], study, settings)
    for id_, task in study.training.tasks.items():
        # What is trained on is the same in every study.
        own = {**settings, "seed": study.dataset_of(id_)["training"]["seed"]}
        yield f"prompts/{id_}", _prompt_view(id_, task, study, own)
        yield from study.spec(id_).views(id_, task, study.dataset_of(id_), own)
    yield from training_views(study, _window)
    for id_ in study.before:
        yield f"turns/{id_}", {"turns": study.asked_tasks[id_]["turns"]}
    for thinker in study.thinking_models:
        for id_, task in study.asked_tasks.items():
            yield f"thoughts/{thinker}/{id_}", _thoughts_view(study.models[thinker], task, study)
    for id_, task in study.asked_tasks.items():
        yield from study.spec(id_).views(id_, task, study.dataset_of(id_), settings)
    for id_ in study.active_judges:
        yield from with_rounds(id_, judge_views(id_, study), study)
    yield from word_views(study)
    yield from identification_views(study)
    yield from reader_views(study)
    statistics: dict[str, Any] = {**settings["statistics"], "seed": settings["seed"]}
    resampling = {key: statistics[key] for key in ("bins", "confidence", "draws", "seed")}
    yield "calibrate", resampling
    methods = {"folds": statistics["folds"], "methods": settings["recalibrations"]}
    methods |= {"personas": sorted(study.personas)}
    yield "recalibrate", resampling | methods
    elsewhere = ("binned_ece_warning_below", "too_few_below", "proportionate", "folds", "factors")
    if statistics["family"]["groups"] == ALL:
        statistics["family"] = statistics["family"] | {"groups": study.ids_of("groups")}
    yield "statistics", {key: statistics[key] for key in statistics if key not in elsewhere}
    answered = [[c.model, c.task, c.persona] for c in study.cells]
    yield "answered", {"cells": answered}
    yield from _window_views(study)
    thinking = [cell for cell in answered if cell[0] in study.thinking_models]
    yield "thinking", {"thinking": thinking}
    yield (
        "cells",
        {
            "baseline": settings["baseline"],
            "cells": [[c.model, c.task, c.persona] for c in study.cells_having("measures")],
            "rated": [
                [c.model, c.task, c.persona] for c in study.measured_cells if c.model in RATED
            ],
            "groups": {id_: persona["group"] for id_, persona in study.personas.items()},
            "tasks": {id_: measured(id_, study) for id_ in study.tasks_having("measures")},
        },
    )
    for id_ in study.tasks_having("measures"):
        yield f"measures/{id_}", measures_view(id_, study)
    yield from comparison_views(study)
    yield from routing_views(study)
    yield from ambiguity_views(study)
    yield from reading_views(study)
    yield from steering_views(study)
    shown_here = _figures_view(study)
    for kind in sorted({figures()[id_].kind or "" for id_ in study.possible_figures} - {""}):
        tasks = {id_: shown(id_, study) for id_ in study.tasks_shown(kind)}
        yield f"figures/{kind}", shown_here | {"tasks": tasks}
    yield "judged_figures", shown_here | _judged_figures_view(study)
    yield "judged", judged_view(study)


def _model_views(study: Study) -> Iterator[tuple[str, Any]]:
    """Where models come from, and how they are prepared, run and asked."""
    # Also those that only an adapter is trained of, which judges answers to train another on.
    trained = study.training.files.get("models", {})
    for id_, model in (trained | study.written_models).items():
        yield f"models/{id_}", {"source": model["source"], "licence": model["licence"]}
        yield f"prepare/{id_}", {"prepare": model["prepare"]}
    for id_ in filter(is_derived, study.known_models):
        adapter = study.known_models[id_]["adapter"]
        if not is_trained(adapter):
            yield f"models/{id_}", {key: adapter[key] for key in ("source", "licence")}
        yield f"scale/{id_}", {"scale": adapter["scale"]}
    for id_, model in (trained | study.base_models | study.known_models).items():
        yield f"engine/{id_}", {k: v for k, v in model["engine"].items() if k != "threads"}
        yield f"templates/{id_}", template_view(file_of("models", id_), model)


def _dataset_views(id_: str, dataset: Mapping[str, Any], study: Study) -> Iterator[tuple[str, Any]]:
    """How items are read, or made of others, and their subgroups."""
    if id_ in study.changed_datasets:
        stratum = {"stratum": base.traits(study.kind_of(id_)).stratum}
        yield f"arms/{id_}", arm_view(id_, dataset) | stratum | _answers_named(id_, study)
    else:
        yield f"datasets/{id_}", reading_view(id_, dataset, study)
    if dataset.get("subgroups"):
        yield f"groups/{id_}", {"subgroups": dataset["subgroups"]}


def reading_view(id_: str, dataset: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """How the items of a data set are read from its files."""
    reading = {k: dataset[k] for k in ("source", "format", "columns", "licence")}
    reading |= {"where": dataset["where"]} if "where" in dataset else {}
    reading |= base.spec(study.kind_of(id_)).reading(dataset)
    # Which kept column names the clusters matters to the scores alone.
    reading["columns"] = {k: v for k, v in dataset["columns"].items() if k != "cluster"}
    # Only where there are some, so that items that were read stay.
    if reading["columns"].get(CRITERIA) is None:
        reading["columns"].pop(CRITERIA, None)
    return reading | split_view(id_, dataset)


def _answers_named(id_: str, study: Study) -> dict[str, Any]:
    """What the tasks of an arm's data set call its answers, where its rule must know.

    Raises:
        InputError: they call them differently, or in another order.
    """
    if not names_answers(study.datasets[id_]["arm"]):
        return {}
    tasks = [task for task, spec in study.tasks.items() if spec["dataset"] == id_]
    found = [base.answers(study.tasks[t], study.datasets[id_], study.settings) for t in tasks]
    for task, answers in zip(tasks, found, strict=True):
        if answers != found[0]:
            raise InputError(
                f"{file_of('tasks', task)}: the task calls its answers otherwise than {tasks[0]}, "
                "so that one arm cannot name them for both; take an arm of either out of key "
                "`tasks` of the study"
            )
    return {"answers": found[0]}


def _prompt_view(
    id_: str, task: Mapping[str, Any], study: Study, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What the chats of a task depend on besides the data set and the persona."""
    limit = study.limit_of(id_)
    prompt = {"instruction": task.get("instruction", ""), "user": task["user"]}
    prompt |= {"null_cases": task.get("null_cases", []), "limit": limit}
    # Only where it is not where it always was, so that prompts that were written stay.
    prompt |= {"placement": USER} if task.get("placement") == USER else {}
    if limit is not None:
        prompt["seed"] = settings["seed"]
        traits = study.traits(id_)
        prompt |= {"stratum": traits.stratum, "evenly": traits.evenly}
        if kept := sorted(set(settings["limit_keeps"]).intersection(study.strata(id_))):
            prompt |= {"limit_keeps": kept}
    return prompt | base.prompted(task, study.dataset_of(id_), settings)


def _window_views(study: Study) -> Iterator[tuple[str, Any]]:
    """How much of every model's window is left for the prompts of every task."""
    windows = {
        id_: {name: _window(model, task) for name, task in study.asked_tasks.items()}
        for id_, model in study.models.items()
    }
    yield "windows", windows
    for id_, tasks in windows.items():
        for name, window in tasks.items():
            yield f"window/{id_}/{name}", window


def _window(model: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, int | None]:
    """A model's window, null on a server, and most tokens of what it first writes in a task."""
    most = task["decoding"]["max_tokens"]
    if model["thinking"]["think"]:
        most = model["thinking"]["max_tokens"]
    elif task.get("rationale") is not None:
        most = task["rationale"].get("max_tokens", asking.RATIONALE_TOKENS)
    server = model["source"]["kind"] == "server"
    return {"context": None if server else model["engine"]["context"], "max_tokens": most}


def _thoughts_view(
    model: Mapping[str, Any], task: Mapping[str, Any], study: Study
) -> dict[str, Any]:
    """How the thoughts of a model in a task are produced: drawn where its answers are."""
    most = {"max_tokens": model["thinking"]["max_tokens"]}
    unbound = {"stop": [], "token_logprobs": False} | asking.UNBOUND
    return asking.decoding(task, [], study.settings["seed"]) | unbound | most


def template_view(name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """What the rendering of chats depends on besides the weights.

    Raises:
        InputError: the template of a server's model cannot be read.
    """
    view = {"accepted_template_text": model["accepted_template_text"]}
    thinking = {key: model["thinking"][key] for key in ("think", "open", "close")}
    if thinking["think"] or thinking["open"] is not None:
        view["thinking"] = thinking
    source = model["source"]
    if source["kind"] != "server":
        return view
    try:
        text = Path(source["template"]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{name}: key `source.template` names {source['template']}, which cannot be read "
            f"({error}); put the model's chat template (Jinja) there"
        ) from error
    return view | {"text": text, "bos": source["bos"], "eos": source["eos"]}


def _sample_note(id_: str, study: Study) -> str | None:
    """What figures say of a sample, in a sentence."""
    limit = study.limit_of(id_)
    if limit is None:
        return None
    traits, strata = study.traits(id_), study.strata(id_)
    what = "items" if traits.reference else "questions"
    kept = [strata[one] for one in strata if one in study.settings["limit_keeps"]]
    # Arms have the items of their base.
    dataset = study.datasets[base_of(study.tasks[id_]["dataset"])]
    # A data set may name the column itself, or none.
    by = dataset["columns"].get("stratum", STRATA.get(traits.stratum, traits.stratum))
    return (
        f"{dataset['title']}: at most {limit} {what}, drawn with seed {study.settings['seed']}"
        + (f" and stratified by {by}" if by else "")
        + (
            f", with every item of {' and '.join(kept)}, which are more than their share"
            * bool(kept)
        )
        + "."
    )


def shown(id_: str, study: Study) -> dict[str, Any]:
    """What figures and summary say of a task, of every kind and of its own."""
    task, dataset = study.tasks[id_], study.dataset_of(id_)
    own = dict(study.spec(id_).shown(task, dataset))
    if study.relations(id_):
        own["subgroups"] = own["subgroups"] | {RELATION: RELATION_TITLE}
    return {
        **own,
        "kind": task["kind"],
        "title": task["title"],
        "dataset": dataset["title"],
        "teaching": dataset["origin"] == "teaching",
        "context": dataset["context"],
        "sample": _sample_note(id_, study),
        "clustered": dataset["columns"]["cluster"] is not None,
        **_arm_shown(task),
    }


def _arm_shown(task: Mapping[str, Any]) -> dict[str, Any]:
    """Of an arm, what it is called and the task that it is one of."""
    arm = task.get("arm")
    return {"arm": {key: arm[key] for key in ("base", "title")}} if arm else {}


def _figures_view(study: Study) -> dict[str, Any]:
    """What figures and summary call things.

    `models`, `raters` (id → title), `personas` (id → title and group), `tasks` with scores (see
    `shown`); `contexts` and `groups` of personas, a list of `id` and `title` in the order in which
    the study comes upon them.
    """
    statistics = study.settings["statistics"]
    return {
        "title": study.settings["title"],
        "baseline": study.settings["baseline"],
        "seed": study.settings["seed"],
        **{
            key: statistics[key]
            for key in (
                "confidence",
                "draws",
                "interval",
                "power",
                "binned_ece_warning_below",
                "too_few_below",
                "small_group_below",
            )
        },
        "margin": statistics["margins"].get("accuracy"),
        "models": {
            id_: model["title"] + (" (server)" if id_ in study.servers else "")
            for id_, model in study.models.items()
        },
        "personas": {
            id_: {"title": p["title"], "group": p["group"]} for id_, p in study.personas.items()
        },
        "raters": titles(study),
        # How often what the words tell was learned, where somebody asks.
        **({"folds": statistics["folds"]} if word_tasks(study) else {}),
        "tasks": {id_: shown(id_, study) for id_ in study.tasks_having("scoring")},
        # Only where there are some, so that figures of other studies stay.
        **({"factor_sets": study.factor_sets} if study.factor_sets else {}),
        **{
            key: [{"id": id_, "title": study.titles[key][id_]} for id_ in study.ids_of(key)]
            for key in ("contexts", "groups")
        },
    }


def _named_shown(study: Study) -> dict[str, Any]:
    """What figures call the options among which personas are named, and the tasks of it."""
    tasks = named_tasks(study)
    if not tasks:
        return {}
    options = identification_view(study)["options"]
    return {"options": options, "tasks": {id_: shown(id_, study) for id_ in tasks}}


def _readings_shown(study: Study) -> dict[str, Any]:
    """What figures say of the readings, where the study has some."""
    if not study.has("readings"):
        return {}
    tasks = {id_: shown(id_, study) for id_ in read_tasks(study)}
    return {"readings": {**readings_shown(study), "tasks": tasks}}


def _judged_figures_view(study: Study) -> dict[str, Any]:
    """What figures of judges and clinicians need besides."""
    followed = list(dict.fromkeys(task for _, _, task in study.followed))
    return {
        "persona_order": list(study.personas),
        "ranked": study.ranked,
        "judges": {id_: judge_shown(id_, study) for id_ in study.active_judges},
        "judged_metrics": judged_metrics(study),
        "judged_tasks": {
            id_: _judged_task_shown(id_, form, study)
            for form, ids in {"": thought_tasks(study), **study.form_tasks}.items()
            for id_ in ids
        },
        **({"conversations": followed} if followed else {}),
        **({"routing": routing_shown(study)} if study.has("routing") else {}),
        **_readings_shown(study),
        **ambiguity_shown(study),
        # Only where somebody is named, so that figures of other studies stay.
        **({"identification": named} if (named := _named_shown(study)) else {}),
    }


def _judged_task_shown(id_: str, form: str, study: Study) -> dict[str, Any]:
    """What figures say of a task that is judged, by clinicians in a form, or by judges alone."""
    if form not in study.forms:
        return {"categories": [], **shown(id_, study), "questions": [], "confidence": []}
    return {
        "categories": [],
        **shown(id_, study),
        "questions": [
            {
                "id": question["id"],
                "title": question["title"],
                "rating": question.get("rating"),
                "values": sorted(option["value"] for option in question["options"]),
            }
            for question in study.forms[form]["questions"]
        ]
        + ([_CRITERIA_SHOWN] if id_ in criteria_tasks(study) else []),
        "confidence": study.forms[form]["confidence"]["options"],
    }


def write_views(study: Study, folder: str) -> dict[str, str]:
    """Write the views of a study below `folder`; name → path.

    A path ends in the start of the content's SHA-256, and a file that holds it is left alone.
    So its time means when this content first came up, and a dry run with another study cannot
    change what the jobs of a run in progress read.
    """
    return {name: write_view(name, content, folder) for name, content in views(study)}


def write_view(name: str, content: Any, folder: str) -> str:
    """Write one view below `folder`; its path."""
    text = canonical_json(content)
    path = Path(folder) / f"{name}-{sha256_bytes(text.encode())[:12]}.json"
    if not path.exists() or path.read_bytes() != text.encode():
        write_text(path, text)
    return str(path)
