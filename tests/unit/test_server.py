"""Models behind an endpoint: a real llama_cpp.server, and one that misbehaves."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from loopback_server import running_server
from tiny_model import write_tiny_model

from persona_paradox.engine.decoding import LENGTH, STOP, TOO_LONG, Answer, Decoding
from persona_paradox.engine.server import Server, ServerQuestion
from persona_paradox.engine.server_settings import ServerSettings
from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema

NAME = "config/models/far.yaml"
WINDOW = 512
LABELS = ("A", "B", "C")
EVERYTHING = 1000  # more log-probabilities than the vocabulary has tokens
GREEDY = Decoding(max_tokens=12)


def ask(server: Server, questions: Sequence[ServerQuestion], labels: Sequence[str] = ()) -> list:
    """Answers in the order of the questions; each comes exactly once."""
    answers = list(server.ask(questions, labels))
    assert sorted(index for index, _ in answers) == list(range(len(questions)))
    return [answer for _, answer in sorted(answers, key=lambda pair: pair[0])]


def question(text: str, decoding: Decoding = GREEDY, seed: int = 1) -> ServerQuestion:
    return ServerQuestion(text, decoding, seed)


# --- a real endpoint ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("server") / "tiny.gguf"
    write_tiny_model(path)
    return path


@pytest.fixture(scope="session")
def url(model: Path) -> Iterator[str]:
    with running_server(model, window=WINDOW) as address:
        yield address


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    settings = ServerSettings(url, "tiny", retries=0, top_logprobs=EVERYTHING)
    with Server(settings, NAME) as made:
        yield made


@pytest.fixture(scope="session")
def llama(model: Path) -> llama_cpp.Llama:
    return llama_cpp.Llama(
        str(model), n_ctx=WINDOW, logits_all=True, n_threads=1, n_threads_batch=1, verbose=False
    )


@dataclass(frozen=True)
class Reference:
    """A greedy answer by the low-level interface."""

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    first: np.ndarray
    ended: bool


def reference(llama: llama_cpp.Llama, prompt: str, max_tokens: int) -> Reference:
    llama.reset()
    llama.eval(llama.tokenize(prompt.encode(), add_bos=False, special=True))
    tokens, logprobs, first, ended = [], [], None, False
    while len(tokens) < max_tokens:
        row = np.array(llama.scores[llama.n_tokens - 1], "f8")
        row -= np.logaddexp.reduce(row)
        first = row if first is None else first
        token = int(row.argmax())
        if ended := llama_cpp.llama_vocab_is_eog(llama._model.vocab, token):
            break
        tokens.append(token)
        logprobs.append(float(row[token]))
        if len(tokens) < max_tokens:
            llama.eval([token])
    text = llama.detokenize(tokens).decode(errors="replace")
    return Reference(text, tuple(tokens), tuple(logprobs), first, ended)


@pytest.fixture(scope="session")
def references(llama: llama_cpp.Llama) -> dict[str, Reference]:
    """Greedy answers of all kinds, of whole characters."""
    prompts = [
        f"{start}<|im_start|>user\nYou are nurse {i}.<|im_end|>\n<|im_start|>assistant\n"
        for start in ("<|endoftext|>", "")
        for i in range(40)
    ]
    prompts += [f"A patient of {i * 0.37:.2f}" for i in range(200)]
    found = {prompt: reference(llama, prompt, GREEDY.max_tokens) for prompt in prompts}
    found = {prompt: made for prompt, made in found.items() if made.text.isascii()}
    at_once = [p for p, made in found.items() if not made.tokens][:3]
    ended = [p for p, made in found.items() if made.ended and len(made.tokens) > 2][:5]
    cut = [p for p, made in found.items() if not made.ended][:5]
    assert at_once
    assert ended
    assert cut
    return {prompt: found[prompt] for prompt in at_once + ended + cut}


def by_hand(first: np.ndarray, llama: llama_cpp.Llama, top: int = EVERYTHING) -> list[float]:
    """Label log-probabilities from those of all tokens, or of the likeliest `top`."""
    listed = set(np.argsort(-first)[:top].tolist())
    result = []
    for label in LABELS:
        forms = [
            llama.tokenize(f"{lead}{label}".encode(), add_bos=False) for lead in ("", " ", "\n")
        ]
        own = [first[form[0]] for form in forms if len(form) == 1 and form[0] in listed]
        assert sum(len(form) == 1 for form in forms) == 2
        result.append(float(np.logaddexp.reduce(own)) if own else -np.inf)
    return result


def test_greedy_answers_are_those_of_the_model(
    server: Server, llama: llama_cpp.Llama, references: dict[str, Reference]
) -> None:
    answers = ask(server, [question(prompt) for prompt in references], LABELS)
    assert len({answer.text for answer in answers}) > 3, "the model must not say one thing only"
    for (prompt, made), answer in zip(references.items(), answers, strict=True):
        high_level = llama(prompt, max_tokens=12, temperature=0.0, repeat_penalty=1.0)
        assert answer.text == made.text == high_level["choices"][0]["text"]
        assert answer.finish_reason == (STOP if made.ended else LENGTH)
        assert answer.n_tokens == len(made.tokens)
        assert answer.token_logprob is None
        assert answer.label_logprob == pytest.approx(by_hand(made.first, llama), abs=1e-3)


def test_a_label_beyond_the_listed_tokens_has_no_probability(
    url: str, llama: llama_cpp.Llama, references: dict[str, Reference]
) -> None:
    expected = [by_hand(made.first, llama, 20) for made in references.values()]
    assert 0 < sum(value == -np.inf for own in expected for value in own) < 3 * len(expected)
    with Server(ServerSettings(url, "tiny", top_logprobs=20), NAME) as server:
        for decoding in (GREEDY, Decoding(max_tokens=0), Decoding(max_tokens=4, temperature=1.0)):
            answers = ask(server, [question(prompt, decoding) for prompt in references], LABELS)
            for answer, own in zip(answers, expected, strict=True):
                assert answer.label_logprob == pytest.approx(own, abs=1e-3)


def test_labels_alone(server: Server, references: dict[str, Reference]) -> None:
    prompts = list(references)
    only = ask(server, [question(prompt, Decoding(max_tokens=0)) for prompt in prompts], LABELS)
    full = ask(server, [question(prompt) for prompt in prompts], LABELS)
    for alone, answer in zip(only, full, strict=True):
        assert (alone.text, alone.finish_reason, alone.n_tokens) == ("", LENGTH, 0)
        assert alone.label_logprob == pytest.approx(answer.label_logprob, abs=1e-4)


def test_log_probabilities_of_the_answer(server: Server, references: dict[str, Reference]) -> None:
    decoding = Decoding(max_tokens=GREEDY.max_tokens, token_logprobs=True)
    for labels in ((), LABELS):
        answers = ask(server, [question(prompt, decoding) for prompt in references], labels)
        for made, answer in zip(references.values(), answers, strict=True):
            assert answer.token_logprob == pytest.approx(made.logprobs, abs=1e-3)
            assert answer.n_tokens == len(made.logprobs)
            assert (answer.label_logprob is None) == (not labels)


def test_stop_strings_and_length(server: Server, references: dict[str, Reference]) -> None:
    prompt, made = next((p, m) for p, m in references.items() if not m.ended)
    stop = made.text[3:5]
    before = made.text[: made.text.index(stop)]
    decoding = Decoding(max_tokens=12, stop=("not in it", stop), token_logprobs=True)
    [answer] = ask(server, [question(prompt, decoding)], LABELS)
    assert (answer.text, answer.finish_reason) == (before, STOP)
    # The tokens that begin within the answer.
    assert answer.token_logprob == pytest.approx(made.logprobs[: answer.n_tokens], abs=1e-3)
    assert 0 < answer.n_tokens <= len(before)
    for max_tokens in (1, 5):
        [answer] = ask(server, [question(prompt, Decoding(max_tokens=max_tokens))])
        assert (answer.finish_reason, answer.n_tokens) == (LENGTH, max_tokens)
        assert made.text.startswith(answer.text)


def test_drawn_answers_follow_their_seed(server: Server, references: dict[str, Reference]) -> None:
    decoding = Decoding(max_tokens=8, temperature=1.5, top_p=0.99, min_p=0.001)
    prompt = next(iter(references))
    questions = [question(prompt, decoding, seed) for seed in (*range(8), 2**40 + 3)]
    first, second = ask(server, questions, LABELS), ask(server, questions, LABELS)
    assert [answer.text for answer in first] == [answer.text for answer in second]
    assert len({answer.text for answer in first}) > 4
    # A seed beyond 31 bits is another one, and no error.
    assert first[3].text == first[8].text
    # All have the labels of the greedy answer.
    [greedy] = ask(server, [question(prompt)], LABELS)
    for answer in first:
        assert answer.label_logprob == pytest.approx(greedy.label_logprob, abs=1e-4)


def test_a_prompt_beyond_the_window_is_a_row(server: Server, llama: llama_cpp.Llama) -> None:
    size = next(n for n in range(WINDOW - 1, 0, -1) if not reference(llama, "x" * n, 1).ended)
    for labels in ((), LABELS):
        beyond, cut, fits = ask(
            server,
            [question("x" * 2 * WINDOW), question("x" * size, Decoding(50)), question("x" * 9)],
            labels,
        )
        assert beyond == cut == Answer(None, TOO_LONG, 0)
        assert fits.text is not None
    drawn = Decoding(max_tokens=3, temperature=1.0)
    assert ask(server, [question("x" * 2 * WINDOW, drawn)], LABELS) == [beyond]
    assert ask(server, [question("x" * 2 * WINDOW, Decoding(0))], LABELS) == [beyond]


def test_check_knows_the_served_models(url: str) -> None:
    with Server(ServerSettings(url, "tiny"), NAME) as server:
        server.check()
    with Server(ServerSettings(url, "huge"), NAME) as server, pytest.raises(InputError) as error:
        server.check()
    assert str(error.value) == (
        f"{NAME}: key `source.model`: {url} serves tiny, not huge; name what it serves, or start "
        "the server with that model"
    )


# --- an endpoint that misbehaves ----------------------------------------------------------


@dataclass
class Reply:
    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Endpoint:
    """Behaviour of the endpoint, and what it was asked."""

    url: str = ""
    models: Reply = field(default_factory=lambda: Reply({"data": [{"id": "far"}]}))
    # what a request for a completion gets; None drops the connection
    reply: Callable[[dict], Reply | None] = lambda body: Reply(completion("fine"))
    requests: list[dict] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    now: int = 0
    peak: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, headers: Message) -> None:
        self.headers.append({key.lower(): value for key, value in headers.items()})

    def settings(self, **other: Any) -> ServerSettings:
        return ServerSettings(**{"url": self.url, "model": "far", "retries": 0} | other)

    def server(self, **other: Any) -> Server:
        return Server(self.settings(**other), NAME)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: Endpoint

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.endpoint.note(self.headers)
        self.send(self.endpoint.models if self.path == "/v1/models" else Reply("", 404))

    def do_POST(self) -> None:
        endpoint = self.endpoint
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/completions":
            self.send(Reply({"detail": "Not Found"}, 404))
            return
        with endpoint.lock:
            endpoint.note(self.headers)
            endpoint.requests.append(body)
            endpoint.now += 1
            endpoint.peak = max(endpoint.peak, endpoint.now)
        try:
            reply = endpoint.reply(body)
        finally:
            with endpoint.lock:
                endpoint.now -= 1
        if reply is None:
            self.close_connection = True
        else:
            self.send(reply)

    def send(self, reply: Reply) -> None:
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        kind = "text/html" if isinstance(reply.body, str) else "application/json"
        headers = {"Content-Type": kind, "Content-Length": str(len(text.encode()))}
        try:
            self.send_response(reply.status)
            for key, value in (headers | reply.headers).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(text.encode())
        except ConnectionError:
            pass  # the client waits no longer


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with running_endpoint() as made:
        yield made


@contextmanager
def running_endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    handler = type("EndpointHandler", (Handler,), {"endpoint": endpoint})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def completion(text: str, reason: str = "stop", logprobs: Any = None, count: int = 3) -> dict:
    choice = {"text": text, "index": 0, "logprobs": logprobs, "finish_reason": reason}
    return {"choices": [choice], "usage": {"completion_tokens": count}}


def legacy(tokens: Sequence[str], values: Sequence[float], first: dict[str, float]) -> dict:
    """As OpenAI's completions, vLLM and llama_cpp.server list log-probabilities."""
    return {
        "tokens": list(tokens),
        "token_logprobs": list(values),
        "top_logprobs": [first, *({token: -1.0} for token in tokens[1:])],
    }


