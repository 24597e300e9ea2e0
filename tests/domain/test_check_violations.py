"""The walk over the invariants finds nothing in a sound store, and names whatever is broken on purpose."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import PrimaryKeyConstraint, Table, Text, UniqueConstraint

from bedesten.catalogue.code import decode
from bedesten.integrity import check
from bedesten.integrity.check import INVARIANT_QUERIES, MAX_ROWS_PER_QUERY, run_queries, violations
from bedesten.integrity.invariants.balances import BALANCES
from bedesten.integrity.invariants.events import EVENTS
from bedesten.integrity.invariants.goods import GOODS
from bedesten.integrity.invariants.money import MONEY
from bedesten.integrity.invariants.structure import references
from bedesten.store.sql import metadata
from tests.domain.unconstrained import Unconstrained, insert_made_up, one_of_everything, without_constraints
from tests.store.raw import RawConnection, raw
from tests.support.sites import ENGINES, opened

Bare = tuple[Unconstrained, RawConnection]


@pytest.fixture(scope="module", params=ENGINES)
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """One of everything, sound, and then without constraints. Every breakage below is undone at its test's end."""
    with opened(request.param, tmp_path_factory.mktemp("bare")) as installation:
        everything = one_of_everything(installation)
        assert violations(installation) == []
        installation.store.close()
        with raw(installation.settings) as other:
            without_constraints(other)
            yield everything, other


def walked(bare: Bare, *breaks: str) -> list[str]:
    """What the walk finds after the statements, all of it undone afterwards. `{name}` stands for a row of
    `Unconstrained`."""
    everything, other = bare
    names = {name: value for name, value in vars(everything).items() if isinstance(value, str)}
    names |= {"tenant": everything.tenant.id, "theirs": everything.stranger.id}
    with other.undone() as tx:
        for sql in breaks:
            assert other.run(sql.format(**names)) >= 1, sql
        return run_queries(tx, everything.cipher)


def test_a_store_that_lost_its_constraints_and_nothing_else_is_sound(bare: Bare) -> None:
    assert walked(bare) == []


MINE = "WHERE tenant_id = '{tenant}' AND "
PARTNER = MINE + "kind = 'partner'"
A_FREE_CODE = "WHERE id = (SELECT min(id) FROM stock_codes WHERE product_id = '{card}' AND state = 0)"

