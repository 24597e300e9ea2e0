"""The first failed check ends the steps and names the expected and the actual value."""

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from bedesten.core.secret import Secret
from bedesten.demo.accounts import ApiKey, DemoAccounts, Partner
from bedesten.demo.receiver import Receiver
from bedesten.demo.reporter import Outcome, Reporter
from bedesten.demo.steps import Scenario, Step, StepContext, run_steps
from bedesten.server.settings import Settings
from bedesten_client.testing import FakeShop

Runner = Callable[..., list[Outcome]]


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with FakeShop() as made:
        yield made


@pytest.fixture
def run(shop: FakeShop) -> Runner:
    """Runs steps against the fake shop."""
    key = ApiKey("key_1", Secret(shop.key))
    partner = Partner(shop.email, Secret(shop.password), Secret(""), Secret(""))
    accounts = DemoAccounts("ten_1", partner, key, "sup_1", key, key)

    def run_actions(*actions: Callable[[StepContext], None]) -> list[Outcome]:
        port = int(shop.url.rpartition(":")[2])
        steps = tuple(Step(action.__name__, "Reseller", "none", action) for action in actions)
        with closing(Receiver()) as receiver:
            settings = Settings(data=Path("nowhere"))
            with closing(StepContext(settings, accounts, receiver, Reporter(), port)) as ctx:
                return run_steps([Scenario("a scenario", steps)], ctx)

    return run_actions


def right(ctx: StepContext) -> None:
    ctx.check("one is one", 1, 1)
    ctx.check("two is two", Decimal("2.00"), Decimal(2))


def wrong(ctx: StepContext) -> None:
    ctx.check("three is three", 3, 3)
    ctx.check("the price", Decimal("4.00"), Decimal("5.00"))
    ctx.check("never checked", 6, 6)


def test_every_step_has_its_own_checks_and_the_first_failure_is_the_last_step(run: Runner) -> None:
    outcomes = run(right, wrong, right)
    assert [(one.number, one.title, one.checks) for one in outcomes] == [
        (1, "right", ("one is one", "two is two")),
        (2, "wrong", ("three is three",)),
    ]
    assert [one.error for one in outcomes] == [None, "the price: expected 5.00, found 4.00"]


def test_the_requests_of_a_step_are_recorded_with_their_code(run: Runner, shop: FakeShop) -> None:
    shop.refuse("GET /Account/Details", 409, -300)
    (outcome,) = run(lambda ctx: ctx.reseller.account() and None)
    assert [(one.path, one.status, one.code) for one in outcome.exchanges] == [
        ("/Login/Customer/Api/Verify", 200, None),
        ("/Account/Details", 409, -300),
    ]
    assert outcome.error is not None
    assert outcome.error.startswith("Conflict: -300")


@pytest.mark.parametrize(
    ("status", "code", "data", "error"),
    [
        (401, -20, None, None),
        (401, -23, None, "the claim: expected (401, -20, None), found (401, -23, None)"),
        (403, -20, None, "the claim: expected (401, -20, None), found (403, -20, None)"),
        (401, -20, {}, "the claim: expected (401, -20, None), found (401, -20, {})"),
    ],
)
def test_a_refusal_must_have_its_status_its_code_and_no_data(
    run: Runner, shop: FakeShop, status: int, code: int, data: object, error: str | None
) -> None:
    shop.refuse("GET /Categories", status, code, data=data)
    assert run(lambda ctx: ctx.refused(ctx.reseller.categories, 401, -20, "the claim"))[0].error == error


def test_a_success_is_not_a_refusal(run: Runner) -> None:
    (outcome,) = run(lambda ctx: ctx.refused(ctx.reseller.categories, 401, -20, "the claim"))
    assert outcome.error == "the claim: expected 401 (-20), found no refusal"


def test_an_unreachable_server_fails_the_step(run: Runner) -> None:
    def call(ctx: StepContext) -> None:
        ctx.http.get("http://127.0.0.1:9/Categories")

    assert (run(call)[0].error or "").startswith("ConnectError: ")
