"""The study: configuration files read, checked against each other, and cut into views.

A view is the part of the configuration that one stage of one cell depends on, as
JSON with sorted keys in a file named by its content. Rules take views as inputs, so that
a rule runs again exactly where the meaning of its configuration changed: not for a
comment, the order of keys, a title, or a persona of another cell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import InputError
from .files import canonical_json, sha256_bytes, write_text

KINDS = {"models": "model", "tasks": "task", "personas": "persona", "datasets": "dataset"}

# Words that a path or a figure uses for something else.
RESERVED = frozenset({"all", "human", "main", "config", "none"})

# Most tokens of a stated confidence, where a task does not say.
STATED_TOKENS = 8

# The model id under which a human rater's levels pass through scoring.
HUMAN = "human"

Check = Callable[[dict[str, Any], str, str], None]


@dataclass(frozen=True)
class Cell:
    """One model (or `human`) under one persona (or rater) in one task."""

    model: str
    task: str
    persona: str

    @property
    def path(self) -> str:
        """Path of the cell's files below the folder of a stage, without suffix."""
        return f"{self.model}/{self.task}/{self.persona}"


@dataclass(frozen=True)
class Study:
    """A checked study: settings and the files of every id it names."""

    settings: dict[str, Any]
    models: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    personas: dict[str, dict[str, Any]]
    datasets: dict[str, dict[str, Any]]

    @property
    def cells(self) -> list[Cell]:
        """The cells of models, in the order of the study."""
        return [Cell(m, t, p) for t in self.tasks for m in self.models for p in self.personas]

    @property
    def human_cells(self) -> list[Cell]:
        """The cells of human raters: one for each rater of each task's data set."""
        return [
            Cell(HUMAN, task, rater["id"])
            for task, spec in self.tasks.items()
            for rater in self.datasets[spec["dataset"]]["columns"]["human"]
        ]

    @property
    def verbalized_tasks(self) -> list[str]:
        """Ids of the tasks that ask how sure the model is."""
        return [id_ for id_, task in self.tasks.items() if task["verbalized"] is not None]

    @property
    def servers(self) -> list[str]:
        """Ids of the models that a server runs."""
        return [id_ for id_, model in self.models.items() if model["source"]["kind"] == "server"]

    @property
    def local_models(self) -> list[str]:
        """Ids of the models that run on this machine."""
        return [id_ for id_ in self.models if id_ not in self.servers]

    @property
    def data_dir(self) -> str | None:
        """Folder that `{data_dir}` stands for; the study's own key wins over the environment."""
        value: str | None = self.settings["data_dir"] or os.environ.get("PERSONA_DATA_DIR")
        return value

    def texts(self, persona: str) -> dict[str, str]:
        """The wordings of a persona that the study runs: variant → sentence."""
        texts: dict[str, str] = self.personas[persona]["texts"]
        return texts if self.settings["variants"] == "all" else {"main": texts["main"]}


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, name: str) -> dict[str, Any]:
    """Content of a YAML file that holds a mapping; `name` is how errors call it.

    Raises:
        InputError: the file is missing, is not YAML, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except FileNotFoundError:
        raise InputError(f"{name} is missing; write it or mend the id that names it") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{name}{where} is not valid YAML: {problem}; mend that line") from error
    if not isinstance(value, dict):
        raise InputError(f"{name} must hold keys and values; see config/README.md")
    return value


def load_study(settings: dict[str, Any], config: Path, check: Check) -> Study:
    """Read and check everything a study names.

    Args:
        settings: the study, as merged from its YAML files.
        config: the folder with `models/`, `tasks/`, `personas/` and `datasets/`.
        check: validates a mapping against a schema: `check(data, schema, file name)`.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    check(settings, "study", "the study (config/config.yaml or --configfile)")

    def load(kind: str, ids: list[str], named_by: str) -> dict[str, dict[str, Any]]:
        return {id_: _load_one(kind, id_, named_by, config, check) for id_ in ids}

    tasks = load("tasks", settings["tasks"], "key `tasks` of the study")
    datasets: dict[str, dict[str, Any]] = {}
    for task, spec in tasks.items():
        dataset = spec["dataset"]
        named_by = f"key `dataset` of config/tasks/{task}.yaml"
        datasets[dataset] = _load_one("datasets", dataset, named_by, config, check)
    contexts = settings["contexts"]
    tasks = {t: s for t, s in tasks.items() if datasets[s["dataset"]]["context"] in contexts}
    if not tasks:
        raise InputError(
            "the study runs nothing: no task of key `tasks` has a data set of a context in "
            "key `contexts`; add a task or a context"
        )
    study = Study(
        settings=settings,
        models=load("models", settings["models"], "key `models` of the study"),
        tasks=tasks,
        personas=load("personas", settings["personas"], "key `personas` of the study"),
        datasets={spec["dataset"]: datasets[spec["dataset"]] for spec in tasks.values()},
    )
    _cross_check(study)
    return study


