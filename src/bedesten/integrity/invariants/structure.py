"""Queries derived from the schema: 3 uniqueness, 7 references, 8 formats of values that must not be readable.

They are derived from the declared tables, so that a new table is checked without a change here.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    func,
    literal,
    select,
)

from bedesten.accounts.tables import accounts
from bedesten.apikeys.imports import MAX_HINT
from bedesten.apikeys.tables import api_keys
from bedesten.audit.actions import INSTALLATION
from bedesten.catalogue.tables import stock_codes
from bedesten.complaints.tables import complaints
from bedesten.integrity.invariants.query import InvariantQuery, invariant_query
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.orders.tables import order_lines, orders
from bedesten.staff.tables import staff
from bedesten.store.sql import any_value, metadata, p
from bedesten.store.tables import idempotency
from bedesten.tenants.tables import tenants

_NAMES = ("id", "key_id", "jti", "host", "order_id", "product_id", "target", "key", "seq", "line_id", "supplier_id")


def name_of(table: Table) -> ColumnElement[Any]:
    """The column that names a row of the table in a violation; a dash if that would be a digest."""
    return next((table.c[name] for name in _NAMES if name in table.c), literal("-"))


def _owner(table: Table) -> ColumnElement[Any]:
    if "tenant_id" not in table.c:
        return literal(INSTALLATION)
    return func.coalesce(table.c.tenant_id, INSTALLATION) if table.c.tenant_id.nullable else table.c.tenant_id


def _uniqueness_query(
    table: Table, columns: list[Column[Any]], where: ColumnElement[bool] | None = None
) -> InvariantQuery:
    name = name_of(table)
    found = (
        select(func.min(_owner(table)), func.count(), func.min(name), func.max(name))
        .select_from(table)
        .where(*(column.is_not(None) for column in columns if column.nullable))
        .group_by(*columns)
        .having(func.count() > 1)
    )
    same = ", ".join(column.name for column in columns)
    message = f"{{}} rows of {table.name} have the same {same}: {{}} to {{}}"
    return invariant_query(3, message, found if where is None else found.where(where, any_value(columns[0])))


def _uniqueness_queries() -> Iterator[InvariantQuery]:
    for table in metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
                yield _uniqueness_query(table, list(constraint.columns))
        for index in table.indexes:
            if index.unique:
                yield _uniqueness_query(table, list(index.columns), index.dialect_options["sqlite"]["where"])


# --- 7: no row refers to another tenant's -----------------------------------------------------------------------------

_UNDECLARED = (
    (holds.c.order_id, orders),
    (transfers.c.order_id, orders),
    (order_lines.c.supplier_id, accounts),
    (idempotency.c.owner_id, accounts),
    (complaints.c.code_id, stock_codes),
    (complaints.c.replacement_id, stock_codes),
)
"""References without a foreign key, because a package must not import those above it."""


def references() -> Iterator[tuple[Column[Any], Table]]:
    """Every column of a tenant's table that references a row of a tenant's table, with the referenced table."""
    for table in metadata.sorted_tables:
        if "tenant_id" not in table.c:
            continue
        for constraint in table.foreign_key_constraints:
            for element in constraint.elements:
                if element.column.name == "id" and element.column.table is not tenants:
                    yield element.parent, element.column.table
    yield from _UNDECLARED


def _reference_query(column: Column[Any], target: Table) -> InvariantQuery:
    table = column.table
    message = f"row {{}} of {table.name} refers by {column.name} to {{}}, which this tenant does not have"
    theirs = target.alias("theirs")
    return invariant_query(
        7,
        message,
        select(table.c.tenant_id, name_of(table), column)
        .select_from(table.outerjoin(theirs, (theirs.c.tenant_id == table.c.tenant_id) & (theirs.c.id == column)))
        .where(column.is_not(None), theirs.c.id.is_(None)),
    )


def _missing_tenant(table: Table) -> InvariantQuery:
    return invariant_query(
        7,
        f"row {{}} of {table.name} belongs to a tenant that does not exist",
        select(table.c.tenant_id, name_of(table))
        .select_from(table.outerjoin(tenants, tenants.c.id == table.c.tenant_id))
        .where(tenants.c.id.is_(None), table.c.tenant_id != INSTALLATION),
    )


def _reference_queries() -> Iterator[InvariantQuery]:
    for column, target in references():
        yield _reference_query(column, target)
    for table in metadata.sorted_tables:
        if "tenant_id" in table.c:
            yield _missing_tenant(table)
    owned = ledger_accounts
    yield invariant_query(
        7,
        "ledger account {} belongs to {}, which is neither this tenant nor an account of it",
        select(owned.c.tenant_id, owned.c.id, owned.c.owner_id)
        .select_from(
            owned.outerjoin(accounts, (accounts.c.tenant_id == owned.c.tenant_id) & (accounts.c.id == owned.c.owner_id))
        )
        .where(accounts.c.id.is_(None), owned.c.owner_id != owned.c.tenant_id),
    )


# --- 8: nothing secret lies in clear ----------------------------------------------------------------------------------

DIGEST_BYTES, MIN_ENCRYPTED_BYTES = 32, 29
"""Bytes of every digest; the minimum of an encrypted value: nonce, tag and one byte of content."""
DIGEST_COLUMNS = frozenset({"digest", "folded_digest", "setup_digest", "address", "account"})
ENCRYPTED_COLUMNS = frozenset(
    {"ciphertext", "secret", "outbound_key", "wrapped_key", "proposal_ciphertext", "answer_ciphertext"}
)
"""Columns of bytes in any table, by name. `hash` belongs to the audit trail, see there."""


def _format_queries() -> Iterator[InvariantQuery]:
    """Queries that check that each unreadable column has the format of a hash, digest or encrypted value."""
    yield invariant_query(
        8,
        "the password of account {} is not an argon2id hash",
        select(accounts.c.tenant_id, accounts.c.id).where(accounts.c.password.not_like(p("phc"))),
    )
    yield invariant_query(
        8,
        "the password of staff member {} is not an argon2id hash",
        select(func.coalesce(staff.c.tenant_id, INSTALLATION), staff.c.id).where(staff.c.password.not_like(p("phc"))),
    )
    yield invariant_query(
        8,
        "the hint of API key {} has {} characters, which is too long for a hint",
        select(api_keys.c.tenant_id, api_keys.c.id, func.length(api_keys.c.hint)).where(
            func.length(api_keys.c.hint) > MAX_HINT
        ),
    )
    for table in metadata.sorted_tables:
        for column in table.columns:
            size = func.length(column)
            if not isinstance(column.type, LargeBinary):
                continue
            if column.name in DIGEST_COLUMNS:
                yield _size_query(table, column, size != DIGEST_BYTES, "a digest")
            elif column.name in ENCRYPTED_COLUMNS:
                yield _size_query(table, column, size < MIN_ENCRYPTED_BYTES, "an encrypted value")


def _size_query(table: Table, column: Column[Any], wrong: ColumnElement[bool], what: str) -> InvariantQuery:
    message = f"{column.name} of row {{}} of {table.name} has {{}} bytes, which is not the size of {what}"
    return invariant_query(
        8, message, select(_owner(table), name_of(table), func.length(column)).select_from(table).where(wrong)
    )


STRUCTURE = (*_uniqueness_queries(), *_reference_queries(), *_format_queries())
