"""Many clients mix requests of two tenants on the same connections: none ever gets the other's data (R205)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.gate.scopes import Surface
from tests.support.client import api_key, bearer, request_bytes
from tests.support.shop import Shop
from tests.support.wire import Connection

pytestmark = pytest.mark.requirement(205)

THREADS, ROUNDS, BATCH_SIZE = 8, 1_000, 10
Row = tuple[bytes, int, str]


def rows_of(shop: Shop, other: Shop) -> list[Row]:
    """Requests of a shop, each with the expected status and text of the response: its own names, or a refusal."""
    profile = request_bytes("POST", "/Storefront/Customers/Profile", shop.host, shop.lines(Surface.STOREFRONT))
    return [
        (request_bytes("GET", "/Account/Details", shop.host, bearer(shop.partner_token)), 200, shop.partner_email),
        (profile, 200, shop.customer_email),
        (request_bytes("GET", "/Account/Details", shop.host, bearer(other.partner_token)), 401, '"code":-21'),
        (request_bytes("POST", "/Supplier/Products/List", shop.host, shop.lines(Surface.SUPPLIER)), 200, shop.card),
        (
            request_bytes("POST", "/Supplier/Products/List", shop.host, api_key(other.supplier_key.text)),
            401,
            '"code":-23',
        ),
        (request_bytes("POST", f"/Products/Detail/{shop.card}", shop.host, bearer(shop.partner_token)), 200, shop.card),
        (
            request_bytes("POST", f"/Products/Detail/{other.card}", shop.host, bearer(shop.partner_token)),
            404,
            '"code":-3',
        ),
    ]


def leaks(port: int, mixed: list[Row], foreign: dict[int, list[str]], start: int) -> list[str]:
    """Wrong or leaking responses to a thousand requests of a client on one connection, several in flight at a time."""
    seen = []
    with Connection(port) as connection:
        for first in range(0, ROUNDS, BATCH_SIZE):
            numbers = [(start + first + step) % len(mixed) for step in range(BATCH_SIZE)]
            connection.send(b"".join(mixed[number][0] for number in numbers))
            for number in numbers:
                answer = connection.receive()
                text = answer.raw.decode("utf-8")
                _, status, own = mixed[number]
                if answer.status != status or own not in text or any(name in text for name in foreign[number % 2]):
                    seen.append(f"{number}: {text}")
    return seen


@pytest.mark.requirement(205)
def test_mixed_requests_on_kept_alive_connections_leak_nothing(fresh_shop: Shop, unlimited_shop: Shop) -> None:
    mixed = [
        row
        for pair in zip(rows_of(fresh_shop, unlimited_shop), rows_of(unlimited_shop, fresh_shop), strict=True)
        for row in pair
    ]
    foreign = {
        number % 2: [other.host, other.id, other.card, other.topup, other.partner, other.customer]
        for number, other in ((0, unlimited_shop), (1, fresh_shop))
    }
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda start: leaks(fresh_shop.site.port, mixed, foreign, start), range(THREADS)))
    assert [one for seen in found for one in seen[:1]] == []
