"""The archive of a study through the command line: made, verified, forged, and hostile."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import zipfile
from argparse import Namespace
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import yaml
from packed_study import ARCHIVE, ECHO, KEPT_BACK, TOKEN, packed_study, rewrite, say
from project import STUDY, Project, copy_project, new_project
from rocrate.rocrate import ROCrate
from root import ROOT

from persona_paradox.archive import check_answers as answers_checked
from persona_paradox.archive import crate
from persona_paradox.archive.project_copy import DELIVER, MODELS, TABLES, Copy
from persona_paradox.archive.reading import read_study
from persona_paradox.archive.verification import Findings
from persona_paradox.engine.responses import Request
from persona_paradox.errors import InputError
from persona_paradox.files import canonical_json, sha256_bytes, table_bytes
from persona_paradox.kinds.labelled.labels import parse_label
from persona_paradox.version import VERSION

CRATE, PROVENANCE = "ro-crate-metadata.json", "results/provenance.json"
CELL = "tiny/triage_ed/ed_nurse"
ESI = "12345"
VERIFY = SimpleNamespace(**runpy.run_path(str(ROOT / "workflow/scripts/verify.py")))


def cases(project: Project, dataset: str) -> list[str]:
    path = project.path / f"resources/datasets/{dataset}.parquet"
    return pl.read_parquet(path)["case"].to_list()


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study with an archive; it is not to be changed."""
    return packed_study(tmp_path_factory)


