"""Credential headers, hosts and message framing, byte for byte, with credentials that are good."""

import pytest

from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.support.client import Lines, api_key, bearer, request_bytes
from tests.support.operator_actions import Operator
from tests.support.shop import Shop
from tests.support.wire import Answer, Connection, speak

DETAILS = "/Account/Details"


def ask(shop: Shop, lines: Lines, path: str = DETAILS, method: str = "GET") -> Answer:
    return speak(shop.site.port, request_bytes(method, path, shop.host, lines))


def raw(shop: Shop, *lines: str, path: str = DETAILS, method: str = "GET") -> Answer:
    """The response to a request whose header lines are sent unchanged."""
    return speak(shop.site.port, "\r\n".join((f"{method} {path} HTTP/1.1", *lines, "", "")).encode("latin-1"))


# --- headers of credentials ---------------------------------------------------------------------------------------------


@pytest.mark.requirement(11)
def test_a_folded_header_is_a_400(shop: Shop) -> None:
    for fold in ("Bearer\r\n {}", "\r\n Bearer {}", "Bearer {}\r\n ", "Bearer \r\n\t{}"):
        line = f"Authorization: {fold.format(shop.partner_token)}"
        assert raw(shop, f"Host: {shop.host}", line).status == 400


@pytest.mark.requirement(13)
@pytest.mark.parametrize(
    "name",
    ["HTTP_AUTHORIZATION", "Http-Authorization", "X-Authorization", "X-Access-Token", "Proxy-Authorization", "Authorisation",
     "Authorization_", "X-Forwarded-Authorization", "Token", "Cookie"],
)  # fmt: skip
def test_a_token_in_another_header_is_ignored(shop: Shop, name: str) -> None:
    assert ask(shop, [(name, f"Bearer {shop.partner_token}")]).verdict == (401, -20)


@pytest.mark.requirement(14)
def test_a_token_outside_the_header_is_ignored(shop: Shop) -> None:
    token = shop.partner_token
    for path in (
        f"{DETAILS}?access_token={token}",
        f"{DETAILS}?authorization=Bearer%20{token}",
        f"{DETAILS}?token={token}",
    ):
        assert ask(shop, (), path).verdict == (401, -20)
    assert ask(shop, [("Cookie", f"access_token={token}; Authorization=Bearer {token}")]).verdict == (401, -20)
    for body in ({"access_token": token}, {"authorization": f"Bearer {token}"}):
        sent = request_bytes("POST", "/Products/List", shop.host, (), body)
        assert speak(shop.site.port, sent).verdict == (401, -20)
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    sent = request_bytes("POST", "/Products/List", shop.host, form, f"access_token={token}".encode())
    assert speak(shop.site.port, sent).verdict == (401, -20)


@pytest.mark.requirement(15)
def test_the_refusal_of_a_bad_token_has_fixed_words_and_repeats_nothing_of_it(shop: Shop) -> None:
    head, claims, mac = shop.partner_token.split(".")
    bad = [
        "x",
        "a.b.c",
        f"{head}.{claims}.{mac[:-2]}",
        f"{head}.{claims}.",
        f"{head}..{mac}",
        "%0d%0a",
        "é" * 9,
        "A" * 9000,
    ]
    answers = [ask(shop, bearer(token)) for token in bad]
    answers = [answer for answer in answers if answer.code == -21]
    assert len(answers) >= 5
    challenge = 'Bearer realm="bedesten", error="invalid_token", error_description="The token is not valid"'
    assert {answer.header("www-authenticate") for answer in answers} == {challenge}
    assert len({answer.anonymous for answer in answers}) == 1


@pytest.mark.requirement(16)
def test_a_token_without_the_scope_is_403_and_the_challenge_names_the_scope(shop: Shop) -> None:
    narrow = shop.token(Surface.RESELLER, shop.partner, ["catalogue:read"])
    answer = ask(shop, bearer(narrow))
    assert answer.verdict == (403, -24)
    assert answer.header("www-authenticate") == (
        'Bearer realm="bedesten", error="insufficient_scope", scope="account:read"'
    )


@pytest.mark.requirement(18)
def test_a_good_key_does_not_stand_in_for_a_bad_token(shop: Shop) -> None:
    for key in (shop.supplier_key.text, shop.payment_key.text):
        assert ask(shop, [*api_key(key), *bearer("x")]).verdict == (401, -21)
        assert ask(shop, api_key(key)).verdict == (401, -20)
        assert ask(shop, [("Authorization", f"ApiKey {key}")]).verdict == (401, -20)
        assert ask(shop, [("Authorization", f"Bearer {key}")]).verdict == (401, -21)


