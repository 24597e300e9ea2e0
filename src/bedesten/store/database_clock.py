"""The current time by one clock for all nodes, for what they coordinate: leases and due times.

Every node has its own clock, and they may differ by minutes. On PostgreSQL a statement with `DATABASE_NOW` uses the
database's clock, without another round trip. SQLite has one machine and one clock: there `at` is the transaction's
`now`, as it is on PostgreSQL if the store was given a clock.
"""

from typing import Any

from sqlalchemy import BigInteger, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from bedesten.store.sql import cross_tenant


class _DatabaseNow(ColumnElement[int]):
    """Epoch milliseconds. Every statement with it takes the parameter `at`: the transaction's, see `Transaction`."""

    inherit_cache = True
    type = BigInteger()


@compiles(_DatabaseNow)
def _given(_: _DatabaseNow, compiler: SQLCompiler, **keywords: Any) -> str:
    return compiler.process(bindparam("at"), **keywords)


@compiles(_DatabaseNow, "postgresql")
def _of_the_server(_: _DatabaseNow, compiler: SQLCompiler, **keywords: Any) -> str:
    # `statement_timestamp` stays the same during a statement, so that an index on a time can be used.
    given = compiler.process(bindparam("at"), **keywords)
    return f"coalesce(CAST({given} AS bigint), CAST(floor(extract(epoch FROM statement_timestamp()) * 1000) AS bigint))"


DATABASE_NOW = _DatabaseNow()
NOW = cross_tenant(select(DATABASE_NOW))
"""Selects the current time."""