BREAKS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "a cached balance": (
        1,
        (f"UPDATE ledger_accounts SET posted = posted + 1 {PARTNER}",),
        r"posted, its transfers give",
    ),
    "a transfer that is gone": (
        1,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'deposit%'",),
        r"has -?\d+ posted, its transfers give -?\d+",
    ),
    "a cached balance of the tenant's own": (
        1,
        (f"UPDATE ledger_accounts SET posted = 5 {MINE} kind = 'sales'",),
        r"of kind sales with bounded = 0 caches 5 posted and 0 held",
    ),
    "a partner without bounds": (
        1,
        (f"UPDATE ledger_accounts SET bounded = 0 {PARTNER}",),
        r"of kind partner with bounded = 0 caches",
    ),
    "a transfer of nothing": (
        1,
        (f"UPDATE transfers SET amount = 0 {MINE} business_key LIKE 'cost%'",),
        r"transfer trf_\w+ of 0 USD .* needs an amount above 0",
    ),
    "a transfer to oneself": (
        1,
        (f"UPDATE transfers SET to_id = from_id {MINE} business_key LIKE 'cost%'",),
        r"two accounts of its currency",
    ),
    "a transfer between currencies": (
        1,
        (f"UPDATE ledger_accounts SET currency = 'EUR' {MINE} kind = 'clearing'",),
        r"from acc_\w+ in EUR to acc_\w+ in USD",
    ),
    "an overdrawn account": (
        2,
        (f"UPDATE ledger_accounts SET credit_limit = 1, overdraft_limit = 1 {PARTNER}",),
        r"a credit limit of 1: it is overdrawn",
    ),
    "an overdraft that nobody granted": (
        2,
        (f"UPDATE ledger_accounts SET overdraft_limit = overdraft_limit + 1 {PARTNER}",),
        r"may go \d+ below zero: that is neither its credit limit",
    ),
    "a limit beyond all amounts": (
        2,
        (f"UPDATE ledger_accounts SET credit_limit = 1000000000000000, overdraft_limit = 1000000000000000 {PARTNER}",),
        r"together they reach 10\^15",
    ),
    "a stock level": (
        4,
        ("UPDATE stock_levels SET available = available - 1 WHERE product_id = '{card}'",),
        r"product prd_\w+ has 4 available, its free codes are 5",
    ),
    "a product without a stock level": (
        4,
        ("DELETE FROM stock_levels WHERE product_id = '{card}'",),
        r"has -1 available, its free codes are 5",
    ),
    "a code that a delivered line lost": (
        4,
        ("DELETE FROM stock_codes WHERE line_id = '{by_code}'",),
        r"line odl_\w+ \(status 1, order state 1\) has 0 claimed and 0 delivered codes, it should have 0 and 1",
    ),
    "a line from stock with a note in place of its codes": (
        4,
        (
            "DELETE FROM stock_codes WHERE line_id = '{sold}'",
            "UPDATE order_lines SET note = '[]' WHERE id = '{sold}'",
        ),
        r"has 0 claimed and 0 delivered codes, it should have 0 and 2",
    ),
    "a code that was delivered before it was paid": (
        4,
        ("UPDATE stock_codes SET state = 2 WHERE line_id = '{unpaid_line}'",),
        r"\(status 2, order state 0\) has 0 claimed and 1 delivered codes, it should have 1 and 0",
    ),
    "a code that an expired checkout kept": (
        4,
        (
            f"UPDATE stock_codes SET state = 1, line_id = '{{expired_line}}', line_quantity = 1, unit = 0 {A_FREE_CODE}",
            "UPDATE stock_levels SET available = available - 1 WHERE product_id = '{card}'",
        ),
        r"\(status 2, order state 2\) has 1 claimed and 0 delivered codes, it should have 0 and 0",
    ),
    "a code beyond what was ordered": (
        4,
        ("UPDATE stock_codes SET unit = 2 WHERE line_id = '{sold}' AND unit = 1",),
        r"is unit 2 of 2 of line odl_\w+, which has 2 units",
    ),
    "a code that thinks its line is larger": (
        4,
        ("UPDATE stock_codes SET line_quantity = 7 WHERE line_id = '{sold}'",),
        r"is unit \d of 7 of line odl_\w+, which has 2 units",
    ),
    "a free code with a line": (
        4,
        ("UPDATE stock_codes SET state = 0 WHERE line_id = '{sold}' AND unit = 0",),
        r"with state 0 is unit 0 of 2 of line",
    ),
    "a code of another product": (
        4,
        ("UPDATE stock_codes SET product_id = 'prd_other' WHERE line_id = '{sold}'",),
        r"of product prd_other belongs to line odl_\w+ of product prd_\w+",
    ),
    "a line that waits for nobody": (
        4,
        ("UPDATE order_lines SET queued = NULL WHERE id = '{waiting}'",),
        r"line odl_\w+ with status 2 and version 1 cannot be in an order with state 1, or its supplier was not asked",
    ),
    "a line that moved before it was paid": (
        4,
        ("UPDATE order_lines SET version = 1 WHERE id = '{unpaid_line}'",),
        r"with status 2 and version 1 cannot be in an order with state 0",
    ),
    "two codes that are one": (
        4,
        (
            "UPDATE stock_codes SET folded_digest = digest WHERE product_id = '{card}'",
            "UPDATE stock_codes SET folded_digest = (SELECT digest FROM stock_codes LIMIT 1) WHERE product_id = '{card}'",
        ),
        r"product prd_\w+ has \d codes that are equal by its comparison: cod_\w+ to cod_\w+",
    ),
    "a product that compares its codes otherwise than before": (
        4,
        ("UPDATE products SET code_comparison = 'exact' WHERE id = '{card}'",),
        r"stock code cod_\w+ of product prd_\w+ is compared differently from its product, which says exact",
    ),
    "a batch that lost a code": (
        4,
        ("UPDATE stock_batches SET codes = codes + 1 WHERE product_id = '{card}'",),
        r"batch bat_\w+ with state 1 should have 10 codes, it has 9, of which 0 are loading",
    ),
    "a batch whose codes are sold before it is complete": (
        4,
        ("UPDATE stock_batches SET state = 0 WHERE product_id = '{card}'",),
        r"batch bat_\w+ with state 0 should have 9 codes, it has 9, of which 0 are loading",
    ),
    "a level that overlooks an expiry": (
        4,
        ("UPDATE stock_levels SET next_expiry = NULL WHERE product_id = '{consigned}'",),
        r"a code of product prd_\w+ expires at \d+, its stock level expects -1",
    ),
    "a supplier who earned nothing with its stock": (
        5,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'cost:{{earning}}:%'",),
        r"supplier sup_\w+ earns 240 with the stock codes of line odl_\w+, its transfer is of 0",
    ),
    "a supplier who earned with somebody else's stock": (
        5,
        ("UPDATE stock_batches SET supplier_id = NULL WHERE product_id = '{consigned}'",),
        r"transfer trf_\w+ of 240 pays a supplier for stock codes that the line does not have",
    ),
    "a supplier's money on another account": (
        5,
        (f"UPDATE ledger_accounts SET owner_id = '{{theirs}}' {MINE} kind = 'supplier'",),
        r"transfer trf_\w+ for line odl_\w+ goes to account acc_\w+ of ten_\w+, which its key does not name",
    ),
    "an order's total": (5, ("UPDATE orders SET total = total + 1 WHERE id = '{paid}'",), r"its lines give 500"),
    "an order without lines": (
        5,
        (
            "DELETE FROM order_lines WHERE order_id = '{unpaid}'",
            "DELETE FROM stock_codes WHERE line_id = '{unpaid_line}'",
        ),
        r"has a total of 1200, its lines give -1",
    ),
    "a placed order without a hold": (
        5,
        ("DELETE FROM holds WHERE order_id = '{paid}'",),
        r"order ord_\w+ with state 1 has 0 holds",
    ),
    "a hold of an order that was not placed": (
        5,
        ("UPDATE orders SET state = 2 WHERE id = '{paid}'",),
        r"order ord_\w+ with state 2 has 1 holds",
    ),
    "a hold that captured too little": (
        5,
        ("UPDATE holds SET captured = captured - 100 WHERE order_id = '{paid}'",),
        r"hold of order ord_\w+ has 500 placed, 400 captured, 0 released; the order gives 500, 500 and 0",
    ),
    "a hold that released what nobody cancelled": (
        5,
        ("UPDATE holds SET released = 50 WHERE order_id = '{paid}'",),
        r"500 captured, 50 released; the order gives 500, 500 and 0",
    ),
    "a hold on somebody else's account": (
        5,
        (f"UPDATE holds SET account_id = (SELECT id FROM ledger_accounts {PARTNER}) WHERE order_id = '{{paid}}'",),
        r"the hold of order ord_\w+ is on account acc_\w+ of par_\w+, the buyer is cus_\w+",
    ),
    "an account that holds more than its holds": (
        5,
        (f"UPDATE ledger_accounts SET held = held + 1 {PARTNER}",),
        r"has 701 held, its open holds give 700",
    ),
    "a delivered line that nobody paid": (
        5,
        (f"DELETE FROM transfers {MINE} business_key = 'line:{{by_code}}'",),
        r"line odl_\w+ was delivered for 700, its transfer is of 0",
    ),
    "a line that was paid from another account": (
        5,
        (f"UPDATE transfers SET from_id = 'acc_other' {MINE} business_key = 'line:{{by_code}}'",),
        r"pays line odl_\w+ from account acc_other, its order's hold is on acc_\w+",
    ),
    "a transfer for a line that was not delivered": (
        5,
        ("UPDATE order_lines SET status = 2 WHERE id = '{by_code}'",),
        r"transfer trf_\w+ of 700 is booked for a delivered line that does not exist or is not in that state",
    ),
    "what a supplier earned with a line that was not delivered": (
        5,
        ("UPDATE order_lines SET status = 2 WHERE id = '{by_note}'",),
        r"transfer trf_\w+ of 600 is booked for a delivered line that does not exist or is not in that state",
    ),
    "a confirmed deposit without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'deposit%'",),
        r"deposit dep_\w+ of 500 with state 1 has a transfer of 0",
    ),
    "a transfer of a deposit that was not confirmed": (
        5,
        ("UPDATE deposits SET state = 0 WHERE id = '{deposit}'",),
        r"transfer trf_\w+ of 500 is booked for a confirmed deposit that does not exist or is not in that state",
    ),
    "a captured payment without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'payment%'",),
        r"payment pay_\w+ of 500 with state 1 has a transfer of 0",
    ),
    "a transfer of a payment that is gone": (
        5,
        ("DELETE FROM payments WHERE id = '{payment}'",),
        r"transfer trf_\w+ of 500 is booked for a captured payment that does not exist or is not in that state",
    ),
    "an order that was paid twice": (
        5,
        ("UPDATE payments SET state = 1 WHERE id = '{second_payment}'",),
        r"order ord_\w+ with state 1 and a total of 500 has 2 captured payments",
    ),
    "a paid order that nobody paid": (
        5,
        ("UPDATE payments SET state = 0 WHERE id = '{payment}'",),
        r"order ord_\w+ with state 1 and a total of 500 has 0 captured payments",
    ),
    "a large deposit that nobody approved": (
        5,
        ("UPDATE deposits SET approval = 1 WHERE id = '{deposit}'",),
        r"deposit dep_\w+ of 500 with state 1 has approval 1",
    ),
    "a deposit that waits for no approval": (
        5,
        ("UPDATE deposits SET approval = 0 WHERE id = '{awaiting}'",),
        r"deposit dep_\w+ of 801 with state 3 has approval 0",
    ),
    "a payment that was refused and is open again": (
        5,
        ("UPDATE payments SET refusal = -402 WHERE id = '{second_payment}'",),
        r"payment pay_\w+ with state 0 was refused with -402",
    ),
    "an expired checkout that was paid": (
        5,
        ("UPDATE orders SET state = 3 WHERE id = '{paid}'",),
        r"order ord_\w+ with state 3 and a total of 500 has 1 captured payments",
    ),
    "a change without its event": (
        6,
        ("DELETE FROM events WHERE line_id = '{by_code}' AND version = 1",),
        r"line odl_\w+ has version 2 and 1 events, from 2 to 2",
    ),
    "an event without a change": (
        6,
        ("UPDATE events SET version = 3 WHERE line_id = '{by_code}' AND version = 2",),
        r"line odl_\w+ has version 2 and 2 events, from 1 to 3",
    ),
    "an event that says something else": (
        6,
        ("UPDATE events SET status = 0 WHERE line_id = '{by_code}' AND version = 2",),
        r"line odl_\w+ has status 1, its latest event evt_\w+ says 0",
    ),
    "an event that was not passed on to the endpoint's URL": (
        6,
        ("DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE line_id = '{sold}')",),
        r"event evt_\w+ has no delivery for endpoint whk_\w+",
    ),
    "an event that was not passed on to the order's URL": (
        6,
        (
            f"UPDATE webhook_endpoints SET url = NULL {MINE} url IS NOT NULL",
            "DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE line_id = '{by_note}')",
        ),
        r"event evt_\w+ has no delivery for endpoint whk_\w+",
    ),
    "a delivery past the order's URL": (
        6,
        ("UPDATE deliveries SET url = 'https://thief.example.com/' WHERE url LIKE 'https%orders%'",),
        r"delivery dlv_\w+ of event evt_\w+ goes to endpoint whk_\w+, which is not the buyer's, or past",
    ),
    "a delivery to somebody else's endpoint": (
        6,
        (f"UPDATE webhook_endpoints SET owner_id = '{{theirs}}' {MINE} url IS NOT NULL",),
        r"goes to endpoint whk_\w+, which is not the buyer's",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_named_with_its_invariant_its_tenant_and_its_rows(bare: Bare, name: str) -> None:
    number, breaks, says = BREAKS[name]
    found = walked(bare, *breaks)
    mine = f"invariant {number}: tenant {bare[0].tenant.id}: "
    assert [line for line in found if line.startswith(mine) and re.search(says, line)], found
    assert not [line for line in found if bare[0].stranger.id in line.partition(": ")[2].partition(": ")[0]]


def test_every_question_about_money_and_goods_is_answered_by_something_that_is_broken_above(bare: Bare) -> None:
    """A question that nothing can make find anything is no question."""
    found = "\n".join(line for _, breaks, _ in BREAKS.values() for line in walked(bare, *breaks))
    for one in (*BALANCES, *GOODS, *MONEY, *EVENTS):
        assert re.search(re.escape(one.message).replace(r"\{\}", ".*"), found), one.message


def test_a_url_that_was_set_or_changed_a_moment_before_an_event_demands_no_delivery_of_it(bare: Bare) -> None:
    """Whether the order saw it cannot be known: the two transactions may have run at the same time."""
    lost = "DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE line_id = '{sold}')"
    young = "UPDATE webhook_endpoints SET created = (SELECT min(created) FROM events WHERE line_id = '{sold}')"
    assert len(walked(bare, lost)) == 1
    assert walked(bare, lost, young + " - 59999 WHERE tenant_id = '{tenant}'") == []
    assert len(walked(bare, lost, young + " - 60000 WHERE tenant_id = '{tenant}'")) == 1
    changed = (
        "INSERT INTO audit (id, tenant_id, actor, action, subject, detail, at) SELECT 'aud_x', tenant_id, 'operator',"
        " 'partner.webhook', owner_id, 'x', created + 3599999 FROM webhook_endpoints WHERE tenant_id = '{tenant}'"
    )
    assert walked(bare, lost, changed) == []


# --- 9: the revision --------------------------------------------------------------------------------------------------

LAST = "(SELECT max(seq) FROM changes)"
REVISION_BREAKS = {
    "a hole": ("DELETE FROM changes WHERE seq = 2", "change 2 is missing from the list of changes, which ends with "),
    "a lost end": (f"DELETE FROM changes WHERE seq = {LAST}", "the list of changes ends with "),
    "a counter that went back": ("UPDATE revision_counter SET counter = counter - 1", "the list of changes ends with "),
    "an empty list": ("DELETE FROM changes", "the list of changes ends with -1, the counter says "),
    "another number beside the counter": (
        "UPDATE revision_counter SET nonce = nonce / 2",
        "the random number of the counter",
    ),
    "another last change": (
        f"UPDATE changes SET nonce = nonce / 2 WHERE seq = {LAST}",
        "the random number of the counter",
    ),
    "no counter": ("DELETE FROM revision_counter", "the counter of the installation bedesten_"),
}


@pytest.mark.parametrize("name", REVISION_BREAKS)
def test_a_list_of_changes_that_does_not_lead_to_the_revision_is_named(bare: Bare, name: str) -> None:
    breaks, says = REVISION_BREAKS[name]
    assert [line for line in walked(bare, breaks) if line.startswith("invariant 9: tenant -: " + says)]


def test_a_list_of_changes_whose_oldest_rows_were_cut_off_is_sound(bare: Bare) -> None:
    assert walked(bare, "DELETE FROM changes WHERE seq <= 3") == []


# --- 3, 7 and 8: for every table, as it is declared -------------------------------------------------------------------

TABLES = metadata.sorted_tables
OWNED = [table for table in TABLES if "tenant_id" in table.c]


def name_of(table: Table) -> str:
    """How a table is called in the tests' names."""
    return table.name


UNIQUE_WHERE = {"key_import_runs": {"state": "pending"}}
"""What a row must hold for a partial unique index to count it, where made-up values do not."""


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_a_row_that_is_there_twice_is_named_for_everything_that_should_be_unique(bare: Bare, table: Table) -> None:
    everything, other = bare
    with other.undone() as tx:
        for _ in range(2):
            insert_made_up(other, table, tenant_id=everything.tenant.id, **UNIQUE_WHERE.get(table.name, {}))
        found = run_queries(tx, everything.cipher)
    unique = [one for one in table.constraints if isinstance(one, PrimaryKeyConstraint | UniqueConstraint)]
    sets = [tuple(one.columns) for one in unique] + [tuple(one.columns) for one in table.indexes if one.unique]
    assert sets
    for columns in sets:
        same = ", ".join(column.name for column in columns)
        says = f" rows of {table.name} have the same {same}: "
        assert [line for line in found if line.startswith("invariant 3: ") and says in line], same


REFERENCES = [
    pytest.param(column, target, id=f"{column.table.name}.{column.name}")
    for column, target in sorted(references(), key=lambda pair: str(pair[0]))
]


@pytest.mark.parametrize(("column", "target"), REFERENCES)
def test_a_reference_to_nothing_and_one_to_another_tenant_s_row_are_named(
    bare: Bare, column: object, target: Table
) -> None:
    everything, other = bare
    table, name = column.table, column.name  # type: ignore[attr-defined]
    mine, theirs = everything.tenant.id, everything.stranger.id
    with other.undone() as tx:
        insert_made_up(other, target, tenant_id=theirs, id="row-of-theirs")
        insert_made_up(other, table, tenant_id=mine, **{name: "row-of-theirs"})
        insert_made_up(other, table, tenant_id=mine, **{name: "row-of-nobody"})
        found = run_queries(tx, everything.cipher)
    for value in ("row-of-theirs", "row-of-nobody"):
        says = rf"invariant 7: tenant {mine}: row \S+ of {table.name} refers by {name} to {value}, which this tenant"
        assert [line for line in found if re.match(says, line)], found


def test_every_column_that_names_a_row_is_looked_at_or_is_no_reference() -> None:
    looked_at = {(column.table.name, column.name) for column, _ in references()}
    names = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Text) and column.name.endswith("_id")
    }
    elsewhere = {("ledger_accounts", "owner_id"), ("audit", "request_id"), ("order_lines", "deliver_id")}
    secrets = {(table, name) for table, name in names if name in ("pepper_id", "wrapping_id")}
    tenants = {(table, name) for table, name in names if name == "tenant_id"}
    assert names - looked_at - secrets - tenants == elsewhere