@pytest.mark.requirement(19)
def test_a_good_token_does_not_stand_in_for_a_bad_key(shop: Shop) -> None:
    for path in ("/Supplier/Products/List", "/Payment/Deposits/Create"):
        for token in (shop.partner_token, shop.customer_token):
            assert ask(shop, [*bearer(token), ("ApiKey", "ak_live_x")], path, "POST").verdict == (401, -23)
            assert ask(shop, bearer(token), path, "POST").verdict == (401, -23)
            assert ask(shop, [("ApiKey", token)], path, "POST").verdict == (401, -23)
    good = [*bearer("x"), *api_key(shop.supplier_key.text)]
    assert ask(shop, good, "/Supplier/Products/List", "POST").status == 200, "the other header is not looked at"


# --- hosts --------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(195)
def test_a_missing_or_repeated_host_is_400(shop: Shop, other_shop: Shop) -> None:
    token = f"Authorization: Bearer {shop.partner_token}"
    mine, theirs = f"Host: {shop.host}", f"Host: {other_shop.host}"
    for lines in ((), (mine, mine), (mine, theirs), (theirs, mine), (mine, "HOST: x"), ("Host:",), ("Host: ", mine)):
        assert raw(shop, *lines, token).verdict == (400, -2), lines
    assert raw(shop, mine, token).status == 200


NO_HOSTS = (
    "{}/", "{}?", "{}#", "{}/health?", "x@{}", "{} x", "{},{}", "{}:abc", "{}:99999999", "{}:-1", "{}:80:80", "[::1", "[{}]",
    "{}\x80", "\xe9.example", "http://{}", "{}%00", "*.example",
)  # fmt: skip


@pytest.mark.requirement(196, 197)
@pytest.mark.parametrize("form", NO_HOSTS)
def test_an_invalid_host_is_400_with_and_without_good_credentials(shop: Shop, form: str) -> None:
    host = f"Host: {form.format(shop.host, shop.host)}"
    for lines in ((host, f"Authorization: Bearer {shop.partner_token}"), (host,)):
        for path in (DETAILS, "/health", "/documentation/guides/errors"):
            assert raw(shop, *lines, path=path).verdict == (400, -2)


