"""Index files of the response store: in which segment, and where in it, an answer stands.

An index file is written once and never changed: of a job's segment when the job closes it, and of
what a look-up had to read line by line. Whoever writes one merges those into it that are not much
larger and removes them, so that the number of index files grows with the logarithm of that of
the answers. An index is only a way to find lines, which carry their own checksums: without it, or
where it is damaged, the segments are read line by line and nothing is lost.

    blocks   of `BLOCK` records in the order of their keys
    head     first key of every block; its CRC-32; what of which segments is covered; their names
    trailer  numbers of records and of spans, length of the names, CRC-32 of head and trailer, name

All numbers are little-endian. Nothing is locked: names come from the content, files take them
by renaming, and two jobs that merge at once leave records twice, which the next merge drops.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..files import Closing, atomic_path

SUFFIX = ".index"
RECORD = np.dtype([("key", "<u8"), ("segment", "<u4"), ("length", "<u4"), ("offset", "<u8")])
_RECORD = struct.Struct("<QIIQ")
BLOCK = 128
# How many records a merge has in memory, and how many files it has open.
PART, FILES = 2**19, 64
_SPAN = np.dtype([("start", "<u8"), ("end", "<u8"), ("closed", "?")])
_COUNTS, _END = struct.Struct("<QQQ"), struct.Struct("<I8s")
_NAME = b"PPINDEX1"
_TAIL = 2**16
# Files that are smaller are always merged: to read and write them costs less than to open them.
_SMALL = 2**17

Records = npt.NDArray[np.void]
Numbers = npt.NDArray[np.uint64]


class Span(NamedTuple):
    """Bytes of a segment whose entries are all in an index.

    Attributes:
        segment: name of its file.
        start: offset of the first byte.
        end: offset behind the last one.
        closed: whether the segment ends there for ever. Then `start` is 0.
    """

    segment: str
    start: int
    end: int
    closed: bool


class UnusableError(Exception):
    """An index file that is gone, cannot be read or is damaged.

    Attributes:
        path: which.
        damaged: whether its content is wrong, so that it may be removed.
    """

    def __init__(self, path: Path, why: str, *, damaged: bool) -> None:
        super().__init__(f"{path} {why}")
        self.path = path
        self.damaged = damaged


def _number(key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "little")


def numbers(keys: Iterable[str]) -> Numbers:
    """What keys are sorted by, sorted, 64 bits each; several may share one, so compare the keys."""
    return np.array(sorted({_number(key.encode()) for key in keys}), "<u8")


def packed(key: bytes, segment: int, length: int, offset: int) -> bytes:
    """The record of an entry: key, number of the segment, length of the line and its offset."""
    return _RECORD.pack(_number(key), segment, length, offset)


def records(data: bytearray) -> Records:
    """Packed records as a table, a copy."""
    return np.array(np.frombuffer(data, RECORD))


def among(found: Records, keys: Numbers) -> Records:
    """The records of some keys' numbers, which are sorted and unique."""
    if not len(found) or not len(keys):
        return found[:0]
    place = np.searchsorted(keys, found["key"]).clip(max=len(keys) - 1)
    chosen: Records = found[keys[place] == found["key"]]
    return chosen


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same bytes in as few spans as possible, sorted."""
    result: list[Span] = []
    for span in sorted(set(spans)):
        last = result[-1] if result else None
        if last and last.segment == span.segment and span.start <= last.end:
            end, closed = max(last.end, span.end), last.closed or span.closed
            result[-1] = last._replace(end=end, closed=closed)
        else:
            result.append(span)
    return result


class IndexFile(Closing):
    """An index file, open for reading.

    Attributes:
        count: number of its records.
        names: segments of which it has records; a record's `segment` is a number in them.

    Raises:
        UnusableError: at any time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise UnusableError(path, str(error.strerror), damaged=False) from error
        try:
            self._read_head(os.fstat(self._file).st_size)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _read_head(self, size: int) -> None:
        tail = self._bytes(max(0, size - _TAIL), min(size, _TAIL))
        if len(tail) < _COUNTS.size + _END.size:
            raise self._damaged()
        counts, end = tail[: -_END.size][-_COUNTS.size :], tail[-_END.size :]
        self.count, n_spans, n_names = _COUNTS.unpack(counts)
        expected, name = _END.unpack(end)
        n_blocks = -(-self.count // BLOCK)
        head_size = n_blocks * 12 + n_spans * _SPAN.itemsize + n_names
        start = self.count * RECORD.itemsize
        if name != _NAME or start + head_size + len(counts) + len(end) != size:
            raise self._damaged()
        head = (
            tail[-head_size - len(counts) - len(end) :][:head_size]
            if head_size + len(counts) + len(end) <= len(tail)
            else self._bytes(start, head_size)
        )
        if zlib.crc32(counts, zlib.crc32(head)) != expected:
            raise self._damaged()
        self._first = np.frombuffer(head, "<u8", n_blocks)
        self._sums = np.frombuffer(head, "<u4", n_blocks, offset=n_blocks * 8)
        self._spans = np.frombuffer(head, _SPAN, n_spans, offset=n_blocks * 12)
        names = os.fsdecode(head[head_size - n_names :])
        self.names = names.split("/") if names else []

    def spans(self, *, closed: bool | None = None) -> list[Span]:
        """What it covers; of segments that are closed, or of others, only."""
        chosen = np.arange(len(self._spans))
        if closed is not None:
            chosen = chosen[self._spans["closed"] == closed]
        return [
            Span(self.names[number], *span)
            for number, span in zip(chosen.tolist(), self._spans[chosen].tolist(), strict=True)
        ]

    def closed(self) -> set[str]:
        """Names of the segments that it covers for ever."""
        return set(itertools.compress(self.names, self._spans["closed"].tolist()))

    def find(self, keys: Numbers) -> Records:
        """The records of some keys' numbers, which are sorted and unique."""
        first = (np.searchsorted(self._first, keys, "left") - 1).clip(0).tolist()
        last = (np.searchsorted(self._first, keys, "right") - 1).tolist()
        some = {n for low, high in zip(first, last, strict=True) for n in range(low, high + 1)}
        return among(self._blocks(sorted(some)), keys)

    def between(self, low: int, high: int) -> Records:
        """The records whose keys' numbers are from `low` to `high`, both included."""
        first = max(0, int(np.searchsorted(self._first, np.uint64(low), "left")) - 1)
        last = int(np.searchsorted(self._first, np.uint64(high), "right"))
        found = self._blocks(range(first, last))
        return found[(found["key"] >= np.uint64(low)) & (found["key"] <= np.uint64(high))]

    def _blocks(self, numbers: Sequence[int]) -> Records:
        size, total = BLOCK * RECORD.itemsize, self.count * RECORD.itemsize
        found = []
        for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
            adjacent = [number for _, number in run]
            start = adjacent[0] * size
            data = self._bytes(start, min((adjacent[-1] + 1) * size, total) - start)
            for i, number in enumerate(adjacent):
                if zlib.crc32(data[i * size : (i + 1) * size]) != self._sums[number]:
                    raise self._damaged()
            found.append(data)
        return np.frombuffer(b"".join(found), RECORD)

    def _bytes(self, start: int, size: int) -> bytes:
        # No memory map: where a network fails or a file is cut, that would kill the process.
        parts = []
        while size:
            try:
                part = os.pread(self._file, size, start)
            except OSError as error:
                raise UnusableError(self.path, str(error.strerror), damaged=False) from error
            if not part:
                raise self._damaged()
            parts.append(part)
            start, size = start + len(part), size - len(part)
        return b"".join(parts)

    def _damaged(self) -> UnusableError:
        return UnusableError(self.path, "is damaged", damaged=True)


def files(folder: Path) -> list[Path]:
    """The index files in a folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def add(folder: Path, found: Records, spans: Sequence[Span], unwanted: Iterable[Path] = ()) -> None:
    """Write what is found in `spans` to an index file, with the content of others.

    Args:
        folder: of the index files.
        found: the records, their `segment` a number in `spans`.
        spans: what they cover, joined.
        unwanted: damaged files, which are removed.

    Raises:
        OSError: the file cannot be written.
    """
    gone = set(unwanted)
    with ExitStack() as stack:
        merged = []
        for path in _mergeable(folder, len(found) * RECORD.itemsize, gone):
            with suppress(UnusableError):
                merged.append(stack.enter_context(IndexFile(path)))
        try:
            written = _write(folder, found, spans, merged)
        except UnusableError:
            # Whoever needs that file finds it, too; it must not keep others from being indexed.
            written, merged = _write(folder, found, spans, []), []
    for path in gone | {file.path for file in merged}:
        if path != written:
            path.unlink(missing_ok=True)


def _mergeable(folder: Path, size: int, gone: set[Path]) -> list[Path]:
    sizes = []
    for path in files(folder):
        with suppress(OSError):
            sizes.append((path.stat().st_size, path))
    chosen: list[Path] = []
    for one, path in sorted(sizes):
        # As a binary counter carries: a record is copied as often as its company grows by half.
        if one > max(2 * size, _SMALL) or len(chosen) == FILES:
            break
        if path not in gone:
            chosen.append(path)
            size += one
    return chosen


def _write(
    folder: Path, found: Records, spans: Sequence[Span], merged: Sequence[IndexFile]
) -> Path:
    covered = joined([*spans, *(span for file in merged for span in file.spans())])
    number = {span.segment: i for i, span in enumerate(covered)}
    table = np.array([span[1:] for span in covered], dtype=_SPAN).tobytes()
    names = os.fsencode("/".join(span.segment for span in covered))
    path = folder / f"{hashlib.sha256(names + table).hexdigest()[:32]}{SUFFIX}"

    def renumbered(some: Records, names: Sequence[str]) -> Records:
        some = some.copy()
        some["segment"] = np.array([number[name] for name in names])[some["segment"]]
        return some

    def parts() -> Iterator[Records]:
        own = renumbered(found, [span.segment for span in spans])
        total = len(found) + sum(file.count for file in merged)
        count = max(1, -(-total // PART))
        for i in range(count):
            low, high = (i << 64) // count, ((i + 1 << 64) // count) - 1
            some = [own[(own["key"] >= np.uint64(low)) & (own["key"] <= np.uint64(high))]]
            some += [renumbered(file.between(low, high), file.names) for file in merged]
            yield _unique(np.concatenate(some))

    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        first, sums, total = [], [], 0
        for block in _blocks(parts()):
            data = block.tobytes()
            file.write(data)
            first.append(int(block["key"][0]))
            sums.append(zlib.crc32(data))
            total += len(block)
        head = np.array(first, "<u8").tobytes() + np.array(sums, "<u4").tobytes() + table + names
        counts = _COUNTS.pack(total, len(covered), len(names))
        file.write(head + counts)
        file.write(_END.pack(zlib.crc32(counts, zlib.crc32(head)), _NAME))
    return path


def _unique(some: Records) -> Records:
    some = some[np.lexsort((some["offset"], some["segment"], some["key"]))]
    return some[np.append(True, some[1:] != some[:-1])] if len(some) else some


def _blocks(parts: Iterable[Records]) -> Iterator[Records]:
    rest = np.empty(0, RECORD)
    for part in parts:
        rest = np.concatenate([rest, part])
        whole = len(rest) - len(rest) % BLOCK
        for start in range(0, whole, BLOCK):
            yield rest[start : start + BLOCK]
        rest = rest[whole:]
    if len(rest):
        yield rest
