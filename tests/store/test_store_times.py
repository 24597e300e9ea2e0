"""The store refuses times that cannot be displayed, whatever the program does."""

import pytest

from bedesten.core.clock import MAX_TIME_MS
from bedesten.server.installation import Installation
from bedesten.store.sql import metadata
from tests.store.raw import raw

TIMES = sorted(
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    for check in column.constraints
    if f"BETWEEN 0 AND {MAX_TIME_MS}" in str(getattr(check, "sqltext", ""))
)


def test_every_column_named_like_a_time_has_the_constraint_of_times() -> None:
    named = {
        "created",
        "updated",
        "expires",
        "revoked",
        "used",
        "at",
        "next_at",
        "renewed",
        "blocked_until",
        "succeeded",
    }
    found = {(table.name, column.name) for table in metadata.sorted_tables for column in table.columns}
    assert {one for one in found if one[1] in named} <= set(TIMES)
    assert len(TIMES) > 30


@pytest.mark.parametrize("wrong", [-1, MAX_TIME_MS + 1, 2**62])
def test_the_database_refuses_a_time_that_cannot_be_shown(installation: Installation, wrong: int) -> None:
    with raw(installation.settings) as other:
        for kept in (0, MAX_TIME_MS):
            other.rows("UPDATE installation SET created = :kept RETURNING created", kept=kept)
        with pytest.raises(Exception, match="ck_installation_created"):
            other.rows("UPDATE installation SET created = :wrong RETURNING created", wrong=wrong)
