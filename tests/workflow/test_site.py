"""The documentation as a site: complete, with links that lead somewhere, and of itself alone."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from once import built_once
from playwright.sync_api import Browser
from root import ROOT


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does, into another folder."""
    command = re.search(r"^docs: .*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f'{command} --site-dir "$SITE"'],
        cwd=project,
        env=os.environ | {"PATH": path, "SITE": str(site)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(path: Path) -> None:
        done = build(ROOT, path)
        assert done.returncode == 0, done.stdout
        assert "WARNING" not in done.stdout

    return built_once(tmp_path_factory, "site", make)


class Addresses(HTMLParser):
    """What a page loads, and what it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        address = values.get("src") or values.get("href") or values.get("data")
        if address is not None:
            (self.links if tag == "a" else self.loaded).append(address)


def pages(site: Path) -> dict[str, Addresses]:
    found = {}
    for path in sorted(site.rglob("*.html")):
        found[str(path.relative_to(site))] = addresses = Addresses()
        addresses.feed(path.read_text(encoding="utf-8"))
    return found


def test_every_document_is_a_page(site: Path) -> None:
    documents = {
        p.relative_to(ROOT / "docs").with_suffix("") for p in (ROOT / "docs").rglob("*.md")
    }
    documents |= {Path(name) for name in ("configuration", "benchmarks", "faults", "changes")}
    documents |= {Path("contributing")}
    assert {Path(name).with_suffix("") for name in pages(site)} - {Path("404")} == documents
    text = (site / "configuration.html").read_text(encoding="utf-8")
    assert 'id="robust-effects"' in text
    assert not list(site.rglob("hooks*"))


def test_pages_name_nothing_from_elsewhere_to_be_loaded(site: Path) -> None:
    named = {address for page in pages(site).values() for address in page.loaded}
    assert {"site.css", "../site.css"} <= named
    assert [address for address in named if "//" in address] == []
    for path in site.rglob("*.css"):
        styles = re.findall(r"url\([\"']?([^)\"']*)|@import\s+(\S+)", path.read_text())
        addresses = [url or imported for url, imported in styles]
        assert [a for a in addresses if "//" in a and not a.startswith("data:")] == []


@pytest.fixture
def server(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_browser_asks_for_nothing_from_elsewhere(
    site: Path, server: str, chromium: Browser
) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for start in (site.as_uri(), server):
        # The page of what is not found belongs to servers.
        for name in pages(site).keys() - {"404.html"}:
            page.goto(f"{start}/{name}")
            # On a telephone, too, a page is read without being moved sideways.
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert len([url for url in asked if url.startswith(start)]) > len(pages(site))
    # An icon of a page on disk may be asked for when the server's first page is open already.
    own = (site.as_uri(), server, "data:")
    assert [url for url in asked if not url.startswith(own)] == []
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{server}/index.html")
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").press_sequentially("McNemar")
    page.locator(".md-search-result__link").first.wait_for(state="attached")
    assert "reference/metrics" in "".join(
        link.get_attribute("href") for link in page.locator(".md-search-result__link").all()
    )
    assert [url for url in asked if not url.startswith(own)] == []
    page.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(tutorial/first-run.md)", "(tutorial/last-run.md)"),
        ("(../config/README.md)", "(../config/README.md#no-such-heading)"),
        ("(scaling.md)", "(/scaling.md)"),
    ],
)
def test_a_link_that_leads_nowhere_fails(tmp_path: Path, old: str, new: str) -> None:
    for name in ("docs", "config", "benchmarks", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "*.py") if name != "docs" else None
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    for name in ("mkdocs.yml", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy2(ROOT / name, tmp_path / name)
    index = tmp_path / "docs/index.md"
    text = index.read_text(encoding="utf-8")
    assert old in text
    index.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "index.md" in done.stdout
