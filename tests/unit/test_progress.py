"""The line that says how far a run is, by events as Snakemake sends them."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from persona_paradox.progress import EVERY_S, Run, duration

CELLS, ANSWERING = {"generate"}, {"generate", "judge"}
WANTED = {"generate": 4, "score": 4, "plot": 1, "total": 9}


def event(kind: str, **about: object) -> logging.LogRecord:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, None, None, None)
    vars(record).update(event=kind, **about)
    return record


def begin(run: Run, number: int, rule: str, now: float, log: Path | None = None) -> None:
    logs = [] if log is None else [str(log)]
    run.take(event("job_info", jobid=number, rule_name=rule, log=logs), now)


def said(done: int, total: int, name: str = "a/b/c") -> str:
    """A line of `responses.respond`."""
    return f"{name}: {done} of {total} answers computed, 1.0 answers/s, 2 s left\n"


@pytest.fixture
def run() -> Run:
    made = Run(CELLS, ANSWERING)
    made.take(event("run_info", stats=dict(WANTED)), 100.0)
    return made


def test_before_anything_is_known_nothing_is_foretold(run: Run) -> None:
    run.look(100.0)
    assert run.line(100.0) == "0 of 4 cells | 0 of 9 jobs"
    begin(run, 1, "generate", 100.0)
    run.look(130.0)
    assert run.line(130.0) == "0 of 4 cells | 0 of 9 jobs"


def test_the_time_left_follows_from_what_took_how_long(run: Run) -> None:
    begin(run, 1, "generate", 100.0)
    run.take(event("job_finished", job_id=1), 700.0)
    # One of four took ten minutes, one at a time: half an hour for the others.
    assert run.line(700.0) == "1 of 4 cells | 1 of 9 jobs | at least 30 min left"
    begin(run, 2, "generate", 700.0)
    begin(run, 3, "generate", 700.0)
    run.take(event("job_finished", job_id=2), 1300.0)
    run.take(event("job_finished", job_id=3), 1300.0)
    # 1,800 s of work in 1,200 s of time: 600 s of work take 400 s.
    assert run.line(1300.0) == "3 of 4 cells | 3 of 9 jobs | at least 7 min left"


def test_a_job_that_runs_says_by_its_log_how_long_it_will_take(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    begin(run, 1, "generate", 100.0, log)
    run.look(100.0)
    log.write_text("a/b/c: 3 of 43 answers from the store\n" + said(10, 40) + said(20, 40)[:-9])
    run.look(110.0)
    # 10 of 40 in 10 s: 30 s more, and three more jobs of 40 s.
    assert run.line(110.0) == "0 of 4 cells | 0 of 9 jobs | 1.0 answers/s | at least 2 min left"
    with log.open("a") as file:
        file.write(said(20, 40)[-9:])
    run.look(120.0)
    assert "| 1.0 answers/s |" in run.line(120.0)


def test_answers_are_those_of_the_last_minute_over_all_jobs(run: Run, tmp_path: Path) -> None:
    logs = [tmp_path / name for name in "ab"]
    for number, log in enumerate(logs):
        log.write_text(said(5, 100))
        begin(run, number, "generate", 100.0, log)
    run.look(100.0)
    assert "answers/s" not in run.line(100.0)
    for log in logs:
        log.write_text(said(5, 100) + said(65, 100))
    run.look(130.0)
    assert "| 4.0 answers/s |" in run.line(130.0)
    # What a job had when it ended is not lost, and an hour later it is no speed any more.
    run.take(event("job_finished", job_id=0), 140.0)
    run.look(150.0)
    assert "| 2.4 answers/s |" in run.line(150.0)
    run.look(3700.0)
    run.look(3750.0)
    assert "answers/s" not in run.line(3750.0)


def test_a_job_that_failed_is_tried_again_with_a_new_log(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(said(30, 40))
    begin(run, 1, "generate", 100.0, log)
    run.look(101.0)
    run.take(event("job_error", jobid=1), 110.0)
    assert "0 of 9 jobs" in run.line(110.0)
    log.write_text(said(2, 40))
    begin(run, 1, "generate", 120.0, log)
    run.look(121.0)
    run.take(event("job_finished", job_id=1), 160.0)
    assert "1 of 4 cells | 1 of 9 jobs" in run.line(160.0)


def test_rules_are_known_by_what_they_write_and_by_the_store() -> None:
    class Rule:
        def __init__(self, name: str, output: str, shellcmd: str | None) -> None:
            self.name, self.output, self.shellcmd = name, [output], shellcmd

    store = '--store "$S"'
    rules = [
        Rule("generate", "results/responses/{m}.parquet", f"x {store} --responses {{output}}"),
        Rule("together", "results/together/{m}.json", f"x {store} --counts {{output}}"),
        Rule("judge", "results/verdicts/{m}.parquet", f"x {store} --responses {{output}}"),
        Rule("conclude", "results/responses/{m}.parquet", "x --responses {output}"),
        Rule("all", "", None),
    ]
    run = Run.of(rules, store)
    stats = {"generate": 1, "conclude": 1, "judge": 1, "together": 1}
    run.take(event("run_info", stats=stats), 0.0)
    assert run.line(0.0) == "0 of 2 cells | 0 of 4 jobs"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 min"), (89, "1 min"), (840, "14 min"), (3600, "1 h 0 min"), (100_000, "1 d 3 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_other_records_and_missing_logs_say_nothing(run: Run, tmp_path: Path) -> None:
    run.take(logging.LogRecord("snakemake", logging.INFO, "", 0, "words", None, None), 1.0)
    run.take(event("progress", done=3, total=9), 1.0)
    run.take(event("job_finished", job_id=99), 1.0)
    begin(run, 1, "score", 100.0, tmp_path / "none")
    run.look(101.0)
    assert run.line(101.0) == "0 of 4 cells | 0 of 9 jobs"


def test_it_costs_next_to_nothing(run: Run, tmp_path: Path) -> None:
    """An hour of two jobs takes seconds of the processor at most."""
    for number in range(2):
        log = tmp_path / str(number)
        log.write_text(said(1, 40) * 360)
        begin(run, number, "generate", 100.0, log)
    before = time.process_time()
    looks = round(3600 / EVERY_S)
    for second in range(looks):
        run.look(100.0 + second)
        run.line(100.0 + second)
    assert looks <= 3600
    assert time.process_time() - before < 10
