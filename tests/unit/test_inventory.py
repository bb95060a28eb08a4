"""Names of a study's files: what an archive may hold, and what it may never take the place of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from persona_paradox.errors import InputError
from persona_paradox.study.inventory import is_safe, referred


def judged(path: str) -> Any:
    """A study whose judge names a file."""
    judges = {"careful": {"sanity": path, "injections": None}}
    return SimpleNamespace(judges=judges, servers=[], all_models={})


@pytest.mark.parametrize("path", ["resources/bundled/pairs.csv", "config/judges/pairs.csv"])
def test_a_file_of_a_judge_belongs_to_the_study(path: str) -> None:
    assert referred(judged(path)) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "../outside.csv",
        # Whoever checks an archive would run these, or take them for what was downloaded.
        "yaml.py",
        "workflow/yaml.py",
        "profiles/default/more.yaml",
        "resources/models/tiny/model.gguf",
        "resources/datasets/semigran.parquet",
    ],
)
def test_a_file_of_a_judge_is_no_code_and_nothing_that_is_downloaded(path: str) -> None:
    with pytest.raises(InputError, match=r"careful\.yaml: key `sanity` names .*; put the file"):
        referred(judged(path))


@pytest.mark.parametrize("name", ["a/" * 300 + "a", "a" * 300, "a//b", "a/", "a b", ".a", "a\n"])
def test_names_that_some_file_system_refuses_are_not_safe(name: str) -> None:
    assert not is_safe(name)
