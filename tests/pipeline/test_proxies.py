"""The client of a request: only trusted proxies are believed."""

import pytest

from bedesten.http.message import Headers, Request
from bedesten.http.proxies import MAX_REMEMBERED, MAX_REMEMBERED_LENGTH, UNKNOWN, Proxies

CLIENT, SPOOFED = "203.0.113.9", "198.51.100.66"
NEAR, FAR = "10.0.0.5", "10.9.9.9"
"""Two proxies, both trusted."""

TRUSTED = ("10.0.0.0/8", "2001:db8:ffff::/48")
OTHERS = ("x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip", "client-ip", "x-original-forwarded-for")


class EmptyRequestBody:
    async def read(self, limit: int) -> bytes:
        raise AssertionError("nobody reads a body to know an address")


def request(peer: str, *lines: tuple[str, str]) -> Request:
    headers: Headers = [(name.encode(), value.encode("latin-1")) for name, value in lines]
    return Request("GET", b"/", b"", headers, peer, EmptyRequestBody())


def through(*values: str, peer: str = NEAR, header: str = "x-forwarded-for") -> str:
    """The client of a request with these header lines, as the server determines it."""
    return Proxies(TRUSTED, header).client(request(peer, *((header, value) for value in values)))


def forwarded(*values: str, peer: str = NEAR) -> str:
    return through(*values, peer=peer, header="forwarded")


# --- whom to believe ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement(157)
@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", *OTHERS])
@pytest.mark.parametrize("proxies", [Proxies(), Proxies(TRUSTED), Proxies(TRUSTED, "forwarded")])
def test_headers_of_an_untrusted_peer_are_ignored(proxies: Proxies, name: str) -> None:
    value = f"for={SPOOFED}" if name == "forwarded" else SPOOFED
    assert proxies.client(request(CLIENT, (name, value))) == CLIENT


@pytest.mark.requirement(157)
def test_without_proxies_loopback_is_not_trusted_either() -> None:
    assert Proxies().client(request("127.0.0.1", ("x-forwarded-for", SPOOFED))) == "127.0.0.1"


@pytest.mark.requirement(202)
@pytest.mark.parametrize("name", ["forwarded", *OTHERS])
def test_only_the_configured_header_of_a_trusted_peer_is_used(name: str) -> None:
    value = f"for={SPOOFED}" if name == "forwarded" else SPOOFED
    lines = [(name, value), ("x-forwarded-for", CLIENT)]
    assert Proxies(TRUSTED).client(request(NEAR, *lines)) == CLIENT
    assert Proxies(TRUSTED).client(request(NEAR, lines[0])) == NEAR


@pytest.mark.requirement(202)
def test_with_forwarded_configured_x_forwarded_for_is_ignored() -> None:
    lines = [("x-forwarded-for", SPOOFED), ("forwarded", f"for={CLIENT}")]
    assert Proxies(TRUSTED, "forwarded").client(request(NEAR, *lines)) == CLIENT


def test_a_trusted_peer_without_the_header_is_the_client_itself() -> None:
    assert Proxies(TRUSTED).client(request(NEAR)) == NEAR
    assert through("") == NEAR
    assert through(" , ,") == NEAR


def test_clients_are_cached_by_peer_and_header_line() -> None:
    proxies = Proxies(TRUSTED)
    for _ in range(2):
        assert proxies.client(request(NEAR, ("x-forwarded-for", CLIENT))) == CLIENT
        assert proxies.client(request(CLIENT, ("x-forwarded-for", SPOOFED))) == CLIENT
        assert proxies.client(request(NEAR, ("x-forwarded-for", SPOOFED))) == SPOOFED
        assert proxies.client(request(SPOOFED, ("x-forwarded-for", CLIENT))) == SPOOFED
        long = ", " * MAX_REMEMBERED_LENGTH + CLIENT
        assert proxies.client(request(NEAR, ("x-forwarded-for", long))) == CLIENT
    for number in range(2 * MAX_REMEMBERED):
        address = f"2001:db8::{number + 1:x}"
        assert proxies.client(request(NEAR, ("x-forwarded-for", address))) == address


# --- reading from the right ---------------------------------------------------------------------------------------------


@pytest.mark.requirement(202)
@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([CLIENT], CLIENT),
        ([f"{SPOOFED}, {CLIENT}"], CLIENT),
        ([f"{SPOOFED},{CLIENT}, {FAR}"], CLIENT),
        ([f"{SPOOFED}, {FAR}, {CLIENT}, {FAR}, {NEAR}"], CLIENT),
        ([SPOOFED, CLIENT], CLIENT),
        ([f"{SPOOFED}, {CLIENT}", FAR], CLIENT),
        ([f"rubbish, {CLIENT}"], CLIENT),
        ([f"{'9' * 20_000}, {CLIENT}"], CLIENT),
        ([f"\x00\xff, {CLIENT}"], CLIENT),
        ([f"{CLIENT} , "], CLIENT),
        ([f"{FAR}, 10.1.1.1"], FAR),
    ],
)
def test_the_first_untrusted_hop_from_the_right_is_the_client(lines: list[str], client: str) -> None:
    assert through(*lines) == client


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("203.0.113.9:567", CLIENT),
        ("203.0.113.9:65535", CLIENT),
        ("::ffff:203.0.113.9", CLIENT),
        ("[::ffff:203.0.113.9]:567", CLIENT),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:567", "2001:db8::1"),
        ("[::1]:567", "::1"),
    ],
)
def test_a_hop_may_have_a_port_and_brackets(hop: str, address: str) -> None:
    assert through(hop) == address
    assert through(f"{SPOOFED}, {hop}, {FAR}:80") == address
    assert forwarded(f'for="{hop}"') == address


