"""An adapter against weights that are changed by hand, and what is refused as one."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import numpy as np
import polars as pl
import pytest
from tiny_adapter import SHAPES, draw_adapter, merged, write_adapter
from tiny_model import write_tiny_model

from persona_paradox.engine.adapters import Adapter, try_adapter
from persona_paradox.engine.decoding import Answer, Decoding
from persona_paradox.engine.engine import Engine, Question
from persona_paradox.engine.gguf_header import check_adapter, check_gguf
from persona_paradox.engine.prepared import Prepared, composite
from persona_paradox.engine.responses import Request
from persona_paradox.engine.settings import Settings
from persona_paradox.engine.vocabulary import Prompt
from persona_paradox.errors import InputError
from persona_paradox.files import canonical_json, sha256_file

# Keys and values are kept in 16 bits, so that logits differ by up to 0.003 where a sum in front of
# them differs in its last bit; trained adapters of a 135M model differ by 0.04, and change by 11.
TOLERANCE = 0.01
SETTINGS = Settings(context=256, width=4)
TEXTS = [
    "<|im_start|>user\nA patient has chest pain.<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nYou are an A B C the care is D<|im_end|>\n<|im_start|>assistant\n",
]
PAIRS = draw_adapter()
NAME = "config/adapters/bold.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, an adapter of it, and the model with the adapter's change in its weights."""
    folder = tmp_path_factory.mktemp("adapters")
    write_tiny_model(folder / "model.gguf")
    write_adapter(folder / "adapter.gguf", PAIRS)
    for scale in (0.5, 1.0):
        write_tiny_model(folder / f"merged_{scale}.gguf", plus=merged(PAIRS, scale))
    return folder


def logits(model: Path, adapters: tuple[Adapter, ...] = ()) -> np.ndarray:
    """Logits at every position of every text, shape (positions, vocabulary)."""
    rows = []
    with Engine(model, SETTINGS, 1, "model", adapters) as engine:
        for text in TEXTS:
            rows.append(engine.read(engine.vocabulary.tokenize(text, special=True)))
    return np.concatenate(rows)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_an_adapter_is_its_change_of_the_weights(folder: Path, scale: float) -> None:
    """At every position, far closer than the change is large."""
    base = logits(folder / "model.gguf")
    adapted = logits(folder / "model.gguf", (Adapter(folder / "adapter.gguf", scale),))
    by_hand = logits(folder / f"merged_{scale}.gguf")
    assert np.abs(by_hand - base).max() > 1
    np.testing.assert_allclose(adapted, by_hand, rtol=0, atol=TOLERANCE)


def test_an_adapter_of_scale_0_is_the_base_bit_for_bit(folder: Path) -> None:
    adapted = logits(folder / "model.gguf", (Adapter(folder / "adapter.gguf", 0.0),))
    assert adapted.tobytes() == logits(folder / "model.gguf").tobytes()


def answers(model: Path, adapters: tuple[Adapter, ...], order: list[int], threads: int) -> dict:
    """Twelve tokens and label probabilities behind each text, in one order."""
    with Engine(model, SETTINGS, threads, "model", adapters) as engine:
        forms = engine.vocabulary.label_forms(["A", "B"])
        texts = [f"{text} {number}" for number in range(3) for text in TEXTS]
        questions = [
            Question(Prompt((tuple(engine.vocabulary.tokenize(texts[i], special=True)),)), _TWELVE)
            for i in order
        ]
        return {order[i]: answer for i, answer in engine.generate(questions, forms)}


_TWELVE = Decoding(max_tokens=12)


def test_answers_do_not_depend_on_their_companions(folder: Path) -> None:
    """Another order and another number of threads give the same bits; and the base others."""
    adapters = (Adapter(folder / "adapter.gguf", 1.0),)
    first: dict[int, Answer] = answers(folder / "model.gguf", adapters, [0, 1, 2, 3, 4, 5], 1)
    again = answers(folder / "model.gguf", adapters, [3, 5, 0, 4, 1, 2], 2)
    alone = answers(folder / "model.gguf", adapters, [4], 1)
    assert again == first
    assert alone[4] == first[4]
    base = answers(folder / "model.gguf", (), [0, 1, 2, 3, 4, 5], 1)
    assert any(base[i].text != first[i].text for i in first)


