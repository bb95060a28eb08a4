"""Supervised training of short answers: few tokens behind long prompts that begin alike.

What trl computes, with three savings that are exact but for rounding: what the prompts of a batch
have in common is read once, logits are computed where an answer stands and nowhere else, and what
the layers below the first one that is trained make of the prompts is computed once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..cli import log
from .checkpoints import Checkpoints, Loss
from .examples import Example, Tokens, batches, common_length
from .settings import Settings

# Rows that the frozen layers read at a time, and seconds between two lines of the log.
ROWS, TELL_SECONDS = 16, 60


class Prefix:
    """Keys and values of what rows have in common, in the place of transformers' cache.

    They are kept when it is read, and stand in front of the keys and values of every row then.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def update(
        self, keys: Tensor, values: Tensor, layer: int, **_: object
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of shape (rows, heads, tokens, size) with those in front of them."""
        if layer not in self._kept:
            self._kept[layer] = keys, values
            return keys, values
        rows = len(keys)
        first, second = (kept.expand(rows, -1, -1, -1) for kept in self._kept[layer])
        return torch.cat([first, keys], dim=2), torch.cat([second, values], dim=2)


class _Held(nn.Module):
    """A layer whose result is known."""

    def __init__(self) -> None:
        super().__init__()
        self.states: Tensor | None = None

    def forward(self, hidden: Tensor, **_: object) -> Tensor:
        return hidden if self.states is None else self.states


@dataclass(frozen=True)
class _Group:
    """Examples whose prompts begin alike.

    Attributes:
        indices: of the examples.
        prefix: the tokens they have in common.
    """

    indices: list[int]
    prefix: Tokens


class LabelTrainer:
    """A model with LoRA in its upper layers, and the examples it is trained by.

    Args:
        model: transformers' causal language model, with peft's LoRA in it.
        examples: what it is to learn.
        first_layer: the first layer that is trained.
    """

    def __init__(self, model: Any, examples: Sequence[Example], first_layer: int) -> None:
        self._examples = examples
        self._body, self._head = model.get_decoder(), model.get_output_embeddings()
        self._config = model.config
        self._device = self._head.weight.device
        self._layers, self._first = list(self._body.layers), first_layer
        by_group: dict[str, list[int]] = {}
        for i, one in enumerate(examples):
            by_group.setdefault(one.group, []).append(i)
        self._groups = {
            group: _Group(indices, examples[indices[0]].prompt[:length])
            for group, indices in by_group.items()
            for length in [common_length([examples[i].prompt for i in indices])]
        }
        self._prefixes: dict[str, Tensor] = {}
        self._rests: dict[int, Tensor] = {}
        self._held: _Held | None = None
        if first_layer:
            self._hold()

    @property
    def groups(self) -> Mapping[str, Sequence[int]]:
        """Group → indices of its examples."""
        return {group: one.indices for group, one in self._groups.items()}

    # --- the frozen layers ---------------------------------------------------------------

    @torch.no_grad()
    def _hold(self) -> None:
        """Compute what the frozen layers make of every example, and leave them out from then on."""
        norm, self._body.norm = self._body.norm, nn.Identity()
        self._body.layers = nn.ModuleList(self._layers[: self._first])
        self._body.config.num_hidden_layers = self._first
        for name, group in self._groups.items():
            ordered = sorted(group.indices, key=lambda i: len(self._examples[i].prompt))
            for start in range(0, len(ordered), ROWS):
                chosen = ordered[start : start + ROWS]
                rests, prefix = self._read(group, chosen)
                if prefix is not None:
                    self._prefixes[name] = prefix.cpu()
                for i, rest in zip(chosen, rests, strict=True):
                    self._rests[i] = rest[: self._length(i, group)].cpu().clone()
        self._body.norm = norm
        self._body.config.num_hidden_layers = len(self._layers)
        self._held = _Held()
        below = [_Held() for _ in range(self._first - 1)]
        self._body.layers = nn.ModuleList([*below, self._held, *self._layers[self._first :]])

    def _length(self, index: int, group: _Group) -> int:
        """Tokens of an example behind what its group has in common; the last one is not read."""
        one = self._examples[index]
        return len(one.prompt) + len(one.completion) - 1 - len(group.prefix)

    # --- reading -------------------------------------------------------------------------

    def _read(self, group: _Group, chosen: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """What the body makes of some examples of a group.

        Returns:
            Of the tokens behind the prefix, shape (examples, tokens, width), with padding behind
            the shorter ones; and of the prefix, shape (tokens, width), or None without one.
        """
        name = self._examples[chosen[0]].group
        rows = [
            [*one.prompt, *one.completion[:-1]][len(group.prefix) :]
            for one in (self._examples[i] for i in chosen)
        ]
        longest = max(map(len, rows))
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        states: Tensor | None = None
        before: Tensor | None = None
        start = len(group.prefix)
        prefix = Prefix() if start else None
        if start:
            states = None if self._held is None else self._prefixes[name].unsqueeze(0)
            before = self._run(torch.tensor([group.prefix]), states, prefix, 0)[0]
        if self._held is not None:
            held = [self._rests[i] for i in chosen]
            states = nn.utils.rnn.pad_sequence(held, batch_first=True)
        return self._run(tokens, states, prefix, start), before

    def _run(
        self, tokens: Tensor, states: Tensor | None, prefix: Prefix | None, start: int
    ) -> Tensor:
        if self._held is not None and states is not None:
            self._held.states = states.to(self._device)
        length = tokens.shape[1]
        positions = torch.arange(start, start + length, device=self._device)
        result: Tensor = self._body(
            input_ids=tokens.to(self._device),
            position_ids=positions.unsqueeze(0),
            attention_mask=self._masks(positions, start + length),
            cache=prefix,
            use_cache=False,
        ).last_hidden_state
        return result

    def _masks(self, positions: Tensor, length: int) -> Any:
        """What is added where a token may not see another: 0, and as little as there is.

        A token sees those in front of it, in a sliding window the last ones of them.
        """
        dtype = self._head.weight.dtype
        behind = positions[:, None] - torch.arange(length, device=self._device)[None, :]

        def added(seen: Tensor) -> Tensor:
            least = torch.finfo(dtype).min
            return torch.zeros(seen.shape, dtype=dtype).to(seen.device).masked_fill(~seen, least)

        full = added(behind >= 0)[None, None]
        window = getattr(self._config, "sliding_window", None)
        if not hasattr(self._config, "layer_types"):
            return full
        sliding = full if window is None else added((behind >= 0) & (behind < window))[None, None]
        return {"full_attention": full, "sliding_attention": sliding}

    def loss(self, chosen: Sequence[int]) -> Tensor:
        """Mean loss of the completions' tokens of some examples of a group, by their weights."""
        examples = [self._examples[i] for i in chosen]
        group = self._groups[examples[0].group]
        hidden, _ = self._read(group, chosen)
        row, column, wanted, weights = [], [], [], []
        for i, one in enumerate(examples):
            first = len(one.prompt) - 1 - len(group.prefix)
            for j, token in enumerate(one.completion):
                row.append(i)
                column.append(first + j)
                wanted.append(token)
                weights.append(one.weight)
        # In 32 bits: bfloat16 tells logits of 32 to 64 apart in steps of a quarter.
        logits = nn.functional.linear(hidden[row, column].float(), self._head.weight.float())
        cap = getattr(self._config, "final_logit_softcapping", None)
        if cap:
            logits = cap * torch.tanh(logits / cap)
        losses = nn.functional.cross_entropy(
            logits, torch.tensor(wanted, device=self._device), reduction="none"
        )
        return (losses * torch.tensor(weights, device=self._device)).sum() / len(wanted)


def train_labels(
    model: Any, examples: Sequence[Example], settings: Settings, checkpoints: Checkpoints
) -> list[Loss]:
    """Train LoRA; the losses of all steps.

    AdamW without decay of weights, gradients of a norm of at most 1, a learning rate that falls to
    0 along a line: what trl does by default.

    Args:
        model: see `LabelTrainer`.
        examples: what it is to learn.
        settings: of the training.
        checkpoints: where it is kept how far the training is, and what it goes on from.
    """
    started = time.monotonic()
    trainer = LabelTrainer(model, examples, settings.first_layer)
    if settings.first_layer:
        log.info("frozen layers computed in %.0f s", time.monotonic() - started)
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0)
    steps = list(_steps(trainer.groups, settings))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / len(steps))
    losses = checkpoints.resume(trained, optimizer, schedule)
    started, told, before = time.monotonic(), time.monotonic(), len(losses)
    for step in range(before, len(steps)):
        epoch, chosen = steps[step]
        loss = trainer.loss(chosen)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(Loss(step + 1, epoch, len(chosen), float(loss.detach())))
        checkpoints.keep(trained, optimizer, schedule, losses)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            left = (told - started) / (step + 1 - before) * (len(steps) - step - 1)
            log.info(
                "step %d of %d, epoch %d: loss %.3f, %.0f minutes left",
                *(step + 1, len(steps), epoch, losses[-1].loss, left / 60),
            )
    return losses


def _steps(
    groups: Mapping[str, Sequence[int]], settings: Settings
) -> Iterator[tuple[int, list[int]]]:
    """The batches of all epochs, as (epoch, indices); what is drawn depends on the seed alone."""
    for epoch in range(1, settings.epochs + 1):
        order = np.random.default_rng([settings.seed, epoch])
        for _, chosen in batches(groups, settings.batch, order):
            yield epoch, chosen
