"""`python -m benchmarks.app.outbox`: how many webhooks a second one worker delivers to a receiver on this machine.

The worker's own loop runs in this process until the outbox is empty; the receiver is a process of its own that answers 204
at once. Every delivery is of a delivered order line: its code is decrypted, and the reveal is audited.
"""

import argparse
import asyncio
import contextlib
import cProfile
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bedesten.accounts import actions as accounts
from bedesten.admin.keyring_file import write_keyring
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches
from bedesten.catalogue.actions import ProductFields
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import PasswordHash
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders.model import Buyer, NewLine, NewOrder
from bedesten.server import deliverer
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.logs import configure
from bedesten.server.settings import Settings
from bedesten.store.tables import SET_NETWORKS
from bedesten.store.transaction import Transaction
from bedesten.telemetry.metrics import Metrics
from bedesten.tenants import actions as tenants
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import sender
from benchmarks import postgres

RECEIVER = """
import asyncio
async def serve(reader, writer):
    while not reader.at_eof():
        try:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
        except asyncio.IncompleteReadError:
            break
        length = head.lower().partition(b"content-length:")[2].partition(b"\\r")[0]
        await reader.readexactly(int(length))
        writer.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    """Runs a receiver in a separate process and yields its URL."""
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/hook"
        finally:
            process.kill()


@contextlib.contextmanager
def installed(folder: Path, database: str | None) -> Iterator[Installation]:
    """Creates a fresh installation."""
    settings = Settings.model_validate({"data": folder / "data", "database": database})
    settings.data.mkdir(mode=0o700)
    write_keyring(Keyring.generate(), settings.secrets_file)
    if not database:
        settings.sqlite_file.touch(mode=0o600)
    initialise(settings)
    installation = open_installation(settings)
    try:
        yield installation
    finally:
        installation.store.close()


def fill(installation: Installation, url: str, events: int) -> None:
    """Places `events` orders of one code each; every order has an event and a delivery."""
    store, cipher = installation.store, installation.cipher
    tenant = str(store.write_now(lambda tx: tenants.create(tx, cipher, tenants.NewTenant("B", ["b.example"])))["id"])
    store.write_now(lambda tx: tx.run(SET_NETWORKS, networks="127.0.0.0/8"))

    def people(tx: Transaction) -> tuple[str, str]:
        partner = accounts.create(
            tx, "partner", "b@example.com", "B", password=PasswordHash("$argon2id$v=19$m=8", "d1")
        )
        assert partner is not None
        ledger.set_credit(tx, ledger.account(tx, partner, "partner", "USD"), 10_000_000)
        webhooks.create_endpoint(tx, cipher, partner, url)
        product = catalogue.put_product(tx, ProductFields(name="Card", currency="USD", sku="c", price=1))
        codes = [read_code(f"BENCH-{number:06}") for number in range(events)]
        batches.add(tx, cipher, product, codes, Source("bench", "bench"))
        return partner, product

    partner, product = store.write_now(lambda tx: people(tx.for_tenant(tenant)))
    buyer = Buyer(partner, "partner", "reseller", "USD", "GLOBAL")

    def place(number: int) -> None:
        request = NewOrder(f"o-{number}", (NewLine("1", product, 1),))
        store.write_now(lambda tx: orders.place(tx.for_tenant(tenant), buyer, request))

    for number in range(events):
        place(number)


async def drain(installation: Installation, events: int) -> float:
    """Runs the worker's loop until everything is delivered; returns the seconds."""
    metrics, sent = Metrics(), 0
    async with sender.Receivers() as receivers:
        began = time.perf_counter()
        while sent < events:
            sent += await deliverer.deliver_due(installation, receivers, metrics)
        return time.perf_counter() - began


def measure(name: str, database: str | None, folder: Path, events: int, profile: bool) -> None:
    """Measures one engine: fills the outbox, empties it, prints the rate and the CPU of this process."""
    folder.mkdir()
    with receiver() as url, installed(folder, database) as installation:
        fill(installation, url, events)
        watch = cProfile.Profile()
        if profile:
            watch.enable()
        cpu = time.process_time()
        seconds = asyncio.run(drain(installation, events))
        cpu = time.process_time() - cpu
        watch.disable()
        rate, each = events / seconds, 1_000 * cpu / events
        print(f"{name:10} {events} deliveries in {seconds:.1f} s: {rate:.0f} a second, {each:.2f} ms of CPU each")
        if profile:
            pstats.Stats(watch).sort_stats("cumulative").print_stats(30)


def main() -> None:
    """Measures both engines."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app.outbox", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--profile", action="store_true", help="show where the time of the event loop goes")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="only this one")
    parser.add_argument("--postgres", metavar="URL", default=postgres.SERVER, help="where databases may be made")
    asked = parser.parse_args()
    configure("error")
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-") as folder:
        if asked.engine != "postgresql":
            measure("sqlite", None, Path(folder) / "sqlite", asked.events, asked.profile)
        if asked.engine != "sqlite":
            with postgres.database(asked.postgres) as database:
                measure("postgresql", database, Path(folder) / "postgresql", asked.events, asked.profile)


if __name__ == "__main__":
    main()
