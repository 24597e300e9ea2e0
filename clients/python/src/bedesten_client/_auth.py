"""Authentication for your own httpx2 client: `httpx2.Client(auth=BearerAuth(…))`.

The credential goes to the shop's own address only; a request to its host with another scheme or port raises ValueError.
A refused credential is renewed and the request sent once more. Everything else is the caller's, including the status.

httpx2 drops `Authorization` when it follows a redirect to another host, but not `ApiKey`: `_remove_key_when_sent`
removes it as soon as the request was sent.
"""

import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx2

from bedesten_client._base import SecretLike, address_of, key_credential, token_credential, token_login
from bedesten_client._credentials import Credential, shows_acceptance
from bedesten_client._flow import Deadline, Finished, Flow, Send, perform, perform_async, step
from bedesten_client._surfaces import reseller, storefront
from bedesten_client._wire import Request, Response

LOGIN_PATHS = {"reseller": reseller.LOGIN_PATH, "storefront": storefront.LOGIN_PATH}
_OWN = Send(Request("", ""), 0.0)
"""Marks the caller's own request among the effects."""


class _Auth(httpx2.Auth):
    def __init__(self, address: str, credential: Credential, deadline: float) -> None:
        self._address = address
        self._credential = credential
        self._deadline = deadline

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Authenticate a request of `httpx2.Client`."""
        request.read()  # so that it can be sent twice
        own_trace = request.extensions.get("trace")

        def trace(event: str, info: dict[str, Any]) -> None:
            _remove_key_when_sent(request, event)
            if own_trace is not None:
                own_trace(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        flow = self._flow(request)
        try:
            effect = step(flow)
            while not isinstance(effect, Finished):
                result: object = None
                error: BaseException | None = None
                if isinstance(effect, Send):
                    response = yield self._request(effect, request)
                    if _needs_body(effect, response):
                        response.read()
                    result = _response_of(effect, response)
                else:
                    try:
                        result = perform(effect)
                    except BaseException as problem:
                        error = problem
                effect = step(flow, result, error)
        finally:
            flow.close()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Authenticate a request of `httpx2.AsyncClient`."""
        await request.aread()
        own_trace = request.extensions.get("trace")

        async def trace(event: str, info: dict[str, Any]) -> None:
            _remove_key_when_sent(request, event)
            if own_trace is not None:
                await own_trace(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        flow = self._flow(request)
        try:
            effect = step(flow)
            while not isinstance(effect, Finished):
                result: object = None
                error: BaseException | None = None
                if isinstance(effect, Send):
                    response = yield self._request(effect, request)
                    if _needs_body(effect, response):
                        await response.aread()
                    result = _response_of(effect, response)
                else:
                    try:
                        result = await perform_async(effect)
                    except BaseException as problem:
                        error = problem
                effect = step(flow, result, error)
        finally:
            flow.close()

    def _flow(self, request: httpx2.Request) -> Flow[None]:
        """Send the caller's request with the credential, and once more if the credential is refused and renewed."""
        shop = httpx2.URL(self._address)
        if not _is_at(request.url, shop):
            if request.url.host == shop.host:
                raise ValueError(f"the shop is at {self._address}, but the request goes to {_origin(request.url)}")
            yield _OWN
            return
        deadline = Deadline.after(self._deadline, time.monotonic)
        renewed = False
        while True:
            presented = yield from self._credential.present(deadline)
            request.headers[presented.name] = presented.prefix + presented.secret.reveal()
            answer: Response = yield _OWN
            if shows_acceptance(answer):
                self._credential.accepted(presented)
            if renewed or not self._credential.refuses(answer):
                return
            renewed = True
            if not (yield from self._credential.renew(presented, deadline)):
                return

    def _request(self, effect: Send, own: httpx2.Request) -> httpx2.Request:
        if effect is _OWN:
            return own
        login = effect.request
        return httpx2.Request(
            login.method,
            self._address + login.path,
            content=login.body,
            headers=login.header_lines(),
            extensions={name: own.extensions[name] for name in ("timeout",) if name in own.extensions},
        )


class BearerAuth(_Auth):
    """Bearer tokens of an account. `surface`: `reseller` or `storefront`. `deadline`: most seconds for a login."""

    def __init__(
        self,
        shop: str,
        *,
        email: str,
        password: SecretLike,
        surface: str = "reseller",
        allow_http: bool = False,
        deadline: float = 30.0,
    ) -> None:
        if surface not in LOGIN_PATHS:
            raise ValueError("surface must be reseller or storefront")
        login = token_login(LOGIN_PATHS[surface], email, password)
        super().__init__(address_of(shop, allow_http=allow_http), token_credential(login), deadline)


class ApiKeyAuth(_Auth):
    """An API key of the Payment or the Supplier surface."""

    def __init__(self, shop: str, *, key: SecretLike, allow_http: bool = False) -> None:
        super().__init__(address_of(shop, allow_http=allow_http), key_credential(key), 30.0)


def _remove_key_when_sent(request: httpx2.Request, event: str) -> None:
    """Remove the API key from a request that was sent: httpx2 builds a redirect from the same request."""
    if event.endswith(".send_request_headers.complete"):
        request.headers.pop("ApiKey", None)


def _is_at(url: httpx2.URL, shop: httpx2.URL) -> bool:
    return (url.scheme, url.host, url.port) == (shop.scheme, shop.host, shop.port)


def _origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _needs_body(effect: Send, response: httpx2.Response) -> bool:
    """Whether the flow needs the body. The caller's responses may be streams, so only a 401 is read."""
    return effect is not _OWN or response.status_code == 401


def _response_of(effect: Send, response: httpx2.Response) -> Response:
    body = response.content if _needs_body(effect, response) else b""
    return Response(response.status_code, dict(response.headers), body)
