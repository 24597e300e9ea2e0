"""A host has one spelling."""

import socket
from pathlib import Path
from typing import NoReturn

import publicsuffixlist
import pytest

from bedesten.gate import hosts
from bedesten.gate.hosts import canonical_host, is_public_suffix, valid_tenant_host

WILDCARD = "a host is one name: there are no wildcards"
LABEL = "a label of a host has 1 to 63 letters, digits and inner hyphens (RFC 1123)"
NUMBER = "not a host name: it ends in a number and is no address"
LOOPBACK = "an address is a host only if it is loopback and the server listens on loopback only"
LOCALHOST = "localhost is a host only while the server listens on loopback only"


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        (b"api.example.com", "api.example.com"),
        (b"API.Example.COM", "api.example.com"),
        (b"api.example.com.", "api.example.com"),
        (b"api.example.com:", "api.example.com"),
        (b"api.example.com:1", "api.example.com"),
        (b"api.example.com.:65535", "api.example.com"),
        (b"localhost:8080", "localhost"),
        (b"127.0.0.1:8080", "127.0.0.1"),
        (b"my_app:80", "my_app"),
        (b"[::1]", "[::1]"),
        (b"[0:0:0:0:0:0:0:1]:8080", "[::1]"),
        (b"[2001:DB8::A]", "[2001:db8::a]"),
        (b"a" * 253, "a" * 253),
    ],
)
def test_a_host_header_has_one_canonical_form(raw: bytes, host: str) -> None:
    assert canonical_host(raw) == host


@pytest.mark.requirement(196)
@pytest.mark.parametrize(
    "raw",
    [
        b"", b":", b":80", b".", b"..", b".a.example", b"a..example", b"a.example..",
        b"a.example:0", b"a.example:65536",
        b"a.example:99999999", b"a.example:abc", b"a.example:-1", b"a.example:+1", b"a.example:80:80", b"a.example/",
        b"a.example/health?", b"a.example?x", b"a.example#x", b"user@a.example", b"a example", b" a.example",
        b"a.example ", b"a.example,b.example", b"a.example\t", b"a.example\x00", b"a.example\n", b"a.ex\xc3\xa4mple",
        b"a%2eexample", b"a;b", b"*", b"[::1", b"::1", b"[::1]x", b"[::1]:abc", b"[]", b"[::1%lo]", b"[1::2::3]",
        b"[v1.a]", b"[127.0.0.1]", b"[::ffff:127.0.0.1]", b"[::ffff:7f00:1]", b"a" * 254, b"\xff", b"http://a.example",
    ],
)  # fmt: skip
def test_a_malformed_host_header_has_no_canonical_form(raw: bytes) -> None:
    assert canonical_host(raw) is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("API.Example.com.", "api.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a-b.example:443", "a-b.example"),
        ("1.example", "1.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_a_public_name_may_be_a_tenants_host(text: str, host: str, allow_loopback: bool) -> None:
    assert valid_tenant_host(text, allow_loopback=allow_loopback) == host


@pytest.mark.requirement(222)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("*.example.com", WILDCARD),
        ("bücher.example", "an international host name is written in its ASCII form (xn--…)"),
        ("", "not a host name"),
        ("a b.example", "not a host name"),
        ("https://a.example", "not a host name"),
        ("intranet", "a host has at least two labels, such as api.example.com"),
        ("my_shop.example", LABEL),
        ("-a.example", LABEL),
        ("a-.example", LABEL),
        ("a" * 64 + ".example", LABEL),
        ("192.0.2.1", LOOPBACK),
        ("[2001:db8::1]", LOOPBACK),
        ("0.0.0.0", LOOPBACK),
        ("127.1", NUMBER),
        ("2130706433", NUMBER),
        ("a.0x7f", NUMBER),
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_a_name_that_cannot_be_a_tenants_host_is_refused_with_a_reason(
    text: str, reason: str, allow_loopback: bool
) -> None:
    with pytest.raises(ValueError) as refused:
        valid_tenant_host(text, allow_loopback=allow_loopback)
    assert str(refused.value) == reason
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("LocalHost:8080", "localhost"),
        ("shop.localhost", "shop.localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.8.8.8", "127.8.8.8"),
        ("[::1]:80", "[::1]"),
    ],
)
def test_a_loopback_host_is_allowed_only_while_the_server_listens_on_loopback_only(text: str, host: str) -> None:
    assert valid_tenant_host(text, allow_loopback=True) == host
    with pytest.raises(ValueError) as refused:
        valid_tenant_host(text, allow_loopback=False)
    assert str(refused.value) == (LOCALHOST if "ocal" in text else LOOPBACK)


@pytest.mark.requirement(222)
@pytest.mark.parametrize(
    "text",
    ["co.uk", "COM.TR", "com.tr.", "com.au", "co.jp", "com.br", "co.za", "github.io", "pages.dev:443", "azurewebsites.net",
     "uk.eu.org", "ip6.arpa"],
)  # fmt: skip
def test_a_public_suffix_cannot_be_a_host_and_a_name_below_it_can(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        valid_tenant_host(text, allow_loopback=True)
    assert str(refused.value) == "a public suffix: the names below it are other people's"
    below = f"shop.{canonical_host(text.encode())}"
    assert valid_tenant_host(below, allow_loopback=False) == below


@pytest.mark.parametrize("text", ["web.de", "co.example", "uk.example", "co.uk.example", "com.example", "github.com"])
def test_a_name_that_only_looks_like_a_public_suffix_may_be_a_host(text: str) -> None:
    assert valid_tenant_host(text, allow_loopback=False) == text


def test_every_listed_suffix_is_refused_and_a_name_below_it_is_not() -> None:
    lines = Path(publicsuffixlist.PSLFILE).read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith(("//", "*", "!")) and line.isascii()]
    assert len(rules) > 9_000
    for suffix in (rule for rule in rules if "." in rule):
        assert canonical_host(suffix.encode()) == suffix
        assert is_public_suffix(suffix)
    for suffix in ("k12.ma.us", "blogspot.com", "duckdns.org"):
        assert valid_tenant_host(f"shop.{suffix}", allow_loopback=False) == f"shop.{suffix}"


@pytest.mark.parametrize(
    ("host", "public"), [("shop.ck", True), ("www.ck", False), ("x.kobe.jp", True), ("city.kobe.jp", False)]
)
def test_wildcards_and_exceptions_of_the_suffix_list_apply(host: str, public: bool) -> None:
    assert is_public_suffix(host) is public


def test_the_list_is_the_one_that_the_library_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    hosts._public_suffixes.cache_clear()
    assert is_public_suffix("com.tr")
    assert not is_public_suffix("example.com")


@pytest.mark.requirement(222)
def test_the_operators_own_names_cannot_be_a_tenants_host_in_any_spelling() -> None:
    reserved = ["Ops.Example.COM", "metrics.internal.", "192.0.2.1", "bücher"]
    for text in ("ops.example.com", "OPS.example.com.:8081", "metrics.internal"):
        with pytest.raises(ValueError) as refused:
            valid_tenant_host(text, allow_loopback=True, reserved=reserved)
        assert str(refused.value) == "a name of the operator's own"
    for text in ("api.example.com", "shop.ops.example.com", "localhost"):
        assert valid_tenant_host(text, allow_loopback=True, reserved=reserved) == text
