"""An archive of somebody else: whatever stands in it, a sentence comes of it and nothing else."""

from __future__ import annotations

import io
import json
import logging
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import yaml

from persona_paradox.archive import contradictions, crate
from persona_paradox.archive.project_copy import TABLES, Copy
from persona_paradox.archive.reading import read_study
from persona_paradox.archive.verification import Findings, difference
from persona_paradox.archive.withholding import MARK
from persona_paradox.engine.decoding import Decoding, Wanted
from persona_paradox.engine.prepared import composite
from persona_paradox.engine.responses import LOCAL
from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema
from persona_paradox.study.inventory import Answered
from persona_paradox.study.load import load_study
from persona_paradox.study.provenance import configuration
from persona_paradox.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
SUM = "0" * 64


def described(*entities: Any) -> dict[str, Any]:
    return {"@graph": list(entities)}


def file(name: Any, sha256: str = SUM) -> dict[str, Any]:
    return {"@type": "File", "@id": name, "sha256": sha256}


def test_names_of_a_description_are_read_as_web_addresses() -> None:
    found = crate.checksums(described(file("resources/a%40b%2Bc.csv"), {"@type": "Person"}))
    assert found == {"resources/a@b+c.csv": SUM}


@pytest.mark.parametrize(
    "description",
    [
        [],
        {"@graph": "File"},
        described(file(1)),
        described(file(["a"])),
        described(file("a"), file("a", "1" * 64)),
        described({"@type": "File", "@id": "a"}),
    ],
)
def test_what_is_no_description_is_refused_in_a_sentence(description: Any) -> None:
    with pytest.raises(InputError, match=r"does not give each file's SHA-256; take an archive"):
        crate.checksums(description)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"9" * 10_000])
def test_json_that_is_none_is_refused_under_its_name_in_the_archive(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"^results/a\.json of the archive cannot be read"):
        crate.read_untrusted(tmp_path / "a.json", "results/a.json")


METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_does_not_decompress_is_refused(tmp_path: Path, method: int) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as made:
        made.writestr("a.csv", bytes(range(256)) * 40)
    content = bytearray(whole.getvalue())
    # What is compressed stands behind a header of 30 bytes and the name.
    content[39:47] = b"\xff" * 8
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match="is not a whole zip file"):
        crate.unpack(tmp_path / "a.zip", tmp_path / "out", crate.GIB)


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no file; name the archive"):
        crate.unpack(tmp_path, tmp_path / "out", crate.GIB)


@pytest.mark.parametrize("start", [4, 40, -30, -8])
def test_a_damaged_table_is_a_difference(tmp_path: Path, start: int) -> None:
    mine = tmp_path / "mine.parquet"
    pl.DataFrame({"n": list(range(100)), "text": [str(i) for i in range(100)]}).write_parquet(mine)
    content = bytearray(mine.read_bytes())
    place = start % len(content)
    content[place : place + 4] = b"\xff" * 4
    (tmp_path / "theirs.parquet").write_bytes(content)
    told = difference("results/a.parquet", tmp_path / "theirs.parquet", mine)
    assert told is not None
    assert told.startswith("results/a.parquet")


def test_what_an_archive_says_is_no_command_of_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    findings = Findings()
    with caplog.at_level(logging.INFO):
        findings.agree("answers", "item a\x1b[2K\nnothing differs: é another text")
        findings.unchecked("items of \u202ea")
        findings.report()
    assert findings.n_differences == 1
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert r"differs: item a\x1b[2K\nnothing differs: é another text" in text
    assert r"not checked: items of \u202ea" in text


# --- configurations -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """The configuration of the default study, as a provenance has it."""

    default = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    return json.loads(json.dumps(configuration(load_study(default, ROOT / "config", check_schema))))


def renamed(id_: str) -> Callable[[dict[str, Any]], object]:
    """A change of the name of a persona."""

    def change(given: dict[str, Any]) -> None:
        given["personas"][id_] = given["personas"].pop("ed_nurse")
        given["study"]["personas"].append(id_)

    return change


def with_set(factors: str) -> Callable[[dict[str, Any]], object]:
    """A change that adds all personas of a set."""

    def change(given: dict[str, Any]) -> None:
        content = {"title": "S", "group": None, "title_template": None, "only": None, "except": []}
        content |= {"texts": {"main": "You are {a}."}, "factors": factors}
        given["persona_sets"]["s"] = content
        given["study"]["personas"].append("s@all")

    return change


