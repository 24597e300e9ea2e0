"""Other owners' objects do not exist: 404, in the same bytes as for an id that was never issued (contract section 5)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bedesten.gate.scopes import Surface
from tests.support.client import ABSENT, Client, api_key, bearer
from tests.support.operator_actions import Operator
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import Shop, fresh, line, topup_fields
from tests.support.sites import Site
from tests.support.wire import Answer


@dataclass(frozen=True)
class Side:
    """The objects whose ids a test requests; `home` is the caller's shop."""

    home: Shop
    goods: SampleObjects
    neighbour: SampleObjects
    """Objects of other accounts in the caller's tenant."""
    away: Shop
    foreign: SampleObjects
    """Objects of another tenant."""
    neighbour_product: str


@pytest.fixture(scope="module")
def side(site: Site, operator: Operator, shop: Shop, other_shop: Shop) -> Side:
    partner = operator.account(shop.id, "partner", "neighbour@example.com")
    operator.credit(shop.id, partner, 100_000)
    customer = operator.account(shop.id, "customer", "neighbour@example.com")
    supplier = operator.owner(shop.id, Surface.SUPPLIER, "Neighbour Codes")
    integration = operator.owner(shop.id, Surface.PAYMENT, "Neighbour Pay")
    beside = Shop(
        site=site,
        operator=operator,
        id=shop.id,
        host=shop.host,
        partner=partner,
        customer=customer,
        supplier=supplier,
        integration=integration,
        partner_token=shop.token(Surface.RESELLER, partner),
        customer_token=shop.signed_in(customer),
        supplier_key=operator.key(shop.id, Surface.SUPPLIER, supplier),
        payment_key=operator.key(shop.id, Surface.PAYMENT, integration),
        card=shop.card,
        topup=operator.product(shop.id, topup_fields("n-topup", supplier), category=shop.category),
    )
    made = beside.supplies.data(
        "/Supplier/Products/Upsert", {"products": [{"sku": "n-1", "name": "Neighbour's", "cost": 1}]}
    )
    neighbour = create_sample_objects(beside)
    return Side(
        home=shop,
        goods=create_sample_objects(shop),
        neighbour=neighbour,
        away=other_shop,
        foreign=create_sample_objects(other_shop),
        neighbour_product=made["items"][0]["productId"],
    )


Ask = Callable[[Client, str], Answer]


def post(path: str, **fields: object) -> Ask:
    """A POST whose body has the id in place of `ID`."""

    def ask(client: Client, wanted: str) -> Answer:
        body = {name: wanted if value == "ID" else value for name, value in fields.items()} or ABSENT
        return client.post(path.replace("ID", wanted), body)

    return ask


def get(path: str) -> Ask:
    """A GET whose path ends in the id."""
    return lambda client, wanted: client.get(path.replace("ID", wanted))


def amount(value: float) -> dict[str, object]:
    """The members that a payment needs besides its object."""
    return {"amount": value, "reference": fresh("foreign")}


LOOKS: dict[str, tuple[Surface, Ask, Callable[[Side], list[str]]]] = {
    "a product": (Surface.RESELLER, post("/Products/Detail/ID"), lambda s: [s.away.card, s.neighbour_product]),
    "an order by id": (
        Surface.RESELLER, post("/Orders/Get", orderId="ID"),
        lambda s: [s.foreign.order_id, s.neighbour.order_id, s.goods.checkout_id]),
    "an order by reference": (
        Surface.RESELLER, post("/Orders/Get", orderReference="ID"),
        lambda s: [s.foreign.order_reference, s.neighbour.order_reference]),
    "an order line": (
        Surface.RESELLER, get("/Orders/Detail/ID"),
        lambda s: [s.foreign.line_id, s.neighbour.line_id, s.neighbour.awaiting_id, s.goods.checkout_line_id]),
    "an order line by its older path": (
        Surface.RESELLER, get("/Order/detail/ID"), lambda s: [s.foreign.line_id, s.neighbour.line_id]),
    "a product in the storefront": (
        Surface.STOREFRONT, post("/Storefront/Products/Detail/ID"), lambda s: [s.away.card, s.neighbour_product]),
    "a customer's order": (
        Surface.STOREFRONT, post("/Storefront/Orders/Get", orderId="ID"),
        lambda s: [s.foreign.checkout_id, s.neighbour.checkout_id, s.goods.order_id]),
    "a session": (
        Surface.STOREFRONT, post("/Storefront/Customers/Sessions/End", sessionId="ID"),
        lambda s: [s.foreign.session_id, s.neighbour.session_id]),
    "a deposit": (
        Surface.PAYMENT, post("/Payment/Deposits/Confirm", depositId="ID"),
        lambda s: [s.foreign.deposit_id, s.neighbour.deposit_id]),
    "a deposit's partner": (
        Surface.PAYMENT, post("/Payment/Deposits/Create", partner="ID", **amount(1)),
        lambda s: [s.away.partner, s.away.partner_email, s.home.customer, s.home.customer_email, s.home.supplier]),
    "a payment's order": (
        Surface.PAYMENT, post("/Payment/Payments/Create", orderId="ID", **amount(5)),
        lambda s: [s.foreign.checkout_id, s.goods.order_id, s.foreign.order_id]),
    "a payment": (
        Surface.PAYMENT, post("/Payment/Payments/Capture", paymentId="ID"),
        lambda s: [s.foreign.payment_id, s.neighbour.payment_id]),
    "a product to stock": (
        Surface.SUPPLIER, post("/Supplier/Stock/Upload", productId="ID", codes=["FOREIGN-1"]),
        lambda s: [s.away.card, s.neighbour_product]),
    "a line to deliver": (
        Surface.SUPPLIER, post("/Supplier/Orders/Deliver", orderDetailId="ID", deliveryNote=["x"]),
        lambda s: [s.foreign.awaiting_id, s.foreign.line_id, s.neighbour.awaiting_id, s.goods.line_id]),
}  # fmt: skip
NEVER_ISSUED = ("prd_01m85w6hd2syc7wwmwbrm3w473", "x", "ord_00000000000000000000000000", "%00")


