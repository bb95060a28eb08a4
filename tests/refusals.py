"""What a refusal looks like through the command line, and edits that ask for one."""

from __future__ import annotations

from collections.abc import Callable

from project import Project


def refused_at_once(project: Project, *words: str) -> None:
    """A dry run fails with one sentence that holds all of `words`."""
    done = project.snakemake("-n")
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    (message,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    assert not list(project.path.glob("resources/models/*/*.gguf"))


def refused_by_a_job(project: Project, target: str, *words: str) -> None:
    """A run fails with one line `error: …` that holds all of `words`, and makes no target."""
    done = project.snakemake("--cores", "1", target)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    lines = {line.strip() for line in done.stdout.splitlines() if line.startswith("error: ")}
    assert len(lines) == 1, done.stdout
    message = lines.pop()
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    assert not (project.path / target).exists()
    assert not [p for p in project.path.rglob("*.part") if ".snakemake" not in p.parts]


def set_key(file: str, *path: str | int, value: object) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        def edit(content: dict) -> None:
            at = content
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value

        project.edit(file, edit)

    return change


def set_text(file: str, text: str) -> Callable[[Project], None]:
    return lambda project: (project.path / file).write_text(text)
