"""Sending one message to a mail server: encryption, logins, and servers that hang, trickle or are down."""

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from bedesten.core.secret import Secret
from bedesten.mail import message, sender
from bedesten.mail.sender import MailServer
from bedesten.server.mailer import mail_server
from bedesten.server.settings import Settings
from bedesten.tenants.mail_settings import MailSettings
from tests.support.smtp_server import Behaviour, SmtpDouble, self_signed, smtp_server

SETTINGS = MailSettings('Acme "Cards", <b>Ltd</b>', "shop@shop.example", "https://shop.example", 0)
MESSAGE = message.write("mai_1", "ada@example.com", SETTINGS, "reset", Secret("abc-123"), 1_800_000_000_000)
PASSWORD = "a password of the mail server"


def server_of(double: SmtpDouble, security: str, **more: object) -> MailServer:
    """The settings for the mail server double."""
    return replace(MailServer("127.0.0.1", double.port, security, None, None), **more)  # type: ignore[arg-type]


def known(*passwords: str) -> dict[str, object]:
    """Credentials with the first password, and the second one once that is refused."""
    return {"user": "shop", "password": lambda refused: passwords[0] if refused is None else passwords[-1]}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_is_sent_encrypted_and_with_a_login(certificate: Path, security: str) -> None:
    with smtp_server(certificate, implicit=security == "tls") as double:
        double.behaviour = Behaviour(users={"shop": PASSWORD})
        assert sender.send(server_of(double, security, **known(PASSWORD)), MESSAGE).error == ""
        (received,) = double.inbox
    assert (received.encrypted, received.user, received.sender) == (True, "shop", "shop@shop.example")
    assert received.recipients == ["ada@example.com"]
    assert received.message["From"] == '"Acme \\"Cards\\", <b>Ltd</b>" <shop@shop.example>'
    assert received.message["Message-ID"] == "<mai_1@shop.example>"
    assert "<b>Ltd" in received.text
    assert "&lt;b&gt;Ltd&lt;/b&gt;" in received.html
    assert "<b>Ltd" not in received.html


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_refused(tmp_path: Path, security: str) -> None:
    with smtp_server(self_signed(tmp_path), implicit=security == "tls") as double:
        result = sender.send(server_of(double, security), MESSAGE)
        assert double.inbox == []
    assert result.error.startswith("no encrypted connection to the mail server: self-signed certificate")
    assert not result.permanent


@pytest.mark.parametrize("answer", ["454 4.7.0 not now", "250 yes, but no"])
def test_without_starttls_nothing_is_sent(certificate: Path, answer: str) -> None:
    with smtp_server(certificate) as double:
        double.behaviour = Behaviour(starttls=False, users={"shop": PASSWORD})
        missing = sender.send(server_of(double, "starttls", **known(PASSWORD)), MESSAGE)
        double.behaviour = Behaviour(answers={"STARTTLS": answer}, users={"shop": PASSWORD})
        refused = sender.send(server_of(double, "starttls", timeout_s=0.5, **known(PASSWORD)), MESSAGE)
        assert double.inbox == []
    assert "STARTTLS" in missing.error
    assert refused.error
    assert (missing.permanent, refused.permanent) == (False, False)


def test_the_error_of_a_refused_login_does_not_show_the_password(smtp: SmtpDouble) -> None:
    smtp.behaviour = Behaviour(users={"shop": PASSWORD})
    result = sender.send(server_of(smtp, "none", **known("wrong")), MESSAGE)
    assert (result.error, result.permanent) == ("the mail server refused the login (535)", False)
    assert smtp.inbox == []


def test_a_password_that_was_changed_is_read_again(smtp: SmtpDouble) -> None:
    smtp.behaviour = Behaviour(users={"shop": PASSWORD})
    assert sender.send(server_of(smtp, "none", **known("the old one", PASSWORD)), MESSAGE).error == ""


@pytest.mark.parametrize("command", ["connect", "EHLO", "MAIL", "RCPT", "DATA-BEGIN", "DATA"])
def test_a_hanging_server_times_out(smtp: SmtpDouble, command: str) -> None:
    smtp.behaviour = Behaviour(hangs_at=command)
    began = time.monotonic()
    result = sender.send(server_of(smtp, "none", timeout_s=0.2), MESSAGE)
    assert "in time" in result.error
    assert not result.permanent
    assert time.monotonic() - began < 30


def test_a_server_that_trickles_its_answer_times_out(smtp: SmtpDouble) -> None:
    smtp.behaviour = Behaviour(drips=True)
    result = sender.send(server_of(smtp, "none", deadline_s=0.5), MESSAGE)
    assert result.error
    assert not result.permanent


def test_a_server_that_does_not_listen_is_reported() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    result = sender.send(MailServer("127.0.0.1", port, "none", None, None), MESSAGE)
    assert result.error == "the mail server cannot be reached: Connection refused"


def test_an_error_after_the_message_was_accepted_is_ignored(smtp: SmtpDouble) -> None:
    smtp.behaviour = Behaviour(answers={"QUIT": "500 stay"})
    assert sender.send(server_of(smtp, "none"), MESSAGE).error == ""


def test_settings_demand_encryption_unless_the_server_is_this_machine(tmp_path: Path) -> None:
    assert mail_server(Settings(data=tmp_path)) is None
    for host in ("127.0.0.1", "::1", "localhost"):
        assert Settings(data=tmp_path, smtp_host=host, smtp_security="none").smtp_security == "none"
    for host in ("mail.example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com"):
        with pytest.raises(ValidationError, match="only for a mail server on this machine"):
            Settings(data=tmp_path, smtp_host=host, smtp_security="none")


def test_an_incomplete_login_is_refused_and_its_value_not_repeated(tmp_path: Path) -> None:
    for half in ({"smtp_user": "shop"}, {"smtp_password": PASSWORD}):
        for host in ({}, {"smtp_host": "mail.example.com"}):
            with pytest.raises(ValidationError) as problem:
                Settings.model_validate({"data": tmp_path, **host, **half})
            assert PASSWORD not in str(problem.value)


def test_the_password_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "smtp-password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    settings = Settings(data=tmp_path, smtp_host="mail.example.com", smtp_user="shop", smtp_password=f"file:{file}")
    server = mail_server(settings)
    assert server is not None
    assert server.password is not None
    assert server.password(None) == PASSWORD
    assert PASSWORD not in repr(settings) + repr(server)