def verify(
    project: Project, archive: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Verify an archive as `make verify` does; stdout holds all output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    return subprocess.run(
        [sys.executable, "workflow/scripts/verify.py", "--cores", "1", *options, str(archive)],
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
            data = changes[entity["@id"]]
            entity |= {"sha256": sha256_bytes(data), "contentSize": str(len(data))}
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
    copy = packed.copy(tmp_path / "project")
    (copy.path / ARCHIVE).unlink()
    copy.run("--cores", "2", ARCHIVE)
    assert (copy.path / ARCHIVE).read_bytes() == (packed.path / ARCHIVE).read_bytes()


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
    assert "weights from their own source: 1 of 1 agree" in done.stdout
    assert "engines: 4 of 4 agree" in done.stdout
    assert re.search(
        r"not checked: texts and probabilities of \d+ answers, which were not drawn", done.stdout
    )
    assert "parts of the provenance: 3 of 3 agree" in done.stdout
    assert re.search(r"not checked: results/figures \(\d+\), of which only checksums", done.stdout)
    assert (
        "not checked: what scores and judgements read in 1 texts of triage_primary" in done.stdout
    )
    assert f"nothing differs in {packed.path / ARCHIVE}" in done.stdout


def test_whatever_was_forged_is_found(packed: Project, tmp_path: Path) -> None:
    """One archive with something forged of every kind; nothing else differs in it."""
    content = members(packed.path / ARCHIVE)
    nurse, plain = (f"results/%s/tiny/triage_ed/{p}.parquet" for p in ("ed_nurse", "no_persona"))
    answered, scored = plain % "responses", nurse % "scores"
    swapped = f"results/responses/tiny/{KEPT_BACK.replace('teaching', 'triage')}/no_persona.parquet"
    items, cells = "resources/datasets/teaching_ed.parquet", "results/tables/cells.csv"
    table = {name: pl.read_parquet(io.BytesIO(content[name])) for name in (answered, items)}
    # Beside the only answer that is withheld; what was read in that one is taken as it is.
    hidden = f"results/scores/tiny/{KEPT_BACK.replace('teaching', 'triage')}/ed_nurse.parquet"
    # An answer that can be changed without another label; a case that nobody asked about.
    texts = table[answered]["text"].to_list()
    said = next(i for i, t in enumerate(texts) if parse_label(t, ESI) == parse_label(f"{t} .", ESI))
    asked = table[answered]["item_id"].to_list()
    ids = table[items]["item_id"].to_list()
    row = next(row for row, id_ in enumerate(ids) if id_ not in asked)
    n = pl.read_csv(content[cells])["n"]
    made_of = json.loads(content[PROVENANCE])
    made_of["models"]["tiny"]["sha256"] = "0" * 64
    persona = made_of["configuration"]["personas"]["ed_nurse"]["texts"]
    persona["main"] = persona["main"].replace("Nurse", "Head Nurse")

    def changed(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> bytes:
        return rewrite(io.BytesIO(content[name]), change)

    changes = {
        answered: changed(answered, say("text", said, f"{texts[said]} .")),
        scored: changed(scored, lambda t: t.with_columns(~pl.col("correct"))),
        hidden: changed(hidden, say("label", 0, "B")),
        # Every answer is what the model says, but not to the prompt beside which it stands.
        swapped: changed(swapped, lambda t: t.with_columns(pl.col("prompt_sha256").reverse())),
        items: changed(items, say("case", row, "Nothing at all.")),
        cells: pl.read_csv(content[cells]).with_columns(n + 1).write_csv().encode(),
        "results/tables/more.csv": b"a\n1\n",
        "results/responses/tiny/triage_ed/ghost.parquet": b"",
        "config/personas/ed_nurse.yaml": b"title: Pirate\n",
        "CONCLUSIONS.md": b"Nurses are perfect.\n",
        # Code of another version is not compared.
        "workflow/more.py": b"1\n",
        PROVENANCE: canonical_json(made_of).encode(),
    }
    forged = forge(packed, tmp_path / "forged.zip", changes)
    # And a file that its description does not agree with.
    content = members(forged)
    content["results/summary.md"] += b"All is well.\n"
    described = json.loads(content[CRATE])
    (root,) = (entity for entity in described["@graph"] if entity["@id"] == "./")
    root |= {"license": "CC0", "author": "Mallory"}
    (figure,) = (e for e in described["@graph"] if e["@id"].endswith("accuracy.pdf"))
    figure["contentSize"] = "1"
    content[CRATE] = json.dumps(described).encode()
    done = verify(packed, write(forged, content), "--sample", "100")
    assert done.returncode == 1
    told = re.findall(r"^differs: (.*)$", done.stdout, re.MULTILINE)
    found = {
        "results/summary.md has another SHA-256": 1,
        "results/summary.md has another text": 1,
        f"{answered}, {asked[said]}: another text than this machine computes": 1,
        f"{scored}, column correct, row 1": 1,
        f"{hidden}, column label, row 1": 1,
        f"{swapped}, row 1: prompt_sha256": 1,
        f"{items}, column case, row {row + 1}: 'Nothing at all.'": 1,
        f"{cells}, column n, row 1: {n[0] + 1}": 1,
        # Its description lacks them, too.
        "is in the archive, but not in": 5,
        "results/tables/more.csv, to which nothing leads here": 1,
        "results/responses/tiny/triage_ed/ghost.parquet, to which nothing leads here": 1,
        "config/personas/ed_nurse.yaml, to which nothing leads here": 1,
        "CONCLUSIONS.md, to which nothing leads here": 1,
        f"{CRATE}: ./ is not as the study describes it": 1,
        f"{CRATE}: {figure['@id']} is not as": 1,
        # By the provenance, which has another checksum of the model.
        f"{CRATE}: #model-tiny is not as": 1,
        f"{PROVENANCE}: `models` is not what the archive's own files": 1,
        # It has the checksum of the items as they were.
        f"{PROVENANCE}: `datasets` is not what the archive's own files": 1,
        # The persona in both tasks: what was asked, what the model read, and keys.
        "results/prompts/triage_": 2,
        "results/delivered/tiny/triage_": 2,
        "response keys are not those of its prompts": 2,
    }
    assert {words: sum(words in one for one in told) for words in found} == found
    assert [one for one in told if not any(words in one for words in found)] == []
    assert f"differs in {len(told)} places" in done.stdout
    assert "not checked: the archive's code, of which 1 files are not those here" in done.stdout
    agreed, compared = re.search(r"^answers: (\d+) of (\d+) agree$", done.stdout, re.M).groups()
    assert int(agreed) == int(compared) - 1 > 5


def test_without_the_texts_the_error_names_their_source(packed: Project, tmp_path: Path) -> None:
    stranger = copy_project(tmp_path / "stranger")
    (stranger.path / f"resources/bundled/{KEPT_BACK}.csv").unlink()
    done = verify(stranger, packed.path / ARCHIVE)
    assert done.returncode == 1
    assert f"must not hold the texts of {KEPT_BACK}" in done.stdout
    assert f"resources/bundled/{KEPT_BACK}.csv, which does not exist" in done.stdout


def check_answers(
    packed: Project, archive: Path, folder: Path, here: Path, sample: int, *, source: bool = False
) -> Any:
    """The findings of `verify.py` on the answers of an archive, without all else that it does.

    The study itself stands for what was made of the archive before.

    Args:
        here: folder in which it runs, with the models that are here.
        sample: number of answers that are computed again.
        source: whether the source of the model is here.
    """
    crate.unpack(archive, folder / "archive", 10**9)
    study = read_study(folder / "archive")
    made = packed.copy(folder / "copy")
    copy, findings = Copy(study, folder / "archive", made.path, "1"), Findings()
    for path in (made.path / "resources/models/tiny").glob("*.gguf"):
        path.unlink()
    if not source:
        (made.path / "tiny.gguf").unlink()
    with chdir(here):
        answers_checked.check_answers(copy, findings, sample, 1)
    return findings


def test_without_the_model_no_answer_is_checked(
    packed: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    findings = check_answers(packed, packed.path / ARCHIVE, tmp_path, tmp_path, 3)
    findings.report()
    assert findings.n_differences == 0
    assert "not checked: 3 drawn answers of tiny, which cannot be had here" in caplog.text
    assert "not checked: 4 files of prompts of tiny against its template" in caplog.text
    assert "decoding and engine: 4 of 4 agree" in caplog.text
    assert "answers: " not in caplog.text


def of_another_engine(packed: Project, path: Path, right_keys: bool) -> Path:
    """An archive with a file of answers that another version of llama.cpp gave."""
    name = f"results/responses/{CELL}.parquet"
    content = members(packed.path / ARCHIVE)
    metadata = pl.read_parquet_metadata(io.BytesIO(content[name]))
    about = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
    engine = json.loads(about["fingerprint"]) | {"llama_cpp_python": "0.0.1"}
    about["fingerprint"] = json.dumps(engine)
    print_ = sha256_bytes(canonical_json(engine).encode())
    provenance = json.loads(content[PROVENANCE])
    engines = provenance["models"]["tiny"]["engines"]
    engines[0]["n_files"] -= 1
    engines.append({"fingerprint": print_, **engine, "n_files": 1})
    engines.sort(key=lambda one: one["fingerprint"])
    table = pl.read_parquet(io.BytesIO(content[name]))
    # So little that what is made of it stays the same.
    table = table.with_columns(pl.col("label_logprob").list.eval(pl.element() - 1e-10))
    if right_keys:
        request = Request.of(json.loads(about["made_by"])["decoding"], print_)
        read = pl.read_parquet(io.BytesIO(content[name.replace("responses", "delivered")]))
        keys = [one.key for one in request.wanted(read)]
        table = table.with_columns(pl.Series("response_key", keys))
    changes = {name: table_bytes(table, about), PROVENANCE: canonical_json(provenance).encode()}
    return forge(packed, path, changes)


def test_answers_of_another_engine_are_compared_by_their_texts(
    packed: Project, tmp_path: Path
) -> None:
    """Where somebody else checks them, who has the model and another study."""
    honest = of_another_engine(packed, tmp_path / "a.zip", right_keys=True)
    stranger = copy_project(tmp_path / "stranger")
    shutil.copytree(packed.path / "resources/models", stranger.path / "resources/models")
    done = verify(stranger, honest, "--sample", "30")
    name = f"results/responses/{CELL}.parquet"
    assert f"{name}: another engine than here (llama_cpp_python '0.0.1')" in done.stdout
    assert re.search(r"^answers: (\d+) of \1 agree$", done.stdout, re.MULTILINE)
    # Its probabilities are others, to the same scores; under the same engine that would be found.
    assert done.returncode == 0, done.stdout


def test_keys_are_those_of_the_engine(
    packed: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forged = of_another_engine(packed, tmp_path / "a.zip", right_keys=False)
    findings = check_answers(packed, forged, tmp_path, packed.path, 30)
    findings.report()
    assert findings.n_differences == 1
    assert (
        f"differs: results/responses/{CELL}.parquet: 5 response keys are not those" in caplog.text
    )


def with_engine(content: dict[str, bytes], name: str, **parts: Any) -> dict[str, bytes]:
    """A file of answers, and the provenance, that name another engine."""
    data = io.BytesIO(content[name])
    about = {k: v for k, v in pl.read_parquet_metadata(data).items() if not k.startswith("ARROW:")}
    about["fingerprint"] = json.dumps(json.loads(about["fingerprint"]) | parts)
    data.seek(0)
    return {name: table_bytes(pl.read_parquet(data), about)}


def in_manifest(content: dict[str, bytes], name: str, **parts: Any) -> dict[str, bytes]:
    return {name: canonical_json(json.loads(content[name]) | parts).encode()}


def in_rows(
    content: dict[str, bytes], name: str, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> dict[str, bytes]:
    return {name: rewrite(io.BytesIO(content[name]), change)}


def set_to(column: str, value: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A change of a value in the first row."""
    return lambda t: t.with_columns(
        pl.Series(column, [value, *t[column].to_list()[1:]], t.schema[column])
    )


WEIGHTS = "resources/models/tiny/manifest.json"
ITEMS = "resources/datasets/teaching_ed.manifest.json"
ANSWERS, READ = (f"results/{stage}/{CELL}.parquet" for stage in ("responses", "delivered"))
# What can be forged alone: how, and what is told without the model.
FORGED: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "weights": (
        lambda c: in_manifest(c, WEIGHTS, sha256="0" * 64),
        "is of weights of SHA-256",
    ),
    "another source": (
        lambda c: in_manifest(c, WEIGHTS, origin={"sha256": "0" * 64}),
        f"{WEIGHTS} `origin` has SHA-256 {'0' * 64}, but the configuration pins",
    ),
    "source of items": (lambda c: in_manifest(c, ITEMS, licence="X"), f"{ITEMS} has licence 'X'"),
    "weights of a file": (
        lambda c: with_engine(c, ANSWERS, weights="0" * 64),
        f"{ANSWERS} is of weights of SHA-256 {'0' * 64}",
    ),
    "engine": (
        lambda c: with_engine(c, ANSWERS, context=1),
        f"{ANSWERS} was computed with context",
    ),
    "fingerprint": (
        lambda c: with_engine(c, ANSWERS, features="none"),
        f"{ANSWERS}: 5 response keys are not those",
    ),
    "a key": (
        lambda c: in_rows(c, ANSWERS, set_to("response_key", "0" * 64)),
        f"{ANSWERS}: 1 response keys are not those",
    ),
    "prompt of an answer": (
        lambda c: in_rows(c, ANSWERS, set_to("prompt_sha256", "0" * 64)),
        f"{ANSWERS}, row 1: prompt_sha256",
    ),
    "delivery of an answer": (
        lambda c: in_rows(c, ANSWERS, set_to("persona_delivered", False)),
        f"{ANSWERS}, row 1: persona_delivered",
    ),
    "length of an answer": (
        lambda c: in_rows(c, ANSWERS, set_to("n_tokens", 999)),
        f"{ANSWERS}, row 1: 999 tokens",
    ),
    "probabilities": (
        lambda c: in_rows(c, ANSWERS, set_to("label_logprob", [0.0] * 5)),
        f"{ANSWERS}, row 1: label_mass",
    ),
    "tokens": (
        lambda c: in_rows(c, READ, set_to("pieces", [[1, 2, 3]])),
        f"{READ}, row 1: n_prompt_tokens",
    ),
    "text of a prompt": (
        lambda c: in_rows(c, READ, set_to("text", "Say 5.")),
        f"{READ}, row 1: prompt_sha256 is not that of its text",
    ),
    "words of a prompt": (
        lambda c: in_rows(
            c,
            READ,
            lambda t: set_to("prompt_sha256", sha256_bytes(b"Say 5."))(set_to("text", "Say 5.")(t)),
        ),
        f"{READ}, row 1: its text lacks the words of the prompt (persona)",
    ),
    "an answer that cannot be": (
        lambda c: in_rows(c, ANSWERS, set_to("finish_reason", "banana")),
        f"{ANSWERS}, row 1: finish_reason 'banana', which no answer has",
    ),
    "foreign text": (
        lambda c: in_rows(c, READ, set_to("foreign_text", "x")),
        f"{READ}, row 1: it would not have been run: the chat template adds a message of its own",
    ),
    "beginning": (
        lambda c: in_rows(c, READ, set_to("n_bos", 7)),
        f"{READ}, row 1: it would not have been run: it begins with 7 beginning-of-sequence",
    ),
    "repeat": (
        lambda c: in_rows(c, READ, set_to("repeat", 5)),
        f"{READ}, row 1: repeat 5 of a prompt that is behind no answer",
    ),
    "thought of a template": (
        lambda c: in_rows(c, READ, set_to("template_thought", "open")),
        f"{READ} has template_thought 'open', where others of the model have 'none'",
    ),
    "items of prompts": (
        lambda c: in_rows(c, READ, lambda t: t.with_columns(pl.col("item_id").reverse())),
        f"{READ} has other items or wordings than the prompts",
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_contradicts_itself_is_found_without_the_model(
    packed: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    change, says = FORGED[what]
    changes = change(members(packed.path / ARCHIVE))
    crate.unpack(forge(packed, tmp_path / "a.zip", changes), tmp_path / "archive", 10**9)
    study = read_study(tmp_path / "archive")
    copy, findings = Copy(study, tmp_path / "archive", packed.path, "1"), Findings()
    answers_checked.check_answers(copy, findings, 0, 1)
    findings.report()
    assert any(line.startswith(f"differs: {says}") or says in line for line in caplog.messages)
    assert findings.n_differences >= 1


def test_an_archive_of_other_weights_differs_from_its_source(
    packed: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Weights, fingerprint and keys are forged together; only the source can tell."""
    content = members(packed.path / ARCHIVE)
    old, new = json.loads(content[WEIGHTS])["sha256"], "0" * 63 + "1"
    changes = {
        name: content[name].replace(old.encode(), new.encode()) for name in (WEIGHTS, PROVENANCE)
    }
    about = json.loads(changes[WEIGHTS])
    changes[WEIGHTS] = canonical_json(
        about | {"origin": about["origin"] | {"sha256": old}}
    ).encode()
    changes[PROVENANCE] = content[PROVENANCE]
    for name in content:
        if name.startswith("results/responses/tiny/"):
            changes |= with_engine(content, name, weights=new)
    forged = forge(packed, tmp_path / "a.zip", changes)
    findings = check_answers(packed, forged, tmp_path, tmp_path, 30, source=True)
    findings.report()
    assert (
        f"differs: {WEIGHTS}: its source gives weights of SHA-256 {old}, not {new}" in caplog.text
    )
    assert "response keys are not those" in caplog.text


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


def refuses(archive: Path, folder: Path, max_gib: float = 50) -> str:
    """How `verify.py` refuses an archive."""
    options = {"archive": archive, "folder": folder, "most_bytes": int(max_gib * 2**30)}
    with pytest.raises(InputError) as caught:
        VERIFY.main(Namespace(**options, sample=20, seed=1, cores="1"))
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder for temporary files, from which two steps up stay in that of the test."""
    folder = tmp_path / "deep" / "work"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", HOSTILE)
def test_a_member_that_leads_out_is_refused(tmp_path: Path, work: Path, name: str) -> None:
    hostile = write(tmp_path / "a.zip", {"results/a.csv": b"1", name: b"gone"})
    before = sorted(tmp_path.rglob("*"))
    assert HOSTILE[name] in refuses(hostile, work)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [(link, "'results/link', which is a link"), (twice, "'results/A.csv' twice")],
)
def test_links_and_double_names_are_refused(
    tmp_path: Path, work: Path, make: Callable[[zipfile.ZipFile], None], says: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        make(archive)
    assert refuses(tmp_path / "a.zip", work).startswith(f"{tmp_path / 'a.zip'} has a member {says}")


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path, work: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results/zeros.csv", bytes(30_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 100_000
    says = refuses(tmp_path / "a.zip", work, max_gib=0.01)
    assert "unpacks to 0.0279 GiB, more than 0.01; raise --max-gib" in says


NO_ARCHIVE = {
    "bare": ({"results/a.csv": b"1"}, "cannot be read (FileNotFoundError)"),
    "deep": ({CRATE: b"[" * 100_000}, "cannot be read (RecursionError)"),
    "list": ({CRATE: b'{"@graph": [1]}'}, "does not give each file's SHA-256"),
    "empty": ({CRATE: b'{"@graph": []}', PROVENANCE: b"[]"}, "holds no configuration of a study"),
}


@pytest.mark.parametrize("name", NO_ARCHIVE)
def test_what_is_no_archive_is_refused(tmp_path: Path, work: Path, name: str) -> None:
    content, words = NO_ARCHIVE[name]
    says = refuses(write(tmp_path / "a.zip", content), work)
    assert words in says
    remedy = "take an archive that `snakemake results/archive.zip` made"
    if name == "empty":
        remedy += ", and verify it by the version of this project that made it"
    assert says.endswith(remedy)


@pytest.mark.parametrize(
    ("version", "release"), [(None, "0.1"), ("0.1.7", "0.1"), ("0.2.4", "0.2"), ("1.2.0", "1.2")]
)
def test_an_archive_of_another_release_is_told_from_what_is_no_archive(
    packed: Project, tmp_path: Path, work: Path, version: str | None, release: str
) -> None:
    provenance = json.loads(members(packed.path / ARCHIVE)[PROVENANCE])
    assert provenance.pop("version") == VERSION
    provenance |= {} if version is None else {"version": version}
    changes = {PROVENANCE: json.dumps(provenance).encode()}
    assert refuses(forge(packed, tmp_path / "a.zip", changes), work) == (
        f"the archive was made by version {release} of this project, which wrote other files than "
        f"version {VERSION}; verify it with release {release}.x"
    )


def test_an_archive_that_version_0_1_made_is_known(tmp_path: Path, work: Path) -> None:
    """What its description and its provenance say; commit 0cc00f9 made it of a small study."""
    content = members(ROOT / "tests/archive_of_0_1.zip")
    assert {CRATE, PROVENANCE} <= content.keys()
    says = refuses(write(tmp_path / "a.zip", content), work)
    assert says.startswith("the archive was made by version 0.1 of this project")


def test_half_an_archive_is_refused(packed: Project, tmp_path: Path, work: Path) -> None:
    whole = (packed.path / ARCHIVE).read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    assert "is not a whole zip file" in refuses(tmp_path / "half.zip", work)
    assert "no file" in refuses(tmp_path / "none.zip", work)


def test_the_command_line_says_no_more(packed: Project, tmp_path: Path, work: Path) -> None:
    hostile = write(tmp_path / "a.zip", {"results/../../outside.txt": b"gone"})
    before = sorted(tmp_path.rglob("*"))
    done = verify(packed, hostile, "--folder", str(work))
    assert done.returncode == 1
    assert done.stdout == f"error: {refuses(hostile, work)}\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_token_of_the_hub_is_in_no_result(packed: Project) -> None:
    found = [path for part in ("results", "logs") for path in (packed.path / part).rglob("*")]
    texts = {str(path): readable(path.name, path.read_bytes()) for path in found if path.is_file()}
    texts |= {name: readable(name, data) for name, data in members(packed.path / ARCHIVE).items()}
    assert len(texts) > 200
    assert [name for name, text in texts.items() if TOKEN in text] == []


def test_a_report_that_shows_what_may_not_be_passed_on_stays_out(
    packed: Project, tmp_path: Path
) -> None:
    names = set(members(packed.path / ARCHIVE))
    assert {"results/report.html", "results/report/README.txt"} <= names
    copy = packed.copy(tmp_path / "project")
    copy.edit("config/config.yaml", lambda study: study.update(report={"withheld_texts": True}))
    copy.run("--cores", "1", ARCHIVE)
    left = names - set(members(copy.path / ARCHIVE))
    assert left == {"results/report.html", "results/report/README.txt"}


def test_a_commit_writes_the_provenance_anew_and_nothing_else(
    packed: Project, tmp_path: Path
) -> None:
    copy = packed.copy(tmp_path / "project")

    def git(*command: str) -> str:
        settings = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ("git", *settings, *command)
        done = subprocess.run(command, cwd=copy.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def state() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((copy.path / PROVENANCE).read_text())["git"]
        return found

    (copy.path / ".gitignore").write_text("results\nresources\nlogs\n.snakemake\n*.pyc\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "First")
    before = copy.checksums()
    said = copy.run("--cores", "1")
    ran = re.findall(r"^(?:local)?rule (\w+):", said, re.MULTILINE)
    assert sorted(ran) == ["all", "crate", "provenance", "report"]
    first = state()
    assert first["commit"] == git("rev-parse", "HEAD")
    assert first["dirty"] is False
    changed = {name for name, sha in copy.checksums().items() if before.get(name) != sha}
    written = {name for name in changed if not name.startswith("config/provenance-")}
    assert written == {"provenance.json", "report.html", CRATE}
    assert copy.all_jobs() == []
    (copy.path / "config/personas/mine.yaml").write_text("title: Mine\n")
    copy.run("--cores", "1", PROVENANCE)
    assert state() == first | {"dirty": True}


def test_every_file_of_an_archive_has_a_rule(data_dir: Path, tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    question = {"question": "How sure are you, from 0 to 100?"}
    project.edit("config/tasks/triage_semigran.yaml", lambda task: task.update(verbalized=question))
    study = {
        "models": ["smollm2_135m_instruct"],
        "tasks": ["triage_semigran", "triage_ktas_rationale", "safety_teaching", "safety_psb"],
        "judges": ["smollm2_safety", "smollm2_rationale"],
        "rankings": {"groups": ["paper"], "listwise": True},
        "recalibrations": ["temperature"],
        "figures": "all",
        "tables": "all",
    }
    project.edit("config/config.yaml", lambda config: config.update(study))
    jobs = project.all_jobs(ARCHIVE, PERSONA_DATA_DIR=str(data_dir))
    rules = {job.split(" ")[0] for job in jobs}
    # One of every kind of file that answers lead to.
    assert rules >= {"reason", "conclude", "state", "verbalize", "judge", "rank", "read_checks"}
    assert jobs.count("archive") == 1
    # Whatever else a study needs, `verify.py` makes it again.
    again = {"download_dataset", "check_groups", "write_prompts", *MODELS}
    again |= {*TABLES, *DELIVER, *(rule for rule in rules if rule.startswith("measure_"))}
    # Answers of words are taken as given: their last digits depend on the processor.
    answers = {"generate", "reason", "answer_behind", "state", "judge", "bag_of_words"}
    shown = {"plot", "specify", "report", "archive"}
    assert rules - again == answers | shown
