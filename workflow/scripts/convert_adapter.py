"""Fetch an adapter that peft saved, write it as llama.cpp reads it, and write down what it is."""

import sys
import tempfile
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.data.parts import PEFT, files_of_adapter
from persona_paradox.data.sources import fetch
from persona_paradox.engine.gguf_header import check_adapter
from persona_paradox.engine.prepared import Prepared
from persona_paradox.engine.vocabulary import open_vocabulary
from persona_paradox.training.adapter_file import write_adapter
from persona_paradox.training.architectures import header_of
from persona_paradox.training.peft_folder import read_lora


def main(arguments: Namespace) -> None:
    """Fetch both files, convert them, and check and describe the result."""
    asked, base = files.read_json(arguments.source), Prepared.read(arguments.base)
    name, place = arguments.config_file, arguments.adapter
    place.parent.mkdir(parents=True, exist_ok=True)
    with open_vocabulary(base.model, name) as vocabulary:
        header = header_of(vocabulary)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="peft.") as folder:
        weights, config = (Path(folder) / file for file in PEFT)
        parts = [
            fetch(part, path, config_file=name, data_dir=arguments.data_dir or None)
            for part, path in zip(
                files_of_adapter(asked["source"], name), (weights, config), strict=True
            )
        ]
        lora = read_lora(config, weights, header, name)
        with files.atomic_path(place) as temporary:
            write_adapter(temporary, lora.weights, lora.alpha, header)
            check_adapter(temporary, name)
    manifest = {
        "sha256": files.sha256_file(place),
        "size": place.stat().st_size,
        "source": asked["source"],
        "parts": parts,
        "licence": asked["licence"],
    }
    files.write_text(arguments.manifest, files.canonical_json(manifest))
    cli.log.info("%d matrices for %s", len(lora.weights), header.architecture)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        source="view of the adapter's source and licence",
        base="manifest of the prepared base",
        adapter="GGUF file to write",
        manifest="manifest to write",
    )
    options.add_argument("--config-file", required=True, help="name of the file in errors")
    options.add_argument("--data-dir", default="", help="folder that {data_dir} stands for")
    cli.run(main, options)
