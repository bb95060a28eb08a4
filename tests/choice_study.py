"""A study of questions with options: as in the file, in a drawn order, moved, and in sets."""

from __future__ import annotations

from pathlib import Path

import yaml
from project import STUDY, Project, add_model, new_project

PERSONAS = ("no_persona", "ed_nurse", "bridge_engineer")
SAMPLED = 3

# Written for these tests: question, options, letters of the right ones, topic.
QUESTIONS = (
    ("Which number is even?", ("three", "four"), "B", "numbers"),
    ("Which number is odd?", ("two", "four", "five"), "C", "numbers"),
    ("Which numbers are primes?", ("two", "four", "five", "nine"), "AC", "numbers"),
    ("Which number is the largest?", ("ninety", "nine", "nineteen", "one", "zero"), "A", "numbers"),
    ("Which colour has the sky at noon?", ("blue", "green", "brown"), "A", "colours"),
    ("Which of these is a colour?", ("a chair", "red"), "B", "colours"),
    ("Which are colours of a traffic light?", ("red", "grey", "green"), "AC", "colours"),
    ("Which colour do blue and yellow make?", ("red", "black", "green", "white"), "C", "colours"),
    ("Which animal barks?", ("a cat", "a cow", "a dog", "a hen", "a fish"), "C", "animals"),
    ("Which animal has wings?", ("an owl", "a mouse"), "A", "animals"),
    ("Which animal swims?", ("a mole", "a hawk", "a trout", "a moth"), "C", "animals"),
    ("Which animals lay eggs?", ("a hen", "a duck", "a horse", "a goat"), "AB", "animals"),
)
MOST = 5

DATASET = {
    "title": "A small quiz",
    "description": "Twelve questions that were written for tests.",
    "origin": "teaching",
    "context": "quiz",
    "licence": {"id": "MIT", "redistribution": True},
    "source": {"kind": "bundled", "path": "resources/bundled/quiz.csv"},
    "format": {"kind": "csv", "separator": ";"},
    "columns": {
        "item_id": {"prefix": "quiz_"},
        "case": {"column": "question"},
        "options": {"columns": list("ABCDE")},
        "reference": {"column": "key"},
        "keep": ["topic"],
        "stratum": "topic",
    },
    "subgroups": [{"id": "subject", "title": "Topic", "column": "topic"}],
}
TASK = {
    "title": "Quiz",
    "kind": "choice",
    "dataset": "quiz",
    "instruction": "Choose one of the options.",
    "user": "{case}\n\n{options}\n\nReply with the letter.",
    "null_cases": ["N/A"],
    "decoding": {
        "max_tokens": 1,
        "grammar": "root ::= [A-F]",
        "sampled": {"answers": SAMPLED, "temperature": 1.0},
    },
    "arms": {
        "rotated": {"title": "rotated", "rule": "order", "rotate": 1},
        "drawn": {"title": "drawn", "rule": "order", "shuffle": True, "seed": 11},
    },
}
SHUFFLED = {key: value for key, value in TASK.items() if key != "arms"} | {
    "title": "Quiz, shuffled",
    "order": "shuffled",
    "verbalized": {"question": "How sure are you, from 0 to 100?"},
}
SETS = {key: value for key, value in TASK.items() if key not in ("arms", "null_cases")} | {
    "title": "Quiz, all right ones",
    "select": "all",
    "instruction": "Name all options that are right.",
    "decoding": {"max_tokens": 8, "grammar": 'root ::= [A-E] (", " [A-E])?'},
}
TASKS = {"quiz": TASK, "quiz_shuffled": SHUFFLED, "quiz_sets": SETS}


def choice_study(path: Path, **change: object) -> Project:
    """A project with the quiz and its tasks; nothing has run."""
    project = new_project(path)
    # Its answers differ by persona.
    add_model(project, seed=1)
    rows = [
        ";".join([question, *options, *[""] * (MOST - len(options)), key, topic])
        for question, options, key, topic in QUESTIONS
    ]
    text = "\n".join([f"question;{';'.join('ABCDE')};key;topic", *rows]) + "\n"
    (path / "resources/bundled/quiz.csv").write_text(text)
    study = STUDY | {"personas": [*PERSONAS], "limit": None, "figures": "all", "tables": "all"}
    study |= {"tasks": ["quiz@all", "quiz_shuffled", "quiz_sets"]}
    files = {"datasets/quiz": DATASET, "config": study | change}
    files |= {f"tasks/{id_}": task for id_, task in TASKS.items()}
    for file, content in files.items():
        text = yaml.safe_dump(content, sort_keys=False)
        (path / f"config/{file}.yaml").write_text(text)
    return project
