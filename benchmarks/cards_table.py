"""The tables of the script for graphics cards, from the rows that its parts wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
# What an answer must not hang on; the width of a step is part of its key.
PURE = ("again", "other order", "one by one", "halves", "companions", "loaded anew")
CHECKS = (*PURE, "half the width")
NEAR = 0.9  # of the best speed


def table(rows: Sequence[Row]) -> str:
    """All tables, as Markdown."""
    head, *found = rows
    blocks = [
        _machine(head),
        _audit([row for row in found if "check" in row]),
        _speed(found),
        _prompts([row for row in found if "several" in row]),
        _choice(found),
        _unfinished([row for row in found if "unfinished" in row]),
    ]
    return "\n\n".join(block for block in blocks if block)


def pure(rows: Sequence[Row]) -> bool | None:
    """Whether audited answers hung on nothing but their key; None where a check is missing."""
    found = {row["check"]: row["differ"] for row in rows if row["check"] in PURE}
    if any(found.values()):
        return False
    return True if len(found) == len(PURE) else None


def choose(speeds: Mapping[int, float]) -> int | None:
    """The smallest width within 10% of the best speed."""
    near = [width for width, speed in speeds.items() if speed >= NEAR * max(speeds.values())]
    return min(near, default=None)


def _machine(row: Row) -> str:
    card = ", ".join(row["cards"]) or "No graphics card"
    driver = f" (driver and MiB: {row['driver']})" if row["driver"] else ""
    features = ", ".join(row["features"].replace(" = 1", "").split(" | "))
    return (
        f"{card}{driver}, {row['processor']}, {row['threads']} threads; llama-cpp-python "
        f"{row['llama_cpp_python']} ({features})."
    )


def _variant(row: Row) -> tuple[str, str]:
    flash = "on" if row["flash"] else "off"
    return row["model"], f"{flash}, anchored" if row["anchored"] else flash


def _lines(title: Sequence[str], body: Sequence[Sequence[object]]) -> str:
    if not body:
        return ""
    lines = [title, ["---"] * len(title), *body]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _audit(rows: Sequence[Row]) -> str:
    def cell(found: Row | None) -> str:
        if found is None:
            return "–"
        if not found["differ"]:
            return "0"
        return f"{found['differ']} ({found['texts']} texts, {found['largest']:.2g})"

    cells: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        cells.setdefault((*_variant(row), row["width"]), {})[row["check"]] = row
    body = [
        [*key, *(cell(own.get(check)) for check in CHECKS), next(iter(own.values()))["n"]]
        for key, own in cells.items()
    ]
    title = ["answers that differ: model", "flash attention", "width", *CHECKS, "of"]
    return _lines(title, body)


def _speeds(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str], list[Row]]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if "tokens_per_s" in row:
            found.setdefault(_variant(row), []).append(row)
    yield from found.items()


def _is_pure(rows: Sequence[Row], variant: tuple[str, str], width: int) -> bool | None:
    own = [row for row in rows if "check" in row and row["width"] == width]
    return pure([row for row in own if _variant(row) == variant])


def _speed(rows: Sequence[Row]) -> str:
    words = {True: "yes", False: "no", None: "not audited"}
    body = [
        [
            *variant,
            row["width"],
            f"{row['labels_per_s']:.3g}",
            f"{row['tokens_per_s']:.3g}",
            f"{row['step_ms']:.3g}",
            f"{row['in_steps']:.0%}",
            f"{row['in_prompts']:.0%}",
            row["memory_mib"] or "–",
            words[_is_pure(rows, variant, row["width"])],
        ]
        for variant, own in _speeds(rows)
        for row in own
    ]
    title = ["speed: model", "flash attention", "width", "labels, prompts/s", "free text, tokens/s"]
    title += ["ms of a step", "time in steps", "in prompts", "memory of the card, MiB", "pure"]
    return _lines(title, body)


def _prompts(rows: Sequence[Row]) -> str:
    one = {_variant(row): row["prompts_per_s"] for row in rows if row["several"] == 1}
    body = []
    for row in rows:
        times = row["prompts_per_s"] / one.get(_variant(row), float("nan"))
        line = [*_variant(row), row["several"], f"{row['prompts_per_s']:.3g}", f"{times:.2f}"]
        if row["several"] == 1:
            line += ["–"] * 3
        else:
            line.append(f"{row['differ']} of {row['n']}")
            line += [f"{row['from_alone']:.2g}", f"{row['other_token']} of {row['n']}"]
        body.append(line)
    title = ["prompts to a call: model", "flash attention", "prompts", "prompts/s", "times"]
    title += ["differ in another order", "logits from one by one", "other likeliest token"]
    return _lines(title, body)


def _choice(rows: Sequence[Row]) -> str:
    lines = []
    for variant, own in _speeds(rows):
        speeds = {row["width"]: row["tokens_per_s"] for row in own}
        shown = {width: s for width, s in speeds.items() if _is_pure(rows, variant, width)}
        every, safe = choose(speeds), choose(shown)
        of_pure = "none was shown to be" if safe is None else str(safe)
        model, flash = variant
        lines.append(f"- {model}, flash attention {flash}: {every}; of the pure ones {of_pure}")
    if not lines:
        return ""
    return "\n".join(
        ["Width by the rule (the smallest within 10% of the best speed of free text):", "", *lines]
    )


def _unfinished(rows: Sequence[Row]) -> str:
    def name(row: Row) -> str:
        widths = ", ".join(map(str, row["widths"]))
        anchored = ", anchored" if row["anchored"] else ""
        return f"{row['kind']} of {', '.join(row['models'])} at width {widths}{anchored}"

    return "\n".join(f"- Not finished: {name(row)} ({row['unfinished']})." for row in rows)
