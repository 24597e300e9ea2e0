"""Buyers in a process of their own: `python buyer_process.py SETTINGS_JSON STALL_JSON CARD NAME BUYERS`.

Each buyer is a thread that orders one unit after the other until none is left, and then the one order that all buyers
of all processes place under one reference. Says "ready", waits for a line on standard input, then buys; prints what each
buyer got as JSON: its orders' ids, and the id of the order that all share.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from bedesten.errors import Refusal
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from tests.domain.tenant import Tenant


def buy(tenant: Tenant, card: str, shared: str, buyer: str) -> dict[str, object]:
    """One buyer."""
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
    """All buyers of this process."""
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
