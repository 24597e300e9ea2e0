"""Forgotten passwords, verified addresses and the profile over HTTP, on both engines. No mail server: mails wait."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.accounts import actions as accounts
from bedesten.accounts.links import Purpose
from bedesten.audit.actions import OPERATOR
from bedesten.gate.scopes import Surface
from bedesten.mail import actions as mail
from bedesten.tenants.mail_settings import set_mail_settings
from tests.support.client import bearer
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh

FORGOT, RESET = "/Storefront/Customers/Password/Forgot", "/Storefront/Customers/Password/Reset"
VERIFY, SEND = "/Storefront/Customers/Verify", "/Storefront/Customers/Verify/Send"
PROFILE, UPDATE = "/Storefront/Customers/Profile", "/Storefront/Customers/Profile/Update"
LOGIN = "/Storefront/Customers/Login"
NEW_PASSWORD = "twelve herons in the reeds"


def newcomer(shop: Shop) -> tuple[str, str]:
    """The id and e-mail address of a fresh customer."""
    email = f"{fresh('forgetful')}@example.com"
    return shop.operator.account(shop.id, "customer", email), email


def logged_in(shop: Shop, email: str, password: str = PASSWORD) -> str:
    """A fresh bearer token of the customer."""
    return str(shop.client().data(LOGIN, {"email": email, "password": password})["token"])


def mails_to(shop: Shop, email: str) -> list[tuple[object, object]]:
    """Kind and state of the mails to an address."""
    return [
        (one["kind"], one["state"])
        for one in shop.operator.within(shop.id, mail.list_mails)
        if one["recipient"] == email
    ]


@pytest.mark.requirement(143)
def test_a_reset_sets_the_password_and_ends_every_session_at_once(each_shop: Shop) -> None:
    customer, email = newcomer(each_shop)
    tokens = [logged_in(each_shop, email) for _ in range(2)]
    link = each_shop.operator.link(each_shop.id, customer, Purpose.RESET)

    done = each_shop.client().post(RESET, {"token": link, "newPassword": NEW_PASSWORD})

    assert done.data == {"status": "changed"}
    assert [each_shop.client().post(PROFILE, lines=bearer(one)).verdict for one in tokens] == [(401, -21)] * 2
    assert each_shop.client().post(LOGIN, {"email": email, "password": PASSWORD}).verdict == (400, -26)
    fresh_token = logged_in(each_shop, email, NEW_PASSWORD)
    assert each_shop.client().data(PROFILE, lines=bearer(fresh_token))["emailVerified"] is True
    assert mails_to(each_shop, email) == [("password", "waiting")]
    assert each_shop.client().post(RESET, {"token": link, "newPassword": "thirteen geese go home"}).verdict == (
        400,
        -30,
    )


def test_an_invalid_link_is_refused_alike_for_every_cause(each_shop: Shop, other_shop: Shop) -> None:
    customer, _ = newcomer(each_shop)
    operator = each_shop.operator
    replaced = operator.link(each_shop.id, customer, Purpose.RESET)
    verifying = operator.link(each_shop.id, customer, Purpose.VERIFY)
    operator.link(each_shop.id, customer, Purpose.RESET)
    stranger = newcomer(each_shop)[0]
    disabled = operator.link(each_shop.id, stranger, Purpose.RESET)
    operator.within(each_shop.id, lambda tx: accounts.set_disabled(tx, accounts.find(tx, "customer", stranger), True))
    foreign = other_shop.operator.link(other_shop.id, newcomer(other_shop)[0], Purpose.RESET)

    for token in (replaced, verifying, disabled, foreign, "x", "x" * 100, "é", "' OR 1=1 --"):
        refused = each_shop.client().post(RESET, {"token": token, "newPassword": NEW_PASSWORD})
        assert refused.verdict == (400, -30), token
    for malformed in ("", "x" * 101, 7, ["x"]):
        assert each_shop.client().post(RESET, {"token": malformed, "newPassword": NEW_PASSWORD}).verdict == (400, -2)


@pytest.mark.requirement(122, 123)
def test_a_weak_password_is_refused_and_the_link_stays(each_shop: Shop) -> None:
    customer, email = newcomer(each_shop)
    link = each_shop.operator.link(each_shop.id, customer, Purpose.RESET)
    for weak in ("short", "password1password1", email, "x" * 16_385):
        assert each_shop.client().post(RESET, {"token": link, "newPassword": weak}).verdict == (400, -2), weak
    assert each_shop.client().data(RESET, {"token": link, "newPassword": NEW_PASSWORD}) == {"status": "changed"}


def test_of_sixteen_resets_with_one_link_exactly_one_succeeds(each_shop: Shop) -> None:
    customer, email = newcomer(each_shop)
    link = each_shop.operator.link(each_shop.id, customer, Purpose.RESET)
    words = [f"{word} herons in the tall reeds" for word in "abcdefghijklmnop"]

    def reset(password: str) -> tuple[int, int | None]:
        return each_shop.client().post(RESET, {"token": link, "newPassword": password}).verdict

    with ThreadPoolExecutor(16) as threads:
        outcome = list(threads.map(reset, words))
    assert sorted(outcome, key=str) == [(200, None), *[(400, -30)] * 15]
    winner = words[outcome.index((200, None))]
    assert logged_in(each_shop, email, winner)


@pytest.mark.requirement(114)
def test_known_and_unknown_addresses_get_the_same_answer_and_cost_the_same_work(each_shop: Shop) -> None:
    known, unknown = newcomer(each_shop)[1], f"{fresh('nobody')}@example.com"
    answers = [each_shop.client().post(FORGOT, {"email": email}) for email in (known, unknown, known, unknown)]
    assert {one.verdict for one in answers} == {(200, None)}
    assert answers[0].anonymous == answers[1].anonymous
    assert mails_to(each_shop, known) == mails_to(each_shop, unknown) == [("reset", "waiting")] * 2


def test_an_address_gets_three_mails_an_hour_and_the_answer_never_says_so(each_shop: Shop) -> None:
    email = newcomer(each_shop)[1]
    for spelling in (email, email.upper(), f" {email}", email, email):
        assert each_shop.client().data(FORGOT, {"email": spelling}) == {"status": "accepted"}
    assert len(mails_to(each_shop, email)) == 3


def test_a_network_address_that_requests_too_many_mails_must_wait(each_shop: Shop) -> None:
    client = each_shop.client(source="127.0.0.77")
    outcome = [client.post(FORGOT, {"email": f"{fresh('many')}@example.com"}) for _ in range(21)]
    assert [one.verdict for one in outcome] == [(200, None)] * 20 + [(429, -7)]
    assert int(outcome[-1].header("retry-after") or 0) >= 1


def test_the_host_of_a_request_never_reaches_a_mail(each_shop: Shop) -> None:
    email = newcomer(each_shop)[1]
    each_shop.client().data(FORGOT, {"email": email})
    stored = each_shop.operator.within(each_shop.id, mail.list_mails)
    assert each_shop.host not in repr([{**one, "recipient": ""} for one in stored])


def test_the_profile_can_be_changed(each_shop: Shop) -> None:
    customer, email = newcomer(each_shop)
    client = each_shop.client(lines=bearer(each_shop.signed_in(customer)))
    assert client.data(UPDATE, {"name": " Ada  Lovelace "})["name"] == "Ada Lovelace"
    assert client.data(PROFILE)["name"] == "Ada Lovelace"
    assert client.data(UPDATE, {})["name"] == client.data(UPDATE, {"name": None})["name"] == "Ada Lovelace"
    for wrong in ({"name": ""}, {"name": "x" * 1_000}, {"name": 7}, {"email": "other@example.com"}, {"id": customer}):
        assert client.post(UPDATE, wrong).verdict == (400, -2), wrong
    assert client.data(PROFILE)["email"] == email


def test_a_customer_verifies_its_own_address_with_its_own_link(each_shop: Shop) -> None:
    customer, _ = newcomer(each_shop)
    stranger, _ = newcomer(each_shop)
    link = each_shop.operator.link(each_shop.id, customer, Purpose.VERIFY)
    own, other = (each_shop.client(lines=bearer(each_shop.signed_in(one))) for one in (customer, stranger))
    assert own.data(PROFILE)["emailVerified"] is False
    assert each_shop.client().post(VERIFY, {"token": link}).verdict == (401, -20)
    assert other.post(VERIFY, {"token": link}).verdict == (400, -30)
    reset = each_shop.operator.link(each_shop.id, customer, Purpose.RESET)
    assert own.post(VERIFY, {"token": reset}).verdict == (400, -30)
    assert own.data(VERIFY, {"token": link})["emailVerified"] is True
    assert own.data(VERIFY, {"token": link})["emailVerified"] is True, "people open links twice"


def test_a_shop_may_require_verified_customers_for_checkout(each_shop: Shop) -> None:
    operator, password = each_shop.operator, "eleven sparrows on a wire"
    email = f"{fresh('new')}@example.com"
    basket = {"items": [{"productId": each_shop.card, "quantity": 1}]}
    operator.within(
        each_shop.id,
        lambda tx: set_mail_settings(tx, sender="a@shop.example", shop_url="https://shop.example", verify=True),
    )
    try:
        for _ in range(2):
            each_shop.client().data("/Storefront/Customers/Register", {"email": email, "password": password})
        assert mails_to(each_shop, email) == [("verify", "waiting")] * 2, "known and unknown addresses alike"
        client = each_shop.client(lines=bearer(logged_in(each_shop, email, password)))
        assert client.post("/Storefront/Checkout/Create", basket).verdict == (403, -29)
        assert client.data(SEND) == client.data(SEND) == {"status": "accepted"}
        assert len(mails_to(each_shop, email)) == 3, "there is a limit"
        customer = client.data(PROFILE)["customerId"]
        client.data(VERIFY, {"token": operator.link(each_shop.id, customer, Purpose.VERIFY)})
        assert client.data("/Storefront/Checkout/Create", basket)["state"] == "awaitingPayment"
    finally:
        operator.within(each_shop.id, lambda tx: set_mail_settings(tx, sender="", shop_url="", verify=False))


def test_a_change_of_the_password_ends_the_link(each_shop: Shop) -> None:
    customer, _ = newcomer(each_shop)
    link = each_shop.operator.link(each_shop.id, customer, Purpose.RESET)
    hashed = each_shop.operator.password_hash
    each_shop.operator.within(each_shop.id, lambda tx: accounts.set_password(tx, customer, hashed, OPERATOR))
    assert each_shop.client().post(RESET, {"token": link, "newPassword": NEW_PASSWORD}).verdict == (400, -30)


def test_a_token_of_another_surface_is_refused_even_where_no_token_is_required(each_shop: Shop) -> None:
    lines = each_shop.lines(Surface.RESELLER)
    assert each_shop.client().post(FORGOT, {"email": "a@example.com"}, lines).verdict == (401, -21)
