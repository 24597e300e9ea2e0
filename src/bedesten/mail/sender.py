"""Hands one message to the mail server: by SMTP (RFC 5321), encrypted unless the server is this machine."""

import contextlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from bedesten.mail.message import domain_of
from bedesten.mail.outbox import Result

TIMEOUT_S = 15.0
"""Longest wait for one answer of the server."""
DEADLINE_S = 60.0
"""Longest time for one message, even if the server sends its answers byte by byte."""
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.])")


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server that accepts messages. `security`: `starttls`, `tls` from the first byte, or `none`.

    `password` returns the current password; given a password that was refused, a newer one if there is any.
    """

    host: str
    port: int
    security: str
    user: str | None
    password: Callable[[str | None], str] | None
    timeout_s: float = TIMEOUT_S
    deadline_s: float = DEADLINE_S


def send(server: MailServer, message: EmailMessage) -> Result:
    """Hands the message to the server and returns the result, which repeats no secret. Blocks up to `deadline_s`."""
    try:
        _send(server, message)
    except smtplib.SMTPRecipientsRefused as problem:
        code, text = next(iter(problem.recipients.values()))
        return _refused("the address", code, text)
    except smtplib.SMTPDataError as problem:
        return _refused("the message", problem.smtp_code, problem.smtp_error)
    except smtplib.SMTPAuthenticationError as problem:
        return Result(f"the mail server refused the login ({problem.smtp_code})")
    except smtplib.SMTPSenderRefused as problem:
        return Result(_shown("the sender", problem.smtp_code, problem.smtp_error))
    except smtplib.SMTPNotSupportedError:
        return Result("the mail server does not offer what is needed: STARTTLS, AUTH, or SMTPUTF8")
    except smtplib.SMTPResponseException as problem:
        return Result(f"the mail server answered {problem.smtp_code}")
    except smtplib.SMTPServerDisconnected:
        return Result("the mail server closed the connection or did not answer in time")
    except ssl.SSLError as problem:
        return Result(f"no encrypted connection to the mail server: {getattr(problem, 'verify_message', '') or 'TLS'}")
    except TimeoutError:
        return Result("the mail server did not answer in time")
    except (OSError, smtplib.SMTPException) as problem:
        return Result(f"the mail server cannot be reached: {getattr(problem, 'strerror', None) or 'no connection'}")
    return Result()


def _send(server: MailServer, message: EmailMessage) -> None:
    sender, recipient = (message[header].addresses[0].addr_spec for header in ("From", "To"))
    name, context = domain_of(sender), ssl.create_default_context()
    smtp = (
        _EncryptedConnection(server, name, context=context) if server.security == "tls" else _Connection(server, name)
    )
    try:
        if server.security == "starttls":
            smtp.starttls(context=context)
        if server.user is not None and server.password is not None:
            _log_in(smtp, server.user, server.password)
        smtp.send_message(message, sender, [recipient])
    finally:
        smtp.close()  # once DATA is accepted, the answer to QUIT does not matter


class _Connection(smtplib.SMTP):
    """A connection that is cut at the deadline, whatever it waits for."""

    def __init__(self, server: MailServer, name: str, **options: Any) -> None:
        self._watchdog = threading.Timer(server.deadline_s, self._cut)
        self._watchdog.daemon = True
        self._watchdog.start()
        super().__init__(server.host, server.port, name, timeout=server.timeout_s, **options)

    def _cut(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # TLS's own shutdown would fail in the other thread

    def close(self) -> None:
        """Close the connection."""
        self._watchdog.cancel()
        super().close()


class _EncryptedConnection(_Connection, smtplib.SMTP_SSL):
    """A `_Connection` that is encrypted from the first byte."""


def _log_in(smtp: smtplib.SMTP, user: str, password: Callable[[str | None], str]) -> None:
    """Logs in, and tries again if the password has changed meanwhile."""
    first = password(None)
    try:
        smtp.login(user, first)
    except smtplib.SMTPAuthenticationError:
        newer = password(first)
        if newer == first:
            raise
        smtp.login(user, newer)


def _refused(what: str, code: int, text: bytes | str) -> Result:
    return Result(_shown(what, code, text), permanent=500 <= code < 600)


def _shown(what: str, code: int, text: bytes | str) -> str:
    """Returns the numbers of an answer. Its words may repeat a part of the message, and so the link."""
    words = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    enhanced = _ENHANCED.search(words[:20])
    return f"the mail server refused {what} ({code}{' ' + enhanced[0] if enhanced else ''})"
