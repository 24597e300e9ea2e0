"""The same credentials for people who have their own httpx2 client: `httpx2.Client(auth=BearerAuth(…))`.

They send a credential to their shop's own address and to nobody else (its host with another scheme or port is a mistake,
and raises ValueError), renew it as the clients do, and send the refused
request once more. Everything else, an answer's status included, is the caller's. A client of httpx2 that follows
redirects leaves an `Authorization` behind on its way to another host, but no `ApiKey`: that is taken off here, as soon as
a request was sent.
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
"""Stands for the caller's request."""


class _Auth(httpx2.Auth):
    def __init__(self, address: str, credential: Credential, deadline: float) -> None:
        self._address = address
        self._credential = credential
        self._deadline = deadline

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """httpx2's form of the flow, for threads."""
        request.read()  # so that it can be sent again
        traced = request.extensions.get("trace")

        def trace(event: str, info: dict[str, Any]) -> None:
            _forget_when_sent(request, event)
            if traced is not None:
                traced(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        flow = self._flow(request)
        try:
            effect = step(flow)
            while not isinstance(effect, Finished):
                came: object = None
                error: BaseException | None = None
                if isinstance(effect, Send):
                    response = yield self._request(effect, request)
                    if _matters(effect, response):
                        response.read()
                    came = _answer(effect, response)
                else:
                    try:
                        came = perform(effect)
                    except BaseException as problem:
                        error = problem
                effect = step(flow, came, error)
        finally:
            flow.close()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """httpx2's form of the flow, for asyncio."""
        await request.aread()
        traced = request.extensions.get("trace")

        async def trace(event: str, info: dict[str, Any]) -> None:
            _forget_when_sent(request, event)
            if traced is not None:
                await traced(event, info)

        request.extensions = {**request.extensions, "trace": trace}
        flow = self._flow(request)
        try:
            effect = step(flow)
            while not isinstance(effect, Finished):
                came: object = None
                error: BaseException | None = None
                if isinstance(effect, Send):
                    response = yield self._request(effect, request)
                    if _matters(effect, response):
                        await response.aread()
                    came = _answer(effect, response)
                else:
                    try:
                        came = await perform_async(effect)
                    except BaseException as problem:
                        error = problem
                effect = step(flow, came, error)
        finally:
            flow.close()

    def _flow(self, request: httpx2.Request) -> Flow[None]:
        """Sends the caller's request with the credential, and once more with another one."""
        shop = httpx2.URL(self._address)
        if not _is_at(request.url, shop):
            if request.url.host == shop.host:
                raise ValueError(f"the shop is at {self._address}, and the request goes to {_origin(request.url)}")
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
    """Bearer tokens of an account. `surface` is `reseller` or `storefront`; `deadline` bounds logging in, in seconds."""

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
            raise ValueError("bearer tokens are for the surfaces reseller and storefront")
        login = token_login(LOGIN_PATHS[surface], email, password)
        super().__init__(address_of(shop, allow_http=allow_http), token_credential(login), deadline)


class ApiKeyAuth(_Auth):
    """An API key, for the Payment or the Supplier surface."""

    def __init__(self, shop: str, *, key: SecretLike, allow_http: bool = False) -> None:
        super().__init__(address_of(shop, allow_http=allow_http), key_credential(key), 30.0)


def _forget_when_sent(request: httpx2.Request, event: str) -> None:
    """Takes the API key off. A redirect is made of what the request is by then."""
    if event.endswith(".send_request_headers.complete"):
        request.headers.pop("ApiKey", None)


def _is_at(url: httpx2.URL, shop: httpx2.URL) -> bool:
    return (url.scheme, url.host, url.port) == (shop.scheme, shop.host, shop.port)


def _origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _matters(effect: Send, response: httpx2.Response) -> bool:
    """Whether the body is looked at; the caller's own answers may be streams."""
    return effect is not _OWN or response.status_code == 401


def _answer(effect: Send, response: httpx2.Response) -> Response:
    body = response.content if _matters(effect, response) else b""
    return Response(response.status_code, dict(response.headers), body)
