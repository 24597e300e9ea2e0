"""Steps and their execution: one after the other, up to the first that fails."""

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2

from bedesten.demo.accounts import DemoAccounts
from bedesten.demo.operator_command import CommandFailed, run_command
from bedesten.demo.receiver import Receiver
from bedesten.demo.recorder import Exchange, Recorder
from bedesten.demo.reporter import Outcome, Reporter
from bedesten.server.settings import Settings
from bedesten_client import (
    ApiError,
    PaymentClient,
    ResellerClient,
    Secret,
    StorefrontClient,
    SupplierClient,
)
from bedesten_client.schemas import PlacedOrder


class CheckFailed(Exception):
    """A check failed. The message has the expected and the actual value."""


@dataclass(slots=True)
class Memory:
    """Values that later steps need from earlier ones."""

    deposit: str = ""
    token: Secret = field(default_factory=lambda: Secret(""))
    gift_card: str = ""
    esim: str = ""
    order: PlacedOrder | None = None
    activation_code: str = ""
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    customer_password: str = ""
    customer_order: str = ""
    second_supplier: Secret = field(default_factory=lambda: Secret(""))
    late_line: str = ""


class StepContext:
    """What a step works with: a client of each surface, checks, and the results of earlier steps."""

    def __init__(
        self,
        settings: Settings,
        accounts: DemoAccounts,
        receiver: Receiver,
        reporter: Reporter,
        port: int,
        check_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.accounts = accounts
        self.receiver = receiver
        self.reporter = reporter
        self.memory = Memory()
        self.exchanges: list[Exchange] = []
        self.checks: list[str] = []
        self._port = port
        self._check_stop = check_stop
        url = self.url()
        self.http = httpx2.Client(transport=Recorder(self._record), base_url=url, timeout=10)
        self.payment = PaymentClient(url, key=Secret(accounts.payment.secret.reveal()), http=self.http)
        self.reseller = self._partner(self.http)
        self.supplier = self.supplier_at(url)
        self.storefront = StorefrontClient(url, http=self.http)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def url(self, host: str = "127.0.0.1") -> str:
        """Return the address of the shop with this host."""
        return f"http://{host}:{self._port}"

    def supplier_at(self, url: str, http: httpx2.Client | None = None, *, key: Secret | None = None) -> SupplierClient:
        """Return a client with the supplier's API key, or another one, for a shop's address."""
        return SupplierClient(url, key=key or Secret(self.accounts.supplier.secret.reveal()), http=http or self.http)

    def quiet_partner(self) -> ResellerClient:
        """Return a client of the partner whose requests are not reported."""
        return self._partner(None)

    def check(self, claim: str, actual: object, expected: object) -> None:
        """Check that a claim holds."""
        if actual != expected:
            raise CheckFailed(f"{claim}: expected {_plain(expected)}, found {_plain(actual)}")
        self.checks.append(claim)
        self.reporter.check(claim)

    def refused(self, call: Callable[[], object], status: int, code: int, claim: str) -> None:
        """Check that a call of the client library is refused."""
        try:
            call()
        except ApiError as error:
            self.check(claim, (error.status, error.code, error.data), (status, code, None))
        else:
            raise CheckFailed(f"{claim}: expected {status} ({code}), found no refusal")

    def refused_request(
        self, method: str, path: str, headers: dict[str, str], status: int, code: int, claim: str
    ) -> None:
        """Check that a request is refused which the client library would never send."""
        document = self.http.request(method, path, headers=headers, json=None if method == "GET" else {}).json()
        self.check(claim, (self.exchanges[-1].status, document["code"], document["data"]), (status, code, None))

    def operate(self, *words: str) -> Any:
        """Run a command of the operator beside the running server and return its document."""
        document = run_command(self.settings, *words)
        self.reporter.operator_command(shlex.join(("bedesten", *words)), document)
        return document

    def burst(self, exchanges: list[Exchange], claim: str, status: int, code: int | None) -> None:
        """Check that the same request got the same response on every connection."""
        self.exchanges.extend(exchanges)
        self.reporter.exchanges(exchanges)
        self.check(claim, {(one.status, one.code) for one in exchanges}, {(status, code)})

    def _record(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.reporter.exchanges([exchange])
        self._check_stop()

    def _partner(self, http: httpx2.Client | None) -> ResellerClient:
        partner = self.accounts.partner
        return ResellerClient(self.url(), email=partner.email, password=Secret(partner.password.reveal()), http=http)


@dataclass(frozen=True, slots=True)
class Step:
    """One action with its checks."""

    title: str
    surface: str
    credential: str
    action: Callable[[StepContext], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A group of steps."""

    title: str
    steps: tuple[Step, ...]


def scenario(title: str, *steps: Step) -> Scenario:
    """Return a group of steps."""
    return Scenario(title, steps)


def run_steps(scenarios: Iterable[Scenario], ctx: StepContext) -> list[Outcome]:
    """Run the steps up to the first that fails."""
    outcomes: list[Outcome] = []
    for group in scenarios:
        for step in group.steps:
            outcomes.append(_run_step(len(outcomes) + 1, group, step, ctx))
            if outcomes[-1].error:
                return outcomes
    return outcomes


def _run_step(number: int, group: Scenario, step: Step, ctx: StepContext) -> Outcome:
    ctx.exchanges.clear()
    ctx.checks.clear()
    outcome = Outcome(number, group.title, step.title, step.surface, step.credential)
    ctx.reporter.step_started(outcome)
    begun = time.perf_counter()
    try:
        step.action(ctx)
    except (CheckFailed, CommandFailed) as problem:
        outcome.error = str(problem)
    except Exception as problem:  # any error in a step is a failure of that step
        outcome.error = f"{type(problem).__name__}: {problem}"
    outcome.milliseconds = (time.perf_counter() - begun) * 1000
    outcome.exchanges, outcome.checks = tuple(ctx.exchanges), tuple(ctx.checks)
    ctx.reporter.step_ended(outcome)
    return outcome


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)
