# Needs: the study. Leaves: what rules ask of adapters and of what these are trained on.

from persona_paradox.data.parts import is_peft

ADAPTERS = list(STUDY.training.cells)
NAMED_ADAPTERS = STUDY.settings["adapters"]
# Those that are chosen among candidates of a cycle, and the judges that must be usable for it.
CHOSEN_ADAPTERS = list(STUDY.training.validated)
TESTED_JUDGES = STUDY.training.tested
# Models that are asked for what adapters are trained on, and those of these that answer.
ASKED_MODELS = sorted({cell.model for cell in STUDY.training.all_cells})
ANSWERING_MODELS = sorted({cell.model for cell in STUDY.training.judged_cells})
# Derived models whose adapters come from somewhere else: as GGUF files, and as folders of peft.
TAKEN_ADAPTERS, PEFT_ADAPTERS = (
    [
        id_
        for id_ in DERIVED_MODELS
        if not is_trained(adapter := STUDY.known_models[id_]["adapter"])
        and is_peft(adapter["source"]) == peft
    ]
    for peft in (False, True)
)


def training_cells(pattern):
    """Input function: the files of the cells that an adapter is trained on, sorted."""

    def paths(wildcards):
        cells = STUDY.training.cells_of(wildcards.adapter)
        return sorted({pattern.format(cell=cell.path) for cell in cells})

    return paths


def training_answers(wildcards):
    """The answers that an adapter is trained on or chosen by, and what judges say of them, sorted."""
    judged = STUDY.training.judged_of(wildcards.adapter)
    answers = {f"results/responses/{one.cell.path}.parquet" for one in judged}
    said = {
        f"results/training/judgements/{one.judge}/{one.cell.path}.parquet"
        for one in judged
    }
    return sorted(answers | said)


def training_tasks(wildcards):
    """The tasks that are asked for what an adapter is trained on."""
    cells = STUDY.training.cells_of(wildcards.adapter)
    return [STUDY.training.tasks[id_] for id_ in sorted({cell.task for cell in cells})]


def training_cases(wildcards):
    """The data sets of these."""
    sets = {task["dataset"] for task in training_tasks(wildcards)}
    return [f"resources/datasets/{id_}.parquet" for id_ in sorted(sets)]


def training_code(wildcards):
    """What gathers the examples of an adapter, with what tells references and worth of answers."""
    kinds = sorted({task["kind"] for task in training_tasks(wildcards)})
    own = [path for kind in kinds for path in modules(kind, "training", "preference")]
    return code("gather_examples", *own)


def training_files(wildcards):
    """The files of examples that an adapter is trained on."""
    adapter = {wildcards.adapter: STUDY.adapters[wildcards.adapter]}
    return [path for _, path in files_with(adapter)]


def trained_base(wildcards):
    """The model of which an adapter is trained."""
    return STUDY.adapters[wildcards.adapter]["base"]


def of_trained_base(pattern):
    """Input function: a file of that model."""
    return lambda wildcards: pattern.format(model=trained_base(wildcards))


def training_threads(wildcards):
    """As many as the engine takes for the model."""
    models = STUDY.training.files.get("models", {}) | STUDY.written_models
    return models[trained_base(wildcards)]["engine"]["threads"]


def persona_texts(wildcards):
    """The wordings of a persona that are asked; training is on the main one alone."""
    folder = (
        "training_personas" if wildcards.task in STUDY.training.tasks else "personas"
    )
    return VIEWS[f"{folder}/{wildcards.persona}"]


def adapter_manifest(wildcards):
    """The manifest of a derived model's adapter, which lies where the adapter does."""
    adapter = Path(STUDY.files_of(wildcards.model)[-1])
    trained = is_trained(STUDY.known_models[wildcards.model]["adapter"])
    return str(
        adapter.with_name("manifest.json" if trained else "source_manifest.json")
    )


def adapter_file(wildcards):
    """The file of an adapter, or of a derived model's, in errors."""
    own = "adapter" in wildcards.keys()
    id_ = wildcards.adapter if own else split(wildcards.model)[1]
    return file_of_adapter(id_, STUDY.adapters[id_])


def candidates_of(name):
    """Input function: a file of every candidate of a cycle."""

    def paths(wildcards):
        models = STUDY.training.validated[wildcards.adapter].candidates
        return [f"{FOLDER}/{split(model)[1]}/{name}" for model in models]

    return paths


def choices(models):
    """The manifests of those adapters of models that were chosen among candidates."""
    adapters = {split(model)[1] for model in models} & {*CHOSEN_ADAPTERS}
    return [f"{FOLDER}/{adapter}/manifest.json" for adapter in sorted(adapters)]


def cycle_before(wildcards):
    """The manifest of the adapter of the cycle before, if there is one that was chosen."""
    before = STUDY.training.after.get(wildcards.adapter)
    return f"{FOLDER}/{before}/manifest.json" if before else []


def before_option(wildcards):
    path = cycle_before(wildcards)
    return f"--before {path}" if path else ""


def judge_tests(wildcards):
    """What tests of the judge gave that chooses, where it must be usable; and their classes."""
    by = STUDY.training.validated[wildcards.adapter]
    judge = by.judged[0].judge
    if not by.stop["unusable_judge"]:
        return []
    classes = STUDY.training.judges[judge]["sanity_classes"]
    forms = [
        f"results/training/checks/{judge}/{f}.parquet" for f in ("ratings", "pairs")
    ]
    return [*forms, *([classes] if classes else [])]


def judge_tests_option(wildcards):
    by = STUDY.training.validated[wildcards.adapter]
    folder = f"results/training/checks/{by.judged[0].judge}"
    return f"--checks {folder}" if by.stop["unusable_judge"] else ""


def known_judge(wildcards):
    """A judge of the study, or of what its adapters are trained on."""
    return (STUDY.judges | STUDY.training.judges)[wildcards.judge]
