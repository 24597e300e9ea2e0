"""The pages that no document of `docs` holds: the first one, and what there is for tools."""

from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site.layout import HOME, Site
from bedesten.apidocs.site.markup import Markup, block, code, el, join, link, table
from bedesten.apidocs.site.surface_page import SURFACE_SUMMARIES
from bedesten.gate.scopes import Surface

_PATHS = {
    Surface.RESELLER: "/…",
    Surface.STOREFRONT: "/Storefront/…",
    Surface.PAYMENT: "/Payment/…",
    Surface.SUPPLIER: "/Supplier/…",
}


def overview(site: Site) -> Article:
    """What is here, and where to begin."""
    guides = f"{HOME}/guides"
    cards = [
        (f"{guides}/getting-started", "Getting started", "From credentials to a first call in ten minutes."),
        (
            f"{guides}/python-client",
            "Python client",
            "Every operation as a method, with logins and repetitions done for you.",
        ),
        (
            f"{guides}/authentication",
            "Authentication",
            "Get, send, renew and store credentials; what to do when one leaks.",
        ),
        (f"{guides}/errors", "Errors", "Every number, what it means and what to do, with a page for each."),
        (f"{HOME}/downloads", "Downloads", "OpenAPI documents for your tools."),
    ]
    if Surface.RESELLER in site.surfaces:
        cards.insert(
            3, (f"{guides}/webhooks", "Webhooks", "Be told when an order line changes, and verify that it is true.")
        )
    else:
        cards.insert(3, (f"{guides}/conventions", "Conventions", "Names, times, amounts, pages and repetitions."))
    rows = [
        (
            link(f"{HOME}/surfaces/{one.value}", one.value.title()),
            SURFACE_SUMMARIES[one],
            "bearer token" if one.uses_tokens else "API key",
            code(_PATHS[one]),
        )
        for one in site.surfaces
    ]
    body = join(
        [
            el("h1", f"The API of {site.name}"),
            el("p", "Digital goods by HTTP: browse, order, deliver, get paid. All you need is here.", class_="lead"),
            el("p", "Looking for an operation, a field or a number? The ", link(f"{HOME}/index", "index"), " has them all."),
            _sandbox(site),
            el("p", "The address of the API:"),
            block(site.url, "Address of the API"),
            el("ul", [el("li", link(href, el("strong", title), el("span", text))) for href, title, text in cards],
               class_="cards"),
            el("h2", "Surfaces", id="surfaces"),
            el("p", "Each is a set of operations for one kind of caller, with credentials of its own."),
            table(("surface", "what it is for", "credential", "path"), rows, "Surfaces"),
            el("h2", "In short", id="in-short"),
            el("ul", [
                el("li", "JSON over HTTPS. Success is always 200; a failure has a status and a number, and you decide "
                   "on the number. ", link(f"{guides}/conventions", "Conventions"), "."),
                el("li", "What moves money or goods can be sent again safely, named by a reference of yours."),
                el("li", "A right that is taken away is gone on the next request."),
                el("li", "Tell the operator the ", code("X-Request-Id"), " of an answer, and its cause is found."),
            ]),
        ]
    )  # fmt: skip
    return Article("Overview", body, ())


def downloads(site: Site) -> Article:
    """Documents for tools."""
    rows = [
        (
            one.value.title(),
            link(f"/openapi/{one.value}.json", f"{one.value}.json"),
        )
        for one in site.surfaces
    ]
    body = join(
        [
            el("h1", "Downloads"),
            el("p", "They describe what this shop offers, at ", code(site.url), ". Reading them takes no credential, and "
               "none is in them."),
            table(("surface", "OpenAPI 3.1"), rows, "Documents for tools"),
            el("h2", "Client generators", id="generators"),
            el("p", "Generators of clients, mock servers and editors read these documents. The addresses stay, so "
               "a tool may read them again at any time."),
            el("h2", "Postman, Insomnia, Bruno", id="api-clients"),
            el("p", "Postman, Insomnia and Bruno import OpenAPI 3.1: paste the address of a document, or import the file. "
               "Enter the credential in the tool, and keep it out of collections that you share."),
        ]
    )  # fmt: skip
    return Article("Downloads", body, ())


def _sandbox(site: Site) -> Markup | None:
    if not site.sandbox:
        return None
    return el(
        "div",
        el("p", el("strong", "This is a sandbox."), " Money and goods are for play. On the pages of the surfaces every "
           "operation can be tried out; a live shop answers alike, without that."),
        class_="note",
    )  # fmt: skip
