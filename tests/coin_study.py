"""A study of a kind that the project does not have: a coin, which falls on heads or on tails.

Its files are those that CONTRIBUTING.md shows.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml
from project import STUDY, Project, add_model, new_project
from root import ROOT

KIND = ROOT / "tests/kinds/coin"
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Path → content.
FILES = dict(re.findall(r"^```yaml\n# (config/\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
(CASES,) = re.findall(r"^```text\n(toss,.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
PERSONAS = tuple(yaml.safe_load(FILES["config/studies/coin.yaml"])["personas"])
TOSSES = CASES.count("\n") - 1


def put_files(path: Path) -> None:
    """Write the files of the guide into a project."""
    shutil.copytree(KIND, path / "workflow/persona_paradox/kinds/coin")
    (path / "resources/bundled/coin.csv").write_text(CASES, encoding="utf-8")
    for name, content in FILES.items():
        (path / name).write_text(content, encoding="utf-8")


def coin_study(path: Path, **change: object) -> Project:
    """A project with the files of the guide, and the small study of them; nothing has run."""
    project = new_project(path)
    # Its answers differ by persona.
    add_model(project, seed=1)
    put_files(path)
    study = STUDY | {"tasks": ["coin"], "personas": [*PERSONAS], "limit": None, "figures": "all"}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study | change, sort_keys=False))
    return project