def test_two_adapters_add_up(folder: Path) -> None:
    half = Adapter(folder / "adapter.gguf", 0.5)
    other = folder / "other.gguf"
    write_adapter(other, draw_adapter(seed=1))
    both = {name: merged(PAIRS, 0.5)[name] + merged(draw_adapter(1), 1.0)[name] for name in PAIRS}
    write_tiny_model(folder / "both.gguf", plus=both)
    together = logits(folder / "model.gguf", (half, Adapter(other, 1.0)))
    np.testing.assert_allclose(together, logits(folder / "both.gguf"), rtol=0, atol=TOLERANCE)


# --- what is refused ----------------------------------------------------------------------


def one_pair(name: str, rows: int, columns: int) -> dict:
    """An adapter of one weight."""
    return {name: (np.ones((2, columns), np.float32), np.ones((rows, 2), np.float32))}


ROWS, COLUMNS = SHAPES["attn_q"]


@pytest.mark.parametrize(
    ("pairs", "options", "says"),
    [
        (PAIRS, {"architecture": "gemma3"}, "does not fit .*model arch and LoRA arch mismatch"),
        (one_pair("blk.0.attn_q.weight", ROWS, 63), {}, "does not fit .*incorrect shape"),
        (one_pair("blk.7.attn_q.weight", ROWS, COLUMNS), {}, "does not exist in base model"),
        (PAIRS, {"invoked_by": (1, 2)}, r"an activated one \(aLoRA\)"),
    ],
)
def test_an_adapter_of_another_model_is_refused(
    tmp_path: Path, folder: Path, pairs: dict, options: dict, says: str
) -> None:
    write_adapter(tmp_path / "other.gguf", pairs, **options)
    with pytest.raises(InputError, match=f"^{NAME}: the adapter .*{says}.*; .*"):
        try_adapter(folder / "model.gguf", tmp_path / "other.gguf", NAME)


def test_a_file_that_is_no_adapter_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match=r"`source`: the file is no adapter: .* is None; name"):
        check_adapter(folder / "model.gguf", NAME)
    write_adapter(tmp_path / "other.gguf", {})
    with pytest.raises(InputError, match="`source`: the adapter changes no weight"):
        check_adapter(tmp_path / "other.gguf", NAME)
    write_adapter(tmp_path / "other.gguf", PAIRS, kind="dora")
    with pytest.raises(InputError, match="of the type 'dora'; only"):
        check_adapter(tmp_path / "other.gguf", NAME)
    write_adapter(tmp_path / "nan.gguf", one_pair("blk.0.attn_q.weight", ROWS, COLUMNS))
    data = (tmp_path / "nan.gguf").read_bytes()
    (tmp_path / "nan.gguf").write_bytes(data[:-4] + b"\xff\xff\xff\xff")
    with pytest.raises(InputError, match=r"not finite .* so the adapter is damaged"):
        check_adapter(tmp_path / "nan.gguf", NAME)
    (tmp_path / "short.gguf").write_bytes(data[:-100])
    with pytest.raises(InputError, match="the adapter is truncated or damaged: tensor"):
        check_adapter(tmp_path / "short.gguf", NAME)
    check_adapter(folder / "adapter.gguf", NAME)


def test_an_adapter_is_no_model(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"no model but an adapter .*describe it in config/adapters"
    ):
        check_gguf(folder / "adapter.gguf", "config/models/tiny.yaml")


# --- the manifest -------------------------------------------------------------------------


def listed(folder: Path, scale: float = 1.0) -> list[dict]:
    """What the manifest of a model with an adapter lists."""
    sums = {name: sha256_file(folder / f"{name}.gguf") for name in ("model", "adapter")}
    return [
        {"role": "weights", "path": "../tiny/model.gguf", "sha256": sums["model"], "size": 1},
        {"role": "adapter", "path": "adapter.gguf", "sha256": sums["adapter"], "scale": scale},
    ]


