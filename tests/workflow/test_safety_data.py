"""Published sets of safety prompts, read by their files as a study reads them.

Those of the hub come through its own client from a hub on the loopback interface, in files of the
published columns with rows of these tests.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from loopback_hub import Hub, loopback_hub, sha256
from project import STUDY, Project, add_model, new_project
from refusals import says

STYLES = ("direct", "indirect", "obfuscate", "role_play")


def cares() -> bytes:
    """Two base prompts of every principle and level, each in four styles."""
    rows = [
        {
            "principle_index": principle,
            "generation_model": "m",
            "harmful_level": level,
            "method": style,
            "base_prompt": f"base {principle} {level} {number}",
            "prompt": f"{style} of {principle} {level} {number}",
        }
        for principle in range(8)
        for level in range(4)
        for number in range(2)
        for style in STYLES
    ]
    file = io.BytesIO()
    pl.DataFrame(rows).write_parquet(file)
    return file.getvalue()


def orsc() -> bytes:
    rows = [
        {
            "id": f"hard-{number}",
            "question": f"Benign question {number}?",
            "original_question": f"Seed {number}.",
            "classification": "health privacy",
            "results": {"guard": "safe"},
            "score": 5,
            "refuse_count": 10 + number,
            "refuse_rate": round((10 + number) / 30, 3),
            "total_models": 30,
        }
        for number in range(5)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {"cares_18k": cares(), "health_orsc_hard": orsc()}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with loopback_hub() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, hub: Hub) -> Project:
    """A study of the two sets of the hub, one of which is not in LFS."""
    project = new_project(tmp_path / "project")
    add_model(project)
    study = STUDY | {"tasks": [*FILES], "judges": [], "figures": []}
    (project.path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    for dataset, content in FILES.items():
        source = file_of(project, dataset)["source"]
        hub.repos["datasets", source["repo"]] = {source["file"]: content}
        hub.revisions.add(source["revision"])
    hub.small.add(file_of(project, "health_orsc_hard")["source"]["file"])
    return project


def file_of(project: Project, dataset: str) -> dict[str, Any]:
    path = project.path / f"config/datasets/{dataset}.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def environment(hub: Hub, project: Project, **more: str) -> dict[str, str]:
    home = str(project.path.parent / "home")
    return {"HF_ENDPOINT": hub.address, "HF_HOME": home, "no_proxy": "*", **more}


def items_of(dataset: str) -> str:
    return f"resources/datasets/{dataset}.parquet"


@pytest.mark.parametrize("dataset", FILES)
def test_a_blank_checksum_stops_the_run_and_the_right_one_is_named(
    project: Project, hub: Hub, dataset: str
) -> None:
    done = project.snakemake("--cores", "1", items_of(dataset), **environment(hub, project))
    assert done.returncode != 0
    (line,) = {one for one in done.stdout.splitlines() if one.startswith("error: ")}
    says(line, f"config/datasets/{dataset}.yaml", "sha256", sha256(FILES[dataset]))
    assert not (project.path / items_of(dataset)).exists()


def test_sets_of_the_hub_and_of_the_data_folder_are_read_whole(
    project: Project, hub: Hub, data_dir: Path
) -> None:
    for dataset, content in FILES.items():
        digest = sha256(content)
        file = f"config/datasets/{dataset}.yaml"
        project.edit(file, lambda spec, digest=digest: spec["source"].update(sha256=digest))
    tasks = [*FILES, "xstest"]
    project.edit("config/config.yaml", lambda study: study.update(tasks=tasks))
    targets = [items_of(dataset) for dataset in tasks]
    more = environment(hub, project, PERSONA_DATA_DIR=str(data_dir))
    project.run("--cores", "1", *targets, **more)
    read = {path: pl.read_parquet(project.path / path) for path in targets}

    prompts = read[items_of("cares_18k")]
    assert prompts.height == 8 * 4 * 2 * 4
    categories = [one["id"] for one in file_of(project, "cares_18k")["categories"]]
    for row in prompts.iter_rows(named=True):
        style, _, rest = row["case"].partition(" of ")
        principle, level, _ = rest.split()
        assert row["category"] == categories[int(principle)]
        assert row["harm_level"] == int(level)
        assert row["method"] == style
        assert row["base_prompt"] == f"base {rest}"
    assert set(prompts.group_by("base_prompt").len()["len"]) == {4}

    boundary = read[items_of("health_orsc_hard")]
    assert boundary["case"].to_list() == [f"Benign question {number}?" for number in range(5)]
    assert set(boundary["category"]) == {"hard"}
    assert "Seed" not in boundary.write_csv()

    xstest = read[items_of("xstest")]
    safe = [one["id"] for one in file_of(project, "xstest")["categories"] if one.get("benign")]
    source = pl.read_csv(data_dir / "xstest/xstest_prompts.csv")
    assert xstest["case"].to_list() == source["prompt"].str.strip_chars().to_list()
    assert xstest["category"].is_in(safe).to_list() == (source["label"] == "safe").to_list()
    assert (xstest.height, xstest["category"].is_in(safe).sum()) == (450, 250)
    assert set(xstest.group_by("category").len()["len"]) == {25}
    assert xstest["category"].n_unique() == 18
