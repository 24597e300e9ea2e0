"""Times that a fast clock has stored do not delay anything once the clock is correct again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.core.clock import DAY, MINUTE, SECOND
from bedesten.orders import checkout
from bedesten.server.retention import cap_waits
from bedesten.webhooks.outbox import DELAYS
from tests.domain.mail import Clock, Mail
from tests.support.sites import ENGINES, opened


@pytest.fixture(params=ENGINES)
def mail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mail]:
    """A separate installation for each test, which moves its clock."""
    with opened(request.param, tmp_path) as installation:
        made = Mail(installation, Clock())
        yield made
        made.store.close()


def test_a_delivery_is_retried_after_its_usual_delay_and_no_later(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    mail.clock.now += DAY
    (first,) = mail.lease()
    mail.fail(first)
    mail.clock.now -= DAY
    assert mail.lease() == []
    for _ in range(2):
        mail.store.write_now(cap_waits)
    mail.clock.now += DELAYS[first.attempts] - 1
    assert mail.lease() == []
    mail.store.write_now(cap_waits)
    mail.clock.now += 1
    assert [one.id for one in mail.lease()] == [first.id]


def test_a_delivery_with_a_correct_due_time_is_left_alone(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    for delay in DELAYS[:6]:
        (one,) = mail.lease()
        mail.fail(one)
        mail.store.write_now(cap_waits)
        mail.clock.now += delay - 1
        assert mail.lease() == []
        mail.clock.now += 1


def test_a_checkout_keeps_its_goods_for_its_time_and_no_longer(mail: Mail) -> None:
    card = mail.tenant.card(2)
    right = mail.tenant.checkout((card, 1))
    mail.clock.now += DAY
    wrong = mail.tenant.checkout((card, 1))
    mail.clock.now -= DAY
    for _ in range(2):
        mail.store.write_now(cap_waits)
    mail.clock.now += 15 * MINUTE - SECOND
    assert mail.store.read_now(checkout.expired_checkouts) == []
    mail.store.write_now(cap_waits)
    mail.clock.now += SECOND
    assert {order for _, order in mail.store.read_now(checkout.expired_checkouts)} == {right.order.id, wrong.order.id}
