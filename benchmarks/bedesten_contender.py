"""Bedesten as a contender: set up by its own program and over its own surfaces, as an operator would.

This module imports nothing from Bedesten and changes none of its files. `Shop.start` runs the commands (init, tenant,
supplier's key, product, partner, credit, serve); `Shop.open` then logs in, uploads stock over HTTP and builds the requests.
"""

import http.client
import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.checkout import HERE, Checkout, SetupError
from benchmarks.harness import ORDER, READ, Contender, Running, log_path
from benchmarks.load import Build
from benchmarks.machine import free_port
from benchmarks.postgres import first_process
from benchmarks.report import SUBJECT
from benchmarks.wire import PLACEHOLDER, InTurns, http_request

TENANT: Final = "shop"
SUPPLIER: Final = "warehouse"
SKU: Final = "GIFT-10"
CREDIT: Final = "100000000"
CHUNK: Final = 1000
MAX_SECONDS: Final = 300
"""Timeout of one command or request of the set-up, for a busy machine."""


def contender(
    stock: int, program: "Program | None" = None, workers: int = 1, products: int = 1, name: str = SUBJECT
) -> Contender:
    """Return Bedesten with this many stock codes, which limit the orders of the whole run.

    There are as many partners as `products`; each orders a different product.
    """
    shop = Shop(stock, program or Program(), workers, products)
    return Contender(name, shop.start, shop.open)


@dataclass(frozen=True, slots=True)
class Program:
    """The program of a checkout, on SQLite or on a PostgreSQL database."""

    database: str | None = None
    checkout: Checkout = HERE

    def __call__(self, data: Path, *words: str, stdin: str | None = None) -> Any:
        """Run one command with `--json` and return its document."""
        line = self.checkout.program(*words, *self._where(data), "--json")
        place = self.checkout.process()
        done = subprocess.run(
            line, input=stdin, capture_output=True, text=True, timeout=MAX_SECONDS, check=False, **place
        )
        if done.returncode:
            raise SetupError(f"bedesten {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def serve(self, data: Path, port: int, workers: int) -> subprocess.Popen[bytes]:
        """Start the server on the core that the caller is pinned to."""
        ports = ("--port", str(port), "--admin-port", str(free_port()))
        line = self.checkout.program("serve", *ports, "--workers", str(workers), *self._where(data))
        with log_path(data).open("wb") as log:
            return subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, **self.checkout.process())

    def _where(self, data: Path) -> tuple[str, ...]:
        return ("--data", str(data), *(("--database", self.database) if self.database else ()))


@dataclass
class Shop:
    """One installation with one tenant, products from stock, and for each product a partner with a large credit."""

    stock: int
    program: Program = field(default_factory=Program)
    workers: int = 1
    products: int = 1
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    supplier_key: str = ""

    def start(self, data: Path, port: int) -> subprocess.Popen[bytes]:
        """Set everything up and start the server."""
        self.set_up(data)
        return self.program.serve(data, port, self.workers)

    def set_up(self, data: Path) -> None:
        """Run the commands of the set-up that need no server."""
        self.program(data, "init")
        create_tenant(self.program, data)
        self.supplier_key = create_supplier_key(self.program, data)
        import_products(self.program, data, self.products)
        for number in range(self.products):
            create_partner(self.program, data, email(number), self.password)

    def open(self, data: Path, port: int) -> Running:
        """Run the part of the set-up that uses HTTP, once the server listens."""
        tokens = [log_in(port, email(number), self.password) for number in range(self.products)]
        products = find_products(port, tokens[0])
        self.upload(port)
        host = f"localhost:{port}"
        orders = tuple(
            http_request("POST", "/Orders/Create", host=host, token=token, body=order_body(product))
            for token, product in zip(tokens, products, strict=True)
        )
        requests: dict[str, Build] = {
            READ: http_request("GET", "/Account/Details", host=host, token=tokens[0]),
            ORDER: InTurns(orders) if len(orders) > 1 else orders[0],
        }
        return Running(requests, order_budget=self.stock, database=first_process(self.program.database))

    def upload(self, port: int) -> None:
        """Upload the stock, divided evenly between the products."""
        fill_stock(port, self.supplier_key, self.stock // self.products)


# -- the program's commands ------------------------------------------------------------------------------------------


def create_tenant(command: Program, data: Path) -> None:
    command(data, "tenants", "create", TENANT, "--host", "localhost", "--host", "127.0.0.1")


def create_supplier_key(command: Program, data: Path) -> str:
    """Create an API key, and its supplier with it. The key is shown only once."""
    document = command(
        data, "keys", "create", "--tenant", TENANT, "--surface", "supplier", "--owner", SUPPLIER, "--create-owner"
    )
    return str(find(document, "apiKey", "key", "secret"))


def import_products(command: Program, data: Path, count: int) -> None:
    products = [
        {
            "sku": f"{SKU}-{number}",
            "name": "Gift card",
            "category": "Gift cards",
            "currency": "EUR",
            "price": 1.00,
            "fulfilment": "stock",
            "supplier": SUPPLIER,
            "supplierSku": f"{SKU}-{number}",
        }
        for number in range(count)
    ]
    file = log_path(data).with_suffix(".products.json")
    file.write_text(json.dumps(products), encoding="utf-8")
    command(data, "products", "import", str(file), "--tenant", TENANT)


def email(number: int) -> str:
    """Return the address of a partner."""
    return f"partner{number}@bench.example"


def create_partner(command: Program, data: Path, email: str, password: str) -> None:
    """Create an account for API use with more credit than the run will spend."""
    create = ("partners", "create", "--tenant", TENANT, "--email", email, "--password-stdin")
    command(data, *create, stdin=password + "\n")
    command(data, "partners", "credit", email, CREDIT, "--tenant", TENANT)


# -- the surfaces ------------------------------------------------------------------------------------------------------


def call(port: int, path: str, body: object, headers: dict[str, str], method: str = "POST") -> Any:
    """Send a request and return the `data` of its response. Raises `SetupError` unless the status is 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MAX_SECONDS)
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


def log_in(port: int, email: str, password: str) -> str:
    return str(call(port, "/Login/Customer/Api/Verify", {"email": email, "password": password}, {})["token"])


def find_products(port: int, token: str) -> list[str]:
    """Return the `customerStoreProductId` of every product."""
    items = call(port, "/Products/List", {}, {"Authorization": f"Bearer {token}"})["items"]
    return [str(find(item, "customerStoreProductId", "productId", "id")) for item in items]


def fill_stock(port: int, key: str, count: int) -> None:
    """Upload `count` codes of each product, in chunks."""
    items = call(port, "/Supplier/Products/List", {}, {"ApiKey": key})["items"]
    for product in (str(find(item, "productId", "id")) for item in items):
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
