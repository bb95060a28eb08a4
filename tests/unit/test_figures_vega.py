"""Figures of Vega-Lite: what is drawn is what the tables hold, and equal bytes in every process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import random_answers
from drawings import Study
from root import ROOT

from persona_paradox.figures import pdf, vega
from persona_paradox.kinds.labelled.figures import answer_outcomes

FIGURE = "answer_outcomes"
OUTCOMES = ("right", "wrong", "refused or abstained", "unreadable")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return random_answers.study(tmp_path_factory, "smallest")


def rows(study: Study, **columns: Any) -> list[dict[str, Any]]:
    """The rows that are drawn of a table in which some columns are others."""
    cells = study.tables["cells"].with_columns(**columns)
    return answer_outcomes.rows({"cells": cells}, study.settings).to_dicts()


def bars(found: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    whole: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found:
        whole.setdefault((row["panel"], row["persona"]), []).append(row)
    return whole


def test_every_bar_has_four_parts_that_make_one(study: Study) -> None:
    main = study.tables["cells"].filter(pl.col("model") != "human", pl.col("variant") == "main")
    found = bars(rows(study))
    assert len(found) == main.height
    for parts, cell in zip(found.values(), main.iter_rows(named=True), strict=True):
        assert [part["outcome"] for part in parts] == list(OUTCOMES)
        assert [part["from"] for part in parts[1:]] == [part["to"] for part in parts[:-1]]
        assert parts[0]["from"] == 0.0
        assert parts[-1]["to"] == pytest.approx(1.0)
        assert parts[0]["share"] == cell["accuracy"]
        ends = [cell["accuracy_low"], cell["accuracy_high"]]
        assert [parts[0]["low"], parts[0]["high"]] == ends
        invalid = parts[2]["share"] + parts[3]["share"]
        assert invalid == pytest.approx(cell["invalid_rate"])
        assert parts[2]["share"] == cell["refused_rate"]
        assert f"{cell['n_unreadable']} unreadable" in parts[0]["said"]
        assert f", n = {cell['n']}\n" in parts[0]["said"]
        assert (f"{cell['n_refused']} refused" in parts[0]["said"]) == (cell["n_refused"] > 0)


def test_a_refusal_is_no_unreadable_answer(study: Study) -> None:
    shares = {"accuracy": 0.2, "refused_rate": 0.4, "unreadable_rate": 0.1}
    counts = {"n": 10, "n_refused": 4, "n_unreadable": 1}
    whole = {name: pl.lit(value) for name, value in (shares | counts).items()}
    for parts in bars(rows(study, **whole)).values():
        assert parts[0]["said"].endswith(", n = 10\n4 refused, 1 unreadable")
        assert [part["share"] for part in parts] == pytest.approx([0.2, 0.3, 0.4, 0.1])
        assert [part["label"] for part in parts] == ["20", "30", "40", ""], "no room for the last"


def test_panels_stand_in_the_order_of_the_study(study: Study) -> None:
    settings = {**study.settings, "title": "A study"}
    cells = study.tables["cells"]
    # A second model whose title comes before the other's in the alphabet.
    both = pl.concat([cells, cells.with_columns(model=pl.lit("second"))])
    settings["models"] = {"small": "Zzzzz model 1B", "second": "Aaaaa model 1B"}
    drawn = vega.report_figure(answer_outcomes, {"cells": both}, settings)
    found = answer_outcomes.rows({"cells": both}, settings)["panel"].unique(maintain_order=True)
    assert drawn["facet"]["sort"] == found.to_list()
    assert found.to_list() != sorted(found.to_list())


def test_of_few_items_no_number_is_drawn(study: Study) -> None:
    for (part,) in bars(rows(study, n=pl.lit(3))).values():
        assert part["share"] is None
        assert part["said"].startswith("too few")


def test_a_task_of_another_kind_is_not_drawn(study: Study) -> None:
    other = study.tables["cells"].with_columns(task=pl.lit("other"))
    cells = pl.concat([study.tables["cells"], other])
    found = answer_outcomes.rows({"cells": cells}, study.settings)
    assert found.to_dicts() == rows(study)


def test_the_report_has_the_same_rows_and_no_address(study: Study) -> None:
    module = ModuleType("figure")
    module.rows, module.spec = answer_outcomes.rows, answer_outcomes.spec  # type: ignore[attr-defined]
    spec = vega.report_figure(module, study.tables, study.settings)
    assert json.loads(json.dumps(spec, allow_nan=False))["datasets"]["rows"] == rows(study)
    assert "http" not in json.dumps(spec)


def test_every_process_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    table, settings = tmp_path / "cells.parquet", tmp_path / "settings.json"
    study.tables["cells"].write_parquet(table)
    settings.write_text(json.dumps(study.settings, sort_keys=True), encoding="utf-8")
    command = [sys.executable, str(ROOT / "workflow/scripts/plot.py"), "--figure", FIGURE]
    command += ["--tables", str(table), "--settings", str(settings)]
    found = []
    for name in "abc":
        made = [str(tmp_path / f"{name}.{form}") for form in ("pdf", "png")]
        subprocess.run([*command, "--pdf", made[0], "--png", made[1]], check=True)
        found.append(tuple(Path(path).read_bytes() for path in made))
    assert found[0] == found[1] == found[2]
    assert b"Date" not in found[0][0]
    assert not [b for b in (b"tEXt", b"tIME", b"iTXt") if b in found[0][1]]
    assert_sound(found[0][0])


def assert_sound(document: bytes) -> None:
    """Every object stands where the table of places says, and refers to one that there is."""
    at = int(document.rsplit(b"startxref\n", 1)[1].split()[0])
    assert document[at:].startswith(b"xref\n")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", document[at:])]
    assert len(places) > 5
    for number, place in enumerate(places, start=1):
        assert document[place:].startswith(b"%d 0 obj\n" % number)
    sizes = re.findall(rb"/Size (\d+)", document[at:])
    assert sizes == [b"%d" % (len(places) + 1)]


def test_order_alone_changes_in_a_document() -> None:
    """A made-up one: what is referred to keeps what it holds, a stream keeps its bytes."""
    first = b"1 0 obj\n<<\n  /Length 9\n>>\nstream\nx 3 0 R y\nendstream\nendobj\n\n"
    second = b"2 0 obj\n<<\n  /b 1 0 R\n  /a 1 0 R\n>>\nendobj\n\n"
    head = b"%PDF-1.7\n\n"

    def document(*objects: bytes) -> bytes:
        body = head + b"".join(objects)
        places = [body.index(b"%d 0 obj" % number) for number in (1, 2)]
        table = b"".join(b"%010d 00000 n\r\n" % place for place in places)
        table = b"xref\n0 3\n0000000000 65535 f\r\n" + table
        trailer = b"trailer\n<<\n  /Size 3\n  /Root 2 0 R\n>>\nstartxref\n%d\n%%%%EOF"
        return body + table + trailer % len(body)

    one, other = (pdf.in_order(document(*both)) for both in ((first, second), (second, first)))
    assert one == other == pdf.in_order(one)
    assert b"x 3 0 R y" in one
    assert b"1 0 obj\n<<\n  /a 2 0 R\n  /b 2 0 R\n>>" in one
    assert b"/Root 1 0 R" in one
