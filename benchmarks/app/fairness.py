"""`python -m benchmarks.app.fairness`: does one tenant move another's latency.

A quiet tenant reads its account and orders, in turns and at a fixed pace (open loop): latency counts from the moment at
which a request was due. Each round has these turns and begins with another one:

- `calm`, `calm again`: nothing else happens.
- `limited`: a tenant at its limit sends a hundred times what that permits.
- `locked` (PostgreSQL only): a row of a tenant is locked while eight clients order what needs that row.

The figure is the ratio of the quiet tenant's p99 to that of the calm turn of the round; that of `calm again` is the noise.
Nothing is pinned, and the loud clients are a process of their own.
"""

import argparse
import http.client
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import postgres
from benchmarks.bedesten_contender import Program
from benchmarks.harness import await_port, log_path
from benchmarks.machine import describe, free_port

PACE_S, LOUD_CLIENTS, LOUD_PACE_S = 0.0125, 8, 0.04
PASSWORD = "seven lanterns by the gate"
LIMIT = 120
STOCK = 10_000
BEGIN_S = 30
"""Seconds within which a tenant must reach its limit; else the turn fails."""
Latency = tuple[float, float]
"""p50 and p99 of a turn in milliseconds."""
CALM, LIMITED, LOCKED, AGAIN = "calm", "limited", "locked", "calm again"


@dataclass
class Tenant:
    """One tenant: its host, a partner's token, and a product with stock."""

    port: int
    host: str
    token: str
    product: str

    def connection(self) -> http.client.HTTPConnection:
        """Returns a new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def call(self, connection: http.client.HTTPConnection, reference: str | None) -> int:
        """Reads the account, or orders under a reference; returns the status."""
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
    """Creates a tenant with the program's commands, and logs its partner in."""
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


def quiet_turn(tenant: Tenant, seconds: float, name: str) -> Latency:
    """Returns p50 and p99 (ms) of reads and orders at a fixed pace, from the moment at which each was due."""
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
def loud(tenant: Tenant, name: str, *, orders: bool) -> Iterator[None]:
    """Runs clients of a tenant in a separate process for the block.

    The block begins after the first refusal, or the first orders. Asserts that the clients were held up: most requests
    exceeded the limit, and no order passed the locked row.
    """
    context = multiprocessing.get_context("spawn")
    stopped, statuses = context.Event(), context.SimpleQueue()
    process = context.Process(target=_clients, args=(tenant, name, orders, stopped, statuses), daemon=True)
    process.start()
    assert statuses.get() == "started"
    try:
        yield
    finally:
        stopped.set()
        counted: Counter[int] = statuses.get()
        process.join()
    assert counted[200] == 0 if orders else counted[429] > counted.total() / 2, counted


def _clients(tenant: Tenant, name: str, orders: bool, stopped: Event, statuses: "SimpleQueue[Any]") -> None:
    counted: Counter[int] = Counter()
    begun = threading.Event()

    def client(number: int) -> None:
        connection, turn = tenant.connection(), 0
        while not stopped.wait(LOUD_PACE_S):
            turn += 1
            if orders:
                begun.set()
            status = tenant.call(connection, f"{name}-{number}-{turn}" if orders else None)
            if status == 429:
                begun.set()
            if begun.is_set() and not stopped.is_set():
                counted[status] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(LOUD_CLIENTS)]
    for thread in threads:
        thread.start()
    begun.wait(BEGIN_S)
    statuses.put("started")
    for thread in threads:
        thread.join()
    statuses.put(counted)


@contextmanager
def locked(database: str) -> Iterator[None]:
    """Locks the balances of the tenant's partner for the block."""
    with psycopg.connect(database) as connection:
        connection.execute(
            f"SELECT 1 FROM ledger_accounts a JOIN tenants t ON t.id = a.tenant_id WHERE t.name = '{LOCKED}' "
            "FOR UPDATE OF a"
        )
        yield
        connection.rollback()


@contextmanager
def serving(program: Program, data: Path) -> Iterator[int]:
    """Runs a server with two workers and yields its port."""
    program(data, "init")
    port = free_port()
    server = program.serve(data, port, 2)
    try:
        await_port("bedesten", server, log_path(data), port)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def measure(data: Path, database: str | None, rounds: int, seconds: float) -> dict[str, list[Latency]]:
    """Measures one engine; returns for each turn the p50 and p99 (ms) of every round."""
    program = Program(database)
    found: dict[str, list[Latency]] = {name: [] for name in (CALM, LIMITED, *([LOCKED] if database else []), AGAIN)}
    with serving(program, data) as port:
        tenants = {name: open_tenant(program, data, name, port) for name in ("quiet", LIMITED, LOCKED)}
        program(data, "tenants", "set", LIMITED, "--limit", f"tenant={LIMIT}")
        for number in range(rounds):
            turns = list(found)
            for name in turns[number % len(turns) :] + turns[: number % len(turns)]:
                with ExitStack() as stack:
                    if name == LOCKED and database:
                        stack.enter_context(locked(database))
                        stack.enter_context(loud(tenants[LOCKED], f"{name}-{number}", orders=True))
                    if name == LIMITED:
                        stack.enter_context(loud(tenants[LIMITED], f"{name}-{number}", orders=False))
                    found[name].append(quiet_turn(tenants["quiet"], seconds, f"{name}-{number}"))
    return found


def table(engine: str, found: dict[str, list[Latency]]) -> str:
    """Formats rows of a Markdown table: medians over the rounds, the smallest and the largest."""
    rows = []
    for name, each in found.items():
        ratios = [slow / calm for (_, slow), (_, calm) in zip(each, found[CALM], strict=True)]
        cells = [_spread([p50 for p50, _ in each]), _spread([p99 for _, p99 in each]), f"{_spread(ratios)} ×"]
        rows.append(f"| {engine}, {name} | {' | '.join(cells[: 2 if name == CALM else 3])} |" + " |" * (name == CALM))
    return "\n".join(rows)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def main() -> None:
    """Measures both engines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app.fairness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--postgres", metavar="URL", help="where databases may be made (default: as in the suites)")
    parser.add_argument("--dir", type=Path, help="where the data goes (default: the temporary directory)")
    asked = parser.parse_args()
    begun, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-", dir=asked.dir) as name, ExitStack() as stack:
        folder = Path(name).resolve()
        print(", ".join(f"{key} {value}" for key, value in describe(folder).items()), flush=True)
        engines: dict[str, str | None] = {}
        if asked.engine != "postgresql":
            engines["sqlite"] = None
        if asked.engine != "sqlite" and (server := stack.enter_context(postgres.server(asked.postgres, asked.dir))):
            engines["postgresql"] = stack.enter_context(postgres.database(server))
        for engine, database in engines.items():
            rows.append(table(engine, measure(folder / engine, database, asked.rounds, asked.seconds)))
    print(f"{asked.rounds} rounds of {asked.seconds:g} s a turn, {time.monotonic() - begun:.0f} s in all\n")
    print("| turn | p50, ms | p99, ms | p99 beside calm |\n|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
