"""Steps end where something is not as promised, and say what."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from bedesten.core.secret import Secret
from bedesten.demo.client import Client, Exchange
from bedesten.demo.receiver import Receiver
from bedesten.demo.setup import Account, ApiKey, Cast
from bedesten.demo.show import Show
from bedesten.demo.stage import Act, Outcome, Stage, Step, play
from bedesten.server.settings import Settings

KEY = ApiKey("key_1", Secret("ak_live_x"))
CAST = Cast("ten_1", "ten_2", Account("par_1", "p@x", Secret("")), Secret(""), Secret(""), KEY, "sup_1", KEY, KEY)


def played(*steps: Callable[[Stage], None]) -> list[Outcome]:
    """What comes of these steps."""
    receiver, client = Receiver(), Client("http://127.0.0.1:9", lambda _: None)
    try:
        stage = Stage(Settings(data=Path("nowhere")), CAST, receiver, Show(), client, [])
        return play([Act("an act", tuple(Step(step.__name__, "Reseller", "none", step) for step in steps))], stage)
    finally:
        receiver.close()
        client.close()


def answered(status: int, answer: object) -> Exchange:
    return Exchange("POST", "/Orders/Create", (), {}, status, "", (), answer, 1.0)


def right(stage: Stage) -> None:
    stage.check("one is one", 1, 1)
    stage.check("two is two", Decimal("2.00"), Decimal(2))


def wrong(stage: Stage) -> None:
    stage.check("three is three", 3, 3)
    stage.check("the price", Decimal("4.00"), Decimal("5.00"))
    stage.check("never asked", 6, 6)


def test_every_step_has_its_own_checks_and_the_first_wrong_one_is_the_last() -> None:
    outcomes = played(right, wrong, right)
    assert [(one.number, one.step.title, one.checks) for one in outcomes] == [
        (1, "right", ("one is one", "two is two")),
        (2, "wrong", ("three is three",)),
    ]
    assert [one.error for one in outcomes] == [None, "the price: expected 5.00, found 4.00"]


def test_another_status_than_the_expected_one_is_wrong_and_its_code_is_told() -> None:
    failure = {"success": False, "code": -300, "data": None}
    outcomes = played(lambda stage: stage.ok(answered(409, failure)))
    assert outcomes[0].error == "the status of POST /Orders/Create: expected 200, found 409 (code -300)"


def test_a_refusal_must_have_its_status_its_code_and_no_data() -> None:
    def refused(answer: Exchange) -> str | None:
        return played(lambda stage: stage.refused(answer, 401, -20, "no data"))[0].error

    assert refused(answered(401, {"code": -20, "data": None})) is None
    assert refused(answered(401, {"code": -21, "data": None})) == (
        "the code of POST /Orders/Create: expected -20, found -21"
    )
    assert refused(answered(403, {"code": -20, "data": None})) == (
        "the status of POST /Orders/Create: expected 401, found 403 (code -20)"
    )
    assert refused(answered(401, {"code": -20, "data": {}})) == "no data: expected None, found {}"


def test_a_server_that_is_away_fails_the_step_too() -> None:
    outcomes = played(lambda stage: stage.ok(stage.client.call("GET", "/Categories")))
    assert outcomes[0].error is not None
    assert outcomes[0].error.startswith("ConnectError: ")
