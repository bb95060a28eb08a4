"""The archive of a study through the command line: made, verified, forged, and hostile."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import STUDY, Project, add_model, new_project
from rocrate.rocrate import ROCrate

from persona_paradox.files import canonical_json, sha256_bytes, table_bytes
from persona_paradox.responses import Request

ARCHIVE = "results/archive.zip"
CRATE = "ro-crate-metadata.json"
# Its texts may not be passed on.
KEPT_BACK = "teaching_primary"
CELL = "tiny/triage_ed/ed_nurse"
ECHO = "results/responses/tiny/triage_primary/ed_nurse.parquet"
TOKEN = "hf_" + "plantedTOKEN" * 3


def rewrite(path: Path | io.BytesIO, change: Callable[[pl.DataFrame], pl.DataFrame]) -> bytes:
    """A Parquet file with changed rows, the metadata that it had, and a checksum that is right."""
    metadata = pl.read_parquet_metadata(path)
    about = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
    if isinstance(path, io.BytesIO):
        path.seek(0)
    return table_bytes(change(pl.read_parquet(path)), about)


def say(column: str, row: int, value: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A change of one value."""
    here = pl.int_range(pl.len()) == row
    return lambda t: t.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(column).alias(column)
    )


def cases(project: Project, dataset: str) -> list[str]:
    path = project.path / f"resources/datasets/{dataset}.parquet"
    return pl.read_parquet(path)["case"].to_list()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study with an archive; one answer repeats a text that may not be passed on."""
    project = new_project(tmp_path_factory.mktemp("packed") / "project")
    add_model(project)
    study = STUDY | {"personas": ["no_persona", "ed_nurse"], "limit": 5}
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    project.edit(
        f"config/datasets/{KEPT_BACK}.yaml",
        lambda dataset: dataset["licence"].update(redistribution=False),
    )
    project.run("--cores", "2", ECHO, HF_TOKEN=TOKEN)
    shown = pl.read_parquet(project.path / "results/prompts/triage_primary/ed_nurse.parquet")
    item = shown.item(2, "item_id")
    path = project.path / f"resources/datasets/{KEPT_BACK}.parquet"
    text = pl.read_parquet(path).filter(pl.col("item_id") == item).item(0, "case")
    path = project.path / ECHO
    path.write_bytes(rewrite(path, say("text", 2, f"A. You say: {text}")))
    project.run("--cores", "2", HF_TOKEN=TOKEN)
    project.run("--cores", "2", ARCHIVE, HF_TOKEN=TOKEN)
    return project


def verify(
    project: Project, archive: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Verify an archive as `make verify` does; stdout holds all output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    return subprocess.run(
        [sys.executable, "workflow/scripts/verify.py", "--cores", "2", *options, str(archive)],
        cwd=project.path,
        env=env | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def forge(project: Project, path: Path, changes: dict[str, bytes]) -> Path:
    """An archive with other files, which its description agrees with."""
    content = members(project.path / ARCHIVE) | changes
    description = json.loads(content[CRATE])
    for entity in description["@graph"]:
        if entity["@id"] in changes:
            entity["sha256"] = sha256_bytes(changes[entity["@id"]])
    content[CRATE] = json.dumps(description).encode()
    return write(path, content)


def test_provenance_says_what_the_study_was_made_of(packed: Project) -> None:
    found = json.loads((packed.path / "results/provenance.json").read_text())
    manifest = json.loads((packed.path / "resources/models/tiny/manifest.json").read_text())
    assert found["models"]["tiny"]["sha256"] == manifest["sha256"]
    (engine,) = found["models"]["tiny"]["engines"]
    assert engine["weights"] == manifest["sha256"]
    assert engine["n_files"] == 4
    assert re.fullmatch("[0-9a-f]{64}", engine["fingerprint"])
    assert found["licences"]["datasets"][KEPT_BACK] == {"id": "MIT", "redistribution": False}
    assert found["packages"]["polars"] == pl.__version__
    assert found["configuration"]["study"]["seed"] == STUDY["seed"]
    texts = found["configuration"]["personas"]["ed_nurse"]["texts"]
    file = yaml.safe_load((packed.path / "config/personas/ed_nurse.yaml").read_text())
    assert texts == file["texts"]
    bundled = packed.path / f"resources/bundled/{KEPT_BACK}.csv"
    assert found["datasets"][KEPT_BACK]["sha256"] == sha256_bytes(bundled.read_bytes())
    # The copy of a project is no clone.
    assert found["git"] == {"commit": None, "date": None, "dirty": None}


def test_the_archive_is_a_crate_of_all_that_is_in_it(packed: Project, tmp_path: Path) -> None:
    content = members(packed.path / ARCHIVE)
    with zipfile.ZipFile(packed.path / ARCHIVE) as archive:
        archive.extractall(tmp_path)
    crate = ROCrate(tmp_path)
    described = {entity.id: entity for entity in crate.data_entities}
    assert set(described) == set(content) - {CRATE}
    for name, entity in described.items():
        assert entity["sha256"] == sha256_bytes(content[name])
        assert int(entity["contentSize"]) == len(content[name])
    assert crate.mainEntity.id == "Snakefile"
    assert content[CRATE] == (packed.path / f"results/{CRATE}").read_bytes()
    assert {"results/provenance.json", "results/summary.md", "environment.yml"} <= set(content)


def test_an_archive_of_the_same_study_has_the_same_bytes(packed: Project, tmp_path: Path) -> None:
    copy = shutil.copytree(packed.path, tmp_path / "project")
    (copy / ARCHIVE).unlink()
    Project(copy).run("--cores", "1", ARCHIVE)
    assert (copy / ARCHIVE).read_bytes() == (packed.path / ARCHIVE).read_bytes()


def readable(name: str, data: bytes) -> str:
    """Everything that a member says, also what is compressed in it."""
    said = data.decode("utf-8", errors="replace")
    if name.endswith(".parquet"):
        table = pl.read_parquet(io.BytesIO(data))
        said += json.dumps(pl.read_parquet_metadata(io.BytesIO(data)))
        said += json.dumps(table.to_dicts(), ensure_ascii=False, default=str)
    return " ".join(said.split())


def test_texts_that_may_not_be_passed_on_are_nowhere_in_the_archive(packed: Project) -> None:
    content = members(packed.path / ARCHIVE)
    said = {name: readable(name, data) for name, data in content.items()}
    hidden = [" ".join(case.split()) for case in cases(packed, KEPT_BACK)]
    echo = pl.read_parquet(packed.path / ECHO).item(2, "text")
    assert any(case in echo for case in hidden)
    for name, text in said.items():
        for case in hidden:
            words = case.split()
            for start in range(0, len(words) - 6, 3):
                assert " ".join(words[start : start + 6]) not in text, name
    # What may be passed on is there.
    shown = "results/prompts/triage_ed/ed_nurse.parquet"
    assert any(" ".join(case.split()) in said[shown] for case in cases(packed, "teaching_ed"))
    # The tokens of a text are the text; its hash stays.
    for persona in ("no_persona", "ed_nurse"):
        name = f"results/delivered/tiny/triage_primary/{persona}.parquet"
        read = pl.read_parquet(io.BytesIO(content[name])).filter(
            ~pl.col("item_id").str.starts_with("null:")
        )
        assert read["pieces"].null_count() == read.height > 0
        assert read["prompt_sha256"].null_count() == 0
    answers = pl.read_parquet(io.BytesIO(content[ECHO]))["text"]
    assert answers[2] == f"[withheld, SHA-256 {sha256_bytes(echo.encode())}]"
    assert f"resources/datasets/{KEPT_BACK}.parquet" not in content


def test_an_honest_archive_is_confirmed(packed: Project) -> None:
    done = verify(packed, packed.path / ARCHIVE, "--sample", "12")
    assert done.returncode == 0, done.stdout
    assert "answers: 12 of 12 agree" in done.stdout
    counts = dict(re.findall(r"^([\w -]+): (\d+ of \d+) agree$", done.stdout, re.MULTILINE))
    for what in ("tables", "prompts", "scores", "calibration", "checksums of files"):
        agreed, compared = counts[what].split(" of ")
        assert agreed == compared
    assert "data sets from their own source: 2 of 2 agree" in done.stdout
    assert "parts of the provenance: 3 of 3 agree" in done.stdout
    assert re.search(r"not checked: results/figures \(\d+\), of which only checksums", done.stdout)
    assert "not checked: scores and judgements of triage_primary" in done.stdout
    assert f"nothing differs in {packed.path / ARCHIVE}" in done.stdout


def test_a_file_that_was_changed_is_found(packed: Project, tmp_path: Path) -> None:
    content = members(packed.path / ARCHIVE)
    content["results/summary.md"] += b"All is well.\n"
    done = verify(packed, write(tmp_path / "a.zip", content), "--sample", "0")
    assert done.returncode == 1
    assert "differs: results/summary.md has another SHA-256" in done.stdout


def test_an_answer_changed_by_hand_is_found(packed: Project, tmp_path: Path) -> None:
    name = f"results/responses/{CELL}.parquet"
    content = io.BytesIO(members(packed.path / ARCHIVE)[name])
    before = pl.read_parquet(content)
    # A label that was not given: also the scores are no longer those of the answers.
    label = next(one for one in "12345" if one not in before.item(0, "text"))
    forged = forge(packed, tmp_path / "a.zip", {name: rewrite(content, say("text", 0, label))})
    done = verify(packed, forged, "--sample", "100")
    assert done.returncode == 1
    item = before.item(0, "item_id")
    assert f"differs: {name}, {item}: another text than this machine computes" in done.stdout
    assert f"differs: results/scores/{CELL}.parquet, column" in done.stdout
    n = int(re.search(r"answers: (\d+) of \d+ agree", done.stdout)[1])
    assert f"answers: {n} of {n + 1} agree" in done.stdout


def test_a_table_changed_by_hand_is_found(packed: Project, tmp_path: Path) -> None:
    name = "results/tables/cells.csv"
    table = pl.read_csv(packed.path / name)
    better = table.with_columns(pl.col("n") + 1)
    forged = forge(packed, tmp_path / "a.zip", {name: better.write_csv().encode()})
    done = verify(packed, forged, "--sample", "0")
    assert done.returncode == 1
    assert f"differs: {name}, column n, row 1: {better.item(0, 'n')}" in done.stdout
    assert "differs in 1 places" in done.stdout


def test_a_persona_of_other_words_is_found(packed: Project, tmp_path: Path) -> None:
    name = "results/provenance.json"
    text = (packed.path / name).read_text()
    assert "Department Nurse" in text
    changed = text.replace("Department Nurse", "Department Head Nurse").encode()
    done = verify(packed, forge(packed, tmp_path / "a.zip", {name: changed}), "--sample", "30")
    assert done.returncode == 1
    assert "differs: results/prompts/triage_ed/ed_nurse.parquet, column" in done.stdout
    assert "response keys are not those of its prompts" in done.stdout


def test_what_is_forged_beside_the_answers_is_found(packed: Project, tmp_path: Path) -> None:
    """Every answer is what the model says, but not to the case under which it stands."""
    content = members(packed.path / ARCHIVE)
    swapped, items = f"results/responses/{CELL}.parquet", "resources/datasets/teaching_ed.parquet"
    provenance = "results/provenance.json"
    made_of = json.loads(content[provenance])
    made_of["models"]["tiny"]["sha256"] = "0" * 64
    asked = pl.read_parquet(io.BytesIO(content[swapped]))["item_id"].to_list()
    ids = pl.read_parquet(io.BytesIO(content[items]))["item_id"].to_list()
    row = next(row for row, id_ in enumerate(ids) if id_ not in asked)
    forged = {
        swapped: rewrite(
            io.BytesIO(content[swapped]), lambda t: t.with_columns(pl.col("item_id").reverse())
        ),
        items: rewrite(io.BytesIO(content[items]), say("case", row, "Nothing at all.")),
        provenance: canonical_json(made_of).encode(),
        "results/tables/more.csv": b"a\n1\n",
    }
    done = verify(packed, forge(packed, tmp_path / "a.zip", forged), "--sample", "100")
    assert done.returncode == 1
    assert re.search(r"^answers: (\d+) of \1 agree$", done.stdout, re.MULTILINE)
    assert f"differs: {swapped}, row 1: item_id" in done.stdout
    assert f"differs: {items}, column case, row {row + 1}: 'Nothing at all.'" in done.stdout
    assert f"differs: {provenance}: `models` is not what the archive's own files" in done.stdout
    assert "differs: results/tables/more.csv, to which nothing leads here" in done.stdout


def test_without_the_model_only_tables_are_checked(packed: Project, tmp_path: Path) -> None:
    stranger = new_project(tmp_path / "stranger")
    done = verify(stranger, packed.path / ARCHIVE, "--sample", "3")
    assert done.returncode == 0, done.stdout
    assert "not checked: 3 drawn answers of tiny, which cannot be had here" in done.stdout
    assert not re.search(r"^answers:", done.stdout, re.MULTILINE)
    assert re.search(r"^tables: (\d+) of \1 agree$", done.stdout, re.MULTILINE)


def test_without_the_texts_the_error_names_their_source(packed: Project, tmp_path: Path) -> None:
    stranger = new_project(tmp_path / "stranger")
    (stranger.path / f"resources/bundled/{KEPT_BACK}.csv").unlink()
    done = verify(stranger, packed.path / ARCHIVE)
    assert done.returncode == 1
    assert f"must not hold the texts of {KEPT_BACK}" in done.stdout
    assert f"resources/bundled/{KEPT_BACK}.csv, which does not exist" in done.stdout


def test_answers_of_another_engine_are_compared_by_their_texts(
    packed: Project, tmp_path: Path
) -> None:
    name = f"results/responses/{CELL}.parquet"
    content = members(packed.path / ARCHIVE)
    metadata = pl.read_parquet_metadata(io.BytesIO(content[name]))
    about = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
    engine = json.loads(about["fingerprint"]) | {"llama_cpp_python": "0.0.1"}
    about["fingerprint"] = json.dumps(engine)
    print_ = sha256_bytes(canonical_json(engine).encode())
    provenance = json.loads(content["results/provenance.json"])
    engines = provenance["models"]["tiny"]["engines"]
    engines[0]["n_files"] -= 1
    engines.append({"fingerprint": print_, **engine, "n_files": 1})
    engines.sort(key=lambda one: one["fingerprint"])
    told = canonical_json(provenance)
    read = pl.read_parquet(io.BytesIO(content[name.replace("responses", "delivered")]))
    table = pl.read_parquet(io.BytesIO(content[name]))

    def archive(keys: list[str], file: str) -> Path:
        # So little that what is made of it stays the same.
        logprob = pl.col("label_logprob").list.eval(pl.element() - 1e-10)
        changed = table.with_columns(pl.Series("response_key", keys), logprob)
        changes = {name: table_bytes(changed, about), "results/provenance.json": told.encode()}
        return forge(packed, tmp_path / file, changes)

    request = Request.of(json.loads(about["made_by"])["decoding"], print_)
    honest = archive([one.key for one in request.wanted(read)], "honest.zip")
    done = verify(packed, honest, "--sample", "30")
    assert f"{name}: another engine than here (llama_cpp_python '0.0.1')" in done.stdout
    assert re.search(r"^answers: (\d+) of \1 agree$", done.stdout, re.MULTILINE)
    # Its probabilities are others, to the same scores; under the same engine that would be found.
    assert done.returncode == 0, done.stdout
    done = verify(packed, archive(table["response_key"].to_list(), "keys.zip"), "--sample", "30")
    assert (
        f"differs: {name}: {table.height} response keys are not those of its prompts" in done.stdout
    )


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("results/link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("results/a.csv", "1")
    archive.writestr("results/A.csv", "2")


HOSTILE = {
    "../outside.txt": "may lead out of its folder",
    "results/../../outside.txt": "may lead out of its folder",
    "/outside.txt": "may lead out of its folder",
    "C:/outside.txt": "may lead out of its folder",
    "results\\..\\..\\outside.txt": "may lead out of its folder",
    ".git/hooks/post-checkout": "may lead out of its folder",
    "results//outside.txt": "may lead out of its folder",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_member_that_leads_out_is_refused(packed: Project, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "work"
    folder.mkdir(parents=True)
    hostile = write(tmp_path / "a.zip", {"results/a.csv": b"1", name: b"gone"})
    before = sorted(tmp_path.rglob("*"))
    done = verify(packed, hostile, "--folder", str(folder))
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert HOSTILE[name] in line
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [(link, "'results/link', which is a link"), (twice, "'results/A.csv' twice")],
)
def test_links_and_double_names_are_refused(
    packed: Project, tmp_path: Path, make: Callable[[zipfile.ZipFile], None], says: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        make(archive)
    done = verify(packed, tmp_path / "a.zip")
    assert done.returncode == 1
    assert f"error: {tmp_path / 'a.zip'} has a member {says}" in done.stdout


def test_an_archive_that_would_fill_the_disk_is_refused(packed: Project, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results/zeros.csv", bytes(30_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 100_000
    done = verify(packed, tmp_path / "a.zip", "--max-gib", "0.01")
    assert done.returncode == 1
    assert "unpacks to 0.0279 GiB, more than 0.01; raise --max-gib" in done.stdout


def test_what_is_no_archive_is_refused_in_a_sentence(packed: Project, tmp_path: Path) -> None:
    whole = (packed.path / ARCHIVE).read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    write(tmp_path / "bare.zip", {"results/a.csv": b"1"})
    write(tmp_path / "deep.zip", {CRATE: b"[" * 100_000})
    write(tmp_path / "list.zip", {CRATE: b'{"@graph": [1]}'})
    write(tmp_path / "empty.zip", {CRATE: b'{"@graph": []}', "results/provenance.json": b"[]"})
    for name in ("none.zip", "half.zip", "bare.zip", "deep.zip", "list.zip", "empty.zip"):
        done = verify(packed, tmp_path / name)
        assert done.returncode == 1, name
        assert done.stdout.count("error: ") == 1, done.stdout
        assert "Traceback" not in done.stdout


def test_a_token_of_the_hub_is_in_no_result(packed: Project) -> None:
    found = [path for part in ("results", "logs") for path in (packed.path / part).rglob("*")]
    texts = {str(path): readable(path.name, path.read_bytes()) for path in found if path.is_file()}
    texts |= {name: readable(name, data) for name, data in members(packed.path / ARCHIVE).items()}
    assert len(texts) > 200
    assert [name for name, text in texts.items() if TOKEN in text] == []


def test_an_address_with_a_password_is_refused(packed: Project, tmp_path: Path) -> None:
    copy = Project(shutil.copytree(packed.path, tmp_path / "project"))
    source = {"kind": "url", "url": "https://me:secret@example.org/a.csv", "sha256": "0" * 64}
    copy.edit("config/datasets/teaching_ed.yaml", lambda dataset: dataset.update(source=source))
    done = copy.snakemake("-n")
    assert done.returncode == 1
    assert "key `source.url`" in done.stdout
    assert "without a user name or a password" in done.stdout


def test_a_report_that_shows_what_may_not_be_passed_on_stays_out(
    packed: Project, tmp_path: Path
) -> None:
    names = set(members(packed.path / ARCHIVE))
    assert {"results/report.html", "results/report/README.txt"} <= names
    copy = Project(shutil.copytree(packed.path, tmp_path / "project"))
    copy.edit("config/config.yaml", lambda study: study.update(report={"withheld_texts": True}))
    copy.run("--cores", "1", ARCHIVE)
    left = names - set(members(copy.path / ARCHIVE))
    assert left == {"results/report.html", "results/report/README.txt"}


def test_a_commit_writes_the_provenance_anew_and_nothing_else(
    packed: Project, tmp_path: Path
) -> None:
    copy = Project(shutil.copytree(packed.path, tmp_path / "project"))
    assert copy.all_jobs() == []
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    (copy.path / ".gitignore").write_text("results\nresources\nlogs\n.snakemake\n*.pyc\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run([*git, *command], cwd=copy.path, check=True)
    assert copy.all_jobs() == ["crate", "provenance", "report"]
    before = copy.checksums()
    copy.run("--cores", "1")
    found = json.loads((copy.path / "results/provenance.json").read_text())
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=copy.path, capture_output=True, text=True, check=True
    )
    assert found["git"]["commit"] == head.stdout.strip()
    assert found["git"]["dirty"] is False
    changed = {name for name, sha in copy.checksums().items() if before.get(name) != sha}
    written = {name for name in changed if not name.startswith("config/provenance-")}
    assert written == {"provenance.json", "report.html", CRATE}
    assert copy.all_jobs() == []
    (copy.path / "config/personas/mine.yaml").write_text("title: Mine\n")
    assert copy.all_jobs() == ["crate", "provenance", "report"]
    copy.run("--cores", "1")
    again = json.loads((copy.path / "results/provenance.json").read_text())
    assert again["git"] == found["git"] | {"dirty": True}


def test_every_file_of_an_archive_has_a_rule(data_dir: Path, tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    question = {"question": "How sure are you, from 0 to 100?"}
    project.edit("config/tasks/triage_semigran.yaml", lambda task: task.update(verbalized=question))
    study = {
        "tasks": ["triage_semigran", "triage_ktas_rationale", "safety_teaching", "safety_psb"],
        "judges": ["smollm2_safety", "smollm2_rationale"],
        "rankings": {"groups": ["paper"], "listwise": True},
    }
    project.edit("config/config.yaml", lambda config: config.update(study))
    jobs = project.all_jobs(ARCHIVE, PERSONA_DATA_DIR=str(data_dir))
    rules = {job.split(" ")[0] for job in jobs}
    # One of every kind of file that answers lead to.
    assert rules >= {"reason", "conclude", "state", "verbalize", "judge", "rank", "read_checks"}
    assert jobs.count("archive") == 1
