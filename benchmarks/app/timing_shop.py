"""Two tenants, with every credential, login and object whose refusals must take the same time.

Cases are in groups by name. Each is compared with the first of its group; a case has one request, or several that are sent
in turn.
"""

import os
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import update

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as key_actions
from bedesten.apikeys.actions import NewKey
from bedesten.apikeys.tables import api_keys
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue.actions import SUPPLIER, ProductFields, put_product
from bedesten.core.clock import HOUR
from bedesten.core.secret import masked
from bedesten.gate.api_keys import new_api_key
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders.model import Buyer, NewLine, NewOrder
from bedesten.server.installation import Installation
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant
from benchmarks.app.minting import Minter, with_wrong_mac
from benchmarks.material import FIRST, KEY_PATH, TOKEN_PATH, Case

HERE, THERE, SHUT = "here.example", "there.example", "shut.example"
PASSWORD = "a long pass phrase of the benchmarks"
EACH = 200
"""The number of API keys of each kind, so that no single key matters."""
_END = statement(
    update(api_keys).where(api_keys.c.tenant_id == TENANT, api_keys.c.id == p("id")).values(expires=p("at"))
)
_LOGIN = "/Login/Customer/Api/Verify"
_KEY_REFUSED, _TOKEN_INVALID, _LOGIN_REFUSED, _NOT_FOUND = -23, -21, -26, -3


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: its host, id, partner, supplier, the partner's order line, and its tokens."""

    host: str
    id: str
    partner: str
    supplier: str
    line: str
    minter: Minter


def open_shop(installation: Installation) -> dict[str, Any]:
    """Create the tenants and return the groups."""
    hashed = installation.hasher().hash(PASSWORD)

    def opened(tx: SystemTransaction) -> dict[str, dict[str, list[Case]]]:
        here, there, shut = (_tenant(tx, installation, host, hashed) for host in (HERE, THERE, SHUT))
        bound = tx.for_tenant(here.id)
        disabled = accounts.create(bound, "partner", "disabled@bench.example", "D", password=hashed)
        assert disabled is not None
        accounts.create(bound, "partner", "person@bench.example", "P", password=hashed, api=False)
        accounts.set_disabled(bound, accounts.find(bound, "partner", disabled), True)
        groups = {
            "API key": _keys(tx, installation, here, there),
            FIRST: _once(_keys(tx, installation, here, there)),
            "API key, suspended tenant": {
                "unknown": _key_cases(SHUT, _strangers()),
                "right": _key_cases(SHUT, _made(tx.for_tenant(shut.id), installation, shut.supplier)),
            },
            "MAC": _macs(here),
            "bearer token": _tokens(tx, installation, here, there, disabled),
            "object of another tenant, own token": _objects(here, there.line, here.minter.mint(), 404, _NOT_FOUND),
            "object, another tenant's token": _objects(here, here.line, there.minter.mint(), 401, _TOKEN_INVALID),
            "login": _logins(),
        }
        tenants.set_suspended(tx.for_tenant(shut.id), True)
        return groups

    groups = installation.store.write_now(opened)
    return {
        group: {name: [asdict(case) for case in cases] for name, cases in names.items()}
        for group, names in groups.items()
    }


def _tenant(tx: SystemTransaction, installation: Installation, host: str, hashed: Any) -> Tenant:
    """Create a tenant with a supplier and a partner who has ordered something."""
    tenant = str(tenants.create(tx, installation.cipher, NewTenant(host, [host]))["id"])
    bound = tx.for_tenant(tenant)
    partner = accounts.create(bound, "partner", "partner@bench.example", "Bench", password=hashed)
    assert partner is not None
    ledger.set_credit(bound, ledger.account(bound, partner, "partner", "USD"), 10_000)
    supplier = accounts.find_or_create_owner(bound, Surface.SUPPLIER, "warehouse")
    key_actions.create(
        bound, installation.keyring, NewKey(Surface.SUPPLIER, supplier, False), OPERATOR
    )  # so that the line can be assigned to it
    fields = ProductFields(
        name="Card", currency="USD", sku="c", price=500, fulfilment=SUPPLIER, supplier_id=supplier, supplier_sku="c"
    )
    product = put_product(bound, fields)
    buyer = Buyer(partner, "partner", "reseller", "USD", "GLOBAL")
    placed = orders.place(bound, buyer, NewOrder("r-1", (NewLine("1", product, 1),)))
    return Tenant(host, tenant, partner, supplier, placed.lines[0].id, Minter.of(tx, installation, tenant, partner))


# -- API keys (R85, R111) ----------------------------------------------------------------------------------------------