def with_arm(id_: str) -> Callable[[dict[str, Any]], object]:
    """A change that adds an arm to a task."""

    def change(given: dict[str, Any]) -> None:
        arm = {"title": "x", "rule": "append", "text": "y"}
        given["tasks"]["triage_ed"]["arms"] = json.dumps({id_: arm})
        given["study"]["tasks"].append("triage_ed@all")

    return change


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no limits": lambda c: c["study"].pop("limits"),
    "limits that are none": lambda c: c["study"].update(limits=3),
    "no source": lambda c: c["datasets"]["teaching_ed"].pop("source"),
    "a path that is none": lambda c: c["datasets"]["teaching_ed"]["source"].update(path=3),
    "no licence": lambda c: c["datasets"]["teaching_ed"].pop("licence"),
    "tasks that are none": lambda c: c.update(tasks=[1]),
    "an id that leads out": renamed("../../outside"),
    "an id that is too long": renamed("a" * 300),
    "a level that leads out": with_set('{"a": {"../../outside": "b"}}'),
    "levels that are none": with_set("[]"),
    "factors that are no JSON": with_set("{"),
    "a set without an end": with_set(json.dumps({"a": {f"l{i}": f"{i}" for i in range(2000)}})),
    "an arm that leads out": with_arm("../../outside"),
    "an arm that is no name": with_arm("Ä"),
    "code among the files of a judge": lambda c: c["judges"]["smollm2_safety"].update(
        sanity="yaml.py"
    ),
    "weights among them": lambda c: c["judges"]["smollm2_safety"].update(
        sanity="resources/models/smollm2_135m_instruct/model.gguf"
    ),
    "a number among them": lambda c: c["judges"]["smollm2_safety"].update(sanity=3),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_configuration_that_is_none_is_refused_before_anything_runs(
    tmp_path: Path, configured: dict[str, Any], how: str
) -> None:
    theirs = tmp_path / "archive"
    changed = json.loads(json.dumps(configured))
    HOSTILE[how](changed)
    for name in ("yaml.py", "resources/models/smollm2_135m_instruct/model.gguf"):
        (theirs / name).parent.mkdir(parents=True, exist_ok=True)
        (theirs / name).write_text("raise SystemExit('it runs')")
    (theirs / "results").mkdir()
    (theirs / crate.PROVENANCE).write_text(
        json.dumps({"version": VERSION, "configuration": changed})
    )
    with pytest.raises(InputError):
        Copy(read_study(theirs), theirs, tmp_path / "copy", "1").fill()
    assert not (tmp_path / "copy/yaml.py").exists()
    assert not list(tmp_path.glob("copy/resources/models/*/model.gguf"))
    assert not list(tmp_path.glob("outside*"))


def test_titles_are_written_where_titles_are_read(
    tmp_path: Path, configured: dict[str, Any]
) -> None:
    """Neither the kind nor the id of a title leads to another file."""
    theirs = tmp_path / "archive"
    changed = json.loads(json.dumps(configured))
    changed["titles"]["../../outside"] = {"a": "b"}
    changed["titles"]["../profiles/default"] = {"config": "b"}
    changed["titles"]["groups"] |= {"../../../outside": "b", "own": "Yours"}
    (theirs / "results").mkdir(parents=True)
    (theirs / crate.PROVENANCE).write_text(
        json.dumps({"version": VERSION, "configuration": changed})
    )
    Copy(read_study(theirs), theirs, tmp_path / "copy", "1").fill()
    assert "Yours" in (tmp_path / "copy/config/groups/own.yaml").read_text()
    profile = Path("profiles/default/config.yaml")
    assert (tmp_path / "copy" / profile).read_bytes() == (ROOT / profile).read_bytes()
    assert not list(tmp_path.rglob("outside*"))


# --- what a file of answers says beside the answers ---------------------------------------

FILE = "results/responses/m/t/p.parquet"


def asked(item: str, repeat: int) -> Wanted:
    row = {"item_id": item, "prompt_id": f"p{item}", "variant": "main", "n_prompt_tokens": 7}
    row |= {"persona_delivered": True, "system_role": "native", "prompt_sha256": item * 64}
    row |= {"pieces": [[1]], "text": "t", "status": "ok"}
    return Wanted(row, repeat, Decoding(max_tokens=1), f"{item}{repeat}")


ASKED = [asked(item, repeat) for item in "ab" for repeat in (0, 1)]


