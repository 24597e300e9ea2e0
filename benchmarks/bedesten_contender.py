"""Bedesten as a contender: set up by its own program and over its own surfaces, as an operator would.

This module imports nothing from Bedesten and touches none of its files. `Shop.start` runs the commands (init, tenant,
supplier's key, product, partner, credit, serve); `Shop.open` then logs in, uploads stock over HTTP and builds the requests.
"""

import http.client
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import ORDER, READ, Contender, Running, log_path
from benchmarks.machine import free_port
from benchmarks.material import SetupError
from benchmarks.wire import PLACEHOLDER, http_request

TENANT: Final = "shop"
SUPPLIER: Final = "warehouse"
SKU: Final = "GIFT-10"
EMAIL: Final = "partner@bench.example"
CREDIT: Final = "100000000"
CHUNK: Final = 1000

_PROGRAM = Path(sys.executable).with_name("bedesten")


def contender(stock: int, workers: int = 1, database: str | None = None) -> Contender:
    """Return Bedesten with this many stock codes, which limit the orders of the whole run. `database`: PostgreSQL."""
    shop = Shop(stock, Program(database), workers)
    return Contender("bedesten", shop.start, shop.open)


@dataclass(frozen=True, slots=True)
class Program:
    """The program, on SQLite or on a PostgreSQL database."""

    database: str | None = None

    def __call__(self, data: Path, *words: str, stdin: str | None = None) -> Any:
        """Run one command with `--json` and return its document."""
        line = [str(_PROGRAM), *words, *self._where(data), "--json"]
        try:
            done = subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        except FileNotFoundError:
            raise SetupError("the program bedesten is not installed beside this interpreter") from None
        if done.returncode:
            raise SetupError(f"bedesten {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def serve(self, data: Path, port: int, workers: int) -> subprocess.Popen[bytes]:
        """Start the server on the core that the caller is pinned to."""
        ports = ("--port", str(port), "--admin-port", str(free_port()))
        line = [str(_PROGRAM), "serve", *ports, "--workers", str(workers), *self._where(data)]
        with log_path(data).open("wb") as log:
            return subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT)

    def _where(self, data: Path) -> tuple[str, ...]:
        return ("--data", str(data), *(("--database", self.database) if self.database else ()))


@dataclass
class Shop:
    """One installation with one tenant, one product from stock, and one partner with a large credit."""

    stock: int
    program: Program = field(default_factory=Program)
    workers: int = 1
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    supplier_key: str = ""

    def start(self, data: Path, port: int) -> subprocess.Popen[bytes]:
        """Set everything up with the program and start the server."""
        self.program(data, "init")
        create_tenant(self.program, data)
        self.supplier_key = create_supplier_key(self.program, data)
        import_product(self.program, data)
        create_partner(self.program, data, self.password)
        return self.program.serve(data, port, self.workers)

    def open(self, data: Path, port: int) -> Running:
        """Prepare everything that goes over HTTP, once the server listens."""
        token = log_in(port, self.password)
        product = find_product(port, token)
        fill_stock(port, self.supplier_key, self.stock)
        host = f"localhost:{port}"
        requests = {
            READ: http_request("GET", "/Account/Details", host=host, token=token),
            ORDER: http_request("POST", "/Orders/Create", host=host, token=token, body=order_body(product)),
        }
        return Running(requests, order_budget=self.stock)


# -- the program's commands ------------------------------------------------------------------------------------------


def create_tenant(command: Program, data: Path) -> None:
    command(data, "tenants", "create", TENANT, "--host", "localhost", "--host", "127.0.0.1")


def create_supplier_key(command: Program, data: Path) -> str:
    """Create an API key, and its supplier with it. The key is shown only once."""
    document = command(
        data, "keys", "create", "--tenant", TENANT, "--surface", "supplier", "--owner", SUPPLIER, "--create-owner"
    )
    return str(find(document, "apiKey", "key", "secret"))


def import_product(command: Program, data: Path) -> None:
    product = {
        "sku": SKU,
        "name": "Gift card",
        "category": "Gift cards",
        "currency": "EUR",
        "price": 1.00,
        "fulfilment": "stock",
        "supplier": SUPPLIER,
        "supplierSku": SKU,
    }
    file = log_path(data).with_suffix(".products.json")
    file.write_text(json.dumps([product]), encoding="utf-8")
    command(data, "products", "import", str(file), "--tenant", TENANT)


def create_partner(command: Program, data: Path, password: str) -> None:
    """Create an account for API use with more credit than the run will spend."""
    create = ("partners", "create", "--tenant", TENANT, "--email", EMAIL, "--password-stdin")
    command(data, *create, stdin=password + "\n")
    command(data, "partners", "credit", EMAIL, CREDIT, "--tenant", TENANT)


# -- the surfaces ------------------------------------------------------------------------------------------------------


def call(port: int, path: str, body: object, headers: dict[str, str], method: str = "POST") -> Any:
    """Send a request and return the `data` of its response. Raises `SetupError` unless the status is 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = None if method == "GET" else json.dumps(body)
        headers = {"Host": f"localhost:{port}", "Content-Type": "application/json", **headers}
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise SetupError(f"{method} {path}: {answer.status} {text[:1000]}")
    return json.loads(text)["data"]


def log_in(port: int, password: str) -> str:
    return str(call(port, "/Login/Customer/Api/Verify", {"email": EMAIL, "password": password}, {})["token"])


def find_product(port: int, token: str) -> str:
    """Return the `customerStoreProductId` under which the partner orders."""
    items = call(port, "/Products/List", {}, {"Authorization": f"Bearer {token}"})["items"]
    return str(find(items[0], "customerStoreProductId", "productId", "id"))


def fill_stock(port: int, key: str, count: int) -> None:
    """Upload codes in chunks."""
    items = call(port, "/Supplier/Products/List", {}, {"ApiKey": key})["items"]
    product = str(find(items[0], "productId", "id"))
    for codes in stock_codes(count):
        call(port, "/Supplier/Stock/Upload", {"productId": product, "codes": codes}, {"ApiKey": key})


def stock_codes(count: int) -> Iterator[list[str]]:
    """Yield distinct codes in their order of sale, a chunk at a time."""
    for begin in range(0, count, CHUNK):
        yield [f"GIFT-{number:08d}-{secrets.token_hex(4)}" for number in range(begin, min(begin + CHUNK, count))]


def order_body(product: str) -> bytes:
    """Build an order of one unit. The placeholder makes its reference unique."""
    line = {"deliverId": "1", "customerStoreProductId": product, "quantity": 1}
    return json.dumps({"orderReference": PLACEHOLDER.decode(), "basketData": [line]}).encode()


def find(document: Any, *names: str) -> Any:
    """Return the first of these fields that the document has."""
    for name in names:
        if name in document:
            return document[name]
    raise SetupError(f"none of {names} in {document}")