def _keys(tx: SystemTransaction, installation: Installation, here: Tenant, there: Tenant) -> dict[str, list[Case]]:
    """Every reason for which an API key is refused."""
    bound = tx.for_tenant(here.id)
    off = accounts.find_or_create_owner(bound, Surface.SUPPLIER, f"disabled warehouse {os.urandom(2).hex()}")
    revoked = []
    for _ in range(EACH):
        key_id, key = key_actions.create(
            bound, installation.keyring, NewKey(Surface.SUPPLIER, here.supplier, False), OPERATOR
        )
        key_actions.revoke(bound, key_id, OPERATOR)
        revoked.append(key.reveal())
    texts = {
        "unknown": _strangers(),
        "unknown again": _strangers(),
        "revoked (R111)": revoked,
        "another tenant's (R85)": _made(tx.for_tenant(there.id), installation, there.supplier),
        "expired": _made(bound, installation, here.supplier, ended=True),
        "disabled owner's": _made(bound, installation, off),
        "not from this address": _made(bound, installation, here.supplier, networks=("192.0.2.0/24",)),
        "sandbox key": _made(bound, installation, here.supplier, sandbox=True),
        "malformed": [f"ak_live_{os.urandom(16).hex().upper()}" for _ in range(EACH)],
        "missing": [""],
    }
    accounts.set_disabled(bound, accounts.find(bound, "supplier", off), True)
    return {name: _key_cases(HERE, some) for name, some in texts.items()}


def _once(names: dict[str, list[Case]]) -> dict[str, list[Case]]:
    """Return the cases whose API keys are stored: the first use reads the store, later ones the cache."""
    return {name: cases for name, cases in names.items() if len(cases) == EACH and name != "malformed"}


def _made(tx: Transaction, installation: Installation, owner: str, *, ended: bool = False, **new: Any) -> list[str]:
    """Create API keys of an owner. `ended`: they expired an hour ago."""
    texts = []
    for _ in range(EACH):
        text = new_api_key(bool(new.get("sandbox"))).reveal()
        key = key_actions.insert(tx, NewKey(Surface.SUPPLIER, owner, **{"sandbox": False, **new}), masked(text))
        key_actions.add_secret(tx, installation.keyring, key, text)
        if ended:
            tx.run(_END, id=key, at=tx.now - HOUR)
        texts.append(text)
    return texts


def _strangers() -> list[str]:
    return [new_api_key(False).reveal() for _ in range(EACH)]


def _key_cases(host: str, texts: list[str]) -> list[Case]:
    return [Case(host, KEY_PATH, api_key=text, code=_KEY_REFUSED) for text in texts]


# -- bearer tokens (R77) -----------------------------------------------------------------------------------------------


def _macs(here: Tenant) -> dict[str, list[Case]]:
    """Tokens with one wrong byte of the MAC, at different positions."""
    token = here.minter.mint()
    where = {"1st byte wrong": 0, "1st byte wrong, again": 0, "31st byte wrong (R77)": 30}
    return {name: [_token_case(with_wrong_mac(token, byte))] for name, byte in where.items()}


def _tokens(
    tx: SystemTransaction, installation: Installation, here: Tenant, there: Tenant, disabled: str
) -> dict[str, list[Case]]:
    """Tokens that are refused with the same code."""
    bound, revoked = tx.for_tenant(here.id), os.urandom(12).hex()
    accounts.revoke_token(bound, revoked, tx.now + HOUR, OPERATOR)
    ended = Minter.of(tx, installation, here.id, disabled)
    token_versions = (*here.minter.claims.token_versions[:3], 0)
    cases = {
        "wrong MAC": with_wrong_mac(here.minter.mint()),
        "another tenant's": there.minter.mint(),
        "revoked": here.minter.mint(token_id=revoked),
        "disabled account's": ended.mint(),
        "issued before a revocation": here.minter.mint(token_versions=token_versions),
    }
    return {name: [_token_case(token)] for name, token in cases.items()}


def _token_case(token: str) -> Case:
    return Case(HERE, TOKEN_PATH, token, code=_TOKEN_INVALID)


# -- objects (R170) ----------------------------------------------------------------------------------------------------


def _objects(here: Tenant, known: str, token: str, status: int, code: int) -> dict[str, list[Case]]:
    """An order line that does not exist, and one that exists, for a caller who may not see it."""
    prefix, digits = known.split("_")
    unknown = f"{prefix}_{digits[:-8]}{'0' * 8}"
    lines = {"no such object": unknown, "no such object, again": unknown[:-1] + "1", "an object (R170)": known}
    return {
        name: [Case(here.host, f"/Orders/Detail/{line}", token, status=status, code=code)]
        for name, line in lines.items()
    }


# -- logins (R113) -----------------------------------------------------------------------------------------------------


def _logins() -> dict[str, list[Case]]:
    """Every reason for which a login fails."""
    long = "x" * 2_000
    return {
        "wrong password": [_login("partner@bench.example", "a wrong pass phrase")],
        "wrong password, again": [_login("partner@bench.example", "another wrong pass phrase")],
        "unknown account (R113)": [_login(f"nobody{number}@bench.example", PASSWORD) for number in range(EACH)],
        "disabled account (R113)": [_login("disabled@bench.example", PASSWORD)],
        "not for API use": [_login("person@bench.example", PASSWORD)],
        "over-long password (R113)": [_login("partner@bench.example", long)],
        "unknown, over-long": [_login(f"nobody{number}@bench.example", long) for number in range(EACH)],
        "no e-mail at all": [_login("no address", PASSWORD)],
        "suspended tenant": [_login("partner@bench.example", PASSWORD, SHUT)],
    }


def _login(email: str, password: str, host: str = HERE) -> Case:
    body = f'{{"email":"{email}","password":"{password}"}}'
    return Case(host, _LOGIN, method="POST", body=body, status=400, code=_LOGIN_REFUSED)