def _load_one(kind: str, id_: str, named_by: str, config: Path, check: Check) -> dict[str, Any]:
    name = f"config/{kind}/{id_}.yaml"
    path = config / kind / f"{id_}.yaml"
    if id_ in RESERVED:
        raise InputError(f"{named_by} names {id_!r}, a reserved word; choose another id")
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (config / kind).glob("*.yaml"))) or "none"
        raise InputError(f"{named_by} names {id_!r}, but {name} does not exist; known ids: {known}")
    value = read_yaml(path, name)
    check(value, KINDS[kind], name)
    return value


def _cross_check(study: Study) -> None:
    settings = study.settings
    if settings["baseline"] not in study.personas:
        raise InputError(
            f"key `baseline` of the study is {settings['baseline']!r}, which key `personas` does "
            "not list; add it there"
        )
    levels = {level["id"] for spec in study.datasets.values() for level in spec["levels"]}
    for level in settings["limit_keeps"]:
        if level not in levels:
            raise InputError(
                f"key `limit_keeps` of the study names {level!r}, which is no level of its data "
                f"sets; use one of {', '.join(sorted(levels))}"
            )
    for texts in _by_text(study).values():
        if len(texts) > 1:
            raise InputError(
                f"config/personas: {' and '.join(texts)} have the same text; "
                "change one of them or remove it"
            )
    for id_, dataset in study.datasets.items():
        _check_dataset(f"config/datasets/{id_}.yaml", dataset)
    for id_, task in study.tasks.items():
        dataset = study.datasets[task["dataset"]]
        _check_task(f"config/tasks/{id_}.yaml", task, dataset)
    for id_, task in study.tasks.items():
        decoding = task["decoding"]
        constrained = [key for key in ("grammar", "json_schema") if decoding[key] is not None]
        if len(constrained) > 1:
            raise InputError(
                f"config/tasks/{id_}.yaml: keys `decoding.grammar` and `decoding.json_schema` "
                "exclude each other; remove one"
            )
        if constrained and study.servers:
            raise InputError(
                f"config/tasks/{id_}.yaml: key `decoding.{constrained[0]}` works on this machine "
                f"only, but model {study.servers[0]!r} is on a server; take one of them out"
            )
    for cell in study.human_cells:
        if cell.persona in study.personas:
            raise InputError(
                f"config/datasets: the human rater {cell.persona!r} of key `columns.human` has the "
                "id of a persona; rename one of them"
            )


def _by_text(study: Study) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for persona, spec in study.personas.items():
        for variant, text in spec["texts"].items():
            found.setdefault(" ".join(text.split()).casefold(), []).append(f"{persona}.{variant}")
    return found


