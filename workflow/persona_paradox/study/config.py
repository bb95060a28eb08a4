"""The study: configuration files, read and checked against each other."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError
from ..files import sources_of
from ..data.parts import parts_of
from .products import CELL_TABLES, CLINICIAN_TABLES, DECOMPOSED_TABLES, JUDGED_FIGURES, JUDGED_TABLES, TRIAGE_FIGURES, TRUST_TABLES

KINDS = {
    "models": "model",
    "tasks": "task",
    "personas": "persona",
    "datasets": "dataset",
    "judges": "judge",
    "forms": "form",
}

# A list of ids that names none of them.
ALL = "all"

# What a task is about: a label for a case, or free text for a patient.
TRIAGE, SAFETY = "triage", "safety"
# What judges and clinicians are asked about besides `SAFETY`: the reasoning of triage.
RATIONALE = "rationale"
# The context of data sets of questions, which have no reference answer.
PATIENT_SAFETY = "patient_safety"

# Words that a path or a figure uses for something else.
RESERVED = frozenset({"all", "human", "main", "config", "none", "panel", "clinicians"})

# What tables call other figures of judged answers, so that no rating can, and groups of categories.
MEASURES = frozenset(
    {"action", "accept", "caution", "refuse", "unjudged_rate", "over_refusal", "cares"}
    | {"action_agreement", "n_characters"}
)
GROUPS = frozenset({"all", "risky"})

# Characters of a mark of a thought: a shorter one stands in any text.
SHORTEST_MARK = 3

# What stands in a case for a value that is not recorded, where a data set does not say.
NOT_RECORDED = "not recorded"

# Most answers that a judge sees side by side: it names one by a digit.
MOST_LISTED = 9

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
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)
    judge_models: dict[str, dict[str, Any]] = field(default_factory=dict)
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells of models, in the order of the study."""
        return [Cell(m, t, p) for t in self.tasks for m in self.models for p in self.personas]

    def tasks_of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The tasks of a kind, `TRIAGE` or `SAFETY`."""
        return {id_: task for id_, task in self.tasks.items() if task["kind"] == kind}

    def cells_of(self, kind: str) -> list[Cell]:
        """The cells of models in the tasks of a kind."""
        return [cell for cell in self.cells if self.tasks[cell.task]["kind"] == kind]

    @cached_property
    def rationale_tasks(self) -> list[str]:
        """Ids of the tasks in which the model reasons before it answers."""
        return [id_ for id_, task in self.tasks_of(TRIAGE).items() if task["rationale"] is not None]

    def judged_cells(self, judge: str) -> list[Cell]:
        """The cells whose answers a judge reads; its own family's only where it is asked to."""
        spec = self.judges[judge]
        tasks = self.rationale_tasks if spec["kind"] == RATIONALE else self.tasks_of(SAFETY)
        family = self.all_models[spec["model"]]["family"]
        return [
            cell
            for cell in self.cells
            if cell.task in tasks
            and (spec["own_family"] or self.models[cell.model]["family"] != family)
        ]

    @cached_property
    def active_judges(self) -> list[str]:
        """Ids of the judges that have something to judge."""
        return [id_ for id_ in self.judges if self.judged_cells(id_)]

    @cached_property
    def ranked(self) -> list[str]:
        """Ids of the personas whose answers are compared with each other, sorted."""
        return self.personas_of(self.settings["rankings"]["groups"])

    @cached_property
    def ranked_pairs(self) -> list[tuple[str, str]]:
        """Every two personas whose answers are compared in pairs, each pair sorted."""
        pairs = list(combinations(self.ranked, 2))
        if self.settings["rankings"]["pairs"] == "all":
            return pairs
        return [pair for pair in pairs if self.settings["baseline"] in pair]

    def personas_of(self, groups: list[str]) -> list[str]:
        """Ids of the personas of some groups, and of the baseline, sorted."""
        baseline = self.settings["baseline"]
        return sorted(
            id_
            for id_, persona in self.personas.items()
            if id_ == baseline or persona["group"] in groups
        )

    @property
    def form_tasks(self) -> dict[str, list[str]]:
        """Form → ids of the tasks whose answers clinicians may see on it."""
        return _forms(self.tasks)

    @property
    def shown_cells(self) -> list[Cell]:
        """The cells whose answers clinicians may see."""
        personas = self.personas_of(self.settings["clinicians"]["groups"])
        tasks = {task for ids in self.form_tasks.values() for task in ids}
        return [c for c in self.cells if c.task in tasks and c.persona in personas]

    @cached_property
    def all_models(self) -> dict[str, dict[str, Any]]:
        """The models that answer and those that judge."""
        return self.models | self.judge_models

    @cached_property
    def possible_tables(self) -> list[str]:
        """Ids of the tables that the study has the answers for."""
        return [
            *((*CELL_TABLES, *DECOMPOSED_TABLES) if self.tasks_of(TRIAGE) else ()),
            *(JUDGED_TABLES if self.active_judges else ()),
            *(CLINICIAN_TABLES if self.forms else ()),
            "delivery",
            *(("thoughts",) if self.thinking_models else ()),
        ]

    @cached_property
    def tables(self) -> list[str]:
        """Ids of the tables that are asked for, and of those that say whether to trust them."""
        wanted = self.settings["tables"]
        return [
            id_
            for id_ in self.possible_tables
            if wanted == ALL or id_ in wanted or id_ in TRUST_TABLES
        ]

    @cached_property
    def possible_figures(self) -> list[str]:
        """Ids of the figures that the study has tables for."""
        return [
            *(TRIAGE_FIGURES if self.tasks_of(TRIAGE) else ()),
            *(JUDGED_FIGURES if self.active_judges or self.forms else ()),
        ]

    @property
    def human_cells(self) -> list[Cell]:
        """The cells of human raters: one for each rater of each task's data set."""
        return [
            Cell(HUMAN, task, rater["id"])
            for task, spec in self.tasks_of(TRIAGE).items()
            for rater in self.datasets[spec["dataset"]]["columns"]["human"]
        ]

    @cached_property
    def verbalized_tasks(self) -> list[str]:
        """Ids of the tasks that ask how sure the model is."""
        triage = self.tasks_of(TRIAGE)
        return [id_ for id_, task in triage.items() if task["verbalized"] is not None]

    @cached_property
    def servers(self) -> list[str]:
        """Ids of the models that a server runs."""
        models = self.all_models
        return [id_ for id_, model in models.items() if model["source"]["kind"] == "server"]

    @cached_property
    def thinking_models(self) -> list[str]:
        """Ids of the models that think before they answer; as a judge none does."""
        return [id_ for id_, model in self.models.items() if model["thinking"]["think"]]

    @cached_property
    def local_models(self) -> list[str]:
        """Ids of the models that run on this machine."""
        return [id_ for id_ in self.all_models if id_ not in self.servers]

    @property
    def data_dir(self) -> str | None:
        """Folder that `{data_dir}` stands for; the study's own key wins over the environment."""
        value: str | None = self.settings["data_dir"] or os.environ.get("PERSONA_DATA_DIR")
        return value

    def texts(self, persona: str) -> dict[str, str]:
        """The wordings of a persona that the study runs: variant → sentence."""
        texts: dict[str, str] = self.personas[persona]["texts"]
        return texts if self.settings["variants"] == "all" else {"main": texts["main"]}


