"""The one error a user is meant to read."""

from __future__ import annotations


class InputError(Exception):
    """Something the user can mend; one sentence that names file, key and remedy."""
