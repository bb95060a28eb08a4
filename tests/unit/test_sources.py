"""Files from outside: they come whole and as configured, or not at all and with a reason."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import json
import logging
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import termios
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from loopback_hub import COMMIT, Hub, loopback_hub, sha256
from tiny_model import write_tiny_model

from persona_paradox.data import transfer
from persona_paradox.data.parts import parts_of
from persona_paradox.data.sources import fetch
from persona_paradox.engine.gguf_header import check_gguf
from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
SCRIPT = WORKFLOW / "scripts" / "download_model.py"
CONFIG = "config/models/tiny.yaml"
REPO = "someone/tiny-GGUF"
FILE = "tiny-q8_0.gguf"
TOKEN = "hf_this-is-the-secret"  # noqa: S105 (the tests' own)
SIX = "4ce39f422ee71467ccac8bed76beb05f8c321c7f0ceda9279ae2dfa3670106b3"


# --- what the tests work with -------------------------------------------------------------


def gguf(path: Path, numbers: int) -> bytes:
    """Content of a GGUF file with two tensors, of which the second is this long."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_token_list(["a", "b", "longer"])
    writer.add_array("test.numbers", [1, 2, 3])
    writer.add_float32("test.float", 0.5)
    writer.add_tensor("first", np.arange(64, dtype=np.float16).reshape(8, 8))
    writer.add_tensor("last", np.arange(numbers, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", 1000)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with loopback_hub() as running:
        yield running


@pytest.fixture
def filled(hub: Hub, model: bytes) -> Hub:
    hub.repos["models", REPO] = {FILE: model, "README.md": b"# Tiny\n", "gguf/f16.gguf": b"f16"}
    hub.small.add("README.md")
    return hub


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BACK_OFF", (0.0, 0.0))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.call(mount):
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def hub_source(data: bytes, **changes: str) -> dict[str, str]:
    source = {"kind": "hub", "repo": REPO, "file": FILE, "revision": COMMIT}
    return {**source, "sha256": sha256(data), **changes}


def environment(tmp_path: Path, hub: Hub | str, **more: str) -> dict[str, str]:
    """A user's environment: the client's own variables choose hub, cache and token."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    address = hub if isinstance(hub, str) else hub.address
    return {**kept, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hf"), **more}


def options(tmp_path: Path, source: dict[str, str]) -> list[str]:
    """What download_model.py is called with, in the folder `tmp_path`."""
    (tmp_path / "source.json").write_text(json.dumps({"source": source, "licence": "MIT"}))
    files = ["--source=source.json", "--model=results/m.gguf", "--manifest=results/m.json"]
    return [*files, "--config-file", CONFIG]


def download(
    tmp_path: Path,
    source: dict[str, str],
    hub: Hub | str = "http://127.0.0.1:1",
    *arguments: str,
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """Run download_model.py; the model is results/m.gguf, the manifest results/m.json."""
    return subprocess.run(
        [sys.executable, SCRIPT, *options(tmp_path, source), *arguments],
        cwd=tmp_path,
        env=environment(tmp_path, hub, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def succeeded(done: subprocess.CompletedProcess[str], tmp_path: Path) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == ["m.gguf", "m.json"]
    manifest: dict[str, Any] = json.loads((tmp_path / "results" / "m.json").read_text())
    assert sha256((tmp_path / "results" / "m.gguf").read_bytes()) == manifest["sha256"]
    return manifest


def failed(done: subprocess.CompletedProcess[str], tmp_path: Path, *parts: str) -> None:
    """One sentence that names file and key, and nothing left behind."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {CONFIG}: "), done.stderr
    for part in parts:
        assert part in last
    assert left(tmp_path / "results") == []
    assert [path for path in left(tmp_path / "hf") if path.suffix == ".incomplete"] == []


def left(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def refused(
    tmp_path: Path, source: dict[str, str], *parts: str, data_dir: str | None = None
) -> None:
    """The same for a call of `fetch`."""
    target = tmp_path / "results" / "data.csv"
    with pytest.raises(InputError) as caught:
        fetch(source, target, config_file=CONFIG, data_dir=data_dir)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert list(target.parent.iterdir()) == []


# --- hub ----------------------------------------------------------------------------------


def test_hub_model_arrives_with_its_manifest(tmp_path: Path, filled: Hub, model: bytes) -> None:
    source = hub_source(model, revision="main")
    manifest = succeeded(download(tmp_path, source, filled), tmp_path)
    assert manifest == {
        "sha256": sha256(model),
        "size": len(model),
        "licence": "MIT",
        "source": source,
        "commit": COMMIT,
        "lfs_sha256": sha256(model),
    }
    assert str(tmp_path) not in (tmp_path / "results" / "m.json").read_text()


def test_hub_cache_saves_the_second_download(tmp_path: Path, filled: Hub, model: bytes) -> None:
    result = tmp_path / "results" / "m.gguf"
    first = succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    (blob,) = [path for path in left(tmp_path / "hf") if path.name == sha256(model)]
    assert result.stat().st_ino == blob.stat().st_ino
    os.utime(blob, (1, 1))
    shutil.rmtree(tmp_path / "results")
    filled.requests.clear()
    assert succeeded(download(tmp_path, hub_source(model), filled), tmp_path) == first
    assert filled.downloads() == []
    assert result.stat().st_mtime > 1  # or a workflow would take the result for outdated


def test_token_goes_to_the_hub_alone(tmp_path: Path, filled: Hub, model: bytes) -> None:
    done = download(tmp_path, hub_source(model), filled, HF_TOKEN=TOKEN)
    succeeded(done, tmp_path)
    (asked,) = filled.asked("POST", "paths-info")
    assert asked.authorization == f"Bearer {TOKEN}"
    (bytes_,) = filled.asked("GET", "/cdn/")
    assert bytes_.authorization is None
    assert bytes_.host.startswith("localhost:")
    assert TOKEN not in done.stdout + done.stderr
    assert "Signature" not in done.stderr  # a signed address is as good as a token
    assert not any(TOKEN.encode() in path.read_bytes() for path in left(tmp_path))


def test_hub_hash_differs_before_anything_travels(
    tmp_path: Path, filled: Hub, model: bytes
) -> None:
    source = hub_source(b"another file")
    done = download(tmp_path, source, filled)
    failed(done, tmp_path, "source.sha256", source["sha256"], sha256(model), "nothing was")
    assert {request.method for request in filled.requests if REPO in request.path} == {"POST"}


def test_wrong_bytes_are_not_published_and_do_not_stay_in_the_cache(
    tmp_path: Path, filled: Hub, model: bytes
) -> None:
    wrong = model[:-1] + bytes([model[-1] ^ 1])
    filled.sent[FILE] = wrong
    done = download(tmp_path, hub_source(model), filled)
    failed(done, tmp_path, "source.sha256", sha256(model), sha256(wrong), "damages the file")
    assert len(filled.asked("GET", "/cdn/")) == 2  # a second chance, past the cache
    filled.sent.clear()
    succeeded(download(tmp_path, hub_source(model), filled), tmp_path)


def test_damaged_cache_is_replaced(tmp_path: Path, filled: Hub, model: bytes) -> None:
    first = succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    (blob,) = [path for path in left(tmp_path / "hf") if path.name == sha256(model)]
    blob.write_bytes(b"damaged")
    assert succeeded(download(tmp_path, hub_source(model), filled), tmp_path) == first


def test_small_file_of_the_hub_has_no_lfs_hash(tmp_path: Path, filled: Hub, model: bytes) -> None:
    filled.small.add(FILE)
    manifest = succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    assert manifest["lfs_sha256"] is None
    assert manifest["commit"] == COMMIT


def test_dropped_connection_resumes(tmp_path: Path, filled: Hub) -> None:
    # The client keeps what it has in pieces of 10 MiB.
    large = gguf(tmp_path / "large.gguf", 3 << 20)
    filled.repos["models", REPO] = {FILE: large}
    filled.ends = [11 << 20, None]
    done = download(tmp_path, hub_source(large), filled, "--log", "m.log")
    succeeded(done, tmp_path)
    assert [request.range for request in filled.downloads()] == [None, f"bytes={10 << 20}-"]
    for text in (done.stderr, (tmp_path / "m.log").read_text()):
        assert text.count("Trying to resume") == 1
        assert "Signature" not in text


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("reset", [False, True])
def test_connection_that_drops_on_the_way(
    tmp_path: Path, filled: Hub, share: float, reset: bool
) -> None:
    large = gguf(tmp_path / "large.gguf", 6 << 20)
    filled.repos["models", REPO] = {FILE: large}
    filled.ends, filled.reset = [int(share * len(large)), None], reset
    manifest = succeeded(download(tmp_path, hub_source(large), filled), tmp_path)
    assert manifest["sha256"] == manifest["lfs_sha256"] == sha256(large)
    first, second = filled.downloads()
    # What came in whole pieces of 10 MiB is not sent again, unless the connection was reset.
    kept = 0 if reset else int(share * len(large)) // (10 << 20) * (10 << 20)
    assert first.range is None
    assert second.range == (f"bytes={kept}-" if kept else None)


def test_download_that_was_killed_leaves_nothing_that_counts(tmp_path: Path, filled: Hub) -> None:
    large = gguf(tmp_path / "large.gguf", 6 << 20)
    filled.repos["models", REPO] = {FILE: large}
    filled.pause = 0.2
    with subprocess.Popen(
        [sys.executable, SCRIPT, *options(tmp_path, hub_source(large))],
        cwd=tmp_path,
        env=environment(tmp_path, filled),
        stderr=subprocess.DEVNULL,
    ) as running:
        while not filled.downloads():
            time.sleep(0.05)
        running.kill()
    assert not (tmp_path / "results" / "m.gguf").exists()
    assert not (tmp_path / "results" / "m.json").exists()
    filled.pause = 0.0
    assert download(tmp_path, hub_source(large), filled).returncode == 0
    assert sha256((tmp_path / "results" / "m.gguf").read_bytes()) == sha256(large)


def test_slow_link_shows_a_progress_bar_on_a_terminal(tmp_path: Path, filled: Hub) -> None:
    large = gguf(tmp_path / "large.gguf", 6 << 20)
    filled.repos["models", REPO] = {FILE: large}
    filled.pause = 0.05
    terminal, far_end = pty.openpty()
    fcntl.ioctl(far_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with subprocess.Popen(
        [sys.executable, SCRIPT, *options(tmp_path, hub_source(large))],
        cwd=tmp_path,
        env=environment(tmp_path, filled),
        stdout=far_end,
        stderr=far_end,
    ) as running:
        os.close(far_end)
        shown = b""
        with contextlib.suppress(OSError):  # nobody writes to it any more
            while data := os.read(terminal, 1 << 16):
                shown += data
    os.close(terminal)
    assert running.returncode == 0, shown
    assert re.search(rb"tiny-q8_0\.gguf: +\d+%\|.*[\d.]+M/25\.2M", shown), shown
    assert b"Signature" not in shown


def test_slow_link_without_a_terminal_tells_the_log(tmp_path: Path, filled: Hub) -> None:
    large = gguf(tmp_path / "large.gguf", 6 << 20)
    filled.repos["models", REPO] = {FILE: large}
    program = (
        "import runpy, sys; from persona_paradox.data import transfer; transfer.PROGRESS = 0.0;"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    arguments = [SCRIPT, *options(tmp_path, hub_source(large)), "--log=m.log"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        env=environment(tmp_path, filled, PYTHONPATH=str(WORKFLOW)),
        capture_output=True,
        text=True,
        check=False,
    )
    succeeded(done, tmp_path)
    for text in (done.stderr, (tmp_path / "m.log").read_text()):
        assert re.search(r"^tiny-q8_0\.gguf: [\d.]+ MB of 25\.2 MB$", text, re.MULTILINE), text
        assert "%|" not in text
        assert "Signature" not in text


def test_reset_connection_is_tried_again(tmp_path: Path, filled: Hub, model: bytes) -> None:
    filled.ends, filled.reset = [100, None], True
    succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    assert len(filled.downloads()) == 2


def test_connection_that_always_drops(tmp_path: Path, filled: Hub, model: bytes) -> None:
    filled.ends = [1000]
    done = download(tmp_path, hub_source(model), filled)
    failed(done, tmp_path, "source.file", FILE, "cannot be downloaded", "run again")


def test_missing_file_names_its_like(tmp_path: Path, filled: Hub, model: bytes) -> None:
    done = download(tmp_path, hub_source(model, file="tiny-q4_0.gguf"), filled)
    failed(done, tmp_path, "source.file", "holds no tiny-q4_0.gguf", f"did you mean {FILE}?")
    done = download(tmp_path, hub_source(model, file="f16.gguf"), filled)
    failed(done, tmp_path, "source.file", "did you mean gguf/f16.gguf?")
    failed(done, tmp_path, f"but README.md, gguf/f16.gguf, {FILE}; did")
    done = download(tmp_path, hub_source(model, file="zzz.bin"), filled)
    failed(done, tmp_path, f"but README.md, gguf/f16.gguf, {FILE}; take one of these")
    filled.repos["models", REPO] |= {f"part-{number:02d}.bin": b"" for number in range(30)}
    done = download(tmp_path, hub_source(model, file="tiny-q9_9.gguf"), filled)
    failed(done, tmp_path, "part-09.bin and 21 more; did you mean")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"repo": "someone/else"}, ("source.repo", "no model repository someone/else", "hf auth")),
        ({"revision": "v9"}, ("source.revision", f"{REPO} has no revision v9", "commits/main")),
        ({"repo": "some--one/tiny"}, ("source.repo", "no name of a repository")),
    ],
)
def test_missing_repository_or_revision(
    tmp_path: Path, filled: Hub, model: bytes, changes: dict[str, str], parts: tuple[str, ...]
) -> None:
    failed(download(tmp_path, hub_source(model, **changes), filled), tmp_path, *parts)


