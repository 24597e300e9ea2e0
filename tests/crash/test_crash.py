"""kill -9 of one process or of all, at any moment, under load: what was acknowledged is stored, nothing is half done.

A real server with two workers, callers of all four surfaces, and a partner's receiver. After the last restart the store
is compared, row by row, with the answers that callers received, and every invariant is checked.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bedesten.catalogue import stock
from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from tests.crash.acknowledged import money_is_as_acknowledged, orders_are_as_acknowledged
from tests.crash.receiver import Receiver
from tests.crash.traffic import Traffic
from tests.store.raw import RawConnection, raw
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving
from tests.support.stock_codes import add_codes

pytestmark = pytest.mark.slow

CODES = 4_000
ANSWERS = 12
"""New acknowledgements before the next kill; without them a round would show nothing."""


@dataclass
class Run:
    """A run: the current server, its callers, its webhook receiver, and what was killed."""

    installation: Installation
    folder: Path
    stack: contextlib.ExitStack
    receiver: Receiver
    site: Site
    shop: Shop
    traffic: Traffic
    kills: Counter[str]

    def start(self) -> None:
        """Starts a server in place of the killed one."""
        self.site = self.stack.enter_context(serving(self.installation, self.folder))

    def kill_everything(self) -> None:
        """Kills the supervisor and all its children, each with its own signal."""
        for process in (self.site.process.pid, *children(self.site.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.site.process.wait(120)
        self.kills["everything"] += 1

    def kill_one(self, chance: random.Random) -> None:
        """Kills a random child: a web worker or the worker that sends webhooks."""
        alive = children(self.site.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(alive), signal.SIGKILL)
        self.kills["one"] += 1

    def codes(self, line: str) -> list[str]:
        """The codes of a line in the store."""
        cipher, tenant = self.installation.cipher, self.shop.id
        found = self.installation.store.read_now(lambda tx: stock.delivered_codes(tx.for_tenant(tenant), cipher, line))
        return [one.code for one in found]

    def wait_for_answers(self) -> None:
        """Waits until callers have received enough new acknowledgements."""
        before, end = self.traffic.acknowledged, time.monotonic() + 120
        while self.traffic.acknowledged < before + ANSWERS:
            assert self.traffic.failures == []
            assert time.monotonic() < end, "the server does nothing any more"
            time.sleep(0.01)


def children(process: int) -> list[int]:
    """The children of a process."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@contextlib.contextmanager
def running(engine: str, folder: Path) -> Iterator[Run]:
    """A fresh installation with its server, its shop and its callers."""
    with contextlib.ExitStack() as stack:
        installation = stack.enter_context(opened(engine, folder))
        receiver = stack.enter_context(Receiver().listening())
        site = stack.enter_context(serving(installation, folder))
        operator = Operator(installation)
        stack.enter_context(operator.webhooks_to("127.0.0.0/8"))
        shop = open_shop(site, operator, "crash")
        codes = [f"CRASH-CODE-{number:05}" for number in range(CODES)]
        operator.within(shop.id, lambda tx: add_codes(tx, installation.cipher, shop.card, codes))
        receiver.secret, _ = operator.endpoint(shop.id, shop.partner, receiver.url)
        servers = stack.enter_context(contextlib.ExitStack())
        run = Run(installation, folder, servers, receiver, site, shop, None, Counter())  # type: ignore[arg-type]
        run.traffic = Traffic(shop, lambda: run.site.port)
        yield run


@pytest.mark.parametrize(("engine", "rounds"), [("sqlite", 10), ("postgresql", 3)])
def test_what_was_acknowledged_survives_kill_9_and_nothing_is_half_done(
    engine: str, rounds: int, tmp_path: Path
) -> None:
    chance = random.Random(f"{engine}, the same moments every time as far as they can be")
    with running(engine, tmp_path) as run:
        run.traffic.start()
        for number in range(rounds):
            run.wait_for_answers()
            time.sleep(chance.uniform(0, 0.3))
            if number % 2:
                run.kill_one(chance)
            else:
                run.kill_everything()
                run.start()
        run.wait_for_answers()
        run.traffic.stop()
        assert run.traffic.failures == []
        assert len(run.traffic.keyed) > 1
        run.traffic.ask_again()
        with raw(run.installation.settings) as other:
            deliver_the_rest(other)
            run.site.stop()
            assert violations(run.installation) == []
            orders_are_as_acknowledged(run.traffic, other)
            deliveries_are_as_acknowledged(run)
            money_is_as_acknowledged(run.traffic, other)
            every_event_was_received(run, other)
        assert run.site.failures() == []
        assert run.kills == {"everything": (rounds + 1) // 2, "one": rounds // 2}
        assert run.traffic.sent_again > 0
        assert run.traffic.acknowledged >= ANSWERS * rounds


def deliver_the_rest(other: RawConnection) -> None:
    """Waits until the outbox is empty. Leases of a killed worker end at once instead of after a minute."""
    end = time.monotonic() + 180
    while other.one("SELECT count(*) FROM deliveries WHERE state = 0"):
        assert time.monotonic() < end, "the outbox does not go on"
        other.run("UPDATE deliveries SET next_at = 1 WHERE state = 0 AND attempts > 0")
        time.sleep(0.5)


def deliveries_are_as_acknowledged(run: Run) -> None:
    """Every line whose delivery was acknowledged has the supplier's codes, in their order."""
    for line, codes in run.traffic.deliveries.items():
        assert run.codes(line) == codes
    assert len(run.traffic.deliveries) > 0


def every_event_was_received(run: Run, other: RawConnection) -> None:
    """Each event of the partner's lines arrived at least once, signed, and always with its stored content."""
    events = other.rows(
        "SELECT e.id, e.line_id, e.status, d.state FROM events e JOIN order_lines l ON l.tenant_id = e.tenant_id AND"
        " l.id = e.line_id JOIN orders o ON o.tenant_id = l.tenant_id AND o.id = l.order_id LEFT JOIN deliveries d ON"
        " d.tenant_id = e.tenant_id AND d.event_id = e.id WHERE e.tenant_id = :tenant AND o.surface = 'reseller'",
        tenant=run.shop.id,
    )
    assert {state for _, _, _, state in events} == {1}
    assert run.receiver.forged == []
    assert set(run.receiver.bodies) == {event for event, _, _, _ in events}
    for event, line, status, _ in events:
        codes = run.codes(line) if status == 1 else []
        for body in run.receiver.bodies[event]:
            assert (body["orderDetailId"], body["status"], body["deliveryData"]) == (line, status, codes or None)
