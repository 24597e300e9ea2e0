"""The pages of the four surfaces: exactly the operations, fields and refusals that the tenant has."""

import json
import re
import shlex
from html import unescape

import pytest

from bedesten.apidocs import markdown, openapi_routes
from bedesten.apidocs.site import reference
from bedesten.apidocs.site.guides import PAGES
from bedesten.apidocs.site.schema import Schemas
from bedesten.gate.access import Anonymous, Keyed, Open
from bedesten.gate.scopes import Surface
from bedesten.http.refusals import refusals
from bedesten.surfaces.operations import ROUTES as OPERATIONS
from tests.apidocs.site import ALL_PAGES, HOME, SURFACES, Site, members
from tests.support.html_outline import Outline

STATES = [
    set(states.split())
    for states in (
        "awaitingPayment placed expired cancelled",
        "open replaced refunded rejected withdrawn",
        "active paused failing",
        "due delivered failed held",
        "created confirmed rejected awaitingApproval",
        "created captured cancelled refused authorised failed refunded disputed lost partlyCaptured",
        "requested done failed",
        "waiting applied unknown contradicted",
    )
]
"""The states on the wire: of orders, complaints, endpoints, deliveries, deposits, payments, refunds and events."""


def test_only_a_sandbox_has_the_request_builder(site: Site) -> None:
    for address in SURFACES:
        live, sand = site.html(address), site.html(address, "sand.localhost")
        assert "builder." not in live
        assert "data-method" not in live
        assert 'class="try" hidden' in sand, "without scripts it is not to be seen"


def test_a_form_has_exactly_the_headers_of_its_operation(site: Site) -> None:
    for surface in Surface:
        html = site.html(f"{HOME}/surfaces/{surface}", "sand.localhost")
        for route in (route for route in OPERATIONS if route.access.surface is surface):
            form = html.partition(f'data-path="{route.path.partition("{")[0]}"')[2].partition("</details>")[0]
            needed = not isinstance(route.access, Open | Anonymous)
            scheme = "apikey" if isinstance(route.access, Keyed) else "bearer" if needed else "none"
            assert form.startswith(f' data-scheme="{scheme}"'), route.endpoint
            repeatable = route.repeatable
            assert ('data-header="Idempotency-Key"' in form) is repeatable, route.endpoint
            assert ('data-header="h-region-code"' in form) is route.regional, route.endpoint
            assert (" data-ends" in form.partition(">")[0]) is route.path.endswith("/Logout"), route.endpoint


@pytest.mark.parametrize("surface", Surface)
def test_the_reference_describes_only_existing_fields(surface: Surface) -> None:
    document = openapi_routes.document(surface, "https://api.shop.example")
    schemas = document["components"]["schemas"]
    outcome = reference.operation_docs(surface, PAGES.get, frozenset())
    assert set(outcome) == {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    for endpoint, docs in outcome.items():
        method, path = endpoint.split()
        operation = document["paths"][path][method.lower()]
        taken = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        given = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert set(docs.request_fields) <= members(schemas, taken), endpoint
        assert {f"data.{name}" for name in docs.response_fields} <= members(schemas, given), endpoint


@pytest.mark.parametrize("surface", Surface)
def test_every_field_on_a_surface_page_has_a_kind_and_a_text(site: Site, surface: Surface) -> None:
    html = site.html(f"{HOME}/surfaces/{surface}")
    field = re.compile(
        r'<li><div class="head"><code>(?P<name>\w+)</code><span class="kind">(?P<kind>[^<]+)</span>'
        r'(?:<span class="must">required</span>)?</div><p>(?P<text>.*?)</p>(?:<p class="soft">(?P<limits>.*?)</p>)?'
    )
    outcome = [match.groupdict() for match in field.finditer(html)]

    assert len(outcome) == html.count('<li><div class="head">') > 50
    assert [one for one in outcome if not one["text"]] == []
    assert {one["name"] for one in outcome if "any JSON" in one["kind"]} <= {"callbackData"}
    assert {one["kind"] for one in outcome if one["name"] == "updatedSince"} <= {"time"}
    for one in outcome:
        if one["name"] == "state":
            assert one["kind"] in ("string", "list of strings")
            named = set(re.findall(r"\w+", f"{one['text']} {one['limits'] or ''}"))
            assert any(states <= named for states in STATES), one


def test_limits_that_a_description_does_not_name_are_shown_beside_it() -> None:
    shown = Schemas({}).fields(
        {
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": ["ended"], "description": "what became of it"},
                "state": {"type": "string", "enum": ["a1", "b2"], "description": "`a1` or `b2`"},
                "size": {"type": "integer", "minimum": 1, "maximum": 2000, "description": "how many"},
                "word": {"type": "string", "minLength": 3, "maxLength": 3, "description": "a word"},
                "list": {"type": "array", "items": {"type": "string"}, "maxItems": 50, "description": "up to 50"},
                "since": {"type": "string", "format": "utc-time", "maxLength": 40, "description": "since when"},
            },
        },
        {"size": "of `pages`"},
        in_request=True,
    )

    assert [(one.text, one.limits) for one in shown] == [
        ("what became of it", "one of ended"),
        ("<code>a1</code> or <code>b2</code>", ""),
        ("of <code>pages</code>", "1 to 2,000"),
        ("a word", "3 characters"),
        ("up to 50", ""),
        ("since when", ""),
    ]


