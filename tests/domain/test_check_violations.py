"""`check` finds nothing in a sound store, and names everything that a test breaks on purpose."""

import functools
import re
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import PrimaryKeyConstraint, Table, Text, UniqueConstraint

from bedesten.catalogue.code import decode
from bedesten.integrity import check
from bedesten.integrity.check import INVARIANT_QUERIES, MAX_ROWS_PER_QUERY, run_queries, violations
from bedesten.integrity.invariants.balances import BALANCES
from bedesten.integrity.invariants.complaints import COMPLAINTS
from bedesten.integrity.invariants.events import EVENTS
from bedesten.integrity.invariants.goods import GOODS
from bedesten.integrity.invariants.money import MONEY
from bedesten.integrity.invariants.payments import PAYMENTS
from bedesten.integrity.invariants.purchases import PURCHASES
from bedesten.integrity.invariants.refunds import REFUNDS
from bedesten.integrity.invariants.structure import references
from bedesten.integrity.invariants.suppliers import SUPPLIERS
from bedesten.store.sql import metadata
from tests.domain.unconstrained import Unconstrained, insert_made_up, one_of_everything, without_constraints
from tests.domain.violation_cases import BREAKS, MINE
from tests.domain.violation_cases_refunds import REFUND_BREAKS
from tests.domain.violation_cases_suppliers import SUPPLIER_BREAKS
from tests.store.raw import RawConnection, raw
from tests.support.sites import ENGINES, opened

Bare = tuple[Unconstrained, RawConnection]
ALL_BREAKS = BREAKS | REFUND_BREAKS | SUPPLIER_BREAKS


@pytest.fixture(scope="module", params=ENGINES)
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """A sound store with one of everything, without its constraints. Each test rolls its breakage back."""
    with opened(request.param, tmp_path_factory.mktemp("bare")) as installation:
        everything = one_of_everything(installation)
        assert violations(installation) == []
        installation.store.close()
        with raw(installation.settings) as other:
            without_constraints(other)
            yield everything, other


def run_check(bare: Bare, *breaks: str) -> list[str]:
    """Returns what `check` finds after the statements, and rolls them back. `{name}` stands for a row of
    `Unconstrained`."""
    everything, other = bare
    names = {name: value for name, value in vars(everything).items() if isinstance(value, str)}
    names |= {"tenant": everything.tenant.id, "theirs": everything.stranger.id}
    with other.undone() as tx:
        for sql in breaks:
            assert other.run(sql.format(**names)) >= 1, sql
        return run_queries(tx, everything.cipher)


@pytest.fixture(scope="module")
def found_after(bare: Bare) -> Callable[[str], list[str]]:
    """What `check` finds after one of `ALL_BREAKS`. Each is run once and cached."""
    return functools.cache(lambda name: run_check(bare, *ALL_BREAKS[name][1]))


def test_a_store_that_lost_only_its_constraints_is_sound(bare: Bare) -> None:
    assert run_check(bare) == []


@pytest.mark.parametrize("name", ALL_BREAKS)
def test_a_violation_is_named_with_its_invariant_its_tenant_and_its_rows(
    bare: Bare, found_after: Callable[[str], list[str]], name: str
) -> None:
    number, _, says = ALL_BREAKS[name]
    found = found_after(name)
    mine = f"invariant {number}: tenant {bare[0].tenant.id}: "
    assert [line for line in found if line.startswith(mine) and re.search(says, line)], found
    assert not [line for line in found if bare[0].stranger.id in line.partition(": ")[2].partition(": ")[0]]


def test_every_invariant_of_money_and_goods_has_a_violation_case_above(
    found_after: Callable[[str], list[str]],
) -> None:
    """An invariant that no broken row can violate checks nothing."""
    found = "\n".join(line for name in ALL_BREAKS for line in found_after(name))
    for one in (*BALANCES, *GOODS, *MONEY, *PAYMENTS, *REFUNDS, *COMPLAINTS, *SUPPLIERS, *PURCHASES, *EVENTS):
        assert re.search(re.escape(one.message).replace(r"\{\}", ".*"), found), one.message


def test_a_url_set_or_changed_just_before_an_event_requires_no_delivery(bare: Bare) -> None:
    """Nobody can know whether the order saw the URL: the two transactions may have run at the same time."""
    lost = "DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE line_id = '{sold}')"
    young = "UPDATE webhook_endpoints SET changed = (SELECT min(created) FROM events WHERE line_id = '{sold}')"
    assert len(run_check(bare, lost)) == 1
    assert run_check(bare, lost, young + " - 59999 WHERE tenant_id = '{tenant}'") == []
    assert len(run_check(bare, lost, young + " - 60000 WHERE tenant_id = '{tenant}'")) == 1


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
def test_changes_that_do_not_lead_to_the_revision_are_named(bare: Bare, name: str) -> None:
    breaks, says = REVISION_BREAKS[name]
    assert [line for line in run_check(bare, breaks) if line.startswith("invariant 9: tenant -: " + says)]


