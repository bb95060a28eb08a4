"""What stands in a page of `snakemake --report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(page: Path) -> dict[str, Any]:
    """Its data: `categories`, `results` (path → labels, caption) and `workflow_desc`."""
    text = page.read_text(encoding="utf-8")
    found = {}
    for name in ("workflow_desc", "results", "categories"):
        # The last one: the libraries in the page have variables, too.
        start = text.rindex(f"var {name} = ") + len(f"var {name} = ")
        found[name], _ = json.JSONDecoder().raw_decode(text[start:])
    return found


def check(project: Path, page: Path) -> dict[str, Any]:
    """That every figure and table on the disk is there, with category, labels and caption."""
    data = read(page)
    placed = {
        path: (category, part)
        for category, parts in data["categories"].items()
        for part, paths in parts.items()
        for path in paths
    }
    figures = {f"results/figures/{path.name}" for path in project.glob("results/figures/*.png")}
    tables = {f"results/tables/{path.name}" for path in project.glob("results/tables/*.csv")}
    assert figures
    assert tables
    assert set(placed) >= figures | tables | {"results/summary.md"}
    for path in figures | tables | {"results/summary.md"}:
        category, part = placed[path]
        expected = "Figures" if path in figures else "Tables" if path in tables else "Summary"
        assert category == expected
        assert part != "Other" or path == "results/summary.md"
        result = data["results"][path]
        labels = result["labels"]
        assert all(labels.values())
        if path in figures | tables:
            assert labels["figure" if path in figures else "table"] == Path(path).stem
            assert len(labels) == 2
        # A table without rows of a study has no interval to speak of, but its caption has all.
        caption = result["caption"]
        for words in ("edical advice",) if "delivery" not in path else ("persona",):
            assert words in caption, path
        assert "system-message" not in caption, path
    assert "Not medical advice" in data["workflow_desc"]
    return data
