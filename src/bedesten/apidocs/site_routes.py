"""Public pages on every tenant's host: the site of the documentation, its assets, and each error as JSON."""

from functools import lru_cache

from bedesten import errors
from bedesten.apidocs import openapi_routes
from bedesten.apidocs.markdown import Article
from bedesten.apidocs.openapi.document import document
from bedesten.apidocs.site import assets, client_wheel, guides, layout, not_found, pages, reference
from bedesten.apidocs.site import index_page as indexes
from bedesten.apidocs.site import surface_page as surfaces
from bedesten.apidocs.site.layout import HOME, MenuItem, Site
from bedesten.apidocs.site.theme import stylesheet
from bedesten.errors import CATALOGUE, Refusal
from bedesten.gate.access import Open
from bedesten.gate.directory import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.message import Request, Response
from bedesten.http.route import Route, Static
from bedesten.http.schemas import encode

_SURFACES = {surface.value: surface for surface in Surface}
_ROWS = {str(number): row for number, row in CATALOGUE.items()}
_HTML, _JSON = b"text/html; charset=utf-8", b"application/json"
_FRESH, _FOR_EVER = b"public, max-age=300", b"public, max-age=31536000, immutable"
_SEALED = b"default-src 'none'; frame-ancestors 'none'"
_NOT_KEPT = b"no-store"
_READS, _TRIES = ("site.js",), ("site.js", "builder.js")


def site_of(tenant: TenantEntry, authority: bytes) -> Site:
    """What the pages say of the tenant that was asked. A surface of which every operation is switched off is not there."""
    shown = tuple(surface for surface in Surface if openapi_routes.operations_of(tenant, surface))
    look = {"accent": tenant.brand.get("accent", ""), "logo": tenant.brand.get("logo", "")}
    return Site(tenant.name, tenant.sandbox, shown, openapi_routes.server_url(authority), **look)


def start(context: RequestContext) -> Response:
    """The first page."""
    site = site_of(context.tenant, context.authority)
    return _page(context, site, HOME, pages.overview(site))


def downloads(context: RequestContext) -> Response:
    """Documents for tools."""
    site = site_of(context.tenant, context.authority)
    return _page(context, site, f"{HOME}/downloads", pages.downloads(site))


def index(context: RequestContext) -> Response:
    """Everything by name."""
    site = site_of(context.tenant, context.authority)
    shown = _index(
        tuple((one, tuple(openapi_routes.operations_of(context.tenant, one))) for one in site.surfaces), site.hidden
    )
    return _page(context, site, f"{HOME}/index", shown)


def surface(context: RequestContext) -> Response:
    """The operations of one surface, without those that are switched off for the tenant."""
    site = site_of(context.tenant, context.authority)
    shown = _SURFACES.get(_name(context))
    if shown is None or shown not in site.surfaces:
        raise Refusal(errors.NOT_FOUND, "no such surface")
    routes = tuple(openapi_routes.operations_of(context.tenant, shown))
    article = guides.with_tenant_address(_surface(shown, routes, site.sandbox, site.hidden), site)
    return _page(context, site, f"{HOME}/surfaces/{shown.value}", article, _TRIES if site.sandbox else _READS)


def guide(context: RequestContext) -> Response:
    """One guide as a page."""
    name = _name(context)
    return _document(context, f"{HOME}/guides/{name}", guides.GUIDES.get(name))


def error(context: RequestContext) -> Response:
    """One error: as a page, or as JSON where the name ends in `.json`."""
    name = _name(context)
    number = name.removesuffix(".json")
    row = _ROWS.get(number)
    if row is None:
        raise Refusal(errors.NOT_FOUND, "no such error")
    if number != name:
        return _shown(context.request_id, encode(_as_json(row)), _JSON, _SEALED)
    return _document(context, f"{HOME}/errors/{number}", f"errors/{-row.number}")


def asset(context: RequestContext) -> Response:
    """A stylesheet or a script, the stylesheet of the tenant's own colour, or the client library."""
    name, accent = _name(context), context.tenant.brand.get("accent", "")
    if accent and name == layout.brand_file(accent):
        return _shown(context.request_id, stylesheet(accent), b"text/css; charset=utf-8", _SEALED)
    if name == client_wheel.name():
        return _shown(context.request_id, client_wheel.wheel().body, b"application/zip", _SEALED)
    found = assets.find(name)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such asset")
    return _shown(context.request_id, found.body, found.kind, _SEALED, _FOR_EVER)


