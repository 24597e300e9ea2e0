"""A supplier recalls its own codes: none of them is sold any more, and a complaint is opened for every buyer, once."""

import pytest

from bedesten.audit.actions import Actor
from bedesten.catalogue import batches
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode, read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints import supplier_recalls
from bedesten.complaints.model import RECALLED, NewComplaint
from bedesten.complaints.supplier_recalls import SupplierRecall
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from tests.domain.tenant import Tenant, fresh


def supplied(tenant: Tenant, count: int) -> tuple[str, str, list[StockCode]]:
    """A product with a batch of the supplier's: product, batch and codes."""
    card, codes = tenant.card(0), [read_code(fresh("RCL")) for _ in range(count)]
    source = Source("a test", tenant.supplier, supplier=tenant.supplier, unit_cost=100)
    batch = tenant.write(batches.add, tenant.installation.cipher, card, codes, source).batch_id
    assert batch is not None
    return card, batch, codes


def recall(tenant: Tenant, batch: str | None, *codes: StockCode, supplier: str = "") -> SupplierRecall:
    return tenant.write(
        supplier_recalls.recall, tenant.installation.cipher, supplier or tenant.supplier, batch, codes, "called back"
    )


def complained(tenant: Tenant) -> list[tuple[str, str, str]]:
    found = tenant.read(complaints.complaints_of_supplier, tenant.supplier, "", 500)
    return [(one.line_id, one.reason, one.origin) for one in found]


def test_a_batch_is_frozen_and_its_sold_codes_get_complaints_once(tenant: Tenant) -> None:
    card, batch, _ = supplied(tenant, 6)
    lines = [tenant.order((card, 2)).lines[0].id, tenant.order((card, 1)).lines[0].id]
    tenant.checkout((card, 1))
    assert recall(tenant, batch) == SupplierRecall(3, 1, 3, 0, 0)
    assert tenant.available(card) == 0
    expected = sorted([(lines[0], RECALLED, "recall")] * 2 + [(lines[1], RECALLED, "recall")])
    assert sorted(complained(tenant)) == expected
    assert recall(tenant, batch) == SupplierRecall(0, 0, 0, 3, 0)
    assert sorted(complained(tenant)) == expected


def test_single_codes_are_recalled_and_the_others_stay(tenant: Tenant) -> None:
    card, _, codes = supplied(tenant, 3)
    tenant.order((card, 1))
    assert recall(tenant, None, codes[0], codes[2]) == SupplierRecall(1, 0, 1, 0, 0)
    assert tenant.available(card) == 1


def test_a_recall_opens_no_complaint_where_the_buyer_already_has_one(tenant: Tenant) -> None:
    card, batch, codes = supplied(tenant, 1)
    line = tenant.order((card, 1)).lines[0].id
    said = NewComplaint(line, "INVALID_CODE", codes[0])
    tenant.write(complaints.create, tenant.installation.cipher, tenant.partner, said, Actor(tenant.partner))
    assert recall(tenant, batch) == SupplierRecall(0, 0, 0, 1, 0)


def test_a_supplier_recalls_a_code_that_it_delivered_on_demand(tenant: Tenant) -> None:
    line, code = tenant.order((tenant.topup(), 1)).lines[0].id, read_code(fresh("RCL"))
    tenant.write(fulfilment.deliver, tenant.installation.cipher, tenant.supplier, line, [code], ())
    assert recall(tenant, None, code) == SupplierRecall(0, 0, 1, 0, 0)
    assert complained(tenant) == [(line, RECALLED, "recall")]


def test_other_owners_codes_are_unknown_and_untouched(tenant: Tenant) -> None:
    card, batch, codes = supplied(tenant, 2)
    own = tenant.card(0)
    tenant.upload(own, ["OPERATORS-" + fresh("1")])
    stranger = tenant.integration
    found = tenant.read(
        supplier_recalls.own_codes, tenant.installation.cipher, stranger, None, [codes[0], read_code("NEVER-1")]
    )
    assert (found.codes, found.unknown) == ((), 2)
    assert recall(tenant, None, codes[0], supplier=stranger) == SupplierRecall(0, 0, 0, 0, 0)
    with pytest.raises(Refusal, match="-3"):
        recall(tenant, batch, supplier=stranger)
    with pytest.raises(Refusal, match="-3"):
        recall(tenant, "bat_never")
    assert (tenant.available(card), tenant.available(own)) == (2, 1)


def test_a_long_recall_goes_on_with_the_next_call(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supplier_recalls, "MAX_OPENED", 2)
    card, batch, _ = supplied(tenant, 3)
    tenant.order((card, 3))
    assert recall(tenant, batch) == SupplierRecall(0, 0, 2, 0, 1)
    assert recall(tenant, batch) == SupplierRecall(0, 0, 1, 2, 0)
