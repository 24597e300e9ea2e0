"""One call: an operation, what it is called with, and the flow that does it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypedDict, TypeVar
from urllib.parse import quote

from bedesten_client._credentials import Credential, CredentialHeader, shows_acceptance
from bedesten_client._errors import DeadlineExceeded
from bedesten_client._flow import Clock, Deadline, Flow, Send, Sleep, check
from bedesten_client._retry import RetryPolicy, retry_delay
from bedesten_client._wire import Outcome, Request, Response, encode, error_of, random_key, result_of

Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Result]):
    """A row of the server's route table, as a client sees it. `path` may end in `{name}`.

    `anonymous`: no credential is sent. `renews`: a refused credential is renewed once and the call sent again; not so
    where the call is about that very credential.
    """

    method: str
    path: str
    result: type[Result]
    retry_policy: RetryPolicy = RetryPolicy.SAFE
    anonymous: bool = False
    renews: bool = True


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """An operation with its argument and its body."""

    operation: Operation[Result]
    body: object = field(default=None, repr=False)
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How calls are made. Times in seconds.

    `deadline`: all of a call, its repetitions, waits and logins included. `attempt_timeout`: one request.
    `attempts`: how often a request is sent at most where sending again is safe. `region`: `h-region-code`.
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
    """The call's result. Raises `BedestenError`."""
    response = yield from answered(call, credential, options, Deadline.after(options.deadline, clock))
    return result_of(response, call.operation.result)


def answered(call: Call[Result], credential: Credential, options: Options, deadline: Deadline) -> Flow[Response]:
    """The last answer to the call, whatever it says. Raises `NoResponse` if there is none."""
    operation, request = call.operation, outgoing(call, options)
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
        next_one = retry_delay(outcome, operation.retry_policy, attempt)
        if next_one is None or attempt >= options.attempts or next_one.seconds >= deadline.left:
            if isinstance(outcome, Response):
                return outcome
            raise _last_word(outcome, deadline)
        yield Sleep(next_one.seconds)


def send(request: Request, deadline: Deadline, attempt_timeout: float) -> Flow[Outcome]:
    """One attempt. Raises `DeadlineExceeded` if there is no time left for it."""
    left = check(deadline)
    outcome: Outcome = yield Send(request, min(left, attempt_timeout))
    return outcome


def _last_word(outcome: Outcome, deadline: Deadline) -> Exception:
    error = error_of(outcome)
    return error if deadline.left > 0 else DeadlineExceeded(f"the deadline of the call has passed: {error}")


def outgoing(call: Call[Result], options: Options) -> Request:
    """The request of a call, without a credential."""
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
    """The request with the credential's header."""
    return request if presented is None else replace(request, credential=presented.header)


def lines(items: Sequence[Item]) -> tuple[Item, ...]:
    """A list of a request; a text is none, although it is a sequence."""
    if isinstance(items, str | bytes):
        raise TypeError("a list is wanted, not one text")
    return tuple(items)
