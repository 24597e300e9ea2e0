"""The first check that fails ends the demo and names the step, the expected and the actual value."""

import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bedesten.demo.accounts import PARTNER, Accounts
from bedesten.demo.program import Operator
from bedesten.demo.receiver import Receiver
from bedesten.demo.reporter import Reporter
from bedesten.demo.steps import Demo, StepFailed, refusal
from bedesten.server.settings import Settings
from bedesten_client.testing import FakeShop


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with FakeShop() as made:
        made.email = PARTNER
        yield made


@pytest.fixture
def demo(shop: FakeShop) -> Demo:
    """The demo of a fake shop."""
    accounts = Accounts(
        partner_password=shop.password,
        webhook_secret="",
        webhook_key="",
        payment_key=shop.key,
        supplier_key=shop.key,
        supplier_key_id="key_1",
        sandbox_supplier_key=shop.key,
    )
    return Demo(
        Operator(lambda _: 1, Settings(data=Path("nowhere"))), accounts, Receiver(), Reporter(io.StringIO()), shop.url
    )


def play(demo: Demo, *actions: Callable[[], object]) -> None:
    for action in actions:
        with demo.step(action.__name__, "Reseller", "none"):
            action()


def test_the_first_failure_names_its_step_and_ends_the_demo(demo: Demo) -> None:
    def right() -> None:
        demo.check("two is two", Decimal("2.00"), Decimal(2))

    def wrong() -> None:
        demo.check("three is three", 3, 3)
        demo.check("the status", "open", "closed")
        demo.check("never checked", 6, 6)

    with pytest.raises(StepFailed) as failure:
        play(demo, right, wrong, right)
    assert str(failure.value) == "step 2, 'wrong': the status: expected 'closed', found 'open'"
    assert [(one.number, one.title, one.passed) for one in demo.steps] == [(1, "right", True), (2, "wrong", False)]


def test_the_requests_of_a_step_are_recorded(demo: Demo, shop: FakeShop) -> None:
    shop.refuse("GET /Account/Details", 409, -300)
    with pytest.raises(StepFailed, match="Conflict: -300"):
        play(demo, demo.partner.account)
    assert [(one.request.url.path, one.status_code) for one in demo.steps[0].responses] == [
        ("/Login/Customer/Api/Verify", 200),
        ("/Account/Details", 409),
    ]


def test_a_connection_that_is_not_shown_records_nothing(demo: Demo) -> None:
    play(demo, lambda: demo.connect(shown=False).get("/Categories"))
    assert demo.steps[0].responses == []


def test_a_refusal_is_returned_as_status_and_code_and_a_success_as_none(demo: Demo, shop: FakeShop) -> None:
    def calls() -> None:
        assert refusal(demo.partner.categories) is None
        shop.refuse("GET /Categories", 401, -20)
        assert refusal(demo.partner.categories) == (401, -20)
        assert demo.send("GET", "/Categories", {}) == (401, -20)

    play(demo, calls)


def test_an_unreachable_server_fails_the_step(demo: Demo) -> None:
    with pytest.raises(StepFailed, match="'<lambda>': ConnectError: "):
        play(demo, lambda: demo.http.get("http://127.0.0.1:9/Categories"))


def test_a_stop_request_ends_a_step_that_fails_because_of_it(demo: Demo) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    demo._check_stop = stop
    with pytest.raises(KeyboardInterrupt):
        play(demo, lambda: demo.check("a command that the signal ended", 130, 0))
    assert [one.passed for one in demo.steps] == [False]
