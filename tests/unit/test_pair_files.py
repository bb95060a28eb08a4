"""Files of examples that adapters are trained on, as other programs save them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project import Project
from refusals import refused_by_a_script

GOOD = b'{"prompt": "a", "completion": "b"}\n'
FILE = "resources/pairs.jsonl"
NAME = "config/adapters/own.yaml"
OPTIONS = {
    **{name: "results" for name in ("delivered", "answers", "judgements", "items")},
    "view": "view.json",
    "template": "template.json",
    "manifest": "manifest.json",
    "examples": "results/examples.parquet",
    "config_file": NAME,
    "model_file": "config/models/tiny.yaml",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The view of an adapter that is trained on a file alone."""
    view = {"method": "sft", "cells": [], "judged": [], "tasks": {}, "files": [FILE]}
    (tmp_path / "view.json").write_text(json.dumps(view))
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"prompt": "ä", "completion": "b"}'.encode("cp1252"), "is not UTF-8 text"),
        (GOOD.decode().encode("utf-16"), "is not UTF-8 text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS; fetch"),
        (b"\xef\xbb\xbf" + GOOD + GOOD[:-4], f"line 2 of {FILE}"),
        (b"[" + GOOD + b"]", "is not JSON"),
        (b'{"prompt":' + b"[" * 10**5, "has a value that is no text; mend it"),
        (b'{"prompt": "a", "prompt": "c", "completion": "b"}', "has the key 'prompt' twice"),
        (b'{"prompt": "\\ud800", "completion": "b"}', "has half a character in prompt"),
        (b'{"prompt": "a", "completion": NaN}', "has NaN as completion"),
        (b"\xef\xbb\xbf\n", "has no examples"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(
    project: Project, data: bytes, said: str
) -> None:
    (project.path / "resources").mkdir()
    (project.path / FILE).write_bytes(data)
    refused_by_a_script(project, "gather_examples", NAME, FILE, "`file`", said, **OPTIONS)
