"""Where webhooks may go: never into the operator's network, by any spelling, redirect or second answer of DNS."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.webhooks import sender
from bedesten.webhooks.sender import OutgoingWebhook, SendResult
from bedesten.webhooks.targets import Unreachable, check_target, check_url, parse_networks, resolve
from tests.client.scripted import Server, http, scripted

PRIVATE = (
    "127.0.0.1", "127.8.8.8", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "0.0.0.0", "0", "10.0.0.1",
    "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "192.88.99.1",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[::127.0.0.1]", "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
    "[fe80::1]", "[fe80::1%25lo]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[5f00::1]",
)  # fmt: skip
WRONG = (
    "", "x", "//h/x", "ftp://h.example/", "file:///etc/passwd", "gopher://h.example/", "https://", "https:///x",
    "https://u@h.example/", "https://u:p@h.example/", "https://h.example:0/", "https://h.example:99999/",
    "https://h.example\\@127.0.0.1/", "https://h.example/\r\nX: y", "https://h example/", "https://h\u00e9.example/",
    "https://[::1/",
)  # fmt: skip
LETTER = OutgoingWebhook(
    "evt_1", "", {"a": 1}, (Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),), Secret("ok_" + "0" * 32)
)


@pytest.mark.requirement(223)
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_that_is_not_public_is_out_of_reach_in_every_spelling(host: str, scheme: str) -> None:
    with pytest.raises(Unreachable):
        resolve(f"{scheme}://{host}/hook", ())


@pytest.mark.requirement(223)
@pytest.mark.parametrize("url", WRONG)
def test_a_target_that_is_not_an_absolute_url_is_refused_when_it_is_set(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_url(url, "notifyUrl")
    assert refused.value.code.number == -2
    with pytest.raises(Unreachable):
        resolve(url, ())


@pytest.mark.requirement(223)
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("host", [one for one in PRIVATE if "%" not in one])
def test_a_private_address_is_refused_when_it_is_set_without_a_dns_query(
    host: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numeric = socket.getaddrinfo

    def lookup(name: str, port: object, *, flags: int = 0, **more: Any) -> list[Any]:
        assert flags & socket.AI_NUMERICHOST, "nobody is asked"
        return list(numeric(name, None, flags=flags, **more))

    monkeypatch.setattr("bedesten.webhooks.targets.socket.getaddrinfo", lookup)
    with pytest.raises(Refusal) as refused:
        check_target(f"{scheme}://{host}/hook", (), "notifyUrl")
    assert (refused.value.code.number, list(refused.value.fields or {})) == (-2, ["notifyUrl"])


def test_a_name_is_not_resolved_when_it_is_set() -> None:
    check_target("https://hooks.example/x", (), "notifyUrl")
    check_target("https://93.184.215.14/x", (), "notifyUrl")
    check_target("http://hooks.example/x", parse_networks("10.0.0.0/8"), "notifyUrl")
    check_target("http://10.1.2.3/x", parse_networks("10.0.0.0/8"), "notifyUrl")
    for url in ("http://hooks.example/x", "http://93.184.215.14/x"):
        with pytest.raises(Refusal):
            check_target(url, (), "notifyUrl")
    with pytest.raises(Refusal):
        check_target("http://93.184.215.14/x", parse_networks("10.0.0.0/8"), "notifyUrl")


@pytest.mark.parametrize("host", ["93.184.215.14", "[2606:4700::1111]"])
def test_a_public_address_is_reached_over_tls_only(host: str) -> None:
    assert resolve(f"https://{host}/hook", ())[1] == host.strip("[]")
    with pytest.raises(Unreachable, match="plain http"):
        resolve(f"http://{host}/hook", ())


def test_only_networks_that_the_operator_allows_are_reached() -> None:
    allowed = parse_networks("10.1.0.0/16 fd00::/8")
    for host in ("10.1.2.3", "[fd00::1]", "[::ffff:10.1.2.3]"):
        assert ip_address(resolve(f"http://{host}/hook", allowed)[1]) == ip_address(host.strip("[]"))
    for host in ("10.2.0.1", "127.0.0.1", "[fe80::1]", "169.254.169.254"):
        with pytest.raises(Unreachable):
            resolve(f"http://{host}/hook", allowed)


def _names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Fakes DNS with these answers in turn; returns the growing list of queried names."""
    asked: list[str] = []
    coming = iter(answers)

    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(coming)]

    monkeypatch.setattr("bedesten.webhooks.targets.socket.getaddrinfo", lookup)
    return asked


@pytest.mark.requirement(223)
def test_a_name_with_one_private_address_among_public_ones_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _names(monkeypatch, ["93.184.215.14", "10.0.0.1"], ["10.0.0.1", "93.184.215.14"], [])
    for _ in range(3):
        with pytest.raises(Unreachable):
            resolve("https://both.example/hook", ())


@pytest.mark.requirement(223)
def test_dns_rebinding_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt resolves the name once, and connects to the address that was checked."""
    with scripted(lambda _: http(200, b"")) as server:
        asked = _names(monkeypatch, ["127.0.0.1"])
        outcome = _sent(f"http://rebound.example:{_port(server)}/hook?a=b", "127.0.0.1/32")
    assert outcome == SendResult(200, "")
    assert asked == ["rebound.example"]
    (one,) = server.asked
    assert (one.path, one.headers["host"]) == ("/hook?a=b", f"rebound.example:{_port(server)}")


@pytest.mark.requirement(223)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_does_not_count_as_delivered(status: int) -> None:
    with scripted(lambda _: http(200, b"")) as inside:
        with scripted(lambda _: http(status, b"", f"Location: {inside.url}/metadata")) as server:
            outcome = _sent(f"{server.url}/hook", "127.0.0.0/8")
        assert outcome == SendResult(status, "not a 2xx answer")
        assert not outcome.accepted
        assert inside.asked == []
    assert len(server.asked) == 1


@pytest.mark.requirement(223)
def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(lambda _: http(200, b"")) as proxy, scripted(lambda _: http(204, b"")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert _sent(f"{server.url}/hook", "127.0.0.0/8").accepted
        assert proxy.asked == []


def _port(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def _sent(url: str, allowed: str) -> SendResult:
    async def scenario() -> SendResult:
        async with sender.Receivers() as client:
            webhook = OutgoingWebhook(LETTER.id, url, LETTER.body, LETTER.secrets, LETTER.outbound_key)
            return await sender.send(client, webhook, parse_networks(allowed))

    return asyncio.run(scenario())
