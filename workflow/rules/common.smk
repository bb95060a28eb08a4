# Needs: the merged configuration. Leaves: STUDY (checked), VIEWS (the parts of the
# configuration that single stages depend on, under results/config), and shared helpers.

import os
import re
import sys
from functools import cache
from glob import glob
from pathlib import Path
from shlex import quote

from snakemake.utils import update_config

from persona_paradox.cli import sentence
from persona_paradox.data.places import places
from persona_paradox.engine import sizes
from persona_paradox.engine.sizes import Size
from persona_paradox.errors import InputError
from persona_paradox.files import sources_of
from persona_paradox.imports import sums_of_code
from persona_paradox.kinds import base
from persona_paradox.names import ALL, CHECKS, HUMAN, RATED, WHEN, WORDS
from persona_paradox.study.conditions import base_of, file_of, is_derived, split
from persona_paradox.study.cycles import CYCLE_TABLES, families, file_of_adapter
from persona_paradox.study.identification import named_tasks
from persona_paradox.study.inventory import (
    answered,
    checks_criteria,
    code_files,
    derived,
    first_step,
    lists,
    manifests,
    ranks,
    restricted,
    study_files,
)
from persona_paradox.study.opening import VIEWS as VIEWS_FOLDER, open_study
from persona_paradox.study.products import (
    CLINICIAN_TABLES,
    DECOMPOSED_TABLES,
    FACTOR_TABLES,
    IDENTIFICATION_TABLES,
    MEASURED_TABLES,
    ROUTING_TABLES,
    SURVIVAL_TABLES,
    judged_tables,
)
from persona_paradox.study.rounds import rounds_of
from persona_paradox.study.routing import routed_personas, routed_tasks
from persona_paradox.study.rubrics import (
    criteria_tasks,
    read_by_judges,
    rubric_cells,
)
from persona_paradox.study.training import FOLDER, files_with, is_trained
from persona_paradox.study.views import write_view
from persona_paradox.study.yaml_reading import given

try:
    update_config(config, given(workflow.config_settings.config_args or []))
    STUDY, VIEWS = open_study(config, ROOT, CONFIG)
except InputError as error:
    sys.exit(f"error: {error}")


# Of the study, and of what its adapters are trained on.
DATASETS = STUDY.datasets | STUDY.training.datasets
PERSONAS = STUDY.personas | STUDY.training.personas
# Models whose weights are brought here, and those that have an adapter.
LOADED_MODELS = sorted({*STUDY.whole_models, *STUDY.training.files.get("models", {})})
DERIVED_MODELS = [id_ for id_ in STUDY.known_models if is_derived(id_)]
RATERS = sorted({cell.persona for cell in STUDY.rater_cells})
# What is answered after a reasoning, and what at once.
REASONED = [task for task in STUDY.asked_tasks if STUDY.reasons(task)]
ONE_STEP = [task for task in STUDY.asked_tasks if not STUDY.reasons(task)]
THINKING_HERE, THINKING_AFAR = (
    [id_ for id_ in STUDY.thinking_models if id_ in there]
    for there in (STUDY.local_models, STUDY.servers)
)


@cache
def code(script, *plugins):
    """Input of a rule: the sums of a script, of modules that it loads by name, and of what these import."""
    library = LIBRARY / "persona_paradox"
    entries = [LIBRARY / "scripts" / f"{script}.py", *(library / p for p in plugins)]
    try:
        return write_view(f"code/{script}", sums_of_code(entries), VIEWS_FOLDER)
    except OSError as error:
        sys.exit(f"error: {sentence(error) or error}")


def modules(kind, *names):
    """Those modules of a kind that it has, below the library."""
    return [f"kinds/{kind}/{name}.py" for name in names if base.has(kind, name)]


def kind_modules(*names):
    """Of every kind of the study's tasks the first of some modules that it has."""
    return [path for kind in STUDY.kinds for path in modules(kind, *names)[:1]]


# What scripts load that ask what the kinds of a whole study are like.
SPECS = [path for kind in STUDY.kinds for path in modules(kind, "spec")]


def kind_of(wildcards):
    """The kind of a task, or of the tasks that read a data set."""
    if "task" in wildcards.keys():
        return STUDY.kind(wildcards.task)
    return STUDY.kind_of(wildcards.dataset)


