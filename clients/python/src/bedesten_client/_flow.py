"""Flows: generators without I/O that yield effects and receive their results.

The same flows run in threads (`run`), in asyncio (`run_async`) and inside httpx2's authentication. A login that several
threads or tasks share is a `Future`: one of them completes it, the others wait for it (`Join`).
"""

import asyncio
import concurrent.futures
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2

from bedesten_client._errors import DeadlineExceeded
from bedesten_client._wire import MAX_RESPONSE_BYTES, Outcome, Request, Response, TransportFailure

Value = TypeVar("Value")
Clock = Callable[[], float]
"""Monotonic seconds. Flows never use the time of day, which may be wrong."""

SLOW, TOO_LONG = "the server took too long", "the response is too large"


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which a call must end."""

    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        """Return the deadline that many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds left; zero once it has passed."""
        return max(0.0, self.at - self.clock())


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request and return its outcome, within `timeout` seconds."""

    request: Request
    timeout: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for a future, at most `timeout` seconds. The flow inspects the future itself."""

    future: "concurrent.futures.Future[None]"
    timeout: float


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call a function that may block, such as the source of a secret."""

    function: Callable[[], object]


Effect = Send | Sleep | Join | Invoke
Flow = Generator[Effect, Any, Value]


def check(deadline: Deadline, transport_failure: str = "the deadline of the call has passed") -> float:
    """Return the seconds left. Raises `DeadlineExceeded` if there are none."""
    if deadline.left <= 0:
        raise DeadlineExceeded(transport_failure)
    return deadline.left


@dataclass(frozen=True, slots=True)
class Finished(Generic[Value]):
    """The return value of a flow."""

    value: Value


def step(flow: Flow[Value], result: object = None, error: BaseException | None = None) -> Effect | Finished[Value]:
    """Send the flow the result of its last effect, and return the next effect or the end."""
    try:
        return flow.send(result) if error is None else flow.throw(error)
    except StopIteration as end:
        return Finished(end.value)


# --- threads ----------------------------------------------------------------------------------------------------------


def run(flow: Flow[Value], http: httpx2.Client, base: str) -> Value:
    """Run a flow in this thread. `base`: the shop's address without a trailing slash."""
    effect = step(flow)
    while not isinstance(effect, Finished):
        result, error = None, None
        try:
            result = exchange(http, base, effect) if isinstance(effect, Send) else perform(effect)
        except BaseException as problem:
            error = problem
        effect = step(flow, result, error)
    return effect.value


def perform(effect: Sleep | Join | Invoke) -> object:
    """Perform an effect other than a request."""
    match effect:
        case Sleep(seconds):
            time.sleep(seconds)
        case Join(future, timeout):
            concurrent.futures.wait([future], timeout)
        case Invoke(function):
            return function()
    return None


def exchange(http: httpx2.Client, base: str, effect: Send) -> Outcome:
    """Send a request and read the whole response, chunk by chunk, within the time limit."""
    deadline = Deadline.after(effect.timeout)
    request = effect.request
    try:
        with http.stream(
            request.method,
            base + request.path,
            content=request.body,
            headers=request.header_lines(),
            timeout=_timeout(effect),
            auth=None,
            follow_redirects=False,
        ) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    return TransportFailure(TOO_LONG)
                if not deadline.left:
                    return TransportFailure(SLOW)
            return Response(response.status_code, dict(response.headers), bytes(body))
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as problem:
        return transport_failure(problem)


# --- asyncio ----------------------------------------------------------------------------------------------------------


async def run_async(flow: Flow[Value], http: httpx2.AsyncClient, base: str) -> Value:
    """Run a flow in this task."""
    effect = step(flow)
    while not isinstance(effect, Finished):
        result, error = None, None
        try:
            result = await (exchange_async(http, base, effect) if isinstance(effect, Send) else perform_async(effect))
        except BaseException as problem:
            error = problem
        effect = step(flow, result, error)
    return effect.value


async def perform_async(effect: Sleep | Join | Invoke) -> object:
    """Perform an effect other than a request."""
    match effect:
        case Sleep(seconds):
            await asyncio.sleep(seconds)
        case Join(future, timeout):
            await asyncio.wait([asyncio.wrap_future(future)], timeout=timeout)
        case Invoke(function):
            return await asyncio.to_thread(function)
    return None


async def exchange_async(http: httpx2.AsyncClient, base: str, effect: Send) -> Outcome:
    """Send a request and read the whole response within the time limit."""
    request = effect.request
    try:
        async with (
            asyncio.timeout(effect.timeout),
            http.stream(
                request.method,
                base + request.path,
                content=request.body,
                headers=request.header_lines(),
                timeout=_timeout(effect),
                auth=None,
                follow_redirects=False,
            ) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    return TransportFailure(TOO_LONG)
            return Response(response.status_code, dict(response.headers), bytes(body))
    except TimeoutError:
        return TransportFailure(SLOW)
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as problem:
        return transport_failure(problem)


def transport_failure(problem: Exception) -> TransportFailure:
    """Describe an error without its request, which holds a credential."""
    unsent = isinstance(problem, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    if isinstance(problem, httpx2.TimeoutException) and not unsent:
        return TransportFailure(SLOW)
    if isinstance(problem, httpx2.LocalProtocolError):
        return TransportFailure(
            "the request cannot be sent: a header contains characters that are not allowed", unsent=True
        )
    return TransportFailure(f"{type(problem).__name__}: {problem}", unsent)


def _timeout(effect: Send) -> httpx2.Timeout:
    return httpx2.Timeout(effect.timeout, connect=min(effect.timeout, 5.0))
