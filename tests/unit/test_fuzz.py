"""Whatever stands in a file from outside: it is read, or one sentence says what is wrong with it.

The fuzzers go through the entry points of the workflow. What they found has plain tests where the
module in question has its own. `make fuzz` runs each for ten minutes, with new examples all the
time; PERSONA_FUZZ_SECONDS sets another time.
"""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
import shutil
import time
from argparse import Namespace
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from clinician_packet import FORMS, filled_rows, make, write_rows
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from persona_paradox.errors import InputError
from persona_paradox.files import canonical_json, sha256_bytes
from persona_paradox.judges.known import SANITY, checks_of
from persona_paradox.kinds.labelled.labels import LABEL, PARSE_STATUSES, STATED, parse_label
from persona_paradox.kinds.labelled.verbalized import READ, stated_confidence
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views
from persona_paradox.study.yaml_reading import check_study_file

ROOT = Path(__file__).resolve().parents[2]
DOWNLOAD_DATASET = runpy.run_path(str(ROOT / "workflow/scripts/download_dataset.py"))
READ_ANNOTATIONS = runpy.run_path(str(ROOT / "workflow/scripts/read_annotations.py"))
SECONDS = float(os.environ.get("PERSONA_FUZZ_SECONDS", "0"))


def fuzz(strategy: st.SearchStrategy[Any], check: Callable[[Any], None], examples: int) -> None:
    """Check examples that are always the same; in a long run, others until the time is up."""
    number = count = 0
    end = time.monotonic() + SECONDS
    while number == 0 or time.monotonic() < end:

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def run(example: Any) -> None:
            nonlocal count
            count += 1
            check(example)

        run()
        number += 1
    print(f"\n{count} examples")


def said(error: InputError) -> None:
    """An error is one sentence of a length that can be read."""
    text = str(error)
    assert text
    assert "\n" not in text
    assert len(text) < 4000


# --- what the fuzzers do to good files ----------------------------------------------------

ODD = [
    *("", " ", "\0", "\n", "\t", "\ufeff", "\u2028", "é", "😀", "\x1b[31m", "x" * 300),
    *("../../x", "/", "..", "x; rm -rf ~", "$(touch x)", "`x`", "'", '"', '""', "\\", "{x}", "{"),
    *("<script>", "null", "~", "true", "nan", "1e999", "-1", "0", "1", "007", "9" * 30, "0x1"),
    *(",", ";", "|", "{case}", "{question}{answer}", "(", "[", "(?P<", "a{99999}", "esi_1", "A"),
]
YAML = [
    *('!!python/object/apply:os.system ["true"]', "!!python/name:os.system", "!!binary aGk="),
    *(
        "&a [*a]",
        "*a",
        "<<: {a: 1}",
        "? [a]: b",
        ".nan",
        ".inf",
        "-.inf",
        "2001-13-45",
        "2001-01-01",
    ),
    *('"\\ud800"', '"\\0"', "0x" + "f" * 5000, "9" * 5000, "[" * 3000, "{a: " * 500, "1_0", "1:30"),
    *(
        "!!set {a}",
        "!!omap [a: 1]",
        "=",
        "%YAML 9.9",
        "---",
        "...",
        "- ",
        ": ",
        "#",
        "|\n",
        ">\n",
        "\t",
    ),
]