def _check_dataset(name: str, dataset: Mapping[str, Any]) -> None:
    levels = [level["id"] for level in dataset["levels"]]
    if len(set(levels)) < len(levels):
        raise InputError(f"{name}: key `levels` lists a level twice; remove one")
    for level in dataset["high_acuity"]:
        if level not in levels:
            raise InputError(
                f"{name}: key `high_acuity` names {level!r}, which key `levels` does not list; "
                f"use one of {', '.join(levels)}"
            )
    if levels[: len(dataset["high_acuity"])] != [v for v in levels if v in dataset["high_acuity"]]:
        raise InputError(
            f"{name}: key `high_acuity` must hold the most urgent levels, the first ones of "
            "key `levels`; mend either"
        )
    if len(dataset["high_acuity"]) == len(levels):
        raise InputError(f"{name}: key `high_acuity` holds every level; leave one out")
    for value, level in dataset["columns"]["reference"]["values"].items():
        if level not in levels:
            raise InputError(
                f"{name}: key `columns.reference.values` maps {value!r} to {level!r}, which key "
                f"`levels` does not list; use one of {', '.join(levels)}"
            )
    columns = dataset["columns"]
    case = columns["case"]
    shown = {case["column"]} if "column" in case else {f["column"] for f in case["fields"]}
    for column in shown & {*columns["never_shown"], columns["reference"]["column"]}:
        raise InputError(
            f"{name}: key `columns.case` shows {column!r}, which gives the answer away (keys "
            "`never_shown` and `reference`); take it out of the case"
        )
    _check_groups(name, dataset)
    raters = [rater["id"] for rater in columns["human"]]
    if len(set(raters)) < len(raters):
        raise InputError(f"{name}: key `columns.human` names a rater twice; rename one")


def _check_groups(name: str, dataset: Mapping[str, Any]) -> None:
    keep = dataset["columns"]["keep"]
    wanted = {"columns.cluster": dataset["columns"]["cluster"]}
    for group in dataset["subgroups"]:
        wanted[f"subgroups.{group['id']}.column"] = group["column"]
        cuts = group.get("cuts", [])
        if sorted(set(cuts)) != cuts:
            raise InputError(
                f"{name}: key `subgroups.{group['id']}.cuts` must rise ({cuts}); put them in order"
            )
    for key, column in wanted.items():
        if column is not None and column not in keep:
            raise InputError(
                f"{name}: key `{key}` names {column!r}, which key `columns.keep` does not list; "
                "add it there"
            )
    ids = [group["id"] for group in dataset["subgroups"]]
    if len(set(ids)) < len(ids):
        raise InputError(f"{name}: key `subgroups` has an id twice; rename one")