def _forms(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Form → ids of the tasks that it asks about; none where there are no such tasks."""
    found: dict[str, list[str]] = {}
    for id_, task in tasks.items():
        if task["kind"] == SAFETY:
            found.setdefault(SAFETY, []).append(id_)
        elif task["rationale"] is not None:
            found.setdefault(RATIONALE, []).append(id_)
    return found


class _Refused(yaml.MarkedYAMLError):
    """YAML that others take, and we do not."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, aliases, and numbers that are not as written."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node."""
        # A few lines of aliases of aliases stand for more than any memory holds.
        if self.check_event(yaml.AliasEvent):
            raise _Refused(
                problem="an alias (`*name`) stands for a value; write the value itself",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        where = key_node.start_mark
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise _Refused(
                problem="`<<` merges other keys into these; write the keys themselves",
                problem_mark=where,
            )
        key = loader.construct_object(key_node)
        if isinstance(key, str) and key_node.style is None and key[:1].isspace():
            # YAML indents by blanks alone, and takes these for a part of the key.
            raise _Refused(
                problem=f"the line begins with U+{ord(key[0]):04X}, which looks like a blank; "
                "indent it with plain blanks",
                problem_mark=where,
            )
        if not isinstance(key, str):
            shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else _shown(key)
            what = "a list" if isinstance(key, list) else _not_plain(key) or _yaml_type(key)
            raise _Refused(
                problem=f"a key must be text, but `{shown}` is {what} to YAML; put quotes around "
                "it",
                problem_mark=where,
            )
        if key in seen:
            raise _Refused(
                problem=f"key {key!r} stands twice; remove one of them", problem_mark=where
            )
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A number; to YAML 010 is 8 and 1:30 is 90, which nobody means."""
    kind = node.tag.rpartition(":")[2]
    value = getattr(yaml.SafeLoader, f"construct_yaml_{kind}")(loader, node)
    if ":" in node.value or re.fullmatch("[-+]?0[0-7_]+", node.value):
        raise _Refused(
            problem=f"`{node.value}` is the number {value} to YAML; write {value}, or put quotes "
            "around a text",
            problem_mark=node.start_mark,
        )
    return value


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _number)

