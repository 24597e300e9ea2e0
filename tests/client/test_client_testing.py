"""The fake shop responds to a partner like the real server, and records requests."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from bedesten_client import (
    AsyncResellerClient,
    BasketLine,
    Conflict,
    LoginRefused,
    NoResponse,
    NotFound,
    PaymentClient,
    RequireData,
    ResellerClient,
    ServerError,
    StorefrontClient,
    SupplierClient,
    TooManyRequests,
    Unauthorized,
)
from bedesten_client.schemas import Schema
from bedesten_client.testing import FakeShop
from bedesten_client.webhooks import wsgi_receiver
from tests.client.test_client_webhooks import HOOK, Handled, _wsgi
from tests.support.operator_actions import PASSWORD
from tests.support.receiver import receiving
from tests.support.shop import Shop, fresh, open_shop

PLAYER = (RequireData(product_require_id="player", value="p-77", identifier="Player"),)
ACCIDENTS = ("_id", "reference", "created", "updated", "name", "email", "description", "category")


def outcome(result: object) -> object:
    """Return a result, or the number of a refusal, without values that differ between shops."""
    if isinstance(result, Schema):
        return {
            name: outcome(getattr(result, name))
            for name in result.__struct_fields__
            if not name.endswith(ACCIDENTS)
            and name not in ("delivery_data", "delivery_items", "scopes", "balance", "held")
        } | ({"codes": len(result.delivery_data or ())} if hasattr(result, "delivery_data") else {})
    if isinstance(result, tuple):
        return [outcome(one) for one in result]
    return result


def attempt(call: Any, *arguments: Any, **options: Any) -> object:
    try:
        return outcome(call(*arguments, **options))
    except (Conflict, NotFound, Unauthorized) as refused:
        items = refused.data["items"] if isinstance(refused.data, dict) else []
        return refused.code, refused.status, [one["reason"] for one in items]


def scenario(client: ResellerClient, card: str, topup: str, ours: str) -> list[object]:
    """Perform a partner's calls and return their results."""
    line = BasketLine("1", card, 2)
    wanting = BasketLine("2", topup, 1, require_data=PLAYER)
    return [
        attempt(client.product, card),
        attempt(client.product, topup),
        attempt(client.product, "prd_nothing"),
        attempt(client.create_order, ours, [line, wanting]),
        attempt(client.create_order, ours, [line, wanting]),
        attempt(client.create_order, ours, [line]),
        attempt(client.create_order, f"{ours}-x", [BasketLine("1", "prd_nothing", 1)]),
        attempt(client.create_order, f"{ours}-y", [BasketLine("1", card, 500)]),
        attempt(client.create_order, f"{ours}-z", [BasketLine("1", card, 1, max_unit_price=Decimal("4.99"))]),
        attempt(client.create_order, f"{ours}-w", [BasketLine("1", topup, 1)]),
        attempt(client.get_order, order_reference=ours),
        attempt(client.get_order, order_reference="nothing"),
        attempt(client.order_detail, client.get_order(order_reference=ours).details[1].order_detail_id),
        attempt(client.order_detail, "odl_nothing"),
        len(list(client.each_product(page_size=1))),
        [one.products for one in client.categories()],
        attempt(client.account)["currency"],  # type: ignore[index]
    ]


def test_the_fake_shop_responds_to_a_partner_like_the_real_server(shop: Shop, http: httpx2.Client) -> None:
    own = open_shop(shop.site, shop.operator, fresh("likeness"), stock=10)
    run_process = ResellerClient(own.host, email=own.partner_email, password=PASSWORD, http=http)
    with FakeShop() as fake:
        card = fake.add_product("Card 5", "5.00", codes=[f"C{one}" for one in range(10)], category="Cards")
        topup = fake.add_product("Top-up", "7.25", category="Cards", require_data=["player"])
        with ResellerClient(fake.url, email=fake.email, password=fake.password) as client:
            assert scenario(client, card, topup, "r") == scenario(run_process, own.card, own.topup, fresh("r"))


def test_the_fake_shop_records_requests_without_credentials() -> None:
    with FakeShop() as fake, ResellerClient(fake.url, email=fake.email, password=fake.password) as client:
        card = fake.add_product("Card", 5, codes=["A"])
        client.create_order("r", [BasketLine("1", card, 1)])
        client.product(card)
        login, order, product = fake.requests
        assert (login.operation, order.operation) == ("POST /Login/Customer/Api/Verify", "POST /Orders/Create")
        assert (product.operation, product.argument) == ("POST /Products/Detail/{id}", card)
        assert order.body["orderReference"] == "r"
        assert order.headers["user-agent"].startswith("bedesten-client")
        assert fake.password not in repr(fake.requests)
        assert "authorization" not in order.headers


