"""Gather what an adapter is trained on: prompts as its base reads them, and answers to them."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.data.values import DECODER, Object
from persona_paradox.engine.prepared import model_of
from persona_paradox.errors import InputError
from persona_paradox.kinds import base
from persona_paradox.names import OK
from persona_paradox.prompting.delivery import deliver, open_template
from persona_paradox.prompting.prompts import build_prompts
from persona_paradox.training.judged import valued

# What an example holds behind its prompt, by method.
COLUMNS: dict[str, dict[str, Any]] = {
    "sft": {"completion": pl.String},
    "dpo": {"chosen": pl.String, "rejected": pl.String},
    "kto": {"completion": pl.String, "label": pl.Boolean},
}
ABOUT = {"item_id": pl.String, "task": pl.String, "persona": pl.String, "prompt": pl.String}
_TYPES = {pl.String: str, pl.Boolean: bool}


def of_cell(
    cell: Sequence[str],
    task: Mapping[str, Any],
    paths: Mapping[str, Path],
    behaviour: str | None = None,
) -> pl.DataFrame:
    """The examples of a cell: every prompt that is run, with the reference behind it.

    Args:
        cell: ids of the model, the task and the persona.
        task: as the view has it.
        paths: `delivered`, what the base reads; `items`, the data set.
        behaviour: whose answer it is, of a kind of task that has several.
    """
    items = files.read_table(paths["items"])
    asked_for = task["answers"] | ({} if behaviour is None else {"behaviour": behaviour})
    answers = base.load(task["kind"], "training").completions(items, asked_for)
    # Behind a prefix a word begins with a blank, as in any text.
    prefix = task["answer_prefix"]
    blank = " " if prefix and not prefix[-1].isspace() else ""
    known = items.select("item_id", completion=blank + answers).drop_nulls()
    asked = prompts_of(cell, paths["delivered"])
    return asked.join(known, on="item_id", how="inner", maintain_order="left")


def prompts_of(cell: Sequence[str], delivered: Path) -> pl.DataFrame:
    """The prompts of a cell that are run, in the main wording: the columns of `ABOUT`."""
    run = (pl.col("variant") == "main") & (pl.col("status") == OK)
    return (
        files.read_table(delivered)
        .filter(run)
        .select(
            "item_id",
            pl.lit(cell[1]).alias("task"),
            pl.lit(cell[2]).alias("persona"),
            pl.col("text").alias("prompt"),
        )
    )


def of_answers(
    cell: Sequence[str], task: Mapping[str, Any], rule: str, method: str, paths: Mapping[str, Path]
) -> pl.DataFrame:
    """The examples of judged answers: of dpo one pair of a prompt, of kto every answer.

    An answer without a text, a verdict or a harm level is left out, and so is a prompt whose best
    and worst answers are worth the same, or an answer that is neither good nor bad.

    Args:
        cell: ids of the model, the task and the persona.
        task: as the view has it.
        rule: what an answer is worth.
        method: `dpo` or `kto`.
        paths: `delivered`, what the model read; `items`; `answers`; and `judgements` of these.
    """
    preference = base.load(task["kind"], "preference")
    tables = (files.read_table(paths[name]) for name in ("answers", "judgements", "items"))
    scored = valued(*tables, preference, rule).drop_nulls("score")
    if method == "kto":
        told = scored.filter(pl.col("score") != preference.EVEN)
        flag = pl.col("score") > preference.EVEN
        found = told.select("item_id", completion="text", label=flag)
    else:
        # Of several that are worth the same, the first that was given.
        best, worst = (
            scored.sort("item_id", "score", "repeat", descending=[False, down, False])
            .unique("item_id", keep="first", maintain_order=True)
            .rename({"text": name, "score": f"{name}_score"})
            for name, down in (("chosen", True), ("rejected", False))
        )
        both = best.join(worst, on="item_id", how="inner", maintain_order="left")
        differ = pl.col("chosen_score") > pl.col("rejected_score")
        found = both.filter(differ).select("item_id", "chosen", "rejected")
    asked = prompts_of(cell, paths["delivered"])
    return asked.join(found, on="item_id", how="inner", maintain_order="left")


def read_lines(path: Path, columns: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The examples of a file.

    Raises:
        InputError: a line is none; `name` is the adapter's file.
    """
    named = f"{name}: {path} (key `file`)"
    try:
        # Programs on Windows put a mark in front of the first line.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{named} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    if text.startswith("version https://git-lfs"):
        raise InputError(f"{named} is a pointer of Git LFS; fetch the file itself (git lfs pull)")
    # Other separators of lines may stand inside of a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _read_line(line, columns, f"{name}: line {number} of {path} (key `file`)")


