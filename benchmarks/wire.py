"""The bytes of a request, made once and varied cheaply."""

from dataclasses import dataclass
from typing import Final

PLACEHOLDER: Final = b"{reference-}"
"""Stands in a body for the request's number, written with exactly as many digits."""


@dataclass(frozen=True, slots=True)
class Template:
    """A request whose body differs in one number only, so that its length never changes. Can be pickled."""

    before: bytes
    after: bytes | None

    def __call__(self, number: int) -> bytes:
        """The whole request; `number` takes the placeholder's place, if the request has one."""
        if self.after is None:
            return self.before
        return b"%s%012d%s" % (self.before, number, self.after)


def http_request(method: str, path: str, *, host: str, token: str | None = None, body: bytes = b"") -> Template:
    """A keep-alive HTTP/1.1 request; the placeholder may stand once in the body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body or method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    whole = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
    before, found, after = whole.partition(PLACEHOLDER)
    assert PLACEHOLDER not in after
    return Template(before, after if found else None)
