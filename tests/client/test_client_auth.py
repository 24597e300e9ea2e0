"""Authentication for the caller's own httpx2 client."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from bedesten.gate.scopes import Surface
from bedesten_client import ApiKeyAuth, BearerAuth, BedestenError, LoginRefused
from tests.client.both import kind as kind
from tests.client.both import partner_call, supplier_call
from tests.client.rerouted import rerouted, rerouted_async
from tests.client.scripted import ACCOUNT, LOGIN, Raw, RecordedRequest, http, ok, refusal, scripted, token
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh, open_shop

GET_KEY = "/Supplier/Keys/Get"


def renewing(answer: Callable[[RecordedRequest], bytes]) -> Callable[[RecordedRequest], bytes | Raw]:
    """Return a different token for every login."""
    numbers = iter(range(1, 100))
    return lambda asked: token(f"t{next(numbers)}") if asked.path == LOGIN else answer(asked)


def test_bearer_tokens_on_the_callers_own_client(shop: Shop) -> None:
    own = open_shop(shop.site, shop.operator, "bareauth")
    auth = BearerAuth(own.host, email=own.partner_email, password=PASSWORD)
    order = own.order(reference=fresh("bare"))

    def post(client: httpx2.Client) -> httpx2.Response:
        return client.post(f"https://{own.host}/Orders/Create", json=order, auth=auth)

    with rerouted(own.site.port) as client:
        first = post(client)
        own.operator.end_tokens(own.id)
        second = post(client)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["data"] == second.json()["data"]

    async def again() -> httpx2.Response:
        own.operator.end_tokens(own.id)
        async with rerouted_async(own.site.port) as client:
            return await client.post(f"https://{own.host}/Orders/Create", json=order, auth=auth)

    assert asyncio.run(again()).json()["data"] == first.json()["data"]
    customer = BearerAuth(own.host, email=own.customer_email, password=PASSWORD, surface="storefront")
    with rerouted(own.site.port) as client:
        assert client.post(f"https://{own.host}/Storefront/Customers/Profile", auth=customer).status_code == 200


def test_an_api_key_on_the_callers_own_client(shop: Shop, tmp_path: Path) -> None:
    old, new = (shop.operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(2))
    kept = tmp_path / "key"
    kept.touch(0o600)
    kept.write_text(old.text)
    with rerouted(shop.site.port) as client:
        client.auth = ApiKeyAuth(shop.host, key=f"file:{kept}")
        assert client.post(f"https://{shop.host}{GET_KEY}").json()["data"]["id"] == old.id
        kept.write_text(new.text)
        shop.operator.revoke_key(shop.id, old)
        assert client.post(f"https://{shop.host}{GET_KEY}").json()["data"]["id"] == new.id


@pytest.mark.requirement(226)
def test_many_threads_share_one_login() -> None:
    with scripted(renewing(lambda asked: ok(ACCOUNT))) as server, httpx2.Client() as client:
        auth = BearerAuth(server.url, email="p@partner.example", password="pw")
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: client.get(f"{server.url}/Account/Details", auth=auth), range(50)))
        assert {one.status_code for one in answers} == {200}
        assert server.logins == 1


@pytest.mark.requirement(225)
def test_a_second_401_is_returned_to_the_caller() -> None:
    with scripted(renewing(lambda _: refusal(401, -21))) as server, httpx2.Client() as client:
        auth = BearerAuth(server.url, email="p@partner.example", password="pw")
        answer = client.get(f"{server.url}/Account/Details", auth=auth)
        assert (answer.status_code, answer.json()["code"]) == (401, -21)
        assert (server.logins, len(server.calls)) == (2, 2)


def test_a_refused_login_is_raised() -> None:
    with scripted(lambda _: refusal(400, -26)) as server, httpx2.Client() as client:
        auth = BearerAuth(server.url, email="p@partner.example", password="pw")
        for _ in range(3):
            with pytest.raises(LoginRefused):
                client.get(f"{server.url}/Account/Details", auth=auth)
        assert server.logins == 1


def test_an_interrupted_login_leaves_no_caller_waiting() -> None:
    answers: list[bytes | Raw] = [Raw([]), token("t")]
    script = lambda asked: answers.pop(0) if asked.path == LOGIN else ok(ACCOUNT)  # noqa: E731
    with scripted(script) as server, httpx2.Client() as client:
        auth = BearerAuth(server.url, email="p@partner.example", password="pw")
        with pytest.raises(httpx2.RemoteProtocolError):
            client.get(f"{server.url}/Account/Details", auth=auth)
        assert client.get(f"{server.url}/Account/Details", auth=auth).status_code == 200


@pytest.mark.requirement(228)
def test_a_credential_goes_to_its_own_shop_only() -> None:
    with scripted(lambda _: http(200, b"{}")) as elsewhere, httpx2.Client() as client:
        for auth in (
            BearerAuth("api.shop.example", email="p@partner.example", password="pw"),
            ApiKeyAuth("api.shop.example", key="ak_live_1"),
        ):
            client.post(f"{elsewhere.url}/Orders/Create", json={}, auth=auth)
        assert len(elsewhere.asked) == 2
        assert not any({"authorization", "apikey"} & set(one.headers) for one in elsewhere.asked)


def test_the_shops_host_with_another_scheme_or_port_is_an_error() -> None:
    with scripted(lambda _: http(200, b"{}")) as server, httpx2.Client() as client:
        host = server.url.removeprefix("http://")
        for shop in (host, "http://127.0.0.1:1"):
            with pytest.raises(ValueError, match="the shop is at"):
                client.get(f"{server.url}/Account/Details", auth=ApiKeyAuth(shop, key="ak_live_1", allow_http=True))
        assert server.asked == []


@pytest.mark.requirement(228)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_carries_no_credential_even_if_the_client_follows_it(status: int) -> None:
    with scripted(lambda _: http(200, b"{}")) as elsewhere:
        there = http(status, b"", f"Location: http://localhost:{elsewhere.url.rpartition(':')[2]}/x")
        seen: list[str] = []
        with scripted(lambda asked: token("t1") if asked.path == LOGIN else there) as shop:
            key = ApiKeyAuth(shop.url, key="ak_live_1", allow_http=True)
            password = BearerAuth(shop.url, email="p@partner.example", password="pw", allow_http=True)

            async def asynchronous() -> None:
                async def trace(event: str, _: object) -> None:
                    seen.append(event)

                async with httpx2.AsyncClient(follow_redirects=True) as client:
                    for auth in (key, password):
                        answer = await client.post(f"{shop.url}/a", json={}, auth=auth, extensions={"trace": trace})
                        assert answer.status_code == 200

            with httpx2.Client(follow_redirects=True) as client:
                for auth in (key, password):
                    options = {"trace": lambda event, _: seen.append(event)}
                    assert client.post(f"{shop.url}/a", json={}, auth=auth, extensions=options).status_code == 200
            asyncio.run(asynchronous())
        assert sum("apikey" in one.headers for one in shop.calls) == 2
        assert sum("authorization" in one.headers for one in shop.calls) == 2
        assert len(elsewhere.asked) == 4
        assert not any({"authorization", "apikey"} & set(one.headers) for one in elsewhere.asked)
        assert seen.count("http11.send_request_headers.complete") == 8, "the caller's own trace goes on"


@pytest.mark.requirement(228)
def test_a_client_of_this_library_follows_no_redirect(kind: str) -> None:
    with scripted(lambda _: http(200, b"{}")) as elsewhere:
        with scripted(
            lambda asked: token("t1") if asked.path == LOGIN else http(307, b"", f"Location: {elsewhere.url}/x")
        ) as shop:
            for call, options in ((partner_call, {"password": "pw"}), (supplier_call, {"key": "ak_live_1"})):
                method = "account" if call is partner_call else "get_key"
                with pytest.raises(BedestenError):
                    call(kind, shop.url, method, **options)
        assert elsewhere.asked == []


def test_responses_can_still_be_streamed() -> None:
    with scripted(renewing(lambda _: ok(ACCOUNT))) as server, httpx2.Client() as client:
        auth = BearerAuth(server.url, email="p@partner.example", password="pw")
        with client.stream("GET", f"{server.url}/Account/Details", auth=auth) as answer:
            assert not answer.is_stream_consumed
            assert b"".join(answer.iter_bytes()).startswith(b'{"success"')


@pytest.mark.requirement(227)
def test_a_streamed_body_is_sent_again_in_full() -> None:
    def script(asked: RecordedRequest) -> bytes:
        return ok(ACCOUNT) if asked.headers["authorization"] == "Bearer t2" else refusal(401, -22)

    with scripted(renewing(script)) as server, httpx2.Client() as client:
        auth = BearerAuth(server.url, email="p@partner.example", password="pw")
        lines = {"Content-Length": "4"}
        client.post(f"{server.url}/x", content=iter([b"ab", b"cd"]), headers=lines, auth=auth)
        assert [one.body for one in server.calls] == [b"abcd", b"abcd"]


@pytest.mark.requirement(230)
def test_the_repr_of_the_authentication_shows_no_secret() -> None:
    shown = repr(BearerAuth("api.shop.example", email="p@partner.example", password="seven lanterns"))
    assert shown == "BearerAuth('https://api.shop.example')"
    with pytest.raises(ValueError, match="surface must be"):
        BearerAuth("api.shop.example", email="p@partner.example", password="pw", surface="supplier")
