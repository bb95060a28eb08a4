"""Write down what a study was made of."""

import platform
import sys
from argparse import Namespace
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.responses import engine_of
from persona_paradox.study.inventory import answered
from persona_paradox.study.provenance import study_of
from persona_paradox.study.study import Study
from persona_paradox.version import VERSION


def packages() -> dict[str, str]:
    """The installed packages and their versions."""
    listed = ((dist.metadata["Name"], dist) for dist in metadata.distributions())
    # What an uninstallation left behind has no name.
    found = {name: dist.version for name, dist in listed if name is not None}
    return {name: found[name] for name in sorted(found, key=str.casefold)}


def engines(study: Study, model: str) -> list[dict[str, Any]]:
    """What computed the answers of a model: one engine, unless cells come from several machines."""
    found: dict[str, dict[str, Any]] = {}
    for file in answered(study):
        engine = engine_of(Path(file.path)) if file.model == model else None
        if engine is not None:
            fingerprint = files.sha256_bytes(files.canonical_json(engine).encode())
            entry = found.setdefault(
                fingerprint, {"fingerprint": fingerprint, **engine, "n_files": 0}
            )
            entry["n_files"] += 1
    return [found[fingerprint] for fingerprint in sorted(found)]


def gathered(configured: Mapping[str, Any], git: Mapping[str, Any]) -> dict[str, Any]:
    """What a study was made of, from the files that it left in the working folder.

    Args:
        configured: as `provenance.configuration` gives it.
        git: as `provenance.git_state` gives it.
    """
    study = study_of(configured)
    models = {}
    for id_, model in study.all_models.items():
        models[id_] = {"licence": model["licence"], "engines": engines(study, id_)}
        if id_ in study.local_models:
            models[id_] |= files.read_json(Path(f"resources/models/{id_}/manifest.json"))
    datasets = {}
    for id_ in study.datasets:
        datasets[id_] = files.read_json(Path(f"resources/datasets/{id_}.manifest.json"))
        datasets[id_]["items_sha256"] = files.sha256_file(Path(f"resources/datasets/{id_}.parquet"))
    return {
        "version": VERSION,
        "git": git,
        "python": platform.python_version(),
        "packages": packages(),
        "configuration": configured,
        "models": models,
        "datasets": datasets,
        "licences": {
            "models": {id_: model["licence"] for id_, model in study.all_models.items()},
            "datasets": {id_: dataset["licence"] for id_, dataset in study.datasets.items()},
        },
    }


def main(arguments: Namespace) -> None:
    """Gather configuration, manifests and engines."""
    view = files.read_json(arguments.view)
    found = gathered(view["configuration"], view["git"])
    files.write_text(arguments.provenance, files.canonical_json(found))
    cli.log.info("%d models, %d data sets", len(found["models"]), len(found["datasets"]))
    for id_, model in found["models"].items():
        if len(model["engines"]) > 1:
            cli.log.warning("%s: answers of %d engines", id_, len(model["engines"]))


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            view="view of the configuration and of the state of git",
            provenance="JSON file to write",
        ),
    )