@pytest.mark.parametrize("table", OWNED, ids=name_of)
def test_a_row_of_a_tenant_that_does_not_exist_is_named(bare: Bare, table: Table) -> None:
    everything, other = bare
    with other.undone() as tx:
        insert_made_up(other, table, tenant_id="ten_nobody")
        found = run_queries(tx, everything.cipher)
    says = rf"invariant 7: tenant ten_nobody: row \S+ of {table.name} belongs to a tenant that does not exist"
    assert [line for line in found if re.match(says, line)], found


def test_a_ledger_account_of_neither_the_tenant_nor_one_of_its_accounts_is_named(bare: Bare) -> None:
    found = walked(bare, f"UPDATE ledger_accounts SET owner_id = '{{theirs}}' {MINE} kind = 'sales'")
    assert len(found) == 1
    assert re.search(r"invariant 7: .* belongs to ten_\w+, which is neither this tenant nor an account of it", found[0])


KEY = "ak_live_" + "0123456789abcdef" * 2


def test_a_password_that_is_no_argon2id_hash_is_named(bare: Bare) -> None:
    customer = bare[0].tenant.customer
    found = walked(bare, f"UPDATE accounts SET password = 'hunter2' WHERE id = '{customer}'")
    assert found == [
        f"invariant 8: tenant {bare[0].tenant.id}: the password of account {customer} is not an argon2id hash"
    ]


