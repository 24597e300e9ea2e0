"""Orders: all or nothing, once per reference, paid from the balance, with the goods handed out in the same transaction."""

import pytest

from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.model import EXPIRED, PLACED, UNPAID, Buyer, NewLine, NewOrder, RequiredDatum
from bedesten.server.installation import Installation
from tests.domain.database_errors import DANGLING, DOUBLE, refuses
from tests.domain.stall import CARD, TOPUP, Stall, fresh, open_stall, request
from tests.store.raw import Raw

COUNTS = (
    "SELECT (SELECT count(*) FROM orders WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM order_lines WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM holds WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM transfers WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM events WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM stock_codes WHERE tenant_id = :tenant AND state <> 0)"
)
"""Orders, lines, holds, transfers, events and codes that are no longer free."""


def counts(other: Raw, stall: Stall) -> tuple[int, ...]:
    """All of them for one tenant."""
    (row,) = other.rows(COUNTS, tenant=stall.tenant)
    return tuple(row)


NOTHING = (0, 0, 0, 0, 0, 0)


def refused(stall: Stall, number: int, *wanted: tuple[str, int], **details: str) -> Refusal:
    """The refusal of an order."""
    with pytest.raises(Refusal) as told:
        stall.order(*wanted, **details)
    assert told.value.code.number == number
    return told.value


def test_an_order_from_stock_is_delivered_and_paid_at_once(stall: Stall, other_connection: Raw) -> None:
    card = stall.card(0)
    stall.upload(card, ["AAAA-1111", "BBBB-2222", "CCCC-3333"])
    placed = stall.order((card, 2), reference="first")
    (line,) = placed.lines
    assert (placed.order.state, placed.order.total, placed.replayed) == (PLACED, 2 * CARD, False)
    assert (line.status, line.quantity, line.price, line.version, line.supplier_id) == (1, 2, 2 * CARD, 1, None)
    assert len(set(stall.codes(line.id)) & {"AAAA-1111", "BBBB-2222", "CCCC-3333"}) == len(stall.codes(line.id)) == 2
    assert stall.available(card) == 1
    assert (stall.balance().posted, stall.balance().held) == (-2 * CARD, 0)
    assert counts(other_connection, stall) == (1, 1, 1, 1, 1, 2)


def test_a_line_for_the_supplier_waits_with_its_money_held(stall: Stall, other_connection: Raw) -> None:
    placed = stall.order((stall.topup(), 3))
    (line,) = placed.lines
    assert (line.status, line.version, line.supplier_id) == (2, 1, stall.supplier)
    assert line.queued is not None
    assert (stall.balance().posted, stall.balance().held) == (0, 3 * TOPUP)
    assert counts(other_connection, stall) == (1, 1, 1, 0, 1, 0)


def test_an_order_of_both_kinds_captures_the_part_that_is_delivered(stall: Stall) -> None:
    card, topup = stall.card(5), stall.topup()
    placed = stall.order((card, 2), (topup, 1), (card, 1))
    assert [(line.position, line.status, line.price) for line in placed.lines] == [
        (0, 1, 2 * CARD),
        (1, 2, TOPUP),
        (2, 1, CARD),
    ]
    assert (stall.balance().posted, stall.balance().held) == (-3 * CARD, TOPUP)
    assert stall.available(card) == 2
    assert len({*stall.codes(placed.lines[0].id), *stall.codes(placed.lines[2].id)}) == 3


def test_one_line_that_cannot_be_had_undoes_the_others_and_all_are_named(stall: Stall, other_connection: Raw) -> None:
    sold_out, scarce, plenty = stall.card(0), stall.card(2), stall.card(9)
    told = refused(stall, -200, (plenty, 1), (scarce, 3), ("prd_none", 1), (sold_out, 1), reference="again")
    assert told.data == {
        "items": [
            {"deliverId": "2", "reason": "outOfStock"},
            {"deliverId": "3", "reason": "unknownProduct"},
            {"deliverId": "4", "reason": "outOfStock"},
        ]
    }
    assert counts(other_connection, stall) == NOTHING
    assert (stall.available(plenty), stall.available(scarce)) == (9, 2)
    assert stall.balance().available == 0
    assert stall.order((plenty, 1), reference="again").replayed is False


