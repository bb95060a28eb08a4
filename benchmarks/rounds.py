"""A round: raw speed, ours and the others', one after the other, so that drifts cancel."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from limits import Raw, Run, explain, score
from rivals import HighLevel, rate, serve
from workload import PERSONAS, Chat, Weights, Workload, tree_tokens

from persona_paradox.engine.engine import Engine


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        personas: under which the cases are triaged.
        cases: per persona, None for all.
        answers: free-text answers.
        max_tokens: most tokens of one.
        repeats: rounds, medians of which are reported.
        seconds: of each measurement of raw prompt speed.
        each: cases per persona that the high-level loop and the server answer in a round.
        paper: the same for the paper's procedure, which is slow.
        texts: free-text answers of the high-level loop and of the server in a round.
    """

    personas: Sequence[str] = PERSONAS
    cases: int | None = None
    answers: int = 40
    max_tokens: int = 128
    repeats: int = 5
    seconds: float = 1.5
    each: int = 3
    paper: int = 1
    texts: int = 4


QUICK = Plan(
    PERSONAS[:2], cases=3, answers=6, max_tokens=8, repeats=1, seconds=0.1, each=1, texts=2
)


@dataclass(frozen=True)
class Round:
    """What was measured in a round.

    Attributes:
        load: what was worked on.
        width: rows of a step.
        speeds: raw prompt speed in tokens/s before scoring, between, and after the free text.
        mixed: raw prompt speed before scoring and after, in calls of the lengths that occur.
        steps: seconds of a raw step of all rows before and after the free text.
        copy: seconds by which copying a prompt to a stream delays the next call.
        scored: ours, the labels of all triage prompts.
        explained: ours, the free text.
        rates: rival → prompts/s, or tokens/s where its name ends in `text`; `ours` is the engine on
            the rivals' own prompts, `jobs` jobs of one thread side by side on all.
    """

    load: Workload
    width: int
    speeds: Sequence[float]
    mixed: Sequence[float]
    steps: Sequence[float]
    copy: float
    scored: Run
    explained: Run
    rates: Mapping[str, float]

    @property
    def step(self) -> float:
        """Seconds of a raw step around the free text."""
        return mean(self.steps)

    @property
    def score_limit(self) -> float:
        """Seconds that the distinct tokens of the triage prompts take at raw speed."""
        return tree_tokens([chat.prompt for chat in self.load.triage]) / mean(self.speeds[:2])

    @property
    def score_share(self) -> float:
        """Share of the limit."""
        return self.score_limit / self.scored.clock.total

    @property
    def score_share_mixed(self) -> float:
        """Share of the limit at the raw speed of calls of the lengths that occur."""
        return self.score_share * mean(self.speeds[:2]) / mean(self.mixed)

    @property
    def score_rate(self) -> float:
        """Prompts/s."""
        return len(self.load.triage) / self.scored.clock.total

    @property
    def over_rivals(self) -> float:
        """Ours ÷ the faster of those that say label probabilities, on the same prompts."""
        return self.rates["ours"] / max(self.rates["high"], self.rates["server"])

    @property
    def text_over_rivals(self) -> float:
        """Ours ÷ the faster of the others, in free text."""
        return self.text_rate / max(self.rates["high text"], self.rates["server text"])

    @property
    def text_prompts(self) -> float:
        """Seconds that the distinct tokens of the free-text prompts take at raw speed."""
        return tree_tokens([chat.prompt for chat in self.load.explain]) / mean(self.speeds[1:])

    @property
    def n_steps(self) -> int:
        """Steps of the free text."""
        return self.explained.clock.calls["steps"]

    @property
    def occupancy(self) -> float:
        """Share of the rows of all steps that belonged to an answer."""
        return self.explained.answer_tokens / (self.n_steps * self.width)

    @property
    def text_limit(self) -> float:
        """Seconds of the free text at raw speed, all rows active in every step."""
        return self.text_prompts + self.n_steps * self.step * self.occupancy

    @property
    def text_share(self) -> float:
        """Share of the limit."""
        return self.text_limit / self.explained.clock.total

    @property
    def text_share_of_steps(self) -> float:
        """Share of a limit that makes as many steps as were made, idle rows and all."""
        return (self.text_prompts + self.n_steps * self.step) / self.explained.clock.total

    @property
    def decoding_share(self) -> float:
        """As `text_share`, without the prompts on either side."""
        return self.decoding_share_of_steps * self.occupancy

    @property
    def decoding_share_of_steps(self) -> float:
        """As `text_share_of_steps`, without the prompts on either side."""
        return self.n_steps * self.step / self.explained.generating

    @property
    def text_rate(self) -> float:
        """Generated tokens/s, time of the prompts included."""
        return self.explained.n_tokens / self.explained.clock.total


