"""The client without I/O: a *flow* is a generator that yields what it needs done and is sent what came of it.

The same flows run in threads (`run`) and in asyncio (`run_async`), and inside httpx2's own authentication. What several
threads or tasks do together, a login, is a `Future` that one of them completes and the others wait for (`Join`).
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
"""Monotonic seconds. The time of day is never asked: it may be wrong by a day."""

SLOW, TOO_LONG = "the server took too long", "the answer is too large"


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment until which a call may go on."""

    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        """The deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds that are left; zero when it has passed."""
        return max(0.0, self.at - self.clock())


@dataclass(frozen=True, slots=True)
class Send:
    """Send this and give the reply. At most `timeout` seconds."""

    request: Request
    timeout: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for somebody else's work, at most so long; the flow looks itself what came of it."""

    future: "concurrent.futures.Future[None]"
    timeout: float


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call something that may block: the source of a secret."""

    function: Callable[[], object]


Effect = Send | Sleep | Join | Invoke
Flow = Generator[Effect, Any, Value]


def check(deadline: Deadline, transport_failure: str = "the deadline of the call has passed") -> float:
    """The seconds that are left. Raises `DeadlineExceeded` if there are none."""
    if deadline.left <= 0:
        raise DeadlineExceeded(transport_failure)
    return deadline.left


@dataclass(frozen=True, slots=True)
class Finished(Generic[Value]):
    """The end of a flow."""

    value: Value


def step(flow: Flow[Value], came: object = None, error: BaseException | None = None) -> Effect | Finished[Value]:
    """What the flow wants next, after what came of the last one."""
    try:
        return flow.send(came) if error is None else flow.throw(error)
    except StopIteration as end:
        return Finished(end.value)


# --- threads ----------------------------------------------------------------------------------------------------------


def run(flow: Flow[Value], http: httpx2.Client, base: str) -> Value:
    """Runs a flow to its end in this thread. `base` is the address of the shop, without a slash at its end."""
    effect = step(flow)
    while not isinstance(effect, Finished):
        came, error = None, None
        try:
            came = exchange(http, base, effect) if isinstance(effect, Send) else perform(effect)
        except BaseException as problem:
            error = problem
        effect = step(flow, came, error)
    return effect.value


def perform(effect: Sleep | Join | Invoke) -> object:
    """Does what is not a request."""
    match effect:
        case Sleep(seconds):
            time.sleep(seconds)
        case Join(future, timeout):
            concurrent.futures.wait([future], timeout)
        case Invoke(function):
            return function()
    return None


def exchange(http: httpx2.Client, base: str, effect: Send) -> Outcome:
    """Sends a request and reads the whole answer within the time, chunk by chunk."""
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
    """Runs a flow to its end in this task."""
    effect = step(flow)
    while not isinstance(effect, Finished):
        came, error = None, None
        try:
            came = await (exchange_async(http, base, effect) if isinstance(effect, Send) else perform_async(effect))
        except BaseException as problem:
            error = problem
        effect = step(flow, came, error)
    return effect.value


async def perform_async(effect: Sleep | Join | Invoke) -> object:
    """Does what is not a request."""
    match effect:
        case Sleep(seconds):
            await asyncio.sleep(seconds)
        case Join(future, timeout):
            await asyncio.wait([asyncio.wrap_future(future)], timeout=timeout)
        case Invoke(function):
            return await asyncio.to_thread(function)
    return None


async def exchange_async(http: httpx2.AsyncClient, base: str, effect: Send) -> Outcome:
    """Sends a request and reads the whole answer within the time."""
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
    """What went wrong, without the request that it went wrong with: that one holds a credential."""
    unsent = isinstance(problem, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    if isinstance(problem, httpx2.TimeoutException) and not unsent:
        return TransportFailure(SLOW)
    if isinstance(problem, httpx2.LocalProtocolError):
        return TransportFailure("the request cannot be sent: a header holds what no header may", unsent=True)
    return TransportFailure(f"{type(problem).__name__}: {problem}", unsent)


def _timeout(effect: Send) -> httpx2.Timeout:
    return httpx2.Timeout(effect.timeout, connect=min(effect.timeout, 5.0))