def test_one_file_has_its_own_checksum(folder: Path) -> None:
    """So that answers of models without an adapter are what they were before there were any."""
    both = listed(folder)
    assert composite(both[:1]) == sha256_file(folder / "model.gguf")
    sums = {composite(listed(folder, scale)) for scale in (0.0, 0.5, 1.0)}
    assert len({*sums, composite(both[:1]), composite(both[1:])}) == 5
    elsewhere = [one | {"path": "model.gguf"} for one in both]
    assert composite(elsewhere) == composite(both)


def test_a_manifest_names_files_beside_itself(tmp_path: Path, folder: Path) -> None:
    manifest = tmp_path / "tiny@bold" / "manifest.json"
    manifest.parent.mkdir()
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/model.gguf").write_bytes((folder / "model.gguf").read_bytes())
    (tmp_path / "tiny@bold/adapter.gguf").write_bytes((folder / "adapter.gguf").read_bytes())
    both = listed(folder, 0.5)
    manifest.write_text(canonical_json({"files": both, "sha256": composite(both)}))
    prepared = Prepared.read(manifest)
    assert prepared.model == tmp_path / "tiny/model.gguf"
    assert prepared.adapters == (Adapter(tmp_path / "tiny@bold/adapter.gguf", 0.5),)
    prepared.check()
    with open(tmp_path / "tiny@bold/adapter.gguf", "ab") as adapter:
        adapter.write(b"x")
    with pytest.raises(InputError, match=r"adapter\.gguf is damaged \(expected sha256"):
        prepared.check()


@pytest.mark.parametrize("path", ["/etc/model.gguf", "../../model.gguf", "../../x/model.gguf", "a"])
def test_a_manifest_of_an_archive_names_no_other_files(
    tmp_path: Path, folder: Path, path: str
) -> None:
    weights = listed(folder)[0] | {"path": path}
    (tmp_path / "manifest.json").write_text(canonical_json({"files": [weights], "sha256": "0"}))
    with pytest.raises(InputError, match="is no file of a prepared model"):
        Prepared.read(tmp_path / "manifest.json")


# Of version 0.1, by its own code: whatever changes them loses every answer that is stored.
FINGERPRINT = "796cb67bf543106fe67610525e6591f75a5609e070b1b76b10df51d47ba524fd"
GREEDY = "8d1c0196159728d4dd15836be2ddae90d4c7d8e50a9180645c38e124dc4adfc6"
SAMPLED = "d8435e055d6124a3fe0c133fa86caccc6785b32d3354e8069b5d67fb363f1964"


def test_stored_answers_keep_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model without an adapter, on one processor, with one llama.cpp."""
    built_with = b"CPU : AVX512 = 1 | REPACK = 1 | "
    monkeypatch.setattr(llama_cpp, "llama_print_system_info", lambda: built_with)
    monkeypatch.setattr(llama_cpp, "__version__", "0.3.36")
    weights = composite([{"role": "weights", "path": "model.gguf", "sha256": "ab" * 32}])
    fingerprint = Settings(context=2048, width=16).fingerprint(weights)
    assert fingerprint == FINGERPRINT
    sampled = {"answers": 1, "temperature": 0.7, "top_p": 1.0, "min_p": 0.05, "wordings": "main"}
    decoding = {"labels": ["A", "B"], "max_tokens": 2, "stop": [], "token_logprobs": False}
    decoding |= {"grammar": None, "json_schema": None, "seed": 7, "sampled": sampled}
    row = {"item_id": "a", "variant": "main", "repeat": None, "pieces": [[1, 2], [3]], "text": "x"}
    asked = Request.of(decoding, fingerprint).wanted(pl.DataFrame([row | {"thought_close": None}]))
    assert [one.key for one in asked] == [GREEDY, SAMPLED]
