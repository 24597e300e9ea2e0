"""The PostgreSQL server on which tests create their databases.

`BEDESTEN_TEST_POSTGRES` names it. Without this variable the tests start a server that ends with them. Tests create and
drop hundreds of databases; a server that may lose them in a power failure drops one in a fiftieth of the time.
"""

import atexit
import contextlib
import functools
import os

import psycopg

from tests.support.postgres_cluster import find_program, running_cluster

VARIABLE = "BEDESTEN_TEST_POSTGRES"
LOCAL = "postgresql://127.0.0.1:5432/postgres"
SETTINGS = {
    "max_connections": "400",
    "shared_buffers": "128MB",
    "full_page_writes": "off",
    "autovacuum": "on",
    "max_wal_size": "4GB",
}


@functools.cache
def server_url() -> str:
    """The server's URL. Starts a server if needed, and passes its URL to child processes in the environment."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    if find_program("initdb") is None:
        return LOCAL
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    os.environ[VARIABLE] = stack.enter_context(running_cluster(**SETTINGS)).url()
    return os.environ[VARIABLE]


def max_connections() -> int:
    """How many connections the server allows; 0 without a server."""
    try:
        with psycopg.connect(server_url(), connect_timeout=10) as connection:
            row = connection.execute("SHOW max_connections").fetchone()
    except psycopg.OperationalError:
        return 0
    assert row is not None
    return int(row[0])
