"""What comes from others stays what it is: no command, no markup, no secret in a result."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml
from clinician_packet import FORMS, SHOWN, filled_rows, make, write_rows
from loopback_hub import COMMIT, Hub, loopback_hub
from playwright.sync_api import Browser
from project import STUDY, Project, add_model, new_project
from refusals import open_here, refused, refused_at_once, refused_by_a_script
from safety_study import SAFETY, small_study

from persona_paradox.files import sha256_file

MODEL = "config/models/tiny.yaml"
RESPONSES = "results/responses/tiny/triage_ed/ed_nurse.parquet"
COMMAND = "touch ran"
HOSTILE = f"""x'; {COMMAND}; "$({COMMAND})" `{COMMAND}` {{model}} <b>&"""
SCRIPT = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"


# --- names in commands --------------------------------------------------------------------


def test_titles_and_folders_are_no_commands(tmp_path: Path) -> None:
    """Every text of the configuration that has no pattern, and the path of the project itself."""
    project = new_project(tmp_path / f"a {COMMAND} it's $({COMMAND}) {{v2}} {{input}} folder")
    add_model(project)
    study = STUDY | {"title": HOSTILE, "tasks": ["triage_ed"]}
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(study))
    for file in (MODEL, "config/tasks/triage_ed.yaml", "config/personas/ed_nurse.yaml"):
        project.edit(file, lambda content: content.update(title=HOSTILE))
    project.edit("config/personas/ed_nurse.yaml", lambda p: p["texts"].update(main=HOSTILE))
    project.edit("config/datasets/teaching_ed.yaml", lambda d: d["levels"][0].update(title=HOSTILE))
    project.edit(MODEL, lambda model: model.update(licence=HOSTILE))
    project.run("--cores", "1", "results/scores/tiny/triage_ed/ed_nurse.parquet")
    assert not list(tmp_path.rglob("ran"))
    prompts = pl.read_parquet(project.path / "results/prompts/triage_ed/ed_nurse.parquet")
    assert prompts["system"].str.contains(HOSTILE, literal=True).all()


def test_paths_with_spaces_and_quotes_are_no_commands(tmp_path: Path) -> None:
    """The keys that hold a path: of a model and of the data folder."""
    project = small_study(tmp_path / "project")
    odd = f'it\'s $({COMMAND}) "odd" ; {COMMAND}'
    (project.path / odd).mkdir()
    shutil.move(project.path / "tiny.gguf", project.path / odd / "m.gguf")
    project.edit(MODEL, lambda model: model["source"].update(path="{data_dir}/m.gguf"))
    project.edit(
        "config/config.yaml",
        lambda study: study.update(tasks=[SAFETY], judges=["careful"], data_dir=odd),
    )
    project.run("--cores", "1", "results/judging/careful/checks/ratings.parquet")
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize("key", ["sanity", "injections"])
def test_files_of_a_judge_have_plain_names(tmp_path: Path, key: str) -> None:
    """An archive holds them, and a stranger unpacks it."""
    project = small_study(tmp_path / "project")
    for odd in (f"resources/x; {COMMAND}.csv", "../outside.csv", str(tmp_path / "outside.csv")):
        (project.path / odd).touch()
        project.edit("config/judges/careful.yaml", lambda j, odd=odd: j.update({key: odd}))
        words = ("config/judges/careful.yaml", f"`{key}`", odd, "put the file into the project")
        refused(project, *words)


ANNOTATIONS = "results/clinician/annotations.parquet"


def annotated(folder: Path) -> tuple[Project, Path]:
    """A project whose study ran elsewhere: what was kept of its packet, and what came back."""
    project = small_study(folder / "project")
    packed, _ = make()
    study = {"tasks": [SAFETY], "judges": [], "personas": SHOWN}
    project.edit("config/config.yaml", lambda settings: settings.update(study))
    kept = project.path / "resources/packets"
    kept.mkdir()
    key = packed.key.with_columns(model=pl.lit("tiny"), task=pl.lit(SAFETY))
    key.write_csv(kept / f"{packed.packet_id}.key.csv")
    (kept / f"{packed.packet_id}.forms.json").write_text(json.dumps(FORMS))
    path = project.path / "resources/annotations" / "R1.csv"
    path.parent.mkdir()
    return project, write_rows(path, filled_rows(packed))


def test_name_of_an_annotators_file_is_no_command(tmp_path: Path) -> None:
    project, path = annotated(tmp_path)
    path.rename(path.with_name(f"R1'; {COMMAND}; $({COMMAND}) & x.csv"))
    project.run("--cores", "1", ANNOTATIONS)
    assert not list(project.path.rglob("ran"))
    assert set(pl.read_parquet(project.path / ANNOTATIONS)["annotator"]) == {"R1"}


def test_name_of_an_annotators_file_is_no_wildcard(tmp_path: Path) -> None:
    project, path = annotated(tmp_path)
    path.rename(path.with_name("R1 {model}.csv"))
    refused_at_once(project, "resources/annotations/R1 {model}.csv", "brace", "rename the file")


@pytest.mark.parametrize("odd", ["anna.ods", "carla/answers.csv", "progress.json"])
def test_whatever_lies_among_the_annotations_is_read_or_named(tmp_path: Path, odd: str) -> None:
    project, path = annotated(tmp_path)
    (path.parent / odd).parent.mkdir(exist_ok=True)
    shutil.copy(path, path.parent / odd)
    named = f"resources/annotations/{odd.partition('/')[0]} is neither a CSV file nor a spreadsheet"
    refused_at_once(project, named, "save it as one of these")


