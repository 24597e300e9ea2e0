"""kill -9 during a purchase from a connected supplier: after the next start the line is delivered, and bought once."""

import contextlib
import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from bedesten.audit.actions import OPERATOR
from bedesten.connectors import connections
from bedesten.connectors.connections import NewConnection
from bedesten.core.secret import Secret
from bedesten.integrity.check import violations
from bedesten.orders import model
from bedesten.server.installation import Installation
from tests.crash.test_crash import children
from tests.domain.tenant import Tenant, open_tenant
from tests.store.raw import raw
from tests.support.sites import ENGINES, opened, serving
from tests.support.supplier_double import (
    ACCOUNT,
    CREDENTIAL,
    PLACE,
    PRODUCT,
    SupplierDouble,
    supplier_double,
    wait_until,
)

pytestmark = pytest.mark.slow


def change(installation: Installation, sql: str) -> None:
    with raw(installation.settings) as other:
        other.run(sql)


def kill(supervisor: int) -> None:
    """Kills a server and each of its children with SIGKILL."""
    for process in (supervisor, *children(supervisor)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def shop(installation: Installation, double: SupplierDouble) -> tuple[Tenant, str]:
    """A tenant with a connected supplier, and a product that is bought from it."""
    tenant = open_tenant(installation, credit=100_000)
    change(installation, "UPDATE installation SET webhook_networks = '127.0.0.0/8'")
    new = NewConnection("bamboo", double.url, ACCOUNT, Secret(CREDENTIAL))
    tenant.write(connections.connect, installation.cipher, tenant.supplier, new, OPERATOR)
    product = tenant.topup()
    tenant.write(connections.set_product_id, tenant.supplier, product, PRODUCT, Decimal(5), OPERATOR)
    return tenant, product


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sold", [True, False])
def test_a_purchase_survives_kill_9_between_the_call_and_its_booking(engine: str, sold: bool, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as installation, supplier_double() as double:
        tenant, product = shop(installation, double)
        double.faults[PLACE] = ["slow" if sold else "silent"]
        with serving(installation, tmp_path, workers=1) as site:
            line = tenant.order((product, 2)).lines[0]
            wait_until(lambda: double.count(PLACE) == 1 and len(double.orders) == int(sold))
            kill(site.process.pid)
            site.process.wait(120)
        assert tenant.line(line.id).status == model.PROCESSING
        change(installation, "UPDATE purchases SET next_at = 0")
        if not sold:
            change(installation, "UPDATE purchases SET placed = placed - 60000")
        with serving(installation, tmp_path, workers=1):
            wait_until(lambda: tenant.line(line.id).status == model.DELIVERED)
        assert tenant.codes(line.id) == double.only.codes
        assert double.count(PLACE) == (1 if sold else 2)
        assert violations(installation) == []
