"""Training by trl: texts (SFT), pairs (DPO), and answers that are good or bad (KTO).

Tokens are ours in all of them: trl's own come from a tokenizer that transformers has converted.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..cli import log
from .base_model import device, lora_config
from .checkpoints import Loss
from .settings import DPO, KTO, SFT, Settings

TELL_SECONDS = 60
# Checkpoints of a training, so many.
CHECKPOINTS = 20

Row = Mapping[str, Any]


def train_by_trl(
    model: Any, rows: Sequence[Row], settings: Settings, end: int, folder: Path
) -> tuple[Any, list[Loss]]:
    """Train LoRA; peft's model, and the losses of all steps.

    Args:
        model: transformers' causal language model.
        rows: examples in trl's columns of tokens, as `examples` makes them.
        settings: of the training.
        end: the token that ends a turn, with which trl pads what it masks.
        folder: of checkpoints of this very training.
    """
    from datasets import Dataset  # noqa: PLC0415 - of an environment of its own
    from transformers import PrinterCallback  # noqa: PLC0415

    steps = math.ceil(len(rows) / settings.batch) * settings.epochs
    kind, config = _trainer(settings, folder, steps)
    torch.manual_seed(settings.seed)
    trainer = kind(
        model=model,
        args=config,
        train_dataset=Dataset.from_list([dict(row) for row in rows]),
        processing_class=_padding(end),
        peft_config=lora_config(settings, model.config.num_hidden_layers),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_telling(steps))
    trainer.train(resume_from_checkpoint=_last_whole(folder))
    found = [one for one in trainer.state.log_history if "loss" in one]
    size = settings.batch
    per_epoch = steps // settings.epochs
    left = len(rows) - size * (per_epoch - 1)
    losses = [
        Loss(
            one["step"],
            (one["step"] - 1) // per_epoch + 1,
            size if one["step"] % per_epoch else left,
            float(one["loss"]),
        )
        for one in found
    ]
    return trainer.model, losses


def _trainer(settings: Settings, folder: Path, steps: int) -> tuple[Any, Any]:
    """The class of trl that trains by the method, and its configuration."""
    import trl  # noqa: PLC0415 - as above

    class WithTokens:
        """What has its tokens already."""

        def _prepare_dataset(self, dataset: Any, *_: object) -> Any:
            return dataset

    names = {SFT: "SFT", DPO: "DPO", KTO: "KTO"}[settings.method]
    trainer = getattr(trl, f"{names}Trainer")
    # trl's preparation for SFT leaves tokens as they are, and folds their mask into labels.
    kind = trainer if settings.method == SFT else type(names, (WithTokens, trainer), {})
    own: dict[str, Any] = {"beta": settings.beta}
    if settings.method == SFT:
        own = {"completion_only_loss": True}
    if settings.method == KTO:
        # Each answer is compared with the prompt of its neighbour, so that they stay together.
        own["train_sampling_strategy"] = "sequential"
    on_card = device().type == "cuda"
    return kind, getattr(trl, f"{names}Config")(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        optim="adamw_torch",
        weight_decay=0.0,
        max_grad_norm=1.0,
        max_length=None,
        seed=settings.seed,
        data_seed=settings.seed,
        use_cpu=not on_card,
        # The frozen weights have the type they were loaded in.
        bf16=False,
        gradient_checkpointing=on_card,
        dataloader_num_workers=0,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=math.ceil(steps / CHECKPOINTS),
        save_total_limit=1,
        **own,
    )


def _padding(end: int) -> Any:
    """A tokenizer of one token, for trl asks it by which token rows are padded, and no more."""
    from tokenizers import Tokenizer, models  # noqa: PLC0415 - as above
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    one = Tokenizer(models.WordLevel({"<end>": end}, unk_token="<end>"))  # noqa: S106 - no secret
    return PreTrainedTokenizerFast(
        tokenizer_object=one,
        eos_token="<end>",  # noqa: S106
        pad_token="<end>",  # noqa: S106
        unk_token="<end>",  # noqa: S106
    )


def _telling(steps: int) -> Any:
    """What says now and then how far it is."""
    from transformers import TrainerCallback  # noqa: PLC0415 - as above

    class Telling(TrainerCallback):  # type: ignore[misc,unused-ignore]
        told = time.monotonic()

        def on_log(self, _: Any, state: Any, control: Any, logs: Any = None, **__: Any) -> None:
            if "loss" in (logs or {}) and time.monotonic() - self.told > TELL_SECONDS:
                self.told = time.monotonic()
                log.info("step %d of %d: loss %.3f", state.global_step, steps, float(logs["loss"]))

    return Telling()


def _last_whole(folder: Path) -> str | None:
    """The last checkpoint that was written to its end; parts of others are removed."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        # It is written last.
        if (path / "trainer_state.json").is_file():
            whole.append(path)
        else:
            shutil.rmtree(path)
    if not whole:
        return None
    last = max(whole, key=lambda path: int(path.name.rpartition("-")[2]))
    log.info("going on behind step %s", last.name.rpartition("-")[2])
    return str(last)