def test_annotations_as_a_windows_program_names_them(tmp_path: Path) -> None:
    project, path = annotated(tmp_path)
    path.rename(path.with_name("R1.CSV"))
    (path.parent / "~$R1.xlsx").touch()
    (path.parent / ".DS_Store").touch()
    project.run("--cores", "1", ANNOTATIONS)
    assert set(pl.read_parquet(project.path / ANNOTATIONS)["annotator"]) == {"R1"}


@pytest.mark.parametrize("odd", ["..", "/", "../../secret", "x" * 300, "{model}"])
def test_packet_of_an_annotators_file_is_no_path(tmp_path: Path, odd: str) -> None:
    project, path = annotated(tmp_path)
    (packet,) = set(pl.read_csv(path)["packet_id"])
    path.write_text(path.read_text().replace(packet, odd))
    refused_by_a_script(
        project,
        "read_annotations",
        *("R1.csv", "`packet_id`", "is no id of a packet", "restore"),
        annotations="resources/annotations/R1.csv",
        packets="resources/packets",
        answered=open_here(project)["answered"],
        table=ANNOTATIONS,
    )


# --- markup -------------------------------------------------------------------------------


def test_markup_in_texts_runs_nothing_in_the_report(finished: Project, chromium: Browser) -> None:
    project = finished
    drawn = ["triage_accuracy"]
    project.edit("config/config.yaml", lambda s: s.update(title=SCRIPT, figures=drawn))
    for file in (MODEL, "config/tasks/triage_ed.yaml", "config/personas/ed_nurse.yaml"):
        project.edit(file, lambda content: content.update(title=SCRIPT))
    project.edit("config/personas/ed_nurse.yaml", lambda p: p["texts"].update(main=SCRIPT))
    project.run("--cores", "1")
    project.run("--report", "report.html")
    text = (project.path / "report.html").read_text()
    assert "triage_accuracy" in text
    assert SCRIPT not in text
    page = chromium.new_page(offline=True)
    # Every part of the report that a reader can open; an open one hides the others.
    for name in ("Workflow", "Statistics", "About", "Figures", "Tables", "Summary"):
        page.goto((project.path / "report.html").as_uri())
        page.get_by_role("link", name=name, exact=True).click(timeout=10_000)
        page.wait_for_timeout(200)
        assert page.evaluate("window.ran") is None
    page.close()


# --- secrets ------------------------------------------------------------------------------

TOKEN = "hf_PlantedTokenOfTheTests"  # noqa: S105
REPO = "someone/tiny-GGUF"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with loopback_hub() as running:
        yield running


def secrets(hub: Hub, home: Path) -> dict[str, str]:
    """The environment of a user who is logged in, in both ways."""
    (home / "token").parent.mkdir(parents=True, exist_ok=True)
    (home / "token").write_text(TOKEN)
    return {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(home),
        "HF_TOKEN": TOKEN,
        "HF_DEBUG": "1",
        "no_proxy": "*",
        "MY_KEY": TOKEN,
    }


def planted(folder: Path) -> list[Path]:
    """Files that hold the token, or what opens a file of the hub without one."""
    words = re.compile(f"{TOKEN}|Signature=".encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    return [path for path in files if words.search(path.read_bytes())]


def on_hub(project: Project, hub: Hub) -> None:
    path = project.path / "tiny.gguf"
    hub.repos["models", REPO] = {"tiny.gguf": path.read_bytes()}
    source = {"kind": "hub", "repo": REPO, "file": "tiny.gguf", "revision": COMMIT}
    source |= {"sha256": sha256_file(path)}
    project.edit(MODEL, lambda model: model.update(source=source))
    path.unlink()


def test_token_of_the_hub_is_nowhere_and_needed_once(
    project: Project, hub: Hub, tmp_path: Path
) -> None:
    on_hub(project, hub)
    environment = secrets(hub, tmp_path / "home")
    # First without the right to read, then with it: errors and logs of both.
    hub.refusals, hub.refused = [(403, "GatedRepo")], "/resolve/"
    done = project.snakemake("--cores", "1", RESPONSES, "--verbose", **environment)
    assert "is gated; accept its licence" in done.stdout
    assert TOKEN not in done.stdout
    done = project.snakemake("--cores", "1", RESPONSES, "--verbose", **environment)
    assert done.returncode == 0, done.stdout[-3000:]
    assert TOKEN not in done.stdout
    assert any(request.authorization == f"Bearer {TOKEN}" for request in hub.requests)
    first = (project.path / RESPONSES).read_bytes()
    assert planted(project.path) == []
    # With everything present, nobody is asked: with the model in its place, and with the
    # client's cache alone.
    hub.requests.clear()
    for present in (True, False):
        if not present:
            shutil.rmtree(project.path / "resources/models")
        (project.path / RESPONSES).unlink()
        project.run("--cores", "1", RESPONSES, **environment, HF_HUB_OFFLINE="1")
        assert (project.path / RESPONSES).read_bytes() == first
    assert hub.requests == []


def test_planted_token_would_be_found(project: Project) -> None:
    (project.path / "results").mkdir()
    (project.path / "results" / "x.json").write_text(f'{{"a": "{TOKEN}"}}')
    assert [path.name for path in planted(project.path)] == ["x.json"]
