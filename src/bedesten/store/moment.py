"""The present moment by one clock for all nodes, for what several of them wait for: leases, and what is due.

Every node has a clock of its own, and they may differ by minutes. A statement that holds `MOMENT` goes by the database's
clock on PostgreSQL, at no further round trip. On SQLite there is one machine and one clock, and `at` is the
transaction's `now`; so it is on PostgreSQL if the store was given a clock.
"""

from typing import Any

from sqlalchemy import BigInteger, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement

from bedesten.store.sql import crossing


class _Moment(ColumnElement[int]):
    """Epoch milliseconds. Every statement with it takes the parameter `at`: the transaction's, see `Transaction`."""

    inherit_cache = True
    type = BigInteger()


@compiles(_Moment)
def _given(_: _Moment, compiler: SQLCompiler, **keywords: Any) -> str:
    return compiler.process(bindparam("at"), **keywords)


@compiles(_Moment, "postgresql")
def _of_the_server(_: _Moment, compiler: SQLCompiler, **keywords: Any) -> str:
    # `statement_timestamp` stays the same during a statement, so that an index on a time can be used.
    given = compiler.process(bindparam("at"), **keywords)
    return f"coalesce(CAST({given} AS bigint), CAST(floor(extract(epoch FROM statement_timestamp()) * 1000) AS bigint))"


MOMENT = _Moment()
NOW = crossing(select(MOMENT))
"""The moment itself."""
