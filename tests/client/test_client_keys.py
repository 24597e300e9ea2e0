"""API keys are read from their source, read again when refused, and never shown."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from bedesten.gate.scopes import Surface
from bedesten_client import AsyncSupplierClient, Secret, SupplierClient, Unauthorized
from bedesten_client._credentials import KeyCredential
from bedesten_client.secrets import BadReference, SecretUnavailable
from tests.client.clocks import FakeClock
from tests.client.scripted import RecordedRequest, http, ok, refusal, scripted
from tests.support.operator_actions import Key
from tests.support.shop import Shop

UPLOADED = ok({"added": 1, "duplicates": 0, "available": 1})
PAGE = ok({"items": [], "nextCursor": None})


@dataclass
class Kept:
    """A secret source that counts its reads."""

    value: str
    reads: int = 0
    down: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    _remembered: str = ""

    def get(self) -> str:
        with self.lock:
            return self._remembered or self._read()

    def refresh(self, stale: str) -> str:
        with self.lock:
            return self._remembered if self._remembered != stale else self._read()

    def _read(self) -> str:
        if self.down:
            raise SecretUnavailable("vault: cannot be reached")
        self.reads += 1
        self._remembered = self.value
        return self.value


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    kept = tmp_path / "key"
    kept.touch(0o600)
    return kept


def supplier_key(shop: Shop) -> Key:
    return shop.operator.key(shop.id, Surface.SUPPLIER, shop.supplier)


def test_a_rotated_key_is_read_again_without_a_restart(shop: Shop, http: httpx2.Client, key_file: Path) -> None:
    old, new = supplier_key(shop), supplier_key(shop)
    key_file.write_text(f"{old.text}\n")
    client = SupplierClient(shop.host, key=f"file:{key_file}", http=http)
    assert client.get_key().id == old.id
    key_file.write_text(f"{new.text}\n")
    assert client.get_key().id == old.id, "it is good, so that nobody reads anything"
    shop.operator.revoke_key(shop.id, old)
    assert client.get_key().id == new.id


def test_a_key_is_read_from_an_environment_variable(
    shop: Shop, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", shop.supplier_key.text)
    assert SupplierClient(shop.host, key="env:SHOP_KEY", http=http).get_key().id == shop.supplier_key.id


def test_a_permanently_refused_key_is_read_once_more() -> None:
    kept = Kept("ak_live_1")
    with scripted(lambda _: refusal(401, -23)) as server, SupplierClient(server.url, key=kept) as client:
        for _ in range(10):
            with pytest.raises(Unauthorized) as refused:
                client.list_products()
            assert refused.value.code == -23
        assert len(server.asked) == 10
        assert kept.reads == 2, "when it was needed, and when it was refused"


def test_a_key_that_was_refused_is_read_again_later() -> None:
    kept, clock = Kept("ak_live_1"), FakeClock()

    def script(asked: RecordedRequest) -> bytes:
        return PAGE if asked.headers["apikey"] == "ak_live_2" else refusal(401, -23)

    with scripted(script) as server, SupplierClient(server.url, key="unused") as client:
        client._credential = KeyCredential(kept, clock)
        with pytest.raises(Unauthorized):
            client.list_products()
        kept.value = "ak_live_2"
        clock.ahead += 1.1
        client.list_products()
        assert kept.reads == 3


def test_200_calls_during_a_rotation_read_the_key_once() -> None:
    kept = Kept("ak_live_1")

    def script(asked: RecordedRequest) -> bytes:
        return PAGE if asked.headers["apikey"] == kept.value else refusal(401, -23)

    async def tasks(url: str, before: threading.Barrier) -> int:
        async with AsyncSupplierClient(url, key=kept) as client:
            await client.list_products()
            await asyncio.to_thread(before.wait, 20)
            return len(await asyncio.gather(*(client.list_products() for _ in range(100))))

    with scripted(script) as server, SupplierClient(server.url, key=kept) as client, ThreadPoolExecutor(101) as pool:
        client.list_products()
        barrier = threading.Barrier(2)
        loop = pool.submit(asyncio.run, tasks(server.url, barrier))
        kept.value = "ak_live_2"
        barrier.wait(120)
        others = [pool.submit(client.list_products) for _ in range(100)]
        assert loop.result(60) + len([one.result(60) for one in others]) == 200
        assert kept.reads == 2


def test_a_manager_outage_is_harmless_while_the_cached_key_works() -> None:
    kept, clock = Kept("ak_live_1"), FakeClock()
    with scripted(lambda _: PAGE) as server, SupplierClient(server.url, key="unused") as client:
        client._credential = KeyCredential(kept, clock)
        client.list_products()
        kept.down = True
        clock.ahead += 86_400
        client.list_products()


def test_a_refused_key_is_reported_even_if_the_manager_is_down(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept("ak_live_1")
    with scripted(lambda _: refusal(401, -23)) as server, SupplierClient(server.url, key=kept) as client:
        kept.get()
        kept.down = True
        with pytest.raises(Unauthorized):
            client.list_products()
    assert "vault: cannot be reached" in caplog.text
    assert "ak_live_1" not in caplog.text


def test_a_manager_outage_at_the_start_is_reported() -> None:
    with (
        scripted(lambda _: PAGE) as server,
        SupplierClient(server.url, key=Kept("ak_live_1", down=True)) as client,
        pytest.raises(SecretUnavailable),
    ):
        client.list_products()
    assert server.asked == []


@pytest.mark.parametrize("method", ["rotate_key", "revoke_key"])
def test_a_call_that_manages_the_key_is_never_repeated_with_another_key(method: str) -> None:
    kept = Kept("ak_live_1")
    with scripted(lambda _: refusal(401, -23)) as server, SupplierClient(server.url, key=kept) as client:
        kept.get()
        kept.value = "ak_live_2"
        with pytest.raises(Unauthorized):
            getattr(client, method)()
        assert [one.headers["apikey"] for one in server.asked] == ["ak_live_1"]


def test_403_and_401_of_other_servers_do_not_read_the_key_again() -> None:
    kept = Kept("ak_live_1")
    answers = iter([refusal(403, -25), http(401, b"<html>", 'WWW-Authenticate: Basic realm="x"', kind="text/html")])
    with scripted(lambda _: next(answers)) as server, SupplierClient(server.url, key=kept) as client:
        for _ in range(2):
            with pytest.raises(Exception):  # noqa: B017 - other tests check which one
                client.list_products()
        assert kept.reads == 1


@pytest.mark.parametrize("text", ["ak_live_1\nX-Evil: 1", "ak live", "ключ", "   ", "ak\x00"])
def test_a_key_unfit_for_a_header_is_refused_and_not_shown(text: str) -> None:
    with scripted(lambda _: PAGE) as server, SupplierClient(server.url, key=Secret(text)) as client:
        with pytest.raises(BadReference) as failed:
            client.list_products()
        assert text.strip() not in str(failed.value) or not text.strip()
        assert server.asked == []


@pytest.mark.requirement(230)
def test_a_secret_is_never_shown() -> None:
    import pickle

    secret = Secret("ak_live_1")
    for shown in (str(secret), repr(secret), f"{secret}", str([secret]), str(vars(type(secret)))):
        assert "ak_live" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert "ak_live" not in repr(SupplierClient("api.shop.example", key=secret).__dict__)
