"""The response store: what it takes in comes out exactly, whatever happens to its files."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_reference import SCOPE, Answers, answers, find, key_of, put, value_of, without_index

from persona_paradox.engine.decoding import Answer
from persona_paradox.engine.store import (
    COMMAND,
    HEADER,
    SUFFIX,
    Segment,
    Store,
    entry,
    segments,
    shrink,
)

SPAWN = multiprocessing.get_context("spawn")
Reports = Callable[[], list[str]]


@pytest.fixture
def reports(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives what was logged since it was last called."""

    def new() -> list[str]:
        messages = caplog.messages
        caplog.clear()
        return messages

    return new


# --- in and out ---------------------------------------------------------------------------


def bits(value: dict[str, Any]) -> Any:
    """A form in which two answers are equal only bit for bit."""
    lists = {name: v for name, v in value.items() if isinstance(v, list | tuple)}
    rest = {name: v for name, v in value.items() if name not in lists}
    return rest, {name: struct.pack(f"{len(v)}d", *v) for name, v in lists.items()}


floats = st.none() | st.lists(st.floats(allow_nan=False), max_size=6).map(tuple)
any_answer = st.builds(
    Answer,
    text=st.none() | st.text(max_size=40) | st.text("J*\n\0\u2028\ud800", max_size=40),
    finish_reason=st.text(max_size=9),
    n_tokens=st.integers(0, 2**40),
    label_logprob=floats,
    token_logprob=floats,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(values=st.lists(any_answer, min_size=1, max_size=6))
def test_an_answer_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, values: list[Answer]
) -> None:
    """Any text, lone surrogates and line ends too; every float, the infinite and tiny ones too."""
    root = tmp_path_factory.mktemp("store")
    given_ = {key_of(number): asdict(value) for number, value in enumerate(values)}
    put(root, given_)
    found = find(root, given_)
    assert {k: bits(v) for k, v in found.items()} == {k: bits(v) for k, v in given_.items()}


def test_only_what_is_asked_for_is_found(tmp_path: Path, reports: Reports) -> None:
    put(tmp_path, answers(5))
    put(tmp_path, {key_of(7): value_of(7)})
    asked = {key_of(2), key_of(7), key_of(99)}
    assert set(Store(tmp_path, SCOPE).find(asked)) == {key_of(2), key_of(7)}
    assert Store(tmp_path, "cd" + SCOPE[2:]).find(asked) == {}
    assert Store(tmp_path / "nowhere", SCOPE).find(asked) == {}
    assert not reports()


def test_looking_up_leaves_nothing_behind(tmp_path: Path) -> None:
    with Store(tmp_path / "store", SCOPE) as store:
        store.find({key_of(1)})
    assert not list(tmp_path.iterdir())


def test_an_answer_is_there_for_others_when_put_returns(tmp_path: Path) -> None:
    with Store(tmp_path, SCOPE) as store:
        for number in range(3):
            store.put(key_of(number), value_of(number))
            assert find(tmp_path, answers(3)) == answers(number + 1)


def test_another_answer_to_the_same_key_is_reported(tmp_path: Path, reports: Reports) -> None:
    put(tmp_path, answers(2))
    put(tmp_path, {key_of(0): value_of(0), key_of(1): value_of(3)})
    found = find(tmp_path, answers(2))
    assert found[key_of(0)] == value_of(0)
    assert found[key_of(1)] in (value_of(1), value_of(3))
    (report,) = reports()
    assert key_of(1) in report
    assert "another answer" in report


def test_a_segment_that_was_shrunk_away_meanwhile_is_no_error(tmp_path: Path) -> None:
    path = put(tmp_path, answers(1))
    path.unlink()
    assert list(Segment(path)) == []


# --- damage -------------------------------------------------------------------------------


def lines_of(segment: bytes) -> list[tuple[int, int]]:
    """Start and end of the header and of every entry."""
    ends = [i + 1 for i, byte in enumerate(segment) if byte == ord("\n")]
    return list(zip([0, *ends], ends, strict=False))


