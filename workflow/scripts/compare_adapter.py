"""Say whether an adapter that was trained here is the one that its file names as `product`.

    python workflow/scripts/compare_adapter.py ADAPTER

Another processor or another version of a library changes last bits, which training makes larger.
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.study.training import FOLDER
from persona_paradox.study.yaml_reading import read_yaml


def main(arguments: Namespace) -> None:
    """Compare the checksums of both."""
    name = f"config/adapters/{arguments.adapter}.yaml"
    path = Path(f"{FOLDER}/{arguments.adapter}/adapter.gguf")
    if not path.is_file():
        raise InputError(f"{path} is missing; run `make train ADAPTER={arguments.adapter}`")
    found, product = files.sha256_file(path), read_yaml(Path(name), name).get("product")
    cli.log.info("%s has SHA-256 %s", path, found)
    if product is None:
        return
    same = found == str(product.get("sha256")).lower()
    cli.log.info(
        "%s, key `product`: %s",
        name,
        "the same file" if same else f"another file, of SHA-256 {product.get('sha256')}",
    )


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("adapter", help="id of the adapter")
    cli.run(main, options)
