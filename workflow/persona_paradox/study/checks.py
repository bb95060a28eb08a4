"""What the files of a study must be to each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..data.parts import files_of_adapter, parts_of
from ..data.places import TURNS
from ..errors import InputError
from ..figures.catalogue import figures
from ..kinds import base
from ..kinds.checking import check_once
from ..names import (
    ALL,
    CALIBRATION,
    CONFIDENCES,
    CRITERIA,
    HUMAN,
    NOT_RECORDED,
    USER,
    WORDS,
)
from ..scorers import lexicon
from ..specs import Settings
from .ambiguity import check_ambiguity
from .conditions import file_of, split
from .cycles import file_of_adapter
from .factor_sets import check_trends
from .identification import check_identification
from .judge_checks import check_judge
from .leakage import check_leakage
from .products import all_tables
from .readings import check_readings
from .routing import check_routing
from .sources import sources_of_study
from .steering import check_steering
from .study import Study
from .training import source_of
from .training_checks import check_training
from .turns import check_turns

# What the schema of a study compares where the study does not say.
DEFAULT_METRICS = ("accuracy", "under_triage_rate", "over_triage_rate")

# Characters of a mark of a thought: a shorter one stands in any text.
SHORTEST_MARK = 3


def cross_check(study: Study) -> None:
    """Check what the files of a study say of each other.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    # What a study can be asked for depends on its trends.
    for id_, content in study.persona_sets.items():
        check_trends(f"config/persona_sets/{id_}.yaml", content)
    _check_settings(study)
    for texts in _by_text(study).values():
        if len(texts) > 1:
            raise InputError(
                f"{file_of('personas', texts[0].partition('.')[0])}: {' and '.join(texts)} have "
                "the same text; change one of them or remove it"
            )
    _check_titles(study)
    check_identification(study)
    check_routing(study)
    check_ambiguity(study)
    check_readings(study)
    check_steering(study)
    for id_, dataset in (study.datasets | study.training.datasets).items():
        name = file_of("datasets", id_)
        spec = base.spec(study.kind_of(id_))
        spec.check_dataset(name, dataset)
        _check_kept(name, dataset, spec.COLUMNS)
        _check_format(name, dataset)
    for id_, task in study.tasks.items():
        name = file_of("tasks", id_)
        study.spec(id_).check(name, task, study.dataset_of(id_))
        _check_words(name, "instruction", task.get("instruction", ""), study)
        _check_places(name, task["user"], base.places(study.kind(id_)))
        check_turns(name, task, study.dataset_of(id_))
        _check_decoding(name, task["decoding"], study)
        if task.get("placement") == USER:
            _check_words(name, "user", task["user"], study)
    check_training(study)
    check_leakage(study)
    for id_, model in study.written_models.items():
        _check_thinking(f"config/models/{id_}.yaml", model)
    if study.tasks_with("free_text"):
        # What is counted in answers, before there are any.
        lexicon.categories()
    for id_ in study.judges:
        check_judge(id_, study)
    _check_sources(study)
    for id_ in study.forms:
        _check_form(id_, study)
    for cell in study.rater_cells:
        if cell.model == HUMAN and cell.persona in {*study.personas, WORDS}:
            raise InputError(
                f"config/datasets: the human rater {cell.persona!r} of key `columns.human` has the "
                "id of a persona, or of the bag of words; rename one of them"
            )


def _check_sources(study: Study) -> None:
    """Check that files in several are named as such, and a published study's will stay."""
    for id_, model in study.written_models.items():
        parts_of(model["source"], f"config/models/{id_}.yaml")
    for id_, adapter in study.adapters.items():
        files_of_adapter(source_of(adapter), f"config/adapters/{id_}.yaml")
    if study.settings["published"]:
        _check_commits(study)


def _check_commits(study: Study) -> None:
    """Check that nothing comes from a revision of the hub that may move."""
    for kind, id_, source in sources_of_study(study):
        revision = source.get("revision", "")
        if source["kind"] == "hub" and not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise InputError(
                f"config/{kind}/{id_}.yaml: key `source.revision` is {revision!r}, which may "
                "move, but the study has `published: true`; write the commit (40 hexadecimal "
                "digits) that the file comes from, as its page on the hub shows it"
            )


def _check_settings(study: Study) -> None:
    settings = study.settings
    if settings["baseline"] not in study.personas:
        raise InputError(
            f"key `baseline` of the study is {settings['baseline']!r}, which key `personas` does "
            "not list; add it there"
        )
    strata = {stratum for task in study.tasks for stratum in study.strata(task)}
    for stratum in settings["limit_keeps"]:
        # A study of questions alone has no levels to keep.
        if study.tasks_with("reference") and stratum not in strata:
            raise InputError(
                f"key `limit_keeps` of the study names {stratum!r}, which is no level or category "
                f"of its data sets; use {_one_of(strata)}"
            )
    _check_metrics(settings)
    for key, asked, possible in (
        ("tables", settings["tables"], study.possible_tables),
        ("figures", settings["figures"], study.possible_figures),
    ):
        for id_ in asked if asked != ALL else ():
            if id_ not in possible:
                unknown = id_ not in (figures() if key == "figures" else all_tables())
                why = "which there is not" if unknown else "for which it has no tasks or judges"
                raise InputError(
                    f"key `{key}` of the study names {id_!r}, {why}; take it out, or use {ALL!r} "
                    f"or some of {', '.join(possible)}"
                )
    for figure in map(figures().__getitem__, study.possible_figures):
        for table in figure.needs:
            if table not in all_tables():
                raise InputError(
                    f"{figure.about}: key `needs` names the table {table!r}, which there is not; "
                    f"use some of {', '.join(all_tables())}"
                )


