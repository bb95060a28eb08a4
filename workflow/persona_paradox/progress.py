"""How far a run is, in one line at the foot of the terminal: cells, answers per second, time left.

Snakemake tells its loggers which jobs start and end, by the events of its interface for logger
plugins (https://github.com/snakemake/snakemake-interface-logger-plugins). How many answers a job
has, it writes to its log every few seconds (`responses.respond`); that is read here, once a
second. A plugin would have to be installed before Snakemake starts; a handler need not.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

EVERY_S = 1.0
# Answers per second are those of the last minute: what a run does now, not what it did at first.
WINDOW_S = 60.0
_ANSWERED = re.compile(r"^(.+): (\d+) of (\d+) answers computed", re.MULTILINE)


@dataclass
class _Job:
    """A job that has started.

    Attributes:
        rule: its rule.
        log: its log, if it has one.
        started: when, on the clock of the run.
        answers: cell in the log → answers computed, and to compute.
    """

    rule: str
    log: Path | None
    started: float
    answers: dict[str, tuple[int, int]] = field(default_factory=dict)
    _read: int = 0

    def look(self) -> None:
        """Read what its log has had since the last look; a log that is not there says nothing."""
        if self.log is None:
            return
        try:
            with self.log.open("rb") as file:
                # A job that is tried again begins its log anew.
                if file.seek(0, os.SEEK_END) < self._read:
                    self._read = 0
                file.seek(self._read)
                new = file.read()
        except OSError:
            return
        # A line that is being written is read with the next look.
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for name, done, total in _ANSWERED.findall(whole.decode("utf-8", "replace")):
            self.answers[name] = int(done), int(total)

    @property
    def n_answers(self) -> int:
        """Answers computed so far."""
        return sum(done for done, _ in self.answers.values())

    def seconds(self, now: float) -> float | None:
        """How long it takes in all, from what its log says so far; None as long as that is nothing.

        The time to load a model counts as if it went on: an overestimate at first.
        """
        total = sum(total for _, total in self.answers.values())
        return (now - self.started) * total / self.n_answers if self.n_answers else None


class Run:
    """What a run has done and has left to do, by the events of Snakemake.

    Args:
        cells: rules that write the responses of a cell.
        answering: rules whose jobs answer the prompts of one cell each.
    """

    def __init__(self, cells: Collection[str], answering: Collection[str]) -> None:
        self._cells, self._answering = cells, answering
        self._wanted: dict[str, int] = {}
        self._done: dict[str, list[float]] = {}
        self._running: dict[int, _Job] = {}
        self._answers = 0
        self._busy = 0.0
        self._started = 0.0
        self._seen: deque[tuple[float, int]] = deque()

    @classmethod
    def of(cls, rules: Iterable[Any], store: str) -> Run:
        """From the rules of a workflow.

        Args:
            rules: with `name`, `output` and `shellcmd`.
            store: what stands in the command of a rule that uses the response store.
        """
        cells, answering = set(), set()
        for rule in rules:
            if any(str(file).startswith("results/responses/") for file in rule.output):
                cells.add(rule.name)
            # Of several cells at once it is not known how many answers are to come.
            if store in (rule.shellcmd or "") and "--responses" in rule.shellcmd:
                answering.add(rule.name)
        return cls(cells, answering)

    def take(self, record: logging.LogRecord, now: float) -> None:
        """Take in an event of Snakemake; other records say nothing about a run.

        Args:
            record: of Snakemake's logger.
            now: seconds on a clock that only goes forward.
        """
        event = getattr(record, "event", None)
        if event == "run_info":
            counts = {rule: n for rule, n in vars(record)["stats"].items() if rule != "total"}
            self._wanted, self._started = counts, now
        elif event == "job_info":
            logs = vars(record)["log"]
            log = Path(logs[0]) if logs else None
            self._running[vars(record)["jobid"]] = _Job(vars(record)["rule_name"], log, now)
        elif event == "job_finished" and (job := self._end(vars(record)["job_id"], now)):
            self._done.setdefault(job.rule, []).append(now - job.started)
        elif event == "job_error":
            self._end(vars(record)["jobid"], now)

    def _end(self, jobid: int, now: float) -> _Job | None:
        job = self._running.pop(jobid, None)
        if job is not None:
            job.look()
            self._answers += job.n_answers
            self._busy += now - job.started
        return job

    def look(self, now: float) -> None:
        """Read the logs of the running jobs."""
        for job in self._running.values():
            job.look()
        answers = self._answers + sum(job.n_answers for job in self._running.values())
        self._seen.append((now, answers))
        while now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()

    def line(self, now: float) -> str:
        """The run in a line, such as
        `12 of 60 cells | 80 of 412 jobs | 3.4 answers/s | at least 14 min left`.

        Cells stand there if any are to be answered, answers if any were computed lately, and the
        time as soon as it is known what an answering job takes. It is a least time, because kinds
        of jobs of which none has ended, such as tables, are not in it.
        """
        parts = []
        cells = sum(self._wanted.get(rule, 0) for rule in self._cells)
        if cells:
            parts.append(f"{sum(len(self._done.get(r, ())) for r in self._cells)} of {cells} cells")
        done, wanted = sum(map(len, self._done.values())), sum(self._wanted.values())
        parts.append(f"{done} of {wanted} jobs")
        if rate := self._rate():
            parts.append(f"{rate:.1f} answers/s")
        if (left := self._left(now)) is not None:
            parts.append(f"at least {duration(left)} left")
        return " | ".join(parts)

    def _rate(self) -> float:
        """Answers per second, lately."""
        if len(self._seen) < 2:
            return 0.0
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - then)

    def _left(self, now: float) -> float | None:
        """Seconds of work left, by as many jobs at a time as there were so far."""
        busy = self._busy + sum(now - job.started for job in self._running.values())
        work = 0.0
        for rule, wanted in self._wanted.items():
            running = [job for job in self._running.values() if job.rule == rule]
            took = list(self._done.get(rule, ()))
            waiting = wanted - len(took) - len(running)
            unknown = []
            for job in running:
                seconds = job.seconds(now) if rule in self._answering else None
                if seconds is None:
                    unknown.append(job)
                else:
                    took.append(seconds)
                    work += seconds - (now - job.started)
            if took:
                mean = sum(took) / len(took)
                work += waiting * mean
                work += sum(max(0.0, mean - (now - job.started)) for job in unknown)
            elif rule in self._answering and wanted:
                return None
        return work * (now - self._started) / busy if work and busy else None


def duration(seconds: float) -> str:
    """A length of time in words, to the minute."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "1 min"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