def test_two_lines_of_one_product_cannot_take_more_than_there_is(stall: Stall, other_connection: Raw) -> None:
    card = stall.card(3)
    refused(stall, -200, (card, 2), (card, 2))
    assert counts(other_connection, stall) == NOTHING
    assert stall.available(card) == 3
    placed = stall.order((card, 2), (card, 1))
    assert stall.available(card) == 0
    assert len({code for line in placed.lines for code in stall.codes(line.id)}) == 3


def test_lines_of_one_product_and_of_others_each_get_their_own_codes(stall: Stall, other_connection: Raw) -> None:
    card, other = stall.card(0), stall.card(0)
    stall.upload(card, [f"CARD-{number:04}" for number in range(9)])
    stall.upload(other, [f"OTHER-{number:04}" for number in range(3)])
    placed = stall.order((card, 3), (other, 1), (card, 1), (other, 2), (card, 4))
    got = [stall.codes(line.id) for line in placed.lines]
    assert [len(codes) for codes in got] == [3, 1, 1, 2, 4]
    assert [{code.partition("-")[0] for code in codes} for codes in got] == [
        {"CARD"}, {"OTHER"}, {"CARD"}, {"OTHER"}, {"CARD"}
    ]  # fmt: skip
    assert len({code for codes in got for code in codes}) == 11
    assert (stall.available(card), stall.available(other)) == (1, 0)
    units = other_connection.rows(
        "SELECT line_id, unit FROM stock_codes WHERE tenant_id = :tenant AND state = 2", tenant=stall.tenant
    )
    assert sorted(units) == sorted((line.id, unit) for line in placed.lines for unit in range(line.quantity))


def test_every_reason_is_named(stall: Stall) -> None:
    def product(**fields: object) -> str:
        made = ProductFields(name="P", currency="USD", sku=fresh("p"), **{"price": 5, **fields})  # type: ignore[arg-type]
        return stall.write(catalogue.put_product, made)

    asks = product(requirements=(Requirement("player", "Player id"), Requirement("server", "Server", required=False)))
    lines = (
        NewLine("unknown", "prd_none", 1),
        NewLine("off", product(active=False), 1),
        NewLine("unpriced", product(price=None), 1),
        NewLine("not offered", product(offered=False), 1),
        NewLine("elsewhere", product(region="TR"), 1),
        NewLine("dear", product(price=500), 1, max_unit_price=499),
        NewLine("silent", asks, 1),
        NewLine("chatty", asks, 1, data=(RequiredDatum("player", "", "7"), RequiredDatum("shoe size", "", "44"))),
    )
    with pytest.raises(Refusal) as told:
        stall.write(orders.place, stall.buyer, NewOrder("reasons", lines))
    assert told.value.code.number == -200
    assert told.value.data == {
        "items": [
            {"deliverId": "unknown", "reason": "unknownProduct"},
            {"deliverId": "off", "reason": "unknownProduct"},
            {"deliverId": "unpriced", "reason": "unknownProduct"},
            {"deliverId": "not offered", "reason": "notOnSale"},
            {"deliverId": "elsewhere", "reason": "unknownProduct"},
            {"deliverId": "dear", "reason": "priceAboveMaximum"},
            {"deliverId": "silent", "reason": "requiredDataMissing"},
            {"deliverId": "chatty", "reason": "requiredDataUnknown"},
        ]
    }


def test_what_a_product_asks_for_and_a_maximum_that_is_met_are_kept_with_the_line(stall: Stall) -> None:
    topup = stall.topup()
    line = NewLine("1", topup, 2, max_unit_price=TOPUP, data=())
    placed = stall.write(orders.place, stall.buyer, NewOrder("kept", (line,)))
    assert (placed.lines[0].unit_price, placed.lines[0].price, placed.lines[0].require_data) == (TOPUP, 2 * TOPUP, "[]")


def test_the_same_request_gives_the_same_order_again_and_takes_nothing(stall: Stall, other_connection: Raw) -> None:
    card, topup = stall.card(5), stall.topup()
    first = stall.order((card, 2), (topup, 1), reference="same")
    before = counts(other_connection, stall)
    again = stall.order((card, 2), (topup, 1), reference="same")
    assert again.replayed is True
    assert (again.order, again.lines) == (first.order, first.lines)
    assert counts(other_connection, stall) == before
    assert stall.available(card) == 3


def test_the_same_request_gives_the_order_again_when_it_could_no_longer_be_placed(stall: Stall) -> None:
    card = stall.card(1)
    first = stall.order((card, 1), reference="last one")
    assert stall.available(card) == 0
    assert stall.order((card, 1), reference="last one").order.id == first.order.id


