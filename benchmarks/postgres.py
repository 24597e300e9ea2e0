"""A PostgreSQL server for temporary databases: `--postgres URL`, BEDESTEN_TEST_POSTGRES, or the local one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

SERVER = os.environ.get("BEDESTEN_TEST_POSTGRES", "postgresql://127.0.0.1:5432/postgres")


def reachable(server: str) -> str | None:
    """Return None if the server can be used, else the reason."""
    try:
        with psycopg.connect(server, connect_timeout=5):
            return None
    except psycopg.Error as problem:
        return str(problem).partition("\n")[0]


@contextmanager
def database(server: str) -> Iterator[str]:
    """Create a database and yield its URL. It is dropped afterwards."""
    name = f"bedesten_bench_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
