"""A customer's records can be read, exported and erased; orders and money remain after the erasure."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.accounts import sessions
from bedesten.accounts.actions import Account
from bedesten.accounts.sessions import Session
from bedesten.admin import customer_erasure as erasure
from bedesten.admin import customer_records as records
from bedesten.admin import customers
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import NewComplaint
from bedesten.errors import Refusal
from bedesten.gate.auth_cache import TenantEntry
from bedesten.http.schemas import encode
from bedesten.integrity.check import violations
from bedesten.ledger import actions as ledger
from bedesten.mail import actions as mail
from bedesten.orders import actions as orders
from bedesten.orders import basket
from bedesten.orders.model import NewLine, NewOrder, RequiredDatum
from bedesten.store.transaction import Transaction
from bedesten.tenants.checkout_limits import NO_LIMITS
from bedesten.tenants.lookup import tenant_entry
from tests.domain.tenant import PASSWORD, Tenant, fresh
from tests.store.raw import RawConnection

EMAIL, PLAYER = "customer@example.com", "player-4711"


def entry_of(tenant: Tenant) -> TenantEntry:
    """The tenant as the gate knows it."""
    found = tenant.store.read_now(lambda tx: tenant_entry(tx, tenant.id))
    assert found is not None
    return found


def customer_of(tx: Transaction) -> Account:
    """The tenant's customer, by its address."""
    return customers.one(tx, EMAIL)


def show(tenant: Tenant) -> dict[str, Any]:
    """The document of `customers show`."""
    entry = entry_of(tenant)
    return tenant.read(lambda tx: records.show(tx, entry, customer_of(tx)))


def export(tenant: Tenant, *, with_codes: bool = False) -> dict[str, Any]:
    """The document of `customers export`, as it is printed."""
    entry, cipher = entry_of(tenant), tenant.installation.cipher
    document = tenant.write(lambda tx: records.export(tx, entry, cipher, customer_of(tx), with_codes=with_codes))
    shown: dict[str, Any] = json.loads(encode(document))
    return shown


def erase(tenant: Tenant, *, force: bool = False, name: str = EMAIL) -> dict[str, Any]:
    """Erases the tenant's customer."""
    made = tenant.installation
    return tenant.write(
        lambda tx: erasure.erase(tx, made.keyring, made.cipher, "USD", customers.one(tx, name), PASSWORD, force=force)
    )


def bought(tenant: Tenant, units: int = 1) -> tuple[str, list[str]]:
    """A line with codes that the customer bought and paid, and the codes."""
    placed = tenant.checkout((tenant.card(units), units))
    tenant.capture(tenant.payment(placed))
    line = placed.lines[0].id
    return line, tenant.codes(line)


def complained(tenant: Tenant, line: str) -> str:
    """A complaint of the customer."""
    said = NewComplaint(line, "OTHER", text="My name is Ada", evidence="a picture of Ada")
    return tenant.write(complaints.create, tenant.installation.cipher, tenant.customer, said, OPERATOR).id


def session(tx: Transaction, customer: str) -> None:
    """An open session of the customer, from an address."""
    one = Session("ses_test", tx.now, tx.now, tx.now + 60_000, "192.0.2.9", "Ada's browser")
    sessions.begin(tx, customer, (0, 1, 1, 1), one)


def test_a_customer_is_shown_with_everything_but_codes(tenant: Tenant) -> None:
    line, codes = bought(tenant)
    complaint = complained(tenant, line)
    tenant.write(session, tenant.customer)
    tenant.write(mail.queue, tenant.installation.cipher, mail.RESET, EMAIL, OPERATOR)

    document = show(tenant)

    assert (document["id"], document["email"], document["disabled"]) == (tenant.customer, EMAIL, False)
    assert (document["balance"], document["held"], document["currency"]) == (0, 0, "USD")
    assert [one["address"] for one in document["sessions"]] == ["192.0.2.9"]
    assert [one["lines"][0]["orderDetailId"] for one in document["orders"]] == [line]
    assert [one["complaintId"] for one in document["complaints"]] == [complaint]
    assert [one["kind"] for one in document["mails"]] == ["reset"]
    assert codes[0] not in repr(document)