def _one_of(ids: Collection[str]) -> str:
    """What may be named, in words."""
    return f"one of {', '.join(sorted(ids))}" if ids else "none, as they have no levels"


def _check_metrics(settings: Settings) -> None:
    """Check that what has a margin, is of the family, or is told by dose, is compared."""
    statistics, readings = settings["statistics"], settings["readings"]
    named = [("statistics.margins", id_) for id_ in statistics["margins"]]
    named += [("statistics.family.metrics", id_) for id_ in statistics["family"]["metrics"]]
    named += [("statistics.factors.metrics", id_) for id_ in statistics["factors"]["metrics"]]
    named += [("readings.metrics", id_) for id_ in (readings["metrics"] if readings else ())]
    calibrated = {f"{name}_{confidence}" for name in CALIBRATION for confidence in CONFIDENCES}
    unknown = [(key, id_) for key, id_ in named if id_ not in {*DEFAULT_METRICS, *calibrated}]
    if not unknown:
        # Measures are slow to load.
        return
    metrics = [
        metric
        for kind in base.kinds()
        for module in ("measures", "pairs")
        if base.has(kind, module)
        for metric in base.load(kind, module).METRICS
    ]
    compared = dict.fromkeys(metric.id for metric in metrics if metric.contrast != "none")
    for key, id_ in unknown:
        if id_ not in compared:
            raise InputError(
                f"key `{key}` of the study names {id_!r}, which is nothing that table "
                f"contrasts compares; use one of {', '.join(compared)}, or a measure of a "
                "confidence, such as smooth_ece_top_label"
            )


def _check_places(name: str, user: str, known: Sequence[str]) -> None:
    """Check that something fills every place of a user's message."""
    for place in re.findall(r"\{([a-z_]+)\}", user):
        if place not in known:
            raise InputError(
                f"{name}: key `user` has the place {{{place}}}, which nothing fills; use "
                f"{' or '.join(f'{{{one}}}' for one in known)}, or take the braces away"
            )


def _check_decoding(name: str, decoding: Mapping[str, Any], study: Study) -> None:
    constrained = [key for key in ("grammar", "json_schema") if decoding[key] is not None]
    if len(constrained) > 1:
        raise InputError(
            f"{name}: keys `decoding.grammar` and `decoding.json_schema` exclude each other; "
            "remove one"
        )
    if constrained and study.servers:
        raise InputError(
            f"{name}: key `decoding.{constrained[0]}` works on this machine only, but model "
            f"{study.servers[0]!r} is on a server; take one of them out"
        )


def _check_thinking(name: str, model: Mapping[str, Any]) -> None:
    """Check that the marks of a model's thoughts can be told, and that a thought has room."""
    thinking, context = model["thinking"], model["engine"]["context"]
    for key, other in (("open", "close"), ("close", "open")):
        mark = thinking[key]
        if mark is not None and not mark.strip():
            raise InputError(
                f"{name}: key `thinking.{key}` is blank, and cannot be told from other text; write "
                "the mark as the model writes it, or leave the key out"
            )
        if mark is not None and len(mark.strip()) < SHORTEST_MARK:
            raise InputError(
                f"{name}: key `thinking.{key}` is {mark!r}, which other text may hold as well; "
                f"write the mark as the model writes it, of at least {SHORTEST_MARK} characters"
            )
        if mark is not None and thinking[other] is None:
            raise InputError(
                f"{name}: key `thinking.{key}` is set, but `thinking.{other}` is not; write both "
                "marks, or none where the model's chat template has them"
            )
    local = model["source"]["kind"] != "server"
    if local and thinking["think"] and thinking["max_tokens"] >= context:
        raise InputError(
            f"{name}: key `thinking.max_tokens` is {thinking['max_tokens']}, which leaves no room "
            f"in a window of {context} tokens; lower it, or raise `engine.context`"
        )


def _check_words(name: str, key: str, words: str, study: Study) -> None:
    """Check that a persona's sentence and a task's words (`key`) do not hold each other.

    Each must stand in a prompt once, which is proven of it.
    """
    words = words.strip()
    for persona, spec in study.personas.items():
        for variant, text in spec["texts"].items():
            said = f"{file_of('personas', persona)}: key `texts.{variant}`"
            if text.strip() and text.strip() in words:
                raise InputError(
                    f"{name}: key `{key}` holds the sentence of persona {persona!r} "
                    f"({said}), which must stand in a prompt once; change one of them"
                )
            if words and words in text:
                raise InputError(
                    f"{said} holds the {key} of a task ({name}: key `{key}`), which "
                    "must stand in a prompt once; change one of them"
                )


