"""The archive of a study: a zip file that is a Research Object Crate (RO-Crate).

It holds what the study leaves, what it was made of and the code, under the names that they have
in the working folder, and describes them in `ro-crate-metadata.json`, each file with its SHA-256.
Texts of data sets that may not be passed on are not in it; their hashes are.

An archive of somebody else is untrusted input: nothing in it is run, and `unpack` writes nothing
outside of its folder.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from rocrate.model import ContextEntity, File
from rocrate.rocrate import ROCrate

from ..errors import InputError
from ..files import (
    DAMAGED,
    canonical_json,
    is_of_disk,
    read_json,
    read_table,
    sha256_bytes,
    table_bytes,
)
from ..study.inventory import code_files, is_safe, restricted, restricted_tasks, study_files
from ..study.study import Study
from .withholding import Texts, texts_in, withhold

CRATE = "ro-crate-metadata.json"
PROVENANCE = "results/provenance.json"
WORKFLOW = "Snakefile"

MOST_MEMBERS = 5_000_000
CHUNK = 1 << 20
GIB = 2**30


class Members:
    """The members of a study's archive, but for its description.

    Args:
        study: the study.
        root: the project with the code.
        more: further files of the working folder: provenance, tables, figures.
    """

    def __init__(self, study: Study, root: Path, more: Iterable[str]) -> None:
        self._withheld = set(restricted_tasks(study))
        # All sets together: what a model was shown of one may stand in none of its files.
        self._texts = Texts(
            text
            for id_ in restricted(study)
            for text in texts_in(Path(f"resources/datasets/{id_}.parquet"))
        )
        self._files = dict(study_files(study)) | dict.fromkeys(more)
        self._code = {path.as_posix(): root / path for path in code_files(root)}

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each, by name."""
        for name in sorted({*self._files, *self._code}):
            yield name, self._content(name)

    def _content(self, name: str) -> bytes:
        if name in self._code:
            return self._code[name].read_bytes()
        if self._files[name] in self._withheld and name.endswith(".parquet"):
            table = read_table(Path(name))
            without = withhold(table, self._texts)
            if not without.equals(table):
                return _parquet(without, pl.read_parquet_metadata(name))
        return Path(name).read_bytes()


def _parquet(table: pl.DataFrame, metadata: Mapping[str, str]) -> bytes:
    """A table as the workflow writes it; its metadata still names what the whole was made of."""
    kept = {key: value for key, value in metadata.items() if not key.startswith("ARROW:")}
    return table_bytes(table, kept)


# --- description --------------------------------------------------------------------------


def describe(study: Study, provenance: Mapping[str, Any], sums: Mapping[str, Any]) -> str:
    """`ro-crate-metadata.json` of an archive.

    Args:
        study: the study.
        provenance: as `provenance.provenance` gives it.
        sums: member → (size in bytes, SHA-256).
    """
    crate = ROCrate(gen_preview=False)
    crate.name = study.settings["title"]
    crate.description = (
        "What medical personas do to the clinical answers of language models: answers, scores, "
        "tables and figures of a study, with its configuration and its code. Not medical advice."
    )
    # The library takes today's date; an archive of the same files is the same on every day.
    date = provenance["git"]["date"]
    crate.root_dataset["datePublished"] = date if date is not None else "1980-01-01"
    withheld = restricted(study)
    crate.root_dataset["license"] = sorted(
        {"MIT", *(spec["licence"]["id"] for id_, spec in study.datasets.items())}
    )
    for name, (size, sha256) in sums.items():
        kind = _TYPES.get(Path(name).suffix)
        about: dict[str, Any] = {"contentSize": str(size), "sha256": sha256}
        if kind is not None:
            about["encodingFormat"] = kind
        if name == WORKFLOW:
            about |= _workflow(provenance["git"]) | {"softwareVersion": provenance["version"]}
        added = crate.add(File(crate, dest_path=name, properties=about))
        if name == WORKFLOW:
            crate.mainEntity = added
    made_of = []
    for id_, found in provenance["datasets"].items():
        spec = study.datasets[id_]
        about = {
            "@type": "Dataset",
            "name": spec["title"],
            "description": spec["description"],
            "license": spec["licence"]["id"],
            "sha256": found["sha256"],
        }
        if id_ in withheld:
            about["conditionsOfAccess"] = "Its texts are not in this archive."
        made_of.append(crate.add(ContextEntity(crate, f"#dataset-{id_}", properties=about)))
    for id_, found in provenance["models"].items():
        about = {"@type": "SoftwareApplication", "name": study.all_models[id_]["title"]}
        about |= {"license": found["licence"]}
        about |= {"sha256": found["sha256"]} if "sha256" in found else {}
        made_of.append(crate.add(ContextEntity(crate, f"#model-{id_}", properties=about)))
    crate.root_dataset["mentions"] = made_of
    return canonical_json(crate.metadata.generate())


