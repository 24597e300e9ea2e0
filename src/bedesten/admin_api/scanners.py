"""Leak reports over HTTP: secret scanners post the API keys that they found in public to the admin listener.

`POST /leaks`, `Authorization: Bearer <a secret that both sides know>`, and a JSON array with an object for each finding:
`token` is the text that was found, `url` (or `source`) its location, `type` is returned as it came. Scanners differ, so
other members are ignored. The answer is an array in the same order: `token_hash` (Base64 of the text's SHA-256),
`token_type`, and `label`: `true_positive` for a live secret and `false_positive` for anything else. The text itself is
never returned, stored or logged. The installation's leak policy decides what happens to a key (`admin.leak_reports`).
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import msgspec
import structlog

from bedesten import errors
from bedesten.admin_api.health import json_response
from bedesten.core import strict_json
from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.http.message import Request, Response
from bedesten.store.transaction import StoreUnavailable

log = structlog.get_logger("bedesten.admin_api")

MAX_FINDINGS = 100
"""Findings in one report. Each is looked up in every tenant."""
MAX_REPORT_BYTES = 1 << 20


class Finding(msgspec.Struct):
    """One text that looks like an API key, and where it was found."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    type: Annotated[str, msgspec.Meta(max_length=200)] = ""
    url: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    source: Annotated[str, msgspec.Meta(max_length=4096)] | None = None


class FindingLabel(msgspec.Struct):
    """Whether one finding was a live secret."""

    token_hash: str
    token_type: str
    label: str


_Findings = Annotated[list[Finding], msgspec.Meta(max_length=MAX_FINDINGS)]


def read_report(body: bytes) -> list[Finding]:
    """The findings of a report. Raises ValueError for anything else; its text names the place and repeats no value."""
    findings: list[Finding] = msgspec.convert(strict_json.loads(body), _Findings)
    return findings


class Scanners:
    """Takes leak reports, one at a time.

    `secrets` reads the accepted secrets from a small file; it raises `FileNotFoundError` if reports are switched off,
    and `OSError` or `ValueError` for an unusable file. `report` takes a text and its location, applies the leak policy
    to the API keys in it, and returns whether one of them was live. Both block.
    """

    def __init__(
        self,
        secrets: Callable[[], Sequence[Secret[str]]],
        report: Callable[[str, str], bool],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._secrets = secrets
        self._report = report
        self._pool = pool
        self._one_at_a_time = asyncio.Lock()

    async def authenticate(self, request: Request) -> None:
        """Raises `Refusal` unless the request carries one of the secrets: -3 where reports are switched off, -9 if the
        file of secrets cannot be used, -20 and -21 for a request without a valid one."""
        lines = [value for name, value in request.headers if name == b"authorization"]
        try:
            secrets = await asyncio.get_running_loop().run_in_executor(self._pool, self._secrets)
        except FileNotFoundError:
            raise Refusal(errors.NOT_FOUND, "leak reports are switched off: there is no leak-secret file") from None
        except (OSError, ValueError) as problem:
            log.warning("leak-secret-unusable", cause=str(problem))
            raise Refusal(errors.UNAVAILABLE, str(problem), retry_after=1) from problem
        challenge = ((b"www-authenticate", b"Bearer"),)
        if len(lines) != 1:
            raise Refusal(errors.TOKEN_MISSING, f"{len(lines)} Authorization lines", headers=challenge)
        if not _is_one_of(lines[0], secrets):
            raise Refusal(errors.TOKEN_INVALID, "not a secret of the leak-secret file", headers=challenge)

    async def take_report(self, request: Request) -> Response:
        """Applies the leak policy to every finding and labels it. Raises `Refusal`: -2 for a body that is not a report,
        -9 if the store cannot be asked. Findings that were handled before that stay handled; the scanner may send the
        whole report again."""
        try:
            findings = read_report(await request.body.read(MAX_REPORT_BYTES))
        except ValueError as problem:
            raise errors.bad_field("body", str(problem)) from problem
        async with self._one_at_a_time:
            try:
                labels = await asyncio.get_running_loop().run_in_executor(self._pool, self._label_all, findings)
            except StoreUnavailable as problem:
                log.warning("leaks-not-reported", cause=str(problem))
                raise Refusal(errors.UNAVAILABLE, str(problem), retry_after=1) from problem
        return json_response(msgspec.json.encode(labels))

    def _label_all(self, findings: list[Finding]) -> list[FindingLabel]:
        return [self._label(finding) for finding in findings]

    def _label(self, finding: Finding) -> FindingLabel:
        live = self._report(finding.token, finding.url or finding.source or "")
        digest = base64.b64encode(hashlib.sha256(finding.token.encode()).digest()).decode()
        return FindingLabel(digest, finding.type, "true_positive" if live else "false_positive")


def _is_one_of(authorization: bytes, secrets: Sequence[Secret[str]]) -> bool:
    """Whether an `Authorization` line carries one of the secrets as a bearer token. Compares in constant time."""
    scheme, _, sent = authorization.partition(b" ")
    digest = hashlib.sha256(sent).digest()
    known = [hashlib.sha256(secret.reveal().encode()).digest() for secret in secrets]
    equal = [hmac.compare_digest(digest, one) for one in known]
    return any(equal) and scheme.lower() == b"bearer"