def test_changes_whose_oldest_rows_were_deleted_are_sound(bare: Bare) -> None:
    assert run_check(bare, "DELETE FROM changes WHERE seq <= 3") == []


# --- 3, 7 and 8: for every table, as it is declared -------------------------------------------------------------------

TABLES = metadata.sorted_tables
OWNED = [table for table in TABLES if "tenant_id" in table.c]


def name_of(table: Table) -> str:
    """Returns the name of a table for test ids."""
    return table.name


UNIQUE_WHERE: dict[str, dict[str, object]] = {
    "key_import_runs": {"state": "pending"},
    "line_assignments": {"ended": None},
}
"""Values that bring a row into a partial unique index, where made-up values do not."""


@pytest.fixture(scope="module")
def found_with_duplicates(bare: Bare) -> list[str]:
    """What `check` finds where every table has a made-up row twice."""
    everything, other = bare
    with other.undone() as tx:
        for table in (*TABLES, *TABLES):
            insert_made_up(other, table, tenant_id=everything.tenant.id, **UNIQUE_WHERE.get(table.name, {}))
        return run_queries(tx, everything.cipher)


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_a_duplicate_row_is_named_for_every_unique_constraint_and_index(
    found_with_duplicates: list[str], table: Table
) -> None:
    found = found_with_duplicates
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


@pytest.fixture(scope="module")
def found_with_references(bare: Bare) -> list[str]:
    """What `check` finds where every reference names a row of another tenant, and one that does not exist."""
    everything, other = bare
    with other.undone() as tx:
        for target in {target for _, target in references()}:
            insert_made_up(other, target, tenant_id=everything.stranger.id, id="row-of-theirs")
        for column, _ in references():
            for value in ("row-of-theirs", "row-of-nobody"):
                insert_made_up(other, column.table, tenant_id=everything.tenant.id, **{column.name: value})
        return run_queries(tx, everything.cipher)


@pytest.mark.parametrize(("column", "target"), REFERENCES)
def test_a_dangling_reference_and_one_to_another_tenant_s_row_are_named(
    bare: Bare, found_with_references: list[str], column: object, target: Table
) -> None:
    table, name = column.table, column.name  # type: ignore[attr-defined]
    mine, found = bare[0].tenant.id, found_with_references
    for value in ("row-of-theirs", "row-of-nobody"):
        says = rf"invariant 7: tenant {mine}: row \S+ of {table.name} refers by {name} to {value}, which this tenant"
        assert [line for line in found if re.match(says, line)], found


def test_every_id_column_is_checked_as_a_reference_or_is_a_known_exception() -> None:
    looked_at = {(column.table.name, column.name) for column, _ in references()}
    names = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Text) and column.name.endswith("_id")
    }
    elsewhere = {
        ("ledger_accounts", "owner_id"),
        ("audit", "request_id"),
        ("order_lines", "deliver_id"),
        ("events", "object_id"),
        ("events", "request_id"),
        ("provider_events", "payment_id"),
        ("purchases", "external_id"),
        ("supplier_product_ids", "external_id"),
        ("staff_sessions", "staff_id"),
        ("product_import_rows", "product_id"),
        ("product_import_rows", "category_id"),
        ("product_import_rows", "supplier_id"),
    }
    secrets = {(table, name) for table, name in names if name in ("pepper_id", "wrapping_id")}
    tenants = {(table, name) for table, name in names if name == "tenant_id"}
    assert names - looked_at - secrets - tenants == elsewhere


@pytest.fixture(scope="module")
def found_without_tenant(bare: Bare) -> list[str]:
    """What `check` finds where every table has a row of a tenant that does not exist."""
    everything, other = bare
    with other.undone() as tx:
        for table in OWNED:
            insert_made_up(other, table, tenant_id="ten_nobody")
        return run_queries(tx, everything.cipher)


@pytest.mark.parametrize("table", OWNED, ids=name_of)
def test_a_row_of_a_tenant_that_does_not_exist_is_named(found_without_tenant: list[str], table: Table) -> None:
    says = rf"invariant 7: tenant ten_nobody: row \S+ of {table.name} belongs to a tenant that does not exist"
    assert [line for line in found_without_tenant if re.match(says, line)], found_without_tenant