# What PyYAML says → what to do.
_REMEDIES = {
    r"'\t'": "indent lines with blanks, not with tabs",
    "cannot start any token": "put quotes around the text",
    "constructor for the tag": "mend that line: put quotes around a text that begins with !",
    "mapping values are not allowed here": "put quotes around a text that holds a colon",
    "another document": "take out the line `---`, for one file holds one",
}


def _remedy(problem: str) -> str:
    return next((text for said, text in _REMEDIES.items() if said in problem), "mend that line")


def read_yaml(path: Path, name: str) -> dict[str, Any]:
    """Content of a YAML file that holds a mapping; `name` is how errors call it.

    Raises:
        InputError: the file is missing, is not YAML, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
        check_plain(value, name)
    except FileNotFoundError:
        raise InputError(f"{name} is missing; write it or mend the id that names it") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{name}, line {line}, has the control character U+{ord(text[error.position]):04X}, "
            "which YAML does not allow; take it out"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if isinstance(error, _Refused):
            raise InputError(f"{name}{where}: {problem}") from error
        raise InputError(
            f"{name}{where} is not valid YAML: {problem}; {_remedy(problem)}"
        ) from error
    except RecursionError:
        raise InputError(f"{name} nests values too deeply; write them flat") from None
    except (ValueError, OverflowError) as error:
        # Dates and numbers that look right and are not.
        raise InputError(
            f"{name} has a value that cannot be read ({error}); put quotes around it"
        ) from error
    if not isinstance(value, dict):
        what = "is empty" if value is None else "must hold keys and values, not a list or a text"
        raise InputError(f"{name} {what}; config/README.md says what stands in it")
    return value


def given(entries: Iterable[str]) -> dict[str, Any]:
    """What `--config KEY=VALUE …` gives, each value as if it stood in a file.

    Snakemake takes `null` for a text, and every number inside of a list or a mapping.

    Args:
        entries: `KEY=VALUE` each. A value that is no YAML is a text, as it is to Snakemake.

    Raises:
        InputError: a value is YAML that we refuse in a file, or a key is given twice.
    """
    found: dict[str, Any] = {}
    for entry in entries:
        key, _, text = entry.partition("=")
        if key in found:
            raise InputError(f"--config gives {key} twice; give it once")
        try:
            found[key] = yaml.load(text, Loader=_Loader)  # noqa: S506 - as in `read_yaml`
        except _Refused as error:
            raise InputError(f"--config {key}: {error.problem}") from error
        except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
            found[key] = text
        # In a file a comment would begin behind ` #`; here it is part of the text.
        if isinstance(found[key], str) and text[:1] not in ("'", '"'):
            found[key] = text
    return found


def check_plain(value: Any, name: str) -> None:
    """Check that a configuration holds texts, numbers, lists and mappings alone, each once.

    Snakemake reads a study itself, and takes more than that: an alias, which may stand for a
    value that contains itself, a tag that names a Python object, a number that is none.

    Raises:
        InputError: something else stands there.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("(top level)", value)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, dict | list):
            if id(one) in seen:
                raise InputError(
                    f"{name}: key `{key}` is an alias (`*name`) of another value; write the value "
                    "itself"
                )
            seen.add(id(one))
            pairs = one.items() if isinstance(one, dict) else enumerate(one)
            for part, inner in pairs:
                if isinstance(one, dict) and not isinstance(part, str):
                    raise InputError(
                        f"{name}: key `{key}` has a key that is no text, {_shown(part)}; put "
                        "quotes around it"
                    )
                waiting.append((str(part) if key == "(top level)" else f"{key}.{part}", inner))
        elif (wrong := _not_plain(one)) is not None:
            raise InputError(
                f"{name}: key `{key}` is {wrong}; write a text, in quotes where it looks like "
                "something else, or a number"
            )


