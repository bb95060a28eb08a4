"""The sets of exam questions, read by their files in `config/datasets` as a study reads them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_paradox.data.items import read_items
from persona_paradox.files import sha256_file, sources_of
from persona_paradox.kinds import base
from persona_paradox.schema import check_schema

ROOT = Path(__file__).resolve().parents[2]
LETTERS = "ABCDEFGHIJ"


def read(data_dir: Path | None, id_: str) -> tuple[pl.DataFrame, Mapping[str, Any]]:
    """The items of a data set, and what its file says."""
    name = f"config/datasets/{id_}.yaml"
    spec: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    check_schema(spec, "choice/dataset", name)
    kind = base.spec("choice")
    kind.check_dataset(name, spec)
    paths = []
    for source in sources_of(spec):
        path = ROOT / source["path"].replace("{data_dir}", str(data_dir))
        assert sha256_file(path) == source.get("sha256", sha256_file(path))
        paths.append(path)
    reading = spec | kind.reading(spec)
    items, _ = read_items(paths, reading, name, base.load("choice", "items").columns)
    return items, spec


def numbers_of_options(items: pl.DataFrame) -> dict[int, int]:
    return dict(sorted(Counter(items["options"].list.len().to_list()).items()))


def right(items: pl.DataFrame) -> Iterator[str]:
    """The text of the right option of every item."""
    for options, letter in items.select("options", "reference").iter_rows():
        yield options[LETTERS.index(letter)]


def groups(items: pl.DataFrame, spec: Mapping[str, Any]) -> dict[str, int]:
    """How many items every subject has; all values have a name."""
    (subject,) = (group for group in spec["subgroups"] if group["id"] == "subject")
    return dict(Counter(subject["values"][value] for value in items[subject["column"]]))


def check_whole(items: pl.DataFrame) -> None:
    """No item is left out, and neither the question nor a kept column has the key."""
    assert items["excluded"].null_count() == items.height
    assert items["item_id"].n_unique() == items.height
    assert not items["case"].str.contains(r"(?i)answer:? \(?[a-j]\b").any()
    own = ("item_id", "case", "options", "reference", "order", "stratum", "excluded")
    for column in set(items.columns).difference(own, ["question"]):
        for value, letter, text in zip(
            items[column], items["reference"], right(items), strict=True
        ):
            assert value not in (letter, text), column


def test_teaching_questions() -> None:
    items, spec = read(None, "teaching_questions")
    check_whole(items)
    assert numbers_of_options(items) == {3: 18, 4: 21, 5: 21}
    assert set(groups(items, spec).values()) == {10}
    with open(ROOT / "resources/bundled/teaching_questions.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert list(right(items)) == [row[f"option_{row['key'].lower()}"] for row in rows]
    assert not set(items.columns) & {"source", "key"}


def test_medqa(data_dir: Path) -> None:
    items, spec = read(data_dir, "medqa")
    check_whole(items)
    assert items.height == 1273
    assert numbers_of_options(items) == {4: 1273}
    assert groups(items, spec) == {"step 1": 679, "steps 2 and 3": 594}
    assert Counter(items["reference"]) == {"A": 353, "B": 309, "C": 346, "D": 265}
    path = data_dir / "medqa_usmle_4options/phrases_no_exclude_test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert list(right(items)) == [row["answer"].strip() for row in rows]
    assert items["case"].to_list() == [row["question"].strip() for row in rows]


def test_mmlu_medical(data_dir: Path) -> None:
    items, spec = read(data_dir, "mmlu_medical")
    check_whole(items)
    assert numbers_of_options(items) == {4: 1099}
    assert groups(items, spec) == {
        "anatomy": 135,
        "clinical knowledge": 265,
        "college biology": 144,
        "college medicine": 173,
        "medical genetics": 100,
        "professional medicine": 282,
    }
    told = []
    for file in items["file"].unique(maintain_order=True):
        with open(data_dir / f"mmlu_medical/{file}.csv", encoding="utf-8", newline="") as handle:
            told += [row[1 + "ABCD".index(row[5])].strip() for row in csv.reader(handle)]
    assert list(right(items)) == told


def test_repeats_of_mmlu_pro_are_clusters(data_dir: Path) -> None:
    items, spec = read(data_dir, "mmlu_pro_health")
    check_whole(items)
    assert numbers_of_options(items) == {3: 3, 4: 72, 5: 8, 6: 8, 7: 21, 8: 42, 9: 67, 10: 597}
    assert sum(groups(items, spec).values()) == items.height == 818
    cluster = items[spec["columns"]["cluster"]]
    assert cluster.n_unique() == 684
    exact = items.select("case", pl.col("options").list.join("\n")).is_duplicated()
    assert items.select("case", pl.col("options").list.join("\n")).n_unique() == 818 - 94
    # A repeat is in the cluster of its first.
    assert (items.filter(exact).group_by("case").len()["len"] > 1).all()
    assert (items["case"] == cluster).all()
    path = data_dir / "mmlu_pro_health/test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert list(right(items)) == [row["answer"].strip() for row in rows]


def test_truthfulqa_health(data_dir: Path) -> None:
    items, spec = read(data_dir, "truthfulqa_health")
    check_whole(items)
    assert groups(items, spec) == {"health": 55, "nutrition": 16, "psychology": 19}
    assert numbers_of_options(items) == {2: 1, 3: 7, 4: 25, 5: 24, 6: 23, 7: 7, 8: 2, 9: 1}
    assert set(items["reference"]) == {"A"}
    # The same options as those of the file for this form of the task.
    told = json.loads((data_dir / "truthfulqa/mc_task.json").read_text(encoding="utf-8"))
    targets = {row["question"]: row["mc1_targets"] for row in told}
    same = [set(o) == set(targets[case]) for case, o in items.select("case", "options").iter_rows()]
    assert sum(same) >= 85
    for case, best in zip(items["case"], right(items), strict=True):
        assert targets[case].get(best) == 1, case


@pytest.mark.parametrize("task", ["truthfulqa_health"])
def test_a_key_that_is_always_first_is_shuffled(task: str) -> None:
    spec = yaml.safe_load((ROOT / f"config/tasks/{task}.yaml").read_text(encoding="utf-8"))
    assert spec["order"] == "shuffled"
