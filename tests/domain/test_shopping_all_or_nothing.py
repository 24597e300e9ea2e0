"""Each action on baskets, started payments and the site configuration does everything or nothing, whichever call fails."""

from bedesten.admin import payment_methods
from bedesten.integrity.check import violations
from bedesten.orders import actions as orders
from bedesten.orders import basket, checkout
from bedesten.orders.model import NewLine, NewOrder
from bedesten.payments import methods, started
from bedesten.store.transaction import Transaction
from bedesten.tenants import site
from bedesten.tenants.checkout_limits import NO_LIMITS
from tests.domain.tenant import Tenant, fresh
from tests.domain.test_basket import put
from tests.domain.test_started_payments import offer, unpaid
from tests.support.nth_failure import assert_all_or_nothing


def test_every_change_of_a_basket_is_all_or_nothing(tenant: Tenant) -> None:
    card, other = tenant.card(9), tenant.card(9)
    check, shopper = (tenant.installation, tenant.id), tenant.shopper
    assert_all_or_nothing(*check, lambda tx: basket.add(tx, shopper, NewLine("", card, 1), None))
    line = put(tenant, other).lines[0].id
    assert_all_or_nothing(*check, lambda tx: basket.update_line(tx, shopper, line, 3, None, None))
    wanted = [NewLine("", card, 2), NewLine("", other, 1)]
    assert_all_or_nothing(*check, lambda tx: basket.replace(tx, shopper, wanted, None), at_least=3)
    assert_all_or_nothing(*check, lambda tx: basket.remove(tx, tenant.customer, None, None))
    assert tenant.read(basket.read, tenant.customer).lines == ()


def test_a_checkout_of_a_basket_and_a_free_one_are_all_or_nothing(tenant: Tenant) -> None:
    put(tenant, tenant.card(2), 2)
    free = tenant.card(1, price=0)

    def check_out(tx: Transaction) -> object:
        known = basket.lock(tx, tenant.customer)
        request = NewOrder(fresh("chk"), basket.as_request(known))
        made = orders.reserve(tx, tenant.shopper, request, tx.now + 60_000, NO_LIMITS)
        basket.remove(tx, tenant.customer, None, None)
        return made

    assert_all_or_nothing(tenant.installation, tenant.id, check_out, at_least=8)

    def settle(tx: Transaction) -> object:
        request = NewOrder(fresh("free"), (NewLine("1", free, 1),))
        return checkout.settle_free(tx, orders.reserve(tx, tenant.shopper, request, tx.now + 60_000, NO_LIMITS))

    assert_all_or_nothing(tenant.installation, tenant.id, settle, at_least=12)
    assert violations(tenant.installation) == []


def test_a_started_payment_and_its_method_are_all_or_nothing(tenant: Tenant) -> None:
    check = (tenant.installation, tenant.id)
    assert_all_or_nothing(*check, lambda tx: payment_methods.add(tx, "USD", "wire", "Wire", "Pay"), at_least=3)
    assert_all_or_nothing(*check, lambda tx: methods.remove(tx, "wire"), at_least=1)
    offer(tenant, "card")
    order = unpaid(tenant)
    made = assert_all_or_nothing(*check, lambda tx: started.start(tx, tenant.customer, order, "card"), at_least=6)
    assert tenant.write(started.start, tenant.customer, order, "card") == made


def test_the_site_configuration_is_all_or_nothing(tenant: Tenant) -> None:
    wanted = {"support-email": "help@shop.example", "registration": "closed", "text.en.welcome": "Hello"}
    assert_all_or_nothing(tenant.installation, tenant.id, lambda tx: site.change(tx, wanted))
    assert tenant.read(site.site_of) == wanted
    assert_all_or_nothing(tenant.installation, tenant.id, lambda tx: site.change(tx, dict.fromkeys(wanted, "")))
    assert tenant.read(site.site_of) == {}
