"""A study as the workflow opens it: read, checked, and its views written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import cli
from ..errors import InputError
from ..schema import check_schema
from .inventory import referred
from .load import check_sources, load_study, offer_data_dir
from .provenance import configuration, git_state
from .study import Study
from .views import write_view, write_views

VIEWS = "results/config"


def open_study(settings: dict[str, Any], root: Path, config: Path) -> tuple[Study, dict[str, str]]:
    """Open a study in the current folder, before any job: no long work on what cannot end well.

    Its data folder goes into the environment, for the jobs.

    Args:
        settings: the study, as merged from its YAML files; defaults are written into it.
        root: folder of the project, which has the code.
        config: folder of the files of models, tasks, personas, data sets and judges.

    Returns:
        The study, and the path of each view by its name; see `views`.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    try:
        study = load_study(settings, config, check_schema)
        check_sources(study, "resources")
        # An archive must be able to hold what the files of judges and servers name.
        referred(study)
        offer_data_dir(study)
        views = write_views(study, VIEWS)
        # The state of git is a fact about the code: another commit writes the provenance anew, and
        # what describes it, nothing else.
        made_of = {"configuration": configuration(study), "git": git_state(root)}
        return study, views | {"provenance": write_view("provenance", made_of, VIEWS)}
    except OSError as error:
        if (text := cli.sentence(error)) is None:
            raise
        raise InputError(text) from error
