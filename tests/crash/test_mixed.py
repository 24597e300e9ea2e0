"""Everything that can happen to orders, by sixteen clients at once, while the server is killed: nothing is half done."""

import contextlib
import os
import random
import time
from functools import partial
from pathlib import Path

import pytest

from bedesten.audit.actions import OPERATOR
from bedesten.errors import Refusal
from bedesten.integrity.check import violations
from bedesten.orders import statements as sql
from bedesten.orders.actions import lines_of
from bedesten.orders.refunds import refund_line
from bedesten.store.transaction import SystemTransaction
from tests.crash.mixed import MixedTraffic
from tests.crash.test_crash import Run, running

pytestmark = pytest.mark.slow

OPERATIONS = int(os.environ.get("BEDESTEN_TEST_OPERATIONS", "600"))
"""Operations of a run; CONTRIBUTING.md has the command of the long run."""
KILLS = max(2, OPERATIONS // 300)


@pytest.mark.timeout(max(300, OPERATIONS // 4))
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_after_mixed_operations_and_kills_every_sum_agrees(engine: str, tmp_path: Path) -> None:
    chance = random.Random(engine)
    with running(engine, tmp_path) as run:
        traffic = MixedTraffic(run.shop, lambda: run.site.port, OPERATIONS, engine, partial(_refund, run))
        traffic.start()
        for number in range(1, KILLS + 1):
            _wait_for(traffic, OPERATIONS * number // (KILLS + 1))
            _kill(run, number, chance)
        traffic.join(max(120, OPERATIONS / 8))
        assert traffic.failures == []
        assert traffic.answered >= OPERATIONS
        assert traffic.sent_again > 0
        run.site.stop()
        assert violations(run.installation) == []
        accepted = {operation for (operation, code), _ in traffic.answers.items() if code == 0}
        assert accepted >= EXPECTED, sorted(one for one in traffic.answers.items() if one[0][0].startswith("/Payment"))


EXPECTED = {
    "/Orders/Create", "/Orders/Cancel", "/Supplier/Orders/Deliver", "/Supplier/Orders/Accept",
    "/Supplier/Orders/Reject", "/Payment/Payments/Capture", "/Payment/Payments/Refund", "/Complaints/Create",
    "/Payment/Deposits/Confirm", "/Account/Statement", "/Supplier/Statement",
}  # fmt: skip
"""Each of them succeeded at least once."""


def _refund(run: Run, order_id: str) -> None:
    """The operator gives 1.00 of an order back to its customer's balance, beside the server; a refused one is over."""

    def act(tx: SystemTransaction) -> None:
        bound = tx.for_tenant(run.shop.id)
        order = bound.one(sql.ORDER_BY_ID, order_id=order_id)
        assert order is not None
        for line in lines_of(bound, order_id):
            refund_line(bound, order, line, 100, f"test:{bound.new_id('rfd')}", "goodwill", OPERATOR)

    with contextlib.suppress(Refusal):
        run.installation.store.write_now(act)


def _wait_for(traffic: MixedTraffic, answers: int) -> None:
    end = time.monotonic() + max(120, OPERATIONS / 8)
    while traffic.answered < answers:
        assert traffic.failures == []
        assert time.monotonic() < end, "the server does nothing any more"
        time.sleep(0.01)


def _kill(run: Run, number: int, chance: random.Random) -> None:
    time.sleep(chance.uniform(0, 0.2))
    if number % 2:
        run.kill_everything()
        run.start()
    else:
        run.kill_one(chance)
