"""The platform's main flows, with the library against a real server, for both kinds of client."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import httpx2
import pytest

from bedesten_client import (
    AsyncPaymentClient,
    AsyncResellerClient,
    AsyncStorefrontClient,
    AsyncSupplierClient,
    BasketLine,
    CheckoutItem,
    Conflict,
    LineStatus,
    NotFound,
    Offer,
    PaymentClient,
    RequireData,
    ResellerClient,
    StorefrontClient,
    SupplierClient,
)
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh

Http = httpx2.Client
MakeHttp = Callable[[], httpx2.AsyncClient]
PLAYER = (RequireData(product_require_id="player", value="p-77", identifier="Player"),)


def partner(shop: Shop, http: Http) -> ResellerClient:
    return ResellerClient(shop.host, email=shop.partner_email, password=PASSWORD, http=http)


def test_a_partner_orders_from_stock_and_reads_the_codes(shop: Shop, http: Http) -> None:
    client = partner(shop, http)
    reference = fresh("client")
    placed = client.create_order(reference, [BasketLine("1", shop.card, 2, max_unit_price=Decimal("5.00"))])
    assert (placed.total, placed.currency) == (Decimal("10.00"), "USD")
    assert placed.details[0].status == LineStatus.DELIVERED
    order = client.get_order(order_reference=reference)
    assert order.order_id == placed.order_id
    assert len(order.details[0].delivery_data or ()) == 2
    assert client.order_detail(placed.details[0].order_detail_id) == order.details[0]
    assert client.create_order(reference, [BasketLine("1", shop.card, 2, max_unit_price=5)]).order_id == order.order_id
    with pytest.raises(Conflict) as refused:
        client.create_order(reference, [BasketLine("1", shop.card, 3)])
    assert (refused.value.code, refused.value.status) == (-8, 409)
    assert (refused.value.request_id or "").startswith("req_")


def test_a_supplier_delivers_an_order_line(shop: Shop, http: Http) -> None:
    buyer, seller = partner(shop, http), SupplierClient(shop.host, key=shop.supplier_key.text, http=http)
    placed = buyer.create_order(fresh("client"), [BasketLine("a", shop.topup, 1, require_data=PLAYER)])
    line = placed.details[0].order_detail_id
    assert placed.details[0].status == LineStatus.PROCESSING
    waiting = next(one for one in seller.each_awaiting(page_size=1) if one.order_detail_id == line)
    assert waiting.require_data == PLAYER
    assert seller.deliver(line, notes=["charged"]).status == LineStatus.DELIVERED
    assert buyer.order_detail(line).delivery_note == ("charged",)


def test_a_partner_reads_the_catalogue_and_its_account(shop: Shop, http: Http) -> None:
    client = partner(shop, http)
    assert [one.name for one in client.categories()] == [shop.category]
    ids = [one.customer_store_product_id for one in client.each_product(page_size=1)]
    assert len(set(ids)) == len(ids)
    assert {shop.card, shop.topup} <= set(ids)
    assert client.list_products(page_size=1).next_cursor is not None
    assert client.product(shop.topup).require_data[0].product_require_id == "player"
    account = client.account()
    assert account.email == shop.partner_email
    assert account.available == account.balance - account.held
    with pytest.raises(NotFound):
        client.product("prd_nothing")


def test_a_client_requests_a_region(shop: Shop, http: Http) -> None:
    regional = shop.regional("TR")
    client = partner(shop, http)
    assert client.with_options(region="TR").product(regional).region == "TR"
    with pytest.raises(NotFound):
        client.product(regional)


def test_a_supplier_uploads_products_and_stock(shop: Shop, http: Http) -> None:
    seller = SupplierClient(shop.host, key=shop.supplier_key.text, http=http)
    sku = fresh("sku")
    made = seller.upsert_products([Offer(sku, "Esim", Decimal("1.25"))]).items[0]
    assert (made.sku, made.cost, made.offered) == (sku, Decimal("1.25"), True)
    codes = [fresh("client-code") for _ in range(3)]
    assert seller.upload_stock(made.product_id, codes).added == 3
    again = seller.upload_stock(made.product_id, codes)
    assert (again.added, again.duplicates, again.available) == (0, 3, 3)
    assert made.product_id in {one.product_id for one in seller.each_product(page_size=2)}


def test_a_customer_checks_out_and_a_payment_service_captures(shop: Shop, http: Http) -> None:
    customer = StorefrontClient(shop.host, email=shop.customer_email, password=PASSWORD, http=http)
    service = PaymentClient(shop.host, key=shop.payment_key.text, http=http)
    checkout = customer.create_checkout([CheckoutItem(shop.card, 1)], reference=fresh("client"))
    assert checkout.state == "awaitingPayment"
    payment = service.create_payment(checkout.order_id, checkout.total, fresh("client"), currency="USD")
    assert service.capture_payment(payment.payment_id).state == "captured"
    assert service.capture_payment(payment.payment_id).state == "captured"
    order = customer.get_order(checkout.order_id)
    assert (order.state, len(order.items[0].delivery_data or ())) == ("placed", 1)
    assert customer.profile().email == shop.customer_email


def test_a_payment_service_books_a_deposit(shop: Shop, http: Http) -> None:
    service = PaymentClient(shop.host, key=shop.payment_key.text, http=http)
    deposit = service.create_deposit(shop.partner_email, Decimal("12.34"), fresh("client"))
    assert (deposit.state, deposit.amount) == ("created", Decimal("12.34"))
    assert service.confirm_deposit(deposit.deposit_id).state == "confirmed"


def test_a_customer_has_a_session(shop: Shop, http: Http) -> None:
    client = StorefrontClient(shop.host, http=http)
    email, new = f"{fresh('new')}@customer.example", "thirteen lamps in the khan"
    assert client.list_products(page_size=1).items
    assert client.product(shop.card).name == "Card 5"
    assert client.register(email, PASSWORD, name="New").status == "accepted"
    client.login(email, PASSWORD)
    assert client.profile().name == "New"
    first = client.refresh()
    assert first.token.reveal() not in repr(first)
    client.change_password(PASSWORD, new)
    assert client.profile().email == email
    assert client.logout().status == "ended"
    client.login(email, new)
    assert client.logout(everywhere=True).status == "ended"


def test_asyncio_does_the_same(shop: Shop, http_async: MakeHttp) -> None:
    async def scenario() -> None:
        async with http_async() as http:
            buyer = AsyncResellerClient(shop.host, email=shop.partner_email, password=PASSWORD, http=http)
            seller = AsyncSupplierClient(shop.host, key=shop.supplier_key.text, http=http)
            customer = AsyncStorefrontClient(shop.host, email=shop.customer_email, password=PASSWORD, http=http)
            service = AsyncPaymentClient(shop.host, key=shop.payment_key.text, http=http)
            placed = await buyer.create_order(fresh("client"), [BasketLine("a", shop.topup, 1, require_data=PLAYER)])
            line = placed.details[0].order_detail_id
            waiting = [one.order_detail_id async for one in seller.each_awaiting(page_size=1)]
            assert line in waiting
            await seller.deliver(line, [fresh("client-code")])
            assert (await buyer.order_detail(line)).status == LineStatus.DELIVERED
            checkout = await customer.create_checkout([CheckoutItem(shop.card, 1)])
            payment = await service.create_payment(checkout.order_id, checkout.total, fresh("client"))
            assert (await service.capture_payment(payment.payment_id)).state == "captured"
            assert (await customer.get_order(checkout.order_id)).state == "placed"
            assert (await customer.refresh()).token.reveal()
            with pytest.raises(NotFound):
                await buyer.product("prd_nothing")

    asyncio.run(scenario())


def test_keys_are_read_rotated_and_revoked(shop: Shop, http: Http) -> None:
    from bedesten.gate.scopes import Surface

    key = shop.operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    client = SupplierClient(shop.host, key=key.text, http=http)
    assert client.get_key().id == key.id
    rotated = client.rotate_key(grace_seconds=60)
    assert rotated.key.reveal() not in repr(rotated)
    fresh_one = SupplierClient(shop.host, key=rotated.key, http=http)
    assert fresh_one.get_key().presented == "current"
    assert client.get_key().presented == "previous"
    assert fresh_one.revoke_key(previous=True).revoked is True
    assert fresh_one.revoke_key().revoked is True