def _by_text(study: Study) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for persona, spec in study.personas.items():
        for variant, text in spec["texts"].items():
            # What moves the model tells apart who says the same.
            said = " ".join(text.split()).casefold() + str(spec.get("steering", ""))
            found.setdefault(said, []).append(f"{persona}.{variant}")
    return found


def _check_titles(study: Study) -> None:
    """Check that tables and figures can tell apart whatever they call by its title."""
    for kind in ("models", "tasks", "personas", "judges"):
        seen: dict[str, str] = {}
        for id_, spec in getattr(study, kind).items():
            other = seen.setdefault(" ".join(spec["title"].split()).casefold(), id_)
            if other != id_:
                raise InputError(
                    f"{_title_file(kind, id_, study)}: the title of {id_} is {spec['title']!r}, as "
                    f"in {_title_file(kind, other, study)}, and figures could not tell them apart; "
                    "change one of them"
                )
    for kind, titles in study.titles.items():
        said: dict[str, str] = {}
        for id_ in study.ids_of(kind):
            other = said.setdefault(" ".join(titles[id_].split()).casefold(), id_)
            if other != id_:
                raise InputError(
                    f"config/{kind}/{id_}.yaml: {id_} is called {titles[id_]!r}, as is {other} of "
                    f"config/{kind}/{other}.yaml, and figures could not tell them apart; write "
                    "another title there"
                )


def _title_file(kind: str, id_: str, study: Study) -> str:
    """The file whose title tells an id from others: of models of one base it is the adapter's."""
    part = split(id_)[1]
    if part and kind == "models":
        return file_of_adapter(part, study.adapters[part])
    return file_of(kind, id_)


def _check_form(id_: str, study: Study) -> None:
    form = study.forms[id_]
    name = f"config/forms/{id_}.yaml"
    ids = [question["id"] for question in form["questions"]]
    check_once(f"{name}: key `questions`", ids, "rename")
    for about in [*form["questions"], form["confidence"]]:
        values = [option["value"] for option in about["options"]]
        check_once(f"{name}: key `options` of {about['title']!r}", values, "change")


# Keys of `format` that are about files of one kind.
_KIND_OF_FORMAT = {
    "names": "csv",
    "decimal": "csv",
    "sheet": "xlsx",
    "records": "json",
    "key_column": "json",
}

# Keys that have a value where they are not set → that value, and the kinds of files they are about.
_KINDS_WITH_DEFAULT = {
    "separator": (",", ("csv",)),
    "encoding": ("utf-8", ("csv", "json", "jsonl")),
}


def _check_format(name: str, dataset: Mapping[str, Any]) -> None:
    """Check that a key of the format is about files of its kind."""
    form = dataset["format"]
    for key, kind in _KIND_OF_FORMAT.items():
        if key in form and form["kind"] != kind:
            raise InputError(
                f"{name}: key `format.{key}` is for files of kind {kind!r}, but key `format.kind` "
                f"is {form['kind']!r}; take it out, or mend the kind"
            )
    for key, (default, kinds) in _KINDS_WITH_DEFAULT.items():
        if form[key] != default and form["kind"] not in kinds:
            raise InputError(
                f"{name}: key `format.{key}` is for files of kind {' or '.join(kinds)}, but key "
                f"`format.kind` is {form['kind']!r}; take it out, or mend the kind"
            )
    case = dataset["columns"]["case"]
    if "column" in case and case.get("missing", NOT_RECORDED) != NOT_RECORDED:
        raise InputError(
            f"{name}: key `columns.case.missing` is for cases made of `fields`, but this one is "
            "the text of `columns.case.column`; take it out"
        )
    if form.get("file_column") in form.get("names", ()):
        raise InputError(
            f"{name}: key `format.file_column` is {form['file_column']!r}, which key "
            "`format.names` calls a column of the file; rename one of them"
        )


def _check_kept(name: str, dataset: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Check that no kept column takes the place of one that is made from the file.

    Args:
        name: the data set's file.
        dataset: what is in it.
        columns: of the items of its kind.
    """
    own = {"item_id", "case", "excluded", *columns}
    own |= {f"human_{rater['id']}" for rater in dataset["columns"].get("human", ())}
    if "distribution" in dataset["columns"]:
        classes = dataset["columns"]["reference"]["values"].values()
        own |= {"n_raters", *(f"share_{class_}" for class_ in classes)}
    own |= {TURNS} if dataset["columns"].get(TURNS) else set()
    own |= {CRITERIA} if dataset["columns"].get(CRITERIA) else set()
    for column in dataset["columns"]["keep"]:
        if column in own:
            raise InputError(
                f"{name}: key `columns.keep` names {column!r}, which is what the table of items "
                "calls a column of its own; rename it in the file"
            )