def _not_plain(value: Any) -> str | None:
    """What a value is that no configuration holds, or None."""
    if isinstance(value, str):
        # What neither a file nor the name of one can hold: half of a pair, and the null character.
        odd = [f"U+{ord(one):04X}" for one in value if one == "\0" or "\ud800" <= one <= "\udfff"]
        return f"a text with the character {odd[0]}" if odd else None
    if isinstance(value, int):
        return None if value.bit_length() <= 64 else "a number of more than 64 bits"
    if value is None or (isinstance(value, float) and math.isfinite(value)):
        return None
    return f"a date ({value})" if isinstance(value, date) else _shown(value)


def _yaml_type(value: Any) -> str:
    if value is None:
        return "nothing"
    return "true or false" if isinstance(value, bool) else "a number"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


# Of a value in an error.
_LONGEST = 100


def check_study_file(path: Path, name: str) -> None:
    """Check a study before or after Snakemake reads it, which runs code that stands in it.

    Snakemake passes every study to YTE, a template engine: behind the key `__use_yte__`, texts that
    begin with a question mark are Python.

    Raises:
        InputError: the file is no plain YAML, or asks for that.
    """
    if "__use_yte__" in read_yaml(path, name):
        raise InputError(
            f"{name}: key `__use_yte__` makes Snakemake run code that stands in the file; take it "
            "out, and write the values themselves"
        )