def measure(number: int, found: Weights, load: Workload, plan: Plan, threads: int) -> Round:
    """Measure round `number`, counted from 0; the rivals take other prompts in every round."""
    with Engine(found.path, found.settings, threads, str(found.path)) as engine:
        raw = Raw(engine, load, plan.seconds)
        speeds, mixed = [raw.prompt_speed()], [raw.mixed_speed()]
        scored = score(engine, load)
        mixed.append(raw.mixed_speed())
        speeds.append(raw.prompt_speed())
        steps = [raw.step_seconds()]
        explained = explain(engine, load)
        steps.append(raw.step_seconds())
        speeds.append(raw.prompt_speed())
        copy = raw.copy_seconds()
        forms = engine.vocabulary.label_forms(load.labels)
    some, before = part(load.triage, number, plan.each)
    few, _ = part(load.triage, number, plan.paper)
    texts = cycle(load.explain, number * plan.texts, plan.texts)
    rates = side_by_side(found, load, threads)
    with HighLevel(found, threads, logits_all=True) as high:
        rates["high"] = rate(high.score, some, before)
        rates["paper"] = rate(lambda chat: high.paper(chat, forms), few)
    with (
        HighLevel(found, threads, logits_all=False) as high,
        Engine(found.path, found.settings, threads, str(found.path)) as engine,
    ):
        # Right before and after the one that comes nearest, so that a drift of the machine cancels.
        ours = [rate(lambda chat: _label(engine, chat, forms), some, before)]
        rates["letter"] = rate(high.letter, some, before)
        ours.append(rate(lambda chat: _label(engine, chat, forms), some, before))
        rates["ours"] = mean(ours)
        rates["high text"] = rate(lambda chat: high.explain(chat, load.max_tokens), texts)
    with serve(found, threads) as endpoint:
        rates["server"] = rate(endpoint.score, some, before)
        rates["server text"] = rate(lambda chat: endpoint.explain(chat, load.max_tokens), texts)
    width = found.settings.width
    return Round(load, width, speeds, mixed, steps, copy, scored, explained, rates)


def _label(engine: Engine, chat: Chat, forms: Any) -> int:
    """One prompt's label log-probabilities."""
    ((_, answer),) = engine.score([chat.prompt], forms)
    if answer.label_logprob is None:
        raise RuntimeError("a prompt was not read")
    return 1


def side_by_side(found: Weights, load: Workload, jobs: int) -> dict[str, float]:
    """The engine as the workflow runs it: as many jobs as cores, each of one thread.

    Returns:
        `jobs`, prompts/s, and `jobs text`, tokens/s, of all jobs from their common start to the end
        of the last; a model is loaded before.
    """
    fresh = multiprocessing.get_context("spawn")
    barrier, results = fresh.Barrier(jobs, timeout=600), fresh.Queue()
    shares = [
        replace(
            load,
            triage=load.triage[i * len(load.triage) // jobs : (i + 1) * len(load.triage) // jobs],
            explain=load.explain[
                i * len(load.explain) // jobs : (i + 1) * len(load.explain) // jobs
            ],
        )
        for i in range(jobs)
    ]
    processes = [
        fresh.Process(target=_job, args=(found, share, barrier, results)) for share in shares
    ]
    for process in processes:
        process.start()
    done = [results.get(timeout=1200) for _ in processes]
    for process in processes:
        process.join()
    scored, explained, tokens = zip(*done, strict=True)
    return {
        "jobs": len(load.triage) / max(scored),
        "jobs text": sum(tokens) / max(explained),
    }


def _job(found: Weights, load: Workload, barrier: Any, results: Any) -> None:
    with Engine(found.path, found.settings, 1, str(found.path)) as engine:
        barrier.wait()
        scored = score(engine, load)
        barrier.wait()
        explained = explain(engine, load)
    results.put((scored.clock.total, explained.clock.total, explained.n_tokens))


def part(chats: Sequence[Chat], number: int, count: int) -> tuple[list[Chat], dict[str, Chat]]:
    """`count` prompts of every persona for a round, and the one before the first of each."""
    by_persona: dict[str, list[Chat]] = {}
    for chat in chats:
        by_persona.setdefault(chat.persona, []).append(chat)
    chosen = [chat for own in by_persona.values() for chat in cycle(own, number * count, count)]
    before = {persona: cycle(own, number * count - 1, 1)[0] for persona, own in by_persona.items()}
    return chosen, before


def cycle(chats: Sequence[Chat], start: int, count: int) -> list[Chat]:
    """`count` chats from `start` on, around the end."""
    return [chats[i % len(chats)] for i in range(start, start + count)]