def missing(request: Request, tenant: TenantEntry, authority: bytes, request_id: str) -> Response | None:
    """A page for browsers in place of -3; `/` leads to the documentation. Documents for programs have none."""
    path = request.path.decode("ascii", "replace").lower()
    if path.endswith(".json"):
        return None
    vary = b"Host, Accept"
    if path == "/":
        found = _shown(request_id, b"", _HTML, layout.policy(calls=False), _NOT_KEPT, status=302, vary=vary)
        found.headers.append((b"location", HOME.encode()))
        return found
    site = site_of(tenant, authority)
    body = _missing(site, not_found.suggestions(site, path))
    return _shown(request_id, body, _HTML, layout.policy(calls=False), _NOT_KEPT, status=404, vary=vary)


def _name(context: RequestContext) -> str:
    """The last segment of the path: in any case, like all of it."""
    return context.argument.lower()


@lru_cache(256)
def _surface(surface: Surface, routes: tuple[Route, ...], sandbox: bool, hidden: frozenset[str]) -> Article:
    told = reference.told(surface, lambda name: guides.address_of(name, hidden), hidden)
    made = surfaces.article(surface, routes, document(routes, surface, guides.EXAMPLE_URL, told), told, sandbox)
    return Article(made.title, guides.without_dead_anchors(made.body, hidden), made.chapters)


@lru_cache(256)
def _index(shown: tuple[tuple[Surface, tuple[Route, ...]], ...], hidden: frozenset[str]) -> Article:
    surfaces = [indexes.Shown(one, routes, document(routes, one, guides.EXAMPLE_URL, {})) for one, routes in shown]
    return indexes.article(surfaces, guides.all_of(hidden))


@lru_cache(256)
def _missing(site: Site, suggestions: tuple[MenuItem, ...]) -> bytes:
    return layout.page(site, "", not_found.article(suggestions), _READS)


def _document(context: RequestContext, address: str, name: str | None) -> Response:
    site = site_of(context.tenant, context.authority)
    article = guides.article(name, site) if name else None
    if article is None:
        raise Refusal(errors.NOT_FOUND, "no such page")
    return _page(context, site, address, article)


def _page(
    context: RequestContext, site: Site, address: str, article: Article, scripts: tuple[str, ...] = _READS
) -> Response:
    policy = layout.policy(calls=scripts is _TRIES)
    return _shown(context.request_id, layout.page(site, address, article, scripts), _HTML, policy)


def _shown(
    request_id: str,
    body: bytes,
    kind: bytes,
    policy: bytes,
    kept: bytes = _FRESH,
    *,
    status: int = 200,
    vary: bytes = b"Host",
) -> Response:
    headers = [
        (b"content-type", kind),
        (b"cache-control", kept),
        (b"etag", layout.etag(body)),
        (b"vary", vary),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", policy),
        (b"x-request-id", request_id.encode()),
    ]
    return Response(status, headers, body)


def _as_json(row: errors.ErrorRow) -> dict[str, object]:
    return {
        "code": row.number,
        "name": row.name,
        "status": row.status,
        "message": row.text,
        "remedy": row.remedy,
        "documentation": f"{HOME}/errors/{row.number}",
    }


def _public(path: str, handler: Static, summary: str) -> Route:
    refuses = (errors.NOT_FOUND,) if "{" in path else ()
    return Route(method="GET", path=path, access=Open(None), handler=handler, errors=refuses, summary=summary)


ROUTES = (
    _public(HOME, Static(start), "Read what there is"),
    _public(f"{HOME}/", Static(start), "The same"),
    _public(f"{HOME}/downloads", Static(downloads), "Find documents for tools"),
    _public(f"{HOME}/index", Static(index), "Find anything by name"),
    _public(f"{HOME}/surfaces/{{surface}}", Static(surface), "Read about the operations of a surface"),
    _public(f"{HOME}/guides/{{name}}", Static(guide), "Read a guide"),
    _public(f"{HOME}/errors/{{code}}", Static(error), "Read about an error"),
    _public(f"{HOME}/assets/{{name}}", Static(asset), "Fetch a stylesheet or a script"),
)
