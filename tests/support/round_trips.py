"""Counts what an action costs before its answer: round trips to PostgreSQL, statements on SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from bedesten.store.job import Job
from bedesten.store.transaction import Transaction


@dataclass
class Count:
    """The counts so far."""

    round_trips: int = 0
    statements: int = 0


@contextmanager
def counted() -> Iterator[Count]:
    """Counts during the block. A job waits for the server once for each round trip."""
    count = Count()
    wait, execute = Job.wait_started, Transaction._execute

    def counting_wait(job: Job) -> None:
        count.round_trips += 1
        wait(job)

    def counting_execute(tx: Transaction, *args: Any) -> Any:
        count.statements += 1
        return execute(tx, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "wait_started", counting_wait)
        patch.setattr(Transaction, "_execute", counting_execute)
        yield count
