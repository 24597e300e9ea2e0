"""`bedesten mail …`, the settings of a tenant's mail, and `bedesten customers reset | show | export | erase`."""

from pathlib import Path

import pytest

from bedesten.accounts import actions as accounts
from bedesten.server.installation import open_installation
from bedesten.server.mailer import mail_server
from bedesten.server.secret_references import InvalidSetting
from bedesten.server.settings import Settings
from bedesten.tenants import actions as tenants
from tests.domain.tenant import PASSWORD
from tests.support.cli_program import Program

EMAIL = "ada@customer.example"
OPTION = ("--tenant", "shop")


@pytest.fixture
def with_customer(shop: Program) -> Program:
    """The shop with one customer."""
    opened = open_installation(Settings(data=shop.data, database=None))
    try:
        opened.store.write_now(
            lambda tx: accounts.create(
                tx.for_tenant(tenants.find(tx, "shop")), "customer", EMAIL, "Ada", password=PASSWORD
            )
        )
    finally:
        opened.store.close()
    return shop


def test_a_tenant_s_mail_is_set_and_unset(shop: Program) -> None:
    shown = shop.run_json(
        "tenants", "set", "shop", "--mail-from", "No-Reply@Shop.Example", "--shop-url", "https://shop.example/en/"
    )
    assert (shown["mailFrom"], shown["shopUrl"]) == ("no-reply@shop.example", "https://shop.example/en")
    assert shop.run_json("tenants", "set", "shop", "--verify-email", "required")["verifyEmail"] is True
    assert shop.run_error("tenants", "set", "shop", "--mail-from", "off")["code"] == -2, "the mails need it"
    assert shop.run_json("tenants", "set", "shop", "--verify-email", "off", "--mail-from", "off")["mailFrom"] is None


def test_addresses_are_verified_only_where_mail_can_be_sent(shop: Program) -> None:
    error = shop.run_error("tenants", "set", "shop", "--verify-email", "required")
    assert (error["code"], list(error["fields"])) == (-2, ["verifyEmail"])
    assert shop.run("tenants", "set", "shop", "--verify-email", "perhaps").code == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example", "shop.example", "ftp://shop.example", "javascript:alert(1)", "https://", "https:///path",
        "https://user:secret@shop.example", "https://shop.example?next=", "https://shop.example/#",
        "https://shop.example/ x",
        "https://shop.example/\"><script>", "https://shop.example:99999", "https://şop.example", "https://[::1", " ",
        "https://shop.example/" + "x" * 500, "http://127.0.0.1.evil.example",
    ],
)  # fmt: skip
def test_an_invalid_shop_url_is_refused(shop: Program, url: str) -> None:
    error = shop.run_error("tenants", "set", "shop", "--shop-url", url)
    assert (error["code"], list(error["fields"])) == (-2, ["shopUrl"])


def test_a_shop_url_on_this_machine_may_use_plain_http(shop: Program) -> None:
    for url in ("http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"):
        assert shop.run_json("tenants", "set", "shop", "--shop-url", url)["shopUrl"] == url


@pytest.mark.parametrize("sender", ["", "shop", "a@b\r\nBcc: c@d.example", "a@b, c@d.example", '"x" <a@b.example>'])
def test_an_invalid_sender_address_is_refused(shop: Program, sender: str) -> None:
    if not sender:
        assert shop.run_json("tenants", "set", "shop", "--mail-from", "off")["mailFrom"] is None
        return
    assert shop.run_error("tenants", "set", "shop", "--mail-from", sender)["code"] == -2


def test_mail_waits_for_settings_and_the_command_names_the_missing_ones(
    with_customer: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_customer.run_json("customers", "reset", EMAIL, *OPTION)
    listed = with_customer.run_json("mail", "list", *OPTION, "--waiting")
    assert [(one["kind"], one["state"]) for one in listed["mails"]] == [("reset", "waiting")]
    assert list(listed["missing"]) == ["BEDESTEN_SMTP_HOST", "mailFrom", "shopUrl"]
    text = with_customer.run("mail", "show", listed["mails"][0]["id"], *OPTION).out
    assert "Mails wait until there is mailFrom: bedesten tenants set" in text
    monkeypatch.setenv("BEDESTEN_SMTP_HOST", "mail.example.com")
    assert list(with_customer.run_json("mail", "list", *OPTION)["missing"]) == ["mailFrom", "shopUrl"]


def test_a_disabled_customer_is_not_reset(with_customer: Program) -> None:
    with_customer.run_json("customers", "disable", EMAIL, *OPTION)
    assert with_customer.run_error("customers", "reset", EMAIL, *OPTION)["code"] == -8


def test_a_customer_is_shown_exported_and_erased(with_customer: Program) -> None:
    shown = with_customer.run("customers", "show", EMAIL, *OPTION)
    assert shown.code == 0
    assert EMAIL in shown.out
    exported = with_customer.run_json("customers", "export", EMAIL, *OPTION)
    assert (exported["email"], exported["orders"], exported["transfers"]) == (EMAIL, [], [])
    erased = with_customer.run_json("customers", "erase", EMAIL, *OPTION)
    assert (erased["erased"], erased["changed"]) == (True, True)
    assert with_customer.run_json("customers", "erase", erased["id"], *OPTION)["changed"] is False
    assert with_customer.run_error("customers", "show", EMAIL, *OPTION)["code"] == -3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECURITY", "none"),
        ("SECURITY", "ssl"),
        ("PORT", "0"),
        ("USER", "shop"),
        ("PASSWORD", "a secret of the server"),
    ],
)
def test_a_wrong_setting_of_the_mail_server_is_named_and_not_repeated(
    shop: Program, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("BEDESTEN_SMTP_HOST", "mail.example.com")
    monkeypatch.setenv(f"BEDESTEN_SMTP_{name}", value)
    outcome = shop.run("tenants", "list")
    assert outcome.code == 2
    assert "BEDESTEN_SMTP_" in outcome.err
    assert "a secret of the server" not in outcome.err


def test_a_password_that_cannot_be_read_is_reported_when_a_mail_needs_it(tmp_path: Path) -> None:
    missing = f"file:{tmp_path}/missing"
    settings = Settings(data=tmp_path, smtp_host="mail.example.com", smtp_user="shop", smtp_password=missing)
    server = mail_server(settings)
    assert server is not None
    assert server.password is not None
    with pytest.raises(InvalidSetting, match="BEDESTEN_SMTP_PASSWORD"):
        server.password(None)
