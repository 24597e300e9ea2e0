"""Statements that the database itself refuses, independently of the application code."""

import psycopg
import pytest
from pysqlite3 import dbapi2

from tests.store.raw import RawConnection

ERRORS = (psycopg.IntegrityError, dbapi2.IntegrityError)
DOUBLE = r"UNIQUE constraint failed|duplicate key value violates unique constraint"
DANGLING = r"FOREIGN KEY constraint failed|violates foreign key constraint"


def refuses(other: RawConnection, why: str, sql: str, **parameters: object) -> None:
    """Asserts that the statement violates a constraint: this one, a unique one (`DOUBLE`) or a reference (`DANGLING`)."""
    with pytest.raises(ERRORS, match=why):
        other.run(sql, **parameters)
