"""What of a server's model decides its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..files import canonical_json, sha256_bytes


@dataclass(frozen=True)
class ServerSettings:
    """How a model's endpoint is reached; all are keys of `source` in the model's file.

    Attributes:
        url: what /completions is appended to, with the /v1 of most servers.
        model: the name by which the endpoint knows the model.
        api_key_env: environment variable that holds the key, None for an endpoint without one.
        concurrency: most requests under way at a time.
        timeout_s: seconds until an answer counts as lost.
        retries: attempts after the first one, with growing pauses, where an error may pass.
        top_logprobs: log-probabilities asked for at the answer position.
    """

    url: str
    model: str
    api_key_env: str | None = None
    concurrency: int = 4
    timeout_s: float = 120.0
    retries: int = 5
    top_logprobs: int = 20

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> ServerSettings:
        """From key `source` of a model's file."""
        return cls(**{field.name: source[field.name] for field in fields(cls)})


def describe(source: Mapping[str, Any]) -> dict[str, Any]:
    """What tells the answers of a server's model from others.

    The model's name and revision, as far as the user declares them; nothing of the machine that
    runs it, which is out of sight.
    """
    parts = {key: source[key] for key in ("model", "revision", "top_logprobs")}
    return {"backend": "server", **parts}


def fingerprint(source: Mapping[str, Any]) -> str:
    """SHA-256 of `describe`."""
    return sha256_bytes(canonical_json(describe(source)).encode())
