"""The values of a prepared installation that the harness needs, in a JSON file beside its data."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import run
from typing import Any, Final

from benchmarks.checkout import HERE, Checkout, SetupError
from benchmarks.harness import log_path
from benchmarks.wire import Template, http_request

TOKEN_PATH: Final = "/Bench/Token"
KEY_PATH: Final = "/Bench/Key"
FIRST: Final = "API key, seen for the first time"
"""A group of requests, each of which may be sent only once."""
DENIED: Final = 1000
"""The number of revoked tokens."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request with its expected status."""

    host: str
    path: str
    token: str = ""
    api_key: str = ""
    status: int = 401
    method: str = "GET"
    body: str = ""
    code: int = 0

    def request(self) -> Template:
        """Build the bytes of the request."""
        headers = {"ApiKey": self.api_key} if self.api_key else {}
        token, body = self.token or None, self.body.encode()
        return http_request(self.method, self.path, host=self.host, token=token, body=body, headers=headers)


@dataclass(frozen=True, slots=True)
class GateMaterial:
    """One tenant, its valid credentials, and one of every sort that must be refused.

    `signing_key` (hexadecimal) signs the tenant's tokens, for peers that verify the same
    tokens; `tokens` is a file with one valid token a line; `denied` are the `jti`s of revoked ones.
    """

    host: str
    tenant: str
    issuer: str
    audience: str
    signing_key: str
    token: str
    api_key: str
    tokens: str
    denied: list[str]
    accepted: dict[str, Case]
    refused: dict[str, Case]


def prepare(kind: str, data: Path, *options: str, checkout: Checkout = HERE) -> None:
    """Prepare an installation in a separate process (`app.prepare`)."""
    line = checkout.part("prepare", kind, "--data", str(data), *options)
    done = run(line, capture_output=True, text=True, check=False, **checkout.process())
    if done.returncode:
        raise SetupError(f"the installation {kind} was not made:\n{done.stderr[-2000:]}")


def material_file(data: Path) -> Path:
    """Return the file of the values."""
    return log_path(data).with_suffix(".material.json")


def write_material(data: Path, values: dict[str, Any]) -> None:
    material_file(data).write_text(json.dumps(values), encoding="utf-8")


def read_gate(data: Path) -> GateMaterial:
    """Read the values of an installation that was prepared as `gate`."""
    return GateMaterial(**_with_cases(read_values(data), "accepted", "refused"))


def read_values(data: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(material_file(data).read_text(encoding="utf-8"))
    return values


def _with_cases(values: dict[str, Any], *names: str) -> dict[str, Any]:
    cases = {name: {label: Case(**case) for label, case in values[name].items()} for name in names}
    return values | cases


def gate_values(material: GateMaterial) -> dict[str, Any]:
    """Format the values for the file."""
    return asdict(material)
