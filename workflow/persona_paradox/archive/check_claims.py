"""What an archive says of its models and answers, held against itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..data.criteria import each_criterion
from ..engine import server_settings
from ..engine.responses import LOCAL, SCHEMA, SERVER, Request
from ..errors import InputError
from ..identification.asking import chats_after, chats_before
from ..judges import answers, chats, criteria, known
from ..kinds.labelled.verbalized import second_turns
from ..prompting.steps import chats_behind
from ..study.conditions import split
from ..study.inventory import Answered, answered, restricted_tasks
from ..study.rubrics import read_by_judges
from . import contradictions, crate
from .project_copy import Copy
from .reading import engine_there, read, read_as, read_delivered
from .verification import UNREADABLE, Findings
from .withholding import MARK

# Kinds of things that are compared.
KEYS = "files whose response keys are those of prompts, decoding and engine"
LATER = "files of answers behind answers, of which each row follows from those"


def check_claims(copy: Copy, findings: Findings) -> set[str]:
    """Compare what the archive says of its models and answers with itself.

    Nothing of it needs weights. Returns the files of answers that contradict their prompts.
    """
    study = copy.study
    for kind, name, told in manifests_told(copy):
        findings.agree(f"manifests of {kind}", None if told is None else f"{name} {told}")
    strange: set[str] = set()
    keys = contradictions.Keys()
    hidden: Counter[str | None] = Counter()
    later: Counter[str | None] = Counter()
    for file in answered(study):
        found = engine_there(copy, file)
        told = engine_told(copy, file, None if found is None else found[0])
        findings.agree("engines", None if told is None else f"{file.path} {told}")
        rows = read(copy, file).to_dicts()
        for number in keys.of_rows(rows):
            told = f"{file.path}, row {number}: another answer than elsewhere under the same key"
            findings.agree("answers of equal keys", told)
        if found is None:
            continue
        told, n_hidden = rows_told(copy, file, rows, found[1])
        if told is not None:
            strange.add(file.path)
        findings.agree(KEYS if file.first else LATER, told)
        (hidden if file.first else later)[file.task if file.first else file.model] += n_hidden
    for model, n in later.items():
        findings.unchecked(
            f"response keys of {n} answers of {model} to what holds an answer (thoughts, "
            "conclusions, confidences, judgements), unless the prompts are rendered here"
        )
    for task, n in hidden.items():
        if n:
            findings.unchecked(
                f"response keys of {n} answers in {task}, whose prompts may not be passed on, "
                "unless the prompts are rendered here"
            )
    return strange


def manifests_told(copy: Copy) -> Iterator[tuple[str, str, str | None]]:
    """Of every manifest of the archive what it is of, its name, and how it contradicts."""
    study = copy.study

    def theirs(name: str) -> Any:
        return crate.read_untrusted(copy.theirs / name, name)

    for id_ in study.whole_models:
        name = f"resources/models/{id_}/manifest.json"
        told = contradictions.of_weights(theirs(name), study.written_models[id_])
        yield "models", name, told
    for id_ in study.derived_models:
        name, base = (f"resources/models/{one}/manifest.json" for one in (id_, split(id_)[0]))
        told = contradictions.of_derived(theirs(name), theirs(base), study.all_models[id_])
        yield "models", name, told
    for id_, spec in study.datasets.items():
        name = f"resources/datasets/{id_}.manifest.json"
        yield "datasets", name, contradictions.of_source(theirs(name), spec)


def rows_told(
    copy: Copy, file: Answered, rows: Sequence[Mapping[str, Any]], fingerprint: str
) -> tuple[str | None, int]:
    """How a file contradicts what it answers, and the number of rows whose keys are not known."""
    request = Request.of(copy.view(file.decoding), fingerprint)
    if file.first:
        asked = request.wanted(read_delivered(copy, file))
    else:
        # Of what is asked about answers, an archive has the answers alone.
        try:
            asked = request.wanted(asked_behind(copy, file))
        except (*UNREADABLE, InputError, TypeError) as error:
            return f"{file.path}: what it answers cannot be made ({type(error).__name__})", 0
    backend = LOCAL if file.model in copy.study.local_models else SERVER
    told = contradictions.of_answers(file.path, asked, rows, backend, len(request.labels))
    return told, sum(map(contradictions.is_hidden, asked))


def asked_behind(copy: Copy, file: Answered) -> pl.DataFrame:
    """What a file that answers something about answers was asked, without the prompts' texts."""
    stage, *where = Path(file.path).with_suffix("").parts[1:]
    if stage == "verdicts":
        chats = asked_of_judge(copy, where)
    else:
        model, task, _ = where
        cell = "/".join(where)
        asked = copy.path / copy.study.prompts_of(model, task) / f"{where[-1]}.parquet"
        prompts = pl.read_parquet(asked)

        thinks = model in copy.study.thinking_models

        def earlier(stage: str) -> pl.DataFrame:
            return read_as(copy, f"results/{stage}/{cell}.parquet", "answers", SCHEMA)

        if stage == "statements":
            responses = pl.read_parquet(copy.path / f"results/responses/{cell}.parquet")
            chats = second_turns(prompts, responses, "", "")
        elif stage == "named_before":
            chats = chats_before(prompts, copy.view("identification"))
        elif stage == "named_after":
            responses = pl.read_parquet(copy.path / f"results/responses/{cell}.parquet")
            chats = chats_after(prompts, responses, copy.view("identification"), "")
        else:
            chats = chats_behind(
                prompts,
                earlier("thoughts") if thinks and stage != "thoughts" else None,
                earlier("reasonings") if stage == "conclusions" else None,
                {"header": "", "answer_prefix": ""},
            )
    # A judge's prompt is called by its texts, which the archive may lack.
    named = (
        [] if stage == "verdicts" and file.task in restricted_tasks(copy.study) else ["prompt_id"]
    )
    repeat = pl.col("repeat") if "repeat" in chats.columns else pl.lit(None, dtype=pl.Int64)
    nothing = pl.lit(None, dtype=pl.String)
    return chats.select(
        "item_id",
        "variant",
        *named,
        repeat.alias("repeat"),
        pl.lit(MARK).alias("text"),
        *(nothing.alias(name) for name in ("pieces", "status", "thought_close")),
    )