def spliced(data: bytes, odd: list[str]) -> st.SearchStrategy[bytes]:
    """`data` with some pieces cut out, doubled, or replaced by something odd."""
    piece = st.one_of(
        st.sampled_from(odd).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.text(max_size=5).map(str.encode),
        st.binary(max_size=8),
    )
    cut = st.tuples(st.integers(0, len(data)), st.integers(0, 40), piece, st.booleans())

    def apply(cuts: list[tuple[int, int, bytes, bool]]) -> bytes:
        changed = data
        for start, length, new, twice in cuts:
            end = start + length
            changed = changed[:start] + new * (1 + twice) + changed[end:]
        return changed

    return st.lists(cut, min_size=1, max_size=4).map(apply)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every part of a structure."""
    found = [at] if at else []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        found += places(inner, (*at, key))
    return found


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(ODD),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(ODD), st.text(max_size=4)), inner, max_size=3),
    ),
    max_leaves=5,
)


def changed(good: Any) -> st.SearchStrategy[Any]:
    """`good` with some parts replaced, removed, taken from elsewhere, or added."""
    where = st.sampled_from(places(good))
    change = st.tuples(where, st.sampled_from(["set", "drop", "move", "add"]), VALUES, where)

    def get(value: Any, path: tuple[Any, ...]) -> Any:
        for key in path:
            value = value[key]
        return value

    def apply(changes: list[tuple[tuple[Any, ...], str, Any, tuple[Any, ...]]]) -> Any:
        result = deepcopy(good)
        for path, kind, value, other in changes:
            new = deepcopy(get(good, other)) if kind == "move" else value
            try:
                inside = get(result, path[:-1])
                if kind == "drop":
                    del inside[path[-1]]
                elif kind == "add" and isinstance(inside, dict):
                    inside[str(value)] = value
                else:
                    inside[path[-1]] = new
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change has removed the place
        return result

    return st.lists(change, min_size=1, max_size=3).map(apply)


# --- the configuration --------------------------------------------------------------------

STUDY = {
    "title": "A study",
    "models": ["smollm2_135m_instruct", "served"],
    "tasks": ["triage_ed", "triage_ktas_rationale", "safety_teaching"],
    "personas": ["no_persona", "ed_nurse"],
    "baseline": "no_persona",
    "limit": 6,
    "limits": {"triage_ed": 3},
    "limit_keeps": ["esi_1"],
    "judges": ["smollm2_safety"],
    "rankings": {"listwise": True},
    "clinicians": {"answers": 3},
    "seed": 7,
    "published": True,
    "data_dir": "data",
    "statistics": {"margins": {"accuracy": 0.1}, "family": {"metrics": ["accuracy"]}},
}
SERVED = """\
title: Served
family: llama-3.1
licence: MIT
source: {kind: server, url: "http://127.0.0.1:1/v1", model: m, revision: r, template: t.jinja}
"""
FILES = [
    *("models/smollm2_135m_instruct", "models/served", "models/qwen2_5_7b_instruct"),
    *("tasks/triage_ed", "tasks/triage_ktas_rationale", "tasks/safety_teaching"),
    *("personas/ed_nurse", "datasets/teaching_ed", "datasets/ktas", "datasets/teaching_safety"),
    *("judges/smollm2_safety", "forms/answers"),
]


# As every pattern of the schemas ends or begins; none of them is for people.
PATTERNS = ("$(?!", "^(", "^[", "\\S")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's configuration, in the working folder."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "config/models/served.yaml").write_text(SERVED)
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config"


def loads(config: Path, study: Any) -> None:
    """What happens to a study before anything runs: it is read, checked and cut into views."""
    try:
        found = load_study(deepcopy(study), config, check_schema)
        for _, content in views(found):
            canonical_json(content).encode()
    except InputError as error:
        said(error)
        text = str(error)
        assert "config/" in text or " of the study" in text
        assert not any(pattern in text for pattern in PATTERNS)


def test_the_fuzzed_study_is_a_good_one(configured: Path) -> None:
    study = load_study(deepcopy(STUDY), configured, check_schema)
    assert len(list(views(study))) > 30


def test_any_study(configured: Path) -> None:
    fuzz(changed(STUDY), lambda study: loads(configured, study), 150)


def test_any_configuration_file(configured: Path) -> None:
    texts = {name: (configured / f"{name}.yaml").read_bytes() for name in FILES}
    as_text = st.sampled_from(FILES).flatmap(
        lambda name: st.tuples(st.just(name), spliced(texts[name], YAML))
    )
    as_value = st.sampled_from(FILES).flatmap(
        lambda name: st.tuples(
            st.just(name),
            changed(yaml.safe_load(texts[name])).map(
                lambda value: yaml.safe_dump(value, allow_unicode=True).encode(
                    "utf-8", "surrogatepass"
                )
            ),
        )
    )

    def check(example: tuple[str, bytes]) -> None:
        name, data = example
        path = configured / f"{name}.yaml"
        path.write_bytes(data)
        models = ["qwen2_5_7b_instruct"] if "qwen" in name else []
        try:
            loads(configured, STUDY | {"models": STUDY["models"] + models})
        finally:
            path.write_bytes(texts[name])

    fuzz(st.one_of(as_text, as_value), check, 150)


def test_any_text_of_a_study(configured: Path) -> None:
    path = configured / "study.yaml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            check_study_file(path, "config/study.yaml")
        except InputError as error:
            said(error)

    text = yaml.safe_dump({"__use_yte__": False, **STUDY}).encode()
    fuzz(st.one_of(spliced(text, YAML), st.binary(max_size=60)), check, 300)


# --- what models write --------------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from([*"ABCDEabc12345?!.,:;()[]*_#\"'-–/\\ \n\t", "10", "100", "1.", "B)", "\r\n"]),
    st.sampled_from(["answer", "Final Response", "is", "not", "or", "and", "category", "level"]),
    st.sampled_from(
        ["the", "ESI", "I would choose", "because", "</think>", "\\boxed{", "%", "out of"]
    ),
    st.sampled_from(ODD),
    st.text(max_size=6),
)
ANSWERS = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=40).map("".join),
    st.lists(PIECES, max_size=40).map(" ".join),
    st.tuples(st.lists(PIECES, min_size=1, max_size=4), st.integers(1, 300)).map(
        lambda made: "".join(made[0]) * made[1]
    ),
)
LETTERS = st.lists(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), min_size=2, unique=True)
NUMBERS = st.lists(st.from_regex("[0-9]{1,3}", fullmatch=True), min_size=2, unique=True)


def test_any_answer() -> None:
    def check(example: tuple[str, list[str], str]) -> None:
        text, labels, reason = example
        label, status = parse_label(text, labels)
        assert status in PARSE_STATUSES
        assert (label in labels) == (status in (LABEL, STATED))
        value, status = stated_confidence(text, reason)
        assert (value is not None) == (status == READ)
        assert value is None or 0 <= value <= 1

    labels = st.one_of(LETTERS, NUMBERS)
    fuzz(st.tuples(ANSWERS, labels, st.sampled_from(["stop", "length"])), check, 400)


# --- data sets ----------------------------------------------------------------------------


def teaching_cases() -> pl.DataFrame:
    return pl.read_csv(ROOT / "resources/bundled/teaching_ed.csv", infer_schema=False).head(5)


def in_format(kind: str) -> bytes:
    target = io.BytesIO()
    table = teaching_cases()
    if kind == "csv":
        table.write_csv(target)
    elif kind == "jsonl":
        table.write_ndjson(target)
    elif kind == "json":
        table.write_json(target)
    elif kind == "xlsx":
        table.write_excel(target)
    else:
        table.write_parquet(target, compression="uncompressed")
    return target.getvalue()


CASES = {kind: in_format(kind) for kind in ("csv", "jsonl", "json", "parquet", "xlsx")}


@pytest.mark.parametrize("kind", CASES)
def test_any_data_set(kind: str, tmp_path: Path) -> None:
    main = DOWNLOAD_DATASET["main"]
    dataset = yaml.safe_load((ROOT / "config/datasets/teaching_ed.yaml").read_text())
    check_schema(dataset, "triage/dataset", "config/datasets/teaching_ed.yaml")
    columns = dataset["columns"] | {"item_id": {"prefix": "case_"}, "keep": ["age", "sex"]}
    place = {name: tmp_path / name for name in ("reading", "items", "manifest")}
    arguments = Namespace(**place, kind="triage", config_file="config/datasets/x.yaml", data_dir="")
    levels = [level["id"] for level in dataset["levels"]]

    def check(example: tuple[bytes, str, str, list[str], bool]) -> None:
        data, separator, encoding, missing, ids = example
        raw = tmp_path / "raw"
        raw.write_bytes(data)
        form = {"kind": kind, "separator": separator, "encoding": encoding, "missing": missing}
        reading = {
            "source": {"kind": "path", "path": str(raw), "sha256": sha256_bytes(data)},
            "format": form,
            "columns": columns if ids else columns | {"item_id": {"column": "id"}},
            "licence": dataset["licence"],
            "levels": levels,
        }
        place["reading"].write_text(json.dumps(reading))
        try:
            main(arguments)
        except InputError as error:
            said(error)
            assert not place["items"].exists()
            return
        items = pl.read_parquet(place["items"])
        place["items"].unlink()
        assert items["reference"].is_in(levels).all()
        assert items["item_id"].is_unique().all()

    fuzz(
        st.tuples(
            st.one_of(st.just(CASES[kind]), spliced(CASES[kind], ODD)),
            st.sampled_from(",;\t|a "),
            st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-16"]),
            st.lists(st.sampled_from(ODD[1:]), max_size=2),
            st.booleans(),
        ),
        check,
        150,
    )


def test_any_file_of_checks(tmp_path: Path) -> None:
    path = tmp_path / "sanity.csv"
    rows = [dict(zip(SANITY, (f"s{i}", 'A, "b"?', "Yes", "No"), strict=True)) for i in range(3)]
    data = write_rows(path, rows).read_bytes()

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            checks_of(path, None, "config/judges/x.yaml")
        except InputError as error:
            said(error)

    fuzz(spliced(data, ODD), check, 300)


# --- annotations --------------------------------------------------------------------------


def test_any_annotations(tmp_path: Path) -> None:
    main = READ_ANNOTATIONS["main"]
    packed, _ = make()
    kept = tmp_path / "packets"
    kept.mkdir()
    packed.key.write_csv(kept / f"{packed.packet_id}.key.csv")
    (kept / f"{packed.packet_id}.forms.json").write_text(json.dumps(FORMS))
    cells = packed.key.select("model", "task", "persona").unique().rows()
    (tmp_path / "answered").write_text(json.dumps({"cells": cells}))
    path, table = tmp_path / "R1.csv", tmp_path / "table"
    rows = filled_rows(packed)
    good = write_rows(path, rows).read_bytes()
    arguments = Namespace(
        annotations=[path], packets=kept, answered=tmp_path / "answered", table=table
    )

    def written(rows: Any) -> bytes:
        text = io.StringIO(newline="")
        names = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
        csv.writer(text).writerow(names)
        for row in rows:
            if isinstance(row, dict):
                csv.writer(text).writerow([row.get(name, "") for name in names])
        return text.getvalue().encode("utf-8", "surrogatepass")

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            main(arguments)
        except InputError as error:
            said(error)
            assert not table.exists()
            return
        found = pl.read_parquet(table)
        table.unlink()
        assert found["annotator"].n_unique() == 1
        assert found["item"].n_unique() == len(rows)

    fuzz(st.one_of(st.just(good), spliced(good, ODD), changed(rows).map(written)), check, 300)


def test_any_key_of_a_packet(tmp_path: Path) -> None:
    read_key = READ_ANNOTATIONS["read_key"]
    packed, _ = make()
    path = tmp_path / "key.csv"
    packed.key.write_csv(path)
    good = path.read_bytes()
    assert read_key(path, packed.packet_id).equals(packed.key)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            assert read_key(path, packed.packet_id).schema == packed.key.schema
        except InputError as error:
            said(error)

    fuzz(spliced(good, ODD), check, 150)
    header = good.partition(b"\n")[0]
    for data in (b"", header, good.replace(b",", b";"), good[: len(good) // 2], good + b"\xe9"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"key\.csv is not the key of packet .* put that back"):
            read_key(path, packed.packet_id)
    path.write_bytes(good)
    with pytest.raises(InputError, match="is not the key of packet"):
        read_key(path, "bcdfghjkmnpq")
