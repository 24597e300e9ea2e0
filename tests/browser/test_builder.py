"""The request builder in a real browser: it calls the sandbox, stores nothing, and exists nowhere else."""

import json
from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.audit.actions import OPERATOR
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants
from tests.browser.conftest import EMAIL, Pages
from tests.support.chromium import Window
from tests.support.operator_actions import PASSWORD, Operator

pytestmark = pytest.mark.external


def send(browser: Window, path: str, body: object | None = None, argument: str | None = None) -> tuple[str, Any]:
    """Fills in and sends the form of an operation; returns the status and the document that are shown."""
    form = f'document.querySelector(`.try[data-path="{path}"]`)'
    browser.run(f"{form}.open = true; {form}.querySelector('output').replaceChildren()")
    if body is not None:
        browser.run(f"{form}.querySelector('[data-body]').value = arguments[0]", json.dumps(body))
    if argument is not None:
        browser.run(f"{form}.querySelector('[data-argument]').value = arguments[0]", argument)
    browser.run(f"{form}.querySelector('button[type=submit]').click()")
    status = browser.wait(f"({form}.querySelector('.status') || {{}}).textContent")
    assert status, "nothing is shown"
    text = browser.run(f"return [...{form}.querySelectorAll('output code')].at(-1).textContent")
    return status, json.loads(text)


def credential(browser: Window) -> str:
    """The content of the credential field."""
    found: str = browser.run("return document.querySelector('[data-credential]').value")
    return found


def stored(browser: Window) -> list[object]:
    """Everything that a page can store."""
    kept = "return [Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, history.state, name]"
    found: list[object] = browser.run(kept)
    return found


