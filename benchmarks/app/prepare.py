"""Creates an installation and writes beside it what the harness needs to know: `python -m benchmarks.app.prepare KIND`.

`gate`: a tenant with a partner and a supplier, many valid tokens, and a credential of every sort that is refused.
`keys`: many tenants with many API keys each, which `wire.api_key` can derive again. `timing`: see `timing_shop`.
"""

import argparse
import os
import sys
from pathlib import Path

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.actions import NewKey
from bedesten.audit.actions import OPERATOR
from bedesten.core.secret import masked
from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import RetryTransaction, SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant
from benchmarks.app import timing_shop
from benchmarks.app.minting import Minter, with_wrong_mac
from benchmarks.material import DENIED, KEY_PATH, TOKEN_PATH, Case, GateMaterial, gate_values, write_material
from benchmarks.wire import api_key, key_host

TENANTS_PER_TRANSACTION, KEYS_PER_TRANSACTION = 500, 10_000
HOST, SUSPENDED_HOST = "shop.example", "suspended.example"
UNKNOWN_KEY = "ak_live_" + "0123456789abcdef" * 2


def main() -> int:
    """Prepare the installation of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["gate", "keys", "timing"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--database")
    parser.add_argument("--tokens", type=int, default=1)
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--keys", type=int, default=10, help="of each tenant")
    parser.add_argument("--seed", default="bench")
    asked = parser.parse_args()
    settings = Settings(data=asked.data, database=asked.database)
    initialise(settings)
    installation = open_installation(settings)
    try:
        if asked.kind == "keys":
            fill_with_keys(installation, asked.seed, asked.tenants, asked.keys)
        elif asked.kind == "timing":
            write_material(asked.data, timing_shop.open_shop(installation))
        else:
            write_material(asked.data, gate_values(open_gate(installation, asked.data, asked.tokens)))
    finally:
        installation.store.close()
    return 0


# -- one tenant with a credential of every sort ------------------------------------------------------------------------


def open_gate(installation: Installation, data: Path, tokens: int) -> GateMaterial:
    """Create the tenant, and a file with this many valid tokens."""

    def opened(tx: SystemTransaction) -> tuple[str, Minter, Minter, str]:
        shop = make_tenant(tx, installation, "shop", HOST)
        partner = make_partner(tx.for_tenant(shop), installation)
        closed = make_tenant(tx, installation, "suspended", SUSPENDED_HOST)
        stranger = make_partner(tx.for_tenant(closed), installation)
        supplier = accounts.find_or_create_owner(tx.for_tenant(shop), Surface.SUPPLIER, "warehouse")
        new = NewKey(Surface.SUPPLIER, supplier, sandbox=False)
        _, key = api_keys.create(tx.for_tenant(shop), installation.keyring, new, OPERATOR)
        here = Minter.of(tx, installation, shop, partner)
        if b"\0" in here.key:  # HAProxy cuts a key in a variable at a zero byte: one tenant in eight
            raise RetryTransaction("another tenant has another key")
        there = Minter.of(tx, installation, closed, stranger)
        tenants.set_suspended(tx.for_tenant(closed), True)
        return shop, here, there, key.reveal()

    shop, here, there, key = installation.store.write_now(opened)
    denied = [os.urandom(12).hex() for _ in range(DENIED)]
    installation.store.write_now(lambda tx: deny(tx.for_tenant(shop), denied, here.claims.expires_at * 1000))
    file = data / "tokens"
    file.write_text("".join(f"{here.mint()}\n" for _ in range(tokens)), encoding="ascii")
    token = here.mint()
    return GateMaterial(
        host=HOST,
        tenant=shop,
        issuer=here.claims.issuer,
        audience=here.claims.audience,
        signing_key=here.key.hex(),
        token=token,
        api_key=key,
        tokens=str(file),
        denied=denied,
        accepted={
            "token": Case(HOST, TOKEN_PATH, token, status=200),
            "API key": Case(HOST, KEY_PATH, api_key=key, status=200),
            "account read": Case(HOST, "/Account/Details", token, status=200),
        },
        refused=refused_cases(here, there, token, denied[0]),
    )


def refused_cases(here: Minter, there: Minter, token: str, denied: str) -> dict[str, Case]:
    """Return the requests that must be refused, with their status."""
    return {
        "no credential": Case(HOST, TOKEN_PATH),
        "malformed token": Case(HOST, TOKEN_PATH, "a.b.c"),
        "wrong MAC": Case(HOST, TOKEN_PATH, with_wrong_mac(token)),
        "expired": Case(HOST, TOKEN_PATH, here.expired()),
        "revoked": Case(HOST, TOKEN_PATH, here.mint(token_id=denied)),
        "another tenant's": Case(HOST, TOKEN_PATH, here.mint(tenant=there.claims.tenant)),
        "suspended tenant": Case(SUSPENDED_HOST, TOKEN_PATH, there.mint()),
        "lacks the scope": Case(HOST, TOKEN_PATH, here.mint(scopes=frozenset({"orders:read"})), status=403),
        "unknown API key": Case(HOST, KEY_PATH, api_key=UNKNOWN_KEY),
        "no API key": Case(HOST, KEY_PATH),
        "unknown path": Case(HOST, "/Nothing/Here", token, status=404),
        "unknown host": Case("nobody.example", TOKEN_PATH, token, status=421),
    }


def make_tenant(tx: SystemTransaction, installation: Installation, name: str, host: str) -> str:
    """Create a tenant and return its id."""
    return str(tenants.create(tx, installation.cipher, NewTenant(name, [host]))["id"])


def make_partner(tx: Transaction, installation: Installation) -> str:
    """Create a partner and return its id."""
    password = installation.hasher().hash(os.urandom(16).hex())
    made = accounts.create(tx, "partner", "partner@bench.example", "Bench", password=password)
    assert made is not None
    return made


def deny(tx: Transaction, token_ids: list[str], expires: int) -> None:
    for token_id in token_ids:
        accounts.revoke_token(tx, token_id, expires, OPERATOR)


# -- many tenants with many API keys -----------------------------------------------------------------------------------


def fill_with_keys(installation: Installation, seed: str, count: int, each: int) -> None:
    """Create `count` tenants with `each` API keys of one supplier. The keys are derived, so none is stored.

    Announces all tenants together, like those of a file: each announcement compares the names of all tenants.
    """
    owners: list[tuple[str, str]] = []

    def open_some(tx: SystemTransaction) -> None:
        numbers = range(len(owners), min(count, len(owners) + TENANTS_PER_TRANSACTION))
        new = [NewTenant(f"tenant {number}", [key_host(number)]) for number in numbers]
        made = [tenants.insert_tenant(tx, installation.cipher, one) for one in new]
        tenants.announce(tx, made)
        ids = [str(one["id"]) for one in made]
        owners.extend(
            (each, accounts.find_or_create_owner(tx.for_tenant(each), Surface.SUPPLIER, "warehouse")) for each in ids
        )

    while len(owners) < count:
        installation.store.write_now(open_some)
    step = max(1, KEYS_PER_TRANSACTION // each)
    for first in range(0, count, step):
        numbers = range(first, min(first + step, count))

        def add_some(tx: SystemTransaction, numbers: range = numbers) -> None:
            for number in numbers:
                tenant, owner = owners[number]
                add_keys(tx.for_tenant(tenant), installation, seed, number, owner, each)

        installation.store.write_now(add_some)


def add_keys(tx: Transaction, installation: Installation, seed: str, number: int, owner: str, count: int) -> None:
    """Create a tenant's API keys as `keys.create` would, without the audit trail."""
    for key in range(count):
        text = api_key(seed, number, key)
        made = api_keys.insert(tx, NewKey(Surface.SUPPLIER, owner, sandbox=False), masked(text))
        api_keys.add_secret(tx, installation.keyring, made, text)


if __name__ == "__main__":
    sys.exit(main())
