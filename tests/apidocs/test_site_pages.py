"""The public pages: complete, linked to each other, specific to the tenant, and safe with hostile names and hosts."""

import asyncio
import json
import re
import shlex
from base64 import b64encode
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bedesten.apidocs import markdown, openapi_routes
from bedesten.apidocs.not_found import NotFoundPages
from bedesten.apidocs.site import assets, reference
from bedesten.apidocs.site.guides import GUIDES, PAGES
from bedesten.apidocs.site.schema import Schemas
from bedesten.errors import CATALOGUE
from bedesten.gate.access import Anonymous, Keyed, Open
from bedesten.gate.scopes import Surface
from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.refusals import refusals
from bedesten.http.route_map import RouteMap
from bedesten.server import build
from bedesten.server.installation import initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import SystemTransaction
from bedesten.surfaces.operations import ROUTES as OPERATIONS
from bedesten.tenants import actions as tenants
from bedesten.tenants import brand as tenant_brand
from tests.support.html_outline import Outline

HOME = "/documentation"
SURFACES = [f"{HOME}/surfaces/{surface}" for surface in Surface]
ALL_PAGES = [HOME, f"{HOME}/index", f"{HOME}/downloads", *SURFACES, *PAGES.values()]
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
NAME = "Söhne & <b>Co</b> \"x'"


class Nothing:
    """No body."""

    async def read(self, limit: int) -> bytes:
        assert limit > 0
        return b""


class Site:
    """One installation with a live and a sandbox tenant, asked without a socket."""

    def __init__(self, data: Path) -> None:
        settings = Settings(data=data, database=None)
        initialise(settings)
        self.opened = open_installation(settings)
        self.tenant = self._tenant(tenants.NewTenant(NAME, ["localhost"]))
        self._tenant(tenants.NewTenant("Sand", ["sand.localhost"], sandbox=True))
        self._pages = NotFoundPages(Pipeline(build.open_services(self.opened), RouteMap.of(build.ROUTES)))

    def _tenant(self, new: tenants.NewTenant) -> str:
        return str(self.opened.store.write_now(lambda tx: tenants.create(tx, self.opened.cipher, new))["id"])

    def get(self, path: str, host: str = "localhost", *lines: tuple[bytes, bytes], method: str = "GET") -> Response:
        """The answer to a GET, or to what else is asked."""
        head = [(b"host", host.encode()), *lines]
        return asyncio.run(self._pages.handle(Request(method, path.encode(), b"", head, "127.0.0.1", Nothing())))

    def html(self, path: str, host: str = "localhost") -> str:
        """A page that has to be there."""
        shown = self.get(path, host)
        assert shown.status == 200, path
        return shown.body.decode()

    def switch(self, **targets: bool) -> None:
        """Switches surfaces and endpoints of the live tenant."""

        def act(tx: SystemTransaction) -> None:
            for target, allowed in targets.items():
                tenants.switch_access(tx.for_tenant(self.tenant), target, allowed)

        self.opened.store.write_now(act)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "data")
    yield made
    made.opened.store.close()


@pytest.fixture
def only_reseller(site: Site) -> Iterator[Site]:
    others = {surface.value: False for surface in Surface if surface is not Surface.RESELLER}
    site.switch(**others)
    yield site
    site.switch(**dict.fromkeys(others, True))


def brand(site: Site, accent: str, logo: bytes) -> None:
    """Gives the live tenant its brand, or takes it away."""
    site.opened.store.write_now(lambda tx: tenant_brand.set_brand(tx.for_tenant(site.tenant), accent, logo))


def test_only_a_tenants_own_pages_have_its_colour_and_logo(site: Site) -> None:
    plain = site.html(HOME)
    picture = b"GIF89a" + bytes(20)
    brand(site, "#0A7EA4", picture)
    shown = Outline(site.html(f"{HOME}/guides/errors"))
    other = site.html(HOME, "sand.localhost")
    sheet = site.get(f"{assets.FOLDER}brand.0a7ea4.css")
    brand(site, "", b"")

    assert [one["src"] for _, one in shown.of("img")] == [f"data:image/gif;base64,{b64encode(picture).decode()}"]
    sheets = [one["href"] for _, one in shown.of("link") if one["rel"] == "stylesheet"]
    assert sheets == [assets.asset("site.css").address, f"{assets.FOLDER}brand.0a7ea4.css"]
    assert (sheet.status, dict(sheet.headers)[b"content-type"]) == (200, b"text/css; charset=utf-8")
    assert sheet.body.startswith(b":root{--accent:#")
    assert "<img" not in other
    assert "brand." not in other
    assert site.html(HOME) == plain
    assert site.get(f"{assets.FOLDER}brand.0a7ea4.css").status == 404