@pytest.mark.parametrize(
    ("refusal", "place", "reason"),
    [
        ((403, "GatedRepo"), "/resolve/", "is gated"),
        ((401, "GatedRepo"), "/paths-info/", "is gated"),
        ((401, ""), "/paths-info/", "may not be read, the hub answered 401"),
        ((403, ""), "/resolve/", "may not be read, the hub answered 403"),
    ],
)
def test_no_right_to_read(
    tmp_path: Path, filled: Hub, refusal: tuple[int, str], place: str, reason: str
) -> None:
    filled.refusals, filled.refused = [refusal], place
    done = download(tmp_path, hub_source(filled.repos["models", REPO][FILE]), filled)
    failed(done, tmp_path, "source.repo", REPO, reason, "licence", "hf auth login", "HF_TOKEN")
    assert filled.downloads() == []


def test_busy_hub_is_asked_again(tmp_path: Path, filled: Hub, model: bytes) -> None:
    filled.refusals, filled.refused = [(503, "")], "paths-info"
    succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    assert len(filled.asked("POST", "paths-info")) == 2


def test_offline(tmp_path: Path, filled: Hub, model: bytes) -> None:
    done = download(tmp_path, hub_source(model), filled, HF_HUB_OFFLINE="1")
    failed(done, tmp_path, "source.file", "not in the hub's cache", "HF_HUB_OFFLINE")
    assert filled.requests == []
    online = succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    shutil.rmtree(tmp_path / "results")
    filled.requests.clear()
    done = download(tmp_path, hub_source(model), filled, HF_HUB_OFFLINE="1")
    assert succeeded(done, tmp_path) == online
    shutil.rmtree(tmp_path / "results")
    done = download(tmp_path, hub_source(b"another"), filled, HF_HUB_OFFLINE="1")
    failed(done, tmp_path, "source.sha256", sha256(b"another"), sha256(model))
    assert filled.requests == []


