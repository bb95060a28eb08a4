"""The index of the response store: no answer is lost or wrong by it, whatever happens to it."""

from __future__ import annotations

import errno
import itertools
import logging
import multiprocessing
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from store_reference import (
    SCOPE,
    Answers,
    answers,
    find,
    index_files,
    key_of,
    put,
    read_plainly,
    value_of,
    without_index,
)

from persona_paradox.engine import store, store_index
from persona_paradox.engine.store import HEADER, INDEX, Segment, Store, segments, shrink
from persona_paradox.engine.store_index import IndexFile, Span

SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def logged() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler = Handler(logging.WARNING)
    store.log.addHandler(handler)
    try:
        yield messages
    finally:
        store.log.removeHandler(handler)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes with which a few answers are many."""
    make_small(monkeypatch)


def make_small(patch: pytest.MonkeyPatch) -> None:
    """The same, and no wait for the disk."""
    for module, name, value in (
        (os, "fsync", lambda _: None),
        (store, "FEW", 2),
        (store_index, "BLOCK", 3),
        (store_index, "PART", 8),
        (store_index, "FILES", 3),
        (store_index, "_SMALL", 300),
        (store_index, "_TAIL", 100),
    ):
        patch.setattr(module, name, value)


@pytest.fixture
def segments_closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After the call nobody reads a segment line by line."""

    def refuse(self: Segment) -> Iterator[Any]:
        raise AssertionError(f"{self.path} is read line by line")

    return lambda: monkeypatch.setattr(Segment, "lines", refuse)


# --- anything in any order ----------------------------------------------------------------

numbers = st.lists(st.integers(0, 15), min_size=1, max_size=8)
places = st.floats(0, 1, exclude_max=True)