@pytest.mark.parametrize("address", ALL_PAGES)
@pytest.mark.parametrize("host", ["localhost", "sand.localhost"])
def test_every_page_is_well_formed_and_loads_nothing_from_other_hosts(site: Site, host: str, address: str) -> None:
    html = site.html(address, host)
    outline = Outline(html)

    assert outline.open == [], "every element is closed"
    assert len(outline.ids) == len(set(outline.ids)), "an id stands once"
    fetched = [attributes.get("src") or attributes.get("href") for _, attributes in outline.of("script", "link", "img")]
    assert all(one == "data:," or str(one).startswith(assets.FOLDER) for one in fetched), fetched
    assert re.search(r"style=|<style|\son\w+=|javascript:", html) is None
    assert "&lt;!--" not in html, "the marks of what is generated are not shown"
    assert "api.shop.example" not in html, "examples have the tenant's own address"


@pytest.mark.parametrize("address", ALL_PAGES)
def test_every_page_has_ordered_headings_landmarks_and_labels(site: Site, address: str) -> None:
    outline = Outline(site.html(address))
    levels = [int(tag[1]) for tag, _ in outline.of("h1", "h2", "h3", "h4")]

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), "no level is left out"
    assert [tag for tag, _ in outline.of("header", "main")] == ["header", "main"]
    assert "#content" in outline.hrefs
    assert all(attributes.get("aria-label") for _, attributes in outline.of("nav"))
    assert all("tabindex" in attributes for _, attributes in outline.of("pre")), (
        "what scrolls can be reached by keyboard"
    )
    labelled = {attributes.get("for") for _, attributes in outline.of("label")}
    assert all(attributes.get("id") in labelled for _, attributes in outline.of("input", "textarea"))


@pytest.mark.parametrize("host", ["localhost", "sand.localhost"])
def test_every_link_leads_to_a_page_and_to_an_existing_heading(site: Site, host: str) -> None:
    shown = {address: Outline(site.html(address, host)) for address in ALL_PAGES}
    followed = 0
    for address, outline in shown.items():
        for href in outline.hrefs:
            target, _, anchor = href.partition("#")
            if target.startswith("/openapi/"):
                assert site.get(target, host).status == 200, f"{address} links to {href}"
            elif not target.startswith("https://"):
                assert target in ("", *shown), f"{address} links to {href}"
                assert not anchor or anchor in shown[target or address].ids, f"{address} links to {href}"
            followed += 1
    assert followed > 1000
    reached = {href.partition("#")[0] for outline in shown.values() for href in outline.hrefs}
    assert set(ALL_PAGES) - reached == set(), "every page can be reached"


def test_only_links_to_operators_documents_become_text() -> None:
    left: set[str] = set()

    def asked(document: str) -> str | None:
        if document not in PAGES and document not in {f"reference/{surface}" for surface in Surface}:
            left.add(document)
        return PAGES.get(document)

    for document in PAGES:
        markdown.render(document, markdown.read(document) or "", asked)
    assert left <= {
        "reference/gate-routes",
        "reference/openapi",
        "reference/limits-and-cors",
        "reference/cli",
        "decisions/0008-kinds-of-text",
    }


def test_a_page_has_a_content_security_policy_and_may_be_cached(site: Site) -> None:
    reads, tries = site.get(f"{HOME}/surfaces/reseller"), site.get(f"{HOME}/surfaces/reseller", "sand.localhost")
    sealed = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; {}base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )

    assert dict(reads.headers)[b"content-security-policy"] == sealed.format("").encode()
    assert dict(tries.headers)[b"content-security-policy"] == sealed.format("connect-src 'self'; ").encode()
    for shown in (reads, tries, site.get(HOME, "sand.localhost")):
        headers = dict(shown.headers)
        assert headers[b"content-type"] == b"text/html; charset=utf-8"
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"cache-control"] == b"public, max-age=300"
        assert headers[b"vary"] == b"Host"
    assert b"connect-src" not in dict(site.get(HOME, "sand.localhost").headers)[b"content-security-policy"]


def test_an_unchanged_page_gets_304(site: Site) -> None:
    first = site.get(HOME)
    tag = dict(first.headers)[b"etag"]
    for named in (tag, b"W/" + tag, b'"other", ' + tag):
        again = site.get(HOME, "localhost", (b"if-none-match", named))
        assert (again.status, again.body) == (304, b"")
        assert dict(again.headers)[b"etag"] == tag
        assert b"content-type" not in dict(again.headers)
    for named in (b'"other"', b"*", tag.strip(b'"')):
        assert site.get(HOME, "localhost", (b"if-none-match", named)).body == first.body


