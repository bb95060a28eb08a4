"""What schedulers are told of a job that runs a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from persona_paradox.engine import sizes
from persona_paradox.engine.sizes import Size

# The 8-billion-parameter Llama 3.1 as Q4_K_M: 32 layers, 8 heads of keys and values of 128 each.
LLAMA = Size(weights=4_920_739_232, cache_per_token=2 * 32 * 8 * (128 + 128))
ENGINE = {"context": 4096, "width": None, "cache_gib": 4, "gpu_layers": -1, "tensor_split": []}


def test_width_is_the_largest_power_of_two_whose_cache_fits() -> None:
    window = 4096 * LLAMA.cache_per_token
    assert window == 2**29
    # Seven windows besides that of the prompt, and so four answers.
    assert sizes.width_of(ENGINE, LLAMA.cache_per_token) == 4
    assert sizes.width_of(ENGINE | {"cache_gib": 4.5}, LLAMA.cache_per_token) == 8
    assert sizes.width_of(ENGINE | {"cache_gib": 0.1}, LLAMA.cache_per_token) == 1
    assert sizes.width_of(ENGINE | {"width": 3}, LLAMA.cache_per_token) == 3
    assert sizes.width_of(ENGINE, 0) == 16


def test_memory_holds_weights_and_cache_and_grows_with_every_attempt() -> None:
    weights_and_cache = 4921 + 5 * 2**29 / 10**6
    first = sizes.memory_mb(LLAMA, ENGINE)
    assert weights_and_cache + 1500 <= first <= weights_and_cache + 1502
    assert [sizes.memory_mb(LLAMA, ENGINE, n) for n in (2, 3)] == [first * 3 // 2, first * 2]


def test_time_grows_with_weights_cells_and_attempts() -> None:
    assert sizes.minutes(LLAMA) == 10 + 5 * 5
    assert sizes.minutes(LLAMA, attempt=3) == 4 * 35
    assert sizes.minutes(LLAMA, cells=12) == 10 + 12 * 25
    assert sizes.minutes(LLAMA, cells=100) == 24 * 60
    assert sizes.minutes(LLAMA, cells=100, attempt=2) == 48 * 60


@pytest.mark.parametrize(
    ("layers", "split", "cards"),
    [(0, [], 0), (-1, [], 1), (20, [0.5, 0.5], 2), (-1, [1, 0, 1], 2), (-1, [0, 0], 1)],
)
def test_cards_are_those_with_a_share(layers: int, split: list[float], cards: int) -> None:
    assert sizes.cards(ENGINE | {"gpu_layers": layers, "tensor_split": split}) == cards


def test_the_size_of_a_prepared_model_is_read_from_its_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    with pytest.raises(FileNotFoundError) as error:
        Size.of(str(manifest))
    # By this Snakemake knows that the size is still to come.
    assert error.value.filename == str(manifest)
    manifest.write_text(json.dumps({"size": 7, "cache_bytes_per_token": 3, "format": "f16"}))
    assert Size.of(str(manifest)) == Size(weights=7, cache_per_token=3)


@pytest.mark.parametrize("content", ["", '{"size": 1', "[]", '{"size": 1}', '"size"'])
def test_a_damaged_manifest_has_no_size(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)
    assert Size.of(str(path)) == Size(0, 0)
    assert sizes.memory_mb(Size.of(str(path)), ENGINE) == sizes.BASE_MB