def test_a_ledger_account_of_neither_the_tenant_nor_one_of_its_accounts_is_named(bare: Bare) -> None:
    found = run_check(bare, f"UPDATE ledger_accounts SET owner_id = '{{theirs}}' {MINE} kind = 'sales'")
    assert len(found) == 1
    assert re.search(r"invariant 7: .* belongs to ten_\w+, which is neither this tenant nor an account of it", found[0])


KEY = "ak_live_" + "0123456789abcdef" * 2


def test_a_password_that_is_not_an_argon2id_hash_is_named(bare: Bare) -> None:
    customer = bare[0].tenant.customer
    found = run_check(bare, f"UPDATE accounts SET password = 'hunter2' WHERE id = '{customer}'")
    assert found == [
        f"invariant 8: tenant {bare[0].tenant.id}: the password of account {customer} is not an argon2id hash"
    ]


def test_a_staff_member_s_password_that_is_not_an_argon2id_hash_is_named(bare: Bare) -> None:
    everything, other = bare
    with other.undone() as tx:
        insert_made_up(other, metadata.tables["staff"], id="stf_x", tenant_id=None, password="hunter2", pepper_id="d1")
        found = run_queries(tx, everything.cipher)
    assert "invariant 8: tenant -: the password of staff member stf_x is not an argon2id hash" in found


def test_digests_and_ciphertexts_of_the_wrong_size_are_named(bare: Bare) -> None:
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
def test_a_secret_in_an_audit_row_or_error_text_is_named_and_not_repeated(bare: Bare, secret: str) -> None:
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


def test_the_hint_of_an_api_key_in_the_audit_trail_is_not_a_secret(bare: Bare) -> None:
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
def test_an_invalid_stored_code_is_named_and_not_repeated(bare: Bare, stored: str, says: str) -> None:
    everything, other = bare
    tenant = everything.tenant.id
    with other.undone() as tx:
        row = tx.all(check._CODES, owner=tenant, most=1)[0][0]
        ciphertext = everything.cipher.encrypt(tx.for_tenant(tenant), "stock-code", row, stored)
        other.run("UPDATE stock_codes SET ciphertext = :ciphertext WHERE id = :row", ciphertext=ciphertext, row=row)
        found = run_queries(tx, everything.cipher)
    assert f"invariant 4: tenant {tenant}: stock code {row} {says}" in found
    assert stored not in "\n".join(found)


def test_ciphertexts_that_do_not_decrypt_in_their_own_row_are_named(bare: Bare) -> None:
    tenant = bare[0].tenant.id
    swapped = "UPDATE stock_codes SET ciphertext = (SELECT min(ciphertext) FROM stock_codes {scope}) {scope}"
    if bare[1].dialect == "postgresql":
        swapped = swapped.replace("min(ciphertext)", "ciphertext").replace("{scope})", "{scope} ORDER BY id LIMIT 1)")
    found = run_check(bare, swapped.replace("{scope}", "WHERE tenant_id = '{tenant}'"))
    codes = bare[1].one("SELECT count(*) FROM stock_codes WHERE tenant_id = :tenant", tenant=tenant)
    assert (
        len([line for line in found if re.fullmatch(r".*: stock code cod_\w+ cannot be decrypted", line)]) == codes - 1
    )
    other_key = "UPDATE tenants SET wrapped_key = (SELECT wrapped_key FROM tenants WHERE id = '{theirs}')"
    found = run_check(bare, other_key + " WHERE id = '{tenant}'")
    assert len([line for line in found if "cannot be decrypted" in line]) == codes + 5
    assert [line for line in found if re.search(r"the webhook-secret of endpoint whk_\w+ cannot be decrypted", line)]


def test_a_code_under_another_code_s_digest_is_named(bare: Bare) -> None:
    found = run_check(bare, "UPDATE stock_codes SET digest = wrapped_key FROM tenants WHERE tenants.id = '{theirs}'")
    assert found
    turned = [
        line for line in found if "belongs to another code" in line or "which is not the size of a digest" in line
    ]
    assert turned


def test_many_violations_of_one_kind_are_truncated_with_a_note(bare: Bare) -> None:
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


def test_no_invariant_query_selects_a_secret_column() -> None:
    hidden = {"ciphertext", "secret", "outbound_key", "wrapped_key", "password", "digest"}
    for one in INVARIANT_QUERIES:
        selected = {getattr(column, "name", "") for column in one.violating.core.selected_columns}  # type: ignore[attr-defined]
        assert not selected & hidden, one.message