def test_a_login_and_an_order_go_through_and_leave_nothing_behind(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/reseller")
    status, refused = send(browser, "/Orders/Create", {})
    assert (status[:3], refused["code"]) == ("401", -20)
    assert (
        browser.run("return [...document.querySelectorAll('output a')].at(-1).pathname") == "/documentation/errors/-20"
    )

    status, login = send(browser, "/Login/Customer/Api/Verify", {"email": EMAIL, "password": PASSWORD})
    assert status[:3] == "200"
    assert credential(browser) == login["data"]["token"]

    line = {"deliverId": "1", "customerStoreProductId": sandbox.product, "quantity": 1}
    status, placed = send(browser, "/Orders/Create", {"orderReference": "from-the-page", "basketData": [line]})
    assert status[:3] == "200"
    status, detail = send(browser, "/Orders/Detail/", argument=placed["data"]["details"][0]["orderDetailId"])
    assert status[:3] == "200"
    assert detail["data"]["deliveryData"][0].startswith("CODE-")
    status, shown = send(browser, "/Categories")
    assert (status[:3], shown["success"]) == ("200", True)

    assert stored(browser) == [[], [], "", None, ""]
    browser.open(f"{sandbox.home}/guides/limits")
    browser.driver.back()
    assert browser.wait("document.querySelector('[data-credential]') !== null")
    assert credential(browser) == ""
    browser.driver.refresh()
    assert credential(browser) == ""


def test_an_api_key_is_sent_in_the_api_key_header(browser: Window, sandbox: Pages, operator: Operator) -> None:
    browser.open(f"{sandbox.home}/surfaces/supplier")
    status, refused = send(browser, "/Supplier/Keys/Get")
    assert (status[:3], refused["code"]) == ("401", -23)
    key = _key(operator, sandbox)
    browser.run("document.querySelector('[data-credential]').value = arguments[0]", f"  {key} ")
    status, outcome = send(browser, "/Supplier/Keys/Get")
    assert (status[:3], outcome["data"]["presented"]) == ("200", "current")


def _key(operator: Operator, pages: Pages) -> str:
    def make(tx: SystemTransaction) -> str:
        bound = tx.for_tenant(tenants.find(tx, "Sandbox & Sons"))
        new = api_keys.NewKey(Surface.SUPPLIER, accounts.find_or_create_owner(bound, Surface.SUPPLIER, "Codes"), True)
        return str(api_keys.create(bound, operator.installation.keyring, new, OPERATOR)[1].reveal())

    return operator.across(make)


def test_markup_in_a_response_is_shown_and_never_interpreted(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/reseller")
    hostile = "<img src=x onerror=alert(1)></code><script>alert(1)</script>"
    body = {"email": EMAIL, "password": PASSWORD, "callbackData": hostile}
    _, login = send(browser, "/Login/Customer/Api/Verify", body)
    assert login["data"]["callbackData"] == hostile
    assert browser.run("return document.querySelectorAll('output img, output script').length") == 0
    assert browser.console() == []


def test_typed_input_cannot_redirect_a_request_elsewhere(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/reseller")
    browser.requested()
    for argument in ("../../Account/Details", "//elsewhere.example/", "x?y#z", "%2e%2e", "\\elsewhere.example"):
        status, _ = send(browser, "/Orders/Detail/", argument=argument)
        assert status[0] == "4"
    asked = browser.requested()
    assert len(asked) == 5
    assert [url for url in asked if not url.startswith(f"{sandbox.url}/Orders/Detail/")] == []


def test_a_response_is_formatted_with_its_numbers_unchanged(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/storefront")
    answers = {
        '{"a":24.00,"b":[1.50,-0,1e2],"c":{},"d":[ ],"e":"{\\"x\\":[1,2]}, \\\\"}': (
            '{\n  "a": 24.00,\n  "b": [\n    1.50,\n    -0,\n    1e2\n  ],\n  "c": {},\n  "d": [],\n'
            '  "e": "{\\"x\\":[1,2]}, \\\\"\n}'
        ),
        '{"n": 12345678901234567890.10}': '{\n  "n": 12345678901234567890.10\n}',
        "24.00": "24.00",
        "<html> 24.00 {": "<html> 24.00 {",
        "": "",
    }
    for sent, expected in answers.items():
        browser.run("window.fetch = () => Promise.resolve(new Response(arguments[0]))", sent)
        assert raw(browser, "/Storefront/Products/List") == expected

    browser.driver.refresh()
    assert '"price": 5.00,' in raw(browser, "/Storefront/Products/List")
    assert browser.run("return document.querySelectorAll('output .copyable .copy').length") > 0


def raw(browser: Window, path: str) -> str:
    """The response text of a form as shown."""
    form = f'document.querySelector(`.try[data-path="{path}"]`)'
    browser.run(f"{form}.querySelector('output').replaceChildren(); {form}.querySelector('[type=submit]').click()")
    assert browser.wait(f"{form}.querySelector('.status')")
    found: str = browser.run(f"return [...{form}.querySelectorAll('output code')].at(-1).textContent")
    return found


def test_a_credential_goes_only_where_it_is_needed_and_ends_with_a_logout(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/storefront")
    browser.run("document.querySelector('[data-credential]').value = 'long.dead.token'")
    status, listed = send(browser, "/Storefront/Products/List")
    assert (status[:3], listed["data"]["items"][0]["customerStoreProductId"]) == ("200", sandbox.product)
    status, refused = send(browser, "/Storefront/Customers/Profile")
    assert (status[:3], refused["code"]) == ("401", -21)

    _, login = send(browser, "/Storefront/Customers/Login", {"email": EMAIL, "password": PASSWORD})
    assert credential(browser) == login["data"]["token"]
    status, _ = send(browser, "/Storefront/Customers/Logout", {"everywhere": 7})
    assert (status[:3], credential(browser)) == ("400", login["data"]["token"]), "it did not go through"
    status, _ = send(browser, "/Storefront/Customers/Logout", {})
    assert (status[:3], credential(browser)) == ("200", "")


def test_unchanged_forms_use_the_ids_of_earlier_responses(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/reseller")
    send(browser, "/Login/Customer/Api/Verify", {"email": EMAIL, "password": PASSWORD})
    status, _ = send(browser, "/Products/Detail/")
    assert status[:3] == "404", "a sample's id is nobody's"
    written = "document.querySelector(`.try[data-path='/Orders/Get'] [data-body]`).value"
    browser.run(f'{written} = \'{{"orderReference": "mine"}}\'')

    status, listed = send(browser, "/Products/List")
    assert (status[:3], len(listed["data"]["items"])) == ("200", 1)
    status, shown = send(browser, "/Products/Detail/")
    assert (status[:3], shown["data"]["customerStoreProductId"]) == ("200", sandbox.product)
    status, placed = send(browser, "/Orders/Create")
    assert status[:3] == "200"
    status, detail = send(browser, "/Orders/Detail/")
    assert detail["data"]["orderDetailId"] == placed["data"]["details"][0]["orderDetailId"]
    assert browser.run(f"return {written}") == '{"orderReference": "mine"}'
    assert '"orderReference": "PO-1001"' in browser.run(
        "return document.querySelector(`.try[data-path='/Orders/Create'] [data-body]`).value"
    )


def test_optional_headers_are_sent(browser: Window, sandbox: Pages) -> None:
    def choose(name: str, value: str) -> None:
        field = f"document.querySelector(`.try[data-path='/Orders/Create'] [data-header='{name}']`)"
        browser.run(f"{field}.value = arguments[0]", value)

    browser.open(f"{sandbox.home}/surfaces/reseller")
    send(browser, "/Login/Customer/Api/Verify", {"email": EMAIL, "password": PASSWORD})
    line = {"deliverId": "1", "customerStoreProductId": sandbox.product, "quantity": 1}
    choose("h-region-code", "?")
    status, refused = send(browser, "/Orders/Create", {"orderReference": "key-1", "basketData": [line]})
    assert (status[:3], refused["errors"][0]["field"]) == ("400", "h-region-code")
    choose("h-region-code", "")
    choose("Idempotency-Key", " once ")
    status, _ = send(browser, "/Orders/Create", {"orderReference": "key-1", "basketData": [line]})
    assert status[:3] == "200"
    status, refused = send(browser, "/Orders/Create", {"orderReference": "key-2", "basketData": [line]})
    assert (status[:3], refused["code"]) == ("409", -8)


def test_an_unreachable_server_is_reported(browser: Window, sandbox: Pages) -> None:
    browser.open(f"{sandbox.home}/surfaces/reseller")
    browser.run("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    browser.run(
        "const one = document.querySelector('.try'); one.open = true; one.querySelector('[type=submit]').click()"
    )
    assert "Nothing came back" in browser.wait("(document.querySelector('.try .status') || {}).textContent")
    assert browser.run("return document.querySelector('.try [type=submit]').disabled") is False


def test_a_live_shops_page_has_no_builder_and_its_policy_blocks_the_call(browser: Window, live: Pages) -> None:
    browser.open(f"{live.home}/surfaces/reseller")
    assert browser.run("return document.querySelectorAll('.try, .key, form, script[src*=builder]').length") == 0
    called = (
        "const done = arguments[0]; fetch('/Categories').then(() => done('called'), (problem) => done(problem.name))"
    )
    assert browser.driver.execute_async_script(called) == "TypeError"
    assert any("Content Security Policy" in line for line in browser.console())
