"""How an adapter is trained: key `training` of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

SFT, DPO, KTO = "sft", "dpo", "kto"


@dataclass(frozen=True)
class Settings:
    """Settings of a training.

    Attributes:
        method: `sft`, `dpo` or `kto`.
        rank: of LoRA's matrices.
        alpha: the change of a weight is alpha / rank · B A.
        first_layer: this layer and those above are changed.
        epochs: how often every example is read.
        learning_rate: of the first step; it falls to 0 along a line.
        batch: examples of a step.
        weights: `none`, or `balanced`: every completion weighs as much in sum as any other.
        seed: of A, and of the order of the examples.
        beta: how far DPO and KTO may lead away from the base.
    """

    method: str
    rank: int = 8
    alpha: float = 16
    first_layer: int = 0
    epochs: int = 3
    learning_rate: float = 2e-4
    batch: int = 8
    weights: str = "none"
    seed: int = 1
    beta: float = 0.1

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Self:
        """Settings of a view, whose further keys are no matter of training itself."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in view.items() if key in known})

    def describe(self) -> dict[str, Any]:
        """All settings, with those that the view leaves out."""
        return asdict(self)
