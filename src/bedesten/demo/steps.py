"""What a scenario works with: a client of the library for every surface, steps, and checks."""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from bedesten.demo.accounts import PARTNER, Accounts
from bedesten.demo.program import POLL_INTERVAL_S, Operator, ProgramFailed
from bedesten.demo.receiver import Receiver
from bedesten.demo.reporter import Reporter, Step
from bedesten_client import ApiError, PaymentClient, ResellerClient, StorefrontClient, SupplierClient

WAIT_S = 30.0


class CheckFailed(Exception):
    """A check failed. The message has the expected and the actual value."""


class StepFailed(Exception):
    """A step failed. The message has its number, its title and the reason."""


class Demo:
    """The running shop, as its callers see it, and the steps so far."""

    def __init__(
        self,
        operator: Operator,
        accounts: Accounts,
        receiver: Receiver,
        reporter: Reporter,
        url: str,
        check_stop: Callable[[], None] = lambda: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`url`: the server, or a proxy in front of it; an https URL needs `tls`."""
        self.url, self.accounts, self.receiver, self.reporter = url, accounts, receiver, reporter
        self.steps: list[Step] = []
        self._operator, self._check_stop, self._tls = operator, check_stop, tls

        self.http = self.connect()
        self.payment = PaymentClient(url, key=accounts.payment_key, http=self.http)
        self.partner = ResellerClient(url, email=PARTNER, password=accounts.partner_password, http=self.http)
        self.supplier = SupplierClient(url, key=accounts.supplier_key, http=self.http)
        self.customer = StorefrontClient(url, http=self.http)

        self.token = ""  # the values that scenarios keep for later ones
        self.products: dict[str, str] = {}
        self.lines: dict[str, str] = {}
        self.codes: dict[str, tuple[str, ...]] = {}

    def connect(self, host: str | None = None, *, shown: bool = True) -> httpx2.Client:
        """Return new connections to the server, for the shop with this host. `shown`: report their requests."""
        return httpx2.Client(
            base_url=self.url,
            headers={"Host": host} if host else {},
            event_hooks={"response": [self._record]} if shown else {},
            verify=self._tls or True,
            timeout=10,
            trust_env=False,
        )

    @contextlib.contextmanager
    def step(self, title: str, surface: str, credential: str) -> Iterator[None]:
        """Show what happens in the `with` block as a step. Raises `StepFailed` if anything in it fails."""
        step = Step(len(self.steps) + 1, title, surface, credential)
        self.steps.append(step)
        self.reporter.step(step.number, title, surface, credential)
        try:
            yield
        except Exception as problem:
            self._check_stop()  # a signal may also have ended a command
            kind = "" if isinstance(problem, CheckFailed | ProgramFailed) else f"{type(problem).__name__}: "
            raise StepFailed(f"step {step.number}, {title!r}: {kind}{problem}") from problem
        step.passed = True

    def check(self, claim: str, actual: object, expected: object) -> None:
        """Check that a claim holds. Raises `CheckFailed`."""
        if actual != expected:
            raise CheckFailed(f"{claim}: expected {expected!r}, found {actual!r}")
        self.reporter.check(claim)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds or the time is up; the next check decides."""
        end = time.monotonic() + WAIT_S
        while not condition() and time.monotonic() < end:
            self._check_stop()
            time.sleep(POLL_INTERVAL_S)

    def send(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, int | None]:
        """Send a request that the client library would never send. Return status and code."""
        response = self.http.request(method, path, headers=headers, json=None if method == "GET" else {})
        return response.status_code, response.json().get("code")

    def operate(self, *words: str) -> Any:
        """Run a command of the operator beside the running server, and return its document."""
        document = self._operator.run(*words)
        self.reporter.operator_command(words, document)
        return document

    def _record(self, response: httpx2.Response) -> None:
        response.read()
        self.steps[-1].responses.append(response)
        self.reporter.exchange(response)
        self._check_stop()


def refusal(call: Callable[[], object]) -> tuple[int | None, int | None] | None:
    """Return the status and code with which a call of the client library is refused, or None if it is not."""
    try:
        call()
    except ApiError as error:
        return error.status, error.code
    return None
