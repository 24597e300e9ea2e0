"""For a missing page, browsers get a not-found page with the menu, and programs get the refusal as JSON."""

import json

import pytest

from tests.apidocs.site import ALL_PAGES, HOME, Site
from tests.support.html_outline import Outline

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    "name",
    ["errors/23", "errors/--23", "errors/-999", "errors/-23.jsonx", "errors/.json", "errors/-", "guides/secrets",
     "guides/limits.md", "surfaces/operator", "surfaces/", "assets/site.css", "assets/..",
     "assets/%2e%2e", "downloads/", "nothing"],
)  # fmt: skip
def test_a_page_that_does_not_exist_is_404(site: Site, name: str) -> None:
    shown = site.get(f"{HOME}/{name}")
    assert (shown.status, json.loads(shown.body)["code"]) == (404, -3)


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
