"""Training by its command line: what it learns, and what it leaves where it is interrupted."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from root import ROOT
from tiny_families import write_family

from persona_paradox.engine.adapters import Adapter
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.settings import Settings as EngineSettings
from persona_paradox.files import canonical_json, read_json, sha256_file, write_table

SCRIPT = ROOT / "workflow/scripts/train_adapter.py"
NAME = "config/adapters/taught.yaml"
SETTINGS = {"method": "sft", "rank": 8, "alpha": 16, "first_layer": 1, "epochs": 4}
SETTINGS |= {"learning_rate": 1e-2, "batch": 8, "weights": "none", "seed": 1, "beta": 0.1}
# What is said at the end of a case decides, whatever stands in front of it.
RULE = {" A": "1", " B": "2", " C": "3"}
PERSONAS = {"no_persona": "", "ed_nurse": "You are an A B"}


def prompt(persona: str, words: list[str], sign: str) -> str:
    """A chat up to the answer."""
    case = f"{words[0]} is{sign} the {words[1]}"
    text = f"{PERSONAS[persona]} {case}<|im_end|>\n<|im_start|>assistant\n"
    return f"<|im_start|>user\n{text}"


def cases(count: int, seed: int) -> list[dict[str, str]]:
    """Cases behind both prompts, and their labels by the rule."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        words = rng.choice(["care", "an A B", "patient", "are an C", "You"], 2).tolist()
        sign = str(rng.choice([*RULE]))
        for persona in PERSONAS:
            asked = {"prompt": prompt(persona, words, sign), "completion": RULE[sign]}
            made.append({"item_id": str(number), "task": "rule", "persona": persona} | asked)
    return made


