"""How a tenant sends mail: its sender, the base of the links in its mails, and whether customers must verify theirs.

Links come from this setting and never from a request, so that no `Host` header gets into a mail.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypedDict, Unpack
from urllib.parse import urlsplit

from sqlalchemy import select, update

from bedesten.audit.actions import OPERATOR, record
from bedesten.core import text
from bedesten.errors import bad_field, normalised_field
from bedesten.store.sql import TENANT, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

MAX_SHOP_URL = 500


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The tenant's name, sender (an e-mail address), and the base of its links, without a slash at the end.

    `verify` (0 or 1): customers verify their e-mail address before they buy.
    """

    shop: str
    sender: str | None
    shop_url: str | None
    verify: int


_T = tenants.c
_SHOWN = select(_T.name, _T.mail_from, _T.shop_url, _T.verify_email).where(_T.id == TENANT)
_READ, _LOCK = rows_as(MailSettings, _SHOWN), rows_as(MailSettings, _SHOWN.with_for_update())
_SET = statement(
    update(tenants)
    .where(_T.id == TENANT)
    .values(mail_from=p("new_sender"), shop_url=p("new_url"), verify_email=p("new_verify"))
)


def mail_settings(tx: Transaction) -> MailSettings:
    """Returns the tenant's settings."""
    found = tx.one(_READ)
    assert found is not None, "a transaction is bound to a tenant that exists"
    return found


class MailChanges(TypedDict, total=False):
    """The settings to change; an empty text removes one."""

    sender: str
    shop_url: str
    verify: bool


def set_mail_settings(tx: Transaction, **changes: Unpack[MailChanges]) -> None:
    """Changes the given settings. Raises `Refusal` (-2).

    Customers that exist when `verify` is switched on have to verify their address before their next checkout.
    """
    before = tx.one(_LOCK)
    assert before is not None, "a transaction is bound to a tenant that exists"
    after = MailSettings(
        before.shop,
        _sender(changes["sender"]) if "sender" in changes else before.sender,
        _shop_url(changes["shop_url"]) if "shop_url" in changes else before.shop_url,
        int(changes.get("verify", before.verify)),
    )
    if after.verify and not (after.sender and after.shop_url):
        raise bad_field("verifyEmail", "needs --mail-from and --shop-url, for the mails with the links")
    tx.run(_SET, new_sender=after.sender, new_url=after.shop_url, new_verify=after.verify)
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.mail", tx.tenant, before=_shown(before), after=_shown(after))


def _shown(settings: MailSettings) -> dict[str, object]:
    return {"from": settings.sender, "shopUrl": settings.shop_url, "verifyEmail": bool(settings.verify)}


def _sender(address: str) -> str | None:
    return normalised_field(text.email, address, "mailFrom") if address else None


def _shop_url(url: str) -> str | None:
    if not url:
        return None
    problem = _problem(url)
    if problem:
        raise bad_field("shopUrl", problem)
    return url.rstrip("/")


def _problem(url: str) -> str | None:
    """Returns why links cannot begin with the URL, or None."""
    if len(url) > MAX_SHOP_URL or not url.isascii() or not url.isprintable() or set(url) & set(" \"'<>\\^`{|}"):
        return f"at most {MAX_SHOP_URL} printable ASCII characters, without quotes, spaces and brackets"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not a URL"
    if not host or "@" in parts.netloc or "?" in url or "#" in url:
        return "a URL with a host, and without a user, a query and a fragment"
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        return "must be https: plain http only leads to this machine"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