def rows() -> list[dict[str, Any]]:
    answer = {"label_logprob": [-1.0, -2.0], "label_mass": 0.503214724408055}
    answer |= {"backend": LOCAL, "text": "A", "finish_reason": "stop", "n_tokens": 1}
    answer |= {"token_logprob": None, "thought": None, "n_thought_tokens": None}
    answer |= {"thought_cut": None}
    return [contradictions.about_of(one) | answer for one in ASKED]


def test_rows_that_are_those_of_the_prompts_are_not_strange() -> None:
    assert contradictions.of_answers(FILE, ASKED, rows(), LOCAL, 2) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[0].update(item_id="b"), "row 1: item_id 'b', where the prompts lead"),
        (lambda rows: rows.reverse(), "row 1: item_id 'b'"),
        (lambda rows: rows[1].update(repeat=0), "row 2: repeat 0"),
        (lambda rows: rows[2].update(backend="server"), "row 3: backend 'server'"),
        (lambda rows: rows.pop(), "3 answers to 4 prompts"),
        (lambda rows: rows.append(rows[0]), "5 answers to 4 prompts"),
        (lambda rows: rows[3].update(label_mass=0.9), "row 4: label_mass is not that"),
        (lambda rows: rows[3].update(label_mass=None), "row 4: label_mass is not that"),
        (lambda rows: rows[3].update(response_key="x"), "1 response keys are not those"),
        (
            lambda rows: rows[3].update(label_logprob=[0.0, 0.0], label_mass=2.0),
            "row 4: the probabilities of its labels add up to 2.0",
        ),
        (lambda rows: rows[3].update(n_tokens=2), "row 4: 2 tokens, where max_tokens is 1"),
        (lambda rows: rows[3].update(n_tokens=None), "row 4: None tokens"),
        (lambda rows: rows[3].update(finish_reason="control_tokens"), "row 4: finish_reason"),
        (lambda rows: rows[0].update(finish_reason="banana"), "'banana', which no answer has"),
        (lambda rows: rows[0].update(finish_reason="prompt_too_long"), "of an answer with a text"),
        (lambda rows: rows[0].update(text=None), "'stop' of an answer without a text"),
        (lambda rows: rows[0].update(n_tokens=-5), "-5 tokens"),
        (lambda rows: rows[0].update(n_tokens=0), "a text of 0 tokens"),
        (
            lambda rows: rows[0].update(finish_reason="length", n_tokens=0),
            "'length' after 0 tokens",
        ),
        (lambda rows: rows[0].update(thought="I am"), "thought 'I am' in a file of single steps"),
        (lambda rows: rows[0].update(thought_cut=True), "thought_cut True in a file"),
        (lambda rows: rows[0].update(token_logprob=[-1.0]), "token_logprob is there"),
        (
            lambda rows: rows[0].update(label_logprob=None, label_mass=None),
            "label_logprob of 0 labels, where it must have 2",
        ),
        (lambda rows: rows[0].update(label_logprob=[-1.0]), "label_logprob of 1 labels"),
        (lambda rows: rows[0].update(label_logprob=[None, -1.0]), "what is no number"),
        (lambda rows: rows[0].update(label_logprob=[float("nan")] * 2), "what is no number"),
        (
            lambda rows: rows[0].update(
                text=None, finish_reason="prompt_too_long", label_logprob=None, label_mass=None
            ),
            "1 tokens of an answer that was not given",
        ),
    ],
)
def test_rows_that_are_not_those_of_the_prompts_are_told(
    change: Callable[[list[dict[str, Any]]], object], says: str
) -> None:
    changed = rows()
    change(changed)
    assert says in (contradictions.of_answers(FILE, ASKED, changed, LOCAL, 2) or "")


@pytest.mark.parametrize(
    ("logprob", "says"),
    [
        ([-1.0], None),
        (None, "token_logprob is missing"),
        ([-1.0, -1.0], "2 probabilities of 1 tokens"),
        ([0.5], "no logarithm of a probability"),
        ([float("nan")], "no logarithm of a probability"),
    ],
)
def test_probabilities_of_tokens_are_those_that_were_asked_for(
    logprob: list[float] | None, says: str | None
) -> None:
    kept = Decoding(max_tokens=1, token_logprobs=True)
    ask = [Wanted(one.row, one.repeat, kept, one.key) for one in ASKED[:1]]
    answer = [rows()[0] | {"token_logprob": logprob}]
    told = contradictions.of_answers(FILE, ask, answer, LOCAL, 2)
    assert told is None if says is None else says in (told or "")