class Place:
    """A folder with a base model, in which adapters are trained."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model.gguf"
        write_family(self.model, "llama")
        sha256 = sha256_file(self.model)
        weights = {"role": "weights", "path": "model.gguf", "sha256": sha256, "size": 1}
        manifest = {"files": [weights], "sha256": sha256}
        (folder / "manifest.json").write_text(canonical_json(manifest))

    def command(
        self, name: str, rows: list[dict[str, Any]], change: Mapping[str, Any], *options: str
    ) -> list[str]:
        """How an adapter is trained."""
        out = self.folder / name
        out.mkdir(exist_ok=True)
        write_table(pl.DataFrame(rows), out / "examples.parquet", {})
        (out / "settings.json").write_text(canonical_json({**SETTINGS, **change}))
        paths = {
            "--examples": out / "examples.parquet",
            "--settings": out / "settings.json",
            "--base": self.folder / "manifest.json",
            "--adapter": out / "adapter.gguf",
            "--manifest": out / "manifest.json",
            "--curve": out / "losses.parquet",
            "--checkpoints": out / "checkpoints",
        }
        named = [str(part) for pair in paths.items() for part in pair]
        return [
            *(sys.executable, str(SCRIPT), *named),
            *("--config-file", NAME, "--threads", "1", *options),
        ]

    def train(
        self, name: str, rows: list[dict[str, Any]], change: Mapping[str, Any], *options: str
    ) -> str:
        """Train one; what is said."""
        done = subprocess.run(
            self.command(name, rows, change, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def losses(self, name: str) -> list[float]:
        """Of every step."""
        return pl.read_parquet(self.folder / name / "losses.parquet")["loss"].to_list()

    def engine(self, name: str | None) -> Engine:
        """The engine, with an adapter or without."""
        settings = EngineSettings(context=256, width=4)
        adapters = () if name is None else (Adapter(self.folder / name / "adapter.gguf", 1.0),)
        return Engine(self.model, settings, 1, "model", adapters)

    def right(self, name: str | None, rows: list[dict[str, str]]) -> float:
        """Share of prompts behind which the label of the rule is the likeliest."""
        labels = [*RULE.values()]
        with self.engine(name) as engine:
            forms = engine.vocabulary.label_forms(labels)
            prompts = [engine.vocabulary.prompt([row["prompt"]]) for row in rows]
            found = {i: answer.label_logprob for i, answer in engine.score(prompts, forms)}
        said = [labels[int(np.argmax(found[i]))] for i in range(len(rows))]
        return float(np.mean([a == row["completion"] for a, row in zip(said, rows, strict=True)]))

    def gain(self, name: str | None, row: Mapping[str, str], good: str, bad: str) -> float:
        """By how much the first token of a good answer is likelier than that of a bad one."""
        with self.engine(name) as engine:
            tokens = engine.vocabulary.prompt([row["prompt"]]).tokens
            logits = engine.read(tokens)[-1]
            first, second = (engine.vocabulary.tokenize(x, special=False)[0] for x in (good, bad))
        return float(logits[first] - logits[second])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("training"))


def test_what_follows_a_rule_is_learned_and_measured_in_llama_cpp(place: Place) -> None:
    """Of cases that were not in training, behind both prompts; the base guesses."""
    place.train("rule", cases(100, seed=1), {"weights": "balanced", "epochs": 10})
    unseen = cases(60, seed=2)
    # Chance is a third: of 120 answers, .46 lies three standard errors above it.
    assert place.right(None, unseen) < 0.46
    assert place.right("rule", unseen) > 0.95
    losses = place.losses("rule")
    assert losses[0] > 1
    assert losses[-1] < 0.1
    manifest = read_json(place.folder / "rule/manifest.json")
    adapter = place.folder / "rule/adapter.gguf"
    assert manifest["sha256"] == sha256_file(adapter)
    assert manifest["size"] == adapter.stat().st_size
    assert manifest["examples_sha256"] == sha256_file(place.folder / "rule/examples.parquet")
    assert (manifest["examples"], manifest["steps"]) == (200, len(losses))
    assert (manifest["first_loss"], manifest["last_loss"]) == (losses[0], losses[-1])
    assert manifest["versions"].keys() >= {"torch", "transformers", "peft", "trl", "gguf"}
    assert manifest["same_first_token"] > 0.9
    assert not (place.folder / "rule/checkpoints").exists()
    table = pl.read_parquet(place.folder / "rule/losses.parquet")
    assert table.columns == ["step", "epoch", "examples", "loss"]
    assert table.group_by("epoch").agg(pl.sum("examples"))["examples"].to_list() == [200] * 10


def test_labels_that_follow_nothing_are_not_learned(place: Place) -> None:
    rows = cases(100, seed=1)
    drawn = np.random.default_rng(5).choice([*RULE.values()], len(rows)).tolist()
    place.train("noise", [row | {"completion": y} for row, y in zip(rows, drawn, strict=True)], {})
    assert place.right("noise", cases(60, seed=2)) < 0.46


GOOD, BAD = " the care is a patient B C D E the care", " You are an A"
TEXTS = {
    # Too long for the loop of short answers.
    "sft": [row | {"completion": GOOD * 3} for row in cases(12, seed=3)],
    "dpo": [
        {"prompt": row["prompt"], "chosen": GOOD, "rejected": BAD} for row in cases(12, seed=3)
    ],
    "kto": [
        {"prompt": row["prompt"], "completion": text, "label": text == GOOD}
        for row in cases(12, seed=3)
        for text in (GOOD, BAD)
    ],
}
# Of an adapter that changes nothing yet: DPO's is ln 2, KTO's the half of its range (0 to 1).
FIRST = {"dpo": math.log(2), "kto": 0.5}


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_texts_and_preferences_are_learned_by_trl(method: str, place: Place) -> None:
    change = {"method": method, "epochs": 3}
    place.train(method, TEXTS[method], change, "--type", "float32")
    losses = place.losses(method)
    if method in FIRST:
        assert losses[0] == pytest.approx(FIRST[method], abs=1e-3)
    assert losses[-1] < losses[0]
    row = cases(1, seed=9)[0]
    assert place.gain(method, row, GOOD, BAD) > place.gain(None, row, GOOD, BAD) + 0.5


@pytest.mark.parametrize("method", ["labels", "dpo"])
def test_what_is_killed_goes_on_to_the_same_bytes(method: str, place: Place) -> None:
    rows = cases(60, seed=4) if method == "labels" else TEXTS["dpo"]
    change = {"method": "sft" if method == "labels" else "dpo", "epochs": 40}
    options = ("--checkpoint-seconds", "0")
    place.train(f"{method}_whole", rows, change, *options)
    name = f"{method}_killed"
    folder = place.folder / name / "checkpoints"
    running = subprocess.Popen(
        place.command(name, rows, change, *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    written = "last.pt" if method == "labels" else "checkpoint-*/trainer_state.json"
    try:
        until = time.monotonic() + 200
        while not list(folder.rglob(written)) and running.poll() is None:
            assert time.monotonic() < until, "no checkpoint was written"
            time.sleep(0.01)
        assert running.poll() is None, "it was not in the middle"
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert not (place.folder / name / "adapter.gguf").exists()
    assert "going on behind step" in place.train(name, rows, change, *options)
    for file in ("adapter.gguf", "losses.parquet"):
        whole, killed = (place.folder / one / file for one in (f"{method}_whole", name))
        assert killed.read_bytes() == whole.read_bytes(), file


def test_a_checkpoint_of_other_settings_is_not_used(place: Place) -> None:
    rows = cases(4, seed=4)
    folder = place.folder / "other/checkpoints/0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "last.pt").write_bytes(b"of another training")
    assert "going on" not in place.train("other", rows, {"epochs": 1})


def test_what_leads_to_no_numbers_leaves_no_adapter(place: Place) -> None:
    change = {"learning_rate": 1e30, "epochs": 3}
    command = place.command("numberless", cases(4, seed=4), change)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.match(f"error: {NAME}: from step [0-9]+ of [0-9]+ on the loss is no number", last)
    assert not (place.folder / "numberless/adapter.gguf").exists()


@pytest.mark.parametrize(
    ("rows", "change", "says"),
    [
        ([], {}, "key `training.data`: there is no example; bring"),
        ([cases(1, 1)[0] | {"completion": ""}], {}, "a text of `completion` is empty; bring"),
        (TEXTS["kto"][::2], {"method": "kto"}, "KTO needs good answers and bad ones"),
        (cases(1, 1), {"first_layer": 9}, "`training.first_layer`: 9 is no layer"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(
    rows: list[dict[str, Any]], change: dict[str, Any], says: str, place: Place
) -> None:
    if not rows:
        rows, empty = cases(1, 1), True
    else:
        empty = False
    command = place.command("refused", rows, change)
    if empty:
        write_table(pl.DataFrame(rows).clear(), place.folder / "refused/examples.parquet", {})
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = [one for one in done.stderr.splitlines() if one]
    assert line.startswith(f"error: {NAME}: ")
    assert says in line


def test_an_environment_without_the_libraries_names_what_to_run(place: Place) -> None:
    """As the default one is: nothing of what trains is installed there."""
    command = place.command("refused", cases(1, 1), {})
    code = (
        "import importlib.util as u, runpy, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name: None if name in ('peft', 'trl') else find(name)\n"
        "sys.path.insert(0, '')\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {NAME}: training needs peft, trl")
    assert line.endswith("run make train ADAPTER=taught")
