"""The walk over the invariants: what must always hold of a whole store, looked at row by row by the database itself.

The numbers are the contract's (section 10). 1 every cached balance is the sum of its transfers; 2 nothing is overdrawn;
3 what is unique is there once; 4 stock codes and order lines agree; 5 holds, transfers and order lines agree; 6 every
change of a line has its event, and every event its deliveries; 7 no row refers to another tenant's; 8 nothing secret lies
in clear. 9 is not the contract's: the list of changes leads without a hole to the revision.

What is *not* looked at: whether an amount was the right one when it was booked, what was handed out over the wire, and
of sealed values more than a sample. A sealed value is opened to see that it can be; it never leaves this module.
"""

import re
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
from sqlalchemy import Column, Table, func, literal, or_, select

from bedesten.accounts.tables import api_keys
from bedesten.audit.tables import audit
from bedesten.catalogue import code as code_rule
from bedesten.catalogue.stock import PURPOSE
from bedesten.catalogue.tables import stock_codes
from bedesten.core.clock import MINUTE
from bedesten.integrity.invariants import texts
from bedesten.integrity.invariants.balances import BALANCES
from bedesten.integrity.invariants.events import EVENTS
from bedesten.integrity.invariants.goods import GOODS
from bedesten.integrity.invariants.money import MONEY
from bedesten.integrity.invariants.question import Question
from bedesten.integrity.invariants.revisions import REVISIONS
from bedesten.integrity.invariants.structure import STRUCTURE, name_of
from bedesten.store.revision_log import changes
from bedesten.store.sql import cross_tenant, p
from bedesten.store.store import Store
from bedesten.store.tables import idempotency
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.tables import tenants
from bedesten.tenants.vault import Unsealable, Vault
from bedesten.webhooks.actions import OUTBOUND_KEY, SECRET
from bedesten.webhooks.tables import deliveries, webhook_endpoints

MOST = 100
"""Of one kind of breach so many rows are named; that there are more is said."""
OVERLAP = MINUTE
"""Longer than any two transactions run at the same time; see `invariants.events`."""
PHC = "$argon2id$v=19$m=%"
"""What every stored password begins with, as a pattern of LIKE."""
SAMPLE = 50
"""Sealed stock codes of one tenant that are opened. They are chosen by their digest, which is as good as by lot."""
LOOKED_FOR, LONG_ENOUGH = 3, 12
"""Of these, so many of so many characters at the least are looked for in texts: a short code may stand there by chance."""

QUESTIONS: tuple[Question, ...] = (*BALANCES, *GOODS, *MONEY, *EVENTS, *STRUCTURE, *REVISIONS)
"""All that the database can be asked, in the order in which it is."""


class Opened(Protocol):
    """What of an opened installation is needed."""

    @property
    def store(self) -> Store: ...

    @property
    def vault(self) -> Vault: ...


def breaches(installation: Opened) -> list[str]:
    """Every breach of an invariant, one line each; none in a sound store.

    One reading transaction, so it may run beside a server: what it sees is one moment. Raises `StoreUnavailable`.
    """
    return installation.store.read_now(lambda tx: walk(tx, installation.vault))


def walk(tx: SystemTransaction, vault: Vault) -> list[str]:
    """The same inside a transaction."""
    found = [line for one in QUESTIONS for line in _asked(tx, one)]
    named = [_breach(3, tenant, says) for tenant, says in texts.breaches(tx)]
    return [*found, *named, *_sealed(tx, vault), *_in_clear(tx)]


def _asked(tx: SystemTransaction, one: Question) -> Iterator[str]:
    rows = tx.all(one.broken, most=MOST + 1, overlap=OVERLAP, phc=PHC)
    for tenant, *values in rows[:MOST]:
        yield _breach(one.invariant, tenant, one.says.format(*values))
    if len(rows) > MOST:
        yield _breach(one.invariant, "-", f"and more than these {MOST} of the same kind")


def _breach(invariant: int, tenant: str, text: str) -> str:
    return f"invariant {invariant}: tenant {tenant}: {text}"


_TENANTS = cross_tenant(select(tenants.c.id).order_by(tenants.c.id))
_CODES = cross_tenant(
    select(stock_codes.c.id, stock_codes.c.sealed, stock_codes.c.digest, stock_codes.c.folded_digest)
    .where(stock_codes.c.tenant_id == p("owner"))
    .order_by(stock_codes.c.digest)
    .limit(p("most"))
)
_ENDPOINTS = cross_tenant(
    select(webhook_endpoints.c.id, webhook_endpoints.c.secret, webhook_endpoints.c.outbound_key)
    .where(webhook_endpoints.c.tenant_id == p("owner"))
    .order_by(webhook_endpoints.c.id)
    .limit(p("most"))
)


