"""Fetch a model or an adapter, check it, and write down what it is."""

import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.data.parts import parts_of
from persona_paradox.data.sources import fetch
from persona_paradox.data.transfer import need_space
from persona_paradox.engine.gguf_header import check_adapter, check_gguf, check_parts
from persona_paradox.engine.quantization import quantize
from persona_paradox.errors import InputError


def fetch_model(source: Mapping[str, Any], arguments: Namespace) -> dict[str, Any]:
    """Bring a model to its place, all parts as one file; the result is for the manifest."""
    whole = arguments.model
    parts = parts_of(source, arguments.config_file)
    where = {"config_file": arguments.config_file, "data_dir": arguments.data_dir or None}
    if len(parts) == 1:
        found = fetch(source, whole, **where)
        check_gguf(whole, arguments.config_file)
        return found
    folder = whole.with_name("parts")
    try:
        paths = [folder / f"part-{i:05}-of-{len(parts):05}.gguf" for i in range(1, len(parts) + 1)]
        fetched, headers = [], []
        for number, (part, path) in enumerate(zip(parts, paths, strict=True), 1):
            fetched.append(fetch(part, path, **where))
            headers.append(check_gguf(path, arguments.config_file, number, len(parts)))
        names = [Path(part.get("file") or part["path"]).name for part in parts]
        check_parts(headers, names, arguments.config_file)
        need_space(sum(part["size"] for part in fetched), folder)
        with files.atomic_path(whole) as temporary:
            quantize(paths[0], temporary, None, arguments.config_file)
            sha256 = files.sha256_file(temporary)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "sha256": sha256,
        "size": whole.stat().st_size,
        "source": dict(source),
        "parts": fetched,
    }


def fetch_adapter(source: Mapping[str, Any], arguments: Namespace) -> dict[str, Any]:
    """Bring an adapter to its place; the result is for the manifest."""
    where = {"config_file": arguments.config_file, "data_dir": arguments.data_dir or None}
    found = fetch(source, arguments.model, **where)
    check_adapter(arguments.model, arguments.config_file)
    return found


WAYS = {"model": fetch_model, "adapter": fetch_adapter}


def main(arguments: Namespace) -> None:
    """Fetch, check and describe the file."""
    asked = files.read_json(arguments.source)
    try:
        manifest = WAYS[arguments.what](asked["source"], arguments)
    except InputError:
        arguments.model.unlink(missing_ok=True)
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
    options.add_argument("--what", choices=WAYS, default="model", help="what the file is")
    options.add_argument("--config-file", required=True, help="name of the file in errors")
    options.add_argument("--data-dir", default="", help="folder that {data_dir} stands for")
    cli.run(main, options)