def _check_task(name: str, task: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    labels = [entry["label"] for entry in task["labels"]]
    if len(set(labels)) < len(labels):
        raise InputError(f"{name}: key `labels` lists a label twice; remove one")
    if len({label.isdigit() for label in labels}) > 1:
        raise InputError(f"{name}: key `labels` mixes letters and digits; use one kind")
    levels = {level["id"] for level in dataset["levels"]}
    named = [entry["level"] for entry in task["labels"]]
    if set(named) != levels or len(named) != len(levels):
        raise InputError(
            f"{name}: key `labels` must give every level of data set {task['dataset']!r} exactly "
            f"one label ({', '.join(sorted(levels))}), but gives {', '.join(named)}"
        )


def views(study: Study) -> Iterator[tuple[str, Any]]:
    """The views of a study: name and content of each."""
    settings = study.settings
    for id_, model in study.models.items():
        source = {"source": model["source"], "licence": model["licence"]}
        yield f"models/{id_}", source
        yield f"prepare/{id_}", {"prepare": model["prepare"]}
        yield f"engine/{id_}", {k: v for k, v in model["engine"].items() if k != "threads"}
        yield f"templates/{id_}", _template_view(f"config/models/{id_}.yaml", model)
    for id_, dataset in study.datasets.items():
        reading = {k: dataset[k] for k in ("source", "format", "columns", "licence")}
        reading["levels"] = [level["id"] for level in dataset["levels"]]
        # Which kept column names the clusters matters to the scores alone.
        reading["columns"] = {k: v for k, v in dataset["columns"].items() if k != "cluster"}
        yield f"datasets/{id_}", reading
    for id_ in study.personas:
        yield f"personas/{id_}", {"texts": study.texts(id_)}
    for id_, task in study.tasks.items():
        prompt = {"instruction": task["instruction"], "user": task["user"]}
        prompt |= {"null_cases": task["null_cases"], "limit": settings["limit"]}
        if settings["limit"] is not None:
            levels = [level["id"] for level in study.datasets[task["dataset"]]["levels"]]
            kept = sorted(set(settings["limit_keeps"]).intersection(levels))
            prompt |= {"seed": settings["seed"], **({"limit_keeps": kept} if kept else {})}
        yield f"prompts/{id_}", prompt
        labels = [entry["label"] for entry in task["labels"]]
        decoding = dict(task["decoding"])
        if decoding["json_schema"] is not None:
            # As text: the order of its keys is the order in which an answer has them.
            decoding["json_schema"] = json.dumps(decoding["json_schema"])
        constraint = {key: decoding[key] for key in ("grammar", "json_schema")}
        read_out = {"labels": labels, "answer_prefix": task["answer_prefix"]}
        yield f"read_out/{id_}", read_out | constraint
        # Greedy answers have no seed.
        seed = settings["seed"] if decoding["sampled"]["answers"] else None
        yield f"decoding/{id_}", {**decoding, "labels": labels, "seed": seed}
        if task["verbalized"] is not None:
            yield f"verbalized/{id_}", {"question": task["verbalized"]["question"]}
            yield f"verbalized_decoding/{id_}", _stated(task["verbalized"])
        dataset = study.datasets[task["dataset"]]
        scoring = {"labels": task["labels"], "high_acuity": dataset["high_acuity"]}
        scoring["levels"] = [level["id"] for level in dataset["levels"]]
        if dataset["columns"]["cluster"] is not None:
            scoring["cluster"] = dataset["columns"]["cluster"]
        yield f"scoring/{id_}", scoring
    statistics = {**settings["statistics"], "seed": settings["seed"]}
    resampling = ("bins", "confidence", "draws", "folds", "seed")
    yield "calibrate", {key: statistics[key] for key in resampling}
    drawn = ("binned_ece_warning_below", "too_few_below")
    yield "statistics", {key: statistics[key] for key in statistics if key not in drawn}
    answered = [[c.model, c.task, c.persona] for c in study.cells]
    yield "answered", {"cells": answered}
    yield (
        "cells",
        {
            "baseline": settings["baseline"],
            "cells": answered,
            "human": [[c.model, c.task, c.persona] for c in study.human_cells],
            "groups": {id_: persona["group"] for id_, persona in study.personas.items()},
            "tasks": {id_: _metrics_view(task, study) for id_, task in study.tasks.items()},
        },
    )
    yield "figures", _figures_view(study)


def _stated(verbalized: Mapping[str, Any]) -> dict[str, Any]:
    """Decoding of a stated confidence, in the form of a task's: greedy, and nothing else."""
    drawn = {"answers": 0, "wordings": "main", "temperature": 1.0, "min_p": 0.0, "top_p": 1.0}
    return {
        "labels": [],
        "max_tokens": verbalized.get("max_tokens", STATED_TOKENS),
        "stop": [],
        "grammar": None,
        "json_schema": None,
        "token_logprobs": False,
        "sampled": drawn,
        "seed": None,
    }


def _template_view(name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """What the rendering of chats depends on besides the weights.

    Raises:
        InputError: the template of a server's model cannot be read.
    """
    view = {"accepted_template_text": model["accepted_template_text"]}
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


def _metrics_view(task: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """What the tables need of a task: its levels from the most urgent, and costs."""
    dataset = study.datasets[task["dataset"]]
    keys = ("context", "kind", "high_acuity", "cost", "subgroups")
    levels = [level["id"] for level in dataset["levels"]]
    label_of = {entry["level"]: entry["label"] for entry in task["labels"]}
    return {
        **{key: dataset[key] for key in keys},
        "dataset": task["dataset"],
        "levels": levels,
        "labels_by_urgency": [label_of[level] for level in levels],
    }


def _sample_note(task: Mapping[str, Any], study: Study) -> str | None:
    """What figures say of a sample, in a sentence."""
    limit, dataset = study.settings["limit"], study.datasets[task["dataset"]]
    if limit is None:
        return None
    kept = [v["title"] for v in dataset["levels"] if v["id"] in study.settings["limit_keeps"]]
    return (
        f"{dataset['title']}: at most {limit} items, drawn with seed {study.settings['seed']} and "
        "stratified by reference level"
        + (
            f", with every item of {' and '.join(kept)}, which are more than their share"
            * bool(kept)
        )
        + "."
    )


def _figures_view(study: Study) -> dict[str, Any]:
    tasks = {}
    statistics = study.settings["statistics"]
    for id_, task in study.tasks.items():
        dataset = study.datasets[task["dataset"]]
        tasks[id_] = {
            "title": task["title"],
            "dataset": dataset["title"],
            "teaching": dataset["kind"] == "teaching",
            "context": dataset["context"],
            "levels": [level["title"] for level in dataset["levels"]],
            "high_acuity": len(dataset["high_acuity"]),
            "sample": _sample_note(task, study),
            "clustered": dataset["columns"]["cluster"] is not None,
            "subgroups": {group["id"]: group["title"] for group in dataset["subgroups"]},
        }
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
        "raters": {
            rater["id"]: rater["title"]
            for dataset in study.datasets.values()
            for rater in dataset["columns"]["human"]
        },
        "tasks": tasks,
    }


def write_views(study: Study, folder: str) -> dict[str, str]:
    """Write the views of a study below `folder`; name → path.

    A path ends in the start of the content's SHA-256, and a file that is there is left alone.
    So its time means when this content first came up, and a dry run with another study cannot
    change what the jobs of a run in progress read.
    """
    paths = {}
    for name, content in views(study):
        text = canonical_json(content)
        path = Path(folder) / f"{name}-{sha256_bytes(text.encode())[:12]}.json"
        if not path.exists():
            write_text(path, text)
        paths[name] = str(path)
    return paths


def offer_data_dir(study: Study) -> None:
    """Let jobs find the data folder by PERSONA_DATA_DIR.

    So where a file lies is no part of a job, and moving it reruns nothing; what the file
    holds is pinned by its sha256.
    """
    if study.data_dir is not None:
        os.environ["PERSONA_DATA_DIR"] = study.data_dir


def check_sources(study: Study, resources: str) -> None:
    """Check that local files are where the study says, before any work starts.

    Raises:
        InputError: a file of a `path` or `bundled` source that is still to be read is missing.
    """
    for kind, specs in (("datasets", study.datasets), ("models", study.models)):
        for id_, spec in specs.items():
            source = spec["source"]
            done = f"{resources}/{kind}/" + (
                f"{id_}.parquet" if kind == "datasets" else f"{id_}/manifest.json"
            )
            if source["kind"] not in ("path", "bundled") or Path(done).exists():
                continue
            name = f"config/{kind}/{id_}.yaml"
            path = source["path"]
            if "{data_dir}" in path:
                if study.data_dir is None:
                    raise InputError(
                        f"{name}: key `source.path` needs the data folder; set key `data_dir` of "
                        "the study or the environment variable PERSONA_DATA_DIR"
                    )
                path = path.replace("{data_dir}", study.data_dir)
            if not Path(path).is_file():
                raise InputError(
                    f"{name}: key `source.path` names {path}, which does not exist; mend the path"
                    + (" or the data folder" if "{data_dir}" in source["path"] else "")
                )
