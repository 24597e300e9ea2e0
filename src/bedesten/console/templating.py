"""Renders pages from `templates`, with their stylesheets. Autoescaping is on: no value is treated as markup."""

import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment

from bedesten.apidocs.site.assets import Asset
from bedesten.apidocs.site.assets import asset as site_asset
from bedesten.apidocs.templating import environment_of

ROOT = "/console"
POLICY = (
    b"default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The `Content-Security-Policy`: no script, nothing from other hosts."""


@cache
def _environment() -> Environment:
    made = environment_of("bedesten.console")
    made.globals.update(ROOT=ROOT, stylesheets=[f"{ROOT}/assets/{one.name}" for one in assets()])
    made.filters["shown"] = shown
    return made


def render(template: str, **values: object) -> bytes:
    """The page as HTML. Raises `jinja2.UndefinedError` for a missing value."""
    return _environment().get_template(template).render(values).encode()


def shown(value: object) -> str:
    """Formats a value for people."""
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(one)}" for name, one in value.items())
    return str(value)


@cache
def assets() -> tuple[Asset, ...]:
    """The stylesheets: that of the documentation, and the console's own. Their names contain a digest."""
    body = (resources.files(__package__) / "assets" / "console.css").read_bytes()
    own = Asset(f"console.{hashlib.sha256(body).hexdigest()[:12]}.css", b"text/css; charset=utf-8", body)
    return (site_asset("site.css"), own)
