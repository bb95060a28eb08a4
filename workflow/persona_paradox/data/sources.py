"""Files from outside: fetched, checked against their sha256, put in place whole or not at all."""

from __future__ import annotations

import difflib
import errno
import hashlib
import http.client
import json
import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants, get_session
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import tqdm

from ..errors import InputError
from ..files import DAMAGED, atomic_path, is_of_disk, sha256_file

log = logging.getLogger("persona_paradox")

RepoType = Literal["model", "dataset"]
T = TypeVar("T")

CHUNK = 1 << 20  # bytes that are read at a time
PROGRESS = 5.0  # seconds between two lines of progress
BACK_OFF = (1.0, 2.0)  # seconds before the second and the third attempt
TIMEOUT = 60.0  # seconds without a byte until a server counts as gone
ANSWER = 20.0  # the same for the hub's answer to a question
_LISTED = 12  # files that an error names
LOG_IN = "log in with `hf auth login` (or set HF_TOKEN)"


@dataclass(frozen=True)
class _Order:
    """What to fetch, where to write it, and how to speak of it."""

    source: Mapping[str, Any]
    part: Path
    folder: Path
    config_file: str
    data_dir: str | None
    repo_type: RepoType

    def error(self, key: str, text: str) -> InputError:
        return InputError(f"{self.config_file}: key `source.{key}`: {text}")


@dataclass(frozen=True)
class _Content:
    """What was written, and what else the manifest should say."""

    sha256: str
    size: int
    more: Mapping[str, Any]


def fetch(
    source: Mapping[str, Any],
    destination: Path,
    *,
    config_file: str,
    data_dir: str | None = None,
    repo_type: RepoType = "model",
) -> dict[str, Any]:
    """Bring the file of a source to `destination`; the result is for the manifest.

    Args:
        source: validated mapping of one of the kinds pypi, hub, path, url, bundled.
        destination: final name, which only a complete and checked file ever has.
        config_file: YAML file to name in errors.
        data_dir: folder that `{data_dir}` in a path stands for.
        repo_type: what a repository on the hub holds.

    Raises:
        InputError: the file cannot be had, does not fit on the disk, or is another one.
    """
    with atomic_path(destination) as part:
        order = _Order(source, part, destination.parent, config_file, data_dir, repo_type)
        content = _KINDS[source["kind"]](order)
        expected = source.get("sha256")
        if expected is not None and content.sha256 != expected:
            raise order.error(
                "sha256",
                f"expected {expected}, found {content.sha256} ({_amount(content.size)}); correct "
                "the source, or set `source.sha256` to the value found if that file is meant",
            )
    return {
        "sha256": content.sha256,
        "size": content.size,
        "source": dict(source),
        **content.more,
    }


# --- a file on this machine ---------------------------------------------------------------


def _from_path(order: _Order) -> _Content:
    path = order.source["path"]
    if "{data_dir}" in path:
        if order.data_dir is None:
            raise order.error(
                "path",
                f"{path} needs a data folder; set `data_dir` in the study or the environment "
                "variable PERSONA_DATA_DIR",
            )
        path = path.replace("{data_dir}", order.data_dir)
    return _from_disk(order, Path(path), "put the file there or correct the path")


def _from_bundle(order: _Order) -> _Content:
    path = Path(order.source["path"])
    return _from_disk(order, path, f"it comes with this project; `git restore {path}` restores it")


def _from_disk(order: _Order, path: Path, remedy: str) -> _Content:
    try:
        with open(path, "rb") as stream:
            return _write(stream, order, path.name, os.fstat(stream.fileno()).st_size)
    except (FileNotFoundError, NotADirectoryError):
        raise order.error("path", f"{path} is missing; {remedy}") from None
    except IsADirectoryError:
        raise order.error("path", f"{path} is a folder; name a file") from None
    except PermissionError:
        raise order.error("path", f"{path} may not be read; change its permissions") from None


# --- a member of a wheel on PyPI ----------------------------------------------------------


