"""A forecast in sentences, each with what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..engine.settings import usable_cpus
from ..judges.price import rounded
from ..study.load import missing_sources
from ..study.sources import sources_of_study, to_train
from ..study.study import Study
from .forecast import Forecast, Part
from .speeds import GB, seconds, seconds_on_a_card, slower_here

# A folder of files that are brought from elsewhere → what says that they are here.
_HERE = {"models": "models/{}/source_manifest.json", "datasets": "datasets/{}.manifest.json"}


def told(study: Study, found: Forecast, root: Path, resources: Path) -> Iterator[str]:
    """What would run, and what it takes, line by line."""
    settings = study.settings
    yield (
        f"asks: {_n(study.models, 'model')} × {_n(study.tasks, 'task')} × "
        f"{_n(study.personas, 'persona')}, wordings {settings['variants']}: {found.cells:,} cells, "
        f"of which {found.done:,} have answers already; {_n(study.active_judges, 'judge')}, "
        f"{found.figures} figures"
    )
    for task, n in found.items.items():
        yield f"task {task}: {n:,} items"
    if found.unknown:
        yield (
            f"not counted: the items of {', '.join(found.unknown)}, which are not here yet "
            "(`snakemake download` with this study brings them)"
        )
    for model, part in found.models.items():
        yield _of_model(model, part, found.unknown)
    yield from _time(study, found, root)
    yield _room(study, found, resources)
    yield from _licences(study)
    yield from _missing(study, resources)


def _n(ids: Iterable[str], word: str) -> str:
    n = len([*ids])
    return f"{n} {word}{'s' * (n != 1)}"


def _of_model(model: str, part: Part, unknown: Sequence[str]) -> str:
    size = (
        "weights of a size that is not known before they are here"
        if part.size is None
        else f"weights of {'about ' * part.assumed}{_in_gb(part.size)}"
        + " (by its title, an assumption)" * part.assumed
    )
    answers = "its answers are not counted"
    if part.answers or not unknown:
        answers = (
            f"at most {part.answers:,} answers{' to items that are here' * bool(unknown)}, "
            f"about {rounded(part.tokens.read)} tokens to read "
            f"and {rounded(part.tokens.written)} to write"
        )
    return f"model {model}: {answers}; {size}"


def _time(study: Study, found: Forecast, root: Path) -> Iterator[str]:
    """Minutes here and on a card."""
    cores = usable_cpus()
    known = {m: part for m, part in found.models.items() if part.size is not None}
    here, card, rests = found.other_seconds, 0.0, []
    for model, part in known.items():
        size = float(part.size or 0)
        logs = sorted((root / "logs/generate" / model).rglob("*.log"))
        slower = slower_here(logs, size)
        here += seconds(part.tokens, size) * (slower[0] if slower else 1)
        card += seconds_on_a_card(part.tokens, size)
        if slower:
            rests.append(f"{slower[1]} cells of {model} that ran here")
    if len(rests) < len(known):
        rests.append("SmolLM2 135M on two processors of an AMD EPYC, in proportion to the weights")
    left = [m for m in found.models if m not in known]
    beside = f"; without {', '.join(left)}, whose speed is not known" if left else ""
    beside += "; without what is not counted" if found.unknown else ""
    yield (
        f"time here: about {_minutes(here / cores)} on {cores} processors, "
        f"{_minutes(found.other_seconds / cores)} of it for programs and figures; measured: "
        f"{' and '.join(rests)}; answers that the response store holds cost none{beside}"
    )
    if card and any(float(part.size or 0) >= GB for part in known.values()):
        yield (
            f"time on a card: about {_minutes(card)} for the answers, by the assumption of "
            "docs/scaling.md (2,000 tokens/s read and 300 written at 5 GB of weights); no card was "
            f"measured{beside}"
        )


def _room(study: Study, found: Forecast, resources: Path) -> str:
    """GB on disk."""
    new = {
        model: part.size
        for model, part in found.models.items()
        # An adapter is small, and runs on the weights of its base.
        if part.size is not None
        and model in study.whole_models
        and not (resources / f"models/{model}/manifest.json").is_file()
    }
    weights = sum(new.values())
    return (
        f"disk: about {_gb(found.disk)} for results and response store"
        + (f", and {_gb(weights)} for the weights of {', '.join(new)}" if new else "")
        + "; in proportion to bytes an answer and a cell that were measured (docs/scaling.md)"
    )


def _licences(study: Study) -> Iterator[str]:
    """Under what terms the study's models and data sets stand."""
    models = {id_: spec["licence"] for id_, spec in study.written_models.items()}
    models |= {id_: spec["licence"] for id_, spec in study.adapters.items()}
    yield "licences of models and adapters: " + ", ".join(
        f"{id_} {licence}" for id_, licence in models.items()
    )
    sets = {id_: study.datasets[id_]["licence"] for id_ in study.datasets if "@" not in id_}
    yield "licences of data sets: " + ", ".join(
        f"{id_} {one['id']}" + " (texts may not be passed on)" * (not one["redistribution"])
        for id_, one in sets.items()
    )
    bound = [id_ for id_, one in sets.items() if "NC" in one["id"].split("-")]
    if bound:
        yield f"not for commercial use: {', '.join(bound)}"


def _missing(study: Study, resources: Path) -> Iterator[str]:
    """What is still to be brought or trained, and what is not where the study says."""
    brought = {
        f"{id_} ({source['kind']})"
        for kind, id_, source in sources_of_study(study)
        if kind in _HERE
        and source["kind"] not in ("path", "bundled", "server")
        and not (resources / _HERE[kind].format(id_)).is_file()
    }
    if brought:
        yield f"to be brought over the network: {', '.join(sorted(brought))}"
    if trained := to_train(study):
        yield f"to be trained first: {', '.join(trained)} (`make train ADAPTER={trained[0]}`)"
    for missing in missing_sources(study, str(resources)):
        yield f"missing: {missing}"


def _gb(size: float) -> str:
    return _in_gb(size) if size >= GB / 100 else f"{size / 10**6:.0f} MB"


def _in_gb(size: float) -> str:
    """Two leading digits, and never a power of ten."""
    return f"{rounded(size / GB) if round(size / GB) > 99 else format(size / GB, '.2g')} GB"


def _minutes(lasted: float) -> str:
    if lasted < 90 * 60:
        n = max(1, round(lasted / 60))
        return f"{n} minute{'s' * (n != 1)}"
    return f"{lasted / 3600:.0f} hours" if lasted < 72 * 3600 else f"{lasted / 86400:.0f} days"
