"""The credentials and the command lines that the visitor is left with."""

import contextlib
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bedesten.core.secret import Secret
from bedesten.demo.accounts import SANDBOX_HOST, Partner
from bedesten.demo.reporter import Snippet

FILE = "credentials.env"
LOGIN = "/Login/Customer/Api/Verify"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Valid credentials of the demo shop."""

    url: str
    partner: Partner
    token: str
    api_key: Secret[str]
    product: str


def write_file(directory: Path, mine: Credentials) -> Path:
    """Write the credentials as shell variables, readable by the owner only."""
    values = {
        "URL": mine.url,
        "TOKEN": mine.token,
        "API_KEY": mine.api_key.reveal(),
        "PRODUCT": mine.product,
        "EMAIL": mine.partner.email,
        "PASSWORD": mine.partner.password.reveal(),
    }
    path = directory / FILE
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return path


def snippets(mine: Credentials) -> list[Snippet]:
    """Return each typical request with its failing counterpart, a request to the other shop, and a login."""
    line = {"deliverId": "1", "customerStoreProductId": mine.product, "quantity": 1}
    order = {"orderReference": "my-first-order", "basketData": [line]}
    login = {"email": mine.partner.email, "password": mine.partner.password.reveal()}

    def curl(path: str, body: object, *headers: str) -> str:
        words = ["curl", "-X", "POST", mine.url + path]
        headers = (*headers, *(() if body is None else ("Content-Type: application/json",)))
        words += [word for header in headers for word in ("-H", header)]
        words += [] if body is None else ["-d", json.dumps(body, separators=(",", ":"))]
        return shlex.join(words)

    def ordering(authorization: str) -> str:
        return curl("/Orders/Create", order, f"Authorization: {authorization}")

    products, key = "/Supplier/Products/List", f"ApiKey: {mine.api_key.reveal()}"
    sandbox = curl("/Storefront/Products/List", None, f"Host: {SANDBOX_HOST}")
    return [
        Snippet("An order, with a bearer token", 200, None, ordering(f"Bearer {mine.token}"), mine.token),
        Snippet("The same without the word Bearer", 401, -20, ordering(mine.token), mine.token),
        Snippet("A supplier's products, with its API key", 200, None, curl(products, None, key)),
        Snippet("The same without an API key", 401, -23, curl(products, None)),
        Snippet("The sandbox shop, found by its host; its catalogue is public", 200, None, sandbox),
        Snippet("A new token, when this one has expired", 200, None, curl(LOGIN, login)),
    ]  # fmt: skip


def program() -> str:
    """Return how to type the program here."""
    if shutil.which("bedesten"):
        return "bedesten"
    beside = Path(sys.executable).with_name("bedesten")
    with contextlib.suppress(ValueError):
        return str(beside.relative_to(Path.cwd()))
    return str(beside)
