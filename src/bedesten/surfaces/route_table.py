"""Makes the routes of a surface. A table states only what differs between them: a line or two for each operation."""

from collections.abc import Callable, Sequence
from typing import Any, get_args, get_type_hints

from bedesten.errors import ErrorCode, Refusal
from bedesten.gate.access import Access, Anonymous, Keyed, Open, Scoped, SignedIn
from bedesten.gate.scopes import Surface
from bedesten.http.route import Async, Checks, Example, Reads, Reveals, Route, Writes

Handler = Reads | Writes | Reveals | Checks | Async
Right = str | type[Open] | type[Anonymous] | type[SignedIn]
"""A scope or grant by its name, or a class of access that needs none."""


class RouteTable:
    """The routes of one surface.

    A route cannot be made without its `access`. The handler's annotations supply the schemas of its body and answer.
    """

    def __init__(self, surface: Surface) -> None:
        self._surface = surface

    def get(
        self, path: str, *, access: Right, handler: Handler, summary: str,
        example: Example, errors: Sequence[ErrorCode] = (), **options: Any,
    ) -> Route:  # fmt: skip
        """A route for GET. `options` are further fields of `Route`."""
        return self._route("GET", path, access, handler, summary, example, errors, options)

    def post(
        self, path: str, *, access: Right, handler: Handler, summary: str,
        example: Example, errors: Sequence[ErrorCode] = (), **options: Any,
    ) -> Route:  # fmt: skip
        """A route for POST. `options` are further fields of `Route`."""
        return self._route("POST", path, access, handler, summary, example, errors, options)

    def _route(
        self, method: str, path: str, access: Right, handler: Handler, summary: str,
        example: Example, errors: Sequence[ErrorCode], options: dict[str, Any],
    ) -> Route:  # fmt: skip
        body, response = _schemas(handler.action)
        return Route(
            method=method,
            path=path,
            access=self._access(access),
            handler=handler,
            body=body,
            response=response,
            errors=tuple(errors),
            summary=summary,
            example=example,
            **options,
        )

    def _access(self, access: Right) -> Access:
        if not isinstance(access, str):
            return access(self._surface)
        return (Scoped if self._surface.uses_tokens else Keyed)(self._surface, access)


def _schemas(action: Callable[..., object]) -> tuple[Any, Any]:
    """The type of a handler's last parameter, and of its answer without `Refusal`."""
    hints = get_type_hints(action)
    answer = hints.pop("return")
    choices = [one for one in get_args(answer) if one is not Refusal]
    return list(hints.values())[-1], choices[0] if Refusal in get_args(answer) else answer