def test_damaged_cache_without_a_network(tmp_path: Path, filled: Hub, model: bytes) -> None:
    """The sha256 of the source is right: nobody is told to take that of the damaged copy."""
    succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
    shutil.rmtree(tmp_path / "results")
    (blob,) = [path for path in left(tmp_path / "hf") if path.name == sha256(model)]
    blob.write_bytes(model[:-1])
    done = download(tmp_path, hub_source(model), filled, HF_HUB_OFFLINE="1")
    failed(done, tmp_path, "source.sha256", "has a damaged copy", str(blob), "is a network")
    assert "set `source.sha256`" not in done.stderr


def test_no_connection(tmp_path: Path, filled: Hub, model: bytes) -> None:
    with socket.socket() as bound:  # nobody listens, and nobody else can begin to
        bound.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{bound.getsockname()[1]}"
        done = download(tmp_path, hub_source(model), nowhere)
        failed(done, tmp_path, "source.file", "refused", "check the connection", "run again")
        online = succeeded(download(tmp_path, hub_source(model), filled), tmp_path)
        shutil.rmtree(tmp_path / "results")
        done = download(tmp_path, hub_source(model), nowhere)
        assert succeeded(done, tmp_path) == online
        assert "its cache has the file" in done.stderr


def test_answer_of_something_that_is_no_hub(tmp_path: Path, filled: Hub, model: bytes) -> None:
    source = hub_source(model)
    filled.sent[""] = b"<html>please log in to this network</html>"
    filled.redirect = f"{filled.address}/files/"
    done = download(tmp_path, source, f"{filled.address}/files/elsewhere?")
    failed(done, tmp_path, "source.file", "the answer is not a hub's", "HF_ENDPOINT")


