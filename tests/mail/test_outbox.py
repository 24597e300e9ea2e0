"""Mails from the outbox to a real mail server, with the faults of mail servers, on both engines."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.accounts import actions as accounts
from bedesten.accounts import links
from bedesten.accounts.links import Purpose
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.errors import Refusal
from bedesten.mail import actions as mail
from bedesten.mail import outbox
from bedesten.mail.outbox import DELAYS, LEASE, RETENTION
from bedesten.store.transaction import Transaction
from bedesten.tenants.mail_settings import set_mail_settings
from tests.mail.conftest import CUSTOMER, MailRoom
from tests.store.raw import raw
from tests.support.smtp_server import Behaviour, SmtpDouble

REFUSED_FOR_GOOD = {
    "RCPT": ("550 5.1.1 no such user https://shop.example/#token=x", "the mail server refused the address (550 5.1.1)"),
    "DATA": ("554 spam: #token=abc", "the mail server refused the message (554)"),
}
REFUSED_FOR_NOW = {
    "connect": ("421 busy", "the mail server answered 421"),
    "EHLO": ("500 what", "the mail server answered 550"),
    "MAIL": ("550 5.7.1 not you", "the mail server refused the sender (550 5.7.1)"),
    "RCPT": ("451 4.7.1 greylisted", "the mail server refused the address (451 4.7.1)"),
    "DATA": ("452 4.3.1 full", "the mail server refused the message (452 4.3.1)"),
}


def test_a_reset_mail_arrives_with_a_link_that_opens_the_account(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    assert mail_room.queue(mail.RESET)
    assert mail_room.send() == 1
    (received,) = smtp.inbox
    assert (received.sender, received.recipients) == ("shop@shop.example", [CUSTOMER])
    assert f"https://shop.example/en/reset-password#token={received.token}" in received.text
    assert f"https://shop.example/en/reset-password#token={received.token}" in received.html
    assert received.message["Auto-Submitted"] == "auto-generated"
    assert mail_room.last() == ("sent", 1, None)
    assert mail_room.metrics.counters[("mails", "sent")] == 1
    owner = mail_room.tenant.read(links.owner, mail_room.installation.cipher, Purpose.RESET, received.token)
    assert owner == mail_room.tenant.customer


def test_the_store_has_neither_the_token_nor_the_text_of_a_mail(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.queue(mail.RESET)
    mail_room.send()
    (received,) = smtp.inbox
    with raw(mail_room.installation.settings) as connection:
        stored = repr([connection.rows(f"SELECT * FROM {table}") for table in ("mails", "account_links", "audit")])
    assert received.token not in stored
    assert "password#token" not in stored


def test_a_newer_link_ends_the_older_one_and_is_not_accepted_for_another_purpose(
    mail_room: MailRoom, smtp: SmtpDouble
) -> None:
    for _ in range(2):
        mail_room.queue(mail.RESET)
        mail_room.send()
    first, second = (one.token for one in smtp.inbox)
    cipher = mail_room.installation.cipher
    for purpose, token in ((Purpose.RESET, first), (Purpose.VERIFY, second), (Purpose.RESET, second + "x")):
        with pytest.raises(Refusal) as refused:
            mail_room.write(links.use, cipher, purpose, token)
        assert refused.value.code.number == -30
    assert mail_room.write(links.use, cipher, Purpose.RESET, second) == mail_room.tenant.customer


def test_of_sixteen_concurrent_uses_of_one_link_exactly_one_succeeds(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.queue(mail.RESET)
    mail_room.send()
    token, cipher = smtp.inbox[0].token, mail_room.installation.cipher

    def use(_: int) -> bool:
        try:
            return bool(mail_room.write(links.use, cipher, Purpose.RESET, token))
        except Refusal:
            return False

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(use, range(16))) == 1


def test_a_link_expires(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.queue(mail.RESET)
    mail_room.send()
    mail_room.clock.now += HOUR
    with pytest.raises(Refusal):
        mail_room.write(links.use, mail_room.installation.cipher, Purpose.RESET, smtp.inbox[0].token)


@pytest.mark.parametrize("command", REFUSED_FOR_GOOD)
def test_a_permanently_refused_mail_is_not_sent_again(mail_room: MailRoom, smtp: SmtpDouble, command: str) -> None:
    answer, error = REFUSED_FOR_GOOD[command]
    smtp.behaviour = Behaviour(answers={command: answer})
    mail_room.queue(mail.RESET)
    mail_room.send()
    assert mail_room.last() == ("failed", 1, error)
    mail_room.clock.now += DAY
    assert mail_room.send() == 0


@pytest.mark.parametrize("command", REFUSED_FOR_NOW)
def test_a_temporarily_refused_mail_is_sent_again(mail_room: MailRoom, smtp: SmtpDouble, command: str) -> None:
    answer, error = REFUSED_FOR_NOW[command]
    smtp.behaviour = Behaviour(answers={command: answer, **({"HELO": "550 no"} if command == "EHLO" else {})})
    mail_room.queue(mail.RESET)
    mail_room.send()
    assert mail_room.last() == ("waiting", 1, error)
    assert mail_room.send() == 0
    smtp.behaviour = Behaviour()
    mail_room.clock.now += DELAYS[0]
    assert mail_room.send() == 1
    assert mail_room.last() == ("sent", 2, None)


def test_retry_delays_grow_until_the_link_expires(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    smtp.behaviour = Behaviour(answers={"connect": "421 busy"})
    mail_room.queue(mail.RESET)
    waits: list[int] = []
    while mail_room.last()[0] == "waiting":
        mail_room.send()
        waits.append(DELAYS[min(len(waits), len(DELAYS) - 1)])
        mail_room.clock.now += waits[-1]
    assert mail_room.last()[:2] == ("expired", 6)
    assert waits[:5] == [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE]
    assert smtp.sessions == 6


def test_another_worker_sends_the_mail_of_a_worker_that_died(mail_room: MailRoom) -> None:
    mail_room.queue(mail.RESET)
    (leased,) = mail_room.installation.store.write_now(lambda tx: outbox.lease(tx, 10))
    assert leased.attempts == 1
    assert mail_room.send() == 0
    mail_room.clock.now += LEASE
    assert mail_room.send() == 1
    assert mail_room.last() == ("sent", 2, None)


def test_without_a_mail_server_mails_wait_and_expire(mail_room: MailRoom) -> None:
    mail_room.queue(mail.RESET)
    mail_room.queue(mail.VERIFY)
    mail_room.clock.now += HOUR
    mail_room.maintain()
    assert [(one["kind"], one["state"]) for one in mail_room.mails()] == [("verify", "waiting"), ("reset", "expired")]
    mail_room.clock.now += DAY
    mail_room.maintain()
    mail_room.clock.now += RETENTION + 1
    mail_room.maintain()
    assert mail_room.mails() == []


def test_a_tenant_without_a_sender_address_sends_nothing_until_it_has_one(
    mail_room: MailRoom, smtp: SmtpDouble
) -> None:
    mail_room.write(set_mail_settings, sender="")
    mail_room.queue(mail.RESET)
    mail_room.send()
    assert mail_room.last() == ("waiting", 1, outbox.NOT_SET_UP)
    mail_room.write(set_mail_settings, sender="new@shop.example")
    mail_room.clock.now += DELAYS[0]
    mail_room.send()
    assert [one.sender for one in smtp.inbox] == ["new@shop.example"]


def test_an_address_without_an_account_gets_no_mail(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.queue(mail.RESET, "nobody@example.com")
    mail_room.queue(mail.RESET, "partner@example.com")
    mail_room.send()
    assert {(one["state"], one["lastError"]) for one in mail_room.mails()} == {
        ("dropped", "the address has no account")
    }
    assert smtp.sessions == 0


def test_a_disabled_customer_gets_no_mail_and_its_link_ends(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.queue(mail.RESET)
    mail_room.send()
    mail_room.write(_disable)
    with pytest.raises(Refusal):
        mail_room.write(links.use, mail_room.installation.cipher, Purpose.RESET, smtp.inbox[0].token)
    mail_room.queue(mail.RESET)
    mail_room.send()
    assert mail_room.last()[::2] == ("dropped", "the account is disabled")


def _disable(tx: Transaction) -> None:
    accounts.set_disabled(tx, accounts.find(tx, "customer", CUSTOMER), True)


def test_a_verified_customer_receives_a_notice_instead_of_a_link(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.write(accounts.set_verified, mail_room.tenant.customer, OPERATOR)
    mail_room.queue(mail.VERIFY)
    mail_room.send()
    assert "#token" not in smtp.inbox[0].text
    assert "You have an account there already" in smtp.inbox[0].text


@pytest.mark.parametrize("kind", [mail.RESET, mail.VERIFY])
def test_mails_to_one_address_are_limited_by_the_hour_and_the_day(mail_room: MailRoom, kind: str) -> None:
    assert [mail_room.queue(kind, "victim@example.com") for _ in range(5)] == [True] * 3 + [False] * 2
    mail_room.clock.now += HOUR
    assert mail_room.queue(kind, "victim@example.com")
    assert mail_room.queue(kind, "other@example.com")
    sent = 4
    for _ in range(20):
        mail_room.clock.now += HOUR
        same_day = mail_room.clock.now // DAY == (mail_room.clock.now - HOUR) // DAY
        assert same_day, "the clock of the tests begins in the morning"
        sent += sum(mail_room.queue(kind, "victim@example.com") for _ in range(3))
        if sent >= 10:
            break
    assert sent == 10
    assert not mail_room.queue(kind, "victim@example.com")


def test_sixteen_requests_at_once_do_not_pass_the_limit(mail_room: MailRoom) -> None:
    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(lambda _: mail_room.queue(mail.RESET), range(16))) == 3


def test_an_address_in_another_script_receives_mail(mail_room: MailRoom, smtp: SmtpDouble) -> None:
    mail_room.write(_register, "gül@example.com")
    mail_room.queue(mail.RESET, "gül@example.com")
    mail_room.send()
    assert smtp.inbox[0].recipients == ["gül@example.com"]


def _register(tx: Transaction, email: str) -> None:
    from tests.domain.tenant import PASSWORD

    accounts.create(tx, "customer", email, "Gül <b>", password=PASSWORD)
