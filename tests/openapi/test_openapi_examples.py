"""The examples work: a shop with the objects that they name returns the documented responses."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from bedesten.apidocs.openapi.operations import example_body, takes_body
from bedesten.gate.api_keys import SAMPLE_KEY
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route
from bedesten.http.schemas import encode
from bedesten.orders.model import PROCESSING
from bedesten.surfaces import example_values, webhooks
from bedesten.surfaces.operations import ROUTES
from tests.support.client import ABSENT, api_key, bearer
from tests.support.expected_routes import EXPECTED_ROUTES, credential_for
from tests.support.operator_actions import Operator
from tests.support.sample_shop import HOST, open_sample_shop, order_rejected
from tests.support.shop import Shop
from tests.support.sites import Site
from tests.support.wire import Answer

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
VARYING = {"token", "key", "hint", "id", "presented", "previous", "lastUses", "expires", "deliveryData"} | {
    "deliveryItems",
    "batchId",
    "transferId",
    "skipped",
    "secret",
    "outboundKey",
    "eventIds",
    "endpointId",
}
"""Members whose values differ with each response."""
EXCEPTIONS: dict[str, dict[str, object]] = {
    "GET /Account/Details": {
        "balance": Decimal("-5.00"),
        "available": Decimal("-12.25"),
        "spendable": Decimal("487.75"),
    },
    "POST /Account/LowBalance": {"spendable": Decimal("487.75")},
    "POST /Supplier/Stock/Recall": {"sold": 0, "unknown": 1, "complaintsLeft": 0},
    "POST /Storefront/Orders/Get": {"state": "awaitingPayment", "items.0.status": PROCESSING, "items.0.delivered": 0},
    "POST /Storefront/Payments/Status": {
        "state": "created",
        "captured": Decimal("0.00"),
        "orderState": "awaitingPayment",
        "expires": ...,
        "redirectUrl": f"https://pay.example/{example_values.STARTED_PAYMENT}",
    },
    "POST /Supplier/Stock/Upload": {"added": 0, "duplicates": 1, "available": 12},
    "POST /Supplier/Stock/Withdraw": {"withdrawn": 0, "unknown": 1},
    "POST /Account/Statement": {"openingBalance": Decimal("0.00"), "items.0.balance": Decimal("-5.00")},
    "POST /Storefront/Wallet/Get": dict.fromkeys(("balance", "available", "spendable"), Decimal("0.00")),
    **{
        f"POST {path}/Webhooks/Endpoints/List": {
            "items.1.endpointId": ...,
            "items.1.url": webhooks.URL,
            "items.1.state": "active",
            "items.1.created": "a time",
            "items.1.failingSince": None,
            "items.1.previousSecretEnds": None,
            **{f"items.1.eventTypes.{at}": one for at, one in enumerate(webhooks.TYPES[surface])},
        }
        for path, surface in (("", Surface.RESELLER), ("/Supplier", Surface.SUPPLIER), ("/Payment", Surface.PAYMENT))
    },
    "POST /Payment/Keys/Revoke": {"revoked": False},
    "POST /Supplier/Keys/Revoke": {"revoked": False},
}
"""Values that differ because the shop's state differs from the example's."""
NOTHING_YET = {"POST /Supplier/Stock/List"}
"""Lists that are empty in this shop."""
OTHER_LISTS = {"POST /Storefront/Wallet/Get", "POST /Supplier/Statement"}
"""Operations whose `items` differ from the example's: another line was paid and delivered."""


@pytest.fixture(scope="module")
def answers(site: Site, operator: Operator) -> dict[str, Answer]:
    """The responses to all examples, sent in the order of the route tables."""
    shop = open_sample_shop(site, operator)
    found = {}
    for route in ROUTES:
        if route.endpoint == "POST /Supplier/Orders/Reject":
            order_rejected(shop)
        found[route.endpoint] = ask(shop, route)
    return found


def ask(shop: Shop, route: Route) -> Answer:
    """Sends the example unchanged; returns the response."""
    assert route.example is not None
    expected_route = replace(
        EXPECTED_ROUTES[route.method, route.path], spends=route.path.endswith(("Keys/Rotate", "Keys/Revoke"))
    )
    if route.access.surface is Surface.RESELLER:
        shop.partner_token = shop.token(Surface.RESELLER, shop.partner)
    if route.access.surface is Surface.STOREFRONT:
        shop.customer_token = shop.signed_in(
            shop.customer, example_values.SESSION if "Sessions" in route.path else None
        )
    path = route.path.partition("{")[0] + route.example.argument
    body = example_body(route) if takes_body(route) else ABSENT
    return shop.client(None, credential_for(shop, expected_route)).call(route.method, path, body)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.endpoint)
def test_an_example_gets_its_documented_response(answers: dict[str, Answer], route: Route) -> None:
    assert route.example is not None
    outcome = json.loads(encode(route.example.data), parse_float=Decimal)

    answer = answers[route.endpoint]

    assert answer.verdict == (200, None), answer.body
    if route.endpoint in NOTHING_YET:
        outcome = {"items": [], "nextCursor": None}
    shown = answer.data
    if route.endpoint in OTHER_LISTS:
        shown, outcome = shown | {"items": []}, outcome | {"items": []}
    assert dict(leaves(shown)) == dict(leaves(outcome)) | EXCEPTIONS.get(route.endpoint, {})


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every member's path and value; varying members without their values."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from [(f"{path}{name}", ...)] if name in VARYING else leaves(part, f"{path}{name}.")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from leaves(part, f"{path}{at}.")
    elif isinstance(value, str) and TIME.fullmatch(value):
        yield path.rstrip("."), "a time"
    else:
        yield path.rstrip("."), value


def test_the_example_credentials_are_refused(answers: dict[str, Answer], site: Site) -> None:
    assert answers
    assert site.client(HOST, bearer(example_values.BEARER)).get("/Account/Details").verdict == (401, -21)
    assert site.client(HOST, api_key(SAMPLE_KEY)).post("/Supplier/Keys/Get").verdict == (401, -23)
