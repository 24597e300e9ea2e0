"""Many codes are loaded, withdrawn, moved and recalled a part at a time: others write in between, and an interrupted
run leaves a consistent store and can go on."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import select

from bedesten.admin import recall
from bedesten.admin import stock as operator_stock
from bedesten.audit.tables import audit
from bedesten.catalogue import batches, inventory, moves, stock
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode, read_code
from bedesten.catalogue.tables import stock_batches
from bedesten.errors import Refusal
from bedesten.integrity.check import violations
from bedesten.orders import checkout
from bedesten.server.installation import Installation
from bedesten.server.worker import maintain_stock
from bedesten.store.sql import TENANT, cross_tenant, p, statement
from bedesten.store.transaction import SystemTransaction, Transaction
from tests.domain.tenant import Tenant, fresh, open_tenant
from tests.domain.test_complaints import supplier_balance
from tests.store.raw import raw
from tests.support.sites import ENGINES, opened

_TRAIL = statement(
    select(audit.c.detail)
    .where(audit.c.tenant_id == TENANT, audit.c.action == p("action"), audit.c.subject == p("subject"))
    .order_by(audit.c.id)
)
_AGE = cross_tenant(stock_batches.update().where(stock_batches.c.id == p("batch")).values(created=0))
SOURCE = Source("a test", "operator")
PART = 3


class Killed(BaseException):
    """Stands for a killed process."""


@pytest.fixture(scope="module", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened(request.param, tmp_path_factory.mktemp("parts")) as made:
        yield made


@pytest.fixture
def tenant(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    monkeypatch.setattr(operator_stock, "CHANGE_PART", PART)
    monkeypatch.setattr(operator_stock, "PART", PART)
    return open_tenant(installation, credit=100_000)


def codes(count: int) -> list[StockCode]:
    return [read_code(fresh("PART")) for _ in range(count)]


def batch_of(tenant: Tenant, product: str, made: Sequence[StockCode], source: Source = SOURCE) -> str:
    """A batch with these codes."""
    return tenant.write(batches.add, tenant.installation.cipher, product, made, source).batch_id or ""


def trail(tenant: Tenant, action: str, subject: str) -> int:
    """Returns how many parts the audit trail records."""
    return len(tenant.read(lambda tx: tx.all(_TRAIL, action=action, subject=subject)))


def places(tenant: Tenant, batch: str) -> tuple[int, int, int, int]:
    """How many codes of a batch are free, held, sold and withdrawn."""
    found = tenant.read(inventory.batch_of, batch)
    return found.free, found.claimed, found.sold, found.withdrawn


def ordering(tenant: Tenant, product: str, parts: list[int]) -> Callable[[int], object]:
    """Records each part, and places an order of another product after it."""

    def advance(count: int) -> None:
        parts.append(count)
        assert tenant.order((product, 1)).lines[0].quantity == 1

    return advance


def dying(after: int) -> Callable[[int], object]:
    """Kills the process after this many parts."""
    counts = iter(range(1, after + 1))

    def advance(_: int) -> None:
        if next(counts) == after:
            raise Killed

    return advance


# --- moving -----------------------------------------------------------------------------------------------------------


def test_a_move_lets_others_write_between_its_parts_and_keeps_the_order_of_the_codes(tenant: Tenant) -> None:
    other, wrong, right, made = tenant.card(5), tenant.card(0), tenant.card(0), codes(8)
    batch = batch_of(tenant, wrong, made, Source("a test", tenant.supplier, tenant.supplier, 120))
    parts: list[int] = []
    new, count, _ = operator_stock.move(tenant.store, tenant.id, batch, right, ordering(tenant, other, parts))
    assert (count, parts) == (8, [3, 3, 2])
    assert (tenant.available(wrong), tenant.available(right)) == (0, 8)
    assert (places(tenant, batch), places(tenant, new)) == ((0, 0, 0, 0), (8, 0, 0, 0))
    assert trail(tenant, "stock.move", batch) == 3
    assert tenant.codes(tenant.order((right, 8)).lines[0].id) == [one.code for one in made]
    with raw(tenant.installation.settings) as other_connection:
        assert supplier_balance(other_connection, tenant) == 8 * 120
    assert violations(tenant.installation) == []


def test_a_killed_move_has_moved_some_of_the_codes_and_the_next_one_moves_the_rest(tenant: Tenant) -> None:
    wrong, right, made = tenant.card(0), tenant.card(0), codes(8)
    batch = batch_of(tenant, wrong, made)
    with pytest.raises(Killed):
        operator_stock.move(tenant.store, tenant.id, batch, right, dying(2))
    assert (tenant.available(wrong), tenant.available(right)) == (2, 6)
    assert violations(tenant.installation) == []
    assert operator_stock.move(tenant.store, tenant.id, batch, right)[1] == 2
    assert (tenant.available(wrong), tenant.available(right)) == (0, 8)
    assert tenant.codes(tenant.order((right, 8)).lines[0].id) == [one.code for one in made]
    assert violations(tenant.installation) == []


def test_a_clashing_code_added_during_a_move_ends_it_and_the_refusal_says_what_was_moved(tenant: Tenant) -> None:
    exact, folded = tenant.card(0), tenant.card(0)
    tenant.write(inventory.set_comparison, exact, "exact")
    made = codes(8)
    batch = batch_of(tenant, exact, made)

    def advance(_: int) -> None:
        if tenant.available(folded) == PART:
            tenant.upload(folded, [made[-1].code.lower()])

    with pytest.raises(Refusal, match=r"6 codes were moved into batch bat_.*the rest stays") as refused:
        operator_stock.move(tenant.store, tenant.id, batch, folded, advance)
    assert refused.value.code.number == -8
    assert (tenant.available(exact), tenant.available(folded)) == (2, 7)
    assert violations(tenant.installation) == []


# --- withdrawing ------------------------------------------------------------------------------------------------------


def test_a_withdrawal_lets_others_write_between_its_parts(tenant: Tenant) -> None:
    other, card = tenant.card(5), tenant.card(0)
    batch = batch_of(tenant, card, codes(8))
    tenant.order((card, 1))
    parts: list[int] = []
    _, done = operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "bad", ordering(tenant, other, parts))
    assert (done, parts) == (inventory.Withdrawal(7, sold=1), [3, 3, 1])
    assert (places(tenant, batch), tenant.available(card)) == ((0, 0, 1, 7), 0)
    assert trail(tenant, "stock.withdraw", batch) == 3
    assert violations(tenant.installation) == []


def test_a_killed_withdrawal_has_withdrawn_some_of_the_codes_and_the_next_one_goes_on(tenant: Tenant) -> None:
    card = tenant.card(0)
    batch = batch_of(tenant, card, codes(8))
    held = tenant.checkout((card, 1), minutes=-1)
    with pytest.raises(Killed):
        operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "bad", dying(1))
    assert (places(tenant, batch), tenant.available(card)) == ((4, 1, 0, 3), 4)
    assert violations(tenant.installation) == []
    tenant.write(checkout.expire, held.order.id)
    assert places(tenant, batch) == (4, 0, 0, 4)
    done = operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "bad")[1]
    assert done == inventory.Withdrawal(4, before=4)
    assert (places(tenant, batch), tenant.available(card)) == ((0, 0, 0, 8), 0)
    assert violations(tenant.installation) == []


def test_single_codes_are_withdrawn_a_part_at_a_time_and_counted_once(tenant: Tenant) -> None:
    other, card, made = tenant.card(5), tenant.card(0), codes(8)
    batch = batch_of(tenant, card, made)
    tenant.order((card, 1))
    asked = [*made, read_code(made[-1].code.lower()), read_code(fresh("UNKNOWN"))]
    cipher, parts = tenant.installation.cipher, list[int]()
    advance = ordering(tenant, other, parts)
    done = operator_stock.withdraw_codes(tenant.store, tenant.id, cipher, asked, "bad", advance)
    assert (done, parts) == (inventory.Withdrawal(7, sold=1, unknown=1), [3, 3, 2])
    assert (places(tenant, batch), tenant.available(card)) == ((0, 0, 1, 7), 0)
    again = operator_stock.withdraw_codes(tenant.store, tenant.id, cipher, asked, "bad")
    assert again == inventory.Withdrawal(0, sold=1, unknown=1, before=7)
    assert violations(tenant.installation) == []


def test_a_large_batch_is_recalled_a_part_at_a_time(tenant: Tenant) -> None:
    card = tenant.card(0)
    batch = batch_of(tenant, card, codes(10))
    tenant.order((card, 2))
    tenant.checkout((card, 1))
    cipher = tenant.installation.cipher
    frozen = recall.freeze_all(tenant.store, tenant.id, cipher, batch, [], "bad")
    assert frozen == {"withdrawn": 8, "checkoutsExpired": 1}
    assert (places(tenant, batch), tenant.available(card)) == ((0, 0, 2, 8), 0)
    assert (trail(tenant, "stock.withdraw", batch), trail(tenant, "stock.recall", batch)) == (3, 1)
    again = recall.freeze_all(tenant.store, tenant.id, cipher, batch, [], "bad")
    assert again == {"withdrawn": 0, "checkoutsExpired": 0}
    assert violations(tenant.installation) == []


def test_a_long_list_of_codes_is_recalled_a_part_at_a_time(tenant: Tenant) -> None:
    card, made = tenant.card(0), codes(8)
    batch = batch_of(tenant, card, made)
    tenant.checkout((card, 1))
    frozen = recall.freeze_all(tenant.store, tenant.id, tenant.installation.cipher, "", made, "bad")
    assert frozen == {"withdrawn": 8, "checkoutsExpired": 1}
    assert (places(tenant, batch), trail(tenant, "stock.recall", tenant.id)) == ((0, 0, 0, 8), 3)


# --- loading ----------------------------------------------------------------------------------------------------------


def test_codes_are_encrypted_outside_of_the_transactions_that_store_them(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = tenant.read(operator_stock.stocked_product, tenant.card(0))
    write_now, prepare = tenant.store.write_now, stock.prepare
    happened: list[str] = []

    def writing(work: Callable[[SystemTransaction], object]) -> object:
        def noted(tx: SystemTransaction) -> object:
            happened.append("begin")
            done = work(tx)
            happened.append("end")
            return done

        return write_now(noted)

    def preparing(*args: object) -> list[stock.PreparedCode]:
        happened.append("prepare")
        return prepare(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(tenant.store, "write_now", writing)
    monkeypatch.setattr(stock, "prepare", preparing)
    cipher = tenant.installation.cipher
    assert operator_stock.add_codes(tenant.store, tenant.id, cipher, product, codes(2), SOURCE).added == 2
    assert happened == ["prepare", "begin", "end"]
    happened.clear()
    assert operator_stock.add_codes(tenant.store, tenant.id, cipher, product, codes(5), SOURCE).added == 5
    assert happened == ["begin", "end", *["prepare", "begin", "end"] * 2, "begin", "end"]


def left_behind(tenant: Tenant, product: str, source: Source = SOURCE) -> str:
    """What an upload of eight codes leaves behind when its process is killed."""
    batch = tenant.write(batches.begin, product, source)
    tenant.write(batches.load, tenant.installation.cipher, product, batch, codes(8), 0)
    return batch


def test_an_upload_that_is_being_deleted_cannot_go_on(tenant: Tenant) -> None:
    card = tenant.card(0)
    batch = left_behind(tenant, card)
    assert tenant.write(batches.drop_part, batch, PART)
    assert tenant.read(inventory.batch_of, batch).codes == 5
    assert violations(tenant.installation) == []
    with pytest.raises(Refusal, match="-8"):
        tenant.write(batches.load, tenant.installation.cipher, card, batch, codes(1), 8)
    with pytest.raises(Refusal, match="-8"):
        tenant.write(batches.finish, card, batch, SOURCE)
    assert [tenant.write(batches.drop_part, batch, PART) for _ in range(3)] == [True, False, False]
    assert tenant.read(inventory.find_batch, batch) is None
    assert tenant.available(card) == 0


@pytest.mark.parametrize("most", [1, 100])
def test_the_worker_deletes_what_a_killed_upload_left_a_part_at_a_time(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    batch = left_behind(tenant, tenant.card(0))
    tenant.store.write_now(lambda tx: tx.run(_AGE, batch=batch))

    def drop(tx: Transaction, one: str) -> bool:
        return drop_part(tx, one, most)

    drop_part = batches.drop_part
    monkeypatch.setattr(batches, "drop_part", drop)
    asyncio.run(maintain_stock(tenant.store))
    assert tenant.read(inventory.find_batch, batch) is None


def test_the_next_upload_of_a_file_first_deletes_what_a_killed_one_left(tenant: Tenant) -> None:
    card = tenant.card(0)
    source = Source("a test", "operator", digest=b"f" * 32)
    left = left_behind(tenant, card, source)
    product = tenant.read(operator_stock.stocked_product, card)
    done = operator_stock.add_codes(tenant.store, tenant.id, tenant.installation.cipher, product, codes(5), source)
    assert (done.added, tenant.available(card)) == (5, 5)
    assert tenant.read(inventory.find_batch, left) is None


def test_every_known_code_is_named_whichever_part_it_is_in(tenant: Tenant) -> None:
    card, made = tenant.card(0), codes(7)
    batch = batch_of(tenant, card, [made[1], made[4]])
    product = tenant.read(operator_stock.stocked_product, card)
    done = operator_stock.add_codes(tenant.store, tenant.id, tenant.installation.cipher, product, made, SOURCE)
    assert done.added == 5
    known = [(one.index, one.batch_id, one.state) for one in done.duplicates]
    assert known == [(1, batch, moves.FREE), (4, batch, moves.FREE)]