def as_chat(tokens: Sequence[str], values: Sequence[float], first: Sequence[tuple]) -> dict:
    """As llama-server lists them."""
    tops = [first, *([(token, -1.0)] for token in tokens[1:])]
    return {
        "content": [
            {
                "token": token,
                "logprob": value,
                "bytes": list(token.encode()),
                "top_logprobs": [
                    {"token": t, "logprob": v, "bytes": list(t.encode())} for t, v in top
                ],
            }
            for token, value, top in zip(tokens, values, tops, strict=True)
        ]
    }


def refused(message: str, status: int = 400, **more: Any) -> Reply:
    return Reply({"error": {"message": message, **more}}, status)


FIRST = {" B": -0.5, "B": -2.0, "A": -1.5, "the": -3.0, "\nA": -4.0}
SUMS = (np.logaddexp(-1.5, -4.0), np.logaddexp(-0.5, -2.0), -np.inf)


@pytest.mark.parametrize("ending", [None, "", "<|im_end|>"])
@pytest.mark.parametrize("form", ["legacy", "chat"])
def test_both_formats_of_log_probabilities(
    endpoint: Endpoint, form: str, ending: str | None
) -> None:
    # llama-server and vLLM list and count the token that ended the answer.
    tokens, values = [" B", " is", " it"], [-0.5, -0.7, -0.1]
    if ending is not None:
        tokens, values = [*tokens, ending], [*values, -0.2]
    if form == "legacy":
        listed = legacy(tokens, values, FIRST)
    else:
        # Another token of the same text, as sentencepiece has for bytes.
        listed = as_chat(tokens, values, [*FIRST.items(), ("B", -9.0)])
    endpoint.reply = lambda body: Reply(completion(" B is it", "stop", listed, len(tokens)))
    with endpoint.server() as server:
        decoding = Decoding(max_tokens=9, token_logprobs=True)
        [answer] = ask(server, [question("x", decoding)], LABELS)
    assert (answer.text, answer.finish_reason, answer.n_tokens) == (" B is it", STOP, 3)
    assert answer.token_logprob == (-0.5, -0.7, -0.1)
    assert answer.label_logprob == pytest.approx(SUMS)
    assert [body["logprobs"] for body in endpoint.requests] == [20]


