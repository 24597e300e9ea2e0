"""Sixteen clients run every operation on orders, goods and money, while the server is killed.

Nothing is half done at the end: `check` is clean, and the trial balance is zero.
"""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from bedesten.integrity.check import violations
from bedesten.ledger import trial_balance
from tests.crash.mixed import CLIENTS, MixedTraffic
from tests.crash.mixed_operator import MixedOperator
from tests.crash.test_crash import Run, running
from tests.support.supplier_double import PLACE, supplier_double

pytestmark = pytest.mark.slow

OPERATIONS = int(os.environ.get("BEDESTEN_TEST_OPERATIONS", "600"))
"""Operations of a run; CONTRIBUTING.md has the command of the long run."""
KILLS = max(2, OPERATIONS // 300)


@pytest.mark.timeout(max(600, OPERATIONS // 4))
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_after_mixed_operations_and_kills_all_balances_agree(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, began = random.Random(engine), time.monotonic()
    with running(engine, tmp_path) as run, supplier_double() as double:
        operator = MixedOperator(run.shop)
        called = operator.open_shop(double.url)
        traffic = MixedTraffic(
            run.shop, lambda: run.site.port, OPERATIONS, engine, operator, called, run.receiver.url, EXPECTED
        )
        traffic.start()
        for number in range(1, KILLS + 1):
            _wait_for(traffic, OPERATIONS * number // (KILLS + 1))
            _kill(run, number, chance)
        traffic.join(max(240, OPERATIONS / 4))
        assert traffic.failures == [], traffic.failures[0]
        assert traffic.answered >= OPERATIONS
        assert traffic.sent_again > 0
        run.site.stop()
        assert violations(run.installation) == []
        totals = run.installation.store.read_now(lambda tx: trial_balance.totals(tx.for_tenant(run.shop.id)))
        assert sum(one.received - one.given for one in totals) == 0
        with capsys.disabled():
            _report(engine, run, traffic, double.count(PLACE), time.monotonic() - began)
        accepted = {operation for (operation, code), _ in traffic.answers.items() if code == 0}
        assert accepted >= EXPECTED, sorted(EXPECTED - accepted)
        assert run.site.failures() == []


COMMON = {
    "/Orders/Create", "/Orders/Cancel", "/Supplier/Orders/Deliver", "/Supplier/Orders/Accept",
    "/Payment/Payments/Capture", "/Payment/Deposits/Confirm", "/Account/Statement", "/Supplier/Statement",
    "/Storefront/Basket/Add", "/Storefront/Checkout/Create", "/Supplier/Stock/Upload", "/Webhooks/Endpoints/Create",
}  # fmt: skip
RARE = {
    "/Supplier/Orders/Reject", "/Payment/Payments/Refund", "/Complaints/Create", "/Supplier/Complaints/Answer",
    "/Storefront/Payments/Start", "/Payment/Notify", "/Payment/Refunds/Confirm", "/Payment/Refunds/Fail",
    "/Supplier/Stock/Recall", "/Complaints/Withdraw", "/Storefront/Basket/Remove", "/Webhooks/Deliveries/Replay",
}  # fmt: skip
EXPECTED = COMMON | RARE if OPERATIONS >= 5_000 else COMMON
"""Operations that must succeed at least once; a short run may lack the rare ones."""


def _report(engine: str, run: Run, traffic: MixedTraffic, bought: int, seconds: float) -> None:
    """Prints the figures of the run."""
    accepted = sum(count for (_, code), count in traffic.answers.items() if code == 0)
    kinds = len({operation for operation, _ in traffic.answers})
    figures = (
        f"{traffic.answered} operations of {kinds} kinds by {CLIENTS} clients in {seconds:.0f} s",
        f"{accepted} done, {traffic.answered - accepted} refused, {traffic.sent_again} sent again",
        f"{run.kills['everything']} kills of everything, {run.kills['one']} of one process",
        f"{bought} purchases, {len(run.receiver.bodies)} webhooks, {sum(traffic.operator.done.values())} by the operator",
    )
    sys.stdout.write(f"\n{engine}: {'; '.join(figures)}; check is clean, the trial balance is 0\n")


def _wait_for(traffic: MixedTraffic, answers: int) -> None:
    end = time.monotonic() + max(120, OPERATIONS / 8)
    while traffic.answered < answers:
        assert traffic.failures == [], traffic.failures[0]
        assert time.monotonic() < end, "the server does nothing any more"
        time.sleep(0.01)


def _kill(run: Run, number: int, chance: random.Random) -> None:
    time.sleep(chance.uniform(0, 0.2))
    if number % 2:
        run.kill_everything()
        run.start()
    else:
        run.kill_one(chance)
