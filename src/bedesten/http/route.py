"""Routes as data: what a path is, what it demands, and what answers it.

From the tables come dispatch, the access matrix, and the documents. A route cannot be made without saying its access.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol

from bedesten.errors import ErrorCode
from bedesten.gate.access import Access, Keyed
from bedesten.gate.scopes import Surface
from bedesten.http.message import Response
from bedesten.http.schemas import EmptyBody, RequestModel
from bedesten.store.transaction import Transaction

if TYPE_CHECKING:
    from bedesten.http.context import RequestContext

MAX_SUGGESTION_LENGTH, MIN_SIMILARITY = 100, 0.75
"""The longest path for which the nearest one is looked for, and how alike they must be (`difflib`)."""
SMALL_BODY_BYTES, LARGE_BODY_BYTES = 64 * 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reads:
    """Answered from one consistent view of the store."""

    action: Callable[[Transaction, "RequestContext", Any], object]


@dataclass(frozen=True, slots=True)
class Writes:
    """Answered after the action's transaction was committed.

    With an `Idempotency-Key` the answer is stored, to be given again; not so where it `reveals` a secret.
    """

    action: Callable[[Transaction, "RequestContext", Any], object]
    reveals: bool = False


@dataclass(frozen=True, slots=True)
class Reveals:
    """Only reads, and leaves a row in the trail for every code that it shows: so it runs where writes run."""

    action: Callable[[Transaction, "RequestContext", Any], object]


@dataclass(frozen=True, slots=True)
class Async:
    """Answered by something that waits for more than one transaction: a login."""

    action: Callable[["RequestContext", Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Static:
    """A page or a document that is ready as it is."""

    action: Callable[["RequestContext"], Response]


Handler = Reads | Writes | Reveals | Async | Static


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A right request and its answer as documents show them, in the route's own shapes; `argument` ends the path."""

    data: object
    body: RequestModel | None = None
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One operation. `path` may end in `{name}`, one segment that the handler gets as `context.argument`.

    `response` is the type of the answer's data. `errors` are the refusals of the handler's own; what the way there may
    refuse is the same for many routes and not repeated (see `web.refusals`). `regional`: the caller's region counts.
    `name` names the operation where its path does not do it well.
    """

    method: str
    path: str
    access: Access
    handler: Handler
    body: type[RequestModel] = EmptyBody
    response: Any = None
    errors: tuple[ErrorCode, ...] = ()
    regional: bool = False
    limit: int = SMALL_BODY_BYTES
    aliases: tuple[str, ...] = ()
    summary: str = ""
    name: str = ""
    example: Example | None = None

    @property
    def endpoint(self) -> str:
        """How operators and grants name it: `POST /Supplier/Products/List`."""
        return f"{self.method} {self.path}"

    @property
    def operation(self) -> str:
        """How documents and generated clients name it, once in its surface: `ordersCreate`, and for good."""
        if self.name:
            return self.name
        first, *rest = self.words
        return first[0].lower() + first[1:] + "".join(rest)

    @property
    def strict(self) -> bool:
        """Whether it refuses members that it does not know: what changes anything does, what only reads ignores them.

        A login ignores them too: nothing that is asked for beyond its fields ever reaches the token.
        """
        return isinstance(self.handler, Writes)

    @property
    def repeatable(self) -> bool:
        """Whether an `Idempotency-Key` is looked at."""
        return isinstance(self.handler, Writes) and not self.handler.reveals

    @property
    def words(self) -> list[str]:
        """What the path says, without its surface and what is filled in: `Orders`, `Create`."""
        surface = self.access.surface
        below = f"/{surface.value}/" if surface else "/"
        path = self.path[len(below) :] if self.path.lower().startswith(below) else self.path
        return [part for part in path.split("/") if part and not part.startswith("{")]


@dataclass(frozen=True, slots=True)
class Match:
    """What a path leads to: its routes by method, and the last segment where the path ends in one."""

    routes: dict[str, Route]
    argument: str = ""


class Router(Protocol):
    """A table of routes, however it is looked up."""

    def find(self, path: bytes) -> Match | None:
        """The routes of a raw path, or None."""


@dataclass(slots=True)
class RouteMap:
    """Finds routes by path, without regard to case; nothing is decoded, nothing is normalised."""

    exact: dict[str, dict[str, Route]] = field(default_factory=dict)
    tails: dict[str, dict[str, Route]] = field(default_factory=dict)

    @classmethod
    def of(cls, routes: Iterable[Route]) -> "RouteMap":
        """The map of these routes and their aliases. Two routes for one method and path are a mistake.

        What is shown to GET answers HEAD as well (RFC 9110 section 9.3.2); the adapter leaves the body out.
        """
        made = cls()
        for route in routes:
            for path in (route.path, *route.aliases):
                head, brace, _ = path.lower().partition("{")
                known = (made.tails if brace else made.exact).setdefault(head, {})
                assert route.method not in known, f"{route.method} {path} twice"
                known[route.method] = route
                if route.method == "GET" and isinstance(route.handler, Static):
                    known["HEAD"] = route
        return made

    def find(self, path: bytes) -> Match | None:
        """The routes of a raw path, or None."""
        try:
            text = path.decode("ascii")
        except UnicodeDecodeError:
            return None
        folded = text.lower()
        exact = self.exact.get(folded)
        if exact is not None:
            return Match(exact)
        cut = folded.rfind("/") + 1
        tail = self.tails.get(folded[:cut])
        return Match(tail, text[cut:]) if tail is not None and cut < len(text) else None

    def nearest(self, path: bytes, surface: Surface | None, allows: Callable[[Route], bool]) -> str:
        """The operation whose path is nearest to one that leads nowhere, or nothing.

        Only one of the surface is named; where that is None, one of the surfaces that take bearer tokens.
        """
        text = path.decode("latin-1").lower()
        if len(text) > MAX_SUGGESTION_LENGTH:
            return ""
        words = ((text, self.exact), (text[: text.rfind("/") + 1], self.tails))
        for word, table in words:
            known = {
                near: route
                for near, routes in table.items()
                for route in routes.values()
                if route.path.lower().partition("{")[0] == near and _is_of(route, surface) and allows(route)
            }
            if near := get_close_matches(word, known, n=1, cutoff=MIN_SIMILARITY):
                return known[near[0]].endpoint
        return ""


def _is_of(route: Route, surface: Surface | None) -> bool:
    own = route.access.surface
    return own is surface if surface else own is not None and own.uses_tokens


KEYED_PREFIXES = ((b"/payment", Surface.PAYMENT), (b"/supplier", Surface.SUPPLIER))


def keyed_surface(path: bytes, match: Match | None) -> Surface | None:
    """The surface of API keys that a path lies in, whether it leads anywhere or not."""
    folded = path.lower()
    for prefix, surface in KEYED_PREFIXES:
        if folded.startswith(prefix) and folded[len(prefix) : len(prefix) + 1] in (b"", b"/"):
            return surface
    access = next(iter(match.routes.values())).access if match else None
    return access.surface if isinstance(access, Keyed) else None
