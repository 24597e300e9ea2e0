"""An API key has one form, comes in one header line, and may be bound to addresses."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network

import pytest

from bedesten.core.addresses import parse_address
from bedesten.gate.api_keys import (
    SAMPLE_KEY,
    MalformedKey,
    address_allowed,
    extract,
    find_keys,
    imported_form,
    imported_form_of_sha256,
    is_importable,
    is_live,
    mask_keys,
    new_api_key,
    parse_networks,
)

KEY = "ak_live_0123456789abcdef0123456789abcdef"


def test_a_new_key_is_its_prefix_and_128_random_bits() -> None:
    assert new_api_key(False, lambda count: bytes(range(count))).reveal() == "ak_live_000102030405060708090a0b0c0d0e0f"
    assert new_api_key(True, lambda count: bytes(range(count))).reveal() == "ak_test_000102030405060708090a0b0c0d0e0f"
    assert len({new_api_key(False).reveal() for _ in range(1000)}) == 1000
    assert repr(new_api_key(False)) == "Secret(…)"


def test_the_documented_sample_is_never_issued_and_never_imported() -> None:
    rolls = iter([bytes.fromhex(SAMPLE_KEY[8:]), bytes(16)])
    assert new_api_key(False, lambda _: next(rolls)).reveal() == "ak_live_" + "0" * 32
    assert not is_importable(SAMPLE_KEY)
    assert extract([SAMPLE_KEY.encode()]) == SAMPLE_KEY


@pytest.mark.parametrize("value", [KEY, f"  {KEY}", f"{KEY}\t ", KEY.replace("live", "test")])
def test_a_well_formed_key_is_extracted_from_its_header(value: str) -> None:
    assert extract([value.encode()]) == value.strip()


@pytest.mark.requirement(96, 101)
@pytest.mark.parametrize(
    "values",
    [
        [], [b""], [b"  "], [KEY.encode()] * 2, [KEY.encode(), b""], [f"{KEY},{KEY}".encode()], [KEY[:-1].encode()],
        [(KEY + "0").encode()], [(KEY * 2).encode()], [KEY.upper().encode()], [KEY.replace("a", "A").encode()],
        [f'"{KEY}"'.encode()], [KEY.replace("_", "%5F").encode()], [b"\xa0" + KEY.encode()], [KEY.encode() + b"\0"],
        [KEY.encode() + b"\n"], [KEY.replace("live", "prod").encode()], [b"Bearer " + KEY.encode()],
        [b"ApiKey " + KEY.encode()], [b"' OR 1=1 --"], [b"%"], [b"*"], [b"${jndi:ldap://x}"], [b"a" * 4096],
        ["ａｋ".encode() + KEY[2:].encode()],
    ],
)  # fmt: skip
def test_any_other_api_key_header_is_malformed(values: list[bytes]) -> None:
    with pytest.raises(MalformedKey) as refused:
        extract(values)
    assert str(refused.value) in {"no ApiKey header", "sent twice", "not of the form of an API key"}


def test_a_key_says_whether_it_is_for_live_tenants() -> None:
    assert is_live(KEY)
    assert not is_live(KEY.replace("live", "test"))


def test_only_a_well_formed_key_is_imported() -> None:
    assert is_importable(KEY)
    for key in ("", KEY + "0", KEY + "\n", KEY.upper(), " " + KEY):
        assert not is_importable(key)


def test_an_imported_key_is_recorded_by_its_sha_256_in_a_form_that_no_key_has() -> None:
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert imported_form_of_sha256(digest) == f"sha256:{digest}"
    assert imported_form("ak_live_" + "0" * 32) == (
        "sha256:114130e3b8452731d834dce0ecd9bb9eeb8005fbbd425b16fecef7f63f7ab2bc"
    )


# --- keys in other texts ---


def test_each_key_in_a_text_is_found_once_and_in_order() -> None:
    other = KEY.replace("live", "test")
    assert find_keys(f"{other}, then '{KEY}' and x{other}y, {KEY[:-1]}") == [other, KEY]
    assert find_keys("nothing here") == []


def test_keys_in_a_text_are_masked() -> None:
    assert mask_keys(f"curl -H 'ApiKey: {KEY}' # {KEY}") == "curl -H 'ApiKey: ak_live_…cdef' # ak_live_…cdef"
    assert mask_keys("nothing here") == "nothing here"


# --- addresses ---


def test_ipv4_written_as_ipv6_is_ipv4() -> None:
    assert parse_networks(["::ffff:0:0/96", "::ffff:10.0.0.0/104", "::/0", "fe80::/10"]) == (
        IPv4Network("0.0.0.0/0"),
        IPv4Network("10.0.0.0/8"),
        IPv6Network("::/0"),
        IPv6Network("fe80::/10"),
    )


def test_an_address_is_read_without_its_zone() -> None:
    assert parse_address("fe80::1%eth0") == IPv6Address("fe80::1")
    assert parse_address("fe80::1%") == IPv6Address("fe80::1")
    assert parse_address("eth0") is None


@pytest.mark.parametrize(
    ("networks", "peer", "allowed"),
    [
        ([], "192.0.2.1", True),
        ([], "", True),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.1", True),
        (["::ffff:192.0.2.0/120"], "192.0.2.1", True),
        (["::ffff:192.0.2.0/120"], "192.0.3.1", False),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "192.0.2.1", False),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
        (["0.0.0.0/0", "::/0"], "", False),
        (["0.0.0.0/0", "::/0"], "unix", False),
        (["192.0.2.0/24"], "192.0.2.01", False),
    ],
)
def test_a_peer_is_allowed_by_the_networks_it_lies_in(networks: list[str], peer: str, allowed: bool) -> None:
    assert address_allowed(parse_networks(networks), peer) is allowed


@pytest.mark.parametrize("text", ["", "x", "192.0.2.1/24", "192.0.2.0/33", "2001:db8::1/32", "192.0.2", "1"])
def test_an_invalid_network_is_named(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_networks(["192.0.2.0/24", text])
    assert str(refused.value) == f"not a network in CIDR notation, or with bits set outside of it: {text!r}"


def test_the_error_quotes_only_64_characters_of_an_invalid_network() -> None:
    with pytest.raises(ValueError) as refused:
        parse_networks(["x" * 65])
    assert str(refused.value).endswith(f" {'x' * 64!r}")
