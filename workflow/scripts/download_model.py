"""Fetch a model, check it, and write down what it is."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.gguf_header import check_gguf
from persona_paradox.sources import fetch


def main(arguments: Namespace) -> None:
    """Fetch, check and describe the model."""
    asked = files.read_json(arguments.source)
    manifest = fetch(
        asked["source"],
        arguments.model,
        config_file=arguments.config_file,
        data_dir=arguments.data_dir or None,
    )
    try:
        check_gguf(arguments.model, arguments.config_file)
    except InputError:
        arguments.model.unlink()
        raise
    manifest["licence"] = asked["licence"]
    files.write_text(arguments.manifest, files.canonical_json(manifest))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        source="view of the model's source and licence",
        model="GGUF file to write",
        manifest="manifest to write",
    )
    options.add_argument("--config-file", required=True, help="name of the file in errors")
    options.add_argument("--data-dir", default="", help="folder that {data_dir} stands for")
    cli.run(main, options)