def _from_pypi(order: _Order) -> _Content:
    source = order.source
    requirement = f"{source['package']}=={source['version']}"
    with tempfile.TemporaryDirectory(dir=order.folder, prefix=f"{order.part.name}.") as folder:
        log.info("%s: pip downloads the wheel", requirement)
        pip = [sys.executable, "-m", "pip", "download", "--no-input", "--progress-bar=off"]
        done = subprocess.run(
            [*pip, "--no-deps", "--only-binary=:all:", f"--dest={folder}", requirement],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise order.error(
                "version",
                f"pip cannot download {requirement}: {_pip_reason(done.stderr)}; correct package "
                "and version, or mend pip's configuration or the connection, and run again",
            )
        for wheel in Path(folder).glob("*.whl"):
            return _member(order, wheel)
        raise order.error("package", f"pip brought no wheel of {requirement}; name another source")


def _pip_reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = (errors or lines or ["it gave no reason"])[-1].rstrip(".")
    if any("Retrying (" in line for line in lines):
        reason += " (the package index did not answer)"
    return reason


def _member(order: _Order, wheel: Path) -> _Content:
    name = order.source["member"]
    try:
        with zipfile.ZipFile(wheel) as archive:
            try:
                info = archive.getinfo(name)
            except KeyError:
                raise order.error(
                    "member", f"{wheel.name} holds no {name}{_similar(name, archive.namelist())}"
                ) from None
            with archive.open(info) as stream:
                return _write(stream, order, PurePosixPath(name).name, info.file_size)
    except DAMAGED as error:
        if is_of_disk(error):
            raise
        raise order.error(
            "package", f"{wheel.name} is damaged ({error}); empty pip's cache and run again"
        ) from error


# --- a file behind an address -------------------------------------------------------------


class _BrokenOff(Exception):
    """A connection ended before the file did."""


# What a link that goes down in the middle of a file is, besides a `ConnectionError`.
_NO_WAY = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
_WEB_TROUBLE = (
    _BrokenOff,
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    ValueError,
)


def _from_url(order: _Order) -> _Content:
    try:
        return _persist(lambda: _download(order), _web_may_recover)
    except _WEB_TROUBLE as error:
        raise order.error(
            "url",
            f"{_public(order.source['url'])} cannot be downloaded: {_web_reason(error)}; check the "
            "address and the connection and run again",
        ) from error


def _download(order: _Order) -> _Content:
    url = order.source["url"]
    with _web().open(url, timeout=TIMEOUT) as response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        try:
            content = _write(response, order, PurePosixPath(urlsplit(url).path).name, total)
        except OSError as error:
            if error.errno not in _NO_WAY:
                raise
            raise _BrokenOff(f"the connection broke off ({error.strerror})") from error
    if total is not None and content.size != total:
        raise _BrokenOff(
            f"the connection broke off after {_amount(content.size)} of {_amount(total)}"
        )
    return content


def _web() -> urllib.request.OpenerDirector:
    # The default opener reads file:// and ftp:// as well, also where a server redirects there.
    opener = urllib.request.OpenerDirector()
    opener.addheaders = [("User-Agent", "persona-paradox")]
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _web_may_recover(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return _busy(error.code)
    permanent = (http.client.InvalidURL, ValueError)
    return isinstance(error, _WEB_TROUBLE) and not isinstance(error, permanent)


def _web_reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return " ".join(f"the server answered {error.code} {error.reason}".split())
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _public(url: str) -> str:
    """An address without what may be a secret: user, password, query."""
    return re.sub(r"^(https?://)(?:[^/?#]*@)?([^?#]*).*", r"\1\2", url)


# --- a file of a repository on the hub ----------------------------------------------------


def _from_hub(order: _Order) -> _Content:
    _quiet()
    api = HfApi()
    try:
        return _from_hub_online(api, order)
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError) as error:
        # The client hides why a request failed behind "not in the cache".
        hidden = isinstance(error, LocalEntryNotFoundError) and error.__cause__
        cause = hidden if isinstance(hidden, Exception) else error
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if not isinstance(cause, OfflineModeIsEnabled) and not _no_answer(cause):
            raise _hub_error(api, order, cause) from error
    return _from_hub_cache(api, order, cause)


def _quiet() -> None:
    """Keep signed addresses, which open a file to every reader, out of the log."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # at INFO it logs every request
    logging.getLogger("huggingface_hub").handlers.clear()  # or the terminal shows lines twice
    for name in ("file_download", "utils._http"):
        logging.getLogger(f"huggingface_hub.{name}").addFilter(_without_query)


def _without_query(record: logging.LogRecord) -> bool:
    record.msg = re.sub(
        r"(https?://[^\s?]+)\?[^\s']*?(?=[:']?(?:\s|$))", r"\1", record.getMessage()
    )
    record.args = ()
    return True


class _Progress(tqdm):
    """The client's progress bar; where there is no terminal, a line of the log now and then."""

    file = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._terminal = sys.stderr.isatty()
        # The client would show the end of a signed address.
        options["desc"] = PurePosixPath(self.file).name
        if not self._terminal:
            options |= {"disable": False, "mininterval": PROGRESS, "maxinterval": PROGRESS}
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]

    def display(self, *arguments: Any, **options: Any) -> None:
        """Show how far it is."""
        if self._terminal:
            super().display(*arguments, **options)
        else:
            log.info("%s: %s of %s", self.desc, _amount(self.n), _amount(self.total or self.n))