def without(key: str) -> dict:
    made = completion(" B", "stop", legacy([" B"], [-0.5], FIRST))
    del made["choices"][0]["logprobs"][key]
    return made


def counted(count: Any) -> dict:
    return completion(" B", "stop", legacy([" B"], [-0.5], FIRST), count)


UNUSABLE = {
    "no text": (completion(None, "stop", legacy([" B"], [-0.5], FIRST)), "`text` is null"),
    "text that is a number": (completion(7), "`text` is 7, not a text"),
    "NaN among the likeliest": (
        completion(" B", "stop", legacy([" B"], [-0.5], {" B": -0.5, "A": np.nan})),
        'token "A" has the log-probability NaN',
    ),
    "NaN of a token": (completion(" B", "stop", legacy([" B"], [np.nan], FIRST)), "NaN"),
    "infinity": (completion(" B", "stop", legacy([" B"], [np.inf], FIRST)), "Infinity"),
    "null": (completion(" B", "stop", legacy([" B"], [None], FIRST)), "log-probability null"),
    "a probability": (completion(" B", "stop", legacy([" B"], [0.4], FIRST)), "0.4"),
    "a log-probability in words": (
        completion(" B", "stop", as_chat([" B"], [-0.5], [(" B", "-0.5")])),
        'log-probability "-0.5"',
    ),
    "NaN as llama-server lists it": (
        completion(" B", "stop", as_chat([" B"], [-0.5], [(" B", np.nan)])),
        "NaN",
    ),
    "fewer numbers than tokens": (without("token_logprobs"), "`logprobs` are of no known form"),
    "a count in words": (counted("3"), '`completion_tokens` is "3", not a number'),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_is_none_stops_the_cell(endpoint: Endpoint, name: str) -> None:
    reply, words = UNUSABLE[name]
    endpoint.reply = lambda body: Reply(reply)
    with endpoint.server() as server, pytest.raises(InputError) as caught:
        list(server.ask([question("x")], LABELS))
    assert str(caught.value).startswith(f"{NAME}: key `source.url`: {endpoint.url} sent an answer")
    assert words in str(caught.value)


def test_minus_infinity_is_a_log_probability(endpoint: Endpoint) -> None:
    listed = legacy([" B"], [-0.5], {" B": -0.5, "A": -np.inf})
    endpoint.reply = lambda body: Reply(completion(" B", "stop", listed))
    with endpoint.server() as server:
        [answer] = ask(server, [question("x")], LABELS)
    assert answer.label_logprob == (-np.inf, -0.5, -np.inf)


def test_a_first_token_that_is_not_listed_is_asked_for_apart(endpoint: Endpoint) -> None:
    # llama-server: nothing for a token that ends inside a character, so that the first one
    # listed is a later one; and nothing at all if it is the only one.
    def reply(body: dict) -> Reply:
        if "grammar" in body:
            return Reply(completion(" B", "length", as_chat([" B"], [-0.5], list(FIRST.items()))))
        if body["max_tokens"] == 1:
            return Reply(completion("", "length", None, 1))
        later = as_chat(["€", "A"], [-0.1, -0.2], [("\ufffd", -0.1), ("A", -0.3)])
        return Reply(completion("€A", "stop", later, 4))

    endpoint.reply = reply
    with endpoint.server() as server:
        [answer] = ask(server, [question("x")], LABELS)
    assert answer.text == "€A"
    assert answer.label_logprob == pytest.approx(SUMS)
    assert [body["max_tokens"] for body in endpoint.requests] == [12, 1, 1]


def test_what_is_sent(endpoint: Endpoint) -> None:
    text = "<|im_start|>user\nÄrztin “x”<|im_end|>\n"
    drawn = Decoding(9, temperature=0.7, top_p=0.9, min_p=0.05, stop=("\n", "B"))
    with endpoint.server() as server:
        ask(server, [question(text)])
        ask(server, [question(text, drawn, seed=2**31 + 5)])
    # Servers have defaults of their own for all of these.
    always = {
        "model": "far",
        "prompt": text,
        "frequency_penalty": 0,
        "presence_penalty": 0,
        "repeat_penalty": 1,
        "repetition_penalty": 1,
        "top_k": 0,
        "samplers": ["temperature", "min_p", "top_p"],
    }
    greedy = {"max_tokens": 12, "temperature": 0, "top_p": 1, "min_p": 0, "seed": 1}
    other = {"max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "min_p": 0.05, "seed": 5}
    assert endpoint.requests == [always | greedy, always | other | {"stop": ["\n", "B"]}]


def test_labels_of_drawn_answers_are_asked_for_once_per_text(endpoint: Endpoint) -> None:
    endpoint.reply = lambda body: Reply(
        completion(" B", "length", legacy([" B"], [-0.5], FIRST), body["max_tokens"])
    )
    drawn = Decoding(max_tokens=1, temperature=1.0)
    questions = [question(text, drawn, seed) for text in "xy" for seed in range(5)]
    with endpoint.server() as server:
        answers = ask(server, questions, LABELS)
    for answer in answers:
        assert answer.label_logprob == pytest.approx(SUMS)
    greedy = [body for body in endpoint.requests if body["temperature"] == 0]
    assert sorted(body["prompt"] for body in greedy) == ["x", "y"]
    assert {body["logprobs"] for body in greedy} == {20}
    assert len(endpoint.requests) == 12


def test_the_first_stop_string_in_the_text_ends_it(endpoint: Endpoint) -> None:
    listed = legacy(["one", " two", " three", " four"], [-0.1, -0.2, -0.3, -0.4], {"one": -0.1})
    endpoint.reply = lambda body: Reply(completion("one two three", "length", listed, 9))
    decoding = Decoding(max_tokens=9, stop=("three", " two"), token_logprobs=True)
    with endpoint.server() as server:
        [answer] = ask(server, [question("x", decoding)])
    assert answer == Answer("one", STOP, 1, None, (-0.1,))


@pytest.mark.parametrize(
    "reply",
    [
        refused("too long", type="exceed_context_size_error"),
        refused("request (9 tokens) exceeds the available context size (8 tokens)", code=400),
        refused("This model's maximum context length is 8 tokens. However, you requested 9"),
        refused("The decoder prompt (length 9) is longer than the maximum model length of 8."),
        refused("whatever", code="context_length_exceeded"),
    ],
)
def test_refusals_of_long_prompts(endpoint: Endpoint, reply: Reply) -> None:
    endpoint.reply = lambda body: reply if body["prompt"] == "long" else Reply(completion("ok"))
    with endpoint.server() as server:
        long, short = ask(server, [question("long"), question("short")])
    assert long == Answer(None, TOO_LONG, 0)
    assert short.text == "ok"


def test_trouble_that_passes(endpoint: Endpoint) -> None:
    seen: list[str] = []
    trouble = {
        "busy": [Reply("", 503), Reply("", 503)],
        "limited": [Reply("", 429, {"Retry-After": "1"})],
        "reset": [None, None],
    }

    def reply(body: dict) -> Reply | None:
        seen.append(body["prompt"])
        left = trouble[body["prompt"]]
        return left.pop(0) if left else Reply(completion(f"after {body['prompt']}"))

    endpoint.reply = reply
    started = time.monotonic()
    with endpoint.server(retries=2) as server:
        answers = ask(server, [question(name) for name in trouble])
    assert [answer.text for answer in answers] == ["after busy", "after limited", "after reset"]
    assert sorted(seen) == ["busy"] * 3 + ["limited"] * 2 + ["reset"] * 3
    assert time.monotonic() - started >= 1.0, "it must wait as long as the server says"


def test_nothing_answered_is_lost(endpoint: Endpoint) -> None:
    attempts = threading.Semaphore(0)

    def reply(body: dict) -> Reply:
        if body["prompt"] == "bad":
            attempts.release()
            return refused("out of\nmemory", 500)
        if body["prompt"] == "slow":
            for _ in range(2):
                attempts.acquire(timeout=10)
            time.sleep(0.5)  # the bad one has been given up
        return Reply(completion(body["prompt"]))

    endpoint.reply = reply
    names = ["good", "slow", "bad", *(f"later {i}" for i in range(200))]
    got = []

    def collect(server: Server) -> None:
        for index, answer in server.ask([question(name) for name in names], ()):
            got.append(answer.text)
            assert answer.text == names[index]
            if answer.text.startswith("later"):
                time.sleep(0.01)

    started = time.monotonic()
    text = failure(endpoint.server(retries=1, concurrency=3), collect)
    assert time.monotonic() - started < 10
    assert {"good", "slow"} <= set(got)
    assert got[-1] == "slow", "what was under way is yielded before the error"
    prompts = [body["prompt"] for body in endpoint.requests]
    assert prompts.count("bad") == 2
    assert len(got) == len(set(prompts)) - 1, "every other answer was handed over"
    assert len(got) < len(names) - 1, "nothing new is asked after the failure"
    assert text == (
        f"{NAME}: key `source.url`: {endpoint.url} fails (500: out of memory); look into the "
        "server's log and restart it; answers so far are kept, run snakemake again"
    )


def test_never_more_requests_than_allowed(endpoint: Endpoint) -> None:
    def reply(body: dict) -> Reply:
        time.sleep(0.02)
        return Reply(completion("ok", "length", legacy(["ok"], [-0.1], {"ok": -0.1}), 99))

    endpoint.reply = reply
    drawn = Decoding(max_tokens=5, temperature=1.0)
    mixed = [question(f"{i // 2}", drawn if i % 3 else GREEDY, i) for i in range(18)]
    with endpoint.server(concurrency=3) as server:
        ask(server, mixed, LABELS)
    assert endpoint.peak == 3
    with endpoint.server(concurrency=1) as server:
        ask(server, mixed, LABELS)
    assert endpoint.peak == 3
    # Questions are sent as answers end, not all at once.
    endpoint.requests.clear()
    with endpoint.server(concurrency=2) as server:
        next(server.ask(mixed * 10, ()))
    assert len(endpoint.requests) <= 3


# --- errors -------------------------------------------------------------------------------


def failure(server: Server, act: Callable[[Server], object] | None = None) -> str:
    with server, pytest.raises(InputError) as error:
        (act or (lambda s: ask(s, [question("x")], LABELS)))(server)
    text = str(error.value)
    assert text.startswith(f"{NAME}: key `source.")
    assert "\n" not in text
    return text


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings = ServerSettings(f"http://127.0.0.1:{free.getsockname()[1]}/v1", "far", retries=1)
        for act, end in ((Server.check, "; run"), (None, "; answers so far are kept, run")):
            started = time.monotonic()
            text = failure(Server(settings, NAME), act)
            assert time.monotonic() - started < 5
            assert f"key `source.url`: {settings.url} cannot be reached (" in text
            assert "Connection refused); start the server or correct the URL" in text
            assert text.endswith(f"{end} snakemake again")


def test_no_answer_in_time(endpoint: Endpoint) -> None:
    def reply(body: dict) -> Reply:
        time.sleep(1)
        return Reply(completion("late"))

    endpoint.reply = reply
    text = failure(endpoint.server(timeout_s=0.2))
    assert "key `source.timeout_s`" in text
    assert "does not answer within 0.2 s; raise it, or lower `source.concurrency`" in text
    assert "answers so far are kept" in text


SECRET = "sk-do-not-show-1234567890"  # noqa: S105


@pytest.mark.parametrize("act", [Server.check, None])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    act: Callable[[Server], object] | None,
    status: int,
) -> None:
    for logger in ("", "openai"):
        caplog.set_level(logging.DEBUG, logger)
    monkeypatch.setenv("FAR_KEY", SECRET)
    endpoint.models = refused(f"Incorrect API key provided: {SECRET}", status)
    endpoint.reply = lambda body: endpoint.models
    text = failure(endpoint.server(api_key_env="FAR_KEY"), act)
    assert f"key `source.api_key_env`: {endpoint.url} refuses the key in environment" in text
    assert f"FAR_KEY ({status})" in text
    assert [headers["authorization"] for headers in endpoint.headers] == [f"Bearer {SECRET}"]
    assert SECRET not in text
    assert caplog.records
    assert SECRET not in caplog.text
    text = failure(endpoint.server(), act)
    assert f"wants a key ({status}); name the environment variable that holds it" in text


def test_a_key_that_the_server_quotes(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_KEY", SECRET)
    endpoint.reply = lambda body: refused(f"{SECRET} has no money left", 429)
    text = failure(endpoint.server(api_key_env="FAR_KEY"))
    assert "key `source.concurrency`" in text
    assert "(429: *** has no money left); lower it or raise `source.retries`" in text
    assert SECRET not in text
    # Where the message is cut, no part of the key is left over.
    endpoint.reply = lambda body: refused("x" * 290 + SECRET, 429)
    assert SECRET[:5] not in failure(endpoint.server(api_key_env="FAR_KEY"))


@pytest.mark.parametrize("value", [None, ""])
def test_a_key_that_is_not_there(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("FAR_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("FAR_KEY", value)
    with pytest.raises(InputError, match=r"`source\.api_key_env`.*FAR_KEY is not set; set it"):
        Server(ServerSettings("http://127.0.0.1:9/v1", "far", api_key_env="FAR_KEY"), NAME)


@pytest.mark.parametrize("name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "persona_key", "PERSONA_"])
def test_no_variable_but_those_for_endpoints_is_sent(name: str) -> None:
    source = {"kind": "server", "url": "http://127.0.0.1:9/v1", "model": "far", "revision": "1"}
    model = {"title": "Far", "family": "far", "licence": "MIT"}
    model |= {"source": source | {"template": "t.jinja", "api_key_env": "PERSONA_KEY"}}
    check_schema(model, "model", NAME)
    model["source"]["api_key_env"] = name
    with pytest.raises(InputError, match=r"key `source\.api_key_env` is .* begins with PERSONA_"):
        check_schema(model, "model", NAME)


def test_keys_of_others_stay_here(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL")
    for name in names:
        monkeypatch.setenv(f"OPENAI_{name}", f"http://{SECRET}")
    with endpoint.server() as server:
        server.check()
        ask(server, [question("x")])
    assert len(endpoint.headers) == 2
    for headers in endpoint.headers:
        assert SECRET not in str(headers)
        assert headers["authorization"] == "Bearer none"


def test_an_endpoint_that_lists_no_models(endpoint: Endpoint) -> None:
    endpoint.models = Reply({"detail": "Not Found"}, 404)
    with endpoint.server() as server:
        server.check()
    assert len(endpoint.requests) == 1
    endpoint.reply = lambda body: refused("The model `far` does not exist.", 404)
    text = failure(endpoint.server(), Server.check)
    assert "key `source.model`" in text
    assert "does not serve far (404: The model `far` does not exist.); correct it" in text


def test_a_url_that_leads_elsewhere(endpoint: Endpoint) -> None:
    wrong = endpoint.url.removesuffix("/v1")
    text = failure(endpoint.server(url=wrong), Server.check)
    assert f"key `source.url`: {wrong} has no /completions (404: Not Found)" in text
    assert "/v1" in text
    endpoint.models = Reply("<html>Welcome!</html>")
    endpoint.reply = lambda body: Reply("<html>Welcome!</html>")
    for act in (Server.check, None):
        text = failure(endpoint.server(), act)
        assert f"key `source.url`: what {endpoint.url} answers is no completion" in text
    endpoint.reply = lambda body: Reply({"choices": []})
    assert "is no completion" in failure(endpoint.server())


def test_no_log_probabilities(endpoint: Endpoint) -> None:
    with endpoint.server() as server:
        assert ask(server, [question("x")])[0].text == "fine"
    for decoding in (GREEDY, Decoding(0), Decoding(9, temperature=1.0)):
        text = failure(endpoint.server(), lambda s, d=decoding: ask(s, [question("x", d)], LABELS))
        assert "returns no log-probabilities, which the labels are read from; start" in text
        assert "--logits_all true" in text


@pytest.mark.parametrize("status", [400, 500])
def test_log_probabilities_that_are_refused(endpoint: Endpoint, status: int) -> None:
    said = "Requested sample logprobs of 20, which is greater than max allowed: 5"
    endpoint.reply = lambda body: refused(said, status)
    text = failure(endpoint.server())
    assert f"key `source.top_logprobs`: {endpoint.url} refuses 20 log-probabilities" in text
    assert f"({status}: {said}); lower it" in text


def test_other_refusals(endpoint: Endpoint) -> None:
    endpoint.models = refused("Loading model", 503)
    text = failure(endpoint.server(), Server.check)
    assert "is not ready (503: Loading model); wait until the server has loaded" in text
    endpoint.reply = lambda body: refused("min_p is unknown", 422)
    text = failure(endpoint.server())
    assert "refuses a request (422: min_p is unknown); use a server that takes it" in text
    endpoint.reply = lambda body: Reply(completion("", "content_filter"))
    text = failure(endpoint.server())
    assert "ended an answer for reason 'content_filter'; mend that on the server" in text
    with endpoint.server() as server, pytest.raises(ValueError, match="grammar"):
        list(server.ask([question("x", Decoding(9, grammar='root ::= "A"'))], ()))