def kind_code(script, *names):
    """Input function: a script with modules of the kind of its task or data set."""
    return lambda wildcards: code(script, *modules(kind_of(wildcards), *names))


def literal(text):
    """A text that Snakemake formats, as it is: a brace in the name of a folder is no wildcard."""
    return text.replace("{", "{{").replace("}", "}}")


# What every rule runs in, where Snakemake is told to make environments.
ENVIRONMENT = literal(str(ROOT / "environment.yml"))


def script(name):
    """Command that runs a script of the workflow, as a copy of a process that has its libraries."""
    paths = LIBRARY / "persona_paradox/launch/job.py", LIBRARY / f"scripts/{name}.py"
    words = (quote(os.path.relpath(path)) for path in paths)
    return literal(f"python -S {' '.join(words)}")


def cells(pattern, rated=False, module=None):
    """The files of all cells, or of those whose kind has a module; no orphans of former personas."""
    chosen = STUDY.cells if module is None else STUDY.cells_having(module)
    chosen = chosen + (STUDY.rater_cells if rated else [])
    return sorted(pattern.format(cell=cell.path) for cell in chosen)


def view(pattern):
    """Input function: the view that a pattern like "personas/{persona}" names."""

    def path(wildcards):
        return VIEWS[pattern.format(**dict(wildcards.items()))]

    return path


def scored_cases():
    """The data sets of all tasks whose answers are scored."""
    used = {task["dataset"] for task in STUDY.tasks_having("scoring").values()}
    return [
        f"resources/datasets/{id_}.parquet" for id_ in STUDY.datasets if id_ in used
    ]


def group_sizes():
    """The sizes of the subgroups of all data sets that have any."""
    return [
        f"resources/datasets/{id_}.groups.json"
        for id_, dataset in STUDY.datasets.items()
        if dataset.get("subgroups")
    ]


def task_cases(wildcards):
    """The data set of a task."""
    return f"resources/datasets/{STUDY.known_tasks[wildcards.task]['dataset']}.parquet"


def asked(wildcards):
    """The chats of a cell: of a further turn, behind the model's answers."""
    folder = STUDY.prompts_of(wildcards.model, wildcards.task)
    return f"{folder}/{wildcards.persona}.parquet"


def asked_of(wildcards, *personas):
    """The chats of some personas that a model was asked by in a task."""
    folder = STUDY.prompts_of(wildcards.model, wildcards.task)
    return [f"{folder}/{persona}.parquet" for persona in personas]


def first_round(wildcards):
    """The first prompts of a task, whose answers what it says later is behind."""
    task = wildcards.task
    while task in STUDY.before:
        task = STUDY.before[task]
    return f"results/prompts/{task}/{STUDY.settings['baseline']}.parquet"


def further(wildcards):
    """What is said behind the answers to a task: by view, what it has of them."""
    wanted = (
        {"turns": f"turns/{wildcards.task}"} if wildcards.task in STUDY.before else {}
    )
    if wildcards.task in STUDY.verbalized_tasks:
        wanted["question"] = f"verbalized/{wildcards.task}"
    if wildcards.task in STUDY.identified_tasks:
        wanted["identification"] = "identification"
    return {option: VIEWS[name] for option, name in wanted.items()}


def tried(wildcards):
    """That the model's template has as many turns, of a task that goes on behind an answer."""
    path = f"results/second_turns/{wildcards.model}/{wildcards.task}.parquet"
    return [path] if wildcards.task in STUDY.before else []


def spoken_cases(wildcards):
    """The items of a task that fill places in what the user says behind answers."""
    turns = STUDY.asked_tasks[wildcards.task].get("turns", [])
    return task_cases(wildcards) if any(map(places, turns)) else []


def spoken_option(wildcards):
    path = spoken_cases(wildcards)
    return f"--items {path}" if path else ""


def bundled_file(wildcards):
    """The file of a bundled data set, which git may change; other sources are checksummed."""
    sources = sources_of(DATASETS[wildcards.dataset])
    return [each["path"] for each in sources if each["kind"] == "bundled"]


def manifest(wildcards):
    """The manifest of a model that runs here, which stands for its files; a server has none."""
    model = answering(wildcards)
    return [] if model in STUDY.servers else f"resources/models/{model}/manifest.json"


def weights(wildcards):
    """The files of a model, whose checksums its manifest holds."""
    return ancient(STUDY.files_of(answering(wildcards)))


