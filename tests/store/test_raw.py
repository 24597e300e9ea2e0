"""The tests' own connection to an engine stays usable when the time limit of a test interrupts a statement."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.store.raw import RawConnection, raw
from tests.support.sites import opened


class TimeLimit(BaseException):
    """Stands in for the exception that pytest-timeout raises from a signal handler."""


def interrupt(*_: object) -> None:
    raise TimeLimit


def run_until_interrupted(connection: RawConnection) -> None:
    """Deletes a row and then waits for a statement of a minute, which a signal interrupts after 0.2 s."""
    signal_soon = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with connection.undone() as tx:
            connection.run("DELETE FROM alembic_version")
            signal_soon.start()
            tx.text("SELECT pg_sleep(60)")
    finally:
        signal_soon.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_connection_is_usable_after_a_time_limit_interrupted_a_statement(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as installation, raw(installation.settings) as connection:
        with pytest.raises(TimeLimit):
            run_until_interrupted(connection)
        assert connection.one("SELECT count(*) FROM alembic_version") == 1