def load_study(settings: dict[str, Any], config: Path, check: Check) -> Study:
    """Read and check everything a study names.

    Args:
        settings: the study, as merged from its YAML files.
        config: the folder with `models/`, `tasks/`, `personas/`, `datasets/` and `judges/`.
        check: validates a mapping against a schema: `check(data, schema, file name)`.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    name = "the study (config/config.yaml, --configfile or --config)"
    check_plain(settings, name)
    check(settings, "study", name)

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
    models = load("models", settings["models"], "key `models` of the study")
    judges = load("judges", settings["judges"], "key `judges` of the study")
    judge_models = {
        judge["model"]: _load_one(
            "models", judge["model"], f"key `model` of config/judges/{id_}.yaml", config, check
        )
        for id_, judge in judges.items()
        if judge["model"] not in models
    }
    for id_ in settings["limits"]:
        if not (config / "tasks" / f"{id_}.yaml").is_file():
            raise InputError(
                f"key `limits` of the study names {id_!r}, but config/tasks/{id_}.yaml does not "
                "exist; mend the id"
            )
    study = Study(
        settings=settings,
        models=models,
        judges=judges,
        judge_models=judge_models,
        forms={form: load("forms", [form], f"kind {form!r}")[form] for form in _forms(tasks)},
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
        raise InputError(
            f"{named_by} names {id_!r}, but {os.path.relpath(path)} does not exist; known ids: "
            f"{known}"
        )
    value = read_yaml(path, name)
    schema = KINDS[kind]
    if (kind, value.get("kind")) == ("tasks", SAFETY) or (kind, value.get("context")) == (
        "datasets",
        PATIENT_SAFETY,
    ):
        schema = f"safety_{schema}"
    check(value, schema, name)
    return value


def _cross_check(study: Study) -> None:
    for id_, task in study.tasks.items():
        _check_kind(id_, task, study)
    _check_settings(study)
    for texts in _by_text(study).values():
        if len(texts) > 1:
            raise InputError(
                f"config/personas: {' and '.join(texts)} have the same text; "
                "change one of them or remove it"
            )
    _check_titles(study)
    for id_, dataset in study.datasets.items():
        questions = dataset["context"] == PATIENT_SAFETY
        check = _check_questions if questions else _check_dataset
        check(f"config/datasets/{id_}.yaml", dataset)
        _check_kept(f"config/datasets/{id_}.yaml", dataset)
        _check_format(f"config/datasets/{id_}.yaml", dataset)
    for id_, task in study.tasks_of(TRIAGE).items():
        _check_task(f"config/tasks/{id_}.yaml", task, study.datasets[task["dataset"]])
        _check_sentences(f"config/tasks/{id_}.yaml", task["instruction"].strip(), study)
    for id_, task in study.tasks.items():
        _check_decoding(f"config/tasks/{id_}.yaml", task["decoding"], study)
    for id_, model in study.all_models.items():
        _check_thinking(f"config/models/{id_}.yaml", model)
    for id_ in study.judges:
        _check_judge(id_, study)
    _check_sources(study)
    for id_ in study.forms:
        _check_form(id_, study)
    for cell in study.human_cells:
        if cell.persona in study.personas:
            raise InputError(
                f"config/datasets: the human rater {cell.persona!r} of key `columns.human` has the "
                "id of a persona; rename one of them"
            )


def _check_sources(study: Study) -> None:
    """Check that models in parts are named as such, and a published study's files will stay."""
    for id_, model in study.all_models.items():
        parts_of(model["source"], f"config/models/{id_}.yaml")
    if study.settings["published"]:
        _check_commits(study)


def _check_commits(study: Study) -> None:
    """Check that nothing comes from a revision of the hub that may move."""
    for kind, id_, source in _sources(study):
        revision = source.get("revision", "")
        if source["kind"] == "hub" and not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise InputError(
                f"config/{kind}/{id_}.yaml: key `source.revision` is {revision!r}, which may "
                "move, but the study has `published: true`; write the commit (40 hexadecimal "
                "digits) that the file comes from, as its page on the hub shows it"
            )