class AnyStore(RuleBasedStateMachine):
    """Jobs that write, end and die, and all that may happen to files between them.

    After every step all answers are looked up, by a job that begins and by one that writes. What a
    plain reading of the segments finds is found; whatever is found was stored; and what was
    stored and is not found has been reported, but where a file was cut behind a line.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        make_small(self.patch)
        # The same names in every run, but not in the order of their segments.
        made = itertools.count()
        self.patch.setattr(store.uuid, "uuid4", lambda: uuid.UUID(key_of(next(made))[:32]))
        self.writers: list[Store] = []
        self.stored: dict[str, list[dict[str, Any]]] = {}
        self.cut = False
        self.kept: dict[Path, bytes] = {}

    def teardown(self) -> None:
        for writer in self.writers:
            writer.close()
        self.patch.undo()
        shutil.rmtree(self.root)

    def ended(self) -> list[Path]:
        """Segments that nobody writes to."""
        mine = {writer._name for writer in self.writers}
        return [path for path in segments(Store(self.root, SCOPE).folder) if path.name not in mine]

    def check(self) -> None:
        plain = read_plainly(self.root)
        everything = {key_of(number) for number in range(17)}
        for reader in (Store(self.root, SCOPE), *self.writers):
            with logged() as said:
                found = reader.find(everything)
            assert plain.keys() <= found.keys()
            assert all(value in self.stored[key] for key, value in found.items())
            assert self.cut or said or self.stored.keys() <= found.keys()

    @rule(keys=numbers, other=st.booleans())
    def store_some(self, keys: list[int], other: bool) -> None:
        """By the last job that writes, or a new one."""
        if not self.writers:
            self.writers.append(Store(self.root, SCOPE))
        for number in keys:
            value = value_of(number, "other" * other)
            self.writers[-1].put(key_of(number), value)
            self.stored.setdefault(key_of(number), []).append(value)
        self.check()

    @rule()
    def begin(self) -> None:
        self.writers.append(Store(self.root, SCOPE))

    @precondition(lambda self: self.writers)
    @rule(which=places)
    def end(self, which: float) -> None:
        self.writers.pop(int(which * len(self.writers))).close()
        self.check()

    @precondition(lambda self: any(writer._segment is not None for writer in self.writers))
    @rule(which=places, lost=st.integers(0, 90))
    def kill(self, which: float, lost: int) -> None:
        """The system closes its files; an answer may have been in flight."""
        some = [writer for writer in self.writers if writer._segment is not None]
        writer = some[int(which * len(some))]
        self.writers.remove(writer)
        os.write(writer._segment, store.entry(key_of(16), value_of(16))[:lost])
        os.close(writer._segment)
        self.check()

    @precondition(lambda self: self.ended())
    @rule(which=places, where=places, bit=st.integers(0, 7))
    def flip(self, which: float, where: float, bit: int) -> None:
        flip(pick(self.ended(), which), where, bit)
        self.check()

    @precondition(lambda self: self.ended())
    @rule(which=places, where=places)
    def truncate(self, which: float, where: float) -> None:
        path = pick(self.ended(), which)
        os.truncate(path, int(where * path.stat().st_size))
        self.cut = True
        self.check()

    @precondition(lambda self: index_files(self.root))
    @rule(which=places, where=places, bit=st.integers(0, 7))
    def flip_index(self, which: float, where: float, bit: int) -> None:
        flip(pick(index_files(self.root), which), where, bit)
        self.check()

    @precondition(lambda self: index_files(self.root))
    @rule(which=places, where=places)
    def truncate_index(self, which: float, where: float) -> None:
        path = pick(index_files(self.root), which)
        os.truncate(path, int(where * path.stat().st_size))
        self.check()

    @precondition(lambda self: index_files(self.root))
    @rule(which=places)
    def remove_index(self, which: float) -> None:
        pick(index_files(self.root), which).unlink()
        self.check()

    @precondition(lambda self: index_files(self.root))
    @rule(which=places)
    def keep_index(self, which: float) -> None:
        path = pick(index_files(self.root), which)
        self.kept[path] = path.read_bytes()

    @precondition(lambda self: self.kept)
    @rule(which=places)
    def restore_index(self, which: float) -> None:
        """A stale one: of before a merge, or of segments that are shrunk away."""
        path = pick(list(self.kept), which)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self.kept[path])
        self.check()

    @precondition(lambda self: not self.writers)
    @rule(keys=numbers)
    def shrink(self, keys: list[int]) -> None:
        wanted = {key_of(number) for number in keys}
        shrink(self.root, wanted)
        plain = read_plainly(self.root)
        self.stored = {key: values for key, values in self.stored.items() if key in plain}
        self.check()


def pick(paths: list[Path], which: float) -> Path:
    return paths[int(which * len(paths))]


def flip(path: Path, where: float, bit: int) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[int(where * len(content))] ^= 1 << bit
        path.write_bytes(content)


TestAnyStore = AnyStore.TestCase
TestAnyStore.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, derandomize=True
)


# --- one file of the index ----------------------------------------------------------------


def test_no_flipped_bit_and_no_cut_of_an_index_loses_an_answer(tmp_path: Path, small: None) -> None:
    """It is said and mended: the look-up after it finds a whole index."""
    values = answers(10)
    path = put(tmp_path, values)
    (index,) = index_files(tmp_path)
    whole = index.read_bytes()
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    for position in range(len(whole)):
        turned = bytearray(whole)
        turned[position] ^= 1 << position % 8
        damaged.append(bytes(turned))
    for content in damaged:
        without_index(tmp_path)
        index.parent.mkdir()
        index.write_bytes(content)
        with logged() as said:
            assert find(tmp_path, values) == values
        assert said == [f"store: {index} is damaged; the segments are read and indexed anew"]
        with logged() as said:
            assert find(tmp_path, values) == values
        assert not said
        (new,) = index_files(tmp_path)
        with IndexFile(new) as file:
            assert file.spans() == [Span(path.name, 0, path.stat().st_size, closed=False)]
            assert file.count == 10


def test_an_index_says_what_stands_where(tmp_path: Path, small: None) -> None:
    """Of some keys, and of all in parts; nothing of keys that it has not."""
    values = answers(50)
    path = put(tmp_path, values)
    content = path.read_bytes()
    (index,) = index_files(tmp_path)
    with IndexFile(index) as file:
        for some in (set(values), {key_of(7)}, {key_of(7), key_of(8), key_of(99)}, {key_of(99)}):
            found = file.find(store_index.numbers(some)).tolist()
            lines = {content[offset : offset + length] for _, _, length, offset in found}
            assert lines == {store.entry(key, values[key]) for key in some & values.keys()}
            assert len(found) == len(lines)
        edges = [0, 2**62, 2**63, 2**64 - 2**60, 2**64]
        parts = [file.between(a, b - 1) for a, b in itertools.pairwise(edges)]
        assert np.concatenate(parts).tolist() == file.between(0, 2**64 - 1).tolist()
        assert file.count == 50 == sum(map(len, parts))


def test_keys_that_share_a_number_are_told_apart(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than a block holds, too."""
    monkeypatch.setattr(store_index, "_number", lambda key: key[0] % 2)
    values = answers(40)
    for start in range(0, 40, 8):
        put(tmp_path, dict(list(values.items())[start : start + 8]))
    for key in (*values, key_of(99)):
        assert Store(tmp_path, SCOPE).find({key}) == {k: v for k, v in values.items() if k == key}


