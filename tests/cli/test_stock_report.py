"""The outcomes of an upload's report."""

import pytest

from bedesten.catalogue.batches import Duplicate
from bedesten.catalogue.moves import BAD, CLAIMED, DELIVERED, FREE, LOADING, WITHDRAWN
from bedesten.cli.stock_report import outcome_of


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (FREE, "in stock"),
        (CLAIMED, "being bought"),
        (DELIVERED, "already sold"),
        (BAD, "already sold"),
        (WITHDRAWN, "taken out of stock"),
        (LOADING, "being uploaded"),
    ],
)
def test_a_code_that_was_sold_is_listed_apart_from_one_in_stock(state: int, outcome: str) -> None:
    assert outcome_of(Duplicate(0, "prd_1", "bat_1", state), "bat_2") == outcome


def test_a_code_of_the_same_file_occurs_twice() -> None:
    assert outcome_of(Duplicate(1, "prd_1", "bat_1", FREE), "bat_1") == "twice in this file"
    assert outcome_of(Duplicate(1, "prd_1", None, LOADING), None) == "twice in this file"