def model_file(wildcards):
    """The file that says how the engine runs a model, in errors."""
    return file_of("models", answering(wildcards))


def verbalized(wildcards):
    """The stated confidences of a cell, if its task asks for them."""
    asked = wildcards.task in STUDY.verbalized_tasks and wildcards.model not in RATED
    path = "results/verbalized/{model}/{task}/{persona}.parquet"
    return path.format(**dict(wildcards.items())) if asked else []


def verbalized_option(wildcards):
    path = verbalized(wildcards)
    return f"--verbalized {path}" if path else ""


def reasoned_on(wildcards):
    """What reasonings go on from: the prompts, or the thoughts where a model thinks first."""
    thinks = wildcards.model in STUDY.thinking_models
    stage = "reasonings_delivered" if thinks else "delivered"
    return f"results/{stage}/{wildcards.model}/{wildcards.task}/{wildcards.persona}.parquet"


def thoughts(wildcards):
    """The thoughts of a cell, if its model thinks."""
    path = "results/thoughts/{model}/{task}/{persona}.parquet"
    thinks = wildcards.model in STUDY.thinking_models
    return path.format(**dict(wildcards.items())) if thinks else []


def thoughts_option(wildcards):
    path = thoughts(wildcards)
    return f"--thoughts {path}" if path else ""


def first_answers(wildcards):
    """What a model answered to its delivered prompts: thoughts or reasonings, if there are some."""
    stage = first_step(STUDY, wildcards.model, wildcards.task).stage
    return f"results/{stage}/{wildcards.model}/{wildcards.task}/{wildcards.persona}.parquet"


def first_decoding(wildcards):
    """The view that says how it answers them."""
    return VIEWS[first_step(STUDY, wildcards.model, wildcards.task).decoding]


def answering(wildcards):
    """The model that answers in a job: that of the cell, or the judge's."""
    return judge_model(wildcards) if "judge" in wildcards.keys() else wildcards.model


def engine(wildcards):
    return STUDY.known_models[answering(wildcards)]["engine"]


def engine_threads(wildcards):
    return engine(wildcards)["threads"]


# What schedulers are told. The sizes are known when the model is there, and not before.
def gpu(wildcards):
    """Cards that a job takes; the default profile lets one such job run at a time."""
    return sizes.cards(engine(wildcards)) or None


def engine_mb(wildcards, input, attempt):
    return sizes.memory_mb(Size.of(input.manifest), engine(wildcards), attempt)


def engine_minutes(wildcards, input, attempt):
    return sizes.minutes(Size.of(input.manifest), 1, attempt)


def together_minutes(wildcards, input, attempt):
    return sizes.minutes(Size.of(input.manifest), len(STUDY.personas), attempt)


JUDGES = STUDY.active_judges
JUDGED_TASKS = sorted(
    {cell.task for judge in JUDGES for cell in STUDY.judged_cells(judge)}
)
# Rounds that are judged beside them, turn by turn.
JUDGED_ROUNDS = sorted(
    {cell.task for judge in JUDGES for cell in rounds_of(STUDY, judge)}
)
RUBRIC_JUDGES = [judge for judge in JUDGES if rubric_cells(STUDY, judge)]
CRITERIA_CHECKED = [judge for judge in JUDGES if checks_criteria(STUDY, judge)]
RANKING_JUDGES = [judge for judge in JUDGES if ranks(STUDY, judge)]
LISTING_JUDGES = [judge for judge in JUDGES if lists(STUDY, judge)]


def judge_model(wildcards):
    return known_judge(wildcards)["model"]


def of_judge(pattern):
    """Input function: a view of a judge's model."""

    def path(wildcards):
        return VIEWS[pattern.format(model=judge_model(wildcards))]

    return path


def of_round(pattern):
    """Input function: a view of a judge, of what it is asked about a round or about a task."""

    def path(wildcards):
        of_task = wildcards.task in STUDY.tasks
        what = pattern if of_task else f"{pattern}_of_rounds"
        return VIEWS[f"{what}/{wildcards.judge}"]

    return path


def followed_files(pattern, judged):
    """Files of all rounds of conversations that judges follow, or that the key does."""
    return sorted(
        {
            pattern.format(judge=judge, model=model, task=one, persona=persona)
            for judge, model, task in STUDY.followed
            if (judge is not None) == judged
            for one in STUDY.long_chains[task]
            for persona in STUDY.personas
        }
    )


