"""Train an adapter (LoRA) of a base model by examples."""

import logging
import math
import os
import shutil
import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

# In the place of the folder of scripts, whose tabulate.py torch would take for a library.
sys.path[0] = str(Path(__file__).resolve().parents[1])
# No library looks for anything in the network, and a card computes the same sums every time.
os.environ |= {"HF_HUB_OFFLINE": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "TQDM_DISABLE": "1"}

import polars as pl
import torch

from persona_paradox import cli, files
from persona_paradox.engine.engine import Engine
from persona_paradox.engine.prepared import Prepared
from persona_paradox.engine.settings import Settings as EngineSettings
from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.errors import InputError
from persona_paradox.training import base_model
from persona_paradox.training.adapter_file import write_adapter
from persona_paradox.training.by_trl import train_by_trl
from persona_paradox.training.checkpoints import SECONDS, Checkpoints
from persona_paradox.training.examples import (
    Reader,
    are_short,
    as_masked,
    read_examples,
    read_preferences,
)
from persona_paradox.training.handing_on import hand_on
from persona_paradox.training.label_loop import train_labels
from persona_paradox.training.settings import SFT, Settings

# Tokens by which transformers' reading of the base is compared with llama.cpp's.
MOST_COMPARED = 256
# Columns of tokens.
COUNTED = {f"{what}_ids" for what in ("input", "prompt", "completion", "chosen", "rejected")}
LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "gguf")


def check_libraries(name: str) -> None:
    """See that everything is installed that trains.

    Raises:
        InputError: something is not.
    """
    lacking = [library for library in LIBRARIES if find_spec(library) is None]
    if lacking:
        raise InputError(
            f"{name}: training needs {', '.join(lacking)}, which the default environment has not; "
            f"run make train ADAPTER={Path(name).stem}"
        )


def main(arguments: Namespace) -> None:
    """Train, or hand on the adapter of the cycle before."""
    if arguments.before is not None:
        made = (arguments.adapter, arguments.manifest, arguments.curve)
        why = hand_on(arguments.before, arguments.examples, *made)
        if why is not None:
            cli.log.info("no training: %s", why)
            return
    train(arguments)


def check_numbers(losses: Sequence[float], name: str) -> None:
    """Check that a training led somewhere.

    Raises:
        InputError: the loss of a step is no number.
    """
    lost = [step for step, loss in enumerate(losses, start=1) if not math.isfinite(loss)]
    if lost:
        raise InputError(
            f"{name}: from step {lost[0]} of {len(losses)} on the loss is no number, so that "
            "nothing was learned; lower `training.learning_rate` or `training.alpha`"
        )


def train(arguments: Namespace) -> None:
    """Write adapter, losses and manifest."""
    name = arguments.config_file
    check_libraries(name)
    # What the libraries plan to change, and where a file is written, is no matter of the user's.
    warnings.simplefilter("ignore", FutureWarning)
    logging.getLogger("gguf").setLevel(logging.WARNING)
    settings = Settings.of(files.read_json(arguments.settings))
    base = Prepared.read(arguments.base)
    base.check()
    rows = files.read_table(arguments.examples).to_dicts()
    with open_vocabulary(base.model, name) as vocabulary:
        header = base_model.read_header(vocabulary, name)
        base_model.check_first_layer(header, settings, name)
        reader = Reader(vocabulary, name)
        if settings.method == SFT:
            examples = read_examples(rows, reader, settings, name)
            by_loop = are_short(examples)
            inputs = as_masked(examples)
        else:
            by_loop, inputs = False, read_preferences(rows, reader, settings, name)
        first = reader.prompt(rows[0]["prompt"])
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    dtype = base_model.fast_type() if arguments.type == "auto" else getattr(torch, arguments.type)
    about = {
        "settings": settings.describe(),
        "examples_sha256": files.sha256_file(arguments.examples),
        "base_sha256": base.sha256,
        "versions": {library: version(library) for library in LIBRARIES},
        "computed_in": str(dtype).removeprefix("torch."),
        "computed_on": base_model.device().type,
    }
    fingerprint = files.sha256_bytes(files.canonical_json(about).encode())
    # What every example holds but flags: tokens of its prompt and of one answer or two.
    tokens = sum(len(ids) for one in inputs for key, ids in one.items() if key in COUNTED)
    cli.log.info("%d examples of %d tokens, in %s", len(inputs), tokens, about["computed_in"])
    model = base_model.load_base(base.model, header, dtype)
    shown = first[:MOST_COMPARED]
    with Engine(base.model, EngineSettings(context=len(shown), width=1), 1, name) as engine:
        said = engine.read(shown)
    about["same_first_token"] = base_model.check_reading(model, said, shown, name)
    folder = arguments.checkpoints / fingerprint[:16]
    if by_loop:
        tuned = base_model.add_lora(model, settings)
        checkpoints = Checkpoints(folder, arguments.checkpoint_seconds)
        losses = train_labels(model, examples, settings, checkpoints)
    else:
        tuned, losses = train_by_trl(model, inputs, settings, reader.end, folder)
    check_numbers([one.loss for one in losses], name)
    weights = base_model.lora_weights(tuned)
    with files.atomic_path(arguments.adapter) as temporary:
        write_adapter(temporary, weights, settings.alpha, header)
    table = pl.DataFrame(losses)
    files.write_table(table, arguments.curve, {"examples": arguments.examples})
    manifest = about | {
        "sha256": files.sha256_file(arguments.adapter),
        "size": arguments.adapter.stat().st_size,
        "examples": len(inputs),
        "tokens": tokens,
        "steps": len(losses),
        "first_loss": losses[0].loss,
        "last_loss": losses[-1].loss,
    }
    files.write_text(arguments.manifest, files.canonical_json(manifest))
    shutil.rmtree(arguments.checkpoints, ignore_errors=True)
    cli.log.info("loss %.3f to %.3f", losses[0].loss, losses[-1].loss)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        examples="Parquet file of examples",
        settings="view with the keys of `training`",
        base="manifest of the prepared base model",
        adapter="GGUF file to write",
        manifest="manifest to write",
        curve="Parquet file of losses to write",
        checkpoints="folder of what an interrupted training goes on from",
    )
    options.add_argument(
        "--config-file", required=True, help="name of the adapter's file in errors"
    )
    options.add_argument(
        "--before",
        type=Path,
        help="manifest of the adapter of the cycle before, which is handed on where all stopped",
    )
    options.add_argument("--threads", type=int, default=0, help="threads; 0 as many as torch takes")
    options.add_argument(
        "--type",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="type of the frozen weights; auto is bfloat16 where the processor or card has it",
    )
    options.add_argument(
        "--checkpoint-seconds", type=float, default=SECONDS, help="seconds between two checkpoints"
    )
    cli.run(main, options)
