"""How far a training is, on disk: what is killed goes on from there, to the same bits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..cli import log
from ..files import atomic_path

# Writing one takes a fraction of a second.
SECONDS = 60.0


@dataclass(frozen=True)
class Loss:
    """The loss of a step.

    Attributes:
        step: from 1 on.
        epoch: from 1 on.
        examples: how many the step read.
        loss: their mean loss.
    """

    step: int
    epoch: int
    examples: int
    loss: float


class Checkpoints:
    """The last checkpoint of a training.

    Args:
        folder: where it lies, which is of this very training alone.
        seconds: between two of them.
    """

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        self._path = folder / "last.pt"
        self._seconds = seconds
        self._kept = time.monotonic()

    def resume(self, trained: Sequence[Tensor], optimizer: Any, schedule: Any) -> list[Loss]:
        """Put everything back as it was; the losses so far, none where nothing fits."""
        if not self._path.is_file():
            return []
        try:
            found = torch.load(self._path, map_location="cpu", weights_only=True)
        # A damaged file raises whatever its bytes call for.
        except Exception:
            log.info("%s is damaged; the training begins anew", self._path)
            return []
        with torch.no_grad():
            for mine, kept in zip(trained, found["weights"], strict=True):
                mine.copy_(kept)
        optimizer.load_state_dict(found["optimizer"])
        schedule.load_state_dict(found["schedule"])
        losses = [Loss(**one) for one in found["losses"]]
        log.info("going on behind step %d", len(losses))
        return losses

    def keep(
        self, trained: Sequence[Tensor], optimizer: Any, schedule: Any, losses: Sequence[Loss]
    ) -> None:
        """Write a checkpoint, if it is time for one."""
        if time.monotonic() - self._kept < self._seconds:
            return
        state = {
            "weights": [one.detach() for one in trained],
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "losses": [asdict(one) for one in losses],
        }
        with atomic_path(self._path) as temporary:
            torch.save(state, temporary)
        self._kept = time.monotonic()
