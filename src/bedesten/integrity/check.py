"""Checks the invariants over a whole store: what must always hold, checked by queries inside the database.

The numbers are the contract's (section 10). 1 every cached balance is the sum of its transfers; 2 nothing is overdrawn;
3 unique things exist once; 4 stock codes and order lines agree; 5 holds, transfers and order lines agree; 6 every
change of a line has its event, and every event its deliveries; 7 no row refers to another tenant's; 8 no secret is
stored in plain text. 9 is not in the contract: the list of changes leads to the revision without a gap.

Not checked: whether an amount was right when it was booked, what was sent over the network, and encrypted values beyond
a sample. The sample is decrypted to prove that this works; plaintext never leaves this module.
"""

import re
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
from sqlalchemy import Column, Table, func, literal, or_, select

from bedesten.apikeys.tables import api_keys
from bedesten.audit.tables import audit
from bedesten.catalogue import code as code_rule
from bedesten.catalogue.stock import PURPOSE
from bedesten.catalogue.tables import stock_codes, supplier_connections
from bedesten.complaints.decisions import TEXT as COMPLAINT_TEXT
from bedesten.complaints.tables import complaints
from bedesten.connectors.connections import CREDENTIAL
from bedesten.connectors.tables import purchases
from bedesten.core.clock import MINUTE
from bedesten.integrity.invariants import texts
from bedesten.integrity.invariants.balances import BALANCES
from bedesten.integrity.invariants.complaints import COMPLAINTS
from bedesten.integrity.invariants.events import EVENTS
from bedesten.integrity.invariants.goods import GOODS
from bedesten.integrity.invariants.money import MONEY
from bedesten.integrity.invariants.payments import PAYMENTS
from bedesten.integrity.invariants.purchases import PURCHASES
from bedesten.integrity.invariants.query import InvariantQuery
from bedesten.integrity.invariants.refunds import REFUNDS
from bedesten.integrity.invariants.revisions import REVISIONS
from bedesten.integrity.invariants.structure import STRUCTURE, name_of
from bedesten.integrity.invariants.suppliers import SUPPLIERS
from bedesten.store.revision_log import changes
from bedesten.store.sql import cross_tenant, p
from bedesten.store.store import Store
from bedesten.store.tables import idempotency
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.cipher import DecryptionError, TenantCipher
from bedesten.tenants.tables import tenants
from bedesten.webhooks.actions import OUTBOUND_KEY, SECRET
from bedesten.webhooks.tables import deliveries, webhook_endpoints

MAX_ROWS_PER_QUERY = 100
"""Most rows reported for each query; after them one line says that there are more."""
MAX_OVERLAP_MS = MINUTE
"""Longer than any two transactions overlap; see `invariants.events`."""
PHC = "$argon2id$v=19$m=%"
"""The LIKE pattern that every stored password matches."""
MAX_SAMPLED_ROWS = 50
"""Most stock codes and webhook endpoints decrypted per tenant. Codes are chosen by digest, as good as random."""
MAX_SEARCHED_CODES, MIN_SEARCHED_CODE_LENGTH = 3, 12
"""Text columns are searched for at most 3 sampled codes of 12 or more characters: a short one could match by chance."""

INVARIANT_QUERIES: tuple[InvariantQuery, ...] = (
    *BALANCES,
    *GOODS,
    *MONEY,
    *PAYMENTS,
    *REFUNDS,
    *COMPLAINTS,
    *SUPPLIERS,
    *PURCHASES,
    *EVENTS,
    *STRUCTURE,
    *REVISIONS,
)
"""Every query, in the order in which they run."""


class CheckedInstallation(Protocol):
    """The parts of an installation that a check needs."""

    @property
    def store(self) -> Store: ...

    @property
    def cipher(self) -> TenantCipher: ...


def violations(installation: CheckedInstallation) -> list[str]:
    """Every violation of an invariant, one line each; none in a sound store.

    Runs in one reading transaction: it may run beside a server and sees one snapshot. Raises `StoreUnavailable`.
    """
    return installation.store.read_now(lambda tx: run_queries(tx, installation.cipher))


