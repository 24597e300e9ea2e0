"""One call: an operation, its arguments, and the flow that performs it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypedDict, TypeVar
from urllib.parse import quote

from bedesten_client._credentials import Credential, CredentialHeader, shows_acceptance
from bedesten_client._errors import DeadlineExceeded
from bedesten_client._flow import Clock, Deadline, Flow, Send, Sleep, check
from bedesten_client._retry import RetryPolicy, retry_delay
from bedesten_client._wire import Outcome, Request, Response, encode, error_of, random_key, result_of

Result = TypeVar("Result", covariant=True)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Result]):
    """An operation of the API. `path` may end in `{name}`.

    `anonymous`: it takes no credential. `renews`: renew a refused credential once and repeat the call; False for
    operations on the credential itself.
    """

    method: str
    path: str
    result: type[Result]
    retry_policy: RetryPolicy = RetryPolicy.SAFE
    anonymous: bool = False
    renews: bool = True


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """An operation with its path argument and its body."""

    operation: Operation[Result]
    body: object = field(default=None, repr=False)
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of calls. Times are in seconds.

    `deadline`: for the whole call, including retries, waits and logins. `attempt_timeout`: for one request. `attempts`:
    most requests if a retry is safe. `region`: the header `h-region-code`.
    """

    deadline: float = 30.0
    attempt_timeout: float = 15.0
    attempts: int = 5
    region: str | None = None
    idempotency_key: str | None = None
    user_agent: str = "bedesten-client"


class OptionValues(TypedDict, total=False):
    """`Options` as keyword arguments."""

    deadline: float
    attempt_timeout: float
    attempts: int
    region: str | None
    idempotency_key: str | None
    user_agent: str


def perform(call: Call[Result], credential: Credential, options: Options, clock: Clock) -> Flow[Result]:
    """Perform a call and return its result. Raises `BedestenError`."""
    response = yield from last_response(call, credential, options, Deadline.after(options.deadline, clock))
    return result_of(response, call.operation.result)


def last_response(call: Call[Result], credential: Credential, options: Options, deadline: Deadline) -> Flow[Response]:
    """Perform a call and return its last response, whatever its status. Raises `NoResponse`."""
    operation, request = call.operation, request_of(call, options)
    renewed = operation.anonymous or not operation.renews
    attempt = 0
    while True:
        presented = None if operation.anonymous else (yield from credential.present(deadline))
        outcome = yield from send(with_credential(request, presented), deadline, options.attempt_timeout)
        if presented is not None and isinstance(outcome, Response):
            if shows_acceptance(outcome):
                credential.accepted(presented)
            elif credential.refuses(outcome) and not renewed and (yield from credential.renew(presented, deadline)):
                renewed = True
                continue
        attempt += 1
        delay = retry_delay(outcome, operation.retry_policy, attempt)
        if delay is None or attempt >= options.attempts or delay.seconds >= deadline.left:
            if isinstance(outcome, Response):
                return outcome
            raise _last_error(outcome, deadline)
        yield Sleep(delay.seconds)


def send(request: Request, deadline: Deadline, attempt_timeout: float) -> Flow[Outcome]:
    """Send one request. Raises `DeadlineExceeded` if no time is left."""
    left = check(deadline)
    outcome: Outcome = yield Send(request, min(left, attempt_timeout))
    return outcome


def _last_error(outcome: Outcome, deadline: Deadline) -> Exception:
    error = error_of(outcome)
    return error if deadline.left > 0 else DeadlineExceeded(f"the deadline of the call has passed: {error}")


def request_of(call: Call[Result], options: Options) -> Request:
    """Build the request of a call, without a credential."""
    operation = call.operation
    path, brace, _ = operation.path.partition("{")
    if brace:
        if not call.argument:
            raise ValueError(f"{operation.path}: the id is empty")
        path += quote(call.argument, safe="")
    headers = [("Accept", "application/json"), ("User-Agent", options.user_agent)]
    if options.region is not None:
        headers.append(("h-region-code", options.region))
    if operation.retry_policy is RetryPolicy.KEYED:
        headers.append(("Idempotency-Key", options.idempotency_key or random_key()))
    body = None if operation.method == "GET" else encode({} if call.body is None else call.body)
    return Request(operation.method, path, body, tuple(headers))


def with_credential(request: Request, presented: CredentialHeader | None) -> Request:
    """Add the credential to a request."""
    return request if presented is None else replace(request, credential=presented.header)


def lines(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return a list of a request as a tuple. Rejects a single text, which is a sequence too."""
    if isinstance(items, str | bytes):
        raise TypeError("expected a list, not a single text")
    return tuple(items)
