"""Identity headers: the caller of an allowed request, signed, for the service behind the proxy.

The proxy asks the gate about each request and adds these headers before it passes the request on. Every allowed request
has all of them, so a header that the caller sent can never replace a missing one. The signature is an HMAC-SHA256 under a
secret that gate and service share, over the headers, a time stamp, and the request's method and target. A service that
checks it need not trust its network, and no signature is valid for another request.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bedesten.core.secret import Secret
from bedesten.gate.derivation import hmac_sha256

TENANT, ACCOUNT, SURFACE = "X-Bedesten-Tenant", "X-Bedesten-Account", "X-Bedesten-Surface"
SCOPES, REQUEST_ID, SIGNATURE = "X-Bedesten-Scopes", "X-Bedesten-Request-Id", "X-Bedesten-Signature"
NAMES = (TENANT, ACCOUNT, SURFACE, SCOPES, REQUEST_ID, SIGNATURE)
"""Every header that the gate writes, in signing order; the signature is last."""
MAX_CLOCK_SKEW_S = 60
"""Seconds by which a signature's time may differ from the clock of the service that checks it."""
MIN_SECRET_LENGTH = 43
"""Characters of a secret: 32 random bytes in base64url."""

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43,128}")


class InvalidSignature(ValueError):
    """The gate did not write these headers for this request. The reason never contains what was sent."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller. Account and surface are empty on a public path.

    `scopes` are the effective scopes of a bearer token, or the grants of an API key; `*` alone is a key without narrowed
    grants.
    """

    tenant: str
    account: str
    surface: str
    scopes: frozenset[str]
    request_id: str

    def headers(self) -> list[tuple[str, str]]:
        """The headers without their signature."""
        values = (self.tenant, self.account, self.surface, _listed(self.scopes), self.request_id)
        return list(zip(NAMES, values, strict=False))

    def signed(self, secret: Secret[str], method: str, target: str, now: int) -> list[tuple[str, str]]:
        """All headers, for a request with this method and target (path and query as they were sent). `now` in ms."""
        headers, stamp = self.headers(), str(now // 1000)
        mac = _mac(secret, stamp, method, target, [value for _, value in headers])
        return [*headers, (SIGNATURE, f"t={stamp},v1={mac}")]


def verified(
    headers: Mapping[str, str], secrets: Iterable[Secret[str]], method: str, target: str, now: int
) -> Identity:
    """The caller, from headers that the gate wrote for exactly this request under one of the secrets. `now` in ms.

    `headers` by their names in lower case. Raises `InvalidSignature`.
    """
    values = [headers.get(name.lower(), "") for name in NAMES]
    match = _SIGNATURE.fullmatch(values.pop())
    if match is None:
        raise InvalidSignature("no signature of the gate")
    if abs(int(match[1]) - now // 1000) > MAX_CLOCK_SKEW_S:
        raise InvalidSignature("a signature of another time")
    found = [hmac.compare_digest(_mac(one, match[1], method, target, values), match[2]) for one in secrets]
    if not any(found):
        raise InvalidSignature("the signature is not of these headers and this request")
    tenant, account, surface, scopes, request_id = values
    return Identity(tenant, account, surface, frozenset(scopes.split()), request_id)


def read_secrets(text: str) -> tuple[Secret[str], ...]:
    """The secrets of a text, one on each line: the first signs, all of them verify. Raises ValueError."""
    headers = [line.strip() for line in text.splitlines() if line.strip()]
    if not headers:
        raise ValueError("it contains no secret")
    for number, line in enumerate(headers, 1):
        if _SECRET.fullmatch(line) is None or len(set(line)) < 10:
            raise ValueError(f"secret {number} is not {MIN_SECRET_LENGTH} random characters of base64url or more")
    return tuple(Secret(line) for line in headers)


@lru_cache(1024)
def _listed(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))


def _mac(secret: Secret[str], stamp: str, method: str, target: str, values: list[str]) -> str:
    """The signature. No signed part can contain a line break: each is part of one line of HTTP."""
    signed = "\n".join(("v1", stamp, method, target, *values))
    return hmac_sha256(secret.reveal().encode(), signed.encode("utf-8", "surrogateescape")).hex()