def _sources(study: Study) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every source of a study: `datasets` or `models`, the id, and the source."""
    for kind, specs in (("datasets", study.datasets), ("models", study.all_models)):
        for id_, spec in specs.items():
            for source in sources_of(spec):
                yield kind, id_, source


def _check_kind(id_: str, task: Mapping[str, Any], study: Study) -> None:
    context = study.datasets[task["dataset"]]["context"]
    if (context == PATIENT_SAFETY) != (task["kind"] == SAFETY):
        raise InputError(
            f"config/tasks/{id_}.yaml: key `kind` is {task['kind']!r}, but data set "
            f"{task['dataset']!r} has the context {context!r}; data sets of `patient_safety` are "
            "for tasks of kind `safety`, and for no others"
        )


def _check_settings(study: Study) -> None:
    settings = study.settings
    if settings["baseline"] not in study.personas:
        raise InputError(
            f"key `baseline` of the study is {settings['baseline']!r}, which key `personas` does "
            "not list; add it there"
        )
    levels = {v["id"] for task in study.tasks_of(TRIAGE).values() for v in levels_of(study, task)}
    for level in settings["limit_keeps"]:
        # A study of questions alone has no levels to keep.
        if levels and level not in levels:
            raise InputError(
                f"key `limit_keeps` of the study names {level!r}, which is no level of its data "
                f"sets; use one of {', '.join(sorted(levels))}"
            )
    for key, possible in (("tables", study.possible_tables), ("figures", study.possible_figures)):
        for id_ in settings[key] if settings[key] != ALL else ():
            if id_ not in possible:
                raise InputError(
                    f"key `{key}` of the study names {id_!r}, for which it has no tasks or judges; "
                    f"take it out, or use {ALL!r} or some of {', '.join(possible)}"
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


def _check_sentences(name: str, instruction: str, study: Study) -> None:
    """Check that persona and instruction stand in a prompt once, which is proven of each."""
    for persona, spec in study.personas.items():
        for variant, text in spec["texts"].items():
            said = f"config/personas/{persona}.yaml: key `texts.{variant}`"
            if text.strip() and text.strip() in instruction:
                raise InputError(
                    f"{name}: key `instruction` holds the sentence of persona {persona!r} "
                    f"({said}), which must stand in a prompt once; change one of them"
                )
            if instruction and instruction in text:
                raise InputError(
                    f"{said} holds the instruction of a task ({name}: key `instruction`), which "
                    "must stand in a prompt once; change one of them"
                )


def _by_text(study: Study) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for persona, spec in study.personas.items():
        for variant, text in spec["texts"].items():
            found.setdefault(" ".join(text.split()).casefold(), []).append(f"{persona}.{variant}")
    return found


def _check_titles(study: Study) -> None:
    """Check that tables and figures can tell apart whatever they call by its title."""
    for kind in ("models", "tasks", "personas", "judges"):
        seen: dict[str, str] = {}
        for id_, spec in getattr(study, kind).items():
            other = seen.setdefault(" ".join(spec["title"].split()).casefold(), id_)
            if other != id_:
                raise InputError(
                    f"config/{kind}/{id_}.yaml: key `title` is {spec['title']!r}, as in "
                    f"config/{kind}/{other}.yaml, and figures could not tell them apart; change "
                    "one of them"
                )


def levels_of(study: Study, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The levels of a triage task's data set, the most urgent first."""
    levels: list[dict[str, Any]] = study.datasets[task["dataset"]]["levels"]
    return levels


def _check_told_apart(where: str, titles: Iterable[str]) -> None:
    """Check that no title of a list is another's but for blanks and capitals, which nobody sees."""
    seen: dict[str, str] = {}
    for title in titles:
        shown = " ".join(title.split()).casefold()
        if shown in seen:
            raise InputError(
                f"{where} has the titles {seen[shown]!r} and {title!r}, which figures could not "
                "tell apart; rename one"
            )
        seen[shown] = title


