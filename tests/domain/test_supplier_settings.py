"""The operator sets suppliers' times, pauses them, gives products further suppliers, and reroutes lines."""

from decimal import Decimal

import pytest

from bedesten.admin import suppliers
from bedesten.admin.suppliers import SettingsChange
from bedesten.errors import Refusal
from tests.domain.tenant import Tenant
from tests.domain.test_supplier_lines import rival, waiting


def test_named_settings_change_and_the_others_stay(tenant: Tenant) -> None:
    first = tenant.write(suppliers.change_settings, "Acme", SettingsChange(accept_within=60_000, max_failures=None))
    assert (first["acceptWithinSeconds"], first["deliverWithinSeconds"], first["maxFailures"]) == (60, None, None)
    second = tenant.write(suppliers.change_settings, "Acme", SettingsChange(deliver_within=250, max_failures=100))
    assert (second["acceptWithinSeconds"], second["deliverWithinSeconds"], second["maxFailures"]) == (60, 0.25, 100)
    third = tenant.write(suppliers.change_settings, "Acme", SettingsChange(accept_within=None))
    assert (third["acceptWithinSeconds"], third["deliverWithinSeconds"], third["paused"]) == (None, 0.25, None)


def test_a_supplier_is_paused_with_a_reason_and_resumed(tenant: Tenant) -> None:
    paused = tenant.write(suppliers.pause, "Acme", " checks its stock ")
    assert paused["pauseReason"] == "checks its stock"
    assert paused["paused"] is not None
    assert tenant.write(suppliers.resume, "Acme")["paused"] is None
    for reason in ("", "a\x00b"):
        with pytest.raises(Refusal) as refused:
            tenant.write(suppliers.pause, "Acme", reason)
        assert refused.value.code.number == -2
    with pytest.raises(Refusal) as refused:
        tenant.write(suppliers.pause, "Nobody", "reason")
    assert refused.value.code.number == -3


@pytest.mark.parametrize("cost", ["-1", "0.001", "1e400", "10000000000"])
def test_a_further_supplier_with_an_invalid_cost_is_refused(tenant: Tenant, cost: str) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    with pytest.raises(Refusal) as refused:
        tenant.write(suppliers.add_to_product, "USD", other, product, Decimal(cost), 0)
    assert refused.value.code.number == -2


def test_further_suppliers_are_listed_in_the_order_in_which_they_are_asked(tenant: Tenant) -> None:
    product = tenant.topup()
    dear, cheap = rival(tenant, product), rival(tenant, product)
    tenant.write(suppliers.add_to_product, "USD", dear, product, Decimal("4.00"), 0)
    found = tenant.write(suppliers.add_to_product, "USD", cheap, product, Decimal("3.99"), 5)
    assert [one["supplierId"] for one in found] == [cheap, dear]
    assert [one["cost"] for one in found] == [Decimal("3.99"), Decimal("4.00")]
    left = tenant.write(suppliers.remove_from_product, "USD", cheap, product)
    assert [one["supplierId"] for one in left] == [dear]
    assert tenant.write(suppliers.remove_from_product, "USD", cheap, product) == left
    with pytest.raises(Refusal) as refused:
        tenant.write(suppliers.add_to_product, "USD", "Acme", product, Decimal(1), 0)
    assert refused.value.code.number == -2


def test_the_sourcing_of_a_product_is_read_and_changed(tenant: Tenant) -> None:
    product = tenant.topup()
    before = tenant.write(suppliers.change_sourcing, "USD", product, SettingsChange())
    assert (before["withoutSupplier"], before["acceptWithinSeconds"]) == ("cancel", None)
    change = SettingsChange(accept_within=1_000, hold_unsourced=1)
    after = tenant.write(suppliers.change_sourcing, "USD", product, change)
    assert (after["withoutSupplier"], after["acceptWithinSeconds"]) == ("hold", 1)
    assert tenant.write(suppliers.change_sourcing, "USD", product, SettingsChange()) == after


def test_all_waiting_lines_of_a_product_are_rerouted_or_none(tenant: Tenant) -> None:
    product = tenant.topup()
    lines = [waiting(tenant, product=product).id for _ in range(3)]
    with pytest.raises(Refusal) as refused:
        tenant.write(suppliers.reroute, [], None, product)
    assert refused.value.code.number == -8
    other = rival(tenant, product)
    moved = tenant.write(suppliers.reroute, [], other, product, "Acme")
    assert sorted(str(one["orderDetailId"]) for one in moved) == sorted(lines)
    assert {one["supplierId"] for one in moved} == {other}
    assert tenant.write(suppliers.reroute, [], other, product) == []
    assert tenant.write(suppliers.reroute, [], None, product, "Acme") == []
    with pytest.raises(Refusal) as refused:
        tenant.write(suppliers.reroute, [lines[0], "odl_never"], "Acme")
    assert refused.value.code.number == -3
    assert tenant.line(lines[0]).supplier_id == other


def test_figures_name_every_supplier(tenant: Tenant) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    waiting(tenant, product=product)
    found = {one["id"]: one for one in tenant.read(suppliers.figures)[0]}
    assert set(found) == {tenant.supplier, other}
    assert (found[tenant.supplier]["waiting"], found[other]["assigned"]) == (1, 0)
    assert [one["id"] for one in tenant.read(suppliers.figures, other)[0]] == [other]
    first, cursor = tenant.read(suppliers.figures, limit=1)
    assert cursor is not None
    assert cursor == first[0]["id"]
    second, end = tenant.read(suppliers.figures, after=cursor, limit=1)
    assert ({one["id"] for one in (*first, *second)}, end) == (set(found), None)