@pytest.mark.parametrize("surface", Surface)
def test_the_curl_command_of_an_operation_is_valid_shell_with_its_credential(site: Site, surface: Surface) -> None:
    page = site.html(f"{HOME}/surfaces/{surface}")
    found = re.findall(r'aria-label="[^"]* with curl"><code>(.*?)</code>', page, re.DOTALL)
    routes = [route for route in OPERATIONS if route.access.surface is surface]
    assert len(found) == len(routes)
    for route, text in zip(routes, found, strict=True):
        command, *arguments = shlex.split(unescape(text))
        named = [one for one in arguments if one.startswith(("Authorization: ", "ApiKey: "))]
        wanted = "ApiKey: $API_KEY" if isinstance(route.access, Keyed) else "Authorization: Bearer $TOKEN"
        assert command == "curl"
        assert named == ([] if isinstance(route.access, Open | Anonymous) else [wanted]), route.endpoint
        assert any(one.startswith("http://localhost" + route.path.partition("{")[0]) for one in arguments)
        if "-d" in arguments:
            json.loads(arguments[arguments.index("-d") + 1])


@pytest.mark.parametrize("surface", Surface)
def test_a_surface_page_has_every_operation_with_all_its_refusals(site: Site, surface: Surface) -> None:
    html = site.html(f"{HOME}/surfaces/{surface}", "sand.localhost")
    outline = Outline(html)
    sections = dict(re.findall(r'<section aria-labelledby="([^"]*)">(.*?)</section>', html, re.DOTALL))
    routes = [route for route in OPERATIONS if route.access.surface is surface]

    assert list(sections) == [markdown.anchor_of(route.endpoint) for route in routes]
    common = html.partition("<section")[0]
    for route in routes:
        text = sections[markdown.anchor_of(route.endpoint)]
        assert f"<code>{route.path}</code>" in text
        assert f'data-path="{route.path.partition("{")[0]}"' in text
        assert "curl -s" in text
        for code in refusals(route):
            assert f'href="{HOME}/errors/{code.number}"' in text + common, code
        for alias in route.aliases:
            assert f"{route.method} {alias}" in text
    assert f"/openapi/{surface}.json" in outline.hrefs


def test_a_surface_that_is_switched_off_is_not_shown(only_reseller: Site) -> None:
    site = only_reseller
    left = [address for address in ALL_PAGES if address not in SURFACES or address == f"{HOME}/surfaces/reseller"]
    shown = {address: Outline(site.html(address)) for address in left}
    for address, outline in shown.items():
        for href in outline.hrefs:
            target, _, anchor = href.partition("#")
            if target.startswith("/openapi/"):
                assert site.get(target).status == 200
            elif not target.startswith("https://"):
                assert target in ("", *left), f"{address} links to {href}"
                assert not anchor or anchor in shown[target or address].ids, f"{address} links to {href}"
    for address in set(SURFACES) - set(left):
        assert site.get(address).status == 404
    authentication = site.html(f"{HOME}/guides/authentication")
    assert "ApiKey" not in authentication.partition("<main")[2]
    assert ">Reseller</td>" in authentication
    assert ">Supplier</td>" not in authentication
    assert site.get(f"{HOME}/surfaces/supplier", "sand.localhost").status == 200, "another tenant has it still"


def test_a_surface_shows_only_operations_that_are_switched_on(site: Site) -> None:
    site.switch(**{"supplier": False, "post /supplier/products/list": True})
    html = site.html(f"{HOME}/surfaces/supplier")
    site.switch(supplier=True)

    assert "/Supplier/Products/List" in html
    assert "/Supplier/Stock/Upload" not in html