@pytest.mark.parametrize("change", ["quantity", "product", "line more", "notify"])
def test_a_reference_with_another_content_is_a_conflict(stall: Stall, other_connection: Raw, change: str) -> None:
    card, other = stall.card(5), stall.card(5)
    stall.order((card, 1), reference="mine")
    before = counts(other_connection, stall)
    changed = {
        "quantity": request((card, 2), reference="mine"),
        "product": request((other, 1), reference="mine"),
        "line more": request((card, 1), (card, 1), reference="mine"),
        "notify": request((card, 1), reference="mine", notify_url="https://elsewhere.example.com/"),
    }[change]
    with pytest.raises(Refusal) as told:
        stall.write(orders.place, stall.buyer, changed)
    assert told.value.code.number == -8
    assert counts(other_connection, stall) == before


def test_a_reference_belongs_to_its_buyer(stall: Stall) -> None:
    card = stall.card(2)
    first = stall.order((card, 1), reference="ours")
    second = stall.checkout((card, 1), reference="ours")
    assert first.order.id != second.order.id
    assert stall.read(orders.order_of, stall.partner, "", "ours").id == first.order.id
    assert stall.read(orders.order_of, stall.customer, "", "ours").id == second.order.id


def test_an_order_that_the_balance_does_not_cover_leaves_nothing_and_keeps_its_reference(
    installation: Installation, other_connection: Raw
) -> None:
    poor = open_stall(installation)
    poor.deposit(2 * CARD - 1)
    card = poor.card(5)
    before = counts(other_connection, poor)
    refused(poor, -300, (card, 2), reference="poor")
    assert counts(other_connection, poor) == before
    assert poor.available(card) == 5
    assert (poor.balance().posted, poor.balance().held) == (2 * CARD - 1, 0)
    poor.deposit(1)
    assert poor.order((card, 2), reference="poor").replayed is False
    assert poor.balance().available == 0


def test_goods_that_cost_nothing_need_no_money_and_no_transfer(
    installation: Installation, other_connection: Raw
) -> None:
    poor = open_stall(installation)
    gift = poor.card(1, price=0)
    placed = poor.order((gift, 1))
    assert placed.order.total == 0
    assert len(poor.codes(placed.lines[0].id)) == 1
    assert counts(other_connection, poor) == (1, 1, 1, 0, 1, 1)


def test_stock_first_takes_from_stock_while_it_lasts_and_then_asks_the_supplier(stall: Stall) -> None:
    both = stall.topup(fulfilment="stock_first")
    stall.upload(both, [fresh("CODE"), fresh("CODE")])
    assert [line.status for line in stall.order((both, 2)).lines] == [1]
    (waiting,) = stall.order((both, 1)).lines
    assert (waiting.status, waiting.supplier_id) == (2, stall.supplier)
    stall.upload(both, [fresh("CODE")])
    (too_many,) = stall.order((both, 2)).lines
    assert too_many.status == 2
    assert stall.available(both) == 1


def test_another_buyer_s_and_another_tenant_s_order_do_not_exist(stall: Stall, installation: Installation) -> None:
    placed = stall.order((stall.card(1), 1), reference="private")
    stranger = open_stall(installation)
    attempts = (
        lambda: stall.read(orders.order_of, stall.customer, placed.order.id),
        lambda: stall.read(orders.line_of, stall.customer, placed.lines[0].id),
        lambda: stranger.read(orders.order_of, stall.partner, placed.order.id),
        lambda: stranger.read(orders.order_of, stall.partner, "", "private"),
        lambda: stranger.read(orders.line_of, stall.partner, placed.lines[0].id),
        lambda: stall.read(orders.order_of, stall.partner, "ord_never"),
    )
    for attempt in attempts:
        with pytest.raises(Refusal) as told:
            attempt()
        assert told.value.code.number == -3


def test_another_tenant_s_product_cannot_be_ordered(stall: Stall, installation: Installation) -> None:
    stranger = open_stall(installation, credit=100_000)
    told = refused(stranger, -200, (stall.card(1), 1))
    assert told.data == {"items": [{"deliverId": "1", "reason": "unknownProduct"}]}


def test_a_buyer_of_another_currency_or_region_is_offered_nothing(stall: Stall) -> None:
    card = stall.card(1)
    for buyer in (Buyer(stall.partner, "partner", "reseller", "EUR", "GLOBAL"),):
        with pytest.raises(Refusal) as told:
            stall.write(orders.place, buyer, request((card, 1)))
        assert told.value.code.number == -200