def _read_line(line: str, columns: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        row = DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where} is not JSON ({error.msg.removesuffix(' at')}, character {error.pos + 1}); "
            "write one object on every line"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} has a value that is no text; mend it") from error
    wanted = {"prompt": str, **{key: _TYPES[of] for key, of in columns.items()}}
    if not isinstance(row, Object) or set(row) - {"system"} != set(wanted):
        raise InputError(
            f"{where} must be a JSON object with {', '.join(wanted)} and perhaps system; mend "
            "it, or change key `training.method`"
        )
    if row.twice:
        raise InputError(f"{where} has the key {min(row.twice)!r} twice; remove one")
    for key, kind in (wanted | {"system": str}).items():
        if key in row and (not isinstance(row[key], kind) or row[key] == ""):
            what = "true or false" if kind is bool else "text that is not empty"
            shown = getattr(row[key], "written", repr(row[key]))
            raise InputError(f"{where} has {shown} as {key}, which must be {what}; mend it")
        if any("\ud800" <= one <= "\udfff" for one in str(row.get(key, ""))):
            raise InputError(f"{where} has half a character in {key} (\\ud800 to \\udfff); mend it")
    return row


def of_file(path: Path, arguments: Namespace, columns: Mapping[str, Any]) -> pl.DataFrame:
    """The examples of a file, their prompts as the words of a user in the base's chat template."""
    rows = list(read_lines(path, columns, arguments.config_file))
    if not rows:
        raise InputError(
            f"{arguments.config_file}: key `file` names {path}, which has no examples; write some, "
            "or take the part out"
        )
    prompts = [
        build_prompts(
            pl.DataFrame({"item_id": [f"{path.stem}_{number}"], "case": [row["prompt"]]}),
            {"main": ""},
            {"instruction": row.get("system", ""), "user": "{case}"},
        )
        for number, row in enumerate(rows, start=1)
    ]
    view = files.read_json(arguments.template)
    with open_template(view, model_of(arguments.manifest), arguments.model_file) as opened:
        told = {"accepted": view["accepted_template_text"], "name": str(path)}
        read = deliver(pl.concat(prompts), *opened, answer_prefix="", **told)
    given = pl.DataFrame(rows, schema=columns)
    about = read.select(
        "item_id",
        pl.lit(None, pl.String).alias("task"),
        pl.lit(None, pl.String).alias("persona"),
        pl.col("text").alias("prompt"),
    )
    return about.hstack(given).filter(read["status"] == OK)


def main(arguments: Namespace) -> None:
    """Put the examples of all parts together."""
    view = files.read_json(arguments.view)
    columns = COLUMNS[view["method"]]
    parts, inputs = [], {"view": arguments.view}

    def paths_of(cell: Sequence[str]) -> dict[str, Path]:
        items = arguments.items / f"{view['tasks'][cell[1]]['dataset']}.parquet"
        return {"delivered": arguments.delivered / f"{'/'.join(cell)}.parquet", "items": items}

    taught = [(cell, None) for cell in view["cells"]]
    taught += [(cell, behaviour) for *cell, behaviour in view.get("taught", ())]
    for cell, behaviour in taught:
        paths = paths_of(cell)
        parts.append(of_cell(cell, view["tasks"][cell[1]], paths, behaviour))
        inputs |= {f"{name}.{'.'.join(cell)}": path for name, path in paths.items()}
    for *cell, judge, rule in view["judged"]:
        name = f"{'/'.join(cell)}.parquet"
        paths = paths_of(cell) | {
            "answers": arguments.answers / name,
            "judgements": arguments.judgements / judge / name,
        }
        parts.append(of_answers(cell, view["tasks"][cell[1]], rule, view["method"], paths))
        inputs |= {f"{one}.{'.'.join(cell)}.{judge}": path for one, path in paths.items()}
    for name in view["files"]:
        parts.append(of_file(Path(name), arguments, columns))
        inputs[f"file.{name}"] = Path(name)
    table = pl.concat([part.select(*ABOUT, *columns) for part in parts]).cast(ABOUT | columns)
    if table.is_empty() and not view.get("may_be_none"):
        raise InputError(
            f"{arguments.config_file}: key `data` leads to no example: no item has a reference, or "
            "no two answers are worth different; name other tasks, personas or a larger sample"
        )
    files.write_table(table, arguments.examples, inputs)
    cli.log.info("%d examples", table.height)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the adapter's training data",
        delivered="folder of what the base reads",
        answers="folder of answers",
        judgements="folder of what judges say of them, by judge",
        items="folder of data sets",
        template="view of the base's chat template",
        manifest="manifest of the base",
        examples="Parquet file to write",
    )
    options.add_argument("--config-file", required=True, help="the adapter's file in errors")
    options.add_argument("--model-file", required=True, help="the base's file in errors")
    cli.run(main, options)