def test_digests_and_sealed_values_of_the_wrong_size_are_named(bare: Bare) -> None:
    everything, other = bare
    tenant = everything.tenant.id
    with other.undone() as tx:
        insert_made_up(other, metadata.tables["key_secrets"], tenant_id=tenant, digest=b"short", key_id="key_x")
        insert_made_up(other, metadata.tables["stock_codes"], tenant_id=tenant, ciphertext=b"CODE-1", id="cod_x")
        insert_made_up(other, metadata.tables["api_keys"], tenant_id=tenant, hint=KEY, id="key_y")
        found = run_queries(tx, everything.cipher)
    begins = f"invariant 8: tenant {tenant}: "
    assert begins + "digest of row key_x of key_secrets has 5 bytes, which is not the size of a digest" in found
    assert (
        begins + "ciphertext of row cod_x of stock_codes has 6 bytes, which is not the size of an encrypted value"
        in found
    )
    assert begins + "the hint of API key key_y has 40 characters, which is too long for a hint" in found
    assert begins + "hint of row key_y of api_keys contains a secret in clear" in found
    assert begins + "stock code cod_x cannot be decrypted" in found


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "ak_test_" + "f" * 32,
        "whsec_" + "A" * 44,
        "ok_" + "0" * 32,
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwYXJfMSIsImV4cCI6MX0.c2lnbmF0dXJlLW9mLWEtdG9rZW4",
    ],
)
def test_a_secret_in_a_text_of_ours_is_named_and_not_repeated(bare: Bare, secret: str) -> None:
    everything, other = bare
    tenant = everything.tenant.id
    with other.undone() as tx:
        insert_made_up(
            other, metadata.tables["audit"], id="aud_x", tenant_id=tenant, detail=f'{{"it":"{secret}"}}', seq=None
        )
        insert_made_up(other, metadata.tables["deliveries"], id="dlv_x", tenant_id=tenant, last_error=f"sent {secret}")
        found = run_queries(tx, everything.cipher)
    begins = f"invariant 8: tenant {tenant}: "
    assert begins + "detail of row aud_x of audit contains a secret in clear" in found
    assert begins + "last_error of row dlv_x of deliveries contains a secret in clear" in found
    assert secret not in "\n".join(found)


