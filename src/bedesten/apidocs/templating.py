"""HTML from the templates in `templates`. Autoescaping is on: only `Markup` is written as it is."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bedesten.gate.access import Anonymous, Keyed, Open, Scoped

HOME = "/documentation"
"""The address of the first page. All others are below it."""


def environment_of(package: str) -> Environment:
    """The templates of a package. Values are escaped, and a missing one raises `jinja2.UndefinedError`."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _environment() -> Environment:
    made = environment_of("bedesten.apidocs")
    made.globals["HOME"] = HOME
    for kind in (Anonymous, Keyed, Open, Scoped):
        made.tests[kind.__name__.lower()] = lambda access, kind=kind: isinstance(access, kind)
    return made


def render(template: str, **values: object) -> Markup:
    """The template with these values. Raises `jinja2.UndefinedError` for a missing value."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 the template escapes its values
