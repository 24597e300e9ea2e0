"""The documents on every tenant's host: made for that host, with the tenant's operations, and cacheable."""

import json
import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from bedesten.apidocs.openapi_routes import document, server_url
from bedesten.gate.scopes import Surface
from bedesten.http.schemas import encode
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site

SURFACES = list(Surface)


@pytest.fixture(scope="module")
def shop(site: Site, operator: Operator) -> Shop:
    return open_shop(site, operator, "documented", stock=10)


@pytest.mark.parametrize("surface", SURFACES)
def test_the_document_is_made_for_the_requested_host(shop: Shop, surface: Surface) -> None:
    answer = shop.client().get(f"/openapi/{surface}.json")

    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.body == encode(document(surface, f"https://{shop.host}"))
    assert list(OpenAPIV31SpecValidator(json.loads(answer.body)).iter_errors()) == []


@pytest.mark.parametrize(
    ("authority", "url"),
    [
        (b"api.shop.example", "https://api.shop.example"),
        (b"API.Shop.Example", "https://api.shop.example"),
        (b"api.shop.example.", "https://api.shop.example"),
        (b"API.shop.example.:443", "https://api.shop.example"),
        (b"api.shop.example:8080", "https://api.shop.example"),
        (b"127.example:80", "https://127.example"),
        (b"notlocalhost:80", "https://notlocalhost"),
        (b"localhost", "http://localhost"),
        (b"LOCALHOST.:8080", "http://localhost:8080"),
        (b"api.acme.localhost:8080", "http://api.acme.localhost:8080"),
        (b"127.0.0.1", "http://127.0.0.1"),
        (b"127.0.0.1:8080", "http://127.0.0.1:8080"),
        (b"[::1]", "http://[::1]"),
        (b"[0::1]:8080", "http://[::1]:8080"),
    ],
)
def test_only_a_loopback_host_keeps_its_port(authority: bytes, url: str) -> None:
    assert server_url(authority) == url


def test_a_client_with_the_current_document_gets_304(shop: Shop) -> None:
    client = shop.client()
    first = client.get("/openapi/supplier.json")
    tag = first.header("etag") or ""

    again = client.get("/openapi/supplier.json", [("If-None-Match", f'"other", W/{tag}')])
    other = client.get("/openapi/supplier.json", [("If-None-Match", '"other"')])

    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    assert first.header("cache-control") == "public, max-age=300"
    assert first.header("vary") == "Host"
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    assert (other.status, other.body) == (200, first.body)


def test_the_etag_depends_on_the_host(shop: Shop, other_shop: Shop) -> None:
    tags = {one.client().get("/openapi/reseller.json").header("etag") for one in (shop, other_shop)}
    assert len(tags) == 2


def test_a_surface_that_is_switched_off_has_no_document(site: Site, operator: Operator) -> None:
    shut = open_shop(site, operator, "shut-document", stock=1)
    assert shut.client().get("/openapi/payment.json").status == 200

    operator.switch(shut.id, "payment", False)

    assert shut.client().get("/openapi/payment.json").verdict == (404, -3)
    assert shut.client().get("/openapi/supplier.json").status == 200

    operator.switch(shut.id, "POST /Payment/Keys/Get", True)
    text = shut.client().get("/openapi/payment.json").body
    assert b"Keys/Get" in text
    assert b"Deposits" not in text


def test_descriptions_do_not_link_to_a_surface_that_is_switched_off(site: Site, operator: Operator) -> None:
    lone = open_shop(site, operator, "lonely", stock=1)
    link = f"https://{lone.host}/documentation/surfaces/payment".encode()
    assert link in lone.client().get("/openapi/storefront.json").body

    operator.switch(lone.id, "payment", False)

    text = lone.client().get("/openapi/storefront.json").body
    assert link not in text
    assert b"captures a payment of the order" in text


def test_an_endpoint_that_is_switched_off_is_not_in_the_document(site: Site, operator: Operator) -> None:
    narrow = open_shop(site, operator, "narrowly", stock=1)
    for endpoint in ("POST /Orders/Create", "POST /Orders/Validate"):
        operator.switch(narrow.id, endpoint, False)

    document = json.loads(narrow.client().get("/openapi/reseller.json").body)
    assert "/Orders/Create" not in json.dumps(document)
    assert "CreateOrder" not in document["components"]["schemas"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize(
    "name",
    [
        "nothing.json",
        "reseller",
        "reseller.",
        "reseller.yaml",
        ".json",
        "reseller.json.gz",
        "%72eseller.json",
        "reseller.postman.json",
        "reseller.curl.txt",
    ],
)
def test_other_names_are_not_found(shop: Shop, name: str) -> None:
    assert shop.client().get(f"/openapi/{name}").verdict == (404, -3)


def test_a_name_is_case_insensitive_and_needs_no_credential(shop: Shop) -> None:
    assert shop.client().get("/OpenAPI/Reseller.JSON").status == 200
    garbage = [("Authorization", "garbage"), ("ApiKey", "garbage")]
    assert shop.client(None, garbage).get("/openapi/reseller.json").status == 200
    assert shop.client().post("/openapi/reseller.json", {}).verdict == (405, -4)


def test_a_suspended_tenant_and_an_unknown_host_have_no_documents(site: Site, operator: Operator) -> None:
    closed = open_shop(site, operator, "documents-closed", stock=1)
    operator.suspend(closed.id)

    assert closed.client().get("/openapi/reseller.json").verdict == (421, -10)
    assert site.client("api.nowhere.example").get("/openapi/reseller.json").verdict == (421, -10)
