"""Sends the mails that are due, for the worker."""

import asyncio
from collections.abc import Callable

import structlog

from bedesten.mail import outbox, sender
from bedesten.mail.outbox import Result, WaitingMail
from bedesten.mail.sender import MailServer
from bedesten.server.installation import Installation
from bedesten.server.leases import Leases
from bedesten.server.rounds import IDLE_INTERVAL_S, errors_logged
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import InvalidSetting, secret_of
from bedesten.server.settings import Settings
from bedesten.telemetry import tracing
from bedesten.telemetry.metrics import Metrics

log = structlog.get_logger("bedesten.server")
MAX_MAILS = 4
"""Mails that one worker sends at once."""


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server of the settings, if there is one."""
    if settings.smtp_host is None:
        return None
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=_password(settings.smtp_password) if settings.smtp_password else None,
    )


def _password(text: str) -> Callable[[str | None], str]:
    """Returns a function that reads the password when a mail needs it, so that a wrong reference delays only mails."""
    known = SecretCache.inherited()

    def read(refused: str | None) -> str:
        secret = secret_of("BEDESTEN_SMTP_PASSWORD", text, known)
        return secret.get() if refused is None else secret.refresh(refused)

    return read


async def mail_for_ever(installation: Installation, metrics: Metrics) -> None:
    """Sends mails until it is cancelled. Without a mail server they wait."""
    server = mail_server(installation.settings)
    leases = Leases(installation.store, outbox.renew)
    keeping = asyncio.create_task(leases.keep())
    try:
        while True:
            sent = 0
            if server is not None:
                with errors_logged():
                    sent = await send_due(installation, server, metrics, leases)
            await asyncio.sleep(0 if sent else IDLE_INTERVAL_S)
    finally:
        keeping.cancel()


async def send_due(
    installation: Installation, server: MailServer, metrics: Metrics, leases: Leases[WaitingMail]
) -> int:
    """Sends the mails that are due, and returns how many there were."""
    store = installation.store
    if not await store.read_across(outbox.is_due):
        return 0
    due = await store.write_across(lambda tx: outbox.lease(tx, MAX_MAILS))
    await asyncio.gather(*(_send(installation, server, one, metrics, leases) for one in due))
    return len(due)


async def _send(
    installation: Installation, server: MailServer, mail: WaitingMail, metrics: Metrics, leases: Leases[WaitingMail]
) -> None:
    store = installation.store
    message = await store.write_across(lambda tx: outbox.write_message(tx, installation.cipher, mail))
    if message is None:
        metrics.count("mails", "not-sent")
        return
    with leases.held_while(mail):
        try:
            with tracing.calling("send mail", _attributes(mail)) as span:
                result = await asyncio.to_thread(sender.send, server, message)
                tracing.note_result(span, "refused" if result.error else "")
        except InvalidSetting as problem:
            result = Result(str(problem))
    outcome = await store.write_across(lambda tx: outbox.settle(tx, mail, result))
    metrics.count("mails", outcome)
    write = log.warning if result.error else log.info
    write(
        "mail",
        tenant=mail.tenant_id,
        mail=mail.id,
        kind=mail.kind,
        attempt=mail.attempts,
        result=outcome,
        error=result.error,
    )


def _attributes(mail: WaitingMail) -> dict[str, str | int]:
    """The attributes of a mail's span, without the recipient."""
    return {
        "bedesten.call": "mail",
        "bedesten.tenant.id": mail.tenant_id,
        "bedesten.mail.id": mail.id,
        "bedesten.mail.kind": mail.kind,
        "bedesten.attempt": mail.attempts,
    }
