"""The documents on every tenant's host: for that host, of what the tenant has, cached, and with lines that work."""

import json
import os
import re
import subprocess
from itertools import takewhile

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from bedesten.apidocs.openapi.collection import curl_lines
from bedesten.apidocs.openapi_routes import document, server_url
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route
from bedesten.http.shapes import encode
from bedesten.surfaces import example_values
from bedesten.surfaces.operations import ROUTES
from tests.support.backoffice import PASSWORD, Operator
from tests.support.client import ABSENT, Lines, api_key, bearer
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site

FORMS = ("json", "postman.json", "curl.txt")
SURFACES = list(Surface)


@pytest.fixture(scope="module")
def shop(site: Site, operator: Operator) -> Shop:
    return open_shop(site, operator, "documented", stock=10)


@pytest.mark.parametrize("surface", SURFACES)
def test_the_document_is_the_surfaces_for_the_host_that_was_asked(shop: Shop, surface: Surface) -> None:
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
def test_the_server_is_the_configured_host_and_a_port_counts_on_loopback_only(authority: bytes, url: str) -> None:
    assert server_url(authority) == url


@pytest.mark.parametrize("form", FORMS)
def test_a_document_is_not_sent_again_to_who_has_it(shop: Shop, form: str) -> None:
    client = shop.client()
    first = client.get(f"/openapi/supplier.{form}")
    tag = first.header("etag") or ""

    again = client.get(f"/openapi/supplier.{form}", [("If-None-Match", f'"other", W/{tag}')])
    other = client.get(f"/openapi/supplier.{form}", [("If-None-Match", '"other"')])

    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    assert first.header("cache-control") == "public, max-age=300"
    assert first.header("vary") == "Host"
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    assert (other.status, other.body) == (200, first.body)


def test_the_tag_is_another_for_another_host(shop: Shop, other_shop: Shop) -> None:
    tags = {one.client().get("/openapi/reseller.json").header("etag") for one in (shop, other_shop)}
    assert len(tags) == 2


@pytest.mark.parametrize("form", FORMS)
def test_a_surface_that_is_switched_off_has_no_documents(site: Site, operator: Operator, form: str) -> None:
    shut = open_shop(site, operator, f"shut-{form.replace('.', '-')}", stock=1)
    path = f"/openapi/payment.{form}"
    assert shut.client().get(path).status == 200

    operator.switch(shut.id, "payment", False)

    assert shut.client().get(path).told == (404, -3)
    assert shut.client().get(f"/openapi/supplier.{form}").status == 200

    operator.switch(shut.id, "POST /Payment/Keys/Get", True)
    text = shut.client().get(path).body
    assert b"Keys/Get" in text
    assert b"Deposits" not in text


def test_texts_do_not_lead_to_a_surface_that_is_switched_off(site: Site, operator: Operator) -> None:
    lone = open_shop(site, operator, "lonely", stock=1)
    link = f"https://{lone.host}/documentation/surfaces/payment".encode()
    forms = ("json", "postman.json")
    assert all(link in lone.client().get(f"/openapi/storefront.{form}").body for form in forms)

    operator.switch(lone.id, "payment", False)

    for form in forms:
        text = lone.client().get(f"/openapi/storefront.{form}").body
        assert link not in text
        assert b"captures a payment of the order" in text


def test_an_endpoint_that_is_switched_off_is_in_no_document(site: Site, operator: Operator) -> None:
    narrow = open_shop(site, operator, "narrowly", stock=1)
    operator.switch(narrow.id, "POST /Orders/Create", False)

    for form, orders in zip(FORMS, ("/Orders/Create", '"Create"', "/Orders/Create"), strict=True):
        assert orders not in narrow.client().get(f"/openapi/reseller.{form}").body.decode()
    told = json.loads(narrow.client().get("/openapi/reseller.json").body)
    assert "CreateOrder" not in told["components"]["schemas"]
    assert list(OpenAPIV31SpecValidator(told).iter_errors()) == []