def _from_hub_online(api: HfApi, order: _Order) -> _Content:
    source = order.source
    repo, file, revision = source["repo"], source["file"], source["revision"]
    expected = source["sha256"]
    get: Callable[..., Any] = partial(
        api.hf_hub_download,
        repo,
        file,
        revision=revision,
        repo_type=order.repo_type,
        tqdm_class=type("_ProgressOfFile", (_Progress,), {"file": file}),
    )

    def entry() -> list[Any]:
        get_session().timeout = ANSWER  # the client itself would wait for ever
        return api.get_paths_info(repo, [file], revision=revision, repo_type=order.repo_type)

    entries = [found for found in _persist(entry, _no_answer) if isinstance(found, RepoFile)]
    if not entries:
        raise _no_such_file(api, order)
    lfs = entries[0].lfs.sha256 if entries[0].lfs else None
    if lfs is not None and lfs != expected:
        raise order.error(
            "sha256",
            f"expected {expected}, but the hub has {lfs} for {file} of {repo} at {revision}; "
            "nothing was downloaded; correct `source.revision`, `source.file` or `source.sha256`",
        )
    plan = get(dry_run=True)
    if plan.will_download:
        need_space(plan.file_size or entries[0].size, Path(constants.HF_HUB_CACHE))
        log.info("%s: %s from %s", file, _amount(entries[0].size), repo)
    content = _from_snapshot(order, Path(_persist(get, _was_reset)), lfs)
    if content.sha256 != expected:
        # Only the size of a download is checked by the client: without this a damaged copy
        # would stay in its cache and come back with every run.
        log.warning("%s: the bytes are not those of `source.sha256`; downloading them anew", file)
        again = partial(get, force_download=True)
        content = _from_snapshot(order, Path(_persist(again, _was_reset)), lfs)
        if lfs is not None and content.sha256 != lfs:
            raise order.error(
                "sha256",
                f"expected {expected}, found {content.sha256} ({_amount(content.size)}), although "
                f"the hub confirms the first; something between the hub and {order.folder} (proxy, "
                "disk) damages the file; mend that and run again",
            )
    return content


def _from_hub_cache(api: HfApi, order: _Order, cause: Exception) -> _Content:
    source = order.source
    try:
        copy = api.hf_hub_download(
            source["repo"],
            source["file"],
            revision=source["revision"],
            repo_type=order.repo_type,
            local_files_only=True,
        )
    except LocalEntryNotFoundError:
        what = f"{source['file']} of {source['repo']} at {source['revision']}"
        if isinstance(cause, OfflineModeIsEnabled):
            raise order.error(
                "file",
                f"{what} is not in the hub's cache and HF_HUB_OFFLINE is set; unset it, or download"
                " the file once where there is a network",
            ) from cause
        raise order.error(
            "file",
            f"{what} cannot be downloaded: {_hub_reason(cause)}; check the connection (proxy, "
            "HF_ENDPOINT) and run again",
        ) from cause
    if not isinstance(cause, OfflineModeIsEnabled):
        log.warning("the hub does not answer (%s); its cache has the file", _hub_reason(cause))
    content = _from_snapshot(order, Path(copy), _cached_lfs(Path(copy)))
    if content.sha256 != source["sha256"] == content.more["lfs_sha256"]:
        raise order.error(
            "sha256",
            f"the hub's cache has a damaged copy, {Path(copy).resolve()} ({_amount(content.size)}, "
            f"sha256 {content.sha256}); run again where there is a network",
        )
    return content


def _from_snapshot(order: _Order, copy: Path, lfs: str | None) -> _Content:
    # The client's cache: snapshots/COMMIT/FILE is a link to blobs/ETAG.
    commit = copy.parts[-1 - len(PurePosixPath(order.source["file"]).parts)]
    blob = copy.resolve()
    sha256, size = _link_or_copy(order, blob)
    return _Content(sha256, size, {"commit": commit, "lfs_sha256": lfs})


def _cached_lfs(copy: Path) -> str | None:
    """The hub's own LFS sha256 as the client kept it: the etag, which names the blob."""
    etag = Path(os.readlink(copy)).name if copy.is_symlink() else ""
    return etag if re.fullmatch(r"[0-9a-f]{64}", etag) else None


def _link_or_copy(order: _Order, blob: Path) -> tuple[str, int]:
    part = order.part
    # It may be a link already, and writing into it would change the cache.
    part.unlink(missing_ok=True)
    if blob.stat().st_uid == os.geteuid():
        try:
            os.link(blob, part)
        except OSError:  # another file system, or one without hard links
            pass
        else:
            os.utime(part)  # else the result would be older than what asked for it
            return sha256_file(part), part.stat().st_size
    with open(blob, "rb") as stream:
        content = _write(stream, order, blob.name, blob.stat().st_size)
    return content.sha256, content.size


