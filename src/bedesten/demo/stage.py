"""What steps are made of and how they are played: one after the other, until one is not as promised."""

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bedesten.demo.client import Client, Exchange
from bedesten.demo.command import Refused, run_command
from bedesten.demo.receiver import Received, Receiver
from bedesten.demo.setup import Cast
from bedesten.demo.show import Show
from bedesten.server.settings import Settings


class Wrong(Exception):
    """Something is not as promised; the text says what was expected and what was found."""


@dataclass(slots=True)
class Memory:
    """What later steps need of earlier ones."""

    deposit: str = ""
    token: str = ""
    gift_card: str = ""
    esim: str = ""
    order_body: dict[str, Any] = field(default_factory=dict)
    order: Any = None
    esim_line: str = ""
    activation_code: str = ""
    codes: dict[str, list[str]] = field(default_factory=dict)
    customer_password: str = ""
    customer_token: str = ""
    customer_order: str = ""


@dataclass(slots=True)
class Stage:
    """What a step works with: `client` asks the server; `ok`, `refused` and `check` say what has to come of it.

    `exchanges` are those of the present step; whoever makes the client fills it.
    """

    settings: Settings
    cast: Cast
    receiver: Receiver
    show: Show
    client: Client
    exchanges: list[Exchange]
    memory: Memory = field(default_factory=Memory)
    checks: list[str] = field(default_factory=list)

    def ok(self, exchange: Exchange) -> Any:
        """The data of an answer that has to be a success."""
        _same(f"the status of {exchange.method} {exchange.path}", exchange.status, 200, exchange.code)
        return exchange.data

    def refused(self, exchange: Exchange, status: int, code: int, claim: str) -> None:
        """An answer that has to be this refusal, and the refusal that it has to be."""
        what = f"{exchange.method} {exchange.path}"
        _same(f"the status of {what}", exchange.status, status, exchange.code)
        _same(f"the code of {what}", exchange.code, code)
        self.check(claim, exchange.answer["data"], None)

    def check(self, claim: str, found: object, expected: object) -> None:
        """Something that has to be true, in words, and the values that show it."""
        _same(claim, found, expected)
        self.checks.append(claim)
        self.show.check(claim)

    def operate(self, *words: str) -> Any:
        """What the operator types beside the running server; gives the document that the program answers."""
        self.show.command(shlex.join(("bedesten", *words)))
        document = run_command(self.settings, *words)
        self.show.document(document)
        return document

    def burst(self, exchanges: list[Exchange], claim: str, status: int, code: int | None) -> None:
        """What was asked on many connections, and what every one of them has to answer."""
        self.exchanges.extend(exchanges)
        self.show.burst(exchanges)
        self.check(claim, [(one.status, one.code) for one in exchanges], [(status, code)] * len(exchanges))

    def deliveries(self, deliveries: Iterable[Received]) -> None:
        """Shows what the partner's receiver has got."""
        for delivery in deliveries:
            self.show.delivery(delivery)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one of the cast does."""

    title: str
    surface: str
    credential: str
    play: Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Act:
    """Steps that belong together."""

    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step. `error` None: everything was as promised."""

    number: int
    act: str
    step: Step
    exchanges: tuple[Exchange, ...]
    checks: tuple[str, ...]
    error: str | None
    milliseconds: float


def play(acts: Iterable[Act], stage: Stage) -> list[Outcome]:
    """Plays the steps up to the first that is not as promised."""
    outcomes: list[Outcome] = []
    for act in acts:
        stage.show.act(act.title)
        for step in act.steps:
            outcomes.append(_play_one(len(outcomes) + 1, act, step, stage))
            if outcomes[-1].error:
                return outcomes
    return outcomes


def _play_one(number: int, act: Act, step: Step, stage: Stage) -> Outcome:
    stage.exchanges.clear()
    stage.checks.clear()
    stage.show.step(number, step.title, step.surface, step.credential)
    begun, error = time.perf_counter(), None
    try:
        step.play(stage)
    except Exception as problem:  # whatever goes wrong in a step is that step's failure
        error = str(problem) if isinstance(problem, Wrong | Refused) else f"{type(problem).__name__}: {problem}"
    taken = (time.perf_counter() - begun) * 1000
    outcome = Outcome(number, act.title, step, tuple(stage.exchanges), tuple(stage.checks), error, taken)
    stage.show.step_ended(outcome)
    return outcome


def _same(what: str, found: object, expected: object, code: int | None = None) -> None:
    if found != expected:
        behind = f" (code {code})" if code is not None else ""
        raise Wrong(f"{what}: expected {_plain(expected)}, found {_plain(found)}{behind}")


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)
