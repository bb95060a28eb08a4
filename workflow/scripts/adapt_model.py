"""See that an adapter fits its model, and write the manifest of both."""

import sys
from argparse import Namespace
from os.path import relpath
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.adapters import try_adapter
from persona_paradox.engine.prepared import ADAPTER, Prepared, composite


def main(arguments: Namespace) -> None:
    """Load the adapter once, and write the manifest."""
    base, origin = Prepared.read(arguments.base), files.read_json(arguments.adapter_manifest)
    base.check()
    files.check_sha256(arguments.adapter, origin["sha256"])
    try_adapter(base.model, arguments.adapter, arguments.config_file)
    (weights,) = base.manifest["files"]
    adapter = {
        "role": ADAPTER,
        "path": Path(relpath(arguments.adapter, arguments.manifest.parent)).as_posix(),
        "sha256": origin["sha256"],
        "size": origin["size"],
        "scale": files.read_json(arguments.scale)["scale"],
    }
    listed = [{**weights, "path": f"../{arguments.base.parent.name}/{weights['path']}"}, adapter]
    manifest = {
        # Of the base: the format of its weights, what a token takes in the attention cache.
        **base.manifest,
        "files": listed,
        "sha256": composite(listed),
        "size": sum(one["size"] for one in listed),
        "adapter": origin,
    }
    cli.log.info("adapter of scale %g on %s", adapter["scale"], base.model)
    files.write_text(arguments.manifest, files.canonical_json(manifest))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        base="manifest of the prepared model",
        adapter="GGUF file of the adapter",
        adapter_manifest="its manifest",
        scale="view with key `scale`",
        manifest="manifest to write",
    )
    options.add_argument("--config-file", required=True, help="name of the file in errors")
    cli.run(main, options)