def test_an_export_has_codes_only_if_asked_and_records_that(tenant: Tenant, other_connection: RawConnection) -> None:
    line, codes = bought(tenant)
    complained(tenant, line)

    plain, full = export(tenant), export(tenant, with_codes=True)

    assert codes[0] not in repr(plain)
    (order,) = full["orders"]
    assert order["contents"][line]["codes"][0]["code"] == codes[0]
    assert full["complaints"][0]["text"] == "My name is Ada"
    assert {one["type"] for one in full["transfers"]} != set()
    actions = other_connection.rows(
        "SELECT action FROM audit WHERE tenant_id = :tenant AND actor = 'operator' AND (subject = :customer"
        " OR subject = :line) AND action <> 'complaint.open' ORDER BY id",
        tenant=tenant.id,
        customer=tenant.customer,
        line=line,
    )
    assert [row[0] for row in actions] == ["customer.export", "customer.export", "line.reveal"]


def test_an_erased_customer_is_gone_and_its_orders_and_money_stay(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line, codes = bought(tenant)
    complaint = complained(tenant, line)
    tenant.write(complaints.withdraw, tenant.customer, complaint, OPERATOR)
    tenant.write(session, tenant.customer)
    tenant.write(mail.queue, tenant.installation.cipher, mail.RESET, EMAIL, OPERATOR)
    before = export(tenant)

    done = erase(tenant)

    assert done == {"id": tenant.customer, "erased": True, "changed": True, "releasedCheckouts": 0}
    account = tenant.read(accounts.by_id, "customer", tenant.customer)
    assert account is not None
    assert (account.handle, account.name) == (f"{tenant.customer}@erased.invalid", "Erased")
    assert (account.disabled, account.verified) == (1, None)
    assert account.token_version > 1
    for table, column in (("sessions", "account_id"), ("account_links", "account_id"), ("idempotency", "owner_id")):
        left = other_connection.rows(f"SELECT 1 FROM {table} WHERE {column} = :account", account=tenant.customer)
        assert left == [], table
    assert other_connection.rows("SELECT 1 FROM mails WHERE tenant_id = :tenant", tenant=tenant.id) == []
    assert tenant.codes(line) == codes
    one = tenant.read(complaints.complaint_of, complaint)
    texts = tenant.read(complaints.texts_of, tenant.installation.cipher, one)
    assert (texts.text, texts.evidence) == ("", "")
    entry, cipher = entry_of(tenant), tenant.installation.cipher
    after = tenant.write(
        lambda tx: records.export(tx, entry, cipher, customers.one(tx, tenant.customer), with_codes=False)
    )
    assert json.loads(encode(after["transfers"])) == before["transfers"]
    assert EMAIL not in repr(after)
    assert "Ada" not in repr({**after, "timeline": None})


def test_the_address_of_an_erased_customer_can_be_registered_again(tenant: Tenant) -> None:
    erase(tenant)
    made = tenant.write(accounts.create, "customer", EMAIL, "New", password=PASSWORD)
    assert made not in (None, tenant.customer)
    assert show(tenant)["orders"] == []


def test_erasing_again_changes_nothing(tenant: Tenant, other_connection: RawConnection) -> None:
    erase(tenant)
    rows = "SELECT * FROM accounts WHERE id = :account"
    before = other_connection.rows(rows, account=tenant.customer)
    assert erase(tenant, name=tenant.customer)["changed"] is False
    assert other_connection.rows(rows, account=tenant.customer) == before


def test_the_placeholder_address_of_an_erased_customer_cannot_be_registered(tenant: Tenant) -> None:
    with pytest.raises(Refusal) as refused:
        tenant.write(accounts.create, "customer", f"{tenant.customer}@erased.invalid", "Squatter", password=PASSWORD)
    assert refused.value.code.number == -2


def unpaid(tenant: Tenant) -> None:
    """The customer has a checkout that is not paid."""
    tenant.checkout((tenant.card(1), 1))


def test_unpaid_checkouts_are_released(tenant: Tenant) -> None:
    unpaid(tenant)
    assert erase(tenant)["releasedCheckouts"] == 1


def waiting(tenant: Tenant) -> None:
    """The customer paid for what its supplier has not delivered."""
    placed = tenant.checkout((tenant.topup(), 1))
    tenant.capture(tenant.payment(placed))


def rich(tenant: Tenant) -> None:
    """The customer has money."""
    account = tenant.write(ledger.account, tenant.customer, "customer", "USD")
    tenant.write(ledger.receive, account, 500, fresh("gift"))


def announced(tenant: Tenant) -> None:
    """The customer has an announced payment."""
    tenant.payment(tenant.checkout((tenant.card(1), 1)))


def complaining(tenant: Tenant) -> None:
    """The customer has complained."""
    complained(tenant, bought(tenant)[0])


@pytest.mark.parametrize(
    ("happened", "reason", "forced"),
    [
        (waiting, "1 order lines that are not delivered", False),
        (rich, "a balance of", True),
        (announced, "1 open payments", True),
        (complaining, "1 open complaints", True),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_unfinished_business_prevents_an_erasure(
    tenant: Tenant, happened: Callable[[Tenant], None], reason: str, forced: bool, other_connection: RawConnection
) -> None:
    happened(tenant)
    rows = "SELECT * FROM accounts WHERE id = :account"
    before = other_connection.rows(rows, account=tenant.customer)
    with pytest.raises(Refusal) as refused:
        erase(tenant)
    assert refused.value.code.number == -8
    assert reason in refused.value.cause
    assert other_connection.rows(rows, account=tenant.customer) == before
    if forced:
        assert erase(tenant, force=True)["changed"] is True
    else:
        with pytest.raises(Refusal, match="not delivered"):
            erase(tenant, force=True)


def test_an_erasure_empties_the_details_of_lines_and_check_finds_nothing(tenant: Tenant) -> None:
    fields = ProductFields(
        name="Gems",
        currency="USD",
        sku=fresh("gems"),
        price=700,
        cost=300,
        fulfilment="supplier",
        supplier_id=tenant.supplier,
        supplier_sku=fresh("their"),
        requirements=(Requirement("player", "Player"),),
    )
    product = tenant.write(catalogue.put_product, fields)
    data = (RequiredDatum("player", "Player", PLAYER),)
    placed = tenant.store.write_now(
        lambda tx: orders.reserve(
            tx.for_tenant(tenant.id),
            tenant.shopper,
            NewOrder(fresh("order"), (NewLine("1", product, 1, data=data),)),
            tx.now + 60_000,
            NO_LIMITS,
        )
    )
    tenant.capture(tenant.payment(placed))
    tenant.deliver(placed.lines[0].id, [fresh("CODE")])
    assert PLAYER in repr(export(tenant))
    tenant.write(lambda tx: basket.replace(tx, tenant.shopper, [NewLine("1", product, 2, data=data)], None))
    (line,) = export(tenant)["basket"]
    assert (line["productId"], line["quantity"], line["requireData"][0]["value"]) == (product, 2, PLAYER)
    erase(tenant)
    assert tenant.read(lambda tx: basket.read(tx, tenant.customer)).lines == ()
    assert tenant.line(placed.lines[0].id, tenant.customer).require_data == "[]"
    assert violations(tenant.installation) == []


def test_another_tenant_s_customer_does_not_exist(tenant: Tenant, installation: Any) -> None:
    from tests.domain.tenant import open_tenant

    other = open_tenant(installation)
    for action in (lambda tx: customers.one(tx, other.customer),):
        with pytest.raises(Refusal) as refused:
            tenant.read(action)
        assert refused.value.code.number == -3
