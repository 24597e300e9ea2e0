"""Buyers in a separate process: `python buyer_process.py SETTINGS_JSON STALL_JSON CARD NAME BUYERS`.

Each buyer is a thread that orders one unit at a time until none is left, and then places the order that all buyers of
all processes share under one reference. The process prints "ready", waits for a line on standard input, buys, and
prints as JSON what each buyer got: the ids of its orders, and the id of the shared order.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from bedesten.errors import Refusal
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from tests.domain.tenant import Tenant


def buy(tenant: Tenant, card: str, shared: str, buyer: str) -> dict[str, object]:
    """Buys as one buyer."""
    one = tenant.order((shared, 1), reference="everybody's").order.id
    got: list[str] = []
    while True:
        try:
            got.append(tenant.order((card, 1), reference=f"{buyer}-{len(got)}").order.id)
        except Refusal as refused:
            if refused.code.number != -200:
                raise
            return {"got": got, "shared": one}


def main(settings_json: str, people: str, cards: str, name: str, buyers: int) -> list[dict[str, object]]:
    """Runs all buyers of this process."""
    installation = open_installation(Settings.model_validate_json(settings_json))
    tenant = Tenant(installation, **json.loads(people))
    card, shared = json.loads(cards)
    with ThreadPoolExecutor(buyers) as threads:
        list(threads.map(lambda _: tenant.available(card), range(buyers)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        outcomes = list(threads.map(lambda number: buy(tenant, card, shared, f"{name}{number}"), range(buyers)))
    installation.store.close()
    return outcomes


if __name__ == "__main__":
    _, settings, people, cards, name, buyers = sys.argv
    sys.stdout.write(json.dumps(main(settings, people, cards, name, int(buyers))) + "\n")