def asked_of_judge(copy: Copy, where: Sequence[str]) -> pl.DataFrame:
    """The chats of a file of verdicts, the parts of whose path these are."""
    judge, form, *cell = where
    view, spec = copy.view(f"judges/{judge}"), copy.study.judges[judge]
    if form == "criteria" or cell == ["criteria"]:
        return asked_about_criteria(copy, judge, cell)
    if form == "checks":
        sanity, injections = known.checks_of(
            copy.theirs / spec["sanity"] if spec["sanity"] else None,
            copy.theirs / spec["injections"] if spec["injections"] else None,
            f"config/judges/{judge}.yaml",
        )
        if cell == ["pairs"]:
            return chats.pair_chats(known.check_pairs(sanity), view)
        file = f"config/judges/{judge}.yaml"
        if "identification" in view:
            path = copy.theirs / spec["authors"] if spec["authors"] else None
            of_classes = known.authors_of(path, file, view["personas"])
        else:
            path = copy.theirs / spec["sanity_classes"] if spec["sanity_classes"] else None
            of_classes = known.class_answers(path, file)
        return chats.check_chats(known.check_answers(sanity, injections), of_classes, view)
    model, task, of = cell
    personas = copy.study.ranked if form == "list" else of.split(".vs.")
    responses = f"{read_by_judges(copy.study)}/{model}/{task}"
    prompts = copy.study.prompts_of(model, task)
    if task not in copy.study.tasks:
        view = copy.view(f"judges_of_rounds/{judge}")
    folders = (copy.path / responses, copy.path / prompts)
    cells, _ = answers.read_cells(*folders, personas, view.get("reads"))
    if form == "pairs":
        return chats.pair_chats(answers.paired(*cells.values()), view)
    if form == "list":
        return chats.list_chats(answers.listed(list(cells.values())), view)
    return chats.rating_chats(cells[of], view)


def asked_about_criteria(copy: Copy, judge: str, cell: Sequence[str]) -> pl.DataFrame:
    """The chats of a file of verdicts on criteria: of a cell, or of answers of known worth.

    Of items that the archive lacks it is taken from it how many criteria each has.
    """
    view, spec = copy.view(f"judge_criteria/{judge}"), copy.study.judges[judge]
    if cell == ["criteria"]:
        known_file = (spec["criteria"] or {}).get("sanity")
        said, asked = known.criteria_checks(
            copy.theirs / (known_file or ""), f"config/judges/{judge}.yaml"
        )
        return criteria.criterion_chats(said, asked, view)
    model, task, persona = cell
    items = copy.path / f"resources/datasets/{copy.study.tasks[task]['dataset']}.parquet"
    if items.is_file():
        asked = each_criterion(pl.read_parquet(items))
    else:
        verdicts = f"results/criteria/{judge}/{model}/{task}/{persona}.parquet"
        names = ("item_id", "number", "criterion", "points", "tags")
        asked = pl.read_parquet(copy.theirs / verdicts, columns=list(names))
        asked = asked.unique(["item_id", "number"], maintain_order=True)
    responses = copy.path / f"{read_by_judges(copy.study)}/{model}/{task}/{persona}.parquet"
    prompts = copy.path / copy.study.prompts_of(model, task) / f"{persona}.parquet"
    return criteria.criterion_chats(answers.read_answers(responses, prompts), asked, view)


def engine_told(copy: Copy, file: Answered, engine: dict[str, Any] | None) -> str | None:
    """How what computed a file contradicts the manifest and the configuration of the archive."""
    if file.model in copy.study.local_models:
        name = f"resources/models/{file.model}/manifest.json"
        manifest = crate.read_untrusted(copy.theirs / name, name)
        return contradictions.of_engine(engine, manifest, copy.view(f"engine/{file.model}"))
    source = copy.study.all_models[file.model]["source"]
    if engine != (expected := server_settings.describe(source)):
        return f"is of the server {engine!r}, but the configuration is of {expected}"
    return None


def check_words(copy: Copy, findings: Findings, rendered: set[str]) -> None:
    """Look for the words of the prompts in what models read, where that is not rendered here."""
    left: Counter[str] = Counter()
    templates = contradictions.Templates()
    for file in answered(copy.study):
        if file.first:
            told = templates.of_file(file.model, read_delivered(copy, file))
            told = None if told is None else f"{file.delivered} {told}"
            findings.agree("templates of models", told)
        if file.delivered in rendered:
            continue
        left[file.model] += 1
        if file.first:
            persona = Path(file.delivered).name
            told = contradictions.of_prompts(
                file.delivered,
                read_delivered(copy, file),
                pl.read_parquet(copy.path / f"results/prompts/{file.task}/{persona}"),
                LOCAL if file.model in copy.study.local_models else SERVER,
                copy.view(f"templates/{file.model}")["accepted_template_text"],
            )
            findings.agree("words of prompts as models read them", told)
    for model, n in left.items():
        findings.unchecked(
            f"{n} files of prompts of {model} against its template and its tokens: of them only "
            "words, hashes and keys are compared"
        )
