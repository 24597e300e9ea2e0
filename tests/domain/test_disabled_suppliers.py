"""A supplier that the operator switches off as a whole gets no new line, and its waiting lines go to others."""

import pytest

from bedesten.admin import owners, suppliers
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.orders.model import PROCESSING
from tests.domain.tenant import Tenant
from tests.domain.test_supplier_lines import rival, waiting


def switch(tenant: Tenant, disabled: bool) -> int:
    """Disables or enables the supplier; returns how many lines wait for it."""
    account = tenant.write(owners.set_disabled, Surface.SUPPLIER, tenant.supplier, disabled)
    return tenant.read(owners.waiting_lines, account)


def test_a_disabled_supplier_gets_no_new_line_and_keeps_its_own_until_they_are_rerouted(tenant: Tenant) -> None:
    shared, alone = tenant.topup(), tenant.topup()
    other = rival(tenant, shared)
    mine = [waiting(tenant, product=shared), waiting(tenant, product=shared)]
    stuck = waiting(tenant, product=alone)
    assert {one.supplier_id for one in (*mine, stuck)} == {tenant.supplier}
    assert switch(tenant, True) == 3
    assert waiting(tenant, product=shared).supplier_id == other
    with pytest.raises(Refusal) as outcome:
        tenant.order((alone, 1))
    assert outcome.value.code.number == -200
    moved = tenant.write(suppliers.reroute, [], None, "", tenant.supplier)
    assert sorted(str(one["orderDetailId"]) for one in moved) == sorted(one.id for one in mine)
    assert {one["supplierId"] for one in moved} == {other}
    left = tenant.line(stuck.id)
    assert (left.supplier_id, left.status) == (tenant.supplier, PROCESSING)
    assert tenant.write(suppliers.reroute, [], None, "", tenant.supplier) == []
    assert switch(tenant, False) == 1
    assert waiting(tenant, product=alone).supplier_id == tenant.supplier
