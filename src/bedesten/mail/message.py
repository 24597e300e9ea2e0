"""Writes the message of a mail, as text and as HTML. It contains nothing that a customer entered."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bedesten.core.secret import Secret
from bedesten.tenants.mail_settings import MailSettings

SUBJECTS = {
    "reset": "Reset your password",
    "verify": "Verify your e-mail address",
    "registered": "You have an account already",
    "password": "Your password was changed",
    "partner-reset": "Reset your password",
    "partner-password": "Your password was changed",
    "email": "Confirm your new e-mail address",
    "email-changed": "Your e-mail address was changed",
}
PATHS = {
    "reset": "/reset-password",
    "verify": "/verify-email",
    "registered": "",
    "password": "",
    "partner-reset": "/partner/reset-password",
    "partner-password": "",
    "email": "/confirm-email",
    "email-changed": "",
}
"""Pages of the shop, below its base, to which the links lead. The token is behind `#`, which browsers send to no server."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bedesten.mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def write(
    mail: str, recipient: str, settings: MailSettings, template: str, token: Secret[str] | None, now: int
) -> EmailMessage:
    """Writes a message from one of the templates. `token` is the token of its link; `now` is in epoch ms."""
    assert settings.sender is not None, "the tenant can send mail"
    assert settings.shop_url is not None, "the tenant can send mail"
    link = f"{settings.shop_url}{PATHS[template]}" + (f"#token={token.reveal()}" if token else "")
    values = {"shop": settings.shop, "link": link}
    written = EmailMessage(policy=SMTP)
    written["From"] = _address(settings.shop, settings.sender)
    written["To"] = _address("", recipient)
    written["Subject"] = f"{settings.shop}: {SUBJECTS[template]}"
    written["Date"] = datetime.fromtimestamp(now / 1000, UTC)
    written["Message-ID"] = f"<{mail}@{domain_of(settings.sender)}>"
    written["Auto-Submitted"] = "auto-generated"
    file = template.removeprefix("partner-")
    written.set_content(_rendered(f"{file}.txt", values))
    written.add_alternative(_rendered(f"{file}.html", values), subtype="html")
    return written


def _address(name: str, canonical: str) -> Address:
    local, _, domain = canonical.rpartition("@")
    return Address(name, local, domain)


def domain_of(address: str) -> str:
    """Returns the domain of an e-mail address."""
    return address.rpartition("@")[2]


def _rendered(template: str, values: dict[str, str]) -> str:
    return _environment().get_template(template).render(values)