class Footer:
    """The last row of a terminal, kept apart from what scrolls above it.

    By the scrolling region of VT100 terminals (DECSTBM), so that jobs that write to the terminal
    by themselves stay above the row, too.

    Args:
        stream: a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._file = stream.fileno()
        self._size: os.terminal_size | None = None

    def show(self, text: str) -> None:
        """Show a text, cut to the width."""
        size = os.get_terminal_size(self._file)
        start = ""
        if size != self._size:
            # A new line first: the cursor must not stand in the row that is taken away.
            start = f"\n\x1b[A\x1b7\x1b[1;{max(1, size.lines - 1)}r\x1b8"
            self._size = size
        self._write(f"{start}\x1b7\x1b[{size.lines};1H\x1b[2K{text[: size.columns - 1]}\x1b8")

    def close(self) -> None:
        """Give the row back."""
        if self._size is not None:
            self._write(f"\x1b7\x1b[{self._size.lines};1H\x1b[2K\x1b[r\x1b8")
            self._size = None

    def _write(self, text: str) -> None:
        # In one call, so that nothing of a job comes in between.
        os.write(self._file, text.encode())


class Progress(logging.Handler):
    """A handler of Snakemake's logger that shows how far a run is, from `start` to `stop`.

    Args:
        stream: the terminal.
        run: what it shows.
    """

    def __init__(self, stream: TextIO, run: Run) -> None:
        super().__init__()
        self._run, self._footer = run, Footer(stream)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Take in an event; the logging module holds this handler's lock meanwhile."""
        self._run.take(record, time.monotonic())

    def start(self) -> None:
        """Begin to show."""
        atexit.register(self.stop)
        self._thread.start()

    def stop(self) -> None:
        """Give the row back; what is called again does nothing."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        try:
            while True:
                with self.lock:  # type: ignore[union-attr]
                    self._run.look(time.monotonic())
                    line = self._run.line(time.monotonic())
                self._footer.show(line)
                if self._ended.wait(EVERY_S):
                    break
        except OSError:
            # The terminal was closed; the run goes on.
            return
        self._footer.close()


def is_terminal(*streams: TextIO) -> bool:
    """Whether all streams go to a terminal that knows where its cursor is."""
    return os.environ.get("TERM", "dumb") != "dumb" and all(stream.isatty() for stream in streams)