def test_an_answer_that_says_nothing_is_one() -> None:
    silent = rows()
    silent[0] |= {"text": "", "n_tokens": 0}
    assert contradictions.of_answers(FILE, ASKED, silent, LOCAL, 2) is None


def test_a_key_of_a_prompt_that_is_withheld_is_not_known() -> None:
    hidden = [
        Wanted({**one.row, "pieces": None, "text": f"{MARK}0]"}, *(one.repeat, one.decoding, "?"))
        for one in ASKED
    ]
    assert contradictions.of_answers(FILE, hidden, rows(), LOCAL, 2) is None
    changed = rows()
    changed[0]["item_id"] = "b"
    assert "row 1: item_id" in (contradictions.of_answers(FILE, hidden, changed, LOCAL, 2) or "")


def test_equal_keys_have_equal_answers() -> None:
    keys = contradictions.Keys()
    assert list(keys.of_rows(rows())) == []
    changed = rows()
    changed[2]["text"] = "B"
    assert list(keys.of_rows(changed)) == [3]


SPEC = {"source": {"kind": "path", "sha256": "1"}, "licence": "MIT"}
ENGINE = {"context": 8, "width": 1, "gpu_layers": 0, "main_gpu": 0, "tensor_split": []}
ORIGIN = {"sha256": "1", "size": 9}
PREPARED = {"sha256": "1", "format": "none", "cache_bytes_per_token": 4, "size": 9}
PREPARED |= {"origin": ORIGIN, "files": [{"role": "weights", "sha256": "1", "size": 9}]}
OF_2 = {"files": [{"role": "weights", "sha256": "2"}], "sha256": "2"}
OF_3 = {"files": [{"role": "weights", "sha256": "3"}], "sha256": "3"}


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (PREPARED, None),
        (PREPARED | {"format": "f16"} | OF_2, None),
        (PREPARED | {"format": "f16", "sha256": "2"}, "lists the files"),
        (PREPARED | {"files": [1]}, "lists the files"),
        (PREPARED | {"sha256": "2"}, "were not converted"),
        (PREPARED | {"origin": {"sha256": "2"}}, "the configuration pins 1"),
        (PREPARED | {"origin": {"sha256": "1", "licence": "X"}}, "has licence 'X'"),
        (PREPARED | {"origin": None}, "does not say what"),
        (PREPARED | {"size": 5}, "has size 5, but the weights were not converted"),
        (PREPARED | {"size": "many"}, "has size 'many', which no weights have"),
        (PREPARED | {"cache_bytes_per_token": -1}, "has cache_bytes_per_token -1"),
        (
            PREPARED | {"origin": {"sha256": "3", "size": 9, "parts": [{"sha256": "1"}]}} | OF_3,
            None,
        ),
        (PREPARED | {"origin": {"sha256": "1", "parts": [{"sha256": "2"}]}}, "pins 1"),
        (PREPARED | {"origin": {"sha256": "1", "parts": [{"sha256": "1"}] * 2}}, "pins None"),
        (PREPARED | {"origin": {"sha256": "1", "parts": [1]}}, "does not say what was fetched"),
        ([], "does not say what"),
    ],
)
def test_weights_are_those_of_the_source_that_is_pinned(manifest: Any, says: str | None) -> None:
    told = contradictions.of_weights(manifest, SPEC)
    assert told is None if says is None else says in (told or "")


ADAPTER = {"sha256": "5", "size": 2, "licence": "CC0-1.0"}
DERIVED_SPEC = {"adapter": {"source": {"sha256": "5"}, "licence": "CC0-1.0", "scale": 0.5}}
BOTH = [
    {"role": "weights", "sha256": "1"},
    {"role": "adapter", "sha256": "5", "scale": 0.5},
]
DERIVED = PREPARED | {"files": BOTH, "sha256": composite(BOTH), "size": 11, "adapter": ADAPTER}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"sha256": "1"}, "weights, adapter and scale lead to"),
        ({"size": 9}, "has size 9, which is not that of weights and adapter"),
        ({"files": BOTH[::-1]}, "lists the files"),
        ({"format": "f16"}, "has format 'f16', but its base 'none'"),
        ({"origin": {}}, "has origin {}, but its base"),
        ({"adapter": ADAPTER | {"sha256": "6"}}, "`adapter` has SHA-256 6, but the configuration"),
        ({"adapter": ADAPTER | {"licence": "MIT"}}, "`adapter` has licence 'MIT'"),
        ({"adapter": None}, "does not say what the adapter was made of"),
    ],
)
def test_an_adapter_is_that_of_the_configuration_on_its_base(
    change: dict[str, Any], says: str | None
) -> None:
    told = contradictions.of_derived(DERIVED | change, PREPARED, DERIVED_SPEC)
    assert told is None if says is None else says in (told or "")