@pytest.mark.parametrize(
    "name", ["nothing.json", "reseller", "reseller.", "reseller.yaml", ".json", "reseller.json.gz", "%72eseller.json"]
)
def test_other_names_are_not_found(shop: Shop, name: str) -> None:
    assert shop.client().get(f"/openapi/{name}").told == (404, -3)


def test_a_name_is_matched_without_regard_to_case_and_needs_no_credential(shop: Shop) -> None:
    assert shop.client().get("/OpenAPI/Reseller.JSON").status == 200
    garbage = [("Authorization", "garbage"), ("ApiKey", "garbage")]
    assert shop.client(None, garbage).get("/openapi/reseller.json").status == 200
    assert shop.client().post("/openapi/reseller.json", {}).told == (405, -4)


def test_a_suspended_tenant_and_an_unknown_host_have_none(site: Site, operator: Operator) -> None:
    closed = open_shop(site, operator, "documents-closed", stock=1)
    operator.suspend(closed.id)

    assert closed.client().get("/openapi/reseller.json").told == (421, -10)
    assert site.client("api.nowhere.example").get("/openapi/reseller.json").told == (421, -10)


@pytest.mark.parametrize("surface", SURFACES)
def test_the_collection_has_every_operation_and_no_secret(shop: Shop, surface: Surface) -> None:
    told = json.loads(shop.client().get(f"/openapi/{surface}.postman.json").body)
    items = [item for folder in told["item"] for item in folder["item"]]

    sent = [
        f"{item['request']['method']} {item['request']['url']['raw'].removeprefix('{{baseUrl}}')}" for item in items
    ]
    assert sent == [
        route.endpoint.replace("{", ":").replace("}", "") for route in ROUTES if route.access.surface is surface
    ]
    assert told["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert {one["key"]: one["value"] for one in told["variable"]} == {
        "baseUrl": f"https://{shop.host}",
        "token" if surface.uses_tokens else "apiKey": "",
    }
    assert {item["request"].get("auth", told["auth"])["type"] for item in items} == (
        {"bearer", "noauth"} if surface.uses_tokens else {"apikey"}
    )
    for item in items:
        url = item["request"]["url"]
        assert "/".join(["{{baseUrl}}", *url["path"]]) == url["raw"]
        assert [f":{one['key']}" for one in url.get("variable", ())] == [part for part in url["path"] if part[0] == ":"]
        if "body" in item["request"]:
            assert json.loads(item["request"]["body"]["raw"]) is not None


def own(surface: Surface) -> list[Route]:
    return [route for route in ROUTES if route.access.surface is surface]


@pytest.mark.parametrize("surface", SURFACES)
def test_the_collection_asks_for_no_credential_where_none_is_needed(shop: Shop, surface: Surface) -> None:
    """Sent as Postman sends it before a variable is filled in: `noauth` is no header, what is inherited an empty one."""
    told = json.loads(shop.client().get(f"/openapi/{surface}.postman.json").body)
    asked = []
    for item in (item for folder in told["item"] for item in folder["item"]):
        request = item["request"]
        header = ("Authorization", "Bearer ") if surface.uses_tokens else ("ApiKey", "")
        lines = [] if request.get("auth", told["auth"])["type"] == "noauth" else [header]
        ids = {f":{one['key']}": one["value"] for one in request["url"].get("variable", ())}
        path = "/" + "/".join(ids.get(part, part) for part in request["url"]["path"])
        body = request["body"]["raw"].encode() if "body" in request else ABSENT
        asked.append(shop.client(None, lines).call(request["method"], path, body).status != 401)

    assert asked == [needs_nothing(route) for route in own(surface)]