def _no_answer(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return _busy(error.response.status_code)
    return isinstance(error, httpx2.TransportError)


def _was_reset(error: Exception) -> bool:
    # The client resumes after every other interruption by itself.
    return isinstance(error, httpx2.ReadError)


def _hub_reason(error: Exception) -> str:
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return f"the hub answered {status}" + (
            f" ({error.server_message})" if error.server_message else ""
        )
    if isinstance(error, json.JSONDecodeError):
        return "the answer is not a hub's"
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _hub_error(api: HfApi, order: _Order, error: Exception) -> InputError:  # noqa: PLR0911 (a table)
    source = order.source
    repo, revision = source["repo"], source["revision"]
    page = f"{api.endpoint}/{'datasets/' if order.repo_type == 'dataset' else ''}{repo}"
    if isinstance(error, GatedRepoError):
        return order.error(
            "repo", f"{repo} is gated; accept its licence on {page}, {LOG_IN}, and run again"
        )
    if isinstance(error, DisabledRepoError):
        return order.error("repo", f"{repo} has been disabled on the hub; name another source")
    if isinstance(error, RepositoryNotFoundError):
        return order.error(
            "repo",
            f"the hub shows no {order.repo_type} repository {repo}; correct the name, or, if it is "
            f"private, {LOG_IN} and run again",
        )
    if isinstance(error, RevisionNotFoundError):
        return order.error(
            "revision", f"{repo} has no revision {revision}; take a commit from {page}/commits/main"
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return _no_such_file(api, order)
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return order.error(
            "repo",
            f"{repo} may not be read, {_hub_reason(error)}; accept its licence on {page} if it has "
            f"one, {LOG_IN}, and run again",
        )
    if isinstance(error, HFValidationError):
        return order.error("repo", f"{repo} is no name of a repository: {_hub_reason(error)}")
    return order.error(
        "file",
        f"{source['file']} of {repo} cannot be downloaded: {_hub_reason(error)}; check the "
        "connection (proxy, HF_ENDPOINT) and run again",
    )


def _no_such_file(api: HfApi, order: _Order) -> InputError:
    source = order.source
    repo, file, revision = source["repo"], source["file"], source["revision"]
    try:
        names = api.list_repo_files(repo, revision=revision, repo_type=order.repo_type)
    except (httpx2.HTTPError, OSError, ValueError):
        names = []
    return order.error("file", f"{repo} at {revision} holds no {file}{_similar(file, names)}")


# --- what all kinds share -----------------------------------------------------------------


_KINDS: Mapping[str, Callable[[_Order], _Content]] = {
    "bundled": _from_bundle,
    "hub": _from_hub,
    "path": _from_path,
    "pypi": _from_pypi,
    "url": _from_url,
}


def _write(stream: IO[bytes], order: _Order, name: str, total: int | None) -> _Content:
    """Write a stream of known or unknown length to the temporary file."""
    if total is not None:
        need_space(total, order.folder)
    digest = hashlib.sha256()
    size = 0
    told = time.monotonic()
    with open(order.part, "wb") as target:
        while chunk := stream.read(CHUNK):
            target.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            if time.monotonic() - told >= PROGRESS:
                told = time.monotonic()
                log.info("%s: %s%s", name, _amount(size), f" of {_amount(total)}" if total else "")
    return _Content(digest.hexdigest(), size, {})


def need_space(size: int, folder: Path) -> None:
    """See that a file of `size` bytes fits on the disk of a folder, which may be missing yet.

    Raises:
        InputError: it does not.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise InputError(
            f"the file needs {_amount(size)}, {_amount(free)} free on {folder}; free space and run "
            "again"
        )


def _persist(action: Callable[[], T], may_recover: Callable[[Exception], bool]) -> T:
    """Result of an action that gets three attempts where its error may pass."""
    for pause in BACK_OFF:
        try:
            return action()
        except Exception as error:
            if not may_recover(error):
                raise
            log.info("the connection failed (%s); next attempt in %g s", _reason(error), pause)
        time.sleep(pause)
    return action()


def _reason(error: Exception) -> str:
    return _hub_reason(error) if isinstance(error, httpx2.HTTPError) else _web_reason(error)


def _busy(status: int) -> bool:
    return status in (408, 429) or status >= 500


def _similar(name: str, names: Iterable[str]) -> str:
    """How to go on after `name` was not among `names`."""
    known = sorted(other for other in names if not other.endswith("/"))
    if not known:
        return "; correct the name"
    close = [other for other in known if PurePosixPath(other).name == PurePosixPath(name).name]
    close = close or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if not close:
        close = [
            other for other in known if PurePosixPath(other).suffix == PurePosixPath(name).suffix
        ]
    meant = f"; did you mean {' or '.join(close[:3])}?" if close else "; take one of these"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f", but {', '.join(known[:_LISTED])}{more}{meant}"


def _amount(size: int) -> str:
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} bytes"
