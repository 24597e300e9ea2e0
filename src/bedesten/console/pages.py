"""The pages of the console. Each page shows the result of an operation, and each form runs one."""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import structlog

from bedesten import errors
from bedesten.admin_api.route import AdminRoute, OwnHost, StaffSession
from bedesten.complaints.moves import COMPLAINT
from bedesten.console import requests
from bedesten.console.forms import members_of
from bedesten.console.operations import OPERATIONS, Document
from bedesten.console.requests import COOKIE, Handler, cookie_caller, csrf_token, guarded, one
from bedesten.console.runner import Caller, OperationRunner
from bedesten.console.templating import POLICY, ROOT, assets, render
from bedesten.core.ids import request_id
from bedesten.errors import Refusal, bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.http.message import Headers, Request, Response
from bedesten.http.proxies import Proxies
from bedesten.orders.moves import LINE, ORDER
from bedesten.staff.sessions import OpenSession

log = structlog.get_logger("bedesten.console")
_SEGMENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_IMMUTABLE = (b"cache-control", b"private, max-age=31536000, immutable")
_SAFE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", POLICY),
]
"""`same-origin`: with `no-referrer`, browsers do not name a form's origin either."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: the operation that it shows, its template, and the member that takes the id in its path."""

    name: str
    title: str
    operation: str
    template: str
    subject: str = ""


LISTS = (
    Page("orders", "Orders", "orders.list", "orders.html"),
    Page("complaints", "Complaints", "complaints.list", "complaints.html"),
    Page("customers", "Customers", "customers.find", "customers.html"),
    Page("stock", "Stock", "stock.list", "stock.html"),
    Page("deposits", "Deposits", "deposits.list", "deposits.html"),
    Page("webhooks", "Webhooks", "webhooks.list", "webhooks.html"),
)
"""The pages of the menu, in its order."""
DETAILS = (
    Page("orders", "Order", "orders.show", "order.html", "orderId"),
    Page("complaints", "Complaint", "complaints.show", "complaint.html", "complaintId"),
    Page("customers", "Customer", "customers.show", "customer.html", "customer"),
)
_BY_NAME = {page.name: page for page in LISTS}
_DETAIL_BY_NAME = {page.name: page for page in DETAILS}
_DEFAULTS: Mapping[str, Mapping[str, str]] = {"complaints": {"state": "open"}, "customers": {"search": "@"}}
"""The default query of a list."""
_CHOICES = {
    "orders": {"states": ORDER.names, "statuses": LINE.names},
    "complaints": {"states": (*COMPLAINT.names, "all")},
}
_COUNTS = (
    ("openComplaints", "Open complaints"),
    ("waitingDeposits", "Deposits that wait"),
    ("lowProducts", "Products with low stock"),
    ("failingEndpoints", "Webhook endpoints that fail"),
)