def test_the_hint_of_a_key_in_the_trail_is_no_secret(bare: Bare) -> None:
    everything, other = bare
    with other.undone() as tx:
        detail = '{"surface":"supplier","hint":"ak_live_…cdef","owner":"0123456789abcdef0123456789abcdef"}'
        insert_made_up(
            other, metadata.tables["audit"], id="aud_x", tenant_id=everything.tenant.id, detail=detail, seq=None
        )
        assert run_queries(tx, everything.cipher) == []


def test_a_stock_code_in_clear_is_named_and_not_repeated(bare: Bare) -> None:
    everything, other = bare
    tenant = everything.tenant.id
    with other.undone() as tx:
        row, ciphertext, *_ = tx.all(check._CODES, owner=tenant, most=1)[0]
        code = decode(everything.cipher.decrypt(tx.for_tenant(tenant), "stock-code", row, bytes(ciphertext))).code
        partner = everything.tenant.partner
        answers = metadata.tables["idempotency"]
        insert_made_up(
            other, answers, tenant_id=tenant, owner_id=partner, key="idem-1", answer=f'{{"codes":["{code}"]}}'
        )
        found = run_queries(tx, everything.cipher)
    assert found == [
        f"invariant 8: tenant {tenant}: answer of row idem-1 of idempotency contains a stock code in clear"
    ]
    assert code not in "\n".join(found)


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ('{"code":"code"}', "is not a code by today's rule, or not in its normal form"),
        ('{"code":" AAAA-1111 "}', "is not a code by today's rule, or not in its normal form"),
        ('{"code":"1.23457E+15"}', "is not a code by today's rule, or not in its normal form"),
        ("AAAA-1111", "contains something other than a code with its parts"),
    ],
)
def test_a_stored_code_that_is_none_is_named_and_not_repeated(bare: Bare, stored: str, says: str) -> None:
    everything, other = bare
    tenant = everything.tenant.id
    with other.undone() as tx:
        row = tx.all(check._CODES, owner=tenant, most=1)[0][0]
        ciphertext = everything.cipher.encrypt(tx.for_tenant(tenant), "stock-code", row, stored)
        other.run("UPDATE stock_codes SET ciphertext = :ciphertext WHERE id = :row", ciphertext=ciphertext, row=row)
        found = run_queries(tx, everything.cipher)
    assert f"invariant 4: tenant {tenant}: stock code {row} {says}" in found
    assert stored not in "\n".join(found)


