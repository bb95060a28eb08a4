"""A model behind an OpenAI-compatible completions endpoint: llama-server, llama_cpp.server, vLLM.

For weights that outgrow the machine. The endpoint gets the rendered prompt as it is and applies
no chat template. Answers are less certain here than from the engine: the same request may get
other last bits from another build, another load or another prompt before it.

What servers do with a prompt and an answer differs; these habits shape the code below:

- All put the beginning-of-sequence token in front of a prompt where the model wants one, also
  where the text begins with it already: render the chat without it. All read control tokens in
  the text as such.
- Defaults of sampling come from the server (a penalty on repetition in llama_cpp.server, top-k 40
  in llama.cpp, the model's `generation_config.json` in vLLM), so that every request states all of
  them, also a greedy one.
- llama_cpp.server applies the temperature after top-p and min-p, and cannot be told otherwise.
- llama-server and vLLM list and count the token that ends an answer, llama_cpp.server does not.
  llama-server lists no token that ends inside a character.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..files import Closing
from .completions import (
    TOO_LONG_SIGNS,
    Completion,
    TooLong,
    Unusable,
    completion_of,
    model_names,
    of_answer,
    sum_forms,
)
from .decoding import LENGTH, STOP, TOO_LONG, Answer, Decoding, Wanted
from .server_settings import ServerSettings

if TYPE_CHECKING:
    from openai import OpenAI, OpenAIError

CHECK_S = 10.0  # seconds that `Server.check` waits for the endpoint
ANY_ASCII = r"root ::= [\x01-\x7F]+"
KEPT = "answers so far are kept, run snakemake again"

# One of the tokens that a mark of a thought may be written with.
_CONTROL_TOKEN = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\u25c1[^\u25c1\u25b7]*\u25b7")


@dataclass(frozen=True)
class ServerQuestion:
    """A rendered prompt, how to answer it, and the seed of an answer that is drawn."""

    text: str
    decoding: Decoding
    seed: int


def ask_server(
    server: Server, wanted: Sequence[Wanted], labels: Sequence[str]
) -> Iterator[tuple[int, Answer]]:
    """Answers to the prompts of a cell, as (index, answer) in the order in which they end."""
    questions = [ServerQuestion(one.row["text"], one.decoding, one.seed) for one in wanted]
    yield from server.ask(questions, labels)


class Server(Closing):
    """A model behind an endpoint.

    Args:
        settings: see `ServerSettings`.
        name: the model's file in errors.

    Raises:
        InputError: the environment variable that should hold the key is not set.
    """

    def __init__(self, settings: ServerSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._key: str | None = None
        if settings.api_key_env is not None:
            self._key = os.environ.get(settings.api_key_env)
            if not self._key:
                raise self._error(
                    "api_key_env",
                    f"environment variable {settings.api_key_env} is not set; set it to the "
                    "endpoint's key and run snakemake again",
                )
        # At INFO it logs every request.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        self._client = self._connect(settings.retries, settings.timeout_s)

    def _connect(self, retries: int, timeout: float) -> OpenAI:
        # Half a second that only cells with a server pay.
        from openai import OpenAI  # noqa: PLC0415

        client = OpenAI(
            base_url=self._settings.url,
            api_key=self._key or "none",
            admin_api_key="",
            timeout=timeout,
            max_retries=retries,
        )
        # The client takes them from the environment, and they are no business of this endpoint.
        client.organization = client.project = None
        return client

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _error(self, key: str, text: str) -> InputError:
        return InputError(f"{self._name}: key `source.{key}`: {text}")

    def _said(self, body: object) -> str:
        """What the endpoint says of an error: one line of at most 300 characters, or nothing."""
        if isinstance(body, Mapping):
            body = body.get("message") or body.get("detail")  # `detail` is FastAPI's
        text = " ".join(str(body or "").split())
        # A server may quote the key that it refuses.
        return (text.replace(self._key, "***") if self._key else text)[:300]

    # --- before long work ------------------------------------------------------------------

    def check(self) -> None:
        """Find out within seconds whether the endpoint answers and serves the model.

        An endpoint that lists no models is asked for one token instead.

        Raises:
            InputError: it does not answer, refuses the key, or serves other models.
        """
        from openai import NotFoundError, OpenAIError  # noqa: PLC0415

        with self._connect(1, min(CHECK_S, self._settings.timeout_s)) as client:
            try:
                served = model_names(client.models.with_raw_response.list().http_response.json())
            except NotFoundError:
                served = []
            except OpenAIError as error:
                raise self._failure(error, checking=True) from error
            except ValueError as error:
                raise self._no_endpoint() from error
            if not served:
                try:
                    self._complete(client, ".", Decoding(max_tokens=1))
                except OpenAIError as error:
                    raise self._failure(error, checking=True) from error
        if served and self._settings.model not in served:
            raise self._error(
                "model",
                f"{self._settings.url} serves {' and '.join(served[:5])}"
                f"{' and others' if served[5:] else ''}, not {self._settings.model}; name what it "
                "serves, or start the server with that model",
            )

    # --- answers ---------------------------------------------------------------------------

    def ask(
        self, questions: Sequence[ServerQuestion], labels: Sequence[str]
    ) -> Iterator[tuple[int, Answer]]:
        """Answer every question, in the order in which the endpoint is ready.

        Log-probabilities of the labels are read from the `top_logprobs` likeliest tokens at the
        answer position: summed over the tokens that read `L`, ` L` or newline `L`, and minus
        infinity for a label without any, which then is less likely than the least likely token
        listed. So a label of several tokens is never found. Some servers list log-probabilities
        after temperature; for an answer that is drawn they are therefore those of a greedy
        request of its own, one per text. `Answer.token_logprob` is as the server lists it.

        `Answer.n_tokens` is by the listed tokens where there are labels or log-probabilities are
        asked for, otherwise by the server's count, which may include the token that ends it.

        Args:
            questions: what to ask; seeds are taken modulo 2**31. With `max_tokens` 0 only the
                labels are read.
            labels: the task's labels, empty for none.

        Yields:
            Index of a question, and its answer. A prompt that does not fit the server's window,
            or whose answer that window cuts off, gets `prompt_too_long`.

        Raises:
            InputError: a request failed for good. Nothing new is sent then; what is under way
                is yielded first.
            ValueError: a question comes with a grammar.
        """
        if any(question.decoding.grammar is not None for question in questions):
            raise ValueError("endpoints follow no grammar")
        waiting = enumerate(questions)
        read: dict[str, Future[tuple[float, ...]]] = {}
        failure: InputError | None = None
        with ThreadPoolExecutor(self._settings.concurrency) as pool:
            running: dict[Future[Answer], int] = {}
            while True:
                while failure is None and len(running) < self._settings.concurrency:
                    index, question = next(waiting, (-1, None))
                    if question is None:
                        break
                    decoding, text = question.decoding, question.text
                    apart = decoding.temperature > 0 or decoding.max_tokens == 0
                    if labels and apart and text not in read:
                        # Before the answers that wait for it, so that it has a thread.
                        read[text] = pool.submit(self._labels, text, labels)
                    own = read.get(text) if apart else None
                    running[pool.submit(self._answer, question, labels, own)] = index
                if not running:
                    break
                for task in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(task)
                    try:
                        answer = task.result()
                    except InputError as error:
                        failure = failure or error
                    else:
                        yield index, answer
        if failure is not None:
            raise failure

    def _answer(
        self,
        question: ServerQuestion,
        labels: Sequence[str],
        read: Future[tuple[float, ...]] | None,
    ) -> Answer:
        """One answer; `read` holds its labels where they are read by a request of their own."""
        decoding = question.decoding
        try:
            label_logprob = read.result() if read else None
            if decoding.max_tokens == 0:
                return Answer("", LENGTH, 0, label_logprob, () if decoding.token_logprobs else None)
            top = 1 if labels or decoding.token_logprobs else None
            if labels and read is None:
                top = self._settings.top_logprobs
            found = self._request(question.text, decoding, seed=question.seed, top=top)
            if labels and read is None:
                label_logprob = sum_forms(found.first, labels)
                if label_logprob is None:
                    label_logprob = self._labels(question.text, labels)
        except TooLong:
            return Answer(None, TOO_LONG, 0)
        text, finish_reason = found.text, found.finish_reason
        for stop in decoding.ends:
            # llama_cpp.server cuts at the first of the list, not at the first in the text, and
            # overlooks one beside half a character.
            if stop in text:
                text, finish_reason = text.partition(stop)[0], STOP
        tokens = of_answer(found.tokens, text, finish_reason)
        return Answer(
            text,
            finish_reason,
            len(tokens) if found.tokens or found.count is None else found.count,
            label_logprob,
            tuple(logprob for _, logprob in tokens) if decoding.token_logprobs else None,
        )

    def _labels(self, text: str, labels: Sequence[str]) -> tuple[float, ...]:
        """Log-probabilities of the labels by a greedy request of its own, shape (labels,)."""
        once = Decoding(max_tokens=1)
        found = self._request(text, once, top=self._settings.top_logprobs)
        logprobs = sum_forms(found.first, labels)
        if logprobs is None:
            # llama_cpp.server lists nothing where the answer ends at once, llama-server nothing
            # where it begins with a part of a character. Both list log-probabilities from before
            # the grammar that makes them begin otherwise.
            found = self._request(text, once, top=self._settings.top_logprobs, grammar=ANY_ASCII)
            logprobs = sum_forms(found.first, labels)
        if logprobs is None:
            raise self._error(
                "url",
                f"{self._settings.url} returns no log-probabilities, which the labels are read "
                "from; start the server so that it does (llama_cpp.server: --logits_all true), or "
                "use another (llama-server, vLLM)",
            )
        return logprobs

    # --- requests --------------------------------------------------------------------------

    def _request(
        self,
        text: str,
        decoding: Decoding,
        *,
        seed: int = 0,
        top: int | None = None,
        grammar: str | None = None,
    ) -> Completion:
        """A completion, or an `InputError`, or `TooLong`."""
        from openai import OpenAIError  # noqa: PLC0415

        try:
            found = self._complete(
                self._client, text, decoding, seed=seed, top=top, grammar=grammar
            )
        except OpenAIError as error:
            raise self._failure(error) from error
        if found.finish_reason == LENGTH and (found.count or np.inf) < decoding.max_tokens:
            # The end of the window; vLLM refuses such a prompt outright.
            raise TooLong
        return found

    def _complete(
        self,
        client: OpenAI,
        text: str,
        decoding: Decoding,
        *,
        seed: int = 0,
        top: int | None = None,
        grammar: str | None = None,
    ) -> Completion:
        more: dict[str, Any] = {
            "top_k": 0,
            "min_p": decoding.min_p,
            "repeat_penalty": 1.0,  # llama.cpp's name
            "repetition_penalty": 1.0,  # vLLM's
            "samplers": ["temperature", "min_p", "top_p"],  # llama-server: these, in this order
        }
        if top is not None:
            more["logprobs"] = top
        if grammar is not None:
            more["grammar"] = grammar
        if decoding.ends:
            more["stop"] = list(decoding.ends)
        if decoding.close is not None:
            # Marks of thoughts may be control tokens, which servers leave out of their texts.
            more["preserved_tokens"] = _CONTROL_TOKEN.findall(decoding.close)  # llama-server's name
            more["skip_special_tokens"] = False  # vLLM's
        reply = client.completions.with_raw_response.create(
            model=self._settings.model,
            prompt=text,
            max_tokens=decoding.max_tokens,
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            frequency_penalty=0.0,
            presence_penalty=0.0,
            # The largest number of 32 bits would be "any seed" for llama.cpp.
            seed=seed % 2**31,
            extra_body=more,
        )
        try:
            found = completion_of(reply.http_response.json())
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise self._no_endpoint() from error
        except Unusable as error:
            raise self._error(
                "url",
                f"{self._settings.url} sent an answer that cannot be used: {error}; look into the "
                f"server's log, or use another server or build of the model; {KEPT}",
            ) from error
        if found.finish_reason not in (STOP, LENGTH):
            raise self._error(
                "url",
                f"{self._settings.url} ended an answer for reason {found.finish_reason!r}; mend "
                f"that on the server; {KEPT}",
            )
        return found

    def _no_endpoint(self) -> InputError:
        return self._error(
            "url",
            f"what {self._settings.url} answers is no completion; correct the URL, which ends in "
            "/v1 for most servers",
        )

    def _failure(self, error: OpenAIError, checking: bool = False) -> Exception:
        """What becomes of a request that failed for good: an `InputError`, or `TooLong`."""
        import openai  # noqa: PLC0415

        url = self._settings.url
        remedy = "run snakemake again" if checking else KEPT
        if isinstance(error, openai.APITimeoutError):
            if checking:
                return self._error(
                    "url",
                    f"{url} does not answer within {CHECK_S:g} s; wait until the server has loaded "
                    f"the model, or correct the URL; {remedy}",
                )
            return self._error(
                "timeout_s",
                f"{url} does not answer within {self._settings.timeout_s:g} s; raise it, or lower "
                f"`source.concurrency`; {remedy}",
            )
        if not isinstance(error, openai.APIStatusError):
            reason = str(error.__cause__ or error).strip().rstrip(".") or type(error).__name__
            return self._error(
                "url",
                f"{url} cannot be reached ({reason}); start the server or correct the URL; "
                f"{remedy}",
            )
        said = self._said(error.body)
        signs = f"{said} {error.type} {error.code}".lower()
        too_long = error.status_code < 500 and any(sign in signs for sign in TOO_LONG_SIGNS)
        if too_long and not checking:
            return TooLong()
        status = f"{error.status_code}: {said}" if said else str(error.status_code)
        return self._error(*self._cause(error.status_code, status, remedy))

    def _cause(  # noqa: PLR0911 (a table)
        self, code: int, status: str, remedy: str
    ) -> tuple[str, str]:
        """Key and sentence for a status that is an error."""
        url, variable = self._settings.url, self._settings.api_key_env
        if code in (401, 403):
            if variable is None:
                return "api_key_env", (
                    f"{url} wants a key ({code}); name the environment variable that holds it"
                )
            return "api_key_env", (
                f"{url} refuses the key in environment variable {variable} ({code}); correct it; "
                f"{remedy}"
            )
        if "logprob" in status.lower():
            return "top_logprobs", (
                f"{url} refuses {self._settings.top_logprobs} log-probabilities ({status}); lower "
                "it, or start the server so that it gives them (llama_cpp.server: --logits_all "
                "true, vLLM: --max-logprobs)"
            )
        if code == 404 and "model" in status.lower():
            return "model", f"{url} does not serve {self._settings.model} ({status}); correct it"
        if code == 404:
            return "url", f"{url} has no /completions ({status}); most servers have it below /v1"
        if code == 429:
            return "concurrency", (
                f"{url} is too busy ({status}); lower it or raise `source.retries`; {remedy}"
            )
        if code == 503:
            return "url", (
                f"{url} is not ready ({status}); wait until the server has loaded the model; "
                f"{remedy}"
            )
        if code >= 500:
            return "url", (
                f"{url} fails ({status}); look into the server's log and restart it; {remedy}"
            )
        return "url", f"{url} refuses a request ({status}); use a server that takes it; {remedy}"
