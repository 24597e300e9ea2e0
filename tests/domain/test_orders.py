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
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh, open_tenant, request
from tests.store.raw import RawConnection

COUNTS = (
    "SELECT (SELECT count(*) FROM orders WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM order_lines WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM holds WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM transfers WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM events WHERE tenant_id = :tenant),"
    " (SELECT count(*) FROM stock_codes WHERE tenant_id = :tenant AND state <> 0)"
)
"""Orders, lines, holds, transfers, events and codes that are no longer free."""


def counts(other: RawConnection, tenant: Tenant) -> tuple[int, ...]:
    """Returns these counts for one tenant."""
    (row,) = other.rows(COUNTS, tenant=tenant.id)
    return tuple(row)


NO_EFFECTS = (0, 0, 0, 0, 0, 0)


def refused(tenant: Tenant, number: int, *wanted: tuple[str, int], **details: str) -> Refusal:
    """The refusal of an order."""
    with pytest.raises(Refusal) as outcome:
        tenant.order(*wanted, **details)
    assert outcome.value.code.number == number
    return outcome.value


def test_an_order_from_stock_is_delivered_and_paid_at_once(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(0)
    tenant.upload(card, ["AAAA-1111", "BBBB-2222", "CCCC-3333"])
    placed = tenant.order((card, 2), reference="first")
    (line,) = placed.lines
    assert (placed.order.state, placed.order.total, placed.replayed) == (PLACED, 2 * CARD, False)
    assert (line.status, line.quantity, line.price, line.version, line.supplier_id) == (1, 2, 2 * CARD, 1, None)
    assert len(set(tenant.codes(line.id)) & {"AAAA-1111", "BBBB-2222", "CCCC-3333"}) == len(tenant.codes(line.id)) == 2
    assert tenant.available(card) == 1
    assert (tenant.balance().posted, tenant.balance().held) == (-2 * CARD, 0)
    assert counts(other_connection, tenant) == (1, 1, 1, 1, 1, 2)


def test_a_line_for_the_supplier_waits_with_its_money_held(tenant: Tenant, other_connection: RawConnection) -> None:
    placed = tenant.order((tenant.topup(), 3))
    (line,) = placed.lines
    assert (line.status, line.version, line.supplier_id) == (2, 1, tenant.supplier)
    assert line.queued is not None
    assert (tenant.balance().posted, tenant.balance().held) == (0, 3 * TOPUP)
    assert counts(other_connection, tenant) == (1, 1, 1, 0, 2, 0), "the buyer's event, and the supplier's"


def test_an_order_of_both_kinds_captures_the_part_that_is_delivered(tenant: Tenant) -> None:
    card, topup = tenant.card(5), tenant.topup()
    placed = tenant.order((card, 2), (topup, 1), (card, 1))
    assert [(line.position, line.status, line.price) for line in placed.lines] == [
        (0, 1, 2 * CARD),
        (1, 2, TOPUP),
        (2, 1, CARD),
    ]
    assert (tenant.balance().posted, tenant.balance().held) == (-3 * CARD, TOPUP)
    assert tenant.available(card) == 2
    assert len({*tenant.codes(placed.lines[0].id), *tenant.codes(placed.lines[2].id)}) == 3


def test_one_unavailable_line_undoes_the_others_and_every_unavailable_line_is_named(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    sold_out, scarce, plenty = tenant.card(0), tenant.card(2), tenant.card(9)
    outcome = refused(tenant, -200, (plenty, 1), (scarce, 3), ("prd_none", 1), (sold_out, 1), reference="again")
    assert outcome.data == {
        "items": [
            {"deliverId": "2", "reason": "outOfStock"},
            {"deliverId": "3", "reason": "unknownProduct"},
            {"deliverId": "4", "reason": "outOfStock"},
        ]
    }
    assert counts(other_connection, tenant) == NO_EFFECTS
    assert (tenant.available(plenty), tenant.available(scarce)) == (9, 2)
    assert tenant.balance().available == 0
    assert tenant.order((plenty, 1), reference="again").replayed is False


def test_two_lines_of_one_product_cannot_take_more_than_there_is(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(3)
    refused(tenant, -200, (card, 2), (card, 2))
    assert counts(other_connection, tenant) == NO_EFFECTS
    assert tenant.available(card) == 3
    placed = tenant.order((card, 2), (card, 1))
    assert tenant.available(card) == 0
    assert len({code for line in placed.lines for code in tenant.codes(line.id)}) == 3


def test_lines_of_one_product_and_of_others_each_get_their_own_codes(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card, other = tenant.card(0), tenant.card(0)
    tenant.upload(card, [f"CARD-{number:04}" for number in range(9)])
    tenant.upload(other, [f"OTHER-{number:04}" for number in range(3)])
    placed = tenant.order((card, 3), (other, 1), (card, 1), (other, 2), (card, 4))
    got = [tenant.codes(line.id) for line in placed.lines]
    assert [len(codes) for codes in got] == [3, 1, 1, 2, 4]
    assert [{code.partition("-")[0] for code in codes} for codes in got] == [
        {"CARD"}, {"OTHER"}, {"CARD"}, {"OTHER"}, {"CARD"}
    ]  # fmt: skip
    assert len({code for codes in got for code in codes}) == 11
    assert (tenant.available(card), tenant.available(other)) == (1, 0)
    units = other_connection.rows(
        "SELECT line_id, unit FROM stock_codes WHERE tenant_id = :tenant AND state = 2", tenant=tenant.id
    )
    assert sorted(units) == sorted((line.id, unit) for line in placed.lines for unit in range(line.quantity))


def test_every_reason_for_a_refused_line_is_named(tenant: Tenant) -> None:
    def product(**fields: object) -> str:
        made = ProductFields(name="P", currency="USD", sku=fresh("p"), **{"price": 5, **fields})  # type: ignore[arg-type]
        return tenant.write(catalogue.put_product, made)

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
    with pytest.raises(Refusal) as outcome:
        tenant.write(orders.place, tenant.buyer, NewOrder("reasons", lines))
    assert outcome.value.code.number == -200
    assert outcome.value.data == {
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


def test_a_line_keeps_its_details_and_may_cost_exactly_its_maximum(tenant: Tenant) -> None:
    topup = tenant.topup()
    line = NewLine("1", topup, 2, max_unit_price=TOPUP, data=())
    placed = tenant.write(orders.place, tenant.buyer, NewOrder("kept", (line,)))
    assert (placed.lines[0].unit_price, placed.lines[0].price, placed.lines[0].require_data) == (TOPUP, 2 * TOPUP, "[]")


def test_the_same_request_returns_the_same_order_and_takes_nothing(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card, topup = tenant.card(5), tenant.topup()
    first = tenant.order((card, 2), (topup, 1), reference="same")
    before = counts(other_connection, tenant)
    again = tenant.order((card, 2), (topup, 1), reference="same")
    assert again.replayed is True
    assert (again.order, again.lines) == (first.order, first.lines)
    assert counts(other_connection, tenant) == before
    assert tenant.available(card) == 3


def test_the_same_request_returns_the_order_even_when_it_could_no_longer_be_placed(tenant: Tenant) -> None:
    card = tenant.card(1)
    first = tenant.order((card, 1), reference="last one")
    assert tenant.available(card) == 0
    assert tenant.order((card, 1), reference="last one").order.id == first.order.id


@pytest.mark.parametrize("change", ["quantity", "product", "line more", "notify"])
def test_a_reference_with_other_content_is_a_conflict(
    tenant: Tenant, other_connection: RawConnection, change: str
) -> None:
    card, other = tenant.card(5), tenant.card(5)
    tenant.order((card, 1), reference="mine")
    before = counts(other_connection, tenant)
    changed = {
        "quantity": request((card, 2), reference="mine"),
        "product": request((other, 1), reference="mine"),
        "line more": request((card, 1), (card, 1), reference="mine"),
        "notify": request((card, 1), reference="mine", notify_url="https://elsewhere.example.com/"),
    }[change]
    with pytest.raises(Refusal) as outcome:
        tenant.write(orders.place, tenant.buyer, changed)
    assert outcome.value.code.number == -8
    assert counts(other_connection, tenant) == before


def test_a_reference_belongs_to_its_buyer(tenant: Tenant) -> None:
    card = tenant.card(2)
    first = tenant.order((card, 1), reference="ours")
    second = tenant.checkout((card, 1), reference="ours")
    assert first.order.id != second.order.id
    assert tenant.read(orders.order_of, tenant.partner, "", "ours").id == first.order.id
    assert tenant.read(orders.order_of, tenant.customer, "", "ours").id == second.order.id


def test_an_order_above_the_balance_stores_nothing_and_frees_its_reference(
    installation: Installation, other_connection: RawConnection
) -> None:
    poor = open_tenant(installation)
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
    installation: Installation, other_connection: RawConnection
) -> None:
    poor = open_tenant(installation)
    gift = poor.card(1, price=0)
    placed = poor.order((gift, 1))
    assert placed.order.total == 0
    assert len(poor.codes(placed.lines[0].id)) == 1
    assert counts(other_connection, poor) == (1, 1, 1, 0, 1, 1)


def test_stock_first_takes_from_stock_while_it_lasts_and_then_asks_the_supplier(tenant: Tenant) -> None:
    both = tenant.topup(fulfilment="stock_first")
    tenant.upload(both, [fresh("CODE"), fresh("CODE")])
    assert [line.status for line in tenant.order((both, 2)).lines] == [1]
    (waiting,) = tenant.order((both, 1)).lines
    assert (waiting.status, waiting.supplier_id) == (2, tenant.supplier)
    tenant.upload(both, [fresh("CODE")])
    (too_many,) = tenant.order((both, 2)).lines
    assert too_many.status == 2
    assert tenant.available(both) == 1


def test_another_buyer_s_and_another_tenant_s_order_do_not_exist(tenant: Tenant, installation: Installation) -> None:
    placed = tenant.order((tenant.card(1), 1), reference="private")
    stranger = open_tenant(installation)
    attempts = (
        lambda: tenant.read(orders.order_of, tenant.customer, placed.order.id),
        lambda: tenant.read(orders.line_of, tenant.customer, placed.lines[0].id),
        lambda: stranger.read(orders.order_of, tenant.partner, placed.order.id),
        lambda: stranger.read(orders.order_of, tenant.partner, "", "private"),
        lambda: stranger.read(orders.line_of, tenant.partner, placed.lines[0].id),
        lambda: tenant.read(orders.order_of, tenant.partner, "ord_never"),
    )
    for attempt in attempts:
        with pytest.raises(Refusal) as outcome:
            attempt()
        assert outcome.value.code.number == -3


def test_another_tenant_s_product_cannot_be_ordered(tenant: Tenant, installation: Installation) -> None:
    stranger = open_tenant(installation, credit=100_000)
    outcome = refused(stranger, -200, (tenant.card(1), 1))
    assert outcome.data == {"items": [{"deliverId": "1", "reason": "unknownProduct"}]}


def test_a_buyer_of_another_currency_or_region_is_offered_nothing(tenant: Tenant) -> None:
    card = tenant.card(1)
    for buyer in (Buyer(tenant.partner, "partner", "reseller", "EUR", "GLOBAL"),):
        with pytest.raises(Refusal) as outcome:
            tenant.write(orders.place, buyer, request((card, 1)))
        assert outcome.value.code.number == -200


# --- checkouts --------------------------------------------------------------------------------------------------------


def test_a_checkout_claims_the_codes_and_neither_delivers_nor_takes_money(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card, topup = tenant.card(3), tenant.topup()
    placed = tenant.checkout((card, 2), (topup, 1))
    assert placed.order.state == UNPAID
    assert [(line.status, line.version, line.queued) for line in placed.lines] == [(2, 0, None), (2, 0, None)]
    assert tenant.codes(placed.lines[0].id) == []
    assert tenant.available(card) == 1
    assert counts(other_connection, tenant) == (1, 2, 0, 0, 0, 2)
    assert tenant.checkout((card, 2), (topup, 1), reference=placed.order.reference).order == placed.order


def test_an_expired_checkout_puts_its_goods_back_once(tenant: Tenant, other_connection: RawConnection) -> None:
    card, other = tenant.card(3), tenant.card(2)
    placed = tenant.checkout((card, 2), (other, 2), minutes=-1)
    assert (tenant.id, placed.order.id) in tenant.store.read_now(lambda tx: checkout.expired_checkouts(tx, 10_000))
    assert tenant.write(checkout.expire, placed.order.id) is True
    assert tenant.write(checkout.expire, placed.order.id) is False
    assert (tenant.available(card), tenant.available(other)) == (3, 2)
    assert counts(other_connection, tenant) == (1, 2, 0, 0, 0, 0)
    assert tenant.read(orders.order_of, tenant.customer, placed.order.id).state == EXPIRED
    assert (tenant.id, placed.order.id) not in tenant.store.read_now(lambda tx: checkout.expired_checkouts(tx, 10_000))


def test_a_paid_checkout_does_not_expire(tenant: Tenant) -> None:
    card = tenant.card(1)
    placed = tenant.checkout((card, 1), minutes=-1)
    tenant.capture(tenant.payment(placed))
    assert tenant.write(checkout.expire, placed.order.id) is False
    assert tenant.available(card) == 0
    assert len(tenant.codes(placed.lines[0].id)) == 1


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_the_database_refuses_a_second_order_of_one_reference(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.order((tenant.card(1), 1), reference="only")
    copied = (
        "INSERT INTO orders (id, tenant_id, surface, buyer_id, reference, digest, currency, total, state, created,"
        " region, units) SELECT 'ord_x', tenant_id, surface, {}, reference, digest, currency, total, state, created,"
        " region, units FROM orders"
        " WHERE tenant_id = :tenant"
    )
    refuses(other_connection, DOUBLE, copied.format("buyer_id"), tenant=tenant.id)
    refuses(other_connection, DANGLING, copied.format("'par_of_nobody'"), tenant=tenant.id)


def test_the_database_refuses_invalid_orders_and_lines(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.order((tenant.card(1), 1))
    for table, setting, why in (
        ("orders", "state = 4, surface = 'storefront'", "orders_state"),
        ("orders", "state = 3", "only_checkouts_are_open"),
        ("orders", "expires = 5", "expires_while_unpaid"),
        ("orders", "total = -1", "orders_total"),
        ("order_lines", "status = 4, delivered = 0", "lines_status"),
        ("order_lines", "price = price + 1", "lines_price"),
        ("order_lines", "quantity = 1001, price = 1001 * unit_price, status = 2", "lines_quantity"),
        ("order_lines", "unit_price = -1, price = -1, status = 2, delivered = 0", "lines_unit_price"),
        ("order_lines", "version = -1", "lines_version"),
        ("order_lines", "order_id = 'ord_of_nobody'", DANGLING),
    ):
        refuses(other_connection, why, f"UPDATE {table} SET {setting} WHERE tenant_id = :tenant", tenant=tenant.id)


def test_the_database_refuses_a_line_of_another_tenant_s_order_or_product(
    tenant: Tenant, installation: Installation, other_connection: RawConnection
) -> None:
    tenant.order((tenant.card(1), 1))
    stranger = open_tenant(installation, credit=100_000)
    theirs = stranger.order((stranger.card(1), 1)).lines[0]
    for column, value in (("order_id", theirs.order_id), ("product_id", theirs.product_id)):
        change = f"UPDATE order_lines SET {column} = :value WHERE tenant_id = :tenant"
        refuses(other_connection, DANGLING, change, value=value, tenant=tenant.id)