def run(shop: Shop, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs lines as a reader would who has nothing but this in the environment."""
    there = {"PATH": os.environ["PATH"], "URL": f"http://127.0.0.1:{shop.site.port}", **environment}
    here = script.replace("curl -sS", f"curl -sS -H 'Host: {shop.host}'")
    return subprocess.run(["bash", "-eu", "-c", here], env=there, capture_output=True, text=True, timeout=60)


def statuses(shop: Shop, script: str, **environment: str) -> list[int]:
    """The statuses of the calls."""
    done = run(shop, script.replace("-w '\\n'", "-o /dev/null -w '%{http_code}\\n'"), **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return [int(line) for line in done.stdout.splitlines()]


def lines_of(shop: Shop, surface: Surface) -> str:
    answer = shop.client().get(f"/openapi/{surface}.curl.txt")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    return answer.body.decode()


@pytest.mark.parametrize("surface", SURFACES)
def test_the_lines_are_shell_and_reach_the_server_with_what_the_environment_has(shop: Shop, surface: Surface) -> None:
    text = lines_of(shop, surface)
    assert text.count("\ncurl ") == len(own(surface))
    assert f"URL=${{URL:-https://{shop.host}}}\n" in text

    credential = dict(spare(shop, surface))
    token = credential.get("Authorization", "").removeprefix("Bearer ")
    told = statuses(shop, text, TOKEN=token, API_KEY=credential.get("ApiKey", ""))

    assert len(told) == len(own(surface))
    assert set(told) <= {200, 400, 404, 409, *([401] if ends_tokens(surface) else [])}
    assert 200 in told


@pytest.mark.parametrize("surface", SURFACES)
def test_only_lines_that_need_a_credential_send_it(shop: Shop, surface: Surface) -> None:
    told = statuses(shop, lines_of(shop, surface), TOKEN="x.y.z", API_KEY="none")

    assert [status != 401 for status in told] == [needs_nothing(route) for route in own(surface)]


@pytest.mark.parametrize("surface", [Surface.RESELLER, Surface.STOREFRONT])
def test_the_lines_take_the_token_of_their_own_login_and_end_their_answers(shop: Shop, surface: Surface) -> None:
    email = f"{fresh('shell')}@example.com"
    shop.operator.account(shop.id, "partner" if surface is Surface.RESELLER else "customer", email)
    text = lines_of(shop, surface).replace(example_values.PASSWORD, PASSWORD)
    assert "Replace: email, password\n" in text

    done = run(shop, text.replace(example_values.PARTNER_EMAIL, email).replace(example_values.CUSTOMER_EMAIL, email))

    assert (done.returncode, done.stderr) == (0, "")
    told = dict(zip(own(surface), map(json.loads, done.stdout.splitlines()), strict=True))
    answered = {route.endpoint: answer["success"] for route, answer in told.items()}
    assert answered["GET /Account/Details" if surface is Surface.RESELLER else "POST /Storefront/Customers/Refresh"]


@pytest.mark.parametrize("surface", SURFACES)
def test_without_a_credential_the_lines_come_as_far_as_none_is_needed(shop: Shop, surface: Surface) -> None:
    done = run(shop, lines_of(shop, surface).replace(example_values.PASSWORD, "no"))

    assert done.returncode != 0
    assert ("TOKEN: " if surface.uses_tokens else "API_KEY: ") in done.stderr
    assert len(done.stdout.splitlines()) == len(list(takewhile(needs_nothing, own(surface))))


@pytest.mark.parametrize("surface", [Surface.RESELLER, Surface.STOREFRONT])
def test_without_a_login_among_them_the_lines_ask_for_a_token(surface: Surface) -> None:
    routes = [route for route in own(surface) if not isinstance(route.access, Open)]

    text = curl_lines(routes, surface, "https://api.shop.example")

    assert "\nTOKEN=${TOKEN:?a bearer token of this surface}\n" in text
    assert subprocess.run(["bash", "-n"], input=text.encode()).returncode == 0


def needs_nothing(route: Route) -> bool:
    return isinstance(route.access, Anonymous | Open)


def ends_tokens(surface: Surface) -> bool:
    """The line of the logout ends the very token that the lines after it bring."""
    return surface is Surface.STOREFRONT


def spare(shop: Shop, surface: Surface) -> Lines:
    """A credential that may be ended."""
    if surface.uses_tokens:
        kind = "partner" if surface is Surface.RESELLER else "customer"
        account = shop.operator.account(shop.id, kind, f"{fresh('curl')}@example.com")
        return bearer(shop.token(surface, account))
    owner = shop.supplier if surface is Surface.SUPPLIER else shop.integration
    return api_key(shop.operator.key(shop.id, surface, owner).text)
