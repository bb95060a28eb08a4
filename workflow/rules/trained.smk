# Needs: the study. Leaves: what rules ask of adapters and of what these are trained on.

from persona_paradox.data.parts import is_peft

ADAPTERS = list(STUDY.training.cells)
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
    """The answers that an adapter is trained on, and what judges say of them, sorted."""
    judged = STUDY.training.judged[wildcards.adapter]
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
    return STUDY.written_models[trained_base(wildcards)]["engine"]["threads"]


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
    """The file of a derived model's adapter, in errors."""
    return f"config/adapters/{split(wildcards.model)[1]}.yaml"
