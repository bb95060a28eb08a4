"""Archives, verified as `make verify` does."""

from __future__ import annotations

import os
import subprocess
import sys

from project import Project


def verify(
    project: Project, archive: str, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Verify an archive of a project; stdout holds all output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    script = "workflow/scripts/verify.py"
    return subprocess.run(
        [sys.executable, script, "--cores", "1", *options, str(project.path / archive)],
        cwd=project.path,
        env=env | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
