# Needs: the study. Leaves: what rules ask of readings and of the vectors that move a model.

from persona_paradox.study.inventory import steps
from persona_paradox.study.readings import read_cells, steered

STEERED = steered(STUDY)
READ_CELLS = read_cells(STUDY)


def steering(wildcards):
    """The vectors that move the model as a persona, of one that is not text alone."""
    of_cell = "judge" not in wildcards.keys() and "persona" in wildcards.keys()
    if not (of_cell and wildcards.persona in STEERED):
        return []
    return f"results/vectors/{wildcards.model}/{wildcards.persona}.parquet"


def steering_option(wildcards):
    path = steering(wildcards)
    return f"--steering {path}" if path else ""


def last_step(wildcards):
    """The step whose text is read."""
    return steps(STUDY, wildcards.model, wildcards.task)[-1]


def of_last_step(folder):
    """Input function: the prompts or the texts of the step that is read."""
    path = "results/{}/{}/{}/{}.parquet"
    return lambda w: path.format(
        getattr(last_step(w), folder), w.model, w.task, w.persona
    )
