"""A recall freezes what is unsold and makes good what was sold, once, however often it is repeated."""

from bedesten.admin import recall
from bedesten.catalogue import batches, inventory
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode, read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints import recalls
from bedesten.orders.model import Line
from tests.domain.tenant import CARD, Tenant, fresh
from tests.domain.test_complaints import COST, complain, decide, supplier_balance
from tests.store.raw import RawConnection

REASON = "the publisher revoked it"


def stocked(tenant: Tenant, codes: int) -> tuple[str, str, list[StockCode]]:
    """A product with one batch of its supplier's: the product, the batch, its codes."""
    product, made = tenant.card(0), [read_code(fresh("RECALL")) for _ in range(codes)]
    source = Source("a test", tenant.supplier, tenant.supplier, COST)
    batch = tenant.write(batches.add, tenant.installation.cipher, product, made, source).batch_id
    assert batch is not None
    return product, batch, made


def make_good(tenant: Tenant, batch: str, kind: str | None) -> list[str]:
    """What became of every sold code of a batch."""
    cipher = tenant.installation.cipher
    sold = tenant.read(lambda tx: recalls.sold_units(tx, recalls.codes_of_batch(tx, batch)))
    return [tenant.write(recalls.make_good, cipher, one.code_id, kind, REASON, charge=True) for one in sold]


def sold_two(tenant: Tenant) -> tuple[Line, str]:
    """A line with two codes of a batch of four, of which one is in an unpaid checkout and one is free."""
    product, batch, _ = stocked(tenant, 4)
    line = tenant.order((product, 2)).lines[0]
    tenant.checkout((product, 1))
    return line, batch


def test_a_plan_counts_and_names_the_buyers_and_changes_nothing(tenant: Tenant) -> None:
    line, batch = sold_two(tenant)
    plan = tenant.read(recall.plan, tenant.installation.cipher, batch, [])
    buyers = plan.pop("buyers")
    assert plan == {"codes": 4, "free": 1, "held": 1, "sold": 2, "replaced": 0, "withdrawn": 0}
    assert isinstance(buyers, list)
    assert [(one["buyer"], one["orderDetailId"], one["complaint"]) for one in buyers] == [
        ("partner@example.com", line.id, None)
    ] * 2
    assert tenant.available(line.product_id) == 1


def test_freezing_expires_checkouts_and_withdraws_all_unsold_codes(tenant: Tenant) -> None:
    line, batch = sold_two(tenant)
    frozen = tenant.write(recall.freeze, tenant.installation.cipher, batch, [], REASON)
    assert frozen == {"withdrawn": 2, "checkoutsExpired": 1}
    assert tenant.available(line.product_id) == 0
    again = tenant.write(recall.freeze, tenant.installation.cipher, batch, [], REASON)
    assert again == {"withdrawn": 0, "checkoutsExpired": 0}
    shown = tenant.read(inventory.batch_of, batch)
    assert (shown.sold, shown.withdrawn, shown.reason) == (2, 2, REASON)


def test_sold_codes_are_refunded_once_and_the_supplier_pays(tenant: Tenant, other_connection: RawConnection) -> None:
    line, batch = sold_two(tenant)
    tenant.write(recall.freeze, tenant.installation.cipher, batch, [], REASON)
    assert make_good(tenant, batch, "refund") == ["refunded", "refunded"]
    assert make_good(tenant, batch, "refund") == ["refunded", "refunded"]
    assert tenant.line(line.id).refunded == 2 * CARD
    assert tenant.balance().posted == 0
    assert supplier_balance(other_connection, tenant) == 0
    listed = tenant.read(complaints.complaints_of_buyer, tenant.partner, "", 10)
    assert [(one.reason, one.origin) for one in listed] == [("RECALLED", "recall")] * 2


def test_replacements_come_from_another_batch_and_codes_without_one_stay_open(tenant: Tenant) -> None:
    line, batch = sold_two(tenant)
    old = tenant.codes(line.id)
    tenant.write(recall.freeze, tenant.installation.cipher, batch, [], REASON)
    tenant.upload(line.product_id, [fresh("GOOD")])
    assert sorted(make_good(tenant, batch, "replace")) == ["outOfStock", "replaced"]
    assert len(set(tenant.codes(line.id)) & set(old)) == 1
    tenant.upload(line.product_id, [fresh("GOOD")])
    assert make_good(tenant, batch, "replace") == ["replaced", "replaced"]
    assert not set(tenant.codes(line.id)) & set(old)


def test_a_recall_decides_open_complaints_and_leaves_refunded_codes_alone(tenant: Tenant) -> None:
    product, batch, _ = stocked(tenant, 3)
    line = tenant.order((product, 3)).lines[0]
    first, second, _ = tenant.codes(line.id)
    still_open = complain(tenant, line, first)
    decide(tenant, complain(tenant, line, second), "refund", 100)
    assert make_good(tenant, batch, None) == ["open", "refunded", "open"]
    assert make_good(tenant, batch, "refund") == ["refunded", "refunded", "refunded"]
    assert tenant.read(complaints.complaint_of, still_open.id).refunded == CARD
    assert tenant.line(line.id).refunded == 2 * CARD + 100


def test_a_list_of_codes_is_recalled_and_unknown_ones_are_left_out(tenant: Tenant) -> None:
    product, _, codes = stocked(tenant, 4)
    line = tenant.order((product, 1)).lines[0]
    cipher = tenant.installation.cipher
    named = [*codes[:2], read_code("NEVER-HEARD-OF")]
    plan = tenant.read(recall.plan, cipher, "", named)
    assert (plan["codes"], plan["free"], plan["sold"]) == (2, 1, 1)
    assert tenant.write(recall.freeze, cipher, "", named, REASON)["withdrawn"] == 1
    assert tenant.available(product) == 2
    found = tenant.read(recalls.codes_named, cipher, named)
    done = [
        tenant.write(recalls.make_good, cipher, one.code_id, "refund", REASON, charge=False)
        for one in tenant.read(recalls.sold_units, found)
    ]
    assert done == ["refunded"]
    assert tenant.line(line.id).refunded == CARD