def run_queries(tx: SystemTransaction, cipher: TenantCipher) -> list[str]:
    """Like `violations`, inside a transaction."""
    found = [line for one in INVARIANT_QUERIES for line in _violations_of(tx, one)]
    named = [_violation(3, tenant, message) for tenant, message in texts.violations(tx)]
    return [*found, *named, *_encryption_violations(tx, cipher), *_plaintext_violations(tx)]


def _violations_of(tx: SystemTransaction, one: InvariantQuery) -> Iterator[str]:
    rows = tx.all(one.violating, most=MAX_ROWS_PER_QUERY + 1, overlap=MAX_OVERLAP_MS, phc=PHC)
    for tenant, *values in rows[:MAX_ROWS_PER_QUERY]:
        yield _violation(one.invariant, tenant, one.message.format(*values))
    if len(rows) > MAX_ROWS_PER_QUERY:
        yield _violation(one.invariant, "-", f"and more than these {MAX_ROWS_PER_QUERY} of the same kind")


def _violation(invariant: int, tenant: str, text: str) -> str:
    return f"invariant {invariant}: tenant {tenant}: {text}"


_TENANTS = cross_tenant(select(tenants.c.id).order_by(tenants.c.id))
_CODES = cross_tenant(
    select(stock_codes.c.id, stock_codes.c.ciphertext, stock_codes.c.digest, stock_codes.c.folded_digest)
    .where(stock_codes.c.tenant_id == p("owner"))
    .order_by(stock_codes.c.digest)
    .limit(p("most"))
)
_COMPLAINTS = cross_tenant(
    select(complaints.c.id, complaints.c.ciphertext)
    .where(complaints.c.tenant_id == p("owner"))
    .order_by(complaints.c.id)
    .limit(p("most"))
)
_CONNECTIONS = cross_tenant(
    select(supplier_connections.c.supplier_id, supplier_connections.c.credential)
    .where(supplier_connections.c.tenant_id == p("owner"), supplier_connections.c.credential.is_not(None))
    .order_by(supplier_connections.c.supplier_id)
    .limit(p("most"))
)
_ENDPOINTS = cross_tenant(
    select(
        webhook_endpoints.c.id,
        webhook_endpoints.c.secret,
        webhook_endpoints.c.previous_secret,
        webhook_endpoints.c.outbound_key,
    )
    .where(webhook_endpoints.c.tenant_id == p("owner"))
    .order_by(webhook_endpoints.c.id)
    .limit(p("most"))
)


def _encryption_violations(tx: SystemTransaction, cipher: TenantCipher) -> Iterator[str]:
    """Decrypts a sample of encrypted values, each bound to its row, and searches text columns for the plain codes."""
    for (tenant,) in tx.all(_TENANTS):
        bound = tx.for_tenant(tenant)
        for row, ciphertext in tx.all(_COMPLAINTS, owner=tenant, most=MAX_SAMPLED_ROWS):
            try:
                cipher.decrypt(bound, COMPLAINT_TEXT, row, bytes(ciphertext))
            except DecryptionError:
                yield _violation(8, tenant, f"complaint {row} cannot be decrypted")
        opened: list[str] = []
        for row, ciphertext, digest, folded_digest in tx.all(_CODES, owner=tenant, most=MAX_SAMPLED_ROWS):
            try:
                code = code_rule.decode(cipher.decrypt(bound, PURPOSE, row, bytes(ciphertext)))
            except DecryptionError:
                yield _violation(8, tenant, f"stock code {row} cannot be decrypted")
                continue
            except msgspec.DecodeError:
                yield _violation(4, tenant, f"stock code {row} contains something other than a code with its parts")
                continue
            opened.append(code.code)
            if not code_rule.is_normal(code):
                yield _violation(
                    4, tenant, f"stock code {row} is not a code by today's rule, or not in its normal form"
                )
            digests = cipher.fingerprint(bound, code.exact), cipher.fingerprint(bound, code.folded)
            if digests != (bytes(digest), bytes(folded_digest)):
                yield _violation(8, tenant, f"the digest of stock code {row} belongs to another code")
        for row, secret, previous, key in tx.all(_ENDPOINTS, owner=tenant, most=MAX_SAMPLED_ROWS):
            kept = ((SECRET, previous),) if previous else ()
            for purpose, ciphertext in ((SECRET, secret), *kept, (OUTBOUND_KEY, key)):
                try:
                    cipher.decrypt(bound, purpose, row, bytes(ciphertext))
                except DecryptionError:
                    yield _violation(8, tenant, f"the {purpose} of endpoint {row} cannot be decrypted")
        for supplier, credential in tx.all(_CONNECTIONS, owner=tenant, most=MAX_SAMPLED_ROWS):
            try:
                cipher.decrypt(bound, CREDENTIAL, supplier, bytes(credential))
            except DecryptionError:
                yield _violation(8, tenant, f"the credential of the connection of {supplier} cannot be decrypted")
        yield from _plaintext_code_violations(tx, tenant, opened)


