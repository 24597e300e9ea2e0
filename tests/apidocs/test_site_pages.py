"""The public pages: complete, linked to each other, specific to the tenant, and safe with hostile names and hosts."""

import json
import re
from base64 import b64encode
from itertools import pairwise

import pytest

from bedesten.apidocs import markdown, openapi_routes
from bedesten.apidocs.site import assets
from bedesten.apidocs.site.guides import GUIDES, PAGES
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from bedesten.tenants import brand as tenant_brand
from tests.apidocs.site import ALL_PAGES, HOME, Site, members
from tests.support.html_outline import Outline


def brand(site: Site, accent: str, logo: bytes) -> None:
    """Sets or removes the live tenant's brand."""
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
def test_paths_are_case_insensitive(site: Site, address: str) -> None:
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