def _sealed(tx: SystemTransaction, vault: Vault) -> Iterator[str]:
    """Opens a sample of what is sealed, each in its own row's name, and looks for the codes where they must not be."""
    for (tenant,) in tx.all(_TENANTS):
        bound = tx.for_tenant(tenant)
        opened: list[str] = []
        for row, sealed, digest, folded_digest in tx.all(_CODES, owner=tenant, most=SAMPLE):
            try:
                code = code_rule.decode(vault.open(bound, PURPOSE, row, bytes(sealed)))
            except Unsealable:
                yield _breach(8, tenant, f"stock code {row} does not open")
                continue
            except msgspec.DecodeError:
                yield _breach(4, tenant, f"stock code {row} holds something else than a code with its parts")
                continue
            opened.append(code.code)
            if not code_rule.is_normal(code):
                yield _breach(4, tenant, f"stock code {row} is no code by today's rule, or not in its normal form")
            digests = vault.fingerprint(bound, code.exact), vault.fingerprint(bound, code.folded)
            if digests != (bytes(digest), bytes(folded_digest)):
                yield _breach(8, tenant, f"the digest of stock code {row} is another code's")
        for row, secret, key in tx.all(_ENDPOINTS, owner=tenant, most=SAMPLE):
            for purpose, sealed in ((SECRET, secret), (OUTBOUND_KEY, key)):
                try:
                    vault.open(bound, purpose, row, bytes(sealed))
                except Unsealable:
                    yield _breach(8, tenant, f"the {purpose} of endpoint {row} does not open")
        yield from _codes_in_clear(tx, tenant, opened)


# --- texts that the house itself writes: nothing secret may be in them ------------------------------------------------

_TEXTS: tuple[tuple[Table, Column[str]], ...] = (
    (audit, audit.c.subject),
    (audit, audit.c.detail),
    (idempotency, idempotency.c.answer),
    (deliveries, deliveries.c.last_error),
    (changes, changes.c.ref),
    (api_keys, api_keys.c.hint),
)
_LIKENESS = ("%ak!_live!_%", "%ak!_test!_%", "%whsec!_%", "%ok!_%", "%eyJ%", "%$argon2id$%")
_SECRET = re.compile(
    r"ak_(?:live|test)_[0-9a-f]{32}|whsec_[A-Za-z0-9+/]{32}|ok_[0-9a-f]{32}|\$argon2id\$"
    r"|eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
)
"""API keys, outbound secrets and keys, password hashes, bearer tokens: anything of that form."""


def _suspects(table: Table, column: Column[str]) -> Any:
    likeness = [column.like(p(f"like{at}"), escape="!") for at in range(len(_LIKENESS))]
    tenant = table.c.tenant_id if "tenant_id" in table.c else literal("-")
    return cross_tenant(select(tenant, name_of(table), column).select_from(table).where(or_(*likeness)))


def _holding(table: Table, column: Column[str]) -> Any:
    holds_it = func.replace(column, p("code"), "") != column
    return cross_tenant(
        select(name_of(table)).where(table.c.tenant_id == p("owner"), column.is_not(None), holds_it).limit(p("most"))
    )


_SUSPECTS = [(table.name, column.name, _suspects(table, column)) for table, column in _TEXTS]
_HOLDING = [(table.name, column.name, _holding(table, column)) for table, column in _TEXTS if "tenant_id" in table.c]


def _in_clear(tx: SystemTransaction) -> Iterator[str]:
    likeness = {f"like{at}": pattern for at, pattern in enumerate(_LIKENESS)}
    for table, column, suspects in _SUSPECTS:
        for tenant, row, text in tx.all(suspects, **likeness):
            if _SECRET.search(text):
                yield _breach(8, tenant, f"{column} of row {row} of {table} holds a secret in clear")


def _codes_in_clear(tx: SystemTransaction, tenant: str, opened: list[str]) -> Iterator[str]:
    for code in [code for code in opened if len(code) >= LONG_ENOUGH][:LOOKED_FOR]:
        for table, column, holding in _HOLDING:
            for (row,) in tx.all(holding, owner=tenant, code=code, most=MOST):
                yield _breach(8, tenant, f"{column} of row {row} of {table} holds a stock code in clear")