# --- checkouts --------------------------------------------------------------------------------------------------------


def test_a_checkout_claims_the_codes_and_neither_delivers_nor_takes_money(stall: Stall, other_connection: Raw) -> None:
    card, topup = stall.card(3), stall.topup()
    placed = stall.checkout((card, 2), (topup, 1))
    assert placed.order.state == UNPAID
    assert [(line.status, line.version, line.queued) for line in placed.lines] == [(2, 0, None), (2, 0, None)]
    assert stall.codes(placed.lines[0].id) == []
    assert stall.available(card) == 1
    assert counts(other_connection, stall) == (1, 2, 0, 0, 0, 2)
    assert stall.checkout((card, 2), (topup, 1), reference=placed.order.reference).order == placed.order


def test_an_expired_checkout_puts_its_goods_back_once(stall: Stall, other_connection: Raw) -> None:
    card, other = stall.card(3), stall.card(2)
    placed = stall.checkout((card, 2), (other, 2), minutes=-1)
    assert (stall.tenant, placed.order.id) in stall.store.read_now(lambda tx: checkout.expired_checkouts(tx, 10_000))
    assert stall.write(checkout.expire, placed.order.id) is True
    assert stall.write(checkout.expire, placed.order.id) is False
    assert (stall.available(card), stall.available(other)) == (3, 2)
    assert counts(other_connection, stall) == (1, 2, 0, 0, 0, 0)
    assert stall.read(orders.order_of, stall.customer, placed.order.id).state == EXPIRED
    assert (stall.tenant, placed.order.id) not in stall.store.read_now(
        lambda tx: checkout.expired_checkouts(tx, 10_000)
    )


def test_a_checkout_that_was_paid_does_not_expire(stall: Stall) -> None:
    card = stall.card(1)
    placed = stall.checkout((card, 1), minutes=-1)
    stall.capture(stall.payment(placed))
    assert stall.write(checkout.expire, placed.order.id) is False
    assert stall.available(card) == 0
    assert len(stall.codes(placed.lines[0].id)) == 1


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_the_database_refuses_a_second_order_of_one_reference(stall: Stall, other_connection: Raw) -> None:
    stall.order((stall.card(1), 1), reference="only")
    copied = (
        "INSERT INTO orders (id, tenant_id, surface, buyer_id, reference, digest, currency, total, state, created,"
        " region, units) SELECT 'ord_x', tenant_id, surface, {}, reference, digest, currency, total, state, created,"
        " region, units FROM orders"
        " WHERE tenant_id = :tenant"
    )
    refuses(other_connection, DOUBLE, copied.format("buyer_id"), tenant=stall.tenant)
    refuses(other_connection, DANGLING, copied.format("'par_of_nobody'"), tenant=stall.tenant)


def test_the_database_refuses_states_that_no_order_and_no_line_has(stall: Stall, other_connection: Raw) -> None:
    stall.order((stall.card(1), 1))
    for table, setting, why in (
        ("orders", "state = 4, surface = 'storefront'", "orders_state"),
        ("orders", "state = 3", "only_checkouts_are_open"),
        ("orders", "expires = 5", "expires_while_unpaid"),
        ("orders", "total = -1", "orders_total"),
        ("order_lines", "status = 4", "lines_status"),
        ("order_lines", "price = price + 1", "lines_price"),
        ("order_lines", "quantity = 0, price = 0", "lines_quantity"),
        ("order_lines", "unit_price = -1, price = -1", "lines_unit_price"),
        ("order_lines", "version = -1", "lines_version"),
        ("order_lines", "order_id = 'ord_of_nobody'", DANGLING),
    ):
        refuses(other_connection, why, f"UPDATE {table} SET {setting} WHERE tenant_id = :tenant", tenant=stall.tenant)


def test_the_database_refuses_a_line_of_another_tenant_s_order_or_product(
    stall: Stall, installation: Installation, other_connection: Raw
) -> None:
    stall.order((stall.card(1), 1))
    stranger = open_stall(installation, credit=100_000)
    theirs = stranger.order((stranger.card(1), 1)).lines[0]
    for column, value in (("order_id", theirs.order_id), ("product_id", theirs.product_id)):
        change = f"UPDATE order_lines SET {column} = :value WHERE tenant_id = :tenant"
        refuses(other_connection, DANGLING, change, value=value, tenant=stall.tenant)
