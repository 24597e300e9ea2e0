"""One of several processes that write to one store: `python writer_process.py SETTINGS_JSON TENANT NAME CLIENTS TOTAL`.

Each client is a task that writes one note after the other, waiting for each answer, until all processes together have
written TOTAL. Prints "ready", waits for a line on standard input, writes, and prints the acknowledged notes as JSON.
"""

import asyncio
import json
import sys

from sqlalchemy import func, select, update

from bedesten.server.installation import open_store
from bedesten.server.settings import Settings
from bedesten.store.sql import TENANT, statement
from bedesten.store.store import Store
from bedesten.store.tables import idempotency
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants
from tests.store import notes

_BUMP = statement(update(tenants).where(tenants.c.id == TENANT).values(token_version=tenants.c.token_version + 1))
_COUNTER = statement(select(tenants.c.token_version).where(tenants.c.id == TENANT))
_NOTES = statement(select(func.count()).select_from(idempotency).where(idempotency.c.tenant_id == TENANT))


def step(tx: Transaction, name: str, total: int) -> int:
    """Writes one note, and returns its number by a counter that all clients share; 0 once TOTAL is reached."""
    tx.run(_BUMP)
    row = tx.one(_COUNTER)
    assert row is not None
    if row[0] > total + 1:  # the counter started at 1
        return 0
    notes.put(tx, name, "x" * 100)
    return int(row[0]) - 1


async def client(store: Store, tenant: str, name: str, total: int) -> list[tuple[str, int]]:
    """Writes until TOTAL is reached; returns the acknowledged notes."""
    acknowledged: list[tuple[str, int]] = []
    while True:
        note = f"{name}-{len(acknowledged):05}"
        number = await store.write(tenant, step, note, total)
        if not number:
            return acknowledged
        acknowledged.append((note, number))


async def main(settings_json: str, tenant: str, name: str, clients: int, total: int) -> list[list[tuple[str, int]]]:
    """Runs all clients of this process."""
    store = open_store(Settings.model_validate_json(settings_json))
    await store.counter()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        return await asyncio.gather(*(client(store, tenant, f"{name}{n}", total) for n in range(clients)))
    finally:
        store.close()


if __name__ == "__main__":
    _, settings_json, tenant, name, clients, total = sys.argv
    done = asyncio.run(main(settings_json, tenant, name, int(clients), int(total)))
    sys.stdout.write(json.dumps(done) + "\n")
