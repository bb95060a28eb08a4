# Needs: the study. Leaves: what the rules of measure.smk ask of a model in a task.


def is_rated(wildcards):
    """Whether the cells are those of human raters, or of the bag of words."""
    return wildcards.model in RATED


def measured_personas(wildcards):
    """The personas of a model, or the raters of a task."""
    if is_rated(wildcards):
        place = (wildcards.model, wildcards.task)
        return [c.persona for c in STUDY.rater_cells if (c.model, c.task) == place]
    return sorted(STUDY.personas)


def measured_files(stage, *endings):
    """Input function: the files of all personas at a stage."""

    def paths(wildcards):
        folder = f"results/{stage}/{wildcards.model}/{wildcards.task}"
        names = measured_personas(wildcards)
        return [f"{folder}/{name}{end}" for end in endings for name in names]

    return paths


def measured_calibration(wildcards):
    """Their calibration, where answers are labels of a model."""
    if is_rated(wildcards) or not STUDY.traits(wildcards.task).labels:
        return []
    return measured_files("calibration", ".parquet", ".draws.parquet")(wildcards)


def measured_recalibration(wildcards):
    """Their calibration after recalibration, where the study asks for it."""
    asked = measured_calibration(wildcards) and STUDY.settings["recalibrations"]
    path = f"results/recalibration/{wildcards.model}/{wildcards.task}.parquet"
    return path if asked else []


def arm_of(wildcards):
    """The task that this one is an arm of, where the study has it too."""
    base_task, part = split(wildcards.task)
    known = part and base_task in STUDY.tasks and not is_rated(wildcards)
    return base_task if known else None


def base_scores(wildcards):
    """The scores of the task that this one is an arm of."""
    task = arm_of(wildcards)
    folder = f"results/scores/{wildcards.model}/{task}"
    return (
        []
        if task is None
        else [f"{folder}/{p}.parquet" for p in sorted(STUDY.personas)]
    )


def asked_scores(wildcards):
    """For raters, the answers of the first model: they say which items the models were asked."""
    if not is_rated(wildcards):
        return []
    first, baseline = next(iter(STUDY.models)), STUDY.settings["baseline"]
    return f"results/scores/{first}/{wildcards.task}/{baseline}.parquet"


def measured_options(wildcards, input):
    """What a job is told of what it has."""
    place = f"{wildcards.model}/{wildcards.task}"
    options = []
    if is_rated(wildcards):
        options.append(f"--raters {' '.join(measured_personas(wildcards))}")
    options += [f"--asked {input.asked}"] if input.asked else []
    options += (
        [f"--calibration results/calibration/{place}"] if input.calibration else []
    )
    options += [f"--recalibration {input.recalibration}"] if input.recalibration else []
    if input.base_scores:
        options.append(f"--base results/scores/{wildcards.model}/{arm_of(wildcards)}")
    return " ".join(options)


def measured_groups(wildcards):
    """The sizes of the subgroups of a task's data set: they are refused where they cannot be."""
    dataset = STUDY.tasks[wildcards.task]["dataset"]
    asked = STUDY.datasets[dataset].get("subgroups")
    return f"resources/datasets/{dataset}.groups.json" if asked else []


def measured_tables(kind):
    """Ids of what is measured of a model in a task of a kind."""
    return [*MEASURED_TABLES, *base.tables(kind)]


def kind_measures_code(kind):
    """The modules of a kind that the measures load, below the library."""
    own = [f"kinds/{kind}/tables/{table}.py" for table in base.tables(kind)]
    return [*modules(kind, "spec", "measures", "pairs"), *own]


def kind_tables_code():
    """Those of all kinds of the study."""
    return [path for kind in STUDY.measured_kinds for path in kind_measures_code(kind)]


def factor_scores():
    """The scores of the personas of sets whose factors are told apart."""
    personas = [id_ for one in STUDY.factor_sets.values() for id_ in one["personas"]]
    return [
        f"results/scores/{model}/{task}/{persona}.parquet"
        for model in STUDY.models
        for task in STUDY.factor_tasks
        for persona in personas
    ]


def kind_factors_code():
    """The modules of the kinds of their tasks that say what counts."""
    kinds = sorted({STUDY.kind(task) for task in STUDY.factor_tasks})
    return [path for kind in kinds for path in kind_measures_code(kind)]


def scores_of(tasks):
    """The scores of all personas in some tasks."""
    return [
        f"results/scores/{model}/{task}/{persona}.parquet"
        for model in STUDY.models
        for task in tasks
        for persona in routed_personas(STUDY)
    ]


def cases_of(tasks):
    """The data sets of some tasks."""
    used = {STUDY.tasks[task]["dataset"] for task in tasks}
    return [f"resources/datasets/{id_}.parquet" for id_ in sorted(used)]


def code_of_kinds(tasks):
    """The modules of the kinds of some tasks that say what counts."""
    kinds = sorted({STUDY.kind(task) for task in tasks})
    return [path for kind in kinds for path in kind_measures_code(kind)]
