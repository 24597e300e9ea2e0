"""Databases on the tests' PostgreSQL server: empty ones, and ones with Bedesten's schema, which are reused.

Creating and dropping a database costs half a second of CPU; emptying one, a twentieth of that. A database is reused
only if nothing shows that it was used: every constraint of the schema is unchanged, the planner has no statistics of
it, and its tables are small.
"""

import atexit
import contextlib
import functools
import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from bedesten.store import migrate
from tests.support.postgres_server import server_url

Connection = psycopg.Connection[tuple[object, ...]]

MAX_REUSED_PAGES = 64
"""A database with a larger table (pages of 8 KiB) is not reused: emptying it is slow, and the planner sees its size."""

_SCHEMA = """
SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
    SELECT 'attribute ' || attrelid || ' ' || attnum || ' ' || xmin FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT 'constraint ' || oid || ' ' || xmin FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT 'trigger ' || oid || ' ' || xmin FROM pg_trigger
    UNION ALL SELECT 'index ' || indexrelid || ' ' || xmin FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT 'function ' || oid || ' ' || xmin FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT 'table ' || oid || ' ' || relname || ' ' || relkind::text FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT 'setting ' || array_to_string(setconfig, ',') FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'version ' || version_num FROM alembic_version
    UNION ALL SELECT 'statistics ' || starelid FROM pg_statistic WHERE starelid >= 16384
) AS lines(line)
"""
_USED = """
SELECT relname, pg_relation_size(oid) / 8192 FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
"""
_CHAIN = "INSERT INTO audit_chain (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'))"


def _server() -> Connection:
    try:
        return psycopg.connect(server_url(), autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL; apt-get install postgresql: {str(error).partition(chr(10))[0]}")


def _url(name: str) -> str:
    known = conninfo_to_dict(server_url())
    login = f"{known['user']}:{known.get('password', '')}@" if "user" in known else ""
    return f"postgresql://{login}{known.get('host', '127.0.0.1')}:{known.get('port', 5432)}/{name}"


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _create(template: str = "template1") -> str:
    name = f"bedesten_test_{os.getpid()}_{secrets.token_hex(4)}"
    with _server() as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return _url(name)


def _drop(url: str) -> None:
    with _server() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)')


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """Creates an empty database, yields its URL, and drops it afterwards.

    Without a server the test is skipped; in CI it fails.
    """
    url = _create()
    try:
        yield url
    finally:
        _drop(url)


class _Pool:
    """The pool of this process's databases that have the schema and no rows. They are dropped when the process ends."""

    def __init__(self) -> None:
        self.template = _create()
        migrate.upgrade(self.template)
        with psycopg.connect(self.template, autocommit=True) as connection:
            self.schema = _schema(connection)
        self.free: list[str] = []
        atexit.register(self.close)

    def take(self) -> str:
        return self.free.pop() if self.free else _create(_name(self.template))

    def give_back(self, url: str) -> None:
        try:
            reusable = self._empty(url)
        except psycopg.Error:  # the test renamed, dropped or locked it
            reusable = False
        if reusable:
            self.free.append(url)
        else:
            _drop(url)

    def _empty(self, url: str) -> bool:
        with _server() as server:
            server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (_name(url),)
            )
        with psycopg.connect(url, autocommit=True) as connection:
            used = connection.execute(_USED).fetchall()
            if _schema(connection) != self.schema or any(pages > MAX_REUSED_PAGES for _, pages in used):
                return False
            connection.execute(
                "SET session_replication_role = replica"
            )  # disables triggers: those of the audit trail refuse to delete
            with connection.transaction():
                for table, _ in used:
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(str(table))))
                connection.execute(_CHAIN)
        return True

    def close(self) -> None:
        for url in (*self.free, self.template):
            _drop(url)


def _schema(connection: Connection) -> object:
    return connection.execute(_SCHEMA).fetchone()


@functools.cache
def _pool() -> _Pool:
    return _Pool()


@contextlib.contextmanager
def migrated_database() -> Iterator[str]:
    """Yields the URL of a database that has the schema and no rows, as after the migrations."""
    pool = _pool()
    url = pool.take()
    try:
        yield url
    finally:
        pool.give_back(url)
