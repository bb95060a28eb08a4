"""A real endpoint on this machine: llama_cpp.server, for as long as a test needs it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from project import Project
from tiny_model import CHATML

ALIAS = "tiny"
FAR, TEMPLATE = "config/models/far.yaml", "config/models/far.jinja"


@contextmanager
def running_server(model: Path, *, window: int, api_key: str | None = None) -> Iterator[str]:
    """Serve a GGUF file under the name `ALIAS`; yields the URL up to and with /v1.

    Args:
        model: the file; the server's log is written beside it.
        window: most tokens of a prompt and its answer.
        api_key: what requests have to show, None for nothing.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model)]
    command += ["--model_alias", ALIAS, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--n_ctx", str(window), "--n_threads", "1", "--n_threads_batch", "1"]
    command += ["--logits_all", "true", "--verbose", "false"]
    command += ["--api_key", api_key] if api_key else []
    log = model.with_suffix(".log")
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}/v1"
        deadline = time.monotonic() + 60
        while not _listens(f"{address}/models"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - of this machine
            return True
    except urllib.error.HTTPError:
        return True  # it wants the key
    except (urllib.error.URLError, ConnectionError):
        return False


def add_server(project: Project, url: str, **source: object) -> None:
    """A model `far` behind an endpoint, with the chat template of the tiny model."""
    (project.path / TEMPLATE).write_text(CHATML)
    model = {
        "title": "Random weights (far)",
        "family": "tiny",
        "licence": "MIT",
        "source": {
            "kind": "server",
            "url": url,
            "model": ALIAS,
            "revision": "1",
            "template": TEMPLATE,
            # More than the vocabulary has tokens.
            "top_logprobs": 1000,
            **source,
        },
    }
    (project.path / FAR).write_text(yaml.safe_dump(model))