def test_money_and_stock_run_out() -> None:
    with FakeShop(balance=12) as fake, ResellerClient(fake.url, email=fake.email, password=fake.password) as client:
        card = fake.add_product("Card", 5, codes=["A", "B", "C"])
        client.create_order("1", [BasketLine("1", card, 2)])
        with pytest.raises(Conflict) as poor:
            client.create_order("2", [BasketLine("1", card, 1)])
        assert poor.value.code == -300
        assert client.account().available == Decimal("2.00")


def test_responses_can_be_scripted() -> None:
    with FakeShop() as fake, SupplierClient(fake.url, key=fake.key) as client:
        fake.respond("POST /Supplier/Stock/Upload", {"added": 2, "duplicates": 0, "available": 2})
        assert client.upload_stock("prd_1", ["A", "B"]).added == 2
        assert fake.requests[-1].body["codes"] == ["A", "B"]
        with pytest.raises(ServerError, match="script it"):
            client.with_options(attempts=1).get_key()
        fake.refuse("POST /Supplier/Stock/Upload", 429, -7, retry_after=60)
        with pytest.raises(TooManyRequests) as busy:
            client.upload_stock("prd_1", ["A"])
        assert busy.value.retry_after == 60
        with pytest.raises(ValueError, match="has the form of the reference"):
            fake.respond("Stock/Upload", {})


def test_failures_can_be_scripted() -> None:
    with FakeShop() as fake, ResellerClient(fake.url, email=fake.email, password=fake.password) as client:
        card = fake.add_product("Card", 5, codes=["A", "B"])
        fake.drop_connection("POST /Orders/Create")
        client.create_order("r", [BasketLine("1", card, 1)])
        assert [one.operation for one in fake.requests].count("POST /Orders/Create") == 2
        assert len(client.get_order(order_reference="r").details[0].delivery_data or ()) == 1
        fake.revoke_tokens()
        client.account()
        fake.drop_connection("GET /Account/Details", processed=False)
        with pytest.raises(NoResponse):
            client.with_options(attempts=1).account()
    with FakeShop() as fake, PaymentClient(fake.url, key=fake.key) as payments:
        fake.rotate_key()
        with pytest.raises(Unauthorized):
            payments.get_key()
    with (
        FakeShop() as fake,
        ResellerClient(fake.url, email=fake.email, password="wrong") as stranger,
        pytest.raises(LoginRefused),
    ):
        stranger.account()


def test_a_waiting_line_is_delivered_and_sends_a_webhook() -> None:
    with FakeShop() as fake, ResellerClient(fake.url, email=fake.email, password=fake.password) as client:
        esim = fake.add_product("eSIM", "3.50")
        line = client.create_order("r", [BasketLine("1", esim, 1)]).details[0].order_detail_id
        assert client.account().held == Decimal("3.50")
        fake.deliver(line, ["ACTIVATE"], notes=["scan it"])
        handled = Handled()
        with _wsgi(wsgi_receiver(fake.webhook_secret, handled)) as port:
            assert fake.send_webhook(f"http://127.0.0.1:{port}{HOOK}", line, event_id="evt_1") == 204
            assert fake.send_webhook(f"http://127.0.0.1:{port}{HOOK}", line, event_id="evt_1") == 204
        assert [one.delivery_data for one in handled.events] == [("ACTIVATE",)]
        assert client.order_detail(line).delivery_note == ("scan it",)


def test_asyncio_and_the_storefront_work_with_it() -> None:
    async def ordered(fake: FakeShop, card: str) -> int:
        async with AsyncResellerClient(fake.url, email=fake.email, password=fake.password) as client:
            return (await client.create_order("r", [BasketLine("1", card, 1)])).details[0].status

    with FakeShop() as fake:
        card = fake.add_product("Card", 5, codes=["A"])
        assert asyncio.run(ordered(fake, card)) == 1
        with StorefrontClient(fake.url) as visitor:
            assert visitor.product(card).name == "Card"


@pytest.mark.parametrize("wrong", ["player", [{"productRequireId": "player"}]])
def test_requirements_of_a_product_are_ids(wrong: Any) -> None:
    with FakeShop() as fake, pytest.raises(TypeError, match="list of ids"):
        fake.add_product("Top-up", "5.00", require_data=wrong)


def test_a_test_event_is_sent_with_the_endpoint_s_own_signature() -> None:
    with (
        FakeShop() as fake,
        receiving() as receiver,
        ResellerClient(fake.url, email=fake.email, password=fake.password) as client,
    ):
        made = client.create_endpoint(receiver.url)
        second = client.rotate_endpoint(made.endpoint.endpoint_id, overlap_seconds=60).secret
        queued = client.test_endpoint(made.endpoint.endpoint_id)
        assert fake.send_due() == [204]
        (notice,) = receiver.got
        for secret in (made.secret, second):
            Webhook(secret.reveal()).verify(notice.body, notice.headers)
        assert (notice.headers["webhook-id"],) == queued.event_ids
        (delivery,) = client.list_deliveries().items
        assert (delivery.state, [one.status for one in delivery.attempts]) == ("delivered", [204])
        assert client.replay_deliveries(delivery.delivery_id).replayed == 1
        assert fake.send_due() == [204]
