"""Invalid bodies are refused in bounded time, with the contract's numbers, and nothing is kept."""

import json
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.support.client import Client, bearer, encoded, request_bytes
from tests.support.expected_routes import EXPECTED_ROUTES
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import Shop, fresh, line
from tests.support.wire import Connection


def _with_member(member: bytes, text: bytes) -> bytes:
    """The object with one more member at its end."""
    return text[:-1] + b"," + member + b"}"


def _again(text: bytes, spelt: Callable[[str], str]) -> bytes:
    """The object with its first member repeated under another spelling of its name."""
    name, value = next(iter(json.loads(text).items()))
    return _with_member(encoded({spelt(name): value})[1:-1], text)


@pytest.fixture(scope="module", autouse=True)
def lenient(shop: Shop) -> Iterator[None]:
    """Makes the tenant lenient: only the JSON is invalid here; unknown members have their own tests."""
    shop.operator.within(shop.id, lambda tx: tenants.set_lenient(tx, True))
    yield
    shop.operator.within(shop.id, lambda tx: tenants.set_lenient(tx, False))


ROUTES = {
    "/Orders/Create": Surface.RESELLER,
    "/Login/Customer/Api/Verify": None,
    "/Storefront/Customers/Register": None,
    "/Storefront/Checkout/Create": Surface.STOREFRONT,
    "/Payment/Deposits/Create": Surface.PAYMENT,
    "/Supplier/Products/Upsert": Surface.SUPPLIER,
}
every_route = pytest.mark.parametrize("path", ROUTES)

MEMBERS = {
    "a leading zero": b'"a":01',
    "a plus": b'"a":+1',
    "a lone minus": b'"a":-',
    "a bare point": b'"a":.5',
    "a point at the end": b'"a":5.',
    "hexadecimal": b'"a":0x10',
    "NaN": b'"a":NaN',
    "Infinity": b'"a":Infinity',
    "minus Infinity": b'"a":-Infinity',
    "an exponent beyond bounds": b'"a":1e1000',
    "a tiny exponent beyond bounds": b'"a":1e-99999999999',
    "an integer of 5000 digits R180": b'"a":' + b"9" * 5000,
    "a fraction of 5000 digits": b'"a":0.' + b"9" * 5000,
    "a raw line break in a string": b'"a":"\n"',
    "a raw tab in a string": b'"a":"\t"',
    "an unknown escape": b'"a":"\\x41"',
    "half an escape": b'"a":"\\u12"',
    "U+0000 escaped": b'"a":"\\u0000"',
    "U+0000 raw": b'"a":"\x00"',
    "a lone high surrogate": b'"a":"\\ud800"',
    "a lone low surrogate": b'"a":"\\udc00"',
    "surrogates the wrong way round": b'"a":"\\udc00\\ud800"',
    "a lone surrogate in a key": b'"\\ud800":1',
    "U+0000 in a key": b'"a\\u0000":1',
    "Latin-1": b'"a":"\xe9"',
    "an overlong encoding": b'"a":"\xc0\xaf"',
    "an encoded surrogate": b'"a":"\xed\xa0\x80"',
    "beyond Unicode": b'"a":"\xf4\x90\x80\x80"',
    "a cut sequence": b'"a":"\xe4\xb8"',
    "a member twice": b'"a":1,"a":1',
    "a member twice after folding": b'"a":1,"A":1',
    "a member twice, spelt differently": b'"a":1,"\\u0061":2',
    "an inner member twice": b'"x":{"b":1,"b":1}',
    "an inner member twice after folding": b'"x":{"b":1,"B":2}',
    "a member of a list twice": b'"x":[{"b":1,"b":1}]',
    "100 arrays": b'"a":' + b"[" * 100 + b"]" * 100,
    "20,000 nested arrays": b'"a":' + b"[" * 20_000 + b"]" * 20_000,
    "5,000 nested objects": b'"a":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "single quotes": b"'a':1",
    "a bare key": b"a:1",
    "a comment": b'"a":1 /* x */',
    "a member without a value": b'"a"',
    "nothing behind a comma": b"",
}
"""One unknown member, which the server would ignore if it were valid JSON."""

WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "nothing but white space": lambda text: b" \n\t ",
    "a word": lambda text: b"hello",
    "something behind": lambda text: text + b" x",
    "twice the same": lambda text: text + text,
    "all but its end": lambda text: text[:-1],
    "a list of it": lambda text: b"[" + text + b"]",
    "a string of it": lambda text: encoded(text.decode()),
    "a leading comma": lambda text: b"{," + text[1:],
    "its first member again": lambda text: _again(text, str),
    "its first member again, in upper case": lambda text: _again(text, str.upper),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.decode().encode("utf-16-le"),
    "UTF-32": lambda text: text.decode().encode("utf-32-be"),
    "a byte of zero at its end": lambda text: text + b"\0",
    "10,000 open arrays": lambda text: b"[" * 10_000,
    "10,000 open objects": lambda text: b'{"a":' * 10_000,
    "YAML": lambda text: b"a: 1",
    "XML": lambda text: b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    "a form": lambda text: b"email=a%40b.c&password=x",
}
FLAWS = WHOLE | {what: partial(_with_member, member) for what, member in MEMBERS.items()}


@pytest.fixture(scope="module")
def clients(shop: Shop) -> dict[str, Client]:
    return {path: shop.client(surface) for path, surface in ROUTES.items()}


@pytest.fixture(scope="module")
def goods(shop: Shop) -> SampleObjects:
    return create_sample_objects(shop)


def right_body(shop: Shop, goods: SampleObjects, path: str) -> bytes:
    """A valid body of the route."""
    return encoded(EXPECTED_ROUTES["POST", path].sample(shop, goods).body)


@every_route
def test_the_body_with_an_unknown_member_of_valid_json_is_accepted(
    shop: Shop, goods: SampleObjects, clients: dict[str, Client], path: str
) -> None:
    text = right_body(shop, goods, path)

    assert clients[path].post(path, _with_member(b'"a":{"A":[1e5,-0.0,null,"\\ud83d\\ude00"]}', text)).status == 200


@pytest.mark.requirement(129, 180)
@every_route
@pytest.mark.parametrize("what", FLAWS)
def test_a_body_that_is_not_strict_json_is_refused(
    shop: Shop, goods: SampleObjects, clients: dict[str, Client], path: str, what: str
) -> None:
    answer = clients[path].post(path, FLAWS[what](right_body(shop, goods, path)))

    assert answer.verdict == (400, -2)
    assert answer.fields == [""], "it is the body that is at fault, not a field"
    assert len(answer.raw) < 1000, "nothing of what was sent comes back"


def test_the_refusal_of_broken_json_names_only_the_place(shop: Shop) -> None:
    raw = b'{"orderReference": "PO-secret",\n "basketData": [{"deliverId": hush}]}'

    answer = shop.reseller.post("/Orders/Create", raw)

    assert answer.json["errors"] == [{"field": "", "message": "not JSON: line 2, column 31"}]
    assert b"hush" not in answer.raw
    assert b"PO-secret" not in answer.raw
    twice = shop.reseller.post("/Orders/Create", b'{"orderReference": 1, "ORDERREFERENCE": 2}')
    assert twice.json["errors"] == [{"field": "", "message": "a member stands twice"}]
    assert shop.reseller.post("/Orders/Create", b"[1]").json["errors"] == [
        {"field": "", "message": "must be an object"}
    ]


def test_an_amount_with_too_many_digits_is_refused_and_one_with_trailing_zeros_is_accepted(shop: Shop) -> None:
    body = b'{"partner":"%s","reference":"%s","amount":%s}'
    reference = fresh("digits").encode()
    for amount, status in ((b"1" + b"0" * 39, 400), (b"1" + b"0" * 40, 400), (b"1.50" + b"0" * 90, 200)):
        raw = body % (shop.partner.encode(), reference, amount)
        assert shop.payments.post("/Payment/Deposits/Create", raw).status == status


def test_strict_json_is_accepted_in_any_spelling(shop: Shop) -> None:
    reference = fresh("spelt")
    basket = encoded([line(shop.card)])
    body = (
        b' \r\n\t{"\\u006frderReference" : "' + reference.encode() + b'\\ud83d\\ude00\\/" , "basketData":' + basket
        + b', "ignored":[[[[{"deep":[1e5,-0.0,"\\u00e9"]}]]]]}\n'
    )  # fmt: skip

    placed = shop.reseller.post("/Orders/Create", body)

    assert placed.data["orderReference"] == reference + "\U0001f600/"


