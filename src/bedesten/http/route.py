"""Routes as data: the path of an operation, the access that it demands, and its handler.

Dispatch (`http.route_map`), the access matrix and the documents are made from these tables. A route cannot be made
without its access.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from bedesten.errors import ErrorCode
from bedesten.gate.access import Access
from bedesten.gate.auth_cache import TenantEntry
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.message import Request, Response
from bedesten.http.schemas import EmptyBody, RequestModel
from bedesten.store.transaction import Transaction

SMALL_BODY_BYTES, LARGE_BODY_BYTES = 64 * 1024, 1024 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that a resource can have. TRACE, CONNECT and methods in another spelling are refused on every path."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Answered from one consistent view of the store."""

    action: Callable[[Transaction, RequestContext, Any], object]


@dataclass(frozen=True, slots=True)
class Writes:
    """Answered after the action's transaction has committed.

    With an `Idempotency-Key` the answer is stored and given again, except where it `reveals` a secret.
    """

    action: Callable[[Transaction, RequestContext, Any], object]
    reveals: bool = False


@dataclass(frozen=True, slots=True)
class Reveals:
    """Reads and records the read, so it runs in a write transaction. It records reveals of stock codes in the audit
    trail, and the order of a statement's rows. It moves neither money nor goods."""

    action: Callable[[Transaction, RequestContext, Any], object]


@dataclass(frozen=True, slots=True)
class Checks:
    """Runs a writing action, answers with its result, and rolls its transaction back."""

    action: Callable[[Transaction, RequestContext, Any], object]


@dataclass(frozen=True, slots=True)
class Async:
    """Answered by a coroutine that needs more than one transaction, such as a login."""

    action: Callable[[RequestContext, LoginServices, Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Static:
    """A page or a document that needs neither a body nor the store."""

    action: Callable[[RequestContext], Response]


Handler = Reads | Writes | Reveals | Checks | Async | Static


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """A method of a path and the access that it demands: all that `Admission` needs to know.

    `access` says which credential is verified. The caller needs every access of `further` as well. `endpoint` is the
    name that operators and grants use: `POST /Supplier/Products/List`. `label` is the surface in metrics and log, `public`
    for documentation pages.
    """

    method: str
    path: str
    access: Access
    further: tuple[Access, ...] = ()
    endpoint: str = field(init=False)
    label: str = field(init=False)

    def __post_init__(self) -> None:
        surface = self.access.surface
        object.__setattr__(self, "label", surface.value if surface else "public")
        object.__setattr__(self, "endpoint", f"{self.method} {self.path}".strip())


ResourceT = TypeVar("ResourceT", bound=Resource)
FoundT = TypeVar("FoundT", bound=Resource, covariant=True)


@dataclass(frozen=True, slots=True)
class Match(Generic[FoundT]):
    """The resource of a request, and the last segment of its path where the resource takes one."""

    resource: FoundT
    argument: str = ""


class Router(Protocol[FoundT]):
    """Finds the resource of a request."""

    def match(self, request: Request, tenant: TenantEntry) -> Match[FoundT]:
        """The resource of the request's method and path. Raises `Refusal` if there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A valid request and its answer, for the documents, in the route's own schemas; `argument` ends the path."""

    data: object
    body: RequestModel | None = None
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route(Resource):
    """One operation. `path` may end in `{name}`: one segment, which the handler gets as `context.argument`.

    `response` is the type of the answer's data. `errors` are the refusals of the handler itself; `http.refusals` adds
    those of the steps before it. `regional`: the answer depends on the caller's region. `cacheable`: a cache may keep it
    but revalidates it. `name` replaces the operation name that is otherwise made from the path.
    """

    handler: Handler
    body: type[RequestModel] = EmptyBody
    response: Any = None
    errors: tuple[ErrorCode, ...] = ()
    regional: bool = False
    cacheable: bool = False
    limit: int = SMALL_BODY_BYTES
    aliases: tuple[str, ...] = ()
    summary: str = ""
    name: str = ""
    example: Example | None = None

    @property
    def operation(self) -> str:
        """The operation's permanent name in documents and generated clients, unique in its surface: `ordersCreate`."""
        if self.name:
            return self.name
        first, *rest = self.words
        return first[0].lower() + first[1:] + "".join(rest)

    @property
    def strict(self) -> bool:
        """Whether unknown members are refused: only operations that change something or check a change refuse them.

        A login ignores them as well: members beyond its fields never reach the token.
        """
        return isinstance(self.handler, Writes | Checks)

    @property
    def repeatable(self) -> bool:
        """Whether the operation evaluates `Idempotency-Key`."""
        return isinstance(self.handler, Writes) and not self.handler.reveals

    @property
    def words(self) -> list[str]:
        """The segments of the path without the surface and the argument: `Orders`, `Create`."""
        surface = self.access.surface
        prefix = f"/{surface.value}/" if surface else "/"
        path = self.path[len(prefix) :] if self.path.lower().startswith(prefix) else self.path
        return [part for part in path.split("/") if part and not part.startswith("{")]
