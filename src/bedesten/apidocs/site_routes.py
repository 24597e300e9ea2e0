"""The documentation site on every tenant's host: its pages and assets, and each error as JSON."""

from functools import lru_cache

from bedesten import errors
from bedesten.apidocs import openapi_routes
from bedesten.apidocs.markdown import Article
from bedesten.apidocs.openapi.document import document
from bedesten.apidocs.site import (
    assets,
    client_wheel,
    guides,
    index_page,
    layout,
    pages,
    reference,
    surface_page,
    theme,
)
from bedesten.apidocs.site.layout import Site
from bedesten.apidocs.templating import HOME
from bedesten.errors import CATALOGUE, Refusal
from bedesten.gate.access import Open
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.message import Response
from bedesten.http.route import Route, Static
from bedesten.http.schemas import encode

_SURFACES = {surface.value: surface for surface in Surface}
_ERRORS = {str(number): code for number, code in CATALOGUE.items()}
HTML, _JSON = b"text/html; charset=utf-8", b"application/json"
_FIVE_MINUTES, _IMMUTABLE = b"public, max-age=300", b"public, max-age=31536000, immutable"
_NOTHING_ALLOWED = b"default-src 'none'; frame-ancestors 'none'"
"""The `Content-Security-Policy` of answers that are not pages."""
_SCRIPTS, _SANDBOX_SCRIPTS = ("site.js",), ("site.js", "builder.js")


def site_of(tenant: TenantEntry, authority: bytes) -> Site:
    """The site of the tenant. A surface whose operations are all switched off is not in it."""
    surfaces = tuple(surface for surface in Surface if openapi_routes.operations_of(tenant, surface))
    accent, logo = tenant.brand.get("accent", ""), tenant.brand.get("logo", "")
    return Site(tenant.name, tenant.sandbox, surfaces, openapi_routes.server_url(authority), accent, logo)


def overview(context: RequestContext) -> Response:
    """The first page."""
    site = site_of(context.tenant, context.authority)
    return _page(context, site, HOME, pages.overview(site))


def downloads(context: RequestContext) -> Response:
    """The page with the OpenAPI documents."""
    site = site_of(context.tenant, context.authority)
    return _page(context, site, f"{HOME}/downloads", pages.downloads(site))


def index(context: RequestContext) -> Response:
    """The index."""
    site = site_of(context.tenant, context.authority)
    routes = tuple((one, tuple(openapi_routes.operations_of(context.tenant, one))) for one in site.surfaces)
    return _page(context, site, f"{HOME}/index", _index(routes, site.hidden))


def surface(context: RequestContext) -> Response:
    """The page of one surface, without the operations that are switched off for the tenant."""
    site = site_of(context.tenant, context.authority)
    found = _SURFACES.get(_name(context))
    if found is None or found not in site.surfaces:
        raise Refusal(errors.NOT_FOUND, "no such surface")
    routes = tuple(openapi_routes.operations_of(context.tenant, found))
    article = guides.with_tenant_address(_surface(found, routes, site.sandbox, site.hidden), site)
    scripts = _SANDBOX_SCRIPTS if site.sandbox else _SCRIPTS
    return _page(context, site, f"{HOME}/surfaces/{found.value}", article, scripts)


def guide(context: RequestContext) -> Response:
    """One guide."""
    name = _name(context)
    return _document(context, f"{HOME}/guides/{name}", guides.GUIDES.get(name))


def error(context: RequestContext) -> Response:
    """One error: as a page, or as JSON if the name ends in `.json`."""
    name = _name(context)
    number = name.removesuffix(".json")
    found = _ERRORS.get(number)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such error")
    if number != name:
        return response(context.request_id, encode(_error_as_json(found)), _JSON, _NOTHING_ALLOWED)
    return _document(context, f"{HOME}/errors/{number}", f"errors/{-found.number}")


