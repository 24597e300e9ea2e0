"""End to end: a real server, its worker, a mail server, and a customer who reads the mail."""

from collections.abc import Iterator

import pytest

from bedesten.tenants.mail_settings import set_mail_settings
from tests.support.cli_program import Program
from tests.support.client import bearer
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import ENGINES, opened, serving
from tests.support.smtp_server import SmtpDouble, smtp_server, wait_for_mail

CUSTOMERS = "/Storefront/Customers"
NEW_PASSWORD = "twelve herons in the reeds"


@pytest.fixture(scope="module")
def mail_double() -> Iterator[SmtpDouble]:
    """A mail server for this module."""
    with smtp_server() as server:
        yield server


@pytest.fixture(scope="module", params=ENGINES)
def mailing_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mail_double: SmtpDouble
) -> Iterator[Shop]:
    """A shop on a server of its own that has a mail server."""
    folder = tmp_path_factory.mktemp("mailing")
    settings = {"smtp_host": "127.0.0.1", "smtp_port": mail_double.port, "smtp_security": "none"}
    with opened(request.param, folder, **settings) as installation, serving(installation, folder, 1) as site:
        shop = open_shop(site, Operator(installation), "mailing")
        shop.operator.within(
            shop.id, lambda tx: set_mail_settings(tx, sender="no-reply@shop.example", shop_url="https://shop.example")
        )
        yield shop
        site.stop()
        assert site.failures() == []


@pytest.mark.slow
@pytest.mark.requirement(114, 203)
def test_a_forgotten_password_is_reset_with_the_link_in_the_mail(mailing_shop: Shop, mail_double: SmtpDouble) -> None:
    mail_double.inbox.clear()
    client = mailing_shop.client()
    for email in ("nobody@example.com", mailing_shop.customer_email):
        assert client.data(f"{CUSTOMERS}/Password/Forgot", {"email": email}) == {"status": "accepted"}
    (received,) = wait_for_mail(mail_double, 1)
    assert received.recipients == [mailing_shop.customer_email]
    assert f"https://shop.example/reset-password#token={received.token}" in received.text
    assert f"//{mailing_shop.host}" not in received.message.as_string()

    before = bearer(mailing_shop.customer_token)
    body = {"token": received.token, "newPassword": NEW_PASSWORD}
    assert client.data(f"{CUSTOMERS}/Password/Reset", body) == {"status": "changed"}
    assert client.post(f"{CUSTOMERS}/Profile", lines=before).verdict == (401, -21)
    login = {"email": mailing_shop.customer_email, "password": NEW_PASSWORD}
    assert client.data(f"{CUSTOMERS}/Login", login)["token"]
    assert "Your password was changed" in str(wait_for_mail(mail_double, 2)[1].message["Subject"])

    log = mailing_shop.site.log.read_text("utf-8")
    assert '"mail"' in log
    for secret in (received.token, NEW_PASSWORD, mailing_shop.customer_email):
        assert secret not in log


@pytest.mark.slow
def test_a_customer_changes_its_address_with_a_link_in_a_mail_to_the_new_one(
    mailing_shop: Shop, mail_double: SmtpDouble
) -> None:
    mail_double.inbox.clear()
    client, operator = mailing_shop.client(), mailing_shop.operator
    old, new, taken = "ada@old.example", "ada@new.example", "bea@new.example"
    for email in (old, taken):
        operator.account(mailing_shop.id, "customer", email)
    own, other = (
        bearer(client.data(f"{CUSTOMERS}/Login", {"email": one, "password": PASSWORD})["token"]) for one in (old, taken)
    )

    def ask(email: str, password: str = PASSWORD) -> tuple[int, object]:
        return client.post(f"{CUSTOMERS}/Email/Change", {"newEmail": email, "currentPassword": password}, own).verdict

    assert ask(new, "wrong") == (400, -26)
    assert ask(old.upper()) == (400, -2)
    assert ask(taken) == (200, None)
    assert ask(new) == (200, None)
    (received,) = wait_for_mail(mail_double, 1)
    assert received.recipients == [new]
    assert f"https://shop.example/confirm-email#token={received.token}" in received.text
    confirm, token = f"{CUSTOMERS}/Email/Confirm", {"token": received.token}
    assert client.post(confirm, token, other).verdict == (400, -30)
    assert client.post(confirm, token).verdict == (401, -20)
    assert client.post(confirm, {"token": "nothing"}, own).verdict == (400, -30)
    for _ in range(2):
        profile = client.data(confirm, token, own)
        assert (profile["email"], profile["emailVerified"]) == (new, True)
    notice = wait_for_mail(mail_double, 2)[1]
    assert notice.recipients == [old]
    assert "#token=" not in notice.text
    assert client.post(f"{CUSTOMERS}/Login", {"email": old, "password": PASSWORD}).verdict == (400, -26)
    assert client.data(f"{CUSTOMERS}/Login", {"email": new, "password": PASSWORD})["token"]