@pytest.mark.requirement(86, 89)
@pytest.mark.parametrize("what", LOOKS)
def test_another_tenants_object_is_answered_like_one_that_never_existed(side: Side, what: str) -> None:
    surface, ask, ids = LOOKS[what]
    client = side.home.client(surface)
    tenants = (side.home.id, side.away.id)
    before = side.home.site.rows(*tenants)

    never = [ask(client, wanted) for wanted in NEVER_ISSUED]
    others = [ask(client, wanted) for wanted in ids(side)]
    assert ask(client, "../x").verdict == (404, -3), "in a path it names no operation, in a body no thing"

    assert len(others) >= 2
    assert {answer.verdict for answer in never + others} == {(404, -3)}
    assert len({answer.anonymous for answer in never + others}) == 1
    assert side.home.site.rows(*tenants) == before, "nothing was done, on either side"


def test_another_tenants_product_cannot_be_ordered_and_looks_like_one_that_never_existed(side: Side) -> None:
    partner, customer = side.home.reseller, side.home.storefront
    orders = [
        partner.post("/Orders/Create", {"orderReference": fresh("order"), "basketData": [line(product)]})
        for product in ("prd_0", side.away.card, side.neighbour_product)
    ]
    checkouts = [
        customer.post("/Storefront/Checkout/Create", {"items": [{"productId": product, "quantity": 1}]})
        for product in ("prd_0", side.away.card, side.neighbour_product)
    ]

    for answers in (orders, checkouts):
        assert {answer.verdict for answer in answers} == {(409, -200)}
        assert len({answer.anonymous for answer in answers}) == 1


@pytest.mark.requirement(87)
def test_lists_show_only_the_callers_own_objects(side: Side) -> None:
    home, away = side.home, side.away
    everything = {"pageSize": 200}

    products = _ids(home.reseller.data("/Products/List", everything), "customerStoreProductId")
    offers = _ids(home.supplies.data("/Supplier/Products/List", everything), "productId")
    waiting = _ids(home.supplies.data("/Supplier/Orders/Awaiting", everything), "orderDetailId")
    sessions = _ids(home.storefront.data("/Storefront/Customers/Sessions/List", everything), "sessionId")
    foreign = home.reseller.data("/Products/List", {"categoryId": side.foreign.category_id})

    assert home.card in products
    assert not {away.card, away.topup, side.neighbour_product} & products
    assert home.card in offers
    assert not {away.card, side.neighbour_product} & offers
    assert side.goods.awaiting_id in waiting
    assert side.foreign.awaiting_id not in waiting
    assert side.goods.session_id in sessions
    assert not {side.foreign.session_id, side.neighbour.session_id} & sessions
    assert foreign["items"] == []
    assert [one["categoryId"] for one in home.reseller.get("/Categories").data["items"]] == [side.goods.category_id]


def test_two_partners_of_one_tenant_may_use_one_reference(side: Side, operator: Operator) -> None:
    reference = side.neighbour.order_reference

    placed = side.home.reseller.data("/Orders/Create", side.home.order(reference=reference))

    assert placed["orderId"] != side.neighbour.order_id
    assert side.home.reseller.data("/Orders/Get", {"orderReference": reference})["orderId"] == placed["orderId"]


@pytest.mark.requirement(201)
def test_headers_that_name_another_tenant_are_ignored(side: Side) -> None:
    names = ("X-Forwarded-Host", "X-Original-Host", "X-Host", "X-Tenant-ID", "X-Original-URL", "X-Rewrite-URL")
    lines = [(name, side.away.host) for name in names]
    lines += [("Forwarded", f"host={side.away.host}"), ("X-Forwarded-For", "203.0.113.7")]
    client = side.home.client(Surface.RESELLER, lines)

    assert client.get("/Account/Details").data["accountId"] == side.home.partner
    assert side.home.client(None, [*lines, *bearer(side.away.partner_token)]).get("/Account/Details").verdict == (
        401,
        -21,
    )
    assert side.home.client(None, [*lines, *api_key(side.away.supplier_key.text)]).post(
        "/Supplier/Products/List"
    ).verdict == (401, -23)


@pytest.mark.requirement(205)
def test_two_tenants_taking_turns_on_one_connection_never_see_each_other(side: Side) -> None:
    client = side.home.client()
    shops = (side.home, side.away)
    for turn in range(60):
        shop = shops[turn % 2]
        client.host = shop.host
        assert client.get("/Account/Details", bearer(shop.partner_token)).data["accountId"] == shop.partner
        assert client.get("/Account/Details", bearer(shops[1 - turn % 2].partner_token)).verdict == (401, -21)


def _ids(page: dict[str, list[dict[str, str]]], name: str) -> set[str]:
    return {one[name] for one in page["items"]}
