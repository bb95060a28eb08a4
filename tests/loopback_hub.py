"""A hub on the loopback interface: what the huggingface_hub client asks for, and some trouble.

Like the hub it answers a question about a large file with a redirect to another host, which
has the bytes; here that is `localhost` for a hub that is called 127.0.0.1. Below /files/ it
is an ordinary web server.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Request:
    method: str
    path: str
    host: str
    authorization: str | None
    range: str | None


@dataclass
class Hub:
    """Content and behaviour of the server; `requests` is what it was asked."""

    address: str = ""
    # (kind of repository, name) → file → content; kinds are models and datasets
    repos: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=lambda: {"main", COMMIT})
    # file → content that is sent in its place
    sent: dict[str, bytes] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)  # files that are in git, not in LFS
    # the next bodies end after so many bytes; the last entry holds for all that follow
    ends: list[int | None] = field(default_factory=lambda: [None])
    pause: float = 0.0  # seconds before every MiB that is sent
    reset: bool = False  # an early end is a reset of the connection
    length: bool = True  # whether a file below /files/ comes with its length
    # the next answers have this status and this error code; afterwards all is well
    refusals: list[tuple[int, str]] = field(default_factory=list)
    refused: str = ""  # only requests whose path holds this are refused
    redirect: str = ""  # where /files/elsewhere leads
    requests: list[Request] = field(default_factory=list)

    def asked(self, method: str, path: str = "") -> list[Request]:
        return [r for r in self.requests if r.method == method and path in r.path]

    def downloads(self) -> list[Request]:
        return [r for r in self.requests if r.method == "GET" and "/api/" not in r.path]

    def next_end(self) -> int | None:
        return self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(
            Request(
                self.command,
                path,
                self.headers["Host"],
                self.headers.get("Authorization"),
                self.headers.get("Range"),
            )
        )
        if self.hub.refusals and self.hub.refused in path:
            self.refuse(*self.hub.refusals.pop(0))
        elif match := re.fullmatch(r"/api/(\w+)/([^/]+/[^/]+)/(paths-info|tree)/([^/]+)", path):
            kind, repo, question, revision = match.groups()
            if files := self.files(kind, repo, revision):
                names = files if question == "tree" else parse_qs(body.decode())["paths"]
                self.send_json([self.entry(n, files[n]) for n in names if n in files])
        elif match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            kind, repo, revision, name = match.groups()
            if files := self.files("datasets" if kind else "models", repo, revision):
                self.resolve(files, name)
        elif match := re.fullmatch(r"/cdn/(.+)", path):
            for files in self.hub.repos.values():
                for name, data in files.items():
                    if sha256(data) == match[1]:
                        self.send_bytes(self.hub.sent.get(name, data))
                        return
        elif path == "/files/elsewhere":
            self.start(302, {"Location": self.hub.redirect, "Content-Length": "0"})
        elif (name := path.removeprefix("/files/")) in self.hub.sent:
            self.send_bytes(self.hub.sent[name], length=self.hub.length)
        else:
            self.refuse(404, "")

    def files(self, kind: str, repo: str, revision: str) -> dict[str, bytes] | None:
        files = self.hub.repos.get((kind, repo))
        if files is None:
            self.refuse(401, "RepoNotFound")
        elif revision not in self.hub.revisions:
            self.refuse(404, "RevisionNotFound")
            return None
        return files

    def entry(self, name: str, data: bytes) -> dict[str, Any]:
        oid = hashlib.sha1(data).hexdigest()  # noqa: S324 (git's name of a file)
        result: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": oid}
        if name not in self.hub.small:
            result["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
        return result

    def resolve(self, files: dict[str, bytes], name: str) -> None:
        if name not in files:
            self.refuse(404, "EntryNotFound", {"X-Repo-Commit": COMMIT})
            return
        entry = self.entry(name, files[name])
        if "lfs" not in entry:
            data = self.hub.sent.get(name, files[name])
            self.send_bytes(data, {"X-Repo-Commit": COMMIT, "ETag": f'"{entry["oid"]}"'})
            return
        port = self.headers["Host"].rpartition(":")[2]
        self.start(
            302,
            {
                "Location": f"http://localhost:{port}/cdn/{entry['lfs']['oid']}?Signature=1",
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{entry["lfs"]["oid"]}"',
                "X-Linked-Size": str(entry["size"]),
                "Content-Length": "0",
            },
        )

    def refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        more = {"X-Error-Code": code} if code else {}
        self.start(status, {"Content-Length": "0", **more, **(headers or {})})

    def start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def send_json(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.start(200, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        self.wfile.write(data)

    def send_bytes(
        self, data: bytes, headers: dict[str, str] | None = None, length: bool = True
    ) -> None:
        status, headers = 200, dict(headers or {})
        begin, whole = 0, len(data)
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            status, begin = 206, int(match[1])
            headers["Content-Range"] = f"bytes {begin}-{whole - 1}/{whole}"
        data = data[begin:]
        if length:
            headers["Content-Length"] = str(len(data))
        else:
            headers["Connection"] = "close"
            self.close_connection = True
        self.start(status, headers)
        if self.command == "HEAD":
            return
        end = self.hub.next_end()
        try:
            for start in range(0, len(data[:end]), 1 << 20):
                time.sleep(self.hub.pause)
                self.wfile.write(data[:end][start : start + (1 << 20)])
            self.wfile.flush()
        except ConnectionError:
            return  # the client has seen enough
        if end is not None and end < len(data):
            self.close_connection = True
            if self.hub.reset:
                now = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                self.connection.close()


@contextmanager
def loopback_hub() -> Iterator[Hub]:
    """A running hub without content."""
    hub = Hub()
    handler = type("HubHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