@pytest.mark.parametrize("revision", ["a/../../../outside", "..", "a..b", "/etc"])
def test_revision_is_no_path(revision: str) -> None:
    """The client makes it part of the name of a file in its cache; git has no such name."""
    model = {"title": "Tiny", "family": "tiny", "licence": "MIT", "source": hub_source(b"")}
    for allowed in ("main", "v1.0", "refs/pr/1", "release-1.x"):
        check_schema(model | {"source": hub_source(b"", revision=allowed)}, "model", CONFIG)
    with pytest.raises(InputError, match=r"key `source\.revision`"):
        check_schema(model | {"source": hub_source(b"", revision=revision)}, "model", CONFIG)


def test_data_set_of_the_hub(tmp_path: Path, hub: Hub) -> None:
    hub.repos["datasets", REPO] = {"data/test/a.csv": b"a,b\n"}
    source = hub_source(b"a,b\n", file="data/test/a.csv")
    call = (
        "import json, pathlib, sys; from persona_paradox.data.sources import fetch;"
        "print(json.dumps("
        "fetch(json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]), config_file='x.yaml',"
        " repo_type='dataset')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", call, json.dumps(source), tmp_path / "data.csv"],
        env=environment(tmp_path, hub, PYTHONPATH=str(WORKFLOW)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["commit"] == COMMIT
    assert (tmp_path / "data.csv").read_bytes() == b"a,b\n"


# --- url ----------------------------------------------------------------------------------


def url_source(hub: Hub, data: bytes, name: str = "data.csv") -> dict[str, str]:
    return {"kind": "url", "url": f"{hub.address}/files/{name}?key=k", "sha256": sha256(data)}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("length", [True, False])
def test_url(
    tmp_path: Path,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    length: bool,
) -> None:
    data = bytes(3 << 20)
    hub.sent["data.csv"], hub.length = data, length
    hub.refusals = [(503, ""), (429, "")]
    monkeypatch.setattr(transfer, "PROGRESS", 0.0)
    caplog.set_level(logging.INFO, logger="persona_paradox")
    source = url_source(hub, data)
    manifest = fetch(source, tmp_path / "new" / "data.csv", config_file=CONFIG)
    assert manifest == {"sha256": sha256(data), "size": len(data), "source": source}
    assert (tmp_path / "new" / "data.csv").read_bytes() == data
    assert "data.csv: 1.0 MB" + (" of 3.1 MB" if length else "") in caplog.messages


@pytest.mark.usefixtures("impatient")
def test_url_that_drops_once(tmp_path: Path, hub: Hub) -> None:
    hub.sent["data.csv"], hub.ends = b"0123456789", [4, None]
    fetch(url_source(hub, b"0123456789"), tmp_path / "data.csv", config_file=CONFIG)
    assert (tmp_path / "data.csv").read_bytes() == b"0123456789"
    assert len(hub.requests) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("reset", [False, True])
def test_url_that_always_drops(tmp_path: Path, hub: Hub, reset: bool) -> None:
    hub.sent["data.csv"], hub.ends, hub.reset = b"0123456789", [4], reset
    reason = "reset" if reset else "broke off after 4 bytes of 10 bytes"
    refused(tmp_path, url_source(hub, b"0123456789"), CONFIG, "source.url", reason, "run again")
    assert len(hub.requests) == 3


@pytest.mark.usefixtures("impatient")
def test_url_whose_network_goes_down(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any) -> bytes:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    hub.sent["data.csv"] = b"0123456789"
    monkeypatch.setattr(http.client.HTTPResponse, "read", read)
    refused(tmp_path, url_source(hub, b"0123456789"), "source.url", "is unreachable", "run again")
    assert len(hub.requests) == 3


def test_url_without_file(tmp_path: Path, hub: Hub) -> None:
    source = url_source(hub, b"")
    shown = f"{hub.address}/files/data.csv cannot"  # the query may be a secret
    refused(tmp_path, source, CONFIG, "source.url", shown, "404", "check the address")
    assert len(hub.requests) == 1


def test_url_leads_nowhere_but_the_web(tmp_path: Path, hub: Hub) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    hub.redirect = secret.as_uri()
    refused(tmp_path, url_source(hub, b"secret", "elsewhere"), "source.url", "not allowed")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("url", ["http://127.0.0.1:port/x", "http://:80:80/", "http://[/x"])
def test_url_that_is_none(tmp_path: Path, url: str) -> None:
    refused(tmp_path, {"kind": "url", "url": url, "sha256": "0" * 64}, CONFIG, "source.url")


def test_other_file_leaves_nothing_but_the_old_one(tmp_path: Path, hub: Hub) -> None:
    hub.sent["data.csv"] = b"new"
    source = url_source(hub, b"expected")
    refused(
        tmp_path, source, CONFIG, "source.sha256", sha256(b"expected"), sha256(b"new"), "correct"
    )
    target = tmp_path / "results" / "data.csv"
    target.write_bytes(b"old")
    with pytest.raises(InputError):
        fetch(source, target, config_file=CONFIG)
    assert [path.read_bytes() for path in target.parent.iterdir()] == [b"old"]


# --- path and bundled ---------------------------------------------------------------------


def test_path_is_copied(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"mine")
    source = {"kind": "path", "path": "{data_dir}/data.csv", "sha256": sha256(b"mine")}
    target = tmp_path / "results" / "data.csv"
    manifest = fetch(source, target, config_file=CONFIG, data_dir=str(tmp_path))
    assert manifest == {"sha256": sha256(b"mine"), "size": 4, "source": source}
    assert target.stat().st_nlink == 1
    assert not target.is_symlink()


def test_bundled_file_needs_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resources" / "bundled").mkdir(parents=True)
    (tmp_path / "resources" / "bundled" / "d.csv").write_bytes(b"ours")
    monkeypatch.chdir(tmp_path)
    source = {"kind": "bundled", "path": "resources/bundled/d.csv"}
    assert fetch(source, tmp_path / "d.csv", config_file=CONFIG)["sha256"] == sha256(b"ours")
    source = {"kind": "bundled", "path": "resources/bundled/e.csv"}
    refused(tmp_path, source, CONFIG, "source.path", "is missing", "git restore")


def test_path_that_cannot_be_read(tmp_path: Path) -> None:
    source = {"kind": "path", "path": str(tmp_path / "none.csv"), "sha256": "0" * 64}
    refused(tmp_path, source, CONFIG, "source.path", "none.csv is missing", "put the file there")
    source["path"] = str(tmp_path)
    refused(tmp_path, source, CONFIG, "source.path", "is a folder")
    source["path"] = "{data_dir}/x.csv"
    refused(tmp_path, source, CONFIG, "source.path", "`data_dir`", "PERSONA_DATA_DIR")
    refused(tmp_path, source, "nowhere/x.csv is missing", data_dir="nowhere")


def test_script_knows_the_data_folder(tmp_path: Path, model: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(model)
    asked = {"kind": "path", "path": "{data_dir}/m.gguf", "sha256": sha256(model)}
    done = download(tmp_path, asked, "http://127.0.0.1:1", "--data-dir", str(tmp_path))
    assert succeeded(done, tmp_path)["source"] == asked
    assert str(tmp_path) not in (tmp_path / "results" / "m.json").read_text()


# --- PyPI ---------------------------------------------------------------------------------


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip knows no index but this folder, which has one wheel."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tinydata-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinydata/data.csv", b"a,b\n")
        about = "tinydata-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


def wheel_source(**changes: str) -> dict[str, str]:
    source = {"kind": "pypi", "package": "tinydata", "version": "1.0"}
    return {**source, "member": "tinydata/data.csv", "sha256": sha256(b"a,b\n"), **changes}


def test_member_of_a_real_wheel(tmp_path: Path) -> None:
    source = wheel_source(package="six", version="1.16.0", member="six.py", sha256=SIX)
    manifest = fetch(source, tmp_path / "results" / "six.py", config_file=CONFIG)
    assert manifest == {"sha256": SIX, "size": 34549, "source": source}
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["six.py"]


def test_wheel_without_the_member(tmp_path: Path, wheels: Path) -> None:
    fetch(wheel_source(), tmp_path / "data.csv", config_file=CONFIG)
    assert (tmp_path / "data.csv").read_bytes() == b"a,b\n"
    source = wheel_source(member="tinydata/date.csv")
    refused(tmp_path, source, CONFIG, "source.member", "did you mean tinydata/data.csv?")


def test_package_that_pip_does_not_find(tmp_path: Path, wheels: Path) -> None:
    reason = "No matching distribution found for tinydata==9"
    refused(tmp_path, wheel_source(version="9"), CONFIG, "source.version", reason)


def test_index_that_does_not_answer(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    refused(tmp_path, wheel_source(version="9"), CONFIG, "the package index did not answer")


def test_damaged_wheel(tmp_path: Path, wheels: Path) -> None:
    (wheel,) = wheels.iterdir()
    content = wheel.read_bytes()
    wheel.write_bytes(content.replace(b"a,b\n", b"a;b\n", 1))
    refused(tmp_path, wheel_source(), CONFIG, "source.package", "is damaged")


@pytest.mark.parametrize("name", ["../escaped.csv", "{}/escaped.csv", "a/../../escaped.csv"])
def test_wheel_cannot_write_outside_of_its_folder(tmp_path: Path, wheels: Path, name: str) -> None:
    (wheel,) = wheels.iterdir()
    name = name.format(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(name, b"escaped")
    for source in (wheel_source(), wheel_source(member=name, sha256=sha256(b"escaped"))):
        fetch(source, tmp_path / "results" / "data.csv", config_file=CONFIG)
    assert left(tmp_path) == [tmp_path / "results" / "data.csv", wheel]


def test_wheel_with_a_member_that_cannot_be_unpacked(tmp_path: Path, wheels: Path) -> None:
    (wheel,) = wheels.iterdir()
    good = wheel.read_bytes()
    at = good.index(b"PK\x01\x02")  # the directory, whose first entry is the member
    for offset, number in ((8, 1), (10, 99)):  # encrypted; packed in an unknown way
        wheel.write_bytes(good[: at + offset] + bytes([number]) + good[at + offset + 1 :])
        refused(tmp_path, wheel_source(), CONFIG, "source.package", "is damaged")


# --- disk ---------------------------------------------------------------------------------


def test_disk_is_too_small(tmp_path: Path, small_disk: Path, hub: Hub) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(bytes(200_000))
    path = {"kind": "path", "path": str(large), "sha256": sha256(bytes(200_000))}
    hub.sent["data.csv"] = bytes(200_000)
    for source in (path, url_source(hub, bytes(200_000))):
        with pytest.raises(InputError, match=r"needs 200\.0 kB, 65\.5 kB free on .*free space"):
            fetch(source, small_disk / "data.csv", config_file=CONFIG)
        assert left(small_disk) == []
    hub.length = False
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(source, small_disk / "data.csv", config_file=CONFIG)
    assert caught.value.errno == errno.ENOSPC
    assert left(small_disk) == []


def test_disk_of_the_hub_cache_is_too_small(tmp_path: Path, small_disk: Path, filled: Hub) -> None:
    large = gguf(tmp_path / "large.gguf", 100_000)
    filled.repos["models", REPO] = {FILE: large}
    done = download(tmp_path, hub_source(large), filled, HF_HOME=str(small_disk))
    assert done.returncode == 1
    assert "needs 400" in done.stderr
    assert f"free on {small_disk / 'hub'}; free space and run again" in done.stderr
    assert "Traceback" not in done.stderr
    assert filled.downloads() == []


def test_hub_cache_on_another_disk(tmp_path: Path, small_disk: Path, filled: Hub) -> None:
    data = filled.repos["models", REPO][FILE]
    done = download(tmp_path, hub_source(data), filled, HF_HOME=str(small_disk))
    succeeded(done, tmp_path)
    assert (tmp_path / "results" / "m.gguf").stat().st_nlink == 1


# --- models -------------------------------------------------------------------------------


def test_truncated_model_is_not_published(tmp_path: Path, model: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(model[:-100])
    path = {"kind": "path", "path": str(tmp_path / "m.gguf"), "sha256": sha256(model[:-100])}
    failed(download(tmp_path, path), tmp_path, "is truncated or damaged: tensor last ends at byte")


def test_every_length_short_of_the_whole_is_noticed(tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(model)
    check_gguf(path, CONFIG)
    for length in [*range(0, 600, 3), *range(600, len(model), 500), len(model) - 1]:
        path.write_bytes(model[:length])
        with pytest.raises(InputError, match=r"tiny\.yaml.* is truncated or damaged: .*source\.sh"):
            check_gguf(path, CONFIG)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: b"", "is truncated or damaged: it is empty"),
        (lambda m: m[:4] + b"\1\0\0\0" + m[8:], "a GGUF of version 1, but versions 2 and 3"),
        (lambda m: m[:4] + b"\0\0\0\3" + m[8:], "a GGUF for machines that are big-endian, but"),
    ],
)
def test_an_empty_file_or_one_of_another_kind(
    tmp_path: Path, model: bytes, change: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(change(model))
    with pytest.raises(InputError, match=said):
        check_gguf(path, CONFIG)


def test_damaged_header_is_noticed_or_harmless(tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "m.gguf"
    noticed = 0
    for at in range(600):
        path.write_bytes(model[:at] + b"\xff" + model[at + 1 :])
        try:
            check_gguf(path, CONFIG)
        except InputError:
            noticed += 1
    assert noticed > 100


def header_only(path: Path, architecture: str, type_: str | None = None, tensors: int = 1) -> bytes:
    writer = GGUFWriter(path, architecture)
    if type_:
        writer.add_type(type_)
    for number in range(tensors):
        writer.add_tensor(f"t{number}", np.ones(8, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


# Architecture, type, tensors; what is said.
NO_MODELS = {
    "adapter": (("llama", "adapter"), "no model but an adapter (LoRA)", "config/adapters"),
    "projector": (("clip", "mmproj"), "no model but a projector", "file of the model itself"),
    "projector without a type": (("clip",), "no model but a projector", "the model itself"),
    "importance matrix": (("imatrix", "imatrix"), "no model but an importance matrix"),
    "control vector": (("controlvector",), "no model but a control vector"),
    "vocabulary": (("llama", "model", 0), "a vocabulary but no weights", "the whole model"),
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_is_no_model_is_named(tmp_path: Path, name: str) -> None:
    shape, *words = NO_MODELS[name]
    data = header_only(tmp_path / "other.gguf", *shape)
    source = {"kind": "path", "path": "other.gguf", "sha256": sha256(data)}
    failed(download(tmp_path, source), tmp_path, f"{CONFIG}: key `source`: the file", *words)


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 weights of PyTorch", b"\x80\x02}q", b"<html></html>"]
)
def test_a_file_that_is_no_gguf(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.bin").write_bytes(data)
    source = {"kind": "path", "path": "m.bin", "sha256": sha256(data)}
    failed(download(tmp_path, source), tmp_path, "does not begin with GGUF", "name a GGUF file")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("file_type", ["F32", "F16", "Q8_0", "Q4_1"])
def test_weights_that_are_not_finite(tmp_path: Path, file_type: str, value: float) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_model(path, file_type=file_type)
    check_gguf(path, CONFIG)
    reader = GGUFReader(path, "r+")
    (tensor,) = (t for t in reader.tensors if t.name == "blk.1.ffn_up.weight")
    # Of quantized weights the scale, with which a block begins.
    start = tensor.data.reshape(-1).view(np.float32 if file_type == "F32" else np.float16)
    start[0] = value
    start.flush()
    with pytest.raises(InputError, match=r"tensor blk\.1\.ffn_up\.weight holds numbers that are"):
        check_gguf(path, CONFIG)


# --- models in parts ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("parts")
    write_tiny_model(folder / "tiny.gguf", tensors_per_part=8)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def of_parts(parts: dict[str, bytes], kind: str = "path", **changes: Any) -> dict[str, Any]:
    first, sums = next(iter(parts)), [sha256(data) for data in parts.values()]
    if kind == "path":
        return {"kind": "path", "path": first, "sha256": sums} | changes
    source = {"kind": "hub", "repo": REPO, "file": f"q8/{first}", "revision": COMMIT}
    return source | {"sha256": sums} | changes


def put(tmp_path: Path, parts: dict[str, bytes]) -> None:
    for name, data in parts.items():
        (tmp_path / name).write_bytes(data)


@pytest.mark.parametrize("kind", ["path", "hub"])
def test_all_parts_become_one_model(
    tmp_path: Path, hub: Hub, parts: dict[str, bytes], kind: str
) -> None:
    assert list(parts) == [f"tiny-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    put(tmp_path, parts if kind == "path" else {})
    hub.repos["models", REPO] = {f"q8/{name}": data for name, data in parts.items()}
    manifest = succeeded(download(tmp_path, of_parts(parts, kind), hub), tmp_path)
    assert [part["sha256"] for part in manifest["parts"]] == [sha256(d) for d in parts.values()]
    write_tiny_model(tmp_path / "whole.gguf")
    ours, whole = GGUFReader(tmp_path / "results/m.gguf"), GGUFReader(tmp_path / "whole.gguf")
    mine = {t.name: t.data for t in ours.tensors}
    assert mine.keys() == {t.name for t in whole.tensors}
    for tensor in whole.tensors:
        np.testing.assert_array_equal(mine[tensor.name], tensor.data)
    said = {key: field.contents() for key, field in ours.fields.items()}
    assert said == {key: field.contents() for key, field in whole.fields.items()}


def test_parts_that_are_not_those_of_the_model(tmp_path: Path, parts: dict[str, bytes]) -> None:
    first, second, third = parts.values()
    names = list(parts)
    put(tmp_path, parts)
    wrong = of_parts(parts, sha256=[sha256(first), "0" * 64, sha256(third)])
    failed(download(tmp_path, wrong), tmp_path, "`source.sha256`", "0" * 64, sha256(second))
    swapped = dict(zip(names, (first, third, second), strict=True))
    put(tmp_path, swapped)
    failed(download(tmp_path, of_parts(swapped)), tmp_path, "is part 3 of 3 of a model, not part 2")
    put(tmp_path, parts)
    (tmp_path / names[1]).unlink()
    failed(download(tmp_path, of_parts(parts)), tmp_path, names[1], "is missing")


def test_parts_of_two_models(tmp_path: Path, parts: dict[str, bytes]) -> None:
    names = list(parts)

    def joined(data: bytes, *words: str) -> None:
        mixed = parts | {names[1]: data}
        put(tmp_path, mixed)
        said = ("not of one model", "published together")
        failed(download(tmp_path, of_parts(mixed)), tmp_path, *words, *said)

    write_tiny_model(tmp_path / "other.gguf", tensors_per_part=8, architecture="mamba")
    other = (tmp_path / names[1].replace("tiny", "other")).read_bytes()
    joined(other, "tensors", names[0], names[1])
    # One tensor is called as one of the first part is.
    here = parts[names[1]].index(b"blk.")
    name = re.match(rb"blk[.a-z0-9_]+?weight", parts[names[1]][here:])[0]
    twin = next(
        t.encode()
        for t in (tensor.name for tensor in GGUFReader(tmp_path / names[0]).tensors)
        if len(t) == len(name)
    )
    joined(parts[names[1]].replace(name, twin, 1), f"tensor {twin.decode()} stands both in")


def test_a_part_under_another_name(tmp_path: Path, parts: dict[str, bytes]) -> None:
    (tmp_path / "tiny.gguf").write_bytes(data := list(parts.values())[1])
    source = {"kind": "path", "path": "tiny.gguf", "sha256": sha256(data)}
    failed(
        download(tmp_path, source), tmp_path, "the file is part 2 of 3 of a model", "its own name"
    )


@pytest.mark.parametrize("key", ["path", "file"])
def test_sources_that_name_parts_wrongly(key: str) -> None:
    kind = "hub" if key == "file" else "path"
    one, two = "0" * 64, "1" * 64

    def said(name: str, sums: str | list[str]) -> str:
        with pytest.raises(InputError) as caught:
            parts_of({"kind": kind, key: name, "sha256": sums}, CONFIG)
        return str(caught.value)

    first = "a/m-00001-of-00002.gguf"
    assert f"`source.{key}` names part 2 of 2 of a model; name the first, {first}" in said(
        "a/m-00002-of-00002.gguf", [one, two]
    )
    assert "has 1 of the checksums of a model in 2 parts" in said(first, one)
    assert "has 3 of the checksums of a model in 2 parts" in said(first, [one, two, one])
    assert "lists 2 checksums, which is for a model in parts" in said("a/m.gguf", [one, two])
    whole = {"kind": kind, key: "a/m-00001-of-00001.gguf", "sha256": one}
    assert parts_of(whole, CONFIG) == [whole]