def _workflow(git: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the file that is the workflow."""
    about: dict[str, Any] = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "Persona Paradox",
    }
    if git["commit"] is not None:
        about["version"] = git["commit"] + (" with changes" if git["dirty"] else "")
    return about


# The standard library's table depends on the machine.
_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".parquet": "application/vnd.apache.parquet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".smk": "text/x-snakemake",
    ".rst": "text/x-rst",
    ".md": "text/markdown",
}


def checksums(description: Any) -> dict[str, str]:
    """Member → SHA-256, as `ro-crate-metadata.json` has them.

    Raises:
        InputError: it is no description of such an archive.
    """
    try:
        entities = description["@graph"]
        listed = [
            # A crate names its files as a web address would.
            (unquote(entity["@id"]), entity["sha256"])
            for entity in entities
            if entity["@type"] == "File" or "File" in entity["@type"]
        ]
        if len(listed) != len(dict(listed)):
            raise ValueError("a file stands there twice")
        return dict(listed)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{CRATE} of the archive does not give each file's SHA-256; take an archive that "
            "`snakemake results/archive.zip` made"
        ) from error


# --- writing and reading -------------------------------------------------------------------


def write(
    members: Iterable[tuple[str, bytes]], archive: zipfile.ZipFile | None
) -> dict[str, tuple[int, str]]:
    """Write members into a zip file, if one is wanted; size in bytes and SHA-256 of each."""
    sums = {}
    for name, data in members:
        sums[name] = (len(data), sha256_bytes(data))
        if archive is not None:
            add(archive, name, data)
    return sums


def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a member, without dates, owners or compression, which may differ between machines.

    Parquet files, which are the most of an archive, are compressed in themselves.
    """
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    archive.writestr(info, data)


def unpack(path: Path, folder: Path, most_bytes: int) -> list[str]:
    """Unpack an archive of somebody else; the names of its files.

    Args:
        path: the zip file.
        folder: an empty folder, outside of which nothing is written.
        most_bytes: of all members together.

    Raises:
        InputError: it is no zip file, or one with a name that leads out of the folder, a link, a
            name twice, encryption, or more bytes than are allowed or than it says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check(path, members, most_bytes)
            for info in members:
                target = folder / info.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                _extract(archive, info, target)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"{path} is no file; name the archive of a study") from error
    except (NotADirectoryError, FileExistsError) as error:
        raise InputError(
            f"{path} has a file where it has a folder; it cannot be trusted"
        ) from error
    except (*DAMAGED, ValueError) as error:
        if is_of_disk(error):
            raise
        raise InputError(f"{path} is not a whole zip file ({error}); fetch it again") from error
    return [info.filename for info in members]


def _check(path: Path, members: list[zipfile.ZipInfo], most_bytes: int) -> None:
    def refuse(what: str, remedy: str = "do not trust it") -> InputError:
        return InputError(f"{path} {what}; {remedy}")

    if len(members) > MOST_MEMBERS:
        raise refuse(f"has {len(members)} members, more than {MOST_MEMBERS}")
    seen: set[str] = set()
    for info in members:
        name = info.filename
        if not is_safe(name):
            raise refuse(f"has a member {name!r}, whose name may lead out of its folder")
        # 0 where a tool does not say.
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise refuse(f"has a member {name!r}, which is a link or no plain file")
        if info.flag_bits & 1:
            raise refuse(f"has a member {name!r}, which is encrypted")
        if name.casefold() in seen:
            raise refuse(f"has a member {name!r} twice")
        seen.add(name.casefold())
    size = sum(info.file_size for info in members)
    if size > most_bytes:
        raise refuse(
            f"unpacks to {size / GIB:.3g} GiB, more than {most_bytes / GIB:.3g}",
            "raise --max-gib if that is meant",
        )


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    # The directory of the zip file may lie about sizes.
    left = info.file_size
    with archive.open(info) as source, open(target, "xb") as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile(f"{info.filename} is larger than it says")
            file.write(chunk)


def read_untrusted(path: Path, name: str) -> Any:
    """Content of a JSON file of an archive; `name` is how errors call it.

    Raises:
        InputError: it is missing, or no JSON.
    """
    try:
        return read_json(path)
    except (OSError, InputError, RecursionError) as error:
        raise InputError(
            f"{name} of the archive cannot be read ({type(error).__name__}); take an archive that "
            "`snakemake results/archive.zip` made"
        ) from error