def flips(whole: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Segments with one bit turned, as (number of the line, position in it, segment).

    All bits of the header, of the entries' joints, and of 90 other bytes.
    """
    joints = (0, 63, 64, 65, 80, 81, 82)
    rng = random.Random(5)
    places = lines_of(whole)
    for line, (start, end) in enumerate(places):
        inside = range(end - start)
        sampled = inside if line == 0 else {*joints, inside[-1], *rng.sample(inside, 30)}
        for position in sorted(sampled):
            for bit in range(8):
                turned = bytearray(whole)
                turned[start + position] ^= 1 << bit
                yield line, position, bytes(turned)


def test_no_flipped_bit_makes_a_wrong_answer(tmp_path: Path, reports: Reports) -> None:
    """The entry that it hits is missing and reported, the others stay."""
    values = answers(3)
    path = put(tmp_path, values)
    whole = path.read_bytes()
    lengths = [end - start for start, end in lines_of(whole)]
    assert len(lengths) == 4
    for line, position, damaged in flips(whole):
        path.write_bytes(damaged)
        found = find(tmp_path, values)
        assert found.items() <= values.items()
        assert all(values.get(key) == value for key, value in Segment(path))
        assert any(str(path) in report for report in reports()), (line, position)
        # Without its end a line hides the next one; without the header nothing can be read.
        at_the_end = position == lengths[line] - 1
        hit = {0, 1, 2, 3} if line == 0 else {line, line + at_the_end}
        lost = {i for i, key in enumerate(values, start=1) if key not in found}
        assert lost <= hit, (line, position)
        assert line == 0 or line in lost, (line, position)


def test_what_was_stored_again_is_healed(tmp_path: Path, reports: Reports) -> None:
    """With a good copy of what was hit, nothing is missing, and of a damaged value nothing said."""
    values = answers(3)
    path = put(tmp_path, values)
    whole = path.read_bytes()
    put(tmp_path, values)
    silent = 0
    for line, position, damaged in flips(whole):
        path.write_bytes(damaged)
        assert find(tmp_path, values) == values
        said = reports()
        if line > 0 and position >= 64 and damaged.count(b"\n") == whole.count(b"\n"):
            assert not said, (line, position)
            silent += 1
    assert silent > 300


@pytest.mark.parametrize("indexed", [True, False])
def test_damage_that_another_job_healed_is_not_reported(
    tmp_path: Path, reports: Reports, indexed: bool
) -> None:
    """Of a damaged entry hears who looks it up, or reads its segment for want of an index.

    Jobs share a scope: one hears of another's damaged entry only until that is stored anew.
    """
    mine, others = {key_of(1): value_of(1)}, {key_of(2): value_of(2)}
    put(tmp_path, mine)
    path = put(tmp_path, others)
    path.write_bytes(path.read_bytes().replace(b'"stop"', b'"stob"'))
    if not indexed:
        without_index(tmp_path)
    about = f"store: {path}, line 2 is damaged; it is not used ({COMMAND} shrink removes it)"
    assert find(tmp_path, mine) == mine
    assert reports() == ([] if indexed else [about])
    assert find(tmp_path, others) == {}
    assert reports() == [about]
    put(tmp_path, others)
    assert find(tmp_path, mine | others) == mine | others
    assert find(tmp_path, mine) == mine
    assert not reports()


def test_a_segment_cut_at_any_byte(tmp_path: Path, reports: Reports) -> None:
    """Whole entries stay; a rest of one is reported until the answer is stored again."""
    values = answers(4)
    path = put(tmp_path, values)
    whole = path.read_bytes()
    places = lines_of(whole)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        left = sum(end <= length for _, end in places[1:])
        assert find(tmp_path, values) == dict(list(values.items())[:left])
        at_an_end = length in [0, *(end for _, end in places)]
        said = reports()
        assert bool(said) != at_an_end, length
        assert all(str(path) in report for report in said)
    again = put(tmp_path, values)
    for _, end in places[1:]:
        path.write_bytes(whole[: end - 1])
        assert find(tmp_path, values) == values
        assert not reports()
    again.unlink()


@pytest.mark.parametrize(
    "header", [b"persona-paradox answers 0\n", b"persona-paradox answers 12\n"]
)
def test_another_version_is_left_alone(tmp_path: Path, reports: Reports, header: bytes) -> None:
    values = answers(3)
    path = put(tmp_path, values)
    other = header + path.read_bytes().removeprefix(HEADER)
    path.write_bytes(other)
    assert find(tmp_path, values) == {}
    (report,) = reports()
    assert str(path) in report
    assert "another version" in report
    put(tmp_path, values)
    assert find(tmp_path, values) == values
    assert path.read_bytes() == other
    assert len(reports()) == 1, "until it is removed"
    assert shrink(tmp_path, set(values)) == {"kept": 3, "removed": 0, "damaged": 1}
    assert find(tmp_path, values) == values
    assert not reports()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\n\n\n", bytes(range(256)) * 9, b"{}\n" * 4, HEADER * 3, HEADER + b"\xff" * 200],
)
def test_a_foreign_file_among_the_segments(tmp_path: Path, content: bytes) -> None:
    values = answers(2)
    path = put(tmp_path, values)
    path.with_name(f"foreign{SUFFIX}").write_bytes(content)
    assert find(tmp_path, values) == values


# --- a full disk --------------------------------------------------------------------------


def test_a_disk_that_takes_a_few_bytes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    put(tmp_path, answers(3))
    assert find(tmp_path, answers(3)) == answers(3)


@pytest.mark.parametrize("room", [0, 10, 26, 30, 250, 450])
def test_a_full_disk_is_named_and_keeps_what_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    values = answers(4)
    ends = itertools.accumulate([len(HEADER), *(len(entry(k, v)) for k, v in values.items())])
    write, left = os.write, [room]

    def write_what_fits(file: int, data: bytes) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(file, data[: left[0]])
        left[0] -= written
        return written

    stored: Answers = {}

    def put_all(store: Store) -> None:
        for key, value in values.items():
            store.put(key, value)
            stored[key] = value

    with monkeypatch.context() as patch, Store(tmp_path, SCOPE) as store:
        patch.setattr(os, "write", write_what_fits)
        with pytest.raises(OSError, match="No space left") as caught:
            put_all(store)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(store.folder)
    assert len(stored) == max(0, sum(end <= room for end in ends) - 1)
    assert find(tmp_path, values) == stored
    put(tmp_path, values)
    assert find(tmp_path, values) == values


def test_a_disk_whose_fullness_shows_at_the_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network file system, which takes writes and stores them later."""

    def refuse(_: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    store = Store(tmp_path, SCOPE)
    store.put(key_of(1), value_of(1))
    monkeypatch.setattr(os, "fsync", refuse)
    before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else set()
    with pytest.raises(OSError, match="quota") as caught:
        store.close()
    assert (caught.value.errno, caught.value.filename) == (errno.EDQUOT, str(store.folder))
    if before:
        assert len(os.listdir("/proc/self/fd")) == len(before) - 1
    store.close()


# --- other processes ----------------------------------------------------------------------

MANY = 3000


def write_all(root: Path, barrier: Barrier) -> None:
    """A job that answers everything; meets the others at its beginning, and half-way until told."""
    with Store(root, SCOPE) as store:
        barrier.wait()
        for number in range(MANY):
            if number == MANY // 2:
                barrier.wait()
                barrier.wait()
            store.put(key_of(number), value_of(number, "x" * (number % 5000)))


def test_two_jobs_write_the_same_keys_at_once(tmp_path: Path, reports: Reports) -> None:
    """Whoever reads meanwhile sees whole answers only; at the end both have stored everything."""
    values = {key_of(n): value_of(n, "x" * (n % 5000)) for n in range(MANY)}
    barrier = SPAWN.Barrier(3)
    jobs = [SPAWN.Process(target=write_all, args=(tmp_path, barrier)) for _ in range(2)]
    for job in jobs:
        job.start()
    barrier.wait()
    barrier.wait()
    seen = [len(find(tmp_path, values))]
    barrier.wait()
    while True:
        running = any(job.is_alive() for job in jobs)
        found = find(tmp_path, values)
        assert found.items() <= values.items()
        seen.append(len(found))
        if not running:
            break
    assert [job.exitcode for job in jobs] == [0, 0]
    assert seen[0] == MANY // 2
    assert sorted(seen) == seen
    assert found == values
    assert not any("another answer" in report for report in reports())
    paths = segments(Store(tmp_path, SCOPE).folder)
    assert [dict(Segment(path)) for path in paths] == [values] * 2
    assert not reports()


def write_and_tell(root: Path, first: int, told: Connection) -> None:
    """A job that says which answers it has stored; some are larger than a page of the disk."""
    with Store(root, SCOPE) as store:
        for number in range(first, first + 10**6):
            store.put(key_of(number), value_of(number, "y" * (number * 7919 % 60_000)))
            told.send(number)


def test_a_killed_job_loses_at_most_the_answer_in_flight(tmp_path: Path) -> None:
    """SIGKILL at random moments: what a job said to be stored is there, and nothing broken."""
    rng = random.Random(11)
    next_one = 0
    for _ in range(6):
        mine, theirs = SPAWN.Pipe(duplex=False)
        job = SPAWN.Process(target=write_and_tell, args=(tmp_path, next_one, theirs))
        job.start()
        theirs.close()
        for _ in range(rng.randint(1, 60)):
            next_one = mine.recv() + 1
        job.kill()
        job.join()
        assert job.exitcode == -9
        while True:
            try:
                next_one = mine.recv() + 1
            except EOFError:
                break
        values = {n: value_of(n, "y" * (n * 7919 % 60_000)) for n in range(next_one + 1)}
        found = find(tmp_path, {key_of(n): value for n, value in values.items()})
        missing = [n for n in values if found.get(key_of(n)) != values[n]]
        assert missing in ([], [next_one])
        next_one += 1 - len(missing)
    for path in segments(Store(tmp_path, SCOPE).folder):
        lines = Segment(path)
        assert list(lines)
        assert all("ends in the middle" in damage.what for damage in lines.damaged)


# --- shrinking ----------------------------------------------------------------------------


def content(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(root.rglob(f"*{SUFFIX}"))]


def test_shrinking_keeps_exactly_what_is_wanted(tmp_path: Path, reports: Reports) -> None:
    values = answers(8)
    put(tmp_path, values)
    put(tmp_path, dict(list(values.items())[::-1]))
    broken = put(tmp_path, answers(2))
    broken.write_bytes(broken.read_bytes()[:-9])
    other_scope = "cd" + SCOPE[2:]
    with Store(tmp_path, other_scope) as store:
        store.put(key_of(50), value_of(50))
        store.put(key_of(51), value_of(51))
    wanted = {key_of(n) for n in (1, 4, 6, 51, 99)}
    assert shrink(tmp_path, wanted) == {"kept": 4, "removed": 8 + 8 + 1 + 2 - 4, "damaged": 1}
    kept = {key_of(n): value_of(n) for n in (1, 4, 6)}
    assert find(tmp_path, values) == kept
    assert Store(tmp_path, other_scope).find(wanted) == {key_of(51): value_of(51)}
    expected = [HEADER + b"".join(entry(key, kept[key]) for key in sorted(kept))]
    expected.append(HEADER + entry(key_of(51), value_of(51)))
    assert sorted(content(tmp_path)) == sorted(expected)
    assert not reports()

    assert shrink(tmp_path, wanted) == {"kept": 4, "removed": 0, "damaged": 0}
    assert sorted(content(tmp_path)) == sorted(expected)

    assert shrink(tmp_path, set()) == {"kept": 0, "removed": 4, "damaged": 0}
    assert content(tmp_path) == []
    assert shrink(tmp_path / "nowhere", wanted) == {"kept": 0, "removed": 0, "damaged": 0}


def test_shrinking_that_is_killed_or_finds_no_room_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = answers(6)
    put(tmp_path, dict(list(values.items())[:3]))
    put(tmp_path, dict(list(values.items())[3:]))

    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for where, name, event in (
        (os, "write", no_room),
        (os, "fsync", killed),
        (Path, "unlink", killed),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, event)
            with pytest.raises((KilledError, OSError)):
                shrink(tmp_path, set(values))
        assert find(tmp_path, values) == values
    assert shrink(tmp_path, set(values))["kept"] == 6
    assert len(content(tmp_path)) == 1


def test_an_entry_says_what_it_is_in_plain_text() -> None:
    """The format that the file's description promises, so that other programs can read it."""
    line = entry(key_of(1), value_of(1)).decode("ascii")
    key, check, value = line.removesuffix("\n").split(" ", 2)
    assert key == key_of(1)
    assert check == hashlib.sha256(f"{key} {value}".encode()).hexdigest()[:16]
    assert json.loads(value) == value_of(1)


def test_the_program_keeps_whatever_answers_and_verdicts_name(tmp_path: Path) -> None:
    results = [
        "responses/m/t/p",
        "reasonings/m/t/p",
        "conclusions/m/t/p",
        "statements/m/t/p",
        "verdicts/j/checks/ratings",
        "verdicts/j/ratings/m/t/p",
        "verdicts/j/pairs/m/t/p.vs.q",
    ]
    keys = [f"{number:064}" for number in range(len(results) + 1)]
    with Store(tmp_path / "store", "ab" * 16) as store:
        for key in keys:
            store.put(key, {"text": key})
    for name, key in zip(results, keys, strict=False):
        path = tmp_path / f"results/{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"response_key": [key, None]}).write_parquet(path)
    script = Path(__file__).resolve().parents[2] / "workflow/scripts/store.py"
    command = [sys.executable, str(script), "shrink", "--store", "store"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(results)} answers kept, 1 removed" in done.stderr
