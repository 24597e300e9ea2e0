"""The request builder: forms with which an operation is called from its page, on a sandbox tenant's host only.

Without scripts nothing of it is shown. What is typed stays in the page: the script writes to no storage, and nothing here
has a name under which a browser would keep it. The credential's field is not of the type `password`, which browsers offer to
remember; the stylesheet hides what is in it.
"""

from bedesten.apidocs.site.markup import Markup, el, join, link
from bedesten.gate.access import Anonymous, Keyed, Open
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route

_NARROWS = frozenset({"categoryId", "updatedSince", "cursor", "maxUnitPrice"})
"""Optional fields that would leave nothing of what a sandbox has, with the values that samples have."""


def shortest(sample: object) -> object:
    """A sample that is likely to go through: without what narrows it, and with one item in its lists."""
    if isinstance(sample, dict):
        return {name: shortest(value) for name, value in sample.items() if name not in _NARROWS}
    return [shortest(one) for one in sample[:1]] if isinstance(sample, list) else sample


def credential(surface: Surface) -> Markup:
    """Where the credential of all forms of the page is typed."""
    word = "Bearer token" if surface.uses_tokens else "API key"
    hint = (
        "A login that you send from this page fills it in."
        if surface.uses_tokens
        else "Of this sandbox: it begins with ak_test_."
    )
    field = f"credential-{surface.value}"
    return el(
        "div",
        el("label", f"{word} for the requests on this page", for_=field),
        el("input", id=field, type="text", autocomplete="off", spellcheck="false", data_credential=True),
        el("p", f"{hint} It stays in this page's memory and is gone when you leave or reload it."),
        class_="key",
        hidden=True,
    )


def form(route: Route, argument: str, body: str) -> Markup:
    """The form of one operation."""
    scheme = (
        "none"
        if isinstance(route.access, Open | Anonymous)
        else "apikey"
        if isinstance(route.access, Keyed)
        else "bearer"
    )
    head, brace, tail = route.path.partition("{")
    name = tail.rstrip("}")
    field = f"try-{route.operation}"
    return el(
        "details",
        el("summary", "Try it in the sandbox"),
        _sent_with(route, scheme),
        el(
            "form",
            _input(f"{field}-argument", name, argument) if brace else None,
            _text(f"{field}-body", body) if body else None,
            _headers(route, field),
            el("button", "Send the request", type="submit"),
            autocomplete="off",
        ),
        el("output", aria_live="polite"),
        class_="try",
        hidden=True,
        data_method=route.method,
        data_path=head,
        data_scheme=scheme,
        data_ends=route.words[-1] == "Logout",
    )


def _sent_with(route: Route, scheme: str) -> Markup | None:
    surface = route.access.surface
    if scheme == "none" or surface is None:
        return None
    word = "bearer token" if scheme == "bearer" else "API key"
    return el(
        "p", "With the ", link(f"#credential-{surface.value}", f"{word} at the top of this page"), ".", class_="soft"
    )


def _input(field: str, name: str, value: str) -> Markup:
    typed = el(
        "input", id=field, value=value, required=True, autocomplete="off", spellcheck="false", data_argument=name
    )
    return join([el("label", name, for_=field), typed])


def _headers(route: Route, field: str) -> Markup | None:
    names = ["Idempotency-Key"] if route.repeatable else []
    names += ["h-region-code"] if route.regional else []
    fields = [
        el(
            "div",
            el("label", name, el("span", " (optional)", class_="soft"), for_=f"{field}-{name.lower()}"),
            el("input", id=f"{field}-{name.lower()}", autocomplete="off", spellcheck="false", data_header=name),
        )
        for name in names
    ]
    return el("div", fields, class_="headers") if fields else None


def _text(field: str, body: str) -> Markup:
    rows = str(min(18, body.count("\n") + 2))
    typed = el("textarea", "\n" + body, id=field, rows=rows, autocomplete="off", spellcheck="false", data_body=True)
    return join([el("label", "Body (JSON)", for_=field), typed])
