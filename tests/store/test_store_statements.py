"""Every declared statement compiles, both engines accept it, and it stays inside one tenant."""

import importlib
import pkgutil
import re
from typing import Any

import pytest
from sqlalchemy import (
    Alias,
    BindParameter,
    ColumnElement,
    Delete,
    Insert,
    LargeBinary,
    Select,
    Table,
    Update,
    literal,
    select,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.operators import eq

import bedesten
from bedesten.accounts.tables import accounts
from bedesten.server.installation import Installation
from bedesten.server.settings import Settings
from bedesten.store.sql import (
    DIALECTS,
    TENANT,
    CrossTenantStatement,
    DialectName,
    Statement,
    all_statements,
    metadata,
)
from bedesten.store.sql import statement as statement_of
from bedesten.store.transaction import Transaction
from tests.store import notes
from tests.store.raw import RawConnection, raw

_PARAMETER: dict[DialectName, str] = {"sqlite": r"(?<!\w):(\w+)", "postgresql": r"%\((\w+)\)s"}


def every_statement() -> tuple[Statement[Any], ...]:
    """Imports all modules of the package, so that every statement is declared."""
    for module in pkgutil.walk_packages(bedesten.__path__, "bedesten."):
        if not module.name.endswith(("__main__", "migrations.env")):
            importlib.import_module(module.name)
    return all_statements()


STATEMENTS = every_statement()


def text_of(statement: Statement[Any]) -> str:
    """The statement on one line, for failure messages."""
    return " ".join(statement.compiled("sqlite").split())


def binds_of(statement: Statement[Any]) -> dict[str, BindParameter[Any]]:
    """The parameters without a value in the statement."""
    made = statement.core.compile(dialect=DIALECTS["postgresql"], column_keys=list(statement.columns))
    assert isinstance(made, SQLCompiler)
    return {name: bind for name, bind in made.binds.items() if bind.required}


def examples_for(statement: Statement[Any]) -> dict[str, object]:
    """A value for each parameter, of the type to which the PostgreSQL text casts it; without a cast NULL."""
    sql = statement.compiled("postgresql")
    casts = {name: re.search(rf"%\({name}\)s::(\w+)", sql) for name in binds_of(statement)}
    examples: dict[str, object] = {"BIGINT": 1, "INTEGER": 1, "VARCHAR": "x", "BYTEA": b"x"}
    of_bytes = {name for name, bind in binds_of(statement).items() if isinstance(bind.type, LargeBinary)}
    return {name: examples[cast[1]] if cast else b"x" if name in of_bytes else None for name, cast in casts.items()}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_compiles_and_either_names_the_tenant_or_crosses_tenants(dialect: DialectName) -> None:
    assert len(STATEMENTS) > 200
    for statement in STATEMENTS:
        parameters = set(re.findall(_PARAMETER[dialect], _without_literals(statement.compiled(dialect))))
        assert ("tenant" in parameters) is not isinstance(statement, CrossTenantStatement), text_of(statement)
        assert statement.cross_tenant is isinstance(statement, CrossTenantStatement)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_parameter_is_supplied_by_the_caller_and_constants_are_inlined(
    dialect: DialectName,
) -> None:
    for statement in STATEMENTS:
        parameters = set(re.findall(_PARAMETER[dialect], _without_literals(statement.compiled(dialect))))
        assert parameters == set(binds_of(statement)), text_of(statement)


def _without_literals(sql: str) -> str:
    return re.sub(r"'(?:[^']|'')*'", "''", sql)


def test_numbered_parameters_correspond_to_the_names_and_get_their_values() -> None:
    for statement in STATEMENTS:
        text, values = statement.numbered
        names = values({name: name for name in binds_of(statement)})
        assert sorted(names) == sorted(binds_of(statement)), text
        for number, name in reversed(list(enumerate(names, 1))):  # 12 before 1
            text = text.replace(f"?{number}", f":{name}")
        assert text == statement.compiled("sqlite")


def test_a_colon_in_a_literal_is_not_a_parameter() -> None:
    core = select(accounts.c.id, literal("it's :tenant")).where(accounts.c.tenant_id == TENANT)
    text, values = statement_of(core).numbered
    assert "'it''s :tenant'" in text
    assert values({"tenant": "t", "other": 1}) == ("t",)


def test_both_engines_accept_every_statement(settings: Settings) -> None:
    """They parse and plan it: every table, column and function exists, every ON CONFLICT names a constraint."""
    with raw(settings) as other:
        for statement in STATEMENTS:
            sql = statement.compiled(other.dialect)
            other.connection.execute(f"EXPLAIN {sql}", examples_for(statement)).fetchall()


# --- inside one tenant ------------------------------------------------------------------------------------------------


def _owned(column: object) -> bool:
    """Whether it is the column that names the tenant of a row."""
    table = getattr(column, "table", None)
    if not isinstance(table, Table):
        return False
    return column is table.c.get("tenant_id") or (table.name == "tenants" and column is table.c.id)


def _is_tenant(element: object) -> bool:
    return isinstance(element, BindParameter) and element.key == "tenant"


def tables_of(core: Any) -> set[Any]:
    """The tables with a tenant that a statement reads or changes."""
    found: set[Any] = {element for element in visitors.iterate(core) if isinstance(element, Table)}
    if isinstance(core, Insert | Update | Delete):
        found.add(core.table)
    return {table for table in found if "tenant_id" in table.c or table.name == "tenants"}


def tables_inside(core: Any) -> set[Any]:
    """The tables restricted to the tenant's rows: by the parameter itself, or by a join with such a table."""
    inside: set[Any] = set()
    joins: list[tuple[Any, Any]] = []
    for element in visitors.iterate(core):
        if isinstance(element, BinaryExpression) and element.operator is eq:
            left: Any = element.left
            right: Any = element.right
            for one, other in ((left, right), (right, left)):
                if _owned(one) and _is_tenant(other):
                    inside.add(_base(one))
            if _base(left) is not None and _base(right) is not None:
                joins.append((_base(left), _base(right)))
    if isinstance(core, Insert):
        inside.add(core.table)
    for _ in joins:
        for one, other in joins:
            if one in inside or other in inside:
                inside |= {one, other}
    return inside


def _base(column: Any) -> Table | None:
    """The table of a column, even if the statement aliases it."""
    table = getattr(column, "table", None)
    table = table.element if isinstance(table, Alias) else table
    return table if isinstance(table, Table) else None


def test_every_statement_of_a_tenant_is_bound_to_it_in_each_of_its_tables() -> None:
    """The parameter alone is not enough: a statement that only stored it would reach the rows of every tenant."""
    bound = [statement for statement in STATEMENTS if not statement.cross_tenant]
    assert len(bound) > 100
    for statement in bound:
        tables = tables_of(statement.core)
        assert tables, text_of(statement)
        assert tables <= tables_inside(statement.core), text_of(statement)


def test_every_insert_of_a_tenant_writes_the_tenant_that_the_transaction_is_bound_to() -> None:
    inserts = [one for one in STATEMENTS if isinstance(one.core, Insert) and not one.cross_tenant]
    assert len(inserts) > 15
    for statement in inserts:
        core = statement.core
        assert isinstance(core, Insert)
        values: dict[Any, ColumnElement[Any]] = core._values or {}
        if isinstance(core.select, Select):
            names, columns = core._select_names or (), list(core.select.selected_columns)
            values = dict(zip(names, columns, strict=True))
        owner = {getattr(column, "name", column): value for column, value in values.items()}
        written = owner["tenant_id"]
        copied = _owned(written) and _base(written) in tables_inside(core.select)
        assert _is_tenant(written) or copied, text_of(statement)


def test_every_table_has_a_tenant_column_or_is_listed_here() -> None:
    nobodys = {table.name for table in metadata.sorted_tables if "tenant_id" not in table.c}
    assert nobodys == {
        "audit_chain",
        "changes",
        "installation",
        "rate_buckets",
        "revision_counter",
        "staff_sessions",
        "tenants",
    }


def test_another_tenant_s_row_is_as_unknown_as_one_that_never_existed(
    installation: Installation, tenant: str, stranger: str, other_connection: RawConnection
) -> None:
    store = installation.store
    assert store.write_now(lambda tx: notes.put(tx.for_tenant(tenant), "mine", "secret")) is True
    assert store.read_now(lambda tx: notes.get(tx.for_tenant(stranger), "mine")) is None
    assert store.write_now(lambda tx: notes.put(tx.for_tenant(stranger), "mine", "theirs")) is True
    assert store.read_now(lambda tx: notes.get(tx.for_tenant(tenant), "mine")) == "secret"
    assert other_connection.rows(notes.NAMES, tenant=stranger) == [("mine",)]


def test_a_caller_cannot_name_another_tenant_than_its_transaction_s(
    installation: Installation, tenant: str, stranger: str
) -> None:
    from bedesten.store.tables import STORED_ANSWER

    def reach(tx: Transaction) -> object:
        return tx.one(STORED_ANSWER, tenant=stranger, owner_id=notes.WRITER, key="theirs")

    installation.store.write_now(lambda tx: notes.put(tx.for_tenant(stranger), "theirs"))
    assert installation.store.read_now(lambda tx: reach(tx.for_tenant(tenant))) is None
    assert installation.store.read_now(lambda tx: notes.get(tx.for_tenant(stranger), "theirs")) == "text"
