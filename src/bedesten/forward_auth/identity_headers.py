"""Identity headers: who the gate let through, told to a service that stands behind a proxy, and signed.

The proxy asks the gate about each request and adds these headers to what goes on to the service. They are all there with
every request that was let through, so that none that the caller sent can take the place of one that is missing. The
signature is an HMAC-SHA256 under a secret that gate and service share, over the headers, a time stamp, and the request's
method and target: a service that checks it needs not trust its network, and no signature fits another request.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from bedesten.core.secret import Secret

TENANT, ACCOUNT, SURFACE = "X-Bedesten-Tenant", "X-Bedesten-Account", "X-Bedesten-Surface"
SCOPES, REQUEST_ID, SIGNATURE = "X-Bedesten-Scopes", "X-Bedesten-Request-Id", "X-Bedesten-Signature"
NAMES = (TENANT, ACCOUNT, SURFACE, SCOPES, REQUEST_ID, SIGNATURE)
"""Every header that the gate writes, in the order in which they are signed; the signature last."""
MAX_CLOCK_SKEW_S = 60
"""Seconds by which a signature's time may differ from the clock of whoever checks it."""
LEAST_SECRET = 43
"""Characters of a secret: 32 random bytes in base64url."""

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43,128}")


class NotSigned(ValueError):
    """The headers are not what the gate wrote for this request. The reason never holds what was sent."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls. Account and surface are empty where a path is open to everybody.

    `scopes` are those of a bearer token that count now, or the grants of an API key; `*` alone is a key that was never
    narrowed.
    """

    tenant: str
    account: str
    surface: str
    scopes: frozenset[str]
    request_id: str

    def headers(self) -> list[tuple[str, str]]:
        """The headers without their signature."""
        values = (self.tenant, self.account, self.surface, " ".join(sorted(self.scopes)), self.request_id)
        return list(zip(NAMES, values, strict=False))

    def signed(self, secret: Secret[str], method: str, target: str, now: int) -> list[tuple[str, str]]:
        """All headers, for a request with this method and target (path and query as they were sent). `now` in ms."""
        stamp = str(now // 1000)
        mac = _mac(secret, stamp, method, target, [value for _, value in self.headers()])
        return [*self.headers(), (SIGNATURE, f"t={stamp},v1={mac}")]


def verified(
    headers: Mapping[str, str], secrets: Iterable[Secret[str]], method: str, target: str, now: int
) -> Identity:
    """Who calls, from headers that the gate wrote for this very request under one of the secrets. `now` in ms.

    `headers` by their names in lower case. Raises `NotSigned`.
    """
    values = [headers.get(name.lower(), "") for name in NAMES]
    match = _SIGNATURE.fullmatch(values.pop())
    if match is None:
        raise NotSigned("no signature of the gate")
    if abs(int(match[1]) - now // 1000) > MAX_CLOCK_SKEW_S:
        raise NotSigned("a signature of another time")
    found = [hmac.compare_digest(_mac(one, match[1], method, target, values), match[2]) for one in secrets]
    if not any(found):
        raise NotSigned("the signature is not of these headers and this request")
    tenant, account, surface, scopes, request_id = values
    return Identity(tenant, account, surface, frozenset(scopes.split()), request_id)


def read_secrets(text: str) -> tuple[Secret[str], ...]:
    """The secrets of a text with one on each line: the first signs, every one verifies. Raises ValueError."""
    headers = [line.strip() for line in text.splitlines() if line.strip()]
    if not headers:
        raise ValueError("there is no secret in it")
    for number, line in enumerate(headers, 1):
        if _SECRET.fullmatch(line) is None or len(set(line)) < 10:
            raise ValueError(f"secret {number} is not {LEAST_SECRET} random characters of base64url or more")
    return tuple(Secret(line) for line in headers)


def _mac(secret: Secret[str], stamp: str, method: str, target: str, values: list[str]) -> str:
    """None of the parts can hold a line break: they have been, or are, parts of one line of HTTP each."""
    forwarded_headers = "\n".join(("v1", stamp, method, target, *values))
    return hmac.new(secret.reveal().encode(), forwarded_headers.encode("utf-8", "surrogateescape"), sha256).hexdigest()
