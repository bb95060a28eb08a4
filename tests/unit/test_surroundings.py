"""What others start the project by: container, continuous integration, forms for issues, walk."""

from __future__ import annotations

import os
import re
import subprocess
from fnmatch import fnmatchcase

import pytest
import yaml
from coin_study import GUIDE, KIND
from root import ROOT

BASE = "debian:12-slim"
CONTAINER = (ROOT / "Containerfile").read_text(encoding="utf-8")
ACTIONS = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def instructions() -> list[tuple[str, str]]:
    """The instructions of the container file, whole lines each."""
    text = re.sub(r"^#.*\n", "", CONTAINER.replace("\\\n", " "), flags=re.MULTILINE)
    return [tuple(line.split(" ", 1)) for line in text.splitlines() if line]


def test_the_container_is_made_of_the_pins_that_all_have() -> None:
    found = instructions()
    assert found[0] == ("FROM", BASE)
    for word, rest in found:
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
    runs = [rest for word, rest in found if word == "RUN"]
    assert "make .venv/.ready" in runs
    # Nothing is installed but by these two lists.
    assert not [run for run in runs if re.search(r"\bpip\b|==", run)]
    assert any("xargs apt-get install" in run and "< .ci/packages" in run for run in runs)
    # What is made is not carried into it.
    order = [found.index(("RUN", "make .venv/.ready")), found.index(("COPY", ". ."))]
    assert order == sorted(order)


def test_what_git_leaves_out_the_container_leaves_out() -> None:
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    patterns = [line for line in kept if line[:1] not in ("", "#")]
    for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split():
        name = line.strip("/")
        if line.startswith("/") and name not in ("carried", "cards.jsonl", ".ci/*.log"):
            assert any(fnmatchcase(name, one) for one in patterns), line
    assert "!resources/bundled" in patterns


def test_continuous_integration_starts_the_checks_and_nothing_else() -> None:
    job = ACTIONS["jobs"]["run"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert job["container"] == GITLAB["run"]["image"] == BASE
    assert commands[-1] == GITLAB["run"]["script"][-1] == ".ci/run"
    assert os.access(ROOT / ".ci/run", os.X_OK)
    for lines in (commands, GITLAB["run"]["before_script"]):
        (installs,) = [line for line in lines if line.startswith("xargs")]
        assert installs.endswith("< .ci/packages")
    assert job["env"] == GITLAB["run"]["variables"] == {"PERSONA_DATA_REQUIRED": ""}
    assert ACTIONS["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(("given", "wanted"), [(None, "1"), ("", ""), ("1", "1")])
def test_the_checks_require_data_unless_they_are_told_not_to(
    given: str | None, wanted: str
) -> None:
    (line,) = re.findall(r"^export PERSONA_DATA_REQUIRED=.*$", (ROOT / ".ci/run").read_text(), re.M)
    environment = {k: v for k, v in os.environ.items() if k != "PERSONA_DATA_REQUIRED"}
    environment |= {} if given is None else {"PERSONA_DATA_REQUIRED": given}
    said = subprocess.run(
        ["bash", "-c", f'{line}; echo "$PERSONA_DATA_REQUIRED"'],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"{wanted}\n"


def test_forms_for_issues_are_forms() -> None:
    assert len(FORMS) >= 4
    for path in FORMS:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem == "config":
            continue
        assert {"name", "description", "body"} <= form.keys(), path
        ids = [part["id"] for part in form["body"]]
        assert len(ids) == len(set(ids))
        for part in form["body"]:
            assert part["type"] in ("input", "textarea", "checkboxes", "dropdown")
            assert part["attributes"]["label"]
        assert any(part.get("validations", {}).get("required") for part in form["body"]), path


def test_the_readme_is_short_and_has_three_figures() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 200
    figures = re.findall(r"^!\[.+\]\((docs/figures/\w+\.png)\)$", text, re.MULTILINE)
    assert len(figures) == 3
    links = re.findall(r"\]\(([^():\s]+)\)", text)
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
    suites = re.findall(r"^\| \[.+?\]\((docs/suites/[\w-]+\.md)\)", text, re.MULTILINE)
    assert len(suites) == len(set(suites)) >= 14


def test_the_walk_explains_every_file_of_the_kind() -> None:
    table = GUIDE.partition("| file | of the coin |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w/.]+\.(?:py|yaml))`", table))
    files = {path.relative_to(KIND).as_posix() for path in KIND.rglob("*.*") if path.is_file()}
    files = {name for name in files if not name.endswith(".pyc")}
    assert {name for name in files if not name.endswith("/__init__.py")} == named