@pytest.mark.requirement(198)
@pytest.mark.parametrize(
    "host", ["nobody.example", "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "example", "xn--a.example"]
)
def test_an_unknown_host_is_421_whatever_is_asked_for(shop: Shop, host: str) -> None:
    for method, path in (
        ("GET", DETAILS), ("POST", "/Supplier/x"), ("POST", "/Login/Customer/Api/Verify"), ("OPTIONS", "/Storefront/x"),
        ("GET", "/documentation/guides/errors"), ("GET", "/health/live"), ("TRACE", "/"),
    ):  # fmt: skip
        credentials = [f"Authorization: Bearer {shop.partner_token}", f"ApiKey: {shop.supplier_key.text}"]
        assert raw(shop, f"Host: {host}", *credentials, path=path, method=method).verdict == (421, -10)


@pytest.mark.requirement(199)
def test_case_port_and_one_trailing_dot_do_not_change_the_host(shop: Shop) -> None:
    for host in (
        shop.host.upper(),
        f"{shop.host}.",
        f"{shop.host}:80",
        f"{shop.host}.:8080",
        f" {shop.host} ",
        f"{shop.host}:",
    ):
        answer = raw(shop, f"Host:{host}", f"Authorization: Bearer {shop.partner_token}")
        assert answer.data["email"] == shop.partner_email
    assert raw(shop, f"Host: {shop.host}..").verdict == (400, -2)


@pytest.mark.requirement(204)
def test_a_host_that_moves_to_another_tenant_does_not_take_credentials_along(
    fresh_shop: Shop, unlimited_shop: Shop, operator: Operator
) -> None:
    token, key = bearer(fresh_shop.partner_token), api_key(fresh_shop.supplier_key.text)
    listed = ("/Supplier/Products/List", "POST")
    assert (ask(fresh_shop, token).status, ask(fresh_shop, key, *listed).status) == (200, 200)
    operator.remove_host(fresh_shop.id, fresh_shop.host)
    assert [ask(fresh_shop, token).verdict, ask(fresh_shop, key, *listed).verdict] == [(421, -10)] * 2
    operator.within(unlimited_shop.id, lambda tx: tenants.add_host(tx, fresh_shop.host))
    assert (ask(fresh_shop, token).verdict, ask(fresh_shop, key, *listed).verdict) == ((401, -21), (401, -23))
    assert ask(fresh_shop, bearer(unlimited_shop.partner_token)).data["email"] == unlimited_shop.partner_email


# --- framing ------------------------------------------------------------------------------------------------------------


def framed(shop: Shop, lines: Lines, body: bytes) -> list[int]:
    """The statuses of all responses to a good request with this framing and to another request after it."""
    known = [("Host", shop.host), ("Content-Type", "application/json"), *bearer(shop.partner_token), *lines]
    head = "POST /Products/List HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in known) + "\r\n"
    first_shop = request_bytes("GET", DETAILS, shop.host, [*bearer(shop.partner_token), ("Connection", "close")])
    with Connection(shop.site.port) as connection:
        connection.send(head.encode("latin-1") + body + first_shop)
        received = connection.rest()
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


CHUNKED = ("Transfer-Encoding", "chunked")
WHOLE = b"2\r\n{}\r\n0\r\n\r\n"


def test_valid_framing_is_accepted(shop: Shop) -> None:
    assert framed(shop, [("Content-Length", "2")], b"{}") == [200, 200]
    assert framed(shop, [CHUNKED], WHOLE) == [200, 200]
    assert framed(shop, [("Content-Length", "2"), ("Content-Length", "2")], b"{}") == [200, 200]


@pytest.mark.requirement(171)
def test_a_content_length_beside_chunks_ends_the_connection(shop: Shop) -> None:
    for lines in (
        [("Content-Length", "2"), CHUNKED],
        [CHUNKED, ("Content-Length", "2")],
        [CHUNKED, ("Content-Length", "500")],
    ):
        assert framed(shop, lines, WHOLE) == [200], "the chunks count, and nothing comes after them"


@pytest.mark.requirement(172)
@pytest.mark.parametrize(
    "length", ["-2", "+2", "0_2", "0x2", "2.0", "2, 2", "2 2", "", "9" * 20, "9" * 400, "\xb2", "two"]
)
def test_an_invalid_content_length_is_400_and_ends_the_connection(shop: Shop, length: str) -> None:
    assert framed(shop, [("Content-Length", length)], b"{}") == [400]
    assert framed(shop, [("Content-Length", "2"), ("Content-Length", "3")], b"{}") == [400]


@pytest.mark.requirement(173)
@pytest.mark.parametrize(
    "line",
    [("Transfer-Encoding", "xchunked"), ("Transfer-Encoding", "chunked, chunked"), ("Transfer-Encoding", "gzip, chunked"),
     ("Transfer-Encoding", "chunked, gzip"), ("Transfer-Encoding", "identity"), ("Transfer-Encoding", "\x0bchunked"),
     ("Transfer-Encoding ", "chunked"), ("Transfer-Encoding", '"chunked"'), ("Transfer-Encoding", "chunked;q=1")],
)  # fmt: skip
def test_a_transfer_coding_other_than_chunked_is_400_and_ends_the_connection(shop: Shop, line: tuple[str, str]) -> None:
    assert framed(shop, [line], WHOLE) == [400]
    assert framed(shop, [CHUNKED, line], WHOLE) == [400]


@pytest.mark.requirement(174)
@pytest.mark.parametrize(
    "body",
    [b"0x2\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n", b"2\r\n{}x\r\n0\r\n\r\n", b"2 \r\n{\r\n", b"\r\n{}",
     b"2\r\n{}\r\nzz\r\n", b"ffffffffffffffffff\r\n{}", b"2\n{}\n0\n\n", b"2\r\n{}\r\n", b"2"],
)  # fmt: skip
def test_an_invalid_chunk_is_400_and_ends_the_connection(shop: Shop, body: bytes) -> None:
    assert framed(shop, [CHUNKED], body) == [400]


@pytest.mark.requirement(175)
@pytest.mark.parametrize(
    "line", ["X-Without-Colon", "X-Space : y", ": y", "X-Nul: a\x00b", "X-Return: a\rb", "X\x01Y: z", " X: y"]
)
def test_an_invalid_header_line_is_400_and_ends_the_connection(shop: Shop, line: str) -> None:
    answer = raw(shop, f"Host: {shop.host}", f"Authorization: Bearer {shop.partner_token}", line)
    assert (answer.status, answer.closes) == (400, True)


@pytest.mark.requirement(175)
def test_bare_line_feeds_in_the_head_are_accepted_and_hide_nothing(shop: Shop) -> None:
    """Documented: the HTTP server accepts them (RFC 9112 section 2.2 allows it). What matters is that a proxy and the
    server cannot be made to disagree: a proxy in front rewrites the head."""
    sent = request_bytes("GET", DETAILS, shop.host, bearer(shop.partner_token)).replace(b"\r\n", b"\n")
    assert speak(shop.site.port, sent).data["email"] == shop.partner_email
    hidden = [("X-A", f"b\nAuthorization: Bearer {shop.partner_token}")]
    assert ask(shop, [*bearer(shop.partner_token), *hidden]).verdict == (401, -20), "a second line is a second line"
