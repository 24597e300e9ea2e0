"""The public pages: every guide and every error on every tenant's host, each linked to the others, without scripts."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.errors import CATALOGUE
from bedesten.server import build
from bedesten.server.settings import Settings
from bedesten.tenants import actions as tenants
from bedesten.web import page
from bedesten.web.documentation import PAGES
from bedesten.web.message import Request, Response
from bedesten.web.pipeline import Pipeline
from bedesten.web.route import RouteMap


class Nothing:
    """No body."""

    async def read(self, limit: int) -> bytes:
        assert limit > 0
        return b""


class Site:
    """One installation with one tenant, asked without a socket."""

    def __init__(self, data: Path) -> None:
        settings = Settings(data=data, database=None)
        build.initialise(settings)
        self.opened = build.open_installation(settings)
        shop = tenants.NewTenant("shop", ["localhost"])
        made = self.opened.store.write_now(lambda tx: tenants.create(tx, self.opened.vault, shop))
        self.tenant = str(made["id"])
        self._pipeline = Pipeline(build.open_house(self.opened), RouteMap.of(build.ROUTES))

    def get(self, path: str, host: str = "localhost") -> Response:
        """The answer to a GET."""
        lines = [(b"host", host.encode())]
        return asyncio.run(self._pipeline.handle(Request("GET", path.encode(), b"", lines, "127.0.0.1", Nothing())))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "data")
    yield made
    made.opened.store.close()


def hrefs(html: str) -> list[str]:
    return re.findall(r'href="([^"]*)"', html)


def anchors(html: str) -> set[str]:
    return set(re.findall(r' id="([^"]*)"', html))


def test_every_page_is_shown_as_html_that_asks_for_nothing_else(site: Site) -> None:
    for address in PAGES.values():
        shown = site.get(address)
        text = shown.body.decode()
        headers = dict(shown.headers)
        assert shown.status == 200, address
        assert headers[b"content-type"] == b"text/html; charset=utf-8"
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert re.search(r"<script|<img|<link|src=|url\(|@import|style=", text) is None, address
        assert "width=device-width" in text
        assert "prefers-color-scheme: dark" in text
        assert "<!--" not in text, "the marks of what is generated are not shown"
        assert "&lt;!--" not in text


def test_every_link_of_every_page_leads_to_a_page_and_to_a_heading_in_it(site: Site) -> None:
    shown = {address: site.get(address).body.decode() for address in PAGES.values()}
    followed = 0
    for address, html in shown.items():
        for href in hrefs(html):
            target, _, anchor = href.partition("#")
            assert target in ("", *shown), f"{address} links to {href}"
            if anchor:
                assert anchor in anchors(shown[target or address]), f"{address} links to {href}"
            followed += 1
    assert followed > 150


def test_the_authentication_guide_and_the_errors_guide_link_to_each_other_and_to_every_error(site: Site) -> None:
    authentication = site.get("/documentation/guides/authentication").body.decode()
    listed = site.get("/documentation/guides/errors").body.decode()

    assert "/documentation/guides/errors" in hrefs(authentication.partition("<main>")[2])
    assert "/documentation/guides/authentication" in hrefs(listed.partition("<main>")[2])
    for number in CATALOGUE:
        assert f"/documentation/errors/{number}" in hrefs(listed), number
        own = site.get(f"/documentation/errors/{number}").body.decode()
        assert "/documentation/guides/errors" in hrefs(own.partition("<main>")[2])


def test_a_long_page_has_a_table_of_contents_with_every_chapter(site: Site) -> None:
    html = site.get("/documentation/guides/authentication").body.decode()
    contents = html.partition("<nav")[2].partition("</nav>")[0]
    chapters = re.findall(r'<h2 id="([^"]*)"', html)

    assert len(chapters) > 8
    assert hrefs(contents) == [f"#{chapter}" for chapter in chapters]


def test_every_error_is_there_as_json_with_all_that_its_row_says(site: Site) -> None:
    for number, row in CATALOGUE.items():
        shown = site.get(f"/documentation/errors/{number}.json")
        assert shown.status == 200
        assert dict(shown.headers)[b"content-type"] == b"application/json"
        assert json.loads(shown.body) == {
            "code": number,
            "name": row.name,
            "status": row.status,
            "message": row.text,
            "remedy": row.remedy,
            "documentation": f"/documentation/errors/{number}",
        }


@pytest.mark.parametrize(
    "name",
    ["errors/23", "errors/--23", "errors/-999", "errors/-23.jsonx", "errors/.json", "errors/-", "guides/secrets"],
)
def test_a_page_that_does_not_exist_is_404(site: Site, name: str) -> None:
    shown = site.get(f"/documentation/{name}")
    assert (shown.status, json.loads(shown.body)["code"]) == (404, -3)


def test_the_pages_are_a_tenants_own_and_go_with_it(site: Site) -> None:
    address = "/documentation/guides/errors"
    assert site.get(address, host="unknown.example").status == 421

    def suspend(state: bool) -> None:
        site.opened.store.write_now(lambda tx: tenants.set_suspended(tx.bound(site.tenant), state))

    suspend(True)
    shown = site.get(address)
    suspend(False)

    assert (shown.status, json.loads(shown.body)["code"]) == (421, -10)
    assert site.get(address).status == 200


def test_markup_in_the_markdown_is_shown_and_never_obeyed() -> None:
    html = page.render("guides/x", "# A & B <b>\n\n<script>alert(1)</script>\n\n`<token>`\n", PAGES.get).decode()
    body = html.partition("<main>")[2]

    assert "<title>A &amp; B &lt;b&gt;</title>" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in body
    assert "<code>&lt;token&gt;</code>" in body


def test_a_link_to_a_page_that_is_not_shown_does_not_go_unnoticed() -> None:
    with pytest.raises(ValueError, match=r"guides/x links to .*fence\.md"):
        page.render("guides/x", "[there](../explanation/fence.md)", PAGES.get)
    kept = page.render("guides/x", "[rfc](https://www.rfc-editor.org/rfc/rfc9457) [in](#here)", PAGES.get).decode()
    assert {"https://www.rfc-editor.org/rfc/rfc9457", "#here"} <= set(hrefs(kept))
