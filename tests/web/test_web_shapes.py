"""Numbers as clients write them: a whole one may have a point or an exponent, as JSON Schema has it."""

import pytest

from bedesten.errors import Refusal
from bedesten.surfaces.common import Paging
from bedesten.surfaces.reseller.shapes import CreateOrder
from bedesten.surfaces.supplier.shapes import UpsertProducts
from bedesten.web.shapes import parse, understand, written


@pytest.mark.parametrize("number", ["5", "5.0", "5.000", "50e-1", "0.5e1"])
def test_a_whole_number_is_taken_however_it_is_written(number: str) -> None:
    raw = '{"orderReference": "a", "basketData": [{"deliverId": "1", "customerStoreProductId": "p", "quantity": %s}]}'

    order = understand(parse((raw % number).encode()), CreateOrder)

    assert order.basket_data[0].quantity == 5
    assert type(order.basket_data[0].quantity) is int


@pytest.mark.parametrize("number", ["5.5", "0.0", "201.0", "1e999", "1e-999", "-5.0", "9" * 40 + ".0", '"5"', '"5.0"'])
def test_what_is_no_whole_number_or_out_of_bounds_is_refused_by_name(number: str) -> None:
    with pytest.raises(Refusal) as refused:
        understand(parse(f'{{"pageSize": {number}}}'.encode()), Paging)

    assert refused.value.row.number == -2
    assert list(refused.value.fields or {}) == ["pageSize"]


def test_the_fault_that_is_named_is_what_is_left_when_whole_numbers_are_taken() -> None:
    raw = b'{"orderReference": "a", "basketData": [{"deliverId": "1", "quantity": 2.0}]}'

    with pytest.raises(Refusal) as refused:
        understand(parse(raw), CreateOrder)

    assert list(refused.value.fields or {}) == ["basketData[0].customerStoreProductId"]


def test_amounts_keep_their_digits() -> None:
    raw = b'{"products": [{"sku": "s", "name": "n", "cost": 4.60}]}'

    assert str(understand(parse(raw), UpsertProducts).products[0].cost) == "4.60"


def test_a_request_is_written_as_clients_write_it_and_without_defaults() -> None:
    assert written(Paging()) == {}
    assert written(Paging(page_size=20, updated_since="2026-01-01T00:00:00Z")) == {
        "pageSize": 20,
        "updatedSince": "2026-01-01T00:00:00Z",
    }
