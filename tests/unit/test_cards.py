"""The script for graphics cards runs to its end without one, and its tables say what was found."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import cards
import cards_carried
from cards_measure import TINY, Bench, Part, compare
from cards_table import CHECKS, PURE, choose, pure, table

from persona_paradox.engine.decoding import Answer
from persona_paradox.engine.engine import Engine

PROGRAM = cards.__file__
HEAD = {"kind": "machine", "cards": ["A card"], "driver": "1, 2", "processor": "A processor"}
HEAD |= {"threads": 2, "llama_cpp_python": "0.0", "features": "CUDA : ARCHS = 900"}
PART = {"models": ["F16"], "widths": [16], "anchored": False}


def audited(width: int, **differing: int) -> list[dict[str, Any]]:
    """Rows of an audit; keyword: a check, with underscores, → answers that differ."""
    one = PART | {"kind": "audit", "model": "F16", "flash": False, "width": width}
    one |= {"n": 24, "texts": 1}
    return [
        one | {"check": check, "largest": 0.25, "differ": differing.get(check.replace(" ", "_"), 0)}
        for check in CHECKS
    ]


def timed(width: int, tokens_per_s: float) -> dict[str, Any]:
    """A row of speeds."""
    parts = {"labels_per_s": 7.0, "tokens_per_s": tokens_per_s, "step_ms": 3.0, "tokens": 100}
    parts |= {"in_steps": 0.5, "in_prompts": 0.25, "memory_mib": "900"}
    return PART | {"kind": "speed", "model": "F16", "flash": False, "width": width} | parts


def run(folder: Path, *options: str) -> tuple[str, list[dict[str, Any]]]:
    """What the script prints, and the rows that it writes."""
    found = folder / "found.jsonl"
    done = subprocess.run(
        [sys.executable, PROGRAM, "--output", found, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, [json.loads(line) for line in found.read_text().splitlines()]


def test_a_trial_run_measures_everything_and_finds_processors_pure(tmp_path: Path) -> None:
    said, (head, *rows) = run(tmp_path, "--quick", "--cpu")
    assert head["cards"] == []
    assert [row for row in rows if "unfinished" in row] == []
    planned = cards.parts(cards.QUICK, list(TINY))
    audits = sum(2 * len(p.models) * len(p.widths) for p in planned if p.kind == "audit")
    assert sum("check" in row for row in rows) == audits * len(CHECKS)
    assert {row["model"] for row in rows if "check" in row} == set(TINY)
    # With flash attention a processor's sums may hang on its threads.
    off = [row for row in rows if row.get("check") in PURE and not row["flash"]]
    assert {row["check"] for row in off if row["differ"]} == set()
    assert {row["width"] for row in rows if "tokens_per_s" in row} == set(cards.QUICK.widths)
    assert all(row["tokens_per_s"] > 0 for row in rows if "tokens_per_s" in row)
    several = [row for row in rows if row.get("several", 1) > 1]
    assert several
    assert all(row["differ"] == 0 and row["from_alone"] < 0.01 for row in several)
    assert "Width by the rule" in said


def test_what_has_no_time_left_is_said_to_be_missing(tmp_path: Path) -> None:
    said, (_, *rows) = run(tmp_path, "--quick", "--cpu", "--minutes", "0")
    assert {row["unfinished"] for row in rows} == {"no time was left"}
    assert said.count("Not finished") == len(rows) == len(cards.parts(cards.QUICK, [*TINY]))


def test_without_a_card_nothing_is_measured_as_if_there_were_one() -> None:
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: llama.cpp finds no graphics card")


def test_any_bit_of_an_answer_counts() -> None:
    one = Answer("a b", "length", 2, (-1.0, -2.0), (-0.5, -0.25))
    assert compare([one], [one])["differ"] == 0
    bits = Answer("a b", "length", 2, (-1.0, -2.0), (-0.5, -0.375))
    labels = Answer("a b", "length", 2, (-1.5, -2.0), (-0.5, -0.25))
    text = Answer("a c", "length", 2, (-1.0, -2.0), (-0.5, -9.0))
    found = compare([one, one, one, one], [one, bits, labels, text])
    assert found == {"n": 4, "differ": 3, "texts": 1, "largest": 0.5}


def test_an_engine_whose_logits_hang_on_what_it_did_before_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = itertools.count()
    honest = Engine._logits
    monkeypatch.setattr(Engine, "_logits", lambda *a: honest(*a) * (1 + 1e-4 * next(done)))
    bench = Bench(cards.QUICK, tmp_path, tmp_path, cpu=True)
    rows = list(bench.measure(Part("audit", ("tiny F16",), (2,))))
    assert {row["check"] for row in rows if row["differ"] == row["n"]} >= set(PURE)


def test_an_answer_that_hangs_on_more_than_its_key_is_not_pure() -> None:
    assert pure(audited(16)) is True
    assert pure(audited(16, half_the_width=3)) is True
    assert pure(audited(16, companions=1)) is False
    assert pure(audited(16)[:2]) is None


@pytest.mark.parametrize(
    ("speeds", "width"), [({16: 95, 64: 100, 256: 99}, 16), ({16: 50, 64: 91, 256: 100}, 64)]
)
def test_the_smallest_width_near_the_best_is_chosen(speeds: dict[int, float], width: int) -> None:
    assert choose(speeds) == width


def test_the_tables_choose_among_pure_widths_and_name_what_is_missing() -> None:
    rows = [HEAD, *audited(16), *audited(64, companions=2), timed(16, 100), timed(64, 900)]
    rows.append(PART | {"kind": "prompts", "unfinished": "ended after 90 s"})
    text = table(rows)
    assert "A card (driver and MiB: 1, 2)" in text
    assert "| F16 | off | 64 | 0 | 0 | 0 | 0 | 2 (1 texts, 0.25) | 0 | 0 | 24 |" in text
    assert "- F16, flash attention off: 64; of the pure ones 16" in text
    assert "- Not finished: prompts of F16 at width 16 (ended after 90 s)." in text


def test_what_travels_are_the_sources_of_the_library_alone(tmp_path: Path) -> None:
    llama = "vendor/llama.cpp"
    needed = ["llama_cpp/llama.py", f"{llama}/CMakeLists.txt", f"{llama}/src/models/llama.cpp"]
    # Long names are kept elsewhere in an archive.
    instances = f"{llama}/ggml/src/ggml-cuda/template-instances"
    needed += [f"{llama}/ggml/src/ggml.c", f"{instances}/{'a' * 100}.cu"]
    others = ["tests/x.py", f"{llama}/models/large.gguf", f"{llama}/ggml/src/ggml-vulkan/x.cpp"]
    with tarfile.open(tmp_path / "old.tar.gz", "w:gz") as archive:
        for name in needed + others:
            path = tmp_path / "file"
            path.write_text(name)
            archive.add(path, f"llama_cpp_python-0.0/{name}")
    cards_carried._trim(tmp_path / "old.tar.gz", tmp_path / "new.tar.xz")
    with tarfile.open(tmp_path / "new.tar.xz") as archive:
        assert sorted(archive.getnames()) == sorted(needed)
