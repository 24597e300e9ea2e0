"""The forms of the request builder as data; `templates/request_form.html` writes them."""

from dataclasses import dataclass

from bedesten.gate.access import Anonymous, Keyed, Open
from bedesten.http.route import Route

_FILTERS = frozenset({"categoryId", "updatedSince", "cursor", "maxUnitPrice"})
"""Optional fields whose example values would exclude everything that a sandbox has."""


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The form of one operation. `argument` and `body` are its initial contents, `headers` the optional ones."""

    path: str
    scheme: str
    ends_session: bool
    argument: str
    body: str
    headers: tuple[str, ...]

    @property
    def rows(self) -> int:
        """The height of the field for the body."""
        return min(18, self.body.count("\n") + 2)


def shortest(example: object) -> object:
    """An example that is likely to succeed: without filters, and with one item in its lists."""
    if isinstance(example, dict):
        return {name: shortest(value) for name, value in example.items() if name not in _FILTERS}
    return [shortest(one) for one in example[:1]] if isinstance(example, list) else example


def request_form(route: Route, argument: str, body: str) -> RequestForm:
    """The form of a route, with these values in it."""
    headers = (("Idempotency-Key", route.repeatable), ("h-region-code", route.regional))
    return RequestForm(
        path=route.path.partition("{")[0],
        scheme=_scheme(route),
        ends_session=route.words[-1] == "Logout",
        argument=argument,
        body=body,
        headers=tuple(name for name, used in headers if used),
    )


def _scheme(route: Route) -> str:
    match route.access:
        case Open() | Anonymous():
            return "none"
        case Keyed():
            return "apikey"
        case _:
            return "bearer"
