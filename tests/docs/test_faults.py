"""The page of faults says for each fault what each caller gets, and names existing tests."""

import pytest

from tests.docs.test_authentication_promises import assert_held
from tests.support.documents import DOCS, tables

PAGE = DOCS / "reference" / "faults.md"
COLUMNS = ["fault", "reads", "orders", "revocation", "worker", "bounded by", "held by"]
TABLES = tables(PAGE.read_text("utf-8"))
FAULTS = [row for table in TABLES for row in table[1:]]


def test_every_table_has_the_same_columns_and_no_fault_occurs_twice() -> None:
    assert [table[0] for table in TABLES] == [COLUMNS] * 3
    assert len({row[0] for row in FAULTS}) == len(FAULTS) >= 25


@pytest.mark.parametrize("row", FAULTS, ids=[row[0] for row in FAULTS])
def test_a_fault_has_an_outcome_for_each_caller_and_existing_tests(row: list[str]) -> None:
    fault, *outcomes, held = row
    assert len(row) == len(COLUMNS)
    assert all(outcomes), fault
    assert_held(fault, held)
