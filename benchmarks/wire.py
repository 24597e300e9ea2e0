"""The bytes of requests, built once and varied cheaply."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

PLACEHOLDER: Final = b"{reference-}"
"""Placeholder in a body for the request's number, which has exactly as many digits."""


@dataclass(frozen=True, slots=True)
class Template:
    """A request whose body varies in one number, so that its length is constant. Can be pickled."""

    before: bytes
    after: bytes | None

    def __call__(self, number: int) -> bytes:
        """Build the request. `number` replaces the placeholder, if there is one."""
        if self.after is None:
            return self.before
        return b"%s%012d%s" % (self.before, number, self.after)


@dataclass(frozen=True, slots=True)
class InTurns:
    """Several requests in turns. Can be pickled."""

    templates: tuple[Template, ...]

    def __call__(self, number: int) -> bytes:
        """Build the request of this number."""
        return self.templates[number % len(self.templates)](number)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A request whose credential is the next line of a file each time. Can be pickled: the process that builds the
    requests reads the file."""

    path: Path
    before: bytes
    after: bytes

    def __call__(self, number: int) -> bytes:
        """Build the request with the line of this number."""
        lines = _lines(self.path)
        return b"%s%s%s" % (self.before, lines[number % len(lines)], self.after)


@lru_cache(maxsize=4)
def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


@dataclass(frozen=True, slots=True)
class AnyKey:
    """A request with an API key drawn uniformly from all keys of all tenants, by `api_key` and `key_host`."""

    seed: str
    tenants: int
    keys: int
    path: str

    def __call__(self, number: int) -> bytes:
        """Build the request. The same number always draws the same API key."""
        drawn = int.from_bytes(hashlib.blake2b(b"%d" % number, digest_size=8).digest(), "big")
        tenant, key = drawn % self.tenants, drawn // self.tenants % self.keys
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {key_host(tenant)}\r\nAccept: application/json\r\n"
            f"ApiKey: {api_key(self.seed, tenant, key)}\r\n\r\n"
        ).encode("ascii")


def key_host(tenant: int) -> str:
    """Return the host of a tenant by its number."""
    return f"t{tenant}.example"


def api_key(seed: str, tenant: int, key: int) -> str:
    """Derive one of a tenant's API keys, so that none has to be stored."""
    return "ak_live_" + hashlib.sha256(f"{seed} {tenant} {key}".encode("ascii")).hexdigest()[:32]


def http_request(
    method: str,
    path: str,
    *,
    host: str,
    token: str | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Template:
    """Build a keep-alive HTTP/1.1 request. The placeholder may occur once in the body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    whole = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
    before, found, after = whole.partition(PLACEHOLDER)
    assert PLACEHOLDER not in after
    return Template(before, after if found else None)
