"""Say whether an adapter that was trained here is the one that its file names as `product`.

    python workflow/scripts/compare_adapter.py ADAPTER

Another processor or another version of a library changes last bits, which training makes larger.
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli, files
from persona_paradox.errors import InputError
from persona_paradox.study.training import FOLDER
from persona_paradox.study.yaml_reading import read_yaml


def main(arguments: Namespace) -> None:
    """Compare the checksums of both."""
    name = f"config/adapters/{arguments.adapter}.yaml"
    content = read_yaml(Path(name), name)
    cycles = content.get("training", {}).get("cycles")
    ids = [f"{arguments.adapter}_{n}" for n in range(1, cycles + 1)] if cycles else None
    for id_ in ids or [arguments.adapter]:
        path = Path(f"{FOLDER}/{id_}/adapter.gguf")
        if not path.is_file():
            raise InputError(f"{path} is missing; run `make train ADAPTER={arguments.adapter}`")
        found = files.sha256_file(path)
        cli.log.info("%s has SHA-256 %s", path, found)
    product = content.get("product")
    if product is None or cycles:
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
