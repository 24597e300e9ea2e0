"""A tiny HTTP client that remembers what it asked and what was answered, so that it can be shown."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode
SHOWN_OF_ANSWERS = ("WWW-Authenticate", "Retry-After")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `headers` and `answer_headers` are those that matter; secrets are in clear."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: object
    status: int
    reason: str
    answer_headers: tuple[tuple[str, str], ...]
    answer: Any
    milliseconds: float

    @property
    def code(self) -> int | None:
        """The number of a refusal."""
        return self.answer.get("code") if isinstance(self.answer, dict) else None

    @property
    def data(self) -> Any:
        """What a success carries."""
        return self.answer["data"]


class Client:
    """Asks one server. `on_exchange` is told of everything that was asked and answered."""

    def __init__(self, url: str, on_exchange: Callable[[Exchange], None]) -> None:
        self.url = url
        self._on_exchange = on_exchange
        self._http = _connection(url)

    def close(self) -> None:
        """Lets go of the connection."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = "",
        authorization: str = "",
        api_key: str = "",
        host: str = "",
    ) -> Exchange:
        """One request. `token` goes behind the word Bearer, `authorization` as it is."""
        headers = _headers(token=token, authorization=authorization, api_key=api_key, host=host)
        exchange = _ask(self._http, method, path, body, headers)
        self._on_exchange(exchange)
        return exchange

    @contextmanager
    def already_connected(self, count: int) -> Iterator[Callable[..., list[Exchange]]]:
        """A function that asks the same on each of `count` connections of their own, which it leaves open."""
        with ExitStack() as stack:
            opened = [stack.enter_context(_connection(self.url)) for _ in range(count)]

            def ask(method: str, path: str, body: object, *, api_key: str) -> list[Exchange]:
                return [_ask(http, method, path, body, _headers(api_key=api_key)) for http in opened]

            yield ask


def _connection(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, timeout=10, trust_env=False, limits=httpx2.Limits(max_connections=1))


def _headers(*, token: str = "", authorization: str = "", api_key: str = "", host: str = "") -> dict[str, str]:
    named = {
        "Host": host,
        "Authorization": f"Bearer {token}" if token else authorization,
        "ApiKey": api_key,
    }
    return {name: value for name, value in named.items() if value}


def _ask(http: httpx2.Client, method: str, path: str, body: object, headers: dict[str, str]) -> Exchange:
    content = None if body is None else _encode(body)
    kind = {} if content is None else {"Content-Type": "application/json"}
    begun = time.perf_counter()
    answer = http.request(method, path, content=content, headers={**headers, **kind})
    taken = (time.perf_counter() - begun) * 1000
    return Exchange(
        method=method,
        path=path,
        headers=tuple(headers.items()),
        body=body,
        status=answer.status_code,
        reason=answer.reason_phrase,
        answer_headers=tuple((name, answer.headers[name]) for name in SHOWN_OF_ANSWERS if name in answer.headers),
        answer=_parsed(answer.content),
        milliseconds=taken,
    )


def _parsed(content: bytes) -> Any:
    """The JSON of an answer, amounts exact; what is no JSON stays text, to be shown with what is wrong."""
    try:
        return json.loads(content, parse_float=Decimal)
    except ValueError:
        return content.decode("utf-8", "replace")
