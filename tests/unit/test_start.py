"""What the programs of a cell load before they begin: little, since every cell starts them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest
from project import ROOT

from persona_paradox.imports import code_of

SCRIPTS = ROOT / "workflow/scripts"
# Each takes as long to import as all else that is done with a cell, or longer.
HEAVY = {"torch", "netcal", "relplot", "statsmodels", "sklearn", "pandas", "matplotlib", "seaborn"}
HEAVY |= {"scipy.stats", "scipy.optimize", "jsonschema", "altair"}


# What the documentation says to type.
PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TYPED = re.findall(r"python workflow/scripts/(\w+)\.py", "".join(p.read_text() for p in PAGES))


@pytest.mark.parametrize("script", sorted({*TYPED}))
def test_a_python_without_the_libraries_says_what_to_activate(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-S", f"workflow/scripts/{script}.py", "x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: ")
    assert "lacks snakemake, polars, llama_cpp" in message
    assert "activate it (`source .venv/bin/activate`" in message


@pytest.mark.parametrize("step", ["write_prompts", "deliver", "generate", "score", "calibrate"])
def test_a_step_of_a_cell_loads_no_heavy_library(step: str) -> None:
    program = (
        f"import runpy, sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        f"runpy.run_path({str(SCRIPTS / step)!r} + '.py', run_name='step')\n"
        "print('\\n'.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "polars" in loaded
    assert not loaded & HEAVY


def test_nothing_but_recalibration_and_training_knows_netcal_or_torch() -> None:
    def imports(path) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
        return found

    library = (ROOT / "workflow/persona_paradox").rglob("*.py")
    knowing = [path for path in library if imports(path) & {"netcal", "torch"}]
    (only,) = (path for path in knowing if path.parent.name != "training")
    assert only.name == "recalibration.py"
    users = [script.stem for script in SCRIPTS.glob("*.py") if only in code_of(script)]
    assert users == ["recalibrate"]
    users = [script for script in SCRIPTS.glob("*.py") if {*code_of(script)} & {*knowing}]
    assert {script.stem for script in users} == {"recalibrate", "train_adapter"}
    named = [s.stem for s in SCRIPTS.glob("*.py") if imports(s) & {"netcal", "torch"}]
    assert named == ["train_adapter"]
