"""Stores how a tenant's documentation looks."""

import base64
import json
from typing import Any

from sqlalchemy import select, update

from bedesten.audit.actions import OPERATOR, record
from bedesten.core.colour import parse, to_hex
from bedesten.errors import bad_field
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

_SHOWN_BRAND = select(tenants.c.brand).where(tenants.c.id == TENANT)
_BRAND, _LOCKED_BRAND = statement(_SHOWN_BRAND), statement(_SHOWN_BRAND.with_for_update())
_SET_BRAND = statement(update(tenants).where(tenants.c.id == TENANT).values(brand=p("new_brand")))
MAX_LOGO_BYTES = 16_384
"""Maximum size of a logo in bytes; every page contains it."""
_PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def set_brand(tx: Transaction, accent: str | None, logo: bytes | None) -> None:
    """Changes the accent (`#85480a`) and the logo (PNG, JPEG or GIF) of the tenant's documentation.

    None keeps the current value; an empty value removes it.
    """
    before = _brand(tx.one(_LOCKED_BRAND))
    brand = dict(before)
    if accent is not None:
        brand["accent"] = _accent(accent)
    if logo is not None:
        brand["logo"] = _data_url(logo)
    brand = {name: value for name, value in brand.items() if value}
    tx.run(_SET_BRAND, new_brand=json.dumps(brand) if brand else None)
    tx.advance_revision("tenant", tx.tenant)
    summaries = [{"accent": one.get("accent"), "logo": len(one.get("logo", ""))} for one in (before, brand)]
    record(tx, OPERATOR, "tenant.brand", tx.tenant, before=summaries[0], after=summaries[1])


def brand_of(tx: Transaction) -> dict[str, str]:
    """Returns the tenant's `accent` and `logo` (a data URL), as far as they are set."""
    return _brand(tx.one(_BRAND))


def _brand(row: tuple[Any, ...] | None) -> dict[str, str]:
    brand: dict[str, str] = json.loads(row[0]) if row and row[0] else {}
    return brand


def _accent(text: str) -> str:
    try:
        return to_hex(parse(text)) if text else ""
    except ValueError as problem:
        raise bad_field("accent", str(problem)) from None


def _data_url(logo: bytes) -> str:
    if len(logo) > MAX_LOGO_BYTES:
        raise bad_field("logo", f"at most {MAX_LOGO_BYTES} bytes")
    kind = next((kind for magic, kind in _PICTURES.items() if logo.startswith(magic)), None)
    if logo and kind is None:
        raise bad_field("logo", "a PNG, JPEG or GIF picture")
    return f"data:{kind};base64,{base64.b64encode(logo).decode()}" if logo else ""