def checks(key):
    """Input function: the file of a key of a judge, if it has one."""

    def path(wildcards):
        return known_judge(wildcards)[key] or []

    return path


def checks_options(wildcards):
    judge = known_judge(wildcards)
    return " ".join(
        f"--{key.replace('_', '-')} {quote(judge[key])}" for key in CHECKS if judge[key]
    )


def pairs_of(wildcards):
    """The verdicts on the pairs of personas, sorted."""
    return [
        f"results/verdicts/{wildcards.judge}/pairs/{wildcards.model}/{wildcards.task}/"
        f"{first}.vs.{second}.parquet"
        for first, second in STUDY.ranked_pairs
    ]


def judged_files(pattern, judges):
    """Files of all judges and of what they read, sorted."""
    return sorted(
        {
            pattern.format(
                judge=judge, model=cell.model, task=cell.task, persona=cell.persona
            )
            for judge in judges
            for cell in STUDY.judged_cells(judge)
        }
    )


def ruled_scores():
    """Scores of the cells that judges read and a rule of their kind reads in the same classes."""
    return sorted(
        {
            f"results/scores/{cell.path}.parquet"
            for judge in STUDY.active_judges
            for cell in STUDY.judged_cells(judge)
            if base.has(STUDY.kind(cell.task), "ruled")
        }
    )


def criteria_files():
    """What judges say of the criteria of all items, and of those of answers of known worth."""
    cells = {
        f"results/criteria/{judge}/{cell.path}.parquet"
        for judge in RUBRIC_JUDGES
        for cell in rubric_cells(STUDY, judge)
    }
    checks = {f"results/checks/{judge}/criteria.parquet" for judge in CRITERIA_CHECKED}
    return sorted(cells | checks)


def rubric_cases():
    """The data sets whose items have criteria, of the answers that clinicians see."""
    tasks = {cell.task for cell in STUDY.shown_cells}.intersection(
        criteria_tasks(STUDY)
    )
    return sorted(
        {f"resources/datasets/{STUDY.tasks[t]['dataset']}.parquet" for t in tasks}
    )


def criteria_sanity(wildcards):
    """The file of a judge's answers of which it is known what criterion they meet."""
    return STUDY.judges[wildcards.judge]["criteria"]["sanity"]


def study_members():
    """What the archive holds of cells, data sets and models; and the sets that it leaves out."""
    found = {f"resources/datasets/{id_}.parquet" for id_ in STUDY.datasets}
    return sorted(found | {path for path, _ in study_files(STUDY)})


@cache
def project_files():
    """The code, which goes into the archive as well."""
    return [os.path.relpath(ROOT / path) for path in code_files(ROOT)]


def report_cells():
    """What the page shows behind the numbers: every file of a cell, sorted."""
    scored = cells("results/scores/{cell}.parquet", rated=True, module="scoring")
    judged = judged_files(
        "results/judgements/{judge}/{model}/{task}/{persona}.parquet", JUDGES
    )
    ranked = judged_files(
        "results/rankings/{judge}/{model}/{task}.parquet", RANKING_JUDGES
    )
    answers = cells("results/responses/{cell}.parquet")
    return sorted(
        {
            *answers,
            *scored,
            *judged,
            *ranked,
            *criteria_files(),
            *cells("results/delivered/{cell}.parquet"),
        }
    )


def configfiles():
    """The files of the study as a reader would name them."""
    own = os.path.realpath("config/config.yaml")
    given = [path for path in workflow.configfiles if os.path.realpath(path) != own]
    inside = [os.path.relpath(path) for path in given]
    return [os.path.basename(p) if p.startswith("..") else p for p in inside]


# Moving the store reruns nothing: it is no part of any job.
STORE = '--store "${{PERSONA_STORE_DIR:-resources/store}}"'


def one_of(ids):
    """Pattern of a wildcard; of no id, one that nothing matches."""
    return "|".join(map(re.escape, ids)) or "(?!)"


wildcard_constraints:
    model=one_of([*STUDY.known_models, *LOADED_MODELS, *STUDY.base_models, *RATED]),
    task=one_of(STUDY.known_tasks),
    persona=one_of([*PERSONAS, *RATERS]),
    dataset=one_of(DATASETS),
