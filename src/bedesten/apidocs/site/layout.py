"""The page around every article: head, menu, chapters of the page, and links to the neighbouring pages."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site import theme
from bedesten.apidocs.site.assets import FOLDER, asset
from bedesten.apidocs.templating import HOME, render
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface

GUIDES = f"{HOME}/guides"
ERRORS = f"{GUIDES}/errors"


@dataclass(frozen=True, slots=True)
class Site:
    """What a page needs to know about its tenant. `url` is the address of the tenant's API, `accent` a colour such as
    `#85480a`, `logo` a data URL; both are empty where the tenant has none."""

    name: str
    sandbox: bool
    surfaces: tuple[Surface, ...]
    url: str
    accent: str = ""
    logo: str = ""

    @property
    def authority(self) -> str:
        """The host, with its port if it has one."""
        return self.url.partition("://")[2]

    @property
    def hidden(self) -> frozenset[str]:
        """The names of the surfaces that the tenant does not have."""
        return frozenset(surface.value for surface in Surface if surface not in self.surfaces)


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One page in the menu. A nested one belongs to the page before it."""

    address: str
    title: str
    nested: bool = False


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Pages of the menu under one title."""

    title: str
    pages: tuple[MenuItem, ...]


@lru_cache
def menu_groups(surfaces: tuple[Surface, ...]) -> tuple[MenuGroup, ...]:
    """The menu of a tenant that has these surfaces, in reading order."""
    resellers = Surface.RESELLER in surfaces
    first_order = (MenuItem(f"{GUIDES}/first-order", "First order in Python"),) if resellers else ()
    webhooks = (
        MenuItem(f"{GUIDES}/webhooks", "Webhooks"),
        MenuItem(f"{GUIDES}/receive-webhooks", "Receiving webhooks", nested=True),
    )
    start = (
        MenuItem(HOME, "Overview"),
        MenuItem(f"{GUIDES}/getting-started", "Getting started"),
        *first_order,
        MenuItem(f"{GUIDES}/python-client", "Python client"),
        MenuItem(f"{GUIDES}/python-client-reference", "Client reference", nested=True),
    )
    guides = (
        MenuItem(f"{GUIDES}/authentication", "Authentication"),
        MenuItem(f"{GUIDES}/secret-managers", "Secret managers", nested=True),
        MenuItem(f"{GUIDES}/conventions", "Conventions"),
        *(webhooks if resellers else ()),
        MenuItem(ERRORS, "Errors"),
        MenuItem(f"{GUIDES}/limits", "Limits"),
    )
    more = (
        MenuItem(f"{HOME}/index", "Index"),
        MenuItem(f"{HOME}/downloads", "Downloads"),
        MenuItem(f"{GUIDES}/changes", "Changes"),
    )
    operations = tuple(MenuItem(f"{HOME}/surfaces/{one.value}", one.value.title()) for one in surfaces)
    groups = (
        MenuGroup("Start", start),
        MenuGroup("Guides", guides),
        MenuGroup("Operations", operations),
        MenuGroup("More", more),
    )
    return tuple(group for group in groups if group.pages)


ERROR_PAGES = tuple(
    MenuItem(f"{HOME}/errors/{error.number}", f"{error.number} {error.name}") for error in CATALOGUE.values()
)
"""The pages of the errors, in order. The menu marks the guide that lists them in their place."""
_ERROR_ADDRESSES = frozenset(item.address for item in ERROR_PAGES)


def page(site: Site, address: str, article: Article, scripts: Sequence[str] = ("site.js",)) -> bytes:
    """The whole page as HTML."""
    stylesheets = [asset("site.css").address]
    if site.accent:
        stylesheets.append(f"{FOLDER}{theme.file_name(site.accent)}")
    previous, next_ = _neighbours(site, address)
    return render(
        "page.html",
        site=site,
        article=article,
        menu_groups=menu_groups(site.surfaces),
        current=partial(_current, address),
        previous=previous,
        next=next_,
        stylesheets=stylesheets,
        scripts=[asset(name).address for name in scripts],
    ).encode()


def content_security_policy(*, connect: bool) -> bytes:
    """The `Content-Security-Policy` of a page: nothing from other hosts. `connect`: its scripts may call this host."""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        + ("connect-src 'self'; " if connect else "")
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ).encode()


def etag(body: bytes) -> bytes:
    """The `ETag` of a body."""
    return b'"' + base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:15]) + b'"'


def _current(address: str, item: MenuItem) -> str:
    """The value of `aria-current` for a menu item on the page at this address, or nothing."""
    if item.address == address:
        return "page"
    return "true" if item.address == ERRORS and address in _ERROR_ADDRESSES else ""


def _neighbours(site: Site, address: str) -> tuple[MenuItem | None, MenuItem | None]:
    """The page before and the page after, in reading order."""
    pages = [item for group in menu_groups(site.surfaces) for item in group.pages]
    if address in _ERROR_ADDRESSES:
        pages = [MenuItem(ERRORS, "Errors"), *ERROR_PAGES]
    at = next((number for number, item in enumerate(pages) if item.address == address), None)
    if at is None:
        return None, None
    return (pages[at - 1] if at else None), (pages[at + 1] if at + 1 < len(pages) else None)
