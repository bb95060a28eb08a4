"""Files of the Hugging Face Hub, online and from its cache."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

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
from ..files import sha256_file
from . import transfer
from .transfer import (
    ANSWER,
    Content,
    Order,
    amount,
    busy,
    log,
    need_space,
    persist,
    similar,
    write_stream,
)

LOG_IN = "log in with `hf auth login` (or set HF_TOKEN)"


# --- a file of a repository on the hub ----------------------------------------------------


def from_hub(order: Order) -> Content:
    """Fetch a file of the hub, or take it from the hub's cache."""
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
            options |= {
                "disable": False,
                "mininterval": transfer.PROGRESS,
                "maxinterval": transfer.PROGRESS,
            }
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]

    def display(self, *arguments: Any, **options: Any) -> None:
        """Show how far it is."""
        if self._terminal:
            super().display(*arguments, **options)
        else:
            log.info("%s: %s of %s", self.desc, amount(self.n), amount(self.total or self.n))


def _from_hub_online(api: HfApi, order: Order) -> Content:
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

    entries = [
        found for found in persist(entry, _no_answer, _hub_reason) if isinstance(found, RepoFile)
    ]
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
        log.info("%s: %s from %s", file, amount(entries[0].size), repo)
    content = _from_snapshot(order, Path(persist(get, _was_reset, _hub_reason)), lfs)
    if content.sha256 != expected:
        # Only the size of a download is checked by the client: without this a damaged copy
        # would stay in its cache and come back with every run.
        log.warning("%s: the bytes are not those of `source.sha256`; downloading them anew", file)
        again = partial(get, force_download=True)
        content = _from_snapshot(order, Path(persist(again, _was_reset, _hub_reason)), lfs)
        if lfs is not None and content.sha256 != lfs:
            raise order.error(
                "sha256",
                f"expected {expected}, found {content.sha256} ({amount(content.size)}), although "
                f"the hub confirms the first; something between the hub and {order.folder} (proxy, "
                "disk) damages the file; mend that and run again",
            )
    return content


def _from_hub_cache(api: HfApi, order: Order, cause: Exception) -> Content:
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
            f"the hub's cache has a damaged copy, {Path(copy).resolve()} ({amount(content.size)}, "
            f"sha256 {content.sha256}); run again where there is a network",
        )
    return content


def _from_snapshot(order: Order, copy: Path, lfs: str | None) -> Content:
    # The client's cache: snapshots/COMMIT/FILE is a link to blobs/ETAG.
    commit = copy.parts[-1 - len(PurePosixPath(order.source["file"]).parts)]
    blob = copy.resolve()
    sha256, size = _link_or_copy(order, blob)
    return Content(sha256, size, {"commit": commit, "lfs_sha256": lfs})


def _cached_lfs(copy: Path) -> str | None:
    """The hub's own LFS sha256 as the client kept it: the etag, which names the blob."""
    etag = Path(os.readlink(copy)).name if copy.is_symlink() else ""
    return etag if re.fullmatch(r"[0-9a-f]{64}", etag) else None


def _link_or_copy(order: Order, blob: Path) -> tuple[str, int]:
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
        content = write_stream(stream, order, blob.name, blob.stat().st_size)
    return content.sha256, content.size


def _no_answer(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return busy(error.response.status_code)
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


def _hub_error(api: HfApi, order: Order, error: Exception) -> InputError:  # noqa: PLR0911 (a table)
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


def _no_such_file(api: HfApi, order: Order) -> InputError:
    source = order.source
    repo, file, revision = source["repo"], source["file"], source["revision"]
    try:
        names = api.list_repo_files(repo, revision=revision, repo_type=order.repo_type)
    except (httpx2.HTTPError, OSError, ValueError):
        names = []
    return order.error("file", f"{repo} at {revision} holds no {file}{similar(file, names)}")
