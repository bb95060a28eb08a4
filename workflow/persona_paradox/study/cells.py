"""A cell: what a study asks a model, under one persona in one task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One model (or one of `RATED`) under one persona (or rater) in one task."""

    model: str
    task: str
    persona: str

    @property
    def path(self) -> str:
        """Path of the cell's files below the folder of a stage, without suffix."""
        return f"{self.model}/{self.task}/{self.persona}"
