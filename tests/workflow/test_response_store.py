"""The response store through the command line: kills, shared stores, damage, a full disk."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from answer_store import look_after, segments, start, stored
from project import Project
from triage_study import ED, ED_CASES, ED_DRAWN, PERSONAS, answered_study
from triage_study import ED_TASK as TASK

from persona_paradox import files
from persona_paradox.engine.store import HEADER, SUFFIX, Segment, Store, entry

CELL = f"tiny/{ED}/{{}}"
# Of every case, and of every cell.
EACH = ED_DRAWN + 1
ANSWERS = ED_CASES * EACH
GENERATE = ("--cores", "1", "--until", "generate")
AGAIN = (*GENERATE, "--forcerun", "generate")


@pytest.fixture(scope="session")
def _answered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return answered_study(tmp_path_factory)


@pytest.fixture
def answered(_answered: Project, tmp_path: Path) -> Project:
    """A copy of a project that has answered 30 cases four times under each of two personas."""
    return _answered.copy(tmp_path / "project")


def commands(project: Project, rule: str, *targets: str) -> dict[str, str]:
    """What Snakemake runs for each persona's cell in a rule."""
    output = project.run("-n", "-p", "--until", rule, "--forcerun", rule, "--", *targets)
    found = re.findall(rf"^Shell command: (python -S \S+ \S+/{rule}\.py .*)$", output, re.MULTILINE)
    result = {re.search(rf"--log \S+/({'|'.join(PERSONAS)})\.log", one)[1]: one for one in found}
    assert len(result) == len(found) == len(PERSONAS), output
    return result


@pytest.fixture(scope="module")
def jobs(_answered: Project) -> dict[str, str]:
    """The command that answers each persona's cell, in any copy of the project."""
    return commands(_answered, "generate")


def job(project: Project, command: str, store: Path | None = None) -> subprocess.Popen[str]:
    """Start a rule's command."""
    return start(project, "bash", "-c", f"exec {command}", store=store)


def finish(process: subprocess.Popen[str]) -> str:
    """The output of a process that is expected to succeed."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output[-6000:]
    return output


def kill(process: subprocess.Popen[str]) -> int:
    """SIGKILL for the whole process group; the exit status of its first process."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    return process.returncode


