"""A product that states the form of its codes accepts no others, wherever they come from."""

import pytest

from bedesten.admin import product_settings
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.catalogue.code_pattern import MalformedCodes
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from tests.domain.tenant import Tenant

SOURCE = Source("a test", "operator")


def states(tenant: Tenant, product: str, **patterns: str | None) -> None:
    tenant.write(product_settings.set_patterns, [product], {f"{part}_pattern": text for part, text in patterns.items()})


def rows(refused: pytest.ExceptionInfo[MalformedCodes]) -> list[int]:
    return [one.index for one in refused.value.misfits]


def test_one_malformed_code_keeps_the_whole_batch_out(tenant: Tenant) -> None:
    card = tenant.card(0)
    states(tenant, card, code="@@-#")
    codes = [read_code(one) for one in ("AB-1", "CD-22", "EF-3", "9")]
    with pytest.raises(MalformedCodes) as refused:
        tenant.write(batches.add, tenant.installation.cipher, card, codes, SOURCE)
    assert rows(refused) == [1, 3]
    assert tenant.available(card) == 0
    good = [codes[0], codes[2]]
    assert tenant.write(batches.add, tenant.installation.cipher, card, good, SOURCE).added == 2


def test_a_chunk_of_a_long_file_is_checked_too(tenant: Tenant) -> None:
    card, cipher = tenant.card(0), tenant.installation.cipher
    states(tenant, card, code="@@-#")
    batch = tenant.write(batches.begin, card, SOURCE)
    with pytest.raises(MalformedCodes):
        tenant.write(batches.load, cipher, card, batch, [read_code("AB-1"), read_code("nothing")], 0)
    assert tenant.write(batches.finish, card, batch, SOURCE) == 0


def test_each_part_of_a_code_has_its_own_form(tenant: Tenant) -> None:
    card, cipher = tenant.card(0), tenant.installation.cipher
    states(tenant, card, pin="####", serial="S#{2,8}|")
    for code in (read_code("PART-1"), read_code("PART-1", "123"), read_code("PART-1", "1234", "7")):
        with pytest.raises(MalformedCodes):
            tenant.write(batches.add, cipher, card, [code], SOURCE)
    good = [read_code("PART-1", "1234"), read_code("PART-2", "1234", "S77")]
    assert tenant.write(batches.add, cipher, card, good, SOURCE).added == 2


def test_a_delivery_of_another_form_moves_no_money_and_its_line_keeps_waiting(tenant: Tenant) -> None:
    topup = tenant.topup()
    line = tenant.order((topup, 1)).lines[0].id
    states(tenant, topup, code="@@-#")
    held = tenant.balance().held
    with pytest.raises(MalformedCodes):
        tenant.write(fulfilment.deliver, tenant.installation.cipher, tenant.supplier, line, [read_code("x")], ())
    assert tenant.balance().held == held
    assert (
        tenant.write(
            fulfilment.deliver, tenant.installation.cipher, tenant.supplier, line, [read_code("AB-1")], ()
        ).line.status
        == 1
    )


def test_stating_a_form_leaves_codes_in_stock_on_sale(tenant: Tenant) -> None:
    card = tenant.card(2)
    states(tenant, card, code="#{16}")
    assert len(tenant.codes(tenant.order((card, 2)).lines[0].id)) == 2


def test_a_form_can_be_removed(tenant: Tenant) -> None:
    card = tenant.card(0)
    states(tenant, card, code="#", pin="#")
    states(tenant, card, code=None)
    with pytest.raises(MalformedCodes):
        tenant.upload(card, ["FREE-1"])
    states(tenant, card, pin=None)
    assert tenant.upload(card, ["FREE-1"]) == 1


def test_several_products_are_changed_together_or_not_at_all(tenant: Tenant) -> None:
    card = tenant.card(0)
    with pytest.raises(Refusal, match="-3"):
        tenant.write(product_settings.set_patterns, [card, "no such product"], {"code_pattern": "#"})
    with pytest.raises(Refusal) as refused:
        states(tenant, card, code="[0-9]+")
    assert list(refused.value.fields or ()) == ["--code-pattern"]
    found = tenant.read(catalogue.product, card)
    assert found is not None
    assert found.code_pattern is None
