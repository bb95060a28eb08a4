"""Puts the library, its scripts and the tests' helpers on the path of imports."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(ROOT / part) for part in ("workflow", "workflow/scripts", "tests")]
