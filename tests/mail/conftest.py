"""A separate installation for each test, because leases span all tenants, and a mail server on loopback."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bedesten.audit.actions import OPERATOR
from bedesten.mail import actions as mail
from bedesten.mail import outbox
from bedesten.mail.sender import MailServer
from bedesten.server.installation import Installation, open_store
from bedesten.server.leases import Leases
from bedesten.server.mailer import send_due
from bedesten.store.transaction import Transaction
from bedesten.telemetry.metrics import Metrics
from bedesten.tenants.mail_settings import set_mail_settings
from tests.domain.mail import Clock
from tests.domain.tenant import Tenant, open_tenant
from tests.support.sites import ENGINES, opened
from tests.support.smtp_server import SmtpDouble, smtp_server

Result = TypeVar("Result")
CUSTOMER = "customer@example.com"


@dataclass
class MailRoom:
    """A tenant whose mails the test sends when it chooses."""

    installation: Installation
    tenant: Tenant
    clock: Clock
    server: MailServer
    metrics: Metrics

    def queue(self, kind: str, recipient: str = CUSTOMER) -> bool:
        """Queues a mail."""
        return self.tenant.write(mail.queue, self.installation.cipher, kind, recipient, OPERATOR)

    def write(self, action: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Runs an action in the tenant."""
        return self.tenant.write(action, *args, **kwargs)

    def send(self) -> int:
        """Sends all due mails; returns the number of attempts."""
        leases = Leases(self.installation.store, outbox.renew)
        return asyncio.run(send_due(self.installation, self.server, self.metrics, leases))

    def mails(self) -> list[dict[str, Any]]:
        """The tenant's mails, the newest first."""
        return [dict(one) for one in self.tenant.read(mail.list_mails)]

    def last(self) -> tuple[Any, ...]:
        """State, attempts and error of the newest mail."""
        newest = self.mails()[0]
        return newest["state"], newest["attempts"], newest["lastError"]

    def maintain(self) -> None:
        """Runs the worker's maintenance of every minute."""
        self.installation.store.write_now(outbox.maintain)


@pytest.fixture
def smtp() -> Iterator[SmtpDouble]:
    """A mail server without encryption."""
    with smtp_server() as server:
        yield server


@pytest.fixture(params=ENGINES)
def mail_room(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, smtp: SmtpDouble
) -> Iterator[MailRoom]:
    """A tenant that can send mail, on each engine."""
    with opened(request.param, tmp_path_factory.mktemp("mails")) as installation:
        clock = Clock()
        store = open_store(installation.settings, clock)
        parts = (installation.keyring, installation.cipher, installation.issuer, installation.master_secrets)
        clocked = Installation(installation.settings, store, *parts)
        tenant = open_tenant(clocked, 0, clock)
        tenant.write(_can_send)
        server = MailServer("127.0.0.1", smtp.port, "none", None, None)
        yield MailRoom(clocked, tenant, clock, server, Metrics())
        store.close()


def _can_send(tx: Transaction) -> None:
    set_mail_settings(tx, sender="shop@shop.example", shop_url="https://shop.example/en/")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for loopback that this process trusts."""
    from tests.support.smtp_server import self_signed

    file = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file
