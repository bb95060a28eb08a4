"""The response store: answers by their key, whoever asked for them.

An answer is a pure function of its key, so one that was computed once never needs to be
computed again. A store is a folder of segments: files of one answer per line, each written by
one job and by no other, so that jobs never wait for each other, on any file system. A line is

    <key> <SHA-256 of key and value, 16 digits> <value as JSON>

and is written in one call when the answer ends. Segments are never changed, so a job that
is killed leaves whole lines and at most one broken one; a broken line is as good as missing. The
answer is then computed anew and stored in the new job's segment.

Index files (`store_index`) say where answers stand, so that a look-up reads what it looks for and
little else. What they do not cover, as the segment of a job that runs or was killed, is read
line by line; what they point to counts only where the line's own checksum and key say so.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import Closing
from . import store_index
from .store_index import IndexFile, Span, UnusableError

log = logging.getLogger("persona_paradox")

SUFFIX = ".answers"
INDEX = "index"  # folder of a scope's index files
# Stands first in every segment. Another version is another format: its answers are misses.
_NAME = b"persona-paradox answers "
HEADER = _NAME + b"1\n"
COMMAND = "python workflow/scripts/store.py"
_KEY, _CHECK = 64, 16
# Entries that a look-up may read line by line without writing an index of them.
FEW = 256
# Lines that are as near as this are read in one call.
_GAP = 4096
# How often a scope is listed anew where it is shrunk meanwhile.
_TRIES = 5


class Store(Closing):
    """The answers of one scope, a part of the store that is read together.

    Args:
        root: the folder of the store.
        scope: hexadecimal digits that answers which are looked up together have in common.
    """

    def __init__(self, root: Path, scope: str) -> None:
        self.folder = root / scope[:2] / scope
        self._index = self.folder / INDEX
        self._segment: int | None = None
        # Name and length of the segment that is being written, and records of its entries.
        self._name, self._end, self._written = "", 0, bytearray()

    def find(self, keys: set[str]) -> dict[str, dict[str, Any]]:
        """The stored answers among `keys`; a damaged entry is reported and counts as missing.

        What no index covers is read line by line, and indexed where it is much.
        """
        found: dict[str, dict[str, Any]] = {}
        seen = self._look_up(keys)
        for (path, _), line in sorted(seen.good.items()):
            key, value = _parsed(line)
            if found.setdefault(key, value) != value:
                log.warning(
                    "store: %s has another answer to %s than the segments before it; "
                    "`snakemake results/audit/invariance.csv` shows what varies",
                    path,
                    key,
                )
        if seen.damaged:
            others = self._look_up({damage.key for damage in seen.damaged if damage.key})
            good = {_parsed(line)[0] for line in others.good.values()}
            for damage in seen.damaged:
                # Healed already where another segment has the same answer.
                if damage.key not in good:
                    log.warning("store: %s; it is not used (%s shrink removes it)", damage, COMMAND)
        return found

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Store an answer; it is safe from the end of this process when the call returns."""
        line = entry(key, value)
        with self._named():
            if self._segment is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                self._name = f"{uuid.uuid4().hex}{SUFFIX}"
                self._segment = os.open(self.folder / self._name, flags, 0o666)
                _write(self._segment, HEADER)
                self._end = len(HEADER)
            _write(self._segment, line)
        self._written += store_index.packed(key.encode(), 0, len(line), self._end)
        self._end += len(line)

    def close(self) -> None:
        """Bring what was stored to the disk, and write its index."""
        if self._segment is None:
            return
        segment, self._segment = self._segment, None
        # On a network a full disk may show only here.
        with self._named():
            try:
                os.fsync(segment)
                as_written = os.fstat(segment).st_size == self._end
            finally:
                os.close(segment)
        if as_written:
            self._add_to_index(self._written, [Span(self._name, 0, self._end, closed=True)])
        self._name, self._written = "", bytearray()

    def _look_up(self, keys: set[str]) -> _Seen:
        seen = _Seen(set())
        for _ in range(_TRIES if keys else 0):
            seen = self._look_once(keys)
            if not seen.gone:
                break
        return seen

    def _look_once(self, keys: set[str]) -> _Seen:
        seen = _Seen(keys)
        # The index first: what is stored while it is read is then in segments that are listed.
        indexed = self._indexed(keys)
        names = _names(self.folder)
        new = bytearray()
        spans: list[Span] = []
        for name in sorted(names - indexed.closed):
            segment = Segment(self.folder / name, indexed.covered.get(name, 0))
            new += seen.add_all(segment, len(spans))
            if segment.whole > segment.start:
                spans.append(Span(name, segment.start, segment.whole, closed=False))
        for name in sorted(names & indexed.lines.keys()):
            seen.add_some(self.folder / name, indexed.lines[name])
        if indexed.damaged or len(new) > FEW * store_index.RECORD.itemsize:
            self._add_to_index(new, spans, indexed.damaged)
        return seen

    def _indexed(self, keys: set[str]) -> _Indexed:
        numbers = store_index.numbers(keys)
        unusable: dict[Path, bool] = {}
        while True:
            found = _Indexed()
            found.closed.add(self._name)
            found.add(store_index.among(store_index.records(self._written), numbers), [self._name])
            partial: list[Span] = []
            try:
                for path in store_index.files(self._index):
                    if path not in unusable:
                        with IndexFile(path) as file:
                            found.add(file.find(numbers), file.names)
                            found.closed |= file.closed()
                            partial += file.spans(closed=False)
            except UnusableError as error:
                # Merged away since it was listed, so that another has its content; or damaged.
                unusable[error.path] = error.damaged
                if error.damaged:
                    log.warning("store: %s; the segments are read and indexed anew", error)
            else:
                spans = store_index.joined(partial)
                found.covered = {span.segment: span.end for span in spans if span.start == 0}
                found.damaged = [path for path, damaged in unusable.items() if damaged]
                return found

    def _add_to_index(
        self, records: bytearray, spans: Sequence[Span], unwanted: Sequence[Path] = ()
    ) -> None:
        try:
            store_index.add(self._index, store_index.records(records), spans, unwanted)
        except OSError as error:
            log.info("store: %s has no new index: %s", self.folder, error.strerror)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from error


