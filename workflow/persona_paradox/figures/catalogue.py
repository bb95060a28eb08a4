"""Which figures there are: a module that draws one, and beside it a YAML file that tells of it.

A figure is two files in the folder `figures` of a kind of task, of judges, of clinicians, of
conversations, of the identification, of the policies, of the axis or of ambiguous cases, and there
is no register: whoever adds the two files adds a figure. `<id>.py` has

- `draw(tables, settings)`, which gives a figure of matplotlib, or
- `rows(tables, settings)` and `spec(settings)`: a table and a specification of Vega-Lite whose
  data set `rows` it is (`figures/vega.py`).

`<id>.yaml` has `title`; `shows`, in a few words; `needs`, the ids of the tables it is drawn from;
and `caption`, what the report says below it, in reStructuredText with some Jinja
(`figures/captions.py`). A figure of what few studies have names that in `only_with` (`Study.has`);
no other study has it. It is read when Snakemake starts, so nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import InputError
from ..own_yaml import own_yaml

_LIBRARY = Path(__file__).parents[1]
_KEYS = {"title", "shows", "needs", "caption"}
_FREE_KEYS = {"only_with"}


@dataclass(frozen=True)
class Figure:
    """A figure, as far as it is known before it is drawn.

    Attributes:
        id: its name in files and in the study's key `figures`.
        folder: whose it is, a path below the library: `kinds/triage`, `judges`.
        title: what it is called.
        shows: what is seen there, in a few words.
        needs: ids of the tables it is drawn from.
        caption: the text of its caption, a template.
        only_with: what a study must have for it (`Study.has`); None for any study.
    """

    id: str
    folder: str
    title: str
    shows: str
    needs: tuple[str, ...]
    caption: str
    only_with: str | None = None

    @property
    def kind(self) -> str | None:
        """The kind of task whose answers it shows; None where it is of another wing."""
        wing, _, kind = self.folder.partition("/")
        return kind if wing == "kinds" else None

    @property
    def path(self) -> str:
        """Its module below the library."""
        return f"{self.folder}/figures/{self.id}.py"

    @property
    def about(self) -> str:
        """The file that tells of it, as errors call it."""
        return _shown((_LIBRARY / self.path).with_suffix(".yaml"))

    @property
    def in_page(self) -> bool:
        """Whether it is one of Vega-Lite, which the report's page shows as it is."""
        return "\ndef spec(" in (_LIBRARY / self.path).read_text(encoding="utf-8")

    @property
    def module(self) -> str:
        """Name of its module."""
        return ".".join([_LIBRARY.name, *self.path.removesuffix(".py").split("/")])


@cache
def figures() -> dict[str, Figure]:
    """All figures by id: of kinds of tasks, of judges, of clinicians, and of the other wings."""
    found: dict[str, Figure] = {}
    for pattern in (
        "kinds/*",
        "judges",
        "clinicians",
        "conversations",
        "identification",
        "routing",
        "axis",
        "ambiguity",
    ):
        for path in sorted(_LIBRARY.glob(f"{pattern}/figures/[!_]*.py")):
            if not path.with_suffix(".yaml").is_file():
                raise InputError(
                    f"{_shown(path)}: nothing says what it shows; write {path.stem}.yaml beside it"
                )
        for path in sorted(_LIBRARY.glob(f"{pattern}/figures/*.yaml")):
            figure = _read(path)
            if figure.id in found:
                raise InputError(
                    f"{_shown(path)}: there is a figure {figure.id} in {found[figure.id].folder} "
                    "too; rename one of them"
                )
            found[figure.id] = figure
    return found


def _read(path: Path) -> Figure:
    about = own_yaml(path)
    if not isinstance(about, dict) or set(about) - _FREE_KEYS != _KEYS:
        keys = ", ".join(f"`{key}`" for key in sorted(_KEYS))
        raise InputError(f"{_shown(path)}: a figure has the keys {keys} and no others; write these")
    if not path.with_suffix(".py").is_file():
        raise InputError(f"{_shown(path)}: nothing draws it; write {path.stem}.py beside it")
    return Figure(
        id=path.stem,
        folder=path.parents[1].relative_to(_LIBRARY).as_posix(),
        title=about["title"],
        shows=about["shows"],
        needs=tuple(about["needs"]),
        caption=about["caption"],
        only_with=about.get("only_with"),
    )


def _shown(path: Path) -> str:
    """A path below the project's folder."""
    return path.relative_to(_LIBRARY.parents[1]).as_posix()
