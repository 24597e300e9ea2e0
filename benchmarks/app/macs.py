"""The verifier's time for a MAC that is wrong in its first or in its 31st byte (R77): `python -m benchmarks.app.macs COUNT`.

It runs in one process without HTTP, because the difference would be nanoseconds. Prints one JSON document: nanoseconds by
name, measured in turns.
"""

import json
import sys
import time
from contextlib import suppress

from bedesten.gate.bearer import BearerRefusal, Claims, mint, verify
from benchmarks.app.minting import with_wrong_mac

_KEY = bytes(range(7, 39))
_SECONDS = 1_700_000_000
_CLAIMS = Claims(
    issuer="https://issuer.example",
    audience="reseller",
    subject="par_01",
    tenant="ten_01",
    scopes=frozenset({"orders:read", "orders:create"}),
    issued_at=_SECONDS,
    expires_at=_SECONDS + 3600,
    token_id="01",
    session_id="01",
    token_versions=(1, 1, 1, 1),
    kid="s1.1",
)


def refuse(token: bytes) -> int:
    """Return the nanoseconds until the token was refused."""
    begin = time.perf_counter_ns()
    with suppress(BearerRefusal):
        verify(
            token,
            key_for={"s1.1": _KEY}.get,
            issuer="https://issuer.example",
            audience="reseller",
            tenant="ten_01",
            now=_SECONDS * 1000,
            max_lifetime=3_600_000,
        )
        raise AssertionError("a wrong MAC was accepted")
    return time.perf_counter_ns() - begin


def main(count: int) -> None:
    """Measure each this many times."""
    token = mint(_CLAIMS, _KEY)
    where = {"1st byte wrong": 0, "1st byte wrong, again": 0, "31st byte wrong (R77)": 30}
    tokens = {name: with_wrong_mac(token, byte).encode() for name, byte in where.items()}
    times: dict[str, list[int]] = {name: [] for name in tokens}
    for _ in range(count):
        for name, wrong in tokens.items():
            times[name].append(refuse(wrong))
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
