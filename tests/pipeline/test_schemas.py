"""Request bodies: the accepted spellings of numbers, and the messages about invalid fields."""

from decimal import Decimal
from typing import cast

import msgspec
import pytest

from bedesten.errors import Refusal
from bedesten.http.schemas import RequestModel, as_wire, decode_body, parse
from bedesten.http.validation_messages import validation_message
from bedesten.surfaces.operations import ROUTES
from bedesten.surfaces.reseller.schemas import CreateOrder
from bedesten.surfaces.schemas import Paging
from bedesten.surfaces.storefront.schemas import Logout
from bedesten.surfaces.supplier.schemas import UpsertProducts


@pytest.mark.parametrize("number", ["5", "5.0", "5.000", "50e-1", "0.5e1"])
def test_an_integer_is_accepted_in_any_notation(number: str) -> None:
    raw = '{"orderReference": "a", "basketData": [{"deliverId": "1", "customerStoreProductId": "p", "quantity": %s}]}'

    order = decode_body(parse((raw % number).encode()), CreateOrder)

    assert order.basket_data[0].quantity == 5
    assert type(order.basket_data[0].quantity) is int


@pytest.mark.parametrize("number", ["5.5", "0.0", "201.0", "1e999", "1e-999", "-5.0", "9" * 40 + ".0", '"5"', '"5.0"'])
def test_a_number_that_is_not_an_integer_or_out_of_bounds_is_refused_and_its_field_is_named(number: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode_body(parse(f'{{"pageSize": {number}}}'.encode()), Paging)

    assert refused.value.code.number == -2
    assert list(refused.value.fields or {}) == ["pageSize"]


def test_an_integer_written_as_a_decimal_does_not_hide_the_real_fault() -> None:
    raw = b'{"orderReference": "a", "basketData": [{"deliverId": "1", "quantity": 2.0}]}'

    with pytest.raises(Refusal) as refused:
        decode_body(parse(raw), CreateOrder)

    assert list(refused.value.fields or {}) == ["basketData[0].customerStoreProductId"]


LINE = '{"orderReference": "a", "basketData": [{"deliverId": "1", "customerStoreProductId": "p", %s}]}'


@pytest.mark.parametrize(
    ("raw", "shape", "field", "problem"),
    [
        (LINE % '"quantity": "2"', CreateOrder, "basketData[0].quantity", "must be a whole number, not text"),
        (LINE % '"quantity": 1.5', CreateOrder, "basketData[0].quantity", "must be a whole number, not a fraction"),
        (LINE % '"quantity": 0', CreateOrder, "basketData[0].quantity", "must be at least 1"),
        (LINE % '"quantity": 1001', CreateOrder, "basketData[0].quantity", "must be at most 1,000"),
        (LINE % '"quantity": 1, "maxUnitPrice": "5"', CreateOrder, "basketData[0].maxUnitPrice",
         "must be a number, not text"),
        (LINE % '"x": 1', CreateOrder, "basketData[0].quantity", "is required"),
        ("{}", CreateOrder, "orderReference", "is required"),
        ('{"orderReference": "", "basketData": []}', CreateOrder, "orderReference", "must not be blank"),
        ('{"orderReference": "%s"}' % ("x" * 129), CreateOrder, "orderReference", "must have at most 128 characters"),
        ('{"orderReference": "a", "basketData": []}', CreateOrder, "basketData", "must have at least 1 item"),
        ('{"orderReference": "a", "basketData": {}}', CreateOrder, "basketData", "must be a list, not an object"),
        ('{"orderReference": "a", "basketData": [7]}', CreateOrder, "basketData[0]",
         "must be an object, not a whole number"),
        ('{"orderReference": null}', CreateOrder, "orderReference", "must be text, not null"),
        ('{"cursor": [1]}', Paging, "cursor", "must be text, not a list"),
        ('{"everywhere": 1.5}', Logout, "everywhere", "must be true or false, not a number"),
    ],
)  # fmt: skip
def test_a_refusal_says_in_plain_words_what_is_wrong(
    raw: str, shape: type[RequestModel], field: str, problem: str
) -> None:
    with pytest.raises(Refusal) as refused:
        decode_body(parse(raw.encode()), shape)

    assert (refused.value.fields or {})[field] == problem


WRONG: tuple[object, ...] = (
    None,
    True,
    Decimal("5.5"),
    10**39,
    -1,
    "",
    "x" * 20_000,
    [],
    ["x"] * 5000,
    [None],
    {},
    "hush",
)


@pytest.mark.parametrize("shape", sorted({route.body for route in ROUTES}, key=str), ids=lambda shape: shape.__name__)
def test_every_field_of_every_request_is_refused_with_a_known_message_without_its_value(
    shape: type[RequestModel],
) -> None:
    outcome = set()
    for field in msgspec.structs.fields(shape):
        made = msgspec.defstruct("Alone", [(field.encode_name, field.type)], bases=(RequestModel,))
        alone = cast("type[RequestModel]", made)
        for value in WRONG:
            try:
                decode_body({field.encode_name: value}, alone)
            except Refusal as refusal:
                outcome |= set((refusal.fields or {}).values())
    assert all(problem == "is required" or problem.startswith("must ") for problem in outcome), outcome
    assert not any("hush" in problem or "`" in problem for problem in outcome)


@pytest.mark.parametrize(
    "problem",
    ["", "Expected `uuid`, got `str`", "Expected `str`, got `hush`", "Expected `bytes` of length <= 3"],
)  # fmt: skip
def test_other_messages_of_msgspec_are_not_repeated(problem: str) -> None:
    assert validation_message(problem) == "is not valid"


def test_an_unknown_value_of_an_enumeration_is_not_repeated() -> None:
    assert validation_message("Invalid enum value 'hush'") == "must be one of the values in the reference"
    assert validation_message("Expected `str` matching regex 'hush'") == "must have the form in the reference"


def test_amounts_keep_their_digits() -> None:
    raw = b'{"products": [{"sku": "s", "name": "n", "cost": 4.60}]}'

    assert str(decode_body(parse(raw), UpsertProducts).products[0].cost) == "4.60"


def test_a_request_is_encoded_in_the_spelling_of_the_wire_and_without_defaults() -> None:
    assert as_wire(Paging()) == {}
    assert as_wire(Paging(page_size=20, updated_since="2026-01-01T00:00:00Z")) == {
        "pageSize": 20,
        "updatedSince": "2026-01-01T00:00:00Z",
    }
