"""`python -m benchmarks.app.fairness`: does one tenant move another's latency.

A quiet tenant reads its account and orders at a fixed pace. Turns alternate: nothing else happens (`calm`); another tenant
sends twenty times what its limit permits (`limited`); a row of the other tenant is locked while it orders what needs that
row (`locked`, PostgreSQL only). The figure is the ratio of the quiet tenant's p99 to that of the calm turn beside it.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import postgres
from benchmarks.bedesten_contender import Program
from benchmarks.machine import free_port

PACE_S, LOUD_CLIENTS, LOUD_PACE_S = 0.02, 8, 0.04
PASSWORD = "seven lanterns by the gate"
LIMIT = 600
STOCK = 2_000


@dataclass
class Tenant:
    """One tenant: its host, a partner's token, and a product with stock."""

    port: int
    host: str
    token: str
    product: str

    def connection(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def call(self, connection: http.client.HTTPConnection, reference: str | None) -> int:
        """Reads the account, or orders under a reference; the status."""
        headers = {"Host": self.host, "Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if reference is None:
            connection.request("GET", "/Account/Details", headers=headers)
        else:
            line = {"deliverId": "1", "customerStoreProductId": self.product, "quantity": 1}
            connection.request(
                "POST", "/Orders/Create", json.dumps({"orderReference": reference, "basketData": [line]}), headers
            )
        response = connection.getresponse()
        response.read()
        return response.status


def open_tenant(program: Program, data: Path, name: str, port: int) -> Tenant:
    """Makes a tenant with its own program, and logs its partner in."""
    host, email = f"{name}.example", f"buyer@{name}.example"
    program(data, "tenants", "create", name, "--host", host)
    program(
        data,
        "partners",
        "create",
        "--tenant",
        name,
        "--email",
        email,
        "--credit",
        "100000000",
        "--password-stdin",
        stdin=PASSWORD,
    )
    catalogue = data.parent / f"{name}.json"
    row = {
        "name": "Card",
        "sku": "CARD",
        "price": "1.00",
        "currency": "USD",
    }
    catalogue.write_text(json.dumps([row]), "utf-8")
    program(data, "products", "import", str(catalogue), "--tenant", name)
    codes = data.parent / f"{name}.txt"
    codes.write_text("".join(f"FAIR-CODE-{number:06}\n" for number in range(STOCK)), "utf-8")
    program(data, "products", "stock", str(codes), "--product", "CARD", "--tenant", name, "--yes")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Host": host, "Content-Type": "application/json"}
    body = json.dumps({"email": email, "password": PASSWORD})
    connection.request("POST", "/Login/Customer/Api/Verify", body, headers)
    token = json.loads(connection.getresponse().read())["data"]["token"]
    headers["Authorization"] = f"Bearer {token}"
    connection.request("POST", "/Products/List", "{}", headers)
    items: list[dict[str, Any]] = json.loads(connection.getresponse().read())["data"]["items"]
    return Tenant(port, host, token, next(str(value) for key, value in items[0].items() if key.lower().endswith("id")))


def quiet_turn(tenant: Tenant, seconds: float, name: str) -> tuple[float, float]:
    """p50 and p99 (ms) of reads and orders at a fixed pace, from the moment at which each was due."""
    took: list[float] = []
    connection, began = tenant.connection(), time.monotonic()
    for number in range(int(seconds / PACE_S)):
        due = began + number * PACE_S
        time.sleep(max(0.0, due - time.monotonic()))
        status = tenant.call(connection, f"{name}-{number}" if number % 2 else None)
        assert status == 200, status
        took.append(1_000 * (time.monotonic() - due))
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


@contextmanager
def loud(tenant: Tenant, name: str, *, orders: bool) -> Iterator[list[int]]:
    """The other tenant's clients, until the end of the block; the statuses that they got."""
    stopped, statuses = threading.Event(), list[int]()

    def client(number: int) -> None:
        connection, turn = tenant.connection(), 0
        while not stopped.wait(LOUD_PACE_S):
            turn += 1
            statuses.append(tenant.call(connection, f"{name}-{number}-{turn}" if orders else None))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(LOUD_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@contextmanager
def locked(database: str) -> Iterator[None]:
    """The balances of the other tenant's partner are locked."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "SELECT 1 FROM ledger_accounts a JOIN tenants t ON t.id = a.tenant_id WHERE t.name = 'loud' FOR UPDATE OF a"
        )
        yield
        connection.rollback()


def measure(engine: str, data: Path, database: str | None, rounds: int, seconds: float) -> None:
    """One engine: the turns in rounds, and the ratios."""
    program, port = Program(database), free_port()
    program(data, "init")
    server = program.serve(data, port, 2)
    try:
        for _ in range(300):
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
                break
            except OSError:
                time.sleep(0.1)
        quiet, other = (open_tenant(program, data, name, port) for name in ("quiet", "loud"))
        ratios: dict[str, list[float]] = {}
        for number in range(rounds):
            program(data, "tenants", "set", "loud", "--limit", "tenant=off")
            calm = quiet_turn(quiet, seconds, f"calm-{number}")
            program(data, "tenants", "set", "loud", "--limit", f"tenant={LIMIT}")
            with loud(other, f"l{number}", orders=False):
                turns = {"limited": quiet_turn(quiet, seconds, f"limited-{number}")}
            program(data, "tenants", "set", "loud", "--limit", "tenant=off")
            if database:
                with locked(database), loud(other, f"o{number}", orders=True):
                    turns["locked"] = quiet_turn(quiet, seconds, f"locked-{number}")
            print(f"{engine} round {number}: calm p50 {calm[0]:.1f} p99 {calm[1]:.1f} ms", end="")
            for name, (median, slow) in turns.items():
                ratios.setdefault(name, []).append(slow / calm[1])
                print(f"; {name} p50 {median:.1f} p99 {slow:.1f} ms", end="")
            print(flush=True)
        for name, found in ratios.items():
            print(f"{engine} {name}: p99 {statistics.median(found):.2f} × calm ({min(found):.2f}–{max(found):.2f})")
    finally:
        server.terminate()
        server.wait(30)


def main() -> None:
    """Measures both engines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app.fairness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--postgres", metavar="URL", default=postgres.SERVER, help="where databases may be made")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-") as folder:
        if asked.engine != "postgresql":
            measure("sqlite", Path(folder, "sqlite"), None, asked.rounds, asked.seconds)
        if asked.engine != "sqlite":
            with postgres.database(asked.postgres) as database:
                measure("postgresql", Path(folder, "postgresql"), database, asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
