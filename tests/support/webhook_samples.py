"""Webhook endpoints and deliveries of a shop's partner and supplier, for requests that are right."""

from bedesten.gate.scopes import Surface
from tests.support.shop import Shop

URL = "https://hooks.example/bedesten"


def path_of(surface: Surface, operation: str) -> str:
    """The path of an operation on webhooks."""
    return f"{'' if surface is Surface.RESELLER else '/Supplier'}/Webhooks/{operation}"


def call(shop: Shop, surface: Surface, operation: str, body: dict[str, object]) -> dict[str, object]:
    """The data of an answer to the account itself."""
    client = shop.reseller if surface is Surface.RESELLER else shop.supplies
    data: dict[str, object] = client.data(path_of(surface, operation), body)
    return data


def endpoints(shop: Shop, surface: Surface) -> tuple[str, str]:
    """Two fresh endpoints of the account. Those of earlier calls are deleted, so that there is always room."""
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
