"""Reports of secret scanners over HTTP: whatever found API keys where they do not belong posts them to the admin listener.

`POST /leaks`, `Authorization: Bearer <a secret that both sides know>`, and a JSON array with an object for each finding:
`token` is the text that was found, `url` (or `source`) says where, `type` is given back. What else an object has is left
alone: scanners differ. The answer is an array in the same order: `token_hash` (Base64 of the text's SHA-256), `token_type`
and `label`, which is `true_positive` for a live secret and `false_positive` for anything else. The text itself is never
given back, stored or logged. What happens to a key is the installation's leak policy (`leaks`).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import msgspec

from bedesten.core import strict_json
from bedesten.core.secret import Secret

MAX_FINDINGS = 100
"""Findings in one report. Each is looked for in every tenant."""
MAX_REPORT_BYTES = 1 << 20
"""Bytes of one report."""


class Finding(msgspec.Struct):
    """One text that looks like an API key, and where it was."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    type: Annotated[str, msgspec.Meta(max_length=200)] = ""
    url: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    source: Annotated[str, msgspec.Meta(max_length=4096)] | None = None


class Label(msgspec.Struct):
    """What became of one finding."""

    token_hash: str
    token_type: str
    label: str


_Findings = Annotated[list[Finding], msgspec.Meta(max_length=MAX_FINDINGS)]


def read(body: bytes) -> list[Finding]:
    """What was reported. Raises ValueError for what is no report; it says where and not what."""
    findings: list[Finding] = msgspec.convert(strict_json.loads(body), _Findings)
    return findings


class Scanners:
    """Takes reports. `secrets` gives those that are accepted, or raises `OSError` or `ValueError`: then nobody is heard.
    `report` does what the leak policy says with the keys in a text that stood somewhere, and says whether one was live.
    """

    def __init__(self, secrets: Callable[[], Sequence[Secret[str]]], report: Callable[[str, str], bool]) -> None:
        self._secrets = secrets
        self._report = report

    def authenticates(self, authorization: Iterable[bytes]) -> bool:
        """Whether a request's `Authorization` lines are one, with one of the secrets. Blocks for a small file."""
        lines = list(authorization)
        if len(lines) != 1:
            return False
        scheme, _, given = lines[0].partition(b" ")
        sent = hashlib.sha256(given).digest()
        known = [hashlib.sha256(secret.reveal().encode()).digest() for secret in self._secrets()]
        return any(hmac.compare_digest(sent, one) for one in known) and scheme.lower() == b"bearer"

    def label_findings(self, findings: list[Finding]) -> bytes:
        """Acts on every finding; blocks. Raises what `report` raises: what was done before stays done, and the whole report
        may be sent again."""
        return msgspec.json.encode([self._label(finding) for finding in findings])

    def _label(self, finding: Finding) -> Label:
        live = self._report(finding.token, finding.url or finding.source or "")
        digest = base64.b64encode(hashlib.sha256(finding.token.encode()).digest()).decode()
        return Label(digest, finding.type, "true_positive" if live else "false_positive")
