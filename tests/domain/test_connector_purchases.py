"""Suppliers that are called: a line is bought once, delivered as its cards come, and goes on where the supplier fails."""

from collections.abc import Iterator

import pytest

from bedesten.connectors.moves import CANCELLED, FULFILLED, ORDERED, PLACING, PLANNED, REFUSED
from bedesten.core.clock import MINUTE
from bedesten.integrity.check import violations
from bedesten.orders import model
from bedesten.server import purchaser
from tests.domain.connected import Shop, connected
from tests.domain.mail import Mail
from tests.domain.tenant import TOPUP, TOPUP_COST
from tests.domain.test_supplier_lines import earned
from tests.support.supplier_double import PLACE, POLL, SupplierDouble, supplier_double


@pytest.fixture
def double() -> Iterator[SupplierDouble]:
    with supplier_double() as made:
        yield made


@pytest.fixture
def shop(mail: Mail, double: SupplierDouble) -> Iterator[Shop]:
    made = connected(mail, double)
    yield made
    assert violations(mail.tenant.installation) == []


def test_a_line_is_bought_and_delivered(shop: Shop) -> None:
    line = shop.order(2)
    assert shop.round() == 1
    assert shop.line(line).status == model.PROCESSING
    assert shop.line(line).accepted is not None
    assert shop.purchase(line).state == ORDERED
    assert shop.later() == 1
    assert shop.line(line).status == model.DELIVERED
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert (shop.purchase(line).state, shop.purchase(line).charged) == (FULFILLED, 580)
    assert earned(shop.tenant, shop.tenant.supplier) == 2 * TOPUP_COST
    assert shop.tenant.balance().posted == -2 * TOPUP
    assert shop.later() == 0
    assert (shop.double.count(PLACE), shop.double.count(POLL)) == (1, 1)