def asset(context: RequestContext) -> Response:
    """A stylesheet, a script, the stylesheet of the tenant's colour, or the client library."""
    name, accent = _name(context), context.tenant.brand.get("accent", "")
    if accent and name == theme.file_name(accent):
        return response(context.request_id, theme.stylesheet(accent), b"text/css; charset=utf-8", _NOTHING_ALLOWED)
    if name == client_wheel.name():
        return response(context.request_id, client_wheel.wheel().body, b"application/zip", _NOTHING_ALLOWED)
    found = assets.find(name)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such asset")
    return response(context.request_id, found.body, found.kind, _NOTHING_ALLOWED, _IMMUTABLE)


def _name(context: RequestContext) -> str:
    """The last segment of the path, in lower case: paths are matched without regard to case."""
    return context.argument.lower()


@lru_cache(256)
def _surface(surface: Surface, routes: tuple[Route, ...], sandbox: bool, hidden: frozenset[str]) -> Article:
    docs = reference.operation_docs(surface, lambda name: guides.address_of(name, hidden), hidden)
    described = document(routes, surface, guides.EXAMPLE_URL, docs)
    made = surface_page.article(surface, routes, described, docs, sandbox)
    return Article(made.title, guides.without_dead_anchors(made.body, hidden), made.chapters)


@lru_cache(256)
def _index(routes: tuple[tuple[Surface, tuple[Route, ...]], ...], hidden: frozenset[str]) -> Article:
    contents = [index_page.SurfaceContent(one, own, document(own, one, guides.EXAMPLE_URL, {})) for one, own in routes]
    return index_page.article(contents, guides.all_of(hidden))


def _document(context: RequestContext, address: str, name: str | None) -> Response:
    site = site_of(context.tenant, context.authority)
    article = guides.article(name, site) if name else None
    if article is None:
        raise Refusal(errors.NOT_FOUND, "no such page")
    return _page(context, site, address, article)


def _page(
    context: RequestContext, site: Site, address: str, article: Article, scripts: tuple[str, ...] = _SCRIPTS
) -> Response:
    policy = layout.content_security_policy(connect=scripts is _SANDBOX_SCRIPTS)
    return response(context.request_id, layout.page(site, address, article, scripts), HTML, policy)


def response(
    request_id: str,
    body: bytes,
    media_type: bytes,
    policy: bytes,
    cache_control: bytes = _FIVE_MINUTES,
    *,
    status: int = 200,
    vary: bytes = b"Host",
) -> Response:
    """The answer with this body. `policy` is its `Content-Security-Policy`."""
    headers = [
        (b"content-type", media_type),
        (b"cache-control", cache_control),
        (b"etag", layout.etag(body)),
        (b"vary", vary),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", policy),
        (b"x-request-id", request_id.encode()),
    ]
    return Response(status, headers, body)


def _error_as_json(code: errors.ErrorCode) -> dict[str, object]:
    return {
        "code": code.number,
        "name": code.name,
        "status": code.status,
        "message": code.text,
        "remedy": code.remedy,
        "documentation": f"{HOME}/errors/{code.number}",
    }


def _public(path: str, handler: Static, summary: str) -> Route:
    own = (errors.NOT_FOUND,) if "{" in path else ()
    return Route(method="GET", path=path, access=Open(None), handler=handler, errors=own, summary=summary)


ROUTES = (
    _public(HOME, Static(overview), "Read the overview"),
    _public(f"{HOME}/", Static(overview), "Read the overview"),
    _public(f"{HOME}/downloads", Static(downloads), "Find documents for tools"),
    _public(f"{HOME}/index", Static(index), "Find anything by name"),
    _public(f"{HOME}/surfaces/{{surface}}", Static(surface), "Read about the operations of a surface"),
    _public(f"{HOME}/guides/{{name}}", Static(guide), "Read a guide"),
    _public(f"{HOME}/errors/{{code}}", Static(error), "Read about an error"),
    _public(f"{HOME}/assets/{{name}}", Static(asset), "Fetch a stylesheet or a script"),
)