# --- media types ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(129, 178, 194)
@every_route
@pytest.mark.parametrize(
    "lines",
    [[("Content-Type", kind)] for kind in (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
        "application/json-patch+json", "application/jsonx", "application", "json", "", "application/json; charset=utf-16",
        "application/json; charset=latin-1", "application/json, text/plain", "text/json")]
    + [[("Content-Type", "application/json"), ("Content-Encoding", coding)] for coding in ("gzip", "br", "identity, br")],
    ids=lambda lines: " ".join(value for _, value in lines) or "empty",
)  # fmt: skip
def test_another_media_type_or_coding_is_415(
    clients: dict[str, Client], path: str, lines: list[tuple[str, str]]
) -> None:
    assert clients[path].post(path, b"{}", lines).verdict == (415, -6)


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"',
     " application/json ;  charset=utf-8 "],
)  # fmt: skip
def test_the_json_media_type_is_accepted_in_every_spelling(shop: Shop, kind: str) -> None:
    assert shop.client().post("/Storefront/Products/List", b"{}", [("Content-Type", kind)]).status == 200


def test_the_content_coding_identity_is_accepted(shop: Shop) -> None:
    assert shop.reseller.post("/Products/List", b"{}", [("Content-Encoding", "identity")]).status == 200


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(176)
@every_route
def test_a_body_beyond_the_limit_is_413_whether_announced_or_not(shop: Shop, path: str) -> None:
    surface = ROUTES[path]
    lines = [*(shop.lines(surface) if surface else ()), ("Content-Type", "application/json")]
    for size in (1024 * 1024 + 1, 11 * 1024 * 1024):
        with Connection(shop.site.port) as connection:
            head = request_bytes("POST", path, shop.host, [*lines, ("Content-Length", str(size))])
            assert connection.exchange(head).verdict == (413, -5), "it is refused before it is sent"
    with Connection(shop.site.port) as connection:
        connection.send(request_bytes("POST", path, shop.host, [*lines, ("Transfer-Encoding", "chunked")]))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(17):
            connection.send(chunk)
        assert connection.receive().verdict == (413, -5), "an endless one as soon as it is too long"


def test_a_body_of_exactly_the_limit_is_read(shop: Shop) -> None:
    for path, surface, limit in (
        ("/Products/List", Surface.RESELLER, 64 * 1024),
        ("/Supplier/Stock/Upload", Surface.SUPPLIER, 1024 * 1024),
    ):
        client = shop.client(surface)
        assert client.post(path, b"{}".ljust(limit)).status != 413
        assert client.post(path, b"{}".ljust(limit + 1)).verdict == (413, -5)


@pytest.mark.requirement(183)
def test_a_refused_caller_need_not_send_its_body(shop: Shop) -> None:
    lines = [("Expect", "100-continue"), ("Content-Type", "application/json"), ("Content-Length", "50000")]
    with Connection(shop.site.port) as connection:
        answer = connection.exchange(request_bytes("POST", "/Orders/Create", shop.host, lines))
        assert answer.verdict == (401, -20)
    order = encoded(shop.order())
    lines = [*bearer(shop.partner_token), *lines[:2], ("Content-Length", str(len(order)))]
    with Connection(shop.site.port) as connection:
        connection.send(request_bytes("POST", "/Orders/Create", shop.host, lines))
        assert connection.interim() == 100
        connection.send(order)
        assert connection.receive().status == 200


@pytest.mark.requirement(174)
def test_garbage_in_place_of_a_chunk_is_never_a_server_error(shop: Shop) -> None:
    head = [*bearer(shop.partner_token), ("Transfer-Encoding", "chunked"), ("Content-Type", "application/json")]
    for garbage in (
        b"zz\r\n{}\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"2\r\n{}!!",
        b"\r\n\r\n",
        b"ffffffffffffffffff\r\n{}",
    ):
        with Connection(shop.site.port) as connection:
            connection.send(request_bytes("POST", "/Products/List", shop.host, head) + garbage)
            connection.half_close()
            answer = connection.receive_or_end()
            assert answer is None or answer.status == 400, garbage