# --- text columns that the program writes: they must contain no secret ------------------------------------------------

_TEXTS: tuple[tuple[Table, Column[str]], ...] = (
    (audit, audit.c.subject),
    (audit, audit.c.detail),
    (idempotency, idempotency.c.answer),
    (deliveries, deliveries.c.last_error),
    (purchases, purchases.c.last_error),
    (supplier_connections, supplier_connections.c.last_error),
    (changes, changes.c.ref),
    (api_keys, api_keys.c.hint),
)
_SECRET_PATTERNS = ("%ak!_live!_%", "%ak!_test!_%", "%whsec!_%", "%ok!_%", "%eyJ%", "%$argon2id$%")
_SECRET = re.compile(
    r"ak_(?:live|test)_[0-9a-f]{32}|whsec_[A-Za-z0-9+/]{32}|ok_[0-9a-f]{32}|\$argon2id\$"
    r"|eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
)
"""The form of API keys, outbound secrets and keys, password hashes and bearer tokens."""


def _rows_like_secrets(table: Table, column: Column[str]) -> Any:
    patterns = [column.like(p(f"like{at}"), escape="!") for at in range(len(_SECRET_PATTERNS))]
    tenant = table.c.tenant_id if "tenant_id" in table.c else literal("-")
    return cross_tenant(select(tenant, name_of(table), column).select_from(table).where(or_(*patterns)))


def _rows_containing(table: Table, column: Column[str]) -> Any:
    contains_it = func.replace(column, p("code"), "") != column
    return cross_tenant(
        select(name_of(table)).where(table.c.tenant_id == p("owner"), column.is_not(None), contains_it).limit(p("most"))
    )


_SECRET_SEARCHES = [(table.name, column.name, _rows_like_secrets(table, column)) for table, column in _TEXTS]
_CODE_SEARCHES = [
    (table.name, column.name, _rows_containing(table, column)) for table, column in _TEXTS if "tenant_id" in table.c
]


def _plaintext_violations(tx: SystemTransaction) -> Iterator[str]:
    patterns = {f"like{at}": pattern for at, pattern in enumerate(_SECRET_PATTERNS)}
    for table, column, suspects in _SECRET_SEARCHES:
        for tenant, row, text in tx.all(suspects, **patterns):
            if _SECRET.search(text):
                yield _violation(8, tenant, f"{column} of row {row} of {table} contains a secret in clear")


def _plaintext_code_violations(tx: SystemTransaction, tenant: str, opened: list[str]) -> Iterator[str]:
    for code in [code for code in opened if len(code) >= MIN_SEARCHED_CODE_LENGTH][:MAX_SEARCHED_CODES]:
        for table, column, search in _CODE_SEARCHES:
            for (row,) in tx.all(search, owner=tenant, code=code, most=MAX_ROWS_PER_QUERY):
                yield _violation(8, tenant, f"{column} of row {row} of {table} contains a stock code in clear")
