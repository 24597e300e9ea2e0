"""The base of all clients: the shop's address, a credential, options, and operations as methods."""

import asyncio
import copy
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx2
import msgspec

from bedesten_client import _loopback as loopback
from bedesten_client._call import Call, Options, OptionValues, perform
from bedesten_client._credentials import Credential, FixedSecret, KeyCredential
from bedesten_client._errors import UnexpectedResponse
from bedesten_client._flow import Clock, Flow, run, run_async
from bedesten_client._secret import Secret
from bedesten_client._tokens import Login, TokenCredential
from bedesten_client.schemas import Page
from bedesten_client.secrets import SecretSource, source
from bedesten_client.secrets._secret_text import without_line_end

Result = TypeVar("Result")
Item = TypeVar("Item")
Parameters = ParamSpec("Parameters")
SecretLike = str | Secret | SecretSource
"""A secret: a reference (`env:NAME`, `file:/path`, a secret manager's address), the value itself, or a source."""


def source_of(secret: SecretLike) -> SecretSource:
    """Return the source of a secret. A `Secret` is always the value itself, without a trailing line end."""
    return FixedSecret(Secret(without_line_end(secret.reveal()))) if isinstance(secret, Secret) else source(secret)


def address_of(shop: str, *, allow_http: bool = False) -> str:
    """Return a shop's address from its host or address. Raises ValueError if it is unsafe to send credentials there."""
    text = shop if "://" in shop else f"https://{shop}"
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("shop must be a host name such as api.shop.example, or an https address")
    if "@" in parts.netloc:
        raise ValueError("the shop's address must not contain a user or a password")
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
        raise ValueError("over plain http others can read the credential: use https, or pass allow_http=True")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def token_login(path: str, email: str | None, password: SecretLike | None) -> Login | None:
    """Return the login of an account, or None without an account."""
    if (email is None) != (password is None):
        raise ValueError("email and password must be given together")
    return Login(path, email, source_of(password)) if email is not None and password is not None else None


class Base:
    """The state of a client. Threads and tasks may share one."""

    def __init__(self, address: str, credential: Credential, options: Options) -> None:
        self._clock: Clock = time.monotonic
        self._address = address
        self._credential = credential
        self._options = options

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def with_options(self, **changes: Unpack[OptionValues]) -> Self:
        """Return a copy with other `Options` that shares the credential and the connections."""
        made = copy.copy(self)
        made._options = options_of(changes, self._options)
        return made

    def _flow(self, call: Call[Result]) -> Flow[Result]:
        return perform(call, self._credential, self._options, self._clock)


