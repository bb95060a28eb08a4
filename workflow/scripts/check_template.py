"""See how a model's chat template would deliver a persona, before its weights are downloaded.

    python workflow/scripts/check_template.py chat_template.jinja
    python workflow/scripts/check_template.py --brief model.gguf tokenizer_config.json my_model

Exit status 1 where one of them would be refused, or cannot be read.
"""

import multiprocessing
import os
import sys
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli
from persona_paradox.errors import InputError, printable
from persona_paradox.prompting.template_check import Delivery
from persona_paradox.study.template_files import checked

# Files of text, which llama.cpp does not read.
PLAIN = (".jinja", ".json")
ROLES = {
    "native": "native: the persona stands in a system turn",
    "folded": "folded: the template has no system turn, and the persona leads the user's message",
}
THOUGHTS = {
    "none": "none: no thought is opened",
    "empty": "empty: the template writes a thought without a word",
    "closed": "closed: a thought is opened, and closed at once without a word",
    "open": "open: the model thinks before it answers",
}


def brief(found: Delivery) -> str:
    """What there is to say, in a line."""
    more = [] if found.thought == "none" else [f"thought {found.thought}"]
    more += ["date frozen"] if found.date != "none" else []
    more += ["text of its own accepted"] if found.foreign_text else []
    more += [] if found.opens_turn else ["no turn for the answer"]
    more += ["no second turn"] if found.second_turn is not None else []
    return ", ".join([found.system_role, *more])


def full(found: Delivery) -> list[str]:
    """What there is to say, line by line."""
    lines = [ROLES[found.system_role], f"thought: {THOUGHTS[found.thought]}"]
    if found.date != "none":
        lines.append(f"date: the template prints today's, {found.date}")
    if found.foreign_text:
        lines.append(f"text of its own, accepted: {printable(found.foreign_text)}")
    if not found.opens_turn:
        lines.append("turn: the template opens no turn for the answer")
    if found.second_turn is not None:
        lines.append(f"second turn: none ({found.second_turn})")
    lines.append(f"prompt: {printable(found.prompt)}")
    lines.append(f"baseline, without a system text: {printable(found.baseline)}")
    return lines


def found_apart(what: str, bos: str, eos: str) -> Delivery:
    """How a template delivers, as a process of its own finds it.

    llama.cpp aborts the process that reads some damaged files.
    """
    # Processes that are forked could inherit a lock of polars' threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_be_silent) as pool:
        try:
            return pool.submit(checked, what, bos, eos).result()
        except BrokenProcessPool as error:
            raise InputError(
                f"{what}: llama.cpp broke down while it read the model's tokens, as it does where "
                "a file is damaged; download the file again, or use another build of the model"
            ) from error


def _be_silent() -> None:
    """Keep what a process says that breaks down from the terminal, and spare it a debugger."""
    os.environ["GGML_NO_BACKTRACE"] = "1"
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())


def main(arguments: Namespace) -> None:
    """Check every template."""
    refused = False
    for what in arguments.templates:
        try:
            how = checked if Path(what).suffix in PLAIN else found_apart
            found = how(what, arguments.bos, arguments.eos)
        except InputError as error:
            refused = True
            print(f"refused: {error}")
            continue
        if arguments.brief:
            print(printable(f"{what}: {brief(found)}"))
        else:
            print(printable(f"{what}:"), *full(found), sep="\n  ")
    if refused:
        sys.exit(1)


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument(
        "templates",
        nargs="+",
        metavar="TEMPLATE",
        help="a Jinja file, a GGUF file, a tokenizer_config.json or chat_template.json, or the id "
        "of a model in config/models/",
    )
    options.add_argument("--brief", action="store_true", help="one line for each")
    options.add_argument(
        "--bos", default="<s>", help="text of the first token, where no file says it (<s>)"
    )
    options.add_argument(
        "--eos", default="</s>", help="text of the last token, where no file says it (</s>)"
    )
    cli.run(main, options)