def until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait for a condition, or for the end of the process."""
    while process.poll() is None and not condition():
        time.sleep(0.005)


def responses(project: Project, persona: str) -> Path:
    return project.path / f"results/responses/{CELL.format(persona)}.parquet"


def log_of(project: Project, persona: str) -> str:
    return (project.path / f"logs/generate/{CELL.format(persona)}.log").read_text()


def count(store: Path) -> int:
    """Answers in the store, counted fast."""
    return sum(max(0, path.read_bytes().count(b"\n") - 1) for path in segments(store))


def keys_of(project: Project, persona: str) -> list[str]:
    return pl.read_parquet(responses(project, persona))["response_key"].to_list()


def complete(project: Project) -> dict[str, str]:
    """Checksums of all results; a killed job may leave a hidden part beside them."""
    return {k: v for k, v in project.checksums().items() if not k.endswith(".part")}


# --- what is stored is not computed -------------------------------------------------------


def test_forceall_computes_no_answer(answered: Project) -> None:
    before, store = answered.checksums(), answered.path / "resources/store"
    answers = {path: path.read_bytes() for path in segments(store)}
    assert sum(stored(store).values()) == 2 * ANSWERS
    answered.run(*GENERATE, "--forceall")
    assert answered.checksums() == before
    assert {path: path.read_bytes() for path in segments(store)} == answers
    for persona in PERSONAS:
        log = log_of(answered, persona)
        assert f"{ANSWERS} of {ANSWERS} answers from the store" in log
        assert "loaded" not in log


def test_a_cell_that_is_stored_loads_no_model(
    answered: Project, jobs: dict[str, str], tmp_path: Path
) -> None:
    """The weights are garbage, which nobody notices before an answer is missing."""
    before = answered.checksums()
    model = answered.path / "resources/models/tiny/model.gguf"
    times = model.stat()
    model.write_bytes(b"no weights " * 9)
    os.utime(model, ns=(times.st_atime_ns, times.st_mtime_ns))
    answered.run(*AGAIN)
    assert answered.checksums() == before
    output, _ = (broken := job(answered, jobs["ed_nurse"], tmp_path / "empty")).communicate()
    assert broken.returncode == 1
    assert "model.gguf is damaged (expected sha256 " in output


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="bytes read are not counted here")
def test_a_cell_reads_its_own_answers_alone(answered: Project, jobs: dict[str, str]) -> None:
    """Beside a hundred times as many others it reads a megabyte more at most, of tens."""
    (first, _) = segments(answered.path / "resources/store")
    _, value = next(iter(Segment(first)))
    script = f"{jobs['ed_nurse']} && cat /proc/$$/io"
    read, sizes, done = [], [], 0
    for others in (10**3, 10**5):
        with Store(answered.path / "resources/store", first.parent.name) as store:
            for number in range(done, others):
                store.put(files.sha256_bytes(str(number).encode()), value)
        done = others
        sizes.append(sum(path.stat().st_size for path in first.parent.glob(f"*{SUFFIX}")))
        # Of the shell and of the program that it waited for.
        said = finish(start(answered, "bash", "-c", script))
        read.append(int(re.search(r"^rchar: (\d+)$", said, re.MULTILINE)[1]))
        assert f"{ANSWERS} of {ANSWERS} answers from the store" in log_of(answered, "ed_nurse")
    assert sizes[1] - sizes[0] > 20e6
    assert read[1] - read[0] < 1e6


def test_one_more_case_is_asked_and_no_other(answered: Project) -> None:
    before = {persona: pl.read_parquet(responses(answered, persona)) for persona in PERSONAS}
    cases = answered.path / "resources/bundled/teaching_ed.csv"
    table = pl.read_csv(cases, infer_schema=False)
    new = table.tail(1).with_columns(id=pl.lit("one_more"), case=pl.lit("Hiccups since noon."))
    pl.concat([table, new]).write_csv(cases)
    answered.run(*GENERATE)
    for persona in PERSONAS:
        log = log_of(answered, persona)
        assert f"{ANSWERS} of {ANSWERS + EACH} answers from the store" in log
        assert f"{EACH} of {EACH} answers computed" in log
        after = pl.read_parquet(responses(answered, persona))
        assert after.head(ANSWERS).equals(before[persona])
        assert after["item_id"].to_list()[ANSWERS:] == ["one_more"] * EACH
    keys = stored(answered.path / "resources/store")
    assert sorted(keys.values()) == [1] * 2 * (ANSWERS + EACH)


# --- SIGKILL ------------------------------------------------------------------------------


def test_a_job_killed_twenty_times(answered: Project, tmp_path: Path) -> None:
    """Four times anywhere, three times at its end, else while it computes."""
    answered.edit(TASK, lambda task: task["decoding"].update(max_tokens=96))
    command = commands(answered, "generate")["ed_nurse"]
    output = responses(answered, "ed_nurse")
    log = answered.path / f"logs/generate/{CELL.format('ed_nurse')}.log"
    output.unlink()
    started = time.monotonic()
    finish(job(answered, command, tmp_path / "undisturbed"))
    usual = time.monotonic() - started
    expected = output.read_bytes()
    wanted = stored(tmp_path / "undisturbed")
    assert sorted(wanted.values()) == [1] * ANSWERS
    output.unlink()

    store, rng = tmp_path / "store", random.Random(20)
    before: Counter[str] = Counter()
    in_the_middle = 0
    for number in range(20):
        log.unlink()
        killed = job(answered, command, store)
        if number < 4:
            time.sleep(rng.uniform(0, usual / 3))
        elif number < 17:
            enough = count(store) + rng.randint(1, 5)
            until(killed, lambda enough=enough: count(store) >= enough)
            time.sleep(rng.uniform(0, 0.02))
        else:
            until(killed, lambda: count(store) == ANSWERS and in_log(log))
            time.sleep(rng.uniform(0, 0.05))
        assert kill(killed) in ((-signal.SIGKILL, 0) if number >= 17 else (-signal.SIGKILL,))
        now = stored(store)
        assert now.keys() >= before.keys()
        assert max(now.values(), default=1) == 1, "an answer was computed that was stored"
        assert not output.exists() or output.read_bytes() == expected
        in_the_middle += len(before) < len(now) < ANSWERS
        before = now
        log.touch()
    assert in_the_middle >= 10
    assert set(before) == set(wanted)

    finish(job(answered, command, store))
    assert output.read_bytes() == expected
    assert stored(store) == wanted


def in_log(log: Path) -> bool:
    return log.exists() and "from the store" in log.read_text()


def test_snakemake_killed_with_all_its_jobs(answered: Project) -> None:
    """Three times; what the user does then is unlock the folder and run again."""
    before, store = answered.checksums(), answered.path / "resources/store"
    shutil.rmtree(store)
    for persona in PERSONAS:
        responses(answered, persona).unlink()
    rng = random.Random(3)
    for enough in (1, 15, 40):
        killed = start(answered, "snakemake", "--cores", "2", *GENERATE[2:])
        until(killed, lambda enough=enough: count(store) >= enough)
        time.sleep(rng.uniform(0, 0.05))
        assert kill(killed) == -signal.SIGKILL
        assert all(before[name] == found for name, found in complete(answered).items())
        answered.run("--unlock")
    assert sum(stored(store).values()) >= 40
    answered.run(*GENERATE)
    assert complete(answered) == before
    assert sorted(stored(store).values()) == [1] * 2 * ANSWERS


# --- a store that is shared, damaged or full ----------------------------------------------


def test_two_projects_share_a_store_at_once(answered: Project, tmp_path: Path) -> None:
    before = answered.checksums()
    both = [answered, answered.copy(tmp_path / "other")]
    store = tmp_path / "store"
    command = ("snakemake", "--cores", "1", *AGAIN[2:])
    running = [start(project, *command, store=store) for project in both]
    for process in running:
        finish(process)
    assert [project.checksums() for project in both] == [before] * 2
    keys = stored(store)
    assert set(keys) == {key for persona in PERSONAS for key in keys_of(answered, persona)}
    assert max(keys.values()) <= 2


def test_damage_is_reported_and_healed(answered: Project, jobs: dict[str, str]) -> None:
    before, store = answered.checksums(), answered.path / "resources/store"
    of_cell = {}
    for path in segments(store):
        (of_cell[path],) = (
            persona
            for persona in PERSONAS
            if {key for key, _ in Segment(path)} == set(keys_of(answered, persona))
        )
    (flipped, first), (cut, second) = of_cell.items()
    content = bytearray(flipped.read_bytes())
    content[content.index(b'"text":"') + 8] ^= 2
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:-40])
    older = flipped.with_name(f"older{SUFFIX}")
    older.write_bytes(content.replace(HEADER, HEADER.replace(b"1", b"0")))

    finish(job(answered, jobs[first]))
    log = log_of(answered, first)
    assert f"{flipped.relative_to(answered.path)}, line 2 is damaged" in log
    assert "ends in the middle" not in log, "whose answer it is hears of it"
    assert f"{older.relative_to(answered.path)} has the format of another version" in log
    assert "1 of 1 answers computed" in log
    finish(job(answered, jobs[second]))
    log = log_of(answered, second)
    assert "is damaged" not in log
    assert f"line {ANSWERS + 1} ends in the middle of an entry" in log
    assert "1 of 1 answers computed" in log
    assert answered.checksums() == before

    for persona in PERSONAS:
        finish(job(answered, jobs[persona]))
        log = log_of(answered, persona)
        assert f"{ANSWERS} of {ANSWERS} answers from the store" in log
        assert "is damaged" not in log
        assert "ends in the middle" not in log
    assert answered.checksums() == before


@pytest.fixture
def namespace(tmp_path: Path) -> list[str]:
    """A command that runs another where it may mount, and unmounts everything at its end."""
    folder = tmp_path / "may_mount"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    for command in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        try:
            if subprocess.run([*command, *mount], check=False, capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            break
    message = "a small disk cannot be mounted here, neither as root nor in a user namespace"
    if os.environ.get("PERSONA_DATA_REQUIRED") and os.geteuid() == 0:
        pytest.fail(message)
    pytest.skip(message)


FULL_DISK = """\
mount -t tmpfs -o size=8k tmpfs "$PERSONA_STORE_DIR" || exit 9
{command}
echo "status $?"
ls {folder}
cp -r "$PERSONA_STORE_DIR" kept
mount -o remount,size=1m "$PERSONA_STORE_DIR" || exit 9
exec {command}
"""


def test_a_full_disk(
    answered: Project, jobs: dict[str, str], tmp_path: Path, namespace: list[str]
) -> None:
    """One sentence names the place, nothing half-made stays; with room it goes on."""
    before = answered.checksums()
    output = responses(answered, "ed_nurse")
    output.unlink()
    store = tmp_path / "small"
    store.mkdir()
    script = FULL_DISK.format(command=jobs["ed_nurse"], folder=output.parent)
    said = finish(start(answered, *namespace, "bash", "-c", script, store=store))
    first, second = re.split(r"^status 1$", said, flags=re.MULTILINE)
    assert "Traceback" not in said
    (message,) = [line for line in first.splitlines() if line.startswith("error: ")]
    assert "No space left on" in message
    assert str(store) in message
    assert "free some space" in message
    assert "no_persona.parquet" in second
    assert "ed_nurse.parquet" not in second
    kept = stored(answered.path / "kept")
    assert 0 < len(kept) < ANSWERS
    assert kept.keys() <= set(keys_of(answered, "ed_nurse"))
    assert f"{len(kept)} of {ANSWERS} answers from the store" in second
    assert answered.checksums() == before
    assert not segments(store), "the small disk is gone"


# --- looking after it ---------------------------------------------------------------------


def test_shrink_and_empty(answered: Project, jobs: dict[str, str], tmp_path: Path) -> None:
    before, store = answered.checksums(), answered.path / "resources/store"
    with Store(store, segments(store)[0].parent.name) as orphans:
        for number in range(3):
            orphans.put(f"{number:064}", {"text": "an answer that no result names"})
    with segments(store)[0].open("ab") as segment:
        segment.write(b"a broken end")
    (store / "README").write_text("not the store's\n")

    assert look_after(answered, "shrink", store=tmp_path / "elsewhere").endswith("\n0")
    assert sum(stored(store).values()) == 2 * ANSWERS + 3
    counts = f"{2 * ANSWERS} answers kept, 3 removed, 1 damaged ones\n0"
    assert look_after(answered, "shrink").endswith(counts)
    assert len(segments(store)) == 1
    finish(job(answered, jobs["ed_nurse"]))
    assert f"{ANSWERS} of {ANSWERS} answers from the store" in log_of(answered, "ed_nurse")

    assert look_after(answered, "empty").endswith("\n0")
    assert [path for path in store.rglob("*") if path.is_file()] == [store / "README"]
    finish(job(answered, jobs["ed_nurse"]))
    assert f"0 of {ANSWERS} answers from the store" in log_of(answered, "ed_nurse")
    assert answered.checksums() == before


def test_verify_finds_what_was_changed(answered: Project) -> None:
    """Every field, bit for bit, in the store and in the results; nothing where all is well."""
    output = look_after(answered, "verify", "--sample", "8")
    assert output.endswith("\n16 answers, 0 not in the store, 0 differences\n0")

    path = responses(answered, "ed_nurse")
    table = pl.read_parquet(path)
    greedy = table.filter(pl.col("repeat") == 0)
    items, keys = greedy["item_id"].to_list(), greedy["response_key"].to_list()
    for segment in segments(answered.path / "resources/store"):
        new = HEADER
        for key, value in Segment(segment):
            if key == keys[3]:
                value["label_logprob"][4] += 2**-45
            if key == keys[4]:
                value["token_logprob"][0] += 2**-45
            new += entry(key, value)
        segment.write_bytes(new)
    text = pl.when(pl.col("response_key") == keys[5]).then(pl.lit("?")).otherwise("text")
    metadata = {k: v for k, v in pl.read_parquet_metadata(path).items() if k != files.CONTENT}
    table.with_columns(text=text).write_parquet(path, metadata=metadata)

    output = look_after(answered, "verify", "--sample", str(ANSWERS))
    place = path.relative_to(answered.path)
    assert {line for line in output.splitlines() if line.startswith("differs: ")} == {
        f"differs: tiny/triage_ed/ed_nurse, item {items[3]}: label_logprob in the store",
        f"differs: tiny/triage_ed/ed_nurse, item {items[4]}: token_logprob in the store",
        f"differs: tiny/triage_ed/ed_nurse, item {items[5]}: text in {place}",
    }
    assert f"{2 * ANSWERS} answers, 0 not in the store, 3 differences" in output
    assert "error: 3 stored answers" in output
    assert output.endswith("\n1")


# --- the audit ----------------------------------------------------------------------------


def test_the_audit_of_answers_as_they_are_and_of_others(answered: Project) -> None:
    answered.run("--cores", "2", "results/audit/invariance.csv")
    table = pl.read_csv(answered.path / "results/audit/invariance.csv")
    assert table.select("model", "task", "persona", "check").n_unique() == 2 * 4
    assert table["persona"].unique().sort().to_list() == sorted(PERSONAS)
    assert table["n"].to_list() == [4] * 8
    differences = ["max_logprob_difference", "label_flips", "argmax_flips", "text_changes"]
    assert table.select(pl.sum_horizontal(differences)).to_series().to_list() == [0] * 8

    path = responses(answered, "ed_nurse")
    changed = pl.read_parquet(path).with_columns(
        text=pl.lit("neither"), label_logprob=pl.col("label_logprob").list.eval(pl.element() - 0.25)
    )
    changed.write_parquet(path)
    audits = commands(answered, "audit", "results/audit/invariance.csv")
    finish(job(answered, audits["ed_nurse"]))
    after = pl.read_parquet(answered.path / f"results/audit/{CELL.format('ed_nurse')}.parquet")
    assert after["text_changes"].to_list() == [4] * 4
    assert after["max_logprob_difference"].to_list() == pytest.approx([0.25] * 4)
    assert after["argmax_flips"].to_list() == [0] * 4
    assert len(set(after["label_flips"])) == 1


def test_a_store_that_is_no_folder_is_named_in_one_sentence(
    answered: Project, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = answered.snakemake(*AGAIN, PERSONA_STORE_DIR=str(tmp_path / "file"))
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    errors = {line for line in done.stdout.splitlines() if line.startswith("error: ")}
    assert errors
    assert all(str(tmp_path / "file") in line for line in errors)