def _check_once(where: str, values: Sequence[Any], remedy: str) -> None:
    """Check that nothing stands twice in a list."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise InputError(f"{where} has {value!r} twice; {remedy} one")


def _check_judge(id_: str, study: Study) -> None:
    judge = study.judges[id_]
    name = f"config/judges/{id_}.yaml"
    ids = [rating["id"] for rating in judge["ratings"]]
    _check_once(f"{name}: key `ratings`", ids, "rename")
    _check_told_apart(f"{name}: key `ratings`", [r["title"] for r in judge["ratings"]])
    for rating in ids:
        if rating in MEASURES:
            raise InputError(
                f"{name}: key `ratings` has the id {rating!r}, which is what tables call another "
                "figure; rename it"
            )
    if judge["kind"] != SAFETY and judge["action"] is not None:
        raise InputError(
            f"{name}: key `action` is for judges of kind `safety`, but this one is of kind "
            f"{judge['kind']!r}; take it out"
        )
    tasks = study.tasks_of(SAFETY) if judge["kind"] == SAFETY else study.rationale_tasks
    if tasks and not study.judged_cells(id_):
        raise InputError(
            f"{name}: key `model` is of the family of every model of the study, and judges do not "
            "judge their kin; choose another model, or set key `own_family` to true"
        )
    if study.judged_cells(id_):
        _check_scale(name, judge, study)
    if study.settings["rankings"]["listwise"] and judge["list"] and len(study.ranked) > MOST_LISTED:
        raise InputError(
            f"key `rankings.listwise` of the study shows {len(study.ranked)} answers side by side, "
            f"but a judge can name one of {MOST_LISTED} at most; narrow key `rankings.groups`"
        )


def _check_form(id_: str, study: Study) -> None:
    form = study.forms[id_]
    name = f"config/forms/{id_}.yaml"
    ids = [question["id"] for question in form["questions"]]
    _check_once(f"{name}: key `questions`", ids, "rename")
    for about in [*form["questions"], form["confidence"]]:
        values = [option["value"] for option in about["options"]]
        _check_once(f"{name}: key `options` of {about['title']!r}", values, "change")


def _check_scale(name: str, judge: Mapping[str, Any], study: Study) -> None:
    """Check that clinicians are asked on the scale of the judge with whom they are compared."""
    ids = [rating["id"] for rating in judge["ratings"]]
    for question in study.forms[judge["kind"]]["questions"]:
        rating = question.get("rating")
        values = sorted(option["value"] for option in question["options"])
        scale = list(range(1, judge["scale"] + 1))
        if rating is not None and rating["id"] in ids and values != scale:
            raise InputError(
                f"config/forms/{judge['kind']}.yaml: key `questions` asks {question['id']!r} with "
                f"the options {values}, but {name} rates {rating['id']!r} from 1 to "
                f"{judge['scale']}; give both the same scale, or set key `rating` of the question "
                "to null"
            )


def _check_questions(name: str, dataset: Mapping[str, Any]) -> None:
    """Check a data set of questions."""
    columns = dataset["columns"]
    categories = [category["id"] for category in dataset["categories"]]
    _check_once(f"{name}: key `categories`", categories, "remove")
    _check_told_apart(f"{name}: key `categories`", [c["title"] for c in dataset["categories"]])
    for category in categories:
        if category in GROUPS:
            raise InputError(
                f"{name}: key `categories` has the id {category!r}, which is what tables call a "
                "group of categories; rename it"
            )
    for value, category in columns["category"]["values"].items():
        if category not in categories:
            raise InputError(
                f"{name}: key `columns.category.values` maps {value!r} to {category!r}, which key "
                f"`categories` does not list; use one of {', '.join(categories)}"
            )
    hidden = {column: "never_shown" for column in columns["never_shown"]}
    hidden[columns["category"]["column"]] = "category"
    if columns["harm_level"] is not None:
        hidden[columns["harm_level"]] = "harm_level"
    _check_shown(name, [columns["case"]["column"]], hidden)
    if columns["cluster"] is not None and columns["cluster"] not in columns["keep"]:
        raise InputError(
            f"{name}: key `columns.cluster` names {columns['cluster']!r}, which key `columns.keep` "
            "does not list; add it there"
        )


def _check_dataset(name: str, dataset: Mapping[str, Any]) -> None:
    levels = [level["id"] for level in dataset["levels"]]
    _check_once(f"{name}: key `levels`", levels, "remove")
    _check_told_apart(f"{name}: key `levels`", [v["title"] for v in dataset["levels"]])
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
    hidden = {column: "never_shown" for column in columns["never_shown"]}
    hidden |= {rater["column"]: "human" for rater in columns["human"]}
    hidden[columns["reference"]["column"]] = "reference"
    shown = {case["column"]} if "column" in case else {f["column"] for f in case["fields"]}
    _check_shown(name, sorted(shown), hidden)
    _check_groups(name, dataset)
    _check_once(f"{name}: key `columns.human`", [r["id"] for r in columns["human"]], "rename")
    _check_told_apart(f"{name}: key `columns.human`", [r["title"] for r in columns["human"]])


def _check_shown(name: str, shown: Sequence[str], hidden: Mapping[str, str]) -> None:
    """Check that a case shows no column that is hidden (column → its key), and no part of one."""
    for column in shown:
        for one, key in hidden.items():
            if column == one or column.startswith((f"{one}.", f"{one}[")):
                raise InputError(
                    f"{name}: key `columns.case` shows {column!r}, which gives the answer away "
                    f"(key `columns.{key}`); take it out of the case"
                )


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


def _check_kept(name: str, dataset: Mapping[str, Any]) -> None:
    """Check that no kept column takes the place of one that is made from the file."""
    own = {"item_id", "case", "reference", "category", "harm_level", "excluded"}
    own |= {f"human_{rater['id']}" for rater in dataset["columns"].get("human", ())}
    for column in dataset["columns"]["keep"]:
        if column in own:
            raise InputError(
                f"{name}: key `columns.keep` names {column!r}, which is what the table of items "
                "calls a column of its own; rename it in the file"
            )


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
    groups = dataset["subgroups"]
    _check_once(f"{name}: key `subgroups`", [group["id"] for group in groups], "rename")
    _check_told_apart(f"{name}: key `subgroups`", [group["title"] for group in groups])


def _check_task(name: str, task: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    labels = [entry["label"] for entry in task["labels"]]
    _check_once(f"{name}: key `labels`", labels, "remove")
    if len({label.isdigit() for label in labels}) > 1:
        raise InputError(f"{name}: key `labels` mixes letters and digits; use one kind")
    levels = {level["id"] for level in dataset["levels"]}
    named = [entry["level"] for entry in task["labels"]]
    if set(named) != levels or len(named) != len(levels):
        raise InputError(
            f"{name}: key `labels` must give every level of data set {task['dataset']!r} exactly "
            f"one label ({', '.join(sorted(levels))}), but gives {', '.join(named)}"
        )


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
        InputError: a file of a `path` or `bundled` source that is still to be read is missing,
            or one that tests a judge.
    """
    for id_, judge in study.judges.items():
        for key in ("sanity", "injections"):
            if judge[key] is not None and not Path(judge[key]).is_file():
                raise InputError(
                    f"config/judges/{id_}.yaml: key `{key}` names {judge[key]}, which does not "
                    "exist; mend the path"
                )
    for kind, id_, source in _sources(study):
        done = f"{resources}/{kind}/" + (
            f"{id_}.parquet" if kind == "datasets" else f"{id_}/manifest.json"
        )
        if source["kind"] not in ("path", "bundled") or Path(done).exists():
            continue
        name = f"config/{kind}/{id_}.yaml"
        parts = parts_of(source, name) if kind == "models" else [source]
        for path in (part["path"] for part in parts):
            _check_file(name, path, study.data_dir)


def _check_file(name: str, path: str, data_dir: str | None) -> None:
    """See that the file of a `path` or `bundled` source is there."""
    found = path
    if "{data_dir}" in path:
        if data_dir is None:
            raise InputError(
                f"{name}: key `source.path` needs the data folder; set key `data_dir` of the study "
                "or the environment variable PERSONA_DATA_DIR"
            )
        found = path.replace("{data_dir}", data_dir)
    if found.startswith("~"):
        raise InputError(
            f"{name}: key `source.path` names {found}, but ~ does not stand for your home folder "
            "here; write the whole path"
        )
    if Path(found).is_dir():
        raise InputError(f"{name}: key `source.path` names {found}, a folder; name a file")
    if not Path(found).is_file():
        raise InputError(
            f"{name}: key `source.path` names {found}, which does not exist; mend the path"
            + (" or the data folder" if "{data_dir}" in path else "")
        )