@pytest.mark.slow
def test_a_partner_resets_its_password_with_a_link_that_no_operator_sees(
    mailing_shop: Shop, mail_double: SmtpDouble
) -> None:
    mail_double.inbox.clear()
    settings, option = mailing_shop.site.installation.settings, ("--tenant", "mailing")
    bedesten = Program(settings.data, settings.database)
    email = "buyer@partner.example"
    for kind in ("partner", "customer"):
        mailing_shop.operator.account(mailing_shop.id, kind, email)
    assert bedesten.run_json("partners", "reset", email, *option)["status"] == "accepted"
    (received,) = wait_for_mail(mail_double, 1)
    assert received.recipients == [email]
    assert f"https://shop.example/partner/reset-password#token={received.token}" in received.text
    client, login = mailing_shop.client(), "/Login/Customer/Api/Verify"
    before = bearer(client.data(login, {"email": email, "password": PASSWORD})["token"])
    body = {"token": received.token, "newPassword": NEW_PASSWORD}
    assert client.post(f"{CUSTOMERS}/Password/Reset", body).verdict == (400, -30)
    assert client.post("/Login/Customer/Api/Password/Reset", {**body, "newPassword": "short"}).verdict == (400, -2)
    assert client.data("/Login/Customer/Api/Password/Reset", body) == {"status": "changed"}
    assert client.post("/Login/Customer/Api/Password/Reset", body).verdict == (400, -30)
    assert client.get("/Categories", lines=before).verdict == (401, -21)
    assert client.post(login, {"email": email, "password": PASSWORD}).verdict == (400, -26)
    assert client.data(login, {"email": email, "password": NEW_PASSWORD})["token"]
    assert client.data(f"{CUSTOMERS}/Login", {"email": email, "password": PASSWORD})["token"]
    assert "Your password was changed" in str(wait_for_mail(mail_double, 2)[1].message["Subject"])
    bedesten.run_json("partners", "disable", email, *option)
    assert bedesten.run_error("partners", "reset", email, *option)["code"] == -8


@pytest.mark.slow
def test_the_operator_starts_a_reset_and_sees_no_link(mailing_shop: Shop, mail_double: SmtpDouble) -> None:
    mail_double.inbox.clear()
    settings = mailing_shop.site.installation.settings
    bedesten = Program(settings.data, settings.database)
    email = "operated@example.com"
    mailing_shop.operator.account(mailing_shop.id, "customer", email)
    option = ("--tenant", "mailing")
    assert bedesten.run_json("customers", "reset", email, *option)["status"] == "accepted"
    (received,) = wait_for_mail(mail_double, 1)
    newest = bedesten.run_json("mail", "list", *option)["mails"][0]
    assert (newest["recipient"], newest["kind"], newest["requestedBy"]) == (email, "reset", "operator")
    shown = bedesten.run("mail", "show", newest["id"], *option)
    assert received.token not in shown.out + shown.err
    assert mailing_shop.client().data(f"{CUSTOMERS}/Login", {"email": email, "password": PASSWORD})["token"]
    for _ in range(2):
        bedesten.run_json("customers", "reset", email, *option)
    assert bedesten.run_error("customers", "reset", email, *option)["code"] == -7
    assert bedesten.run_error("customers", "reset", "nobody@example.com", *option)["code"] == -3
    assert bedesten.run_error("mail", "show", "mai_1", *option)["code"] == -3