# Offset and length.
Line = tuple[int, int]


@dataclass
class _Indexed:
    """What the index says.

    Attributes:
        lines: segment → where it has lines of the keys, or of others with the same number.
        closed: segments of which it has all lines that there will ever be.
        covered: of other segments, offset up to which it has all lines.
        damaged: its damaged files.
    """

    lines: dict[str, set[Line]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    covered: dict[str, int] = field(default_factory=dict)
    damaged: list[Path] = field(default_factory=list)

    def add(self, records: store_index.Records, names: Sequence[str]) -> None:
        for _, segment, length, offset in records.tolist():
            self.lines.setdefault(names[segment], set()).add((offset, length))


@dataclass(frozen=True)
class Damage:
    """What is wrong where; the key that the entry seems to have had, if any."""

    where: str
    what: str
    key: str | None = None

    def __str__(self) -> str:
        """Place and finding."""
        return f"{self.where} {self.what}"


class Segment:
    """Iterates over the good entries of a segment, as (key, value).

    Args:
        path: the file.
        start: where to begin, the offset of a line.

    Attributes:
        damaged: after the iteration, what else was found.
        whole: offset up to which there is nothing else.
        gone: whether there is no such file.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        self.start = self.whole = start
        self.damaged: list[Damage] = []
        self.gone = False

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Read the file line by line."""
        for _, line in self.lines():
            yield _parsed(line)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The good entries as they stand there, with their offsets."""
        try:
            if self.start and self.path.stat().st_size <= self.start:
                return
            file = open(self.path, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            # Shrunk away since the folder was listed; what it held is in another segment.
            self.gone = True
            return
        with file:
            offset = file.seek(self.start)
            for number, line in enumerate(file, start=1):
                if offset == 0 and line.startswith(_NAME) and line != HEADER:
                    self.damaged.append(Damage(str(self.path), "has the format of another version"))
                    return
                if line == HEADER or _is_good(line):
                    if self.whole == offset:
                        self.whole += len(line)
                    if line != HEADER:
                        yield offset, line
                else:
                    whole = line.endswith(b"\n")
                    self.damaged.append(
                        Damage(
                            f"{self.path}, line {self._before() + number}",
                            "is damaged" if whole else "ends in the middle of an entry",
                            line[:_KEY].decode(errors="replace"),
                        )
                    )
                offset += len(line)

    def _before(self) -> int:
        """Number of lines before the start."""
        if not self.start:
            return 0
        with open(self.path, "rb") as file:
            return file.read(self.start).count(b"\n")


class _Seen:
    """What a look-up has seen.

    Attributes:
        good: segment and offset → good line of one of the keys.
        damaged: what else, as keys, in the order in which it was seen.
        gone: whether a segment was shrunk away meanwhile.
    """

    def __init__(self, keys: set[str]) -> None:
        self._keys = {key.encode() for key in keys}
        self.good: dict[tuple[Path, int], bytes] = {}
        self.damaged: dict[Damage, None] = {}
        self.gone = False

    def add_all(self, segment: Segment, number: int = 0) -> bytearray:
        """Read line by line; records of the entries before the first damage, for the index."""
        new = bytearray()
        for offset, line in segment.lines():
            self._add(segment.path, offset, line)
            if segment.whole > offset:
                new += store_index.packed(line[:_KEY], number, len(line), offset)
        self.damaged.update(dict.fromkeys(segment.damaged))
        self.gone |= segment.gone
        return new

    def add_some(self, path: Path, lines: set[Line]) -> None:
        """Read some lines, and all where one of them is not what the index says."""
        try:
            found = _lines_at(path, lines | {(0, len(HEADER))})
        except FileNotFoundError:
            self.gone = True
            return
        if found.pop(0) != HEADER or not all(map(_is_good, found.values())):
            self.add_all(Segment(path))
            return
        for offset, line in found.items():
            self._add(path, offset, line)

    def _add(self, path: Path, offset: int, line: bytes) -> None:
        if line[:_KEY] in self._keys:
            self.good[path, offset] = line


def _lines_at(path: Path, lines: set[Line]) -> dict[int, bytes]:
    """Offset → what stands there in a segment; less than the length where the file ends."""
    runs: list[list[Line]] = []
    end = -_GAP - 1
    for offset, length in sorted(lines):
        if offset - end > _GAP:
            runs.append([])
        runs[-1].append((offset, length))
        end = max(end, offset + length)
    found = {}
    with open(path, "rb") as file:
        for run in runs:
            start = file.seek(run[0][0])
            data = file.read(run[-1][0] + run[-1][1] - start)
            for offset, length in run:
                found[offset] = data[offset - start : offset - start + length]
    return found


def _write(file: int, data: bytes) -> None:
    # A call may write a part, on a disk that is almost full.
    while data:
        data = data[os.write(file, data) :]


def _names(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if name.endswith(SUFFIX)}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def segments(folder: Path) -> list[Path]:
    """The segments of a scope, sorted."""
    return sorted(folder / name for name in _names(folder))


def entry(key: str, value: dict[str, Any]) -> bytes:
    """A line of a segment."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return _line(key.encode(), text.encode())


def _line(key: bytes, text: bytes) -> bytes:
    check = hashlib.sha256(key + b" " + text).hexdigest()[:_CHECK]
    return b"%s %s %s\n" % (key, check.encode(), text)


def _is_good(line: bytes) -> bool:
    return line == _line(line[:_KEY], line[_KEY + _CHECK + 2 : -1])


def _parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    value: dict[str, Any] = json.loads(line[_KEY + _CHECK + 2 : -1])
    return line[:_KEY].decode("ascii"), value


def shrink(root: Path, wanted: set[str]) -> dict[str, int]:
    """Keep only the answers whose keys are wanted, each once, one segment per scope.

    Meant for a store that no job writes to: what a job stores meanwhile may be lost.

    Returns:
        Counts: `kept`, `removed`, `damaged` entries.
    """
    counts = {"kept": 0, "removed": 0, "damaged": 0}
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir()):
        old = segments(folder)
        # Before the segments that it points to; without it they are read line by line.
        shutil.rmtree(folder / INDEX, ignore_errors=True)
        kept: dict[str, dict[str, Any]] = {}
        total = 0
        for path in old:
            lines = Segment(path)
            for key, value in lines:
                total += 1
                if key in wanted:
                    kept.setdefault(key, value)
            counts["damaged"] += len(lines.damaged)
        with Store(root, folder.name) as merged:
            for key in sorted(kept):
                merged.put(key, kept[key])
        counts["kept"] += len(kept)
        counts["removed"] += total - len(kept)
        # The new segment is on the disk: the old ones may go.
        for path in old:
            path.unlink(missing_ok=True)
    return counts