class SyncBase(Base):
    """A client for threads. Use it as a context manager, or `close()` it."""

    def __init__(self, address: str, credential: Credential, options: Options, http: httpx2.Client | None) -> None:
        super().__init__(address, credential, options)
        self._owns_http = http is None
        self._http = http or loopback.client()

    def close(self) -> None:
        """Close the connections, unless you passed your own httpx2 client."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, flow: Flow[Result]) -> Result:
        return run(flow, self._http, self._address)


_OTHER_LOOP = (
    "the httpx2.AsyncClient that you passed belongs to another event loop: pass one for each event loop, or none"
)


class AsyncBase(Base):
    """A client for asyncio. Use it as a context manager, or `aclose()` it.

    Connections belong to the event loop that opened them, so each event loop gets its own.
    """

    def __init__(self, address: str, credential: Credential, options: Options, http: httpx2.AsyncClient | None) -> None:
        super().__init__(address, credential, options)
        self._http = http
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()

    async def aclose(self) -> None:
        """Close the connections of this event loop, unless you passed your own httpx2 client."""
        http = self._by_loop.pop(asyncio.get_running_loop(), None)
        if http is not None:
            await http.aclose()

    def _connections(self) -> httpx2.AsyncClient:
        if self._http is not None:
            return self._http
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            found = self._by_loop[loop] = loopback.async_client()
        return found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self, flow: Flow[Result]) -> Result:
        try:
            return await run_async(flow, self._connections(), self._address)
        except RuntimeError as problem:
            if self._http is None or "event loop" not in str(problem).lower():
                raise
            raise RuntimeError(_OTHER_LOOP) from problem


# --- operations as methods --------------------------------------------------------------------------------------------


def sync_method(build: Callable[Parameters, Call[Result]]) -> Callable[Concatenate[SyncBase, Parameters], Result]:
    """Turn a function that builds a call into a method that performs it."""

    @wraps(build)
    def method(self: SyncBase, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self._run(self._flow(build(*args, **kwargs)))

    return method


def async_method(
    build: Callable[Parameters, Call[Result]],
) -> Callable[Concatenate[AsyncBase, Parameters], Coroutine[Any, Any, Result]]:
    """The same for asyncio."""

    @wraps(build)
    async def method(self: AsyncBase, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return await self._run(self._flow(build(*args, **kwargs)))

    return method


def sync_iterator(
    build: Callable[Parameters, Call[Page[Item]]],
) -> Callable[Concatenate[SyncBase, Parameters], Iterator[Item]]:
    """Turn a function that lists a page into a method that iterates over all pages, fetched as needed."""

    @wraps(build)
    def method(self: SyncBase, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Iterator[Item]:
        call: Call[Page[Item]] | None = build(*args, **kwargs)
        while call is not None:
            page = self._run(self._flow(call))
            yield from page.items
            call = _next(call, page)

    return method


def async_iterator(
    build: Callable[Parameters, Call[Page[Item]]],
) -> Callable[Concatenate[AsyncBase, Parameters], AsyncIterator[Item]]:
    """The same for asyncio."""

    @wraps(build)
    async def method(self: AsyncBase, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> AsyncIterator[Item]:
        call: Call[Page[Item]] | None = build(*args, **kwargs)
        while call is not None:
            page = await self._run(self._flow(call))
            for item in page.items:
                yield item
            call = _next(call, page)

    return method


def _next(call: Call[Page[Item]], page: Page[Item]) -> Call[Page[Item]] | None:
    """Return the call for the next page, or None after the last."""
    if page.next_cursor is None:
        return None
    body = call.body
    assert isinstance(body, msgspec.Struct), "a list operation takes a body"
    if page.next_cursor == getattr(body, "cursor", None):
        raise UnexpectedResponse("the list does not advance: the server sent the same cursor twice", status=200)
    return replace(call, body=msgspec.structs.replace(body, cursor=page.next_cursor))


class KeyedSync(SyncBase):
    """A client with an API key. `shop`: the shop's host or address. Keyword options are those of `Options`."""

    def __init__(
        self,
        shop: str,
        *,
        key: SecretLike,
        http: httpx2.Client | None = None,
        allow_http: bool = False,
        **options: Unpack[OptionValues],
    ) -> None:
        super().__init__(address_of(shop, allow_http=allow_http), key_credential(key), options_of(options), http)


class KeyedAsync(AsyncBase):
    """The same for asyncio."""

    def __init__(
        self,
        shop: str,
        *,
        key: SecretLike,
        http: httpx2.AsyncClient | None = None,
        allow_http: bool = False,
        **options: Unpack[OptionValues],
    ) -> None:
        super().__init__(address_of(shop, allow_http=allow_http), key_credential(key), options_of(options), http)


# --- construction -----------------------------------------------------------------------------------------------------


def key_credential(key: SecretLike) -> KeyCredential:
    """Return the credential of an API key."""
    return KeyCredential(source_of(key), time.monotonic)


def token_credential(login: Login | None, refresh_path: str | None = None) -> TokenCredential:
    """Return the credential of an account."""
    return TokenCredential(login, time.monotonic, refresh_path)


def options_of(options: OptionValues, before: Options | None = None) -> Options:
    """Return the options of a client. Raises TypeError for an unknown option, ValueError for an invalid value."""
    made = replace(before or Options(), **options)
    if not (made.deadline > 0 and made.attempt_timeout > 0 and made.attempts >= 1):
        raise ValueError("deadline and attempt_timeout must be above zero, attempts at least one")
    return made