def test_sealed_values_that_do_not_open_in_their_own_row_are_named(bare: Bare) -> None:
    tenant = bare[0].tenant.id
    swapped = "UPDATE stock_codes SET ciphertext = (SELECT min(ciphertext) FROM stock_codes {scope}) {scope}"
    if bare[1].dialect == "postgresql":
        swapped = swapped.replace("min(ciphertext)", "ciphertext").replace("{scope})", "{scope} ORDER BY id LIMIT 1)")
    found = walked(bare, swapped.replace("{scope}", "WHERE tenant_id = '{tenant}'"))
    codes = bare[1].one("SELECT count(*) FROM stock_codes WHERE tenant_id = :tenant", tenant=tenant)
    assert (
        len([line for line in found if re.fullmatch(r".*: stock code cod_\w+ cannot be decrypted", line)]) == codes - 1
    )
    other_key = "UPDATE tenants SET wrapped_key = (SELECT wrapped_key FROM tenants WHERE id = '{theirs}')"
    found = walked(bare, other_key + " WHERE id = '{tenant}'")
    assert len([line for line in found if "cannot be decrypted" in line]) == codes + 2
    assert [line for line in found if re.search(r"the webhook-secret of endpoint whk_\w+ cannot be decrypted", line)]


def test_a_code_under_another_code_s_digest_is_named(bare: Bare) -> None:
    found = walked(bare, "UPDATE stock_codes SET digest = wrapped_key FROM tenants WHERE tenants.id = '{theirs}'")
    assert found
    turned = [
        line for line in found if "belongs to another code" in line or "which is not the size of a digest" in line
    ]
    assert turned


def test_a_flood_of_breaches_of_one_kind_is_cut_and_said_to_be(bare: Bare) -> None:
    everything, other = bare
    with other.undone() as tx:
        for number in range(MAX_ROWS_PER_QUERY + 30):
            insert_made_up(other, metadata.tables["hosts"], tenant_id="ten_nobody", host=f"h{number}.example.com")
        found = run_queries(tx, everything.cipher)
    assert (
        len([line for line in found if "of hosts belongs to a tenant that does not exist" in line])
        == MAX_ROWS_PER_QUERY
    )
    assert f"invariant 7: tenant -: and more than these {MAX_ROWS_PER_QUERY} of the same kind" in found


def test_no_question_names_a_column_that_is_kept_secret() -> None:
    hidden = {"ciphertext", "secret", "outbound_key", "wrapped_key", "password", "digest"}
    for one in INVARIANT_QUERIES:
        selected = {getattr(column, "name", "") for column in one.violating.core.selected_columns}  # type: ignore[attr-defined]
        assert not selected & hidden, one.message
