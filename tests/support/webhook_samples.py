"""Webhook endpoints and deliveries of a shop's partner, supplier and integration, for valid requests."""

from bedesten.gate.scopes import Surface
from tests.support.shop import Shop

URL = "https://hooks.example/bedesten"


def path_of(surface: Surface, operation: str) -> str:
    """The path of an operation on webhooks."""
    prefix = "" if surface is Surface.RESELLER else f"/{surface.value.title()}"
    return f"{prefix}/Webhooks/{operation}"


def call(shop: Shop, surface: Surface, operation: str, body: dict[str, object]) -> dict[str, object]:
    """Calls an operation as the account itself; returns the answer's data."""
    clients = {Surface.RESELLER: shop.reseller, Surface.SUPPLIER: shop.supplies, Surface.PAYMENT: shop.payments}
    client = clients[surface]
    data: dict[str, object] = client.data(path_of(surface, operation), body)
    return data


def endpoints(shop: Shop, surface: Surface) -> tuple[str, str]:
    """Creates two fresh endpoints of the account. Deletes those of earlier calls, to stay below the limit."""
    listed = call(shop, surface, "Endpoints/List", {})["items"]
    assert isinstance(listed, list)
    for one in listed:
        if one["url"] == URL:
            call(shop, surface, "Endpoints/Delete", {"endpointId": one["endpointId"]})
    return _create(shop, surface), _create(shop, surface)


def _create(shop: Shop, surface: Surface) -> str:
    made = call(shop, surface, "Endpoints/Create", {"url": URL, "eventTypes": ["endpoint.test"]})["endpoint"]
    assert isinstance(made, dict)
    return str(made["endpointId"])