class Pages:
    """The handlers."""

    def __init__(self, runner: OperationRunner, proxies: Proxies) -> None:
        self._runner = runner
        self._proxies = proxies

    def routes(self) -> tuple[AdminRoute, ...]:
        """Every route of the pages."""
        return (
            AdminRoute("GET", ROOT, StaffSession(), _page(self.home)),
            AdminRoute("GET", f"{ROOT}/login", OwnHost(), _page(self.login_form)),
            AdminRoute("POST", f"{ROOT}/login", OwnHost(), _page(self.log_in)),
            AdminRoute("POST", f"{ROOT}/logout", StaffSession(), _page(self.log_out)),
            AdminRoute("GET", f"{ROOT}/setup", OwnHost(), _page(self.setup_form)),
            AdminRoute("POST", f"{ROOT}/setup", OwnHost(), _page(self.set_up)),
            AdminRoute("GET", f"{ROOT}/assets/{{name}}", OwnHost(), _page(_asset)),
            AdminRoute("GET", f"{ROOT}/{{path*}}", StaffSession(), _page(self.show)),
            AdminRoute("POST", f"{ROOT}/{{path*}}", StaffSession(), _page(self.act)),
        )

    # --- before a session ---

    async def login_form(self, _request: Request) -> Response:
        """The form to log in with."""
        return _html(_outside("login.html", "Log in"))

    async def log_in(self, request: Request) -> Response:
        """Logs in: the session's token becomes a cookie that no script and no other site can use."""
        requests.check_origin(request)
        fields = await requests.form_body(request)
        caller = Caller("", self._proxies.client(request), request_id())
        try:
            token, _ = await self._runner.log_in(one(fields, "email"), one(fields, "password"), caller)
        except Refusal as refusal:
            if refusal.code not in (errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS):
                raise
            _log(refusal, request, caller.request_id)
            wait = f" Try again in {refusal.retry_after} seconds." if refusal.retry_after else ""
            return _html(_outside("login.html", "Log in", refusal.text + wait), refusal.code.status)
        secure = "; Secure" if requests.needs_https(request) else ""
        cookie = f"{COOKIE}={token.reveal()}; Path={ROOT}; HttpOnly; SameSite=Strict{secure}"
        return _redirect(ROOT, [(b"set-cookie", cookie.encode())])

    async def setup_form(self, _request: Request) -> Response:
        """The form for a setup code."""
        return _html(_outside("setup.html", "Choose a password"))

    async def set_up(self, request: Request) -> Response:
        """Sets a password with a setup code."""
        requests.check_origin(request)
        fields = await requests.form_body(request)
        try:
            if one(fields, "password") != one(fields, "repeated"):
                raise bad_field("password", "the two passwords differ")
            await self._runner.choose_password(one(fields, "code").strip(), one(fields, "password"))
        except Refusal as refusal:
            if refusal.code not in (errors.LINK_REFUSED, errors.BAD_REQUEST):
                raise
            problem = "; ".join((refusal.fields or {}).values()) or "The setup code is not valid any more."
            return _html(_outside("setup.html", "Choose a password", problem), refusal.code.status)
        return _redirect(f"{ROOT}/login")

    async def log_out(self, request: Request) -> Response:
        """Ends the session."""
        caller = cookie_caller(request, self._proxies)
        requests.check_form(request, await requests.form_body(request), caller)
        await self._runner.log_out(caller)
        return _redirect(f"{ROOT}/login", [(b"set-cookie", f"{COOKIE}=; Path={ROOT}; Max-Age=0".encode())])

    # --- with a session ---

    async def home(self, request: Request) -> Response:
        """The tenants of the member, or its only one."""
        caller = cookie_caller(request, self._proxies)
        session, tenants = await self._runner.who(caller)
        if len(tenants) == 1:
            return _redirect(f"{ROOT}/{tenants[0]['id']}")
        return _html(_inside("tenants.html", "Tenants", caller, session, None, tenants=tenants))

    async def show(self, request: Request) -> Response:
        """A page of a tenant."""
        caller = cookie_caller(request, self._proxies)
        tenant, *rest = _segments(request)
        query = requests.query_of(request)
        page, subject = _found_page(rest)
        if page is None:
            session, entry, found = await self._runner.look(caller, tenant)
            names = [pair for pair in _COUNTS if pair[0] in found]
            return _html(_inside("overview.html", "Overview", caller, session, entry, found=found, names=names))
        asked = {**_DEFAULTS.get(page.name, {}), **{name: values[0] for name, values in query.items()}}
        fields = {name: query.get(name, [value]) for name, value in asked.items()}
        filled = {page.subject: subject} if page.subject else {}
        operation = OPERATIONS["orders.find" if page.name == "orders" and "search" in query else page.operation]
        if operation.name == "orders.find":
            fields = {"search": query["search"]}
        session, entry, found = await self._runner.perform(
            caller, operation, lambda: members_of(operation, {} if filled else fields, tenant=tenant, **filled)
        )
        values: dict[str, Any] = {
            "found": _with_details(found),
            "query": _Query(asked),
            "current": page.name,
            "done": "done" in query,
            "back": "/".join([ROOT, tenant, *rest]),
            **_CHOICES.get(page.name, {}),
        }
        return _html(_inside(page.template, page.title, caller, session, entry, **values))

    async def act(self, request: Request) -> Response:
        """Runs the operation of a form, and returns to the page of the form."""
        caller = cookie_caller(request, self._proxies)
        tenant, *rest = _segments(request)
        fields = await requests.form_body(request)
        requests.check_form(request, fields, caller)
        operation = OPERATIONS.get(rest[1]) if len(rest) == 2 and rest[0] == "do" else None
        if operation is None or not operation.writes:
            raise Refusal(errors.NOT_FOUND, "no such operation")
        await self._runner.perform(caller, operation, lambda: members_of(operation, fields, tenant=tenant))
        return _redirect(f"{_way_back(fields, tenant)}?done=1")


class _Query(dict[str, str]):
    """The query of a page; missing members are empty in templates."""

    def __missing__(self, _: str) -> str:
        return ""