def test_jobs_merge_the_index(tmp_path: Path, segments_closed: Callable[[], None]) -> None:
    """Whatever the number of segments, few files; with them alone everything is found."""
    values: Answers = {}
    for number in range(100):
        some = answers(10, 10 * number)
        put(tmp_path, some)
        values |= some
        assert len(index_files(tmp_path)) <= 2
    with logged() as said:
        segments_closed()
        assert find(tmp_path, values) == values
        assert find(tmp_path, {key_of(10**6): {}}) == {}
    assert not said


def test_index_files_grow_with_the_logarithm_of_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a binary counter: 200 equal jobs leave at most one file per doubling, and no copies."""
    monkeypatch.setattr(store_index, "_SMALL", 0)
    monkeypatch.setattr(store_index, "BLOCK", 16)
    for number in range(200):
        put(tmp_path, answers(20, 20 * number))
        assert len(index_files(tmp_path)) <= (number + 1).bit_length()
    counts = []
    for path in index_files(tmp_path):
        with IndexFile(path) as file:
            counts.append(file.count)
    assert sum(counts) == 200 * 20


def test_two_jobs_that_merge_at_once_leave_copies_which_the_next_drops(tmp_path: Path) -> None:
    put(tmp_path, answers(5))
    (one,) = index_files(tmp_path)
    content = one.read_bytes()
    put(tmp_path, answers(5, 5))
    one.write_bytes(content)
    assert len(index_files(tmp_path)) == 2
    put(tmp_path, answers(5, 10))
    (merged,) = index_files(tmp_path)
    with IndexFile(merged) as file:
        assert file.count == 15
        assert len(file.spans()) == 3
        assert all(span.closed and span.start == 0 for span in file.spans())


def test_an_index_of_a_part_of_a_segment_covers_no_more(tmp_path: Path, small: None) -> None:
    """Of its middle, where the file with its beginning is lost; of its beginning and its end."""
    values = answers(9)
    path = put(tmp_path, values)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    lines = list(itertools.pairwise(ends))
    keys = list(values)
    for parts in ([(3, 6)], [(0, 3), (6, 9)], [(0, 4), (2, 6)]):
        without_index(tmp_path)
        spans, entries = [], bytearray()
        for first, last in parts:
            for (start, end), key in zip(lines[first:last], keys[first:last], strict=True):
                entries += store_index.packed(key.encode(), 0, end - start, start)
            start = 0 if first == 0 else lines[first][0]
            spans.append(Span(path.name, start, lines[last - 1][1], closed=False))
        store_index.add(
            path.parent / INDEX, store_index.records(entries), store_index.joined(spans)
        )
        assert find(tmp_path, values) == values


def test_what_is_indexed_may_be_indexed_again(tmp_path: Path) -> None:
    """As two jobs do that read the same segment at once: one file, which stays."""
    values = answers(300)
    put(tmp_path, values)
    without_index(tmp_path)
    assert find(tmp_path, values) == values
    (index,) = index_files(tmp_path)
    content = index.read_bytes()
    index.rename(tmp_path / "kept")
    assert find(tmp_path, values) == values
    with IndexFile(index) as file:
        found = file.between(0, 2**64 - 1)
        store_index.add(index.parent, found, file.spans())
    assert index_files(tmp_path) == [index]
    assert index.read_bytes() == content


# --- segments without one -----------------------------------------------------------------


def test_a_store_of_before_the_index_is_indexed_by_whoever_reads_it(
    tmp_path: Path, small: None, segments_closed: Callable[[], None]
) -> None:
    values = answers(30)
    for start in range(0, 30, 3):
        put(tmp_path, dict(list(values.items())[start : start + 3]))
    without_index(tmp_path)
    assert find(tmp_path, values) == values
    assert index_files(tmp_path)
    paths = segments(Store(tmp_path, SCOPE).folder)
    with IndexFile(index_files(tmp_path)[0]) as file:
        assert file.spans() == [Span(p.name, 0, p.stat().st_size, closed=False) for p in paths]
    # Files may have grown, which their sizes say; what is indexed is not read again.
    read = []
    original = store._is_good

    def noted(line: bytes) -> bool:
        read.append(line)
        return original(line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_is_good", noted)
        some = {key_of(4): values[key_of(4)]}
        assert find(tmp_path, some) == some
    assert read == [store.entry(*item) for item in some.items()]


def test_any_name_of_a_segment_is_indexed(tmp_path: Path, small: None) -> None:
    """As somebody may have copied it from elsewhere, in whatever encoding."""
    values = answers(12)
    path = put(tmp_path, values)
    for name in (b"a\nb.answers", b"\xff\xe9 of mine.answers", "früher.answers".encode()):
        path = path.rename(os.fsdecode(os.fsencode(path.parent) + b"/" + name))
        without_index(tmp_path)
        assert find(tmp_path, values) == values
        (index,) = index_files(tmp_path)
        with IndexFile(index) as file:
            assert file.names == [path.name]
        assert find(tmp_path, values) == values


def test_of_a_job_that_still_writes_only_what_is_new_is_read(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    lines = Segment.lines

    def noted(self: Segment) -> Iterator[tuple[int, bytes]]:
        for offset, line in lines(self):
            read.append(line[:64].decode())
            yield offset, line

    monkeypatch.setattr(Segment, "lines", noted)
    values: Answers = {}
    with Store(tmp_path, SCOPE) as writer:
        for start in range(0, 30, 5):
            new = answers(5, start)
            for key, value in new.items():
                writer.put(key, value)
            values |= new
            read.clear()
            assert find(tmp_path, values) == values
            assert read == list(new)
            read.clear()
            assert writer.find(set(values)) == values
            assert read == []
    assert find(tmp_path, values) == values
    assert read == []


def test_a_broken_end_is_not_indexed_and_what_follows_it_neither(
    tmp_path: Path, small: None
) -> None:
    """On a network a page may be seen before the one that precedes it; later all are there."""
    values = answers(12)
    path = put(tmp_path, values)
    without_index(tmp_path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[:6]))
    hole = whole[: start + 30] + bytes(200) + whole[start + 230 :]
    path.write_bytes(hole)
    with logged() as said:
        assert find(tmp_path, values).items() <= values.items()
    assert said
    (index,) = index_files(tmp_path)
    with IndexFile(index) as file:
        assert file.spans() == [Span(path.name, 0, start, closed=False)]
    path.write_bytes(whole)
    with logged() as said:
        assert find(tmp_path, values) == values
    assert not said


def test_the_number_of_a_damaged_line_counts_those_that_are_indexed(
    tmp_path: Path, small: None
) -> None:
    values = answers(8)
    path = put(tmp_path, values)
    without_index(tmp_path)
    assert find(tmp_path, values) == values
    with path.open("ab") as file:
        file.write(b"an entry of a job that was killed")
    with logged() as said:
        assert find(tmp_path, values) == values
    assert [one.split(";")[0] for one in said] == [
        f"store: {path}, line 10 ends in the middle of an entry"
    ]


@pytest.mark.parametrize("error", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_where_no_index_can_be_written_nothing_is_lost(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Neither a full disk at a job's end nor a store that may only be read is an error."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    values = answers(9)
    put(tmp_path, values)
    with logged() as said:
        assert find(tmp_path, values) == values
        assert find(tmp_path, values) == values
    assert not said
    assert not index_files(tmp_path)


def test_a_write_that_failed_leaves_no_index_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, fail = os.write, [False]

    def write_a_part(file: int, data: bytes) -> int:
        if fail[0] and len(data) > 40:
            return write(file, data[:40])
        if fail[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    values = answers(4)
    with Store(tmp_path, SCOPE) as writer:
        monkeypatch.setattr(os, "write", write_a_part)
        for number, (key, value) in enumerate(values.items()):
            fail[0] = number == 2
            if fail[0]:
                with pytest.raises(OSError, match="No space"):
                    writer.put(key, value)
            else:
                writer.put(key, value)
    assert not index_files(tmp_path)
    del values[key_of(2)], values[key_of(3)]
    assert find(tmp_path, answers(4)) == values


# --- what others do between two steps of a look-up ---------------------------------------


def merge(root: Path) -> None:
    put(root, answers(3, 100))


def shrink_all(root: Path) -> None:
    shrink(root, set(answers(200)))


def merge_and_shrink(root: Path) -> None:
    merge(root)
    shrink_all(root)
    merge(root)


@pytest.mark.parametrize("action", [merge, shrink_all, merge_and_shrink, without_index])
@pytest.mark.parametrize(
    "moment",
    list(itertools.product(["files", "_names", "IndexFile", "_lines_at", "lines"], [1, 2, 3])),
)
def test_what_happens_during_a_look_up_hides_no_answer(
    tmp_path: Path,
    small: None,
    monkeypatch: pytest.MonkeyPatch,
    action: Callable[[Path], None],
    moment: tuple[str, int],
) -> None:
    """Right after the index or the segments are listed, and before a file of them is read."""
    step, call = moment
    values = answers(24)
    for start in range(0, 24, 6):
        put(tmp_path, dict(list(values.items())[start : start + 6]))
    killed = put(tmp_path, answers(2, 24))
    without_index(tmp_path)
    for start in range(30, 48, 6):
        put(tmp_path, answers(6, start))
    values |= answers(2, 24) | answers(18, 30)
    assert killed.exists()
    calls = [0]

    def disturbed(original: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            result = original(*arguments) if after else None
            calls[0] += 1
            if calls[0] == call:
                action(tmp_path)
            return result if after else original(*arguments)

        return function

    owner: Any = {"files": store_index, "lines": Segment}.get(step, store)
    after = step in ("files", "_names")
    monkeypatch.setattr(owner, step, disturbed(getattr(owner, step), after=after))
    with logged() as said:
        assert find(tmp_path, values) == values
    assert not said
    assert calls[0]


# --- other processes ----------------------------------------------------------------------


def many_jobs(root: Path, first: int, told: Connection) -> None:
    """Jobs of five answers, one after another, that say what they have stored."""
    for start in range(first, first + 10**5, 5):
        with Store(root, SCOPE) as writer:
            for number in range(start, start + 5):
                writer.put(key_of(number), value_of(number))
                told.send(number)


def test_many_jobs_write_merge_and_die_while_others_look_up(tmp_path: Path) -> None:
    """At any time everything is found that a job said to be stored."""
    rng = random.Random(3)
    told: set[int] = set()
    pipes = []
    jobs = []
    for number in range(3):
        mine, theirs = SPAWN.Pipe(duplex=False)
        jobs.append(SPAWN.Process(target=many_jobs, args=(tmp_path, 10**5 * number, theirs)))
        jobs[-1].start()
        theirs.close()
        pipes.append(mine)
    alive, looked = list(zip(jobs, pipes, strict=True)), 0
    deadline = time.monotonic() + 60
    with logged() as said:
        while alive and time.monotonic() < deadline:
            for pipe in pipes:
                drain(pipe, told)
            values = {key_of(number): value_of(number) for number in told}
            found = find(tmp_path, values)
            assert found == values
            looked += bool(values)
            if len(told) > 250 * (4 - len(alive)):
                job, pipe = alive.pop(rng.randrange(len(alive)))
                job.kill()
                job.join()
                drain(pipe, told)
        values = {key_of(number): value_of(number) for number in told}
        assert find(tmp_path, values) == values
    assert not alive
    assert looked >= 3
    assert all("ends in the middle" in one for one in said)
    assert len(segments(Store(tmp_path, SCOPE).folder)) > 100
    assert len([path for path in index_files(tmp_path) if path.suffix == ".index"]) < 20


def drain(pipe: Connection, told: set[int]) -> None:
    try:
        while pipe.poll():
            told.add(pipe.recv())
    except EOFError:
        pass


def test_shrinking_and_emptying_leave_no_index_behind(tmp_path: Path) -> None:
    values = answers(20)
    put(tmp_path, values)
    put(tmp_path, answers(20, 20))
    folder = Store(tmp_path, SCOPE).folder
    (folder / INDEX / ".0.index.12345678.part").write_bytes(b"of a job that was killed")
    shrink(tmp_path, set(values))
    (path,) = segments(folder)
    (index,) = (folder / INDEX).iterdir()
    with IndexFile(index) as file:
        assert file.spans() == [Span(path.name, 0, path.stat().st_size, closed=True)]
        assert file.count == 20
    assert path.read_bytes().startswith(HEADER)
    shrink(tmp_path, set())
    assert not [path for path in folder.rglob("*") if path.is_file()]
