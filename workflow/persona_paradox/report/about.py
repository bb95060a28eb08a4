"""What was run: what the first and last sections of the report say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..study.inventory import restricted
from ..study.sources import sources_of_study
from ..study.study import Study
from .index import withholds

Json = dict[str, Any]


def about(study: Study, provenance: Mapping[str, Any], numbers: Mapping[str, int]) -> Json:
    """What was run, for the first section of the page."""
    models = []
    for id_, model in study.all_models.items():
        found = provenance["models"][id_]
        models.append(
            {
                "id": id_,
                "title": model["title"],
                "licence": model["licence"],
                # Of weights, and of an adapter where there is one; a server's are not known.
                "files": [[file["role"], file["sha256"]] for file in found.get("files", [])],
                "server": id_ in study.servers,
                "judges": id_ not in study.models,
                "trained": trained_on(model),
                "engines": [engine["fingerprint"] for engine in found["engines"]],
            }
        )
    tasks = []
    for id_, task in study.tasks.items():
        spec = study.datasets[task["dataset"]]
        tasks.append(
            {
                "id": id_,
                "title": task["title"],
                "n": numbers[id_],
                "dataset": spec["title"],
                "description": spec["description"],
                "teaching": spec["origin"] == "teaching",
                "licence": spec["licence"]["id"],
                "redistribution": spec["licence"]["redistribution"],
                "withheld": id_ in withholds(study),
                "sha256": provenance["datasets"][task["dataset"]]["items_sha256"],
            }
        )
    return {
        "models": models,
        "tasks": tasks,
        "personas": [
            {
                "id": id_,
                "title": persona["title"],
                "group": study.titles["groups"][persona["group"]],
            }
            | {"texts": list(study.texts(id_).items())}
            for id_, persona in study.personas.items()
        ],
        "baseline": study.settings["baseline"],
        "judges": [
            {"id": id_, "title": study.judges[id_]["title"], "model": study.judges[id_]["model"]}
            for id_ in study.active_judges
        ],
        "raters": sorted({cell.persona for cell in study.rater_cells}),
        "restricted": [study.datasets[id_]["title"] for id_ in restricted(study)],
        "data_files": data_files(study),
        "texts_shown": study.settings["report"]["withheld_texts"],
        "statistics": study.settings["statistics"],
        "seed": study.settings["seed"],
        "figures": study.settings["figures"],
        "git": provenance["git"],
        "python": provenance["python"],
    }


def trained_on(model: Mapping[str, Any]) -> str:
    """How the adapter of a model was trained, and on what, as its file says; nothing of others."""
    training = model.get("adapter", {}).get("training")
    if training is None:
        return ""
    parts = []
    for part in training["data"]:
        if "file" in part:
            parts.append(part["file"])
            continue
        asked = part.get("answers", part)
        what = f"training items of {asked['task']} behind {', '.join(asked['personas'])}"
        parts.append(f"judged answers to {what}" if "answers" in part else what)
    return f"adapter trained ({training['method']}) on {'; '.join(parts)}"


def data_files(study: Study) -> list[str]:
    """What whoever repeats a study must have in a folder of their own, as paths in it."""
    sources = [source for _, _, source in sources_of_study(study)]
    paths = [source["path"] for source in sources if "{data_dir}" in source.get("path", "")]
    return sorted({path.replace("{data_dir}/", "") for path in paths})
