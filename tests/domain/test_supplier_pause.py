"""A supplier is paused when buyers complain about too many of its units, if the operator has set a limit."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.admin import suppliers
from bedesten.admin.suppliers import SettingsChange
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue.suppliers import count_paused
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import OTHER, NewComplaint
from bedesten.errors import Refusal
from tests.domain.tenant import Tenant, fresh
from tests.domain.test_complaints import complain, consigned, decide
from tests.store.raw import RawConnection
from tests.support.nth_failure import assert_all_or_nothing


def limit(tenant: Tenant, most: int | None) -> None:
    tenant.write(suppliers.change_settings, "Acme", SettingsChange(max_complaints=most))


def paused(tenant: Tenant) -> str | None:
    """Why the supplier is paused."""
    reason = tenant.read(lambda tx: suppliers.view(tx, suppliers.find(tx, "Acme")))["pauseReason"]
    return None if reason is None else str(reason)


def bad_line(tenant: Tenant) -> object:
    """Complains about the only unit of a line, from stock that the supplier uploaded."""
    return complain(tenant, consigned(tenant, 1, 1))


def test_complaints_pause_no_supplier_without_a_limit(tenant: Tenant) -> None:
    for _ in range(5):
        bad_line(tenant)
    assert paused(tenant) is None


def test_the_complaint_that_reaches_the_limit_pauses_the_supplier_with_a_reason(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    limit(tenant, 3)
    before = tenant.store.read_now(count_paused)
    bad_line(tenant)
    bad_line(tenant)
    assert paused(tenant) is None
    bad_line(tenant)
    assert paused(tenant) == "buyers complained about 3 of its units within 30 days"
    assert tenant.store.read_now(count_paused) == before + 1
    rows = other_connection.rows(
        "SELECT actor FROM audit WHERE tenant_id = :tenant AND action = 'supplier.pause'", tenant=tenant.id
    )
    assert rows == [("system",)]
    with pytest.raises(Refusal) as refused:
        tenant.order((tenant.topup(), 1))
    assert refused.value.code.number == -200


def test_complaints_rejected_withdrawn_or_opened_by_the_operator_do_not_count(tenant: Tenant) -> None:
    limit(tenant, 2)
    rejected = complain(tenant, consigned(tenant, 1, 1))
    decide(tenant, rejected, "reject")
    withdrawn = complain(tenant, consigned(tenant, 1, 1))
    tenant.write(complaints.withdraw, tenant.partner, withdrawn.id, Actor(tenant.partner))
    ours = NewComplaint(consigned(tenant, 1, 1).id, OTHER, None, "it is used")
    tenant.write(complaints.create, tenant.installation.cipher, tenant.partner, ours, OPERATOR, "operator")
    refunded = complain(tenant, consigned(tenant, 1, 1))
    decide(tenant, refunded, "refund")
    assert paused(tenant) is None
    bad_line(tenant)
    assert paused(tenant) is not None


def test_complaints_before_a_supplier_was_resumed_no_longer_count(tenant: Tenant) -> None:
    limit(tenant, 1)
    bad_line(tenant)
    assert paused(tenant) is not None
    tenant.write(suppliers.resume, "Acme")
    limit(tenant, 2)
    bad_line(tenant)
    assert paused(tenant) is None
    bad_line(tenant)
    assert paused(tenant) is not None


def test_sixteen_concurrent_complaints_are_counted_one_after_the_other(tenant: Tenant) -> None:
    limit(tenant, 16)
    lines = [consigned(tenant, 1, 1) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda line: complain(tenant, line), lines))
    assert paused(tenant) == "buyers complained about 16 of its units within 30 days"


def test_the_complaint_and_the_pause_are_all_or_nothing(tenant: Tenant) -> None:
    limit(tenant, 1)
    said = NewComplaint(consigned(tenant, 1, 1).id, OTHER, None, fresh("it is used"))
    assert_all_or_nothing(
        tenant.installation,
        tenant.id,
        lambda tx: complaints.create(tx, tenant.installation.cipher, tenant.partner, said, Actor(tenant.partner)),
        at_least=12,
    )
    assert paused(tenant) is not None
