"""kill -9 of a worker that is sending: another one takes over its leases."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.audit.actions import Actor
from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from bedesten.server.settings import Settings
from bedesten.webhooks import endpoints, history
from bedesten.webhooks.moves import DONE
from tests.domain.tenant import Tenant, open_tenant
from tests.store.raw import raw
from tests.support.blocking_receiver import blocking_receiver
from tests.support.cli_program import ENVIRONMENT
from tests.support.sites import ENGINES, opened
from tests.support.supplier_double import wait_until

pytestmark = pytest.mark.slow
LINES = 3


@contextlib.contextmanager
def working(settings: Settings) -> Iterator["subprocess.Popen[str]"]:
    """Runs a separate worker; yields it once it has opened the store."""
    where = ["--data", str(settings.data), *(["--database", settings.database] if settings.database else [])]
    command = [sys.executable, "-m", "bedesten", "worker", "--json", *where]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {"event": "ready"}
            yield process
        finally:
            process.kill()


def listening(installation: Installation, tenant: Tenant, url: str) -> None:
    """Sets the URL of the partner's endpoint."""
    with raw(installation.settings) as other:
        other.run("UPDATE installation SET webhook_networks = '127.0.0.0/8'")
    known = tenant.read(endpoints.list_endpoints, tenant.partner)[0]
    tenant.write(endpoints.change, known, url, None, Actor("test"))


def delivered(tenant: Tenant) -> bool:
    found = tenant.read(history.list_deliveries, tenant.partner, "", history.ANY_STATE, "", 100)
    return [one.state for one in found] == [DONE] * LINES


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_another_worker_takes_over_what_a_killed_one_was_sending(
    engine: str, number: signal.Signals, tmp_path: Path
) -> None:
    """The receiver never answers: repeated messages come from the second worker, long before an attempt times out."""
    with opened(engine, tmp_path) as installation, blocking_receiver() as receiver:
        tenant = open_tenant(installation, credit=100_000)
        listening(installation, tenant, receiver.at("/held"))
        with working(installation.settings) as first:
            for _ in range(LINES):
                tenant.order((tenant.card(1), 1))
            receiver.wait_for("/held", LINES)
            with working(installation.settings):
                os.kill(first.pid, number)
                first.wait(60)
                receiver.wait_for("/held", 2 * LINES)
                receiver.release.set()
                wait_until(lambda: delivered(tenant))
        assert violations(installation) == []