def test_another_scale_contradicts_the_configuration() -> None:
    spec = {"adapter": DERIVED_SPEC["adapter"] | {"scale": 1.0}}
    assert "and scale lead to" in (contradictions.of_derived(DERIVED, PREPARED, spec) or "")


@pytest.mark.parametrize(
    ("engine", "manifest", "says"),
    [
        (ENGINE | {"weights": "1"}, PREPARED, None),
        (None, PREPARED, "does not say which engine"),
        (ENGINE | {"weights": "2"}, PREPARED, "is of weights of SHA-256 2"),
        (ENGINE | {"weights": "1", "context": 9}, PREPARED, "was computed with context 9"),
        (ENGINE | {"weights": "1"}, {"sha256": "1"}, "lacks `cache_bytes_per_token`"),
        (ENGINE | {"weights": "1"}, [], "has no manifest"),
    ],
)
def test_an_engine_is_that_of_the_configuration(
    engine: Any, manifest: Any, says: str | None
) -> None:
    told = contradictions.of_engine(engine, manifest, ENGINE | {"cache_gib": 1.0})
    assert told is None if says is None else says in (told or "")


# --- what is read in words that an archive withholds --------------------------------------

GIVEN = Answered("results/responses/m/t/p.parquet", "", "", "m", "t", True)
SCORES = pl.DataFrame(
    {"item_id": ["a", "b"], "variant": "main", "repeat": 0, "reference": ["A", "A"]}
    | {"label": [None, None], "parse_status": "unclear", "level_error": [None, None]}
    | {"correct": False, "confidence_generated": [None, None], "confidence_repeat": [None, None]}
    | {"confidence_verbalized": [None, None], "entropy": 0.5},
    schema_overrides={"label": pl.String, "level_error": pl.Int64}
    | dict.fromkeys(
        ("confidence_generated", "confidence_repeat", "confidence_verbalized"), pl.Float64
    ),
)
LISTED = pl.DataFrame({"item_id": ["a"], "name": ["p"], "status": ["read"], "p": [0.5]})


def with_given(folder: Path, name: str, mine: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """A table that was made here, of an archive that withholds the answer to item a."""
    (folder / name).parent.mkdir(parents=True)
    theirs.write_parquet(folder / name)
    rows = pl.DataFrame({"item_id": ["a"], "variant": ["main"], "repeat": [0]})
    study: Any = SimpleNamespace(before={})
    copy = Copy(study, folder, folder, "1")
    found: pl.DataFrame = copy.with_given(name, mine, {GIVEN: rows})
    return found


def test_only_what_is_read_in_withheld_words_is_taken_from_the_archive(tmp_path: Path) -> None:
    forged = SCORES.with_columns(label="reference", correct=True, entropy=0.0)
    found = with_given(tmp_path, "results/scores/m/t/p.parquet", SCORES, forged)
    assert found["label"].to_list() == ["A", None]
    assert found["correct"].to_list() == [True, False]
    assert found["entropy"].to_list() == [0.5, 0.5]


def test_a_list_of_answers_is_compared_whole(tmp_path: Path) -> None:
    forged = LISTED.with_columns(p=1.0)
    name = "results/rankings/careful/m/t.lists.parquet"
    assert with_given(tmp_path, name, LISTED, forged).equals(LISTED)


def test_every_rule_that_leaves_a_table_may_make_it_again():
    rules = {}
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for block in re.split(r"^ *(?=(?:use )?rule \w)", path.read_text(), flags=re.MULTILINE):
            if found := re.match(r"(?:use )?rule (\w+)(?: as (\w+))?", block):
                name = found[2] or found[1]
                rules[name] = re.search(r"\boutput:.*?\blog:", block, re.DOTALL)
    leaving = {name for name, out in rules.items() if out and "results/tables/" in out[0]}
    assert leaving >= {"tabulate", "assess", "compare_arms", "survive"}
    assert leaving <= set(TABLES)