def test_assets_are_immutable_under_names_with_their_digest(site: Site) -> None:
    for file in assets.FILES:
        found = assets.asset(file)
        shown = site.get(found.address)
        assert shown.body == found.body
        assert dict(shown.headers)[b"cache-control"] == b"public, max-age=31536000, immutable"
        assert dict(shown.headers)[b"x-content-type-options"] == b"nosniff"
        stale = re.sub(r"\.[0-9a-f]{12}\.", ".0123456789ab.", found.address)
        assert site.get(stale).status == 404
        assert site.get(assets.FOLDER + file).status == 404


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


def members(schemas: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The paths of every member of a schema: `details.price`."""
    if "$ref" in schema:
        return members(schemas, schemas[schema["$ref"].rpartition("/")[2]])
    found = {path for one in schema.get("anyOf", ()) for path in members(schemas, one)}
    found |= members(schemas, schema["items"]) if isinstance(schema.get("items"), dict) else set()
    for name, inner in schema.get("properties", {}).items():
        found |= {name} | {f"{name}.{path}" for path in members(schemas, inner)}
    return found


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


def test_limits_that_a_text_does_not_name_are_shown_beside_it() -> None:
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
def test_the_curl_command_of_an_operation_is_shell_with_its_credential(site: Site, surface: Surface) -> None:
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


def test_a_tenants_name_is_escaped(site: Site) -> None:
    for address in ALL_PAGES:
        html = site.html(address)
        assert "S\u00f6hne &amp; &lt;b&gt;Co&lt;/b&gt; &#34;x&#39;" in html
        assert "<b>Co" not in html


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://localhost"),
        ("LOCALHOST:8080", "http://localhost:8080"),
        ("localhost.", "http://localhost"),
    ],
)
def test_examples_contain_the_requested_host(site: Site, host: str, url: str) -> None:
    assert f"<code>{url}</code>" in site.html(HOME, host)
    assert f"curl -s {url}/Orders/Create" in site.html(f"{HOME}/surfaces/reseller", host)


@pytest.mark.parametrize("address", ALL_PAGES)
def test_every_address_on_a_page_has_its_scheme(site: Site, address: str) -> None:
    text = site.html(address, "sand.localhost:8080").replace("Host: sand.localhost:8080", "")
    assert re.findall(r".{0,40}(?<!http://)sand\.localhost.{0,20}", text) == []


@pytest.mark.parametrize(
    "host", ['localhost"><script>', "localhost:80'x", "localhost<b>", "localhost/x", "localhost:99999"]
)
def test_an_invalid_host_is_not_repeated(site: Site, host: str) -> None:
    shown = site.get(HOME, host)
    assert shown.status in (400, 421)
    assert host.encode() not in shown.body


def test_the_guides_about_authentication_and_errors_link_to_each_other(site: Site) -> None:
    authentication = Outline(
        site.html(f"{HOME}/guides/authentication").partition("<article>")[2].partition("</article>")[0]
    )
    listed = Outline(site.html(f"{HOME}/guides/errors").partition("<article>")[2].partition("</article>")[0])

    assert f"{HOME}/guides/errors" in authentication.hrefs
    assert f"{HOME}/guides/authentication" in listed.hrefs
    for number in CATALOGUE:
        assert f"{HOME}/errors/{number}" in listed.hrefs, number
        assert f"{HOME}/guides/errors" in Outline(site.html(f"{HOME}/errors/{number}")).hrefs


def test_the_authentication_guide_keeps_its_order(site: Site) -> None:
    chapters = re.findall(r"<h2[^>]*>(.*?)</h2>", site.html(f"{HOME}/guides/authentication"))
    assert chapters == [
        "Surfaces and mechanisms",
        "Getting a bearer token",
        "Sending a bearer token",
        "Life of a bearer token",
        "Claims and scopes",
        "A bearer token or a password leaked: what now",
        "When a bearer token is refused",
        "Getting an API key",
        "Sending an API key",
        "Storing and rotating an API key",
        "An API key leaked: what now",
        "When an API key is refused",
        "Errors",
    ]


def test_a_long_page_has_a_table_of_contents_with_every_chapter(site: Site) -> None:
    html = site.html(f"{HOME}/guides/authentication")
    contents = html.partition('class="chapters"')[2].partition("</nav>")[0]
    chapters = re.findall(r'<h2 id="([^"]*)"', html)

    assert len(chapters) > 8
    assert re.findall(r'href="([^"]*)"', contents) == [f"#{chapter}" for chapter in chapters]


def test_every_error_is_available_as_json(site: Site) -> None:
    for number, code in CATALOGUE.items():
        shown = site.get(f"{HOME}/errors/{number}.json")
        assert shown.status == 200
        assert dict(shown.headers)[b"content-type"] == b"application/json"
        assert json.loads(shown.body) == {
            "code": number,
            "name": code.name,
            "status": code.status,
            "message": code.text,
            "remedy": code.remedy,
            "documentation": f"{HOME}/errors/{number}",
        }


@pytest.mark.parametrize(
    "name",
    ["errors/23", "errors/--23", "errors/-999", "errors/-23.jsonx", "errors/.json", "errors/-", "guides/secrets",
     "guides/limits.md", "surfaces/operator", "surfaces/", "assets/site.css", "assets/..",
     "assets/%2e%2e", "downloads/", "nothing"],
)  # fmt: skip
def test_a_page_that_does_not_exist_is_404(site: Site, name: str) -> None:
    shown = site.get(f"{HOME}/{name}")
    assert (shown.status, json.loads(shown.body)["code"]) == (404, -3)


BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("host", ["localhost", "sand.localhost"])
def test_a_browser_gets_a_not_found_page_with_the_menu(site: Site, host: str) -> None:
    for name in ("errors/-999", "guides/secrets", "surfaces/operator", "assets/site.css", "errors", "a/b/c", "%3Cb%3E"):
        shown = site.get(f"{HOME}/{name}", host, (b"accept", BROWSER))
        headers, outline = dict(shown.headers), Outline(shown.body.decode())
        assert (shown.status, headers[b"content-type"]) == (404, b"text/html; charset=utf-8"), name
        assert headers[b"cache-control"] == b"no-store"
        assert headers[b"vary"] == b"Host, Accept"
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"x-request-id"].startswith(b"req_")
        assert headers[b"content-security-policy"] == dict(site.get(HOME).headers)[b"content-security-policy"]
        assert outline.open == []
        assert set(Outline(site.html(HOME, host)).hrefs) & set(ALL_PAGES) <= set(outline.hrefs), "the whole menu"
        assert all(href in ("#content", *ALL_PAGES) for href in outline.hrefs)


@pytest.mark.parametrize(
    ("path", "meant"),
    [("errors", "guides/errors"), ("guides/errors/", "guides/errors"), ("errors/23", "errors/-23"),
     ("errors/-23/", "errors/-23"), ("guides/limits.md", "guides/limits"), ("reseller", "surfaces/reseller"),
     ("guides/authentification", "guides/authentication"), ("guides", None), ("x" * 9000, None)],
)  # fmt: skip
def test_the_not_found_page_suggests_similar_pages(site: Site, path: str, meant: str | None) -> None:
    html = site.get(f"{HOME}/{path}", "localhost", (b"accept", BROWSER)).body.decode()
    listed = Outline(html.partition("<article>")[2].partition("</article>")[0])
    assert (f"{HOME}/{meant}" in listed.hrefs) is (meant is not None)
    assert ("Did you mean" in html) is (meant is not None)


@pytest.mark.parametrize(
    ("accept", "html"),
    [("*/*", False), ("", False), ("application/json", False), ("text/html", True), ("text/html, */*", True),
     ("application/json, text/html", False), ("application/json;q=0.5, text/html", True), ("text/html;q=0.5, */*", False),
     ("text/html;q=0", False), ("text/html;q=x, */*", False), ("text/html, application/problem+json", False)],
)  # fmt: skip
def test_programs_get_the_refusal_as_json(site: Site, accept: str, html: bool) -> None:
    shown = site.get(f"{HOME}/nothing", "localhost", (b"accept", accept.encode()))
    assert (shown.status, b"<html" in shown.body) == (404, html)
    assert html or json.loads(shown.body)["code"] == -3


@pytest.mark.parametrize("path", [f"{HOME}/errors/-999.json", "/openapi/nothing.json"])
def test_unknown_json_documents_are_refused_as_json(site: Site, path: str) -> None:
    assert json.loads(site.get(path, "localhost", (b"accept", BROWSER)).body)["code"] == -3
    assert site.get(f"{HOME}/nothing", "localhost", (b"accept", BROWSER), method="POST").body[:1] == b"{"
    assert site.get(f"{HOME}/nothing", "unknown.example", (b"accept", BROWSER)).status == 421


@pytest.mark.parametrize("path", ["/documentations", "/nothing", "/Orders/Creat"])
def test_a_browser_gets_a_not_found_page_outside_the_documentation(site: Site, path: str) -> None:
    shown = site.get(path, "localhost", (b"accept", BROWSER))
    assert (shown.status, b"<html" in shown.body) == (404, True)
    assert json.loads(site.get(path, "localhost").body)["code"] == -3


def test_the_root_redirects_a_browser_to_the_documentation(site: Site) -> None:
    shown = site.get("/", "localhost", (b"accept", BROWSER))
    assert (shown.status, dict(shown.headers)[b"location"]) == (302, HOME.encode())
    assert json.loads(site.get("/", "localhost").body)["code"] == -3


@pytest.mark.parametrize("path", [*ALL_PAGES, f"{HOME}/errors/-23.json", "/openapi/reseller.json"])
def test_head_is_answered_like_get(site: Site, path: str) -> None:
    asked, got = site.get(path, method="HEAD"), site.get(path)
    kept = [line for line in got.headers if line[0] != b"x-request-id"]
    assert (asked.status, [line for line in asked.headers if line[0] != b"x-request-id"]) == (200, kept)
    assert dict(site.get(path, method="POST").headers)[b"allow"] == b"GET, HEAD"


@pytest.mark.parametrize("address", [one for one in ALL_PAGES if "/errors/-" not in one])
def test_the_menu_marks_the_current_page(site: Site, address: str) -> None:
    outline = Outline(site.html(address))
    marked = [attributes["href"] for _, attributes in outline.of("a") if attributes.get("aria-current") == "page"]
    assert marked == [address, address], "in the menu and beside the text"
    assert {"prev", "next"} & {str(attributes.get("rel")) for _, attributes in outline.of("a")}


def test_an_error_page_links_to_the_errors_guide_and_its_neighbours(site: Site) -> None:
    numbers = list(CATALOGUE)
    for at, number in enumerate(numbers):
        links = Outline(site.html(f"{HOME}/errors/{number}")).of("a")
        marked = {one["href"]: one["aria-current"] for _, one in links if "aria-current" in one}
        assert marked == {f"{HOME}/guides/errors": "true"}
        around = {one["rel"]: one["href"] for _, one in links if "rel" in one}
        before = f"{HOME}/errors/{numbers[at - 1]}" if at else f"{HOME}/guides/errors"
        after = {"next": f"{HOME}/errors/{numbers[at + 1]}"} if at + 1 < len(numbers) else {}
        assert around == {"prev": before} | after


def test_the_index_has_every_operation_field_number_and_chapter(site: Site) -> None:
    html = site.html(f"{HOME}/index").partition("<article>")[2].partition("</article>")[0]
    hrefs = set(Outline(html).hrefs)
    for surface in Surface:
        document = openapi_routes.document(surface, "https://api.shop.example")
        for path, item in document["paths"].items():
            for method, operation in item.items():
                endpoint = f"{method.upper()} {path}"
                assert f"{HOME}/surfaces/{surface}#{markdown.anchor_of(endpoint)}" in hrefs
                entry = html.partition(f"<code>{endpoint}</code>")[2].partition("</li>")[0]
                schema = (
                    operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
                )
                listed = set(entry.partition('"soft">')[2].partition("<")[0].split(", "))
                taken = {
                    name for path in members(document["components"]["schemas"], schema) for name in path.split(".")
                }
                assert taken <= listed, endpoint
    assert {f"{HOME}/errors/{number}" for number in CATALOGUE} <= hrefs
    for name, document_name in GUIDES.items():
        shown = markdown.render(document_name, markdown.read(document_name) or "", PAGES.get)
        address = f"{HOME}/guides/{name}"
        assert {address, *(f"{address}#{chapter.anchor}" for chapter in shown.chapters)} <= hrefs


@pytest.mark.parametrize(
    "address", [*ALL_PAGES, f"{HOME}/errors/-23", f"{HOME}/errors/-23.json", "/openapi/reseller.json"]
)
def test_paths_are_matched_without_regard_to_case(site: Site, address: str) -> None:
    assert site.get(address.upper()).body == site.get(address.title()).body == site.get(address).body


def test_a_suspended_tenant_has_no_pages(site: Site) -> None:
    address = f"{HOME}/guides/errors"
    assert site.get(address, host="unknown.example").status == 421

    def suspend(state: bool) -> None:
        site.opened.store.write_now(lambda tx: tenants.set_suspended(tx.for_tenant(site.tenant), state))

    suspend(True)
    shown = site.get(address)
    suspend(False)

    assert (shown.status, json.loads(shown.body)["code"]) == (421, -10)
    assert site.get(address).status == 200


def test_every_guide_has_a_document() -> None:
    assert {name for name, document in GUIDES.items() if markdown.read(document) is None} == set()
