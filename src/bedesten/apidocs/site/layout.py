"""The shell around every article: head, navigation, the chapters of the page, and what is before and after it."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bedesten.apidocs.markdown import Article, contents
from bedesten.apidocs.site.assets import FOLDER, asset
from bedesten.apidocs.site.markup import Markup, el, join, link
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface

HOME = "/documentation"
ERRORS = f"{HOME}/guides/errors"


@dataclass(frozen=True, slots=True)
class Site:
    """What a page has to know of the tenant it is shown for. `url` is where its API is, for whoever asked;
    `accent` a colour, `logo` a data URL, where it has them."""

    name: str
    sandbox: bool
    surfaces: tuple[Surface, ...]
    url: str
    accent: str = ""
    logo: str = ""

    @property
    def authority(self) -> str:
        """The host, with its port where it has one."""
        return self.url.partition("://")[2]

    @property
    def hidden(self) -> frozenset[str]:
        """The names of the surfaces that the tenant does not have."""
        return frozenset(surface.value for surface in Surface if surface not in self.surfaces)


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One page in the navigation; `below` the one before it: it goes into what that one is about."""

    address: str
    title: str
    below: bool = False


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Some pages of the navigation under one name."""

    title: str
    entries: tuple[MenuItem, ...]


def menu_groups(site: Site) -> tuple[MenuGroup, ...]:
    """The navigation, in reading order."""
    guides = f"{HOME}/guides"
    surfaces = tuple(MenuItem(f"{HOME}/surfaces/{one.value}", one.value.title()) for one in site.surfaces)
    resellers = Surface.RESELLER in site.surfaces
    received = MenuItem(f"{guides}/receive-webhooks", "Receiving webhooks", below=True)
    webhooks = (MenuItem(f"{guides}/webhooks", "Webhooks"), received) if resellers else ()
    first_order = (MenuItem(f"{guides}/first-order", "First order in Python"),) if resellers else ()
    python = (
        *first_order,
        MenuItem(f"{guides}/python-client", "Python client"),
        MenuItem(f"{guides}/python-client-reference", "Client reference", below=True),
    )
    found = (
        MenuGroup(
            "Start", (MenuItem(HOME, "Overview"), MenuItem(f"{guides}/getting-started", "Getting started"), *python)
        ),
        MenuGroup(
            "Guides",
            (
                MenuItem(f"{guides}/authentication", "Authentication"),
                MenuItem(f"{guides}/secret-managers", "Secret managers", below=True),
                MenuItem(f"{guides}/conventions", "Conventions"),
                *webhooks,
                MenuItem(ERRORS, "Errors"),
                MenuItem(f"{guides}/limits", "Limits"),
            ),
        ),
        MenuGroup("Operations", surfaces),
        MenuGroup(
            "More",
            (
                MenuItem(f"{HOME}/index", "Index"),
                MenuItem(f"{HOME}/downloads", "Downloads"),
                MenuItem(f"{guides}/changes", "Changes"),
            ),
        ),
    )
    return tuple(group for group in found if group.entries)


ERROR_PAGES = tuple(MenuItem(f"{HOME}/errors/{row.number}", f"{row.number} {row.name}") for row in CATALOGUE.values())
"""The pages of the errors, in order. The menu has the guide that lists them, and marks it for them."""
_NUMBERED = frozenset(entry.address for entry in ERROR_PAGES)


def page(site: Site, address: str, article: Article, scripts: Sequence[str] = ("site.js",)) -> bytes:
    """The whole page."""
    menu = _menu(site, address)
    chapters = el("ul", contents(article.chapters)) if len(article.chapters) > 2 else None
    inpage = el("details", el("summary", "On this page"), chapters, class_="inpage") if chapters else None
    aside = _aside(chapters) if chapters else None
    body = el(
        "body",
        el("a", "Skip to the content", href="#content", class_="skip"),
        el(
            "header",
            link(
                HOME,
                _logo(site),
                el("span", site.name, class_="name"),
                " ",
                el("span", "Documentation"),
                class_="brand",
            ),
            _badge(site),
            el("details", el("summary", "Menu"), el("nav", menu, aria_label="Pages"), class_="menu"),
            class_="top",
        ),
        el(
            "div",
            el("nav", menu, aria_label="Pages", class_="side"),
            el(
                "main",
                inpage,
                el("article", article.body),
                link("#content", "Back to top", class_="up") if chapters else None,
                _around(site, address),
                id="content",
                tabindex="-1",
            ),
            aside,
            class_="frame" if aside else "frame narrow",
        ),
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", _title(site, article)),
        el("link", rel="icon", href="data:,"),
        el("link", rel="stylesheet", href=asset("site.css").address),
        el("link", rel="stylesheet", href=f"{FOLDER}{brand_file(site.accent)}") if site.accent else None,
        [el("script", src=asset(one).address, defer=True) for one in scripts],
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n".encode()


def policy(*, calls: bool) -> bytes:
    """The `Content-Security-Policy` of a page: nothing from elsewhere. `calls`: its scripts may call this host."""
    connect = "connect-src 'self'; " if calls else ""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        + connect
        + "base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ).encode()


def etag(body: bytes) -> bytes:
    """The `ETag` of a body."""
    return b'"' + base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:15]) + b'"'


def _title(site: Site, article: Article) -> str:
    return f"{article.title} · {site.name}"


def brand_file(accent: str) -> str:
    """The name of an accent's stylesheet. It holds the colour, so that another one shows at once."""
    return f"brand.{accent.removeprefix('#')}.css"


def _logo(site: Site) -> Markup | None:
    return el("img", src=site.logo, alt="") if site.logo else None


def _badge(site: Site) -> Markup | None:
    return el("span", "Sandbox", class_="badge", title="Play money only") if site.sandbox else None


def _menu(site: Site, address: str) -> Markup:
    return join(
        [
            el("p", group.title, class_="label"),
            el(
                "ul",
                [
                    el(
                        "li",
                        link(one.address, one.title, aria_current=_current(one, address)),
                        class_="below" if one.below else None,
                    )
                    for one in group.entries
                ],
            ),
        ]
        for group in menu_groups(site)
    )


def _current(entry: MenuItem, address: str) -> str | None:
    if entry.address == address:
        return "page"
    return "true" if entry.address == ERRORS and address in _NUMBERED else None


def _aside(chapters: Markup) -> Markup:
    return el("nav", el("p", "On this page", class_="label"), chapters, aria_label="On this page", class_="chapters")


def _around(site: Site, address: str) -> Markup | None:
    """Links to the page before and the page after, in reading order."""
    entries = [entry for group in menu_groups(site) for entry in group.entries]
    if address in _NUMBERED:
        entries = [MenuItem(ERRORS, "Errors"), *ERROR_PAGES]
    at = next((number for number, entry in enumerate(entries) if entry.address == address), None)
    if at is None:
        return None
    before = entries[at - 1] if at else None
    after = entries[at + 1] if at + 1 < len(entries) else None
    return el(
        "nav",
        link(before.address, el("span", "Before"), before.title, rel="prev") if before else None,
        link(after.address, el("span", "Next"), after.title, rel="next", class_="after") if after else None,
        aria_label="Before and after",
        class_="around",
    )