def _page(handler: Callable[[Request], Awaitable[Response]]) -> Handler:
    """Wraps a handler: refusals become pages, and a request without a session is redirected to the login."""
    run = guarded(handler)

    @wraps(handler)
    async def handle(request: Request) -> Response:
        try:
            return await run(request)
        except Refusal as refusal:
            if refusal.code is errors.TOKEN_INVALID:
                return _redirect(f"{ROOT}/login")
            named = request_id()
            _log(refusal, request, named)
            return _html(_problem(refusal, named, request), refusal.code.status, _retry(refusal))

    return handle


def _problem(refusal: Refusal, named: str, request: Request) -> bytes:
    tenant = request.path.decode("latin-1").split("/")[2:3]
    back = f"{ROOT}/{tenant[0]}" if tenant and _SEGMENT.fullmatch(tenant[0]) else ROOT
    return render(
        "error.html",
        **_frame("Not done"),
        problem=refusal.text,
        fields=refusal.fields,
        number=refusal.code.number,
        request=named,
        back=back,
    )


def _retry(refusal: Refusal) -> Headers:
    return [] if refusal.retry_after is None else [(b"retry-after", b"%d" % max(1, refusal.retry_after))]


def _log(refusal: Refusal, request: Request, named: str) -> None:
    path = request.path.decode("latin-1")[:200]
    log.info(
        "refused", code=refusal.code.number, cause=refusal.cause, request_id=named, path=path, address=request.peer
    )


def _segments(request: Request) -> list[str]:
    """The segments of the path below the console's root. Raises `Refusal` (-3)."""
    parts = request.path.decode("latin-1").split("/")[2:]
    if not 1 <= len(parts) <= 3 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise Refusal(errors.NOT_FOUND, "no such page")
    return parts


def _found_page(rest: list[str]) -> tuple[Page | None, str]:
    """The page of the segments after the tenant, None for the overview, and its subject. Raises `Refusal` (-3)."""
    if not rest:
        return None, ""
    page = (_BY_NAME if len(rest) == 1 else _DETAIL_BY_NAME).get(rest[0])
    if page is None:
        raise Refusal(errors.NOT_FOUND, "no such page")
    return page, rest[-1]


def _way_back(fields: dict[str, list[str]], tenant: str) -> str:
    """The page of the form. Always a page of the same tenant, to prevent open redirects."""
    parts = one(fields, "back").split("/")
    inside = parts[:3] == ["", ROOT[1:], tenant] and len(parts) <= 5 and all(map(_SEGMENT.fullmatch, parts[1:]))
    return "/".join(parts) if inside else f"{ROOT}/{tenant}"


def _with_details(found: Document) -> Document:
    """Adds `detail` to each time line entry: its members other than `at` and `what`."""
    entries = found.get("timeline")
    if not isinstance(entries, list):
        return found
    detailed = [
        {**entry, "detail": {name: one for name, one in entry.items() if name not in ("at", "what")}}
        for entry in entries
    ]
    return {**found, "timeline": detailed}


def _frame(title: str) -> dict[str, Any]:
    return {"title": title, "session": None, "tenant": None, "csrf": "", "menu": (), "current": "", "done": False}


def _outside(template: str, title: str, problem: str = "") -> bytes:
    return render(template, **_frame(title), problem=problem)


def _inside(
    template: str, title: str, caller: Caller, session: OpenSession, tenant: TenantEntry | None, **values: Any
) -> bytes:
    csrf = csrf_token(caller.token)
    base = f"{ROOT}/{tenant.id}" if tenant else ROOT
    reads = [page for page in LISTS if OPERATIONS[page.operation].duty in session.duties]
    menu = [{"name": "", "title": "Overview", "address": base}] + [
        {"name": page.name, "title": page.title, "address": f"{base}/{page.name}"} for page in reads
    ]
    page = {"base": base, "csrf": csrf, "back": values.pop("back", base), "key": f"console-{secrets.token_hex(12)}"}
    known = {**_frame(title), "session": session, "tenant": tenant, "csrf": csrf, "menu": menu}
    duties = {duty.value for duty in session.duties}
    return render(template, **{**known, **values, "base": base, "page": page, "duties": duties})


async def _asset(request: Request) -> Response:
    name = request.path.decode("latin-1").rpartition("/")[2].lower()
    found = next((asset for asset in assets() if asset.name == name), None)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such asset")
    return Response(200, [(b"content-type", found.kind), _IMMUTABLE, *_SAFE], found.body)


def _html(body: bytes, status: int = 200, more: Headers | None = None) -> Response:
    kind = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
    return Response(status, [*kind, *_SAFE, *(more or [])], body)


def _redirect(to: str, more: Headers | None = None) -> Response:
    return Response(303, [(b"location", to.encode()), (b"cache-control", b"no-store"), *_SAFE, *(more or [])], b"")
