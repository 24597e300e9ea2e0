"""Each action on customers and mails does everything or nothing, whichever call of the store fails; and erasures race."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.accounts import actions as accounts
from bedesten.accounts import links
from bedesten.accounts.links import Purpose
from bedesten.admin import customer_erasure as erasure
from bedesten.admin import customer_records as records
from bedesten.admin import customers
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.errors import Refusal
from bedesten.integrity.check import violations
from bedesten.mail import actions as mail
from bedesten.store.transaction import Transaction
from tests.domain.tenant import PASSWORD, Tenant
from tests.domain.test_customer_records import EMAIL, bought, complained, entry_of, erase, session
from tests.support.nth_failure import assert_all_or_nothing


def test_a_mail_and_a_link_are_all_or_nothing(tenant: Tenant) -> None:
    cipher, check = tenant.installation.cipher, (tenant.installation, tenant.id)
    assert_all_or_nothing(*check, lambda tx: mail.queue(tx, cipher, mail.RESET, EMAIL, OPERATOR), at_least=5)
    assert_all_or_nothing(*check, lambda tx: customers.reset(tx, cipher, customers.one(tx, EMAIL)), at_least=6)
    link = tenant.write(links.create, cipher, tenant.customer, Purpose.RESET).token.reveal()
    assert assert_all_or_nothing(*check, lambda tx: links.use(tx, cipher, Purpose.RESET, link), at_least=1)


def test_a_change_of_the_address_is_all_or_nothing(tenant: Tenant) -> None:
    cipher, check = tenant.installation.cipher, (tenant.installation, tenant.id)
    new = f"moved.{EMAIL}"
    link = tenant.write(links.create, cipher, tenant.customer, Purpose.EMAIL, address=new).token.reveal()
    actor = Actor(tenant.customer)

    def change(tx: Transaction) -> None:
        found = customers.one(tx, tenant.customer)
        accounts.set_email(tx, found, links.new_address(tx, cipher, found.id, link), actor)
        mail.queue(tx, cipher, mail.EMAIL_CHANGED, found.handle, actor)

    assert_all_or_nothing(*check, change, at_least=6)
    assert tenant.read(customers.one, new).verified is not None
    with pytest.raises(Refusal):
        tenant.write(change)


def test_an_export_is_all_or_nothing(tenant: Tenant) -> None:
    complained(tenant, bought(tenant)[0])
    entry, cipher = entry_of(tenant), tenant.installation.cipher
    assert_all_or_nothing(
        tenant.installation,
        tenant.id,
        lambda tx: records.export(tx, entry, cipher, customers.one(tx, EMAIL), with_codes=True),
        at_least=8,
    )


def test_an_erasure_is_all_or_nothing(tenant: Tenant) -> None:
    complained(tenant, bought(tenant)[0])
    tenant.checkout((tenant.card(1), 1))
    tenant.write(session, tenant.customer)
    tenant.write(mail.queue, tenant.installation.cipher, mail.RESET, EMAIL, OPERATOR)
    made = tenant.installation

    def work(tx: Transaction) -> object:
        found = customers.one(tx, EMAIL)
        return erasure.erase(tx, made.keyring, made.cipher, "USD", found, PASSWORD, force=True)

    done = assert_all_or_nothing(made, tenant.id, work, at_least=15)
    assert done == {"id": tenant.customer, "erased": True, "changed": True, "releasedCheckouts": 1}


def test_concurrent_erasures_and_checkouts_leave_nothing_half_done(tenant: Tenant) -> None:
    product = tenant.card(16)

    def buy(_: int) -> str:
        return tenant.checkout((product, 1)).order.id

    def forget(_: int) -> object:
        try:
            return erase(tenant, name=tenant.customer)["changed"]
        except Refusal:
            return False

    with ThreadPoolExecutor(16) as threads:
        orders = [threads.submit(buy, at) for at in range(8)]
        erasures = [threads.submit(forget, at) for at in range(8)]
        assert all(one.result() for one in orders)
        assert sum(bool(one.result()) for one in erasures) == 1
    assert violations(tenant.installation) == []