@pytest.mark.parametrize(
    "hop",
    [
        "unknown",
        "_hidden",
        "-",
        "rubbish",
        "203.0.113",
        "203.0.113.9.9",
        "203.0.113.09",
        "203.0.113.9:",
        "203.0.113.9:x",
        "203.0.113.9:567890",
        "203.0.113.9 198.51.100.66",
        "[203.0.113.9]",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]567",
        "[2001:db8::1]:",
        "[]",
        "[",
        ":",
        "0x7f000001",
        "2130706433",
        "localhost",
        "\xb2\xb3.0.113.9",
        "1" * 5000,
    ],
)
def test_a_hop_that_is_not_an_address_leaves_the_client_unknown_and_is_never_a_trusted_proxy(hop: str) -> None:
    assert through(f"{CLIENT}, {hop}") == UNKNOWN
    assert through(f"{CLIENT}, {hop}, {FAR}") == UNKNOWN


def test_ipv4_in_ipv6_is_ipv4_at_every_place() -> None:
    assert through(CLIENT, peer="::ffff:10.0.0.5") == CLIENT
    assert through(f"{CLIENT}, ::ffff:10.9.9.9") == CLIENT
    assert Proxies(["::ffff:10.0.0.0/104"]).client(request(NEAR, ("x-forwarded-for", CLIENT))) == CLIENT
    assert Proxies().client(request("::ffff:203.0.113.9")) == CLIENT


def test_ipv6_proxies_are_trusted_by_their_network() -> None:
    assert through(f"{SPOOFED}, 2001:db8::1", peer="2001:db8:ffff::7") == "2001:db8::1"
    assert through("2001:db8::1", peer="2001:db8:fffe::7") == "2001:db8:fffe::7"


def test_a_list_without_end_is_not_read_to_its_end() -> None:
    assert through(", ".join([SPOOFED, *["10.0.0.1"] * 16_000])) == "10.0.0.1"


# --- Forwarded (RFC 7239) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "element",
    [
        f"for={CLIENT}",
        f"For={CLIENT};proto=https;by={NEAR}",
        f"proto=https; FOR = {CLIENT} ;host=shop.example",
        f'for="{CLIENT}:4711";host="a,for={SPOOFED}"',
        f'host="a;for={SPOOFED}";for={CLIENT}',
        f'for={CLIENT};host="\\"for={SPOOFED}"',
    ],
)
def test_the_for_parameter_is_found_among_the_others(element: str) -> None:
    assert forwarded(element) == CLIENT
    assert forwarded(f"for={SPOOFED}, {element}, for={FAR}") == CLIENT


@pytest.mark.parametrize(
    "left",
    [
        'for="',
        'for="\\',
        "for=",
        "for=;",
        '"',
        "\\",
        '";for="',
        'host="x\\"',
        f'for="{SPOOFED}, for={SPOOFED}',
        '\\",""',
    ],
)
def test_an_unclosed_quote_of_the_client_hides_no_later_hop(left: str) -> None:
    assert forwarded(f"{left}, for={CLIENT}") == CLIENT
    assert forwarded(left, f"for={CLIENT}") == CLIENT


@pytest.mark.parametrize(
    "element",
    [
        "for=unknown",
        "for=_SEVKISEK",
        "for=",
        'for=""',
        "by=10.0.0.1",
        "for",
        f"for={CLIENT};for={SPOOFED}",
        f"xfor={CLIENT}",
        f"for={CLIENT} {SPOOFED}",
        f'for="{CLIENT}',
        f"for='{CLIENT}'",
        CLIENT,
    ],
)
def test_an_element_without_an_address_leaves_the_client_unknown(element: str) -> None:
    assert forwarded(f"for={SPOOFED}, {element}") == UNKNOWN


def test_endless_quotes_and_backslashes_are_parsed_fast() -> None:
    assert forwarded('for="' + '\\"' * 15_000 + f", for={CLIENT}, for={FAR}") == CLIENT
    assert forwarded(", ".join(["for=" + '"\\' * 7_000, f"for={FAR}"])) == UNKNOWN


# --- configuration ------------------------------------------------------------------------------------------------------


def test_the_peer_at_a_unix_socket_is_trusted_only_by_that_name() -> None:
    line = ("x-forwarded-for", f"{SPOOFED}, {CLIENT}")
    assert Proxies(["unix"]).client(request("unix", line)) == CLIENT
    assert Proxies(["unix", "10.0.0.0/8"]).client(request(NEAR, line)) == CLIENT
    assert Proxies(["unix"]).client(request(NEAR, line)) == NEAR
    assert Proxies(["0.0.0.0/0", "::/0"]).client(request("unix", line)) == "unix"
    assert Proxies().client(request("unix", line)) == "unix"


@pytest.mark.parametrize("network", ["10.0.0.1/8", "proxy.example", "10.0.0.0/33", "", "*", "Unix"])
def test_an_invalid_network_is_refused_at_start(network: str) -> None:
    with pytest.raises(ValueError, match="not a network"):
        Proxies([network])


@pytest.mark.parametrize("header", ["x-real-ip", "X-Forwarded-For", "x-forwarded-host", ""])
def test_no_other_header_can_be_configured(header: str) -> None:
    with pytest.raises(ValueError, match="the header must be one of"):
        Proxies(TRUSTED, header)
