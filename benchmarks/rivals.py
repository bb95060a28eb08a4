"""What people use instead of the engine, on the same prompts, weights and threads."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import llama_cpp
from workload import Chat, Weights

from persona_paradox.engine.decoding import log_softmax
from persona_paradox.engine.running import Forms

WINDOW = 2048
PATIENCE_S = 120
REPLY = 16  # tokens of a reply in the paper's procedure, as in the task
LISTED = 20  # log-probabilities that are asked for


def rate(
    ask: Callable[[Chat], int], chats: Sequence[Chat], before: Mapping[str, Chat] | None = None
) -> float:
    """What is done per second, prompt after prompt.

    Args:
        ask: answers one prompt; returns how much that was, one prompt or so many tokens.
        chats: prompts, persona by persona.
        before: persona → a prompt that is asked before its others, not timed, so that what a long
            series has in common with the prompt before is in memory from the first prompt on.
    """
    spent, done, persona = 0.0, 0, ""
    for chat in chats:
        if before and chat.persona != persona:
            ask(before[chat.persona])
        persona = chat.persona
        started = time.perf_counter()
        done += ask(chat)
        spent += time.perf_counter() - started
    return done / spent


class HighLevel:
    """The high-level `Llama`, as its documentation has it.

    Args:
        weights: what it loads.
        threads: of the computation.
        logits_all: whether it can say log-probabilities, which it cannot by default.
    """

    def __init__(self, weights: Weights, threads: int, *, logits_all: bool) -> None:
        self._llama = llama_cpp.Llama(
            os.fspath(weights.path),
            n_ctx=WINDOW,
            n_threads=threads,
            n_threads_batch=threads,
            logits_all=logits_all,
            verbose=False,
        )

    def score(self, chat: Chat) -> int:
        """One greedy token with its log-probabilities."""
        self._complete(chat, 1, logprobs=LISTED)
        return 1

    def letter(self, chat: Chat) -> int:
        """One greedy token and nothing about others."""
        self._complete(chat, 1)
        return 1

    def explain(self, chat: Chat, max_tokens: int) -> int:
        """Free text; returns how many tokens it has."""
        return int(self._complete(chat, max_tokens)["usage"]["completion_tokens"])

    def paper(self, chat: Chat, forms: Forms) -> int:
        """A greedy reply, then a pass over prompt and form for every form of a label."""
        self._complete(chat, REPLY)
        prompt = list(chat.prompt.tokens)
        for form in (form for own in forms for form in own):
            self._llama.reset()
            self._llama.eval([*prompt, *form])
            rows = self._llama.scores[len(prompt) - 1 : len(prompt) - 1 + len(form)]
            sum(float(log_softmax(row)[token]) for row, token in zip(rows, form, strict=True))
        return 1

    def _complete(self, chat: Chat, max_tokens: int, **options: Any) -> Any:
        # A list of tokens: the template has written the beginning, and nothing is to be added.
        done = self._llama.create_completion(
            list(chat.prompt.tokens), max_tokens=max_tokens, temperature=0.0, **options
        )
        check_prompt(done["usage"]["prompt_tokens"], chat)
        return done

    def __enter__(self) -> HighLevel:
        """Enter a block at whose end the model is freed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the model."""
        self._llama.close()


class Endpoint:
    """A client of llama_cpp.server on this machine; it waits for an answer before it asks on."""

    def __init__(self, url: str) -> None:
        import openai  # noqa: PLC0415 - half a second

        # The proxy of the environment is not for this machine.
        client = openai.DefaultHttpxClient(trust_env=False)
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", http_client=client)

    def score(self, chat: Chat) -> int:
        """One greedy token with its log-probabilities."""
        self._complete(chat, 1, logprobs=LISTED)
        return 1

    def explain(self, chat: Chat, max_tokens: int) -> int:
        """Free text; returns how many tokens it has."""
        return int(self._complete(chat, max_tokens).usage.completion_tokens)

    def _complete(self, chat: Chat, max_tokens: int, **options: Any) -> Any:
        done = self._client.completions.create(
            model="any", prompt=chat.text, max_tokens=max_tokens, temperature=0.0, **options
        )
        check_prompt(done.usage.prompt_tokens, chat)
        return done


def check_prompt(tokens: int, chat: Chat) -> None:
    """Rivals must read the same prompt."""
    if tokens != len(chat.prompt):
        raise RuntimeError(f"a rival read {tokens} tokens instead of {len(chat.prompt)}")


@contextlib.contextmanager
def serve(weights: Weights, threads: int) -> Iterator[Endpoint]:
    """Run llama_cpp.server for the time of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", os.fspath(weights.path)]
    options = {"n_ctx": WINDOW, "n_threads": threads, "n_threads_batch": threads, "port": port}
    options |= {"host": "127.0.0.1", "verbose": False}
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/v1/models", server)
        yield Endpoint(url)
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            opener.open(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError("llama_cpp.server did not start")
