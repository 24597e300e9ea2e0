"""The documents of `docs` that the site shows: their addresses, and each as an article for one tenant."""

import re
from functools import lru_cache

from markupsafe import Markup

from bedesten.apidocs import markdown
from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site.layout import Site
from bedesten.apidocs.templating import HOME
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface

GUIDES = {
    "getting-started": "guides/getting-started",
    "first-order": "tutorials/first-order",
    "python-client": "how-to/use-the-python-client",
    "python-client-reference": "reference/python-client",
    "secret-managers": "how-to/keep-secrets-in-a-manager",
    "authentication": "guides/authentication",
    "conventions": "reference/http",
    "webhooks": "reference/webhooks",
    "receive-webhooks": "how-to/receive-webhooks",
    "errors": "guides/errors",
    "limits": "guides/limits",
    "changes": "guides/changes",
}
"""The path below `docs` of every guide, by its name in the address."""

PAGES = {document: f"{HOME}/guides/{name}" for name, document in GUIDES.items()} | {
    f"errors/{-number}": f"{HOME}/errors/{number}" for number in CATALOGUE
}
"""The address of every document on the site, by its path below `docs`."""

_SURFACES = {f"reference/{surface.value}": surface for surface in Surface}
_RESELLERS = frozenset({"reference/webhooks", "how-to/receive-webhooks", "tutorials/first-order"})
"""Documents for partners only."""
EXAMPLE_URL, EXAMPLE_HOST = "https://api.shop.example", "api.shop.example"
_MAX_VARIANTS = 512
_ANCHORED = re.compile(rf'href="{HOME}/guides/(?P<name>[a-z-]+)#(?P<anchor>[^"]+)"')


def article(document: str, site: Site) -> Article | None:
    """The document as an article with the tenant's address in its examples; None if the tenant has no such page."""
    shown = _article(document, site.hidden)
    return None if shown is None else with_tenant_address(shown, site)


def all_of(hidden: frozenset[str]) -> list[tuple[str, Article]]:
    """The address and the article of every guide on the tenant's site."""
    found = ((address_of(document, hidden), _article(document, hidden)) for document in GUIDES.values())
    return [(address, shown) for address, shown in found if address is not None and shown is not None]


def with_tenant_address(shown: Article, site: Site) -> Article:
    """The article with the tenant's address in place of the example address."""
    body = shown.body.replace(EXAMPLE_URL, site.url).replace(EXAMPLE_HOST, site.authority)
    return Article(shown.title, body, shown.chapters)


def address_of(document: str, hidden: frozenset[str]) -> str | None:
    """The address of a document on the tenant's site. None for surfaces that it lacks, and for operators' documents."""
    if document in _SURFACES:
        surface = _SURFACES[document].value
        return None if surface in hidden else f"{HOME}/surfaces/{surface}"
    if document in _RESELLERS and Surface.RESELLER.value in hidden:
        return None
    return PAGES.get(document)


@lru_cache(_MAX_VARIANTS)
def _article(document: str, hidden: frozenset[str]) -> Article | None:
    text = markdown.read(document, hidden) if address_of(document, hidden) else None
    if text is None:
        return None
    shown = markdown.render(document, text, lambda other: address_of(other, hidden), hidden)
    return Article(shown.title, without_dead_anchors(shown.body, hidden), shown.chapters)


def without_dead_anchors(body: Markup, hidden: frozenset[str]) -> Markup:
    """The HTML with links to omitted chapters changed to links to their page."""

    def kept(match: re.Match[str]) -> str:
        return (
            match[0]
            if match["anchor"] in _anchors(GUIDES[match["name"]], hidden)
            else f'href="{HOME}/guides/{match["name"]}"'
        )

    return Markup(_ANCHORED.sub(kept, body)) if hidden else body  # noqa: S704 it only shortens addresses


@lru_cache(_MAX_VARIANTS)
def _anchors(document: str, hidden: frozenset[str]) -> frozenset[str]:
    return markdown.anchors(markdown.read(document, hidden) or "")
