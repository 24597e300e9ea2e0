"""The pages without a document in `docs`: the overview, and the documents for tools."""

from dataclasses import dataclass

from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site.layout import Site
from bedesten.apidocs.site.surface_page import SURFACE_SUMMARIES
from bedesten.apidocs.templating import render
from bedesten.gate.scopes import Surface

_PATHS = {
    Surface.RESELLER: "/…",
    Surface.STOREFRONT: "/Storefront/…",
    Surface.PAYMENT: "/Payment/…",
    Surface.SUPPLIER: "/Supplier/…",
}


@dataclass(frozen=True, slots=True)
class _Card:
    path: str
    title: str
    text: str


_WEBHOOKS = _Card("guides/webhooks", "Webhooks", "Learn when an order line changes, and verify the message.")
_CONVENTIONS = _Card("guides/conventions", "Conventions", "Names, times, amounts, pages and repetitions.")


def overview(site: Site) -> Article:
    """What there is, and where to begin."""
    cards = (
        _Card("guides/getting-started", "Getting started", "From credentials to a first call in ten minutes."),
        _Card("guides/python-client", "Python client", "Every operation as a method; it logs in and retries for you."),
        _Card("guides/authentication", "Authentication", "Get, send, renew and store credentials; handle a leak."),
        _WEBHOOKS if Surface.RESELLER in site.surfaces else _CONVENTIONS,
        _Card("guides/errors", "Errors", "Every number: what it means, and how to fix it."),
        _Card("downloads", "Downloads", "OpenAPI documents for your tools."),
    )
    body = render("overview.html", site=site, cards=cards, summaries=SURFACE_SUMMARIES, paths=_PATHS)
    return Article("Overview", body, ())


def downloads(site: Site) -> Article:
    """The OpenAPI documents, for tools."""
    return Article("Downloads", render("downloads.html", site=site), ())
