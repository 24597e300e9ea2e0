"""What the visitor is left with: fresh credentials, and command lines that work as they are printed."""

import contextlib
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bedesten.core.secret import Secret
from bedesten.demo.client import Client
from bedesten.demo.setup import SECOND_HOST, Account
from bedesten.demo.show import Snippet

FILE = "credentials.env"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What works now."""

    url: str
    partner: Account
    token: Secret[str]
    api_key: Secret[str]
    product: str


def log_in(client: Client, partner: Account) -> Secret[str]:
    """A fresh bearer token of the partner."""
    body = {"email": partner.email, "password": partner.password.reveal()}
    return Secret(str(client.call("POST", "/Login/Customer/Api/Verify", body).data["token"]))


def write_file(directory: Path, mine: Credentials) -> Path:
    """Writes what a shell can read, for its owner only."""
    values = {
        "URL": mine.url,
        "TOKEN": mine.token.reveal(),
        "API_KEY": mine.api_key.reveal(),
        "PRODUCT": mine.product,
        "EMAIL": mine.partner.email,
        "PASSWORD": mine.partner.password.reveal(),
    }
    path = directory / FILE
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return path


def recipes(mine: Credentials) -> list[Snippet]:
    """Each canonical request with its failing twin, a request to the other shop, and the next token."""
    order = {
        "orderReference": "my-first-order",
        "basketData": [{"deliverId": "1", "customerStoreProductId": mine.product, "quantity": 1}],
    }
    token, api_key = mine.token.reveal(), mine.api_key.reveal()
    products = mine.url + "/Supplier/Products/List"
    login = {"email": mine.partner.email, "password": mine.partner.password.reveal()}

    def ordering(authorization: str) -> str:
        return _curl(mine.url + "/Orders/Create", order, f"Authorization: {authorization}")

    return [
        Snippet("An order, with a bearer token; again: the same order", 200, None, ordering(f"Bearer {token}"), token),
        Snippet("The same without the word Bearer", 401, -20, ordering(token), token),
        Snippet("A supplier's products, with its API key", 200, None, _curl(products, None, f"ApiKey: {api_key}")),
        Snippet("The same without an API key", 401, -23, _curl(products, None)),
        Snippet(
            "The sandbox shop, found by its host; anybody may look around", 200, None,
            _curl(mine.url + "/Storefront/Products/List", None, f"Host: {SECOND_HOST}"),
        ),
        Snippet(
            "The next token, when this one has expired", 200, None,
            _curl(mine.url + "/Login/Customer/Api/Verify", login),
        ),
    ]  # fmt: skip


def program() -> str:
    """How the program is typed here."""
    if shutil.which("bedesten"):
        return "bedesten"
    beside = Path(sys.executable).with_name("bedesten")
    with contextlib.suppress(ValueError):
        return str(beside.relative_to(Path.cwd()))
    return str(beside)


def _curl(url: str, body: object, *headers: str) -> str:
    words = ["curl", "-X", "POST", url]
    for header in headers:
        words += ["-H", header]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body, separators=(",", ":"))]
    return shlex.join(words)
