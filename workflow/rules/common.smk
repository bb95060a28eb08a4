# Needs: the merged configuration. Leaves: STUDY (checked), the views of the configuration
# under results/config and resources, and the helpers that the stages share.

import os
import sys
from pathlib import Path

import snakemake.utils
from snakemake.exceptions import WorkflowError

LIBRARY = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(LIBRARY))

from persona_paradox.config import HUMAN, check_sources, load_study, write_views
from persona_paradox.errors import InputError
from persona_paradox.imports import code_of


def check_schema(data, kind, name):
    """Validate by Snakemake, and say what is wrong in one sentence."""
    schema = LIBRARY / "schemas" / f"{kind}.schema.yaml"
    try:
        snakemake.utils.validate(data, str(schema))
    except WorkflowError as error:
        found = error.__context__
        key = ".".join(str(part) for part in found.absolute_path) or "(top level)"
        meaning = found.schema.get("description", "see config/README.md")
        raise InputError(f"{name}: key `{key}`: {found.message}; {meaning}") from error


def load():
    study = load_study(config, Path(workflow.basedir) / "config", check_schema)
    check_sources(study, "resources")
    write_views(study, "results", "resources")
    if study.data_dir is not None:
        # Jobs find the data by this variable, so that where a file lies is no part of a job
        # and moving it reruns nothing; what it holds is pinned by its sha256.
        os.environ["PERSONA_DATA_DIR"] = study.data_dir
    return study


try:
    STUDY = load()
except InputError as error:
    raise WorkflowError(str(error)) from None


def code(script):
    """A script and the library modules it imports, as inputs of its rule."""
    root = Path(workflow.basedir)
    paths = code_of(LIBRARY / "scripts" / f"{script}.py")
    return [os.path.relpath(path) for path in paths]


def script(name):
    """Command that runs a script of the workflow."""
    return f"python {os.path.relpath(LIBRARY / 'scripts' / f'{name}.py')}"


def cells(pattern, human=False):
    """The files of all cells, sorted; orphans of former personas are never among them."""
    chosen = STUDY.cells + (STUDY.human_cells if human else [])
    return sorted(pattern.format(cell=cell.path) for cell in chosen)


def task_dataset(wildcards):
    return STUDY.tasks[wildcards.task]["dataset"]


wildcard_constraints:
    model="|".join([*STUDY.models, HUMAN]),
    task="|".join(STUDY.tasks),
    persona="|".join([*STUDY.personas, *(c.persona for c in STUDY.human_cells)]),
    dataset="|".join(STUDY.datasets),
