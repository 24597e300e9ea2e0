"""The form of responses: envelope, problem document, headers, money, times, cursors, and safe repetition."""

import base64
import re
from decimal import Decimal

import pytest

from bedesten.gate.scopes import Surface
from tests.store.raw import raw
from tests.support.client import bearer
from tests.support.expected_routes import EXPECTED_ROUTES, ExpectedRoute, credential_for
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import Shop, fresh, line
from tests.support.wire import Answer

PROBLEM = "application/problem+json"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def goods(shop: Shop) -> SampleObjects:
    return create_sample_objects(shop)


@pytest.fixture(scope="module")
def answers(shop: Shop, goods: SampleObjects) -> list[tuple[ExpectedRoute, Answer]]:
    """A successful response of every route."""
    found = []
    for expected_route in EXPECTED_ROUTES.values():
        sample, client = expected_route.sample(shop, goods), shop.client(None, credential_for(shop, expected_route))
        found.append((expected_route, client.call(expected_route.method, sample.path, sample.body)))
        client.close()
    return found


@pytest.mark.requirement(165)
def test_every_success_is_200_with_the_envelope_and_every_answer_has_its_headers(
    answers: list[tuple[ExpectedRoute, Answer]],
) -> None:
    for expected_route, answer in answers:
        assert answer.status == 200, expected_route.name
        assert re.fullmatch(r"req_[0-9a-f]{24}", answer.header("x-request-id") or ""), expected_route.name
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("set-cookie") is None
        assert answer.header("server") == "bedesten", "R165"
        assert answer.header("x-powered-by") is None
        if expected_route.demand.kind != "public":
            assert answer.header("content-type") == "application/json"
            cacheable = expected_route.path == "/Storefront/Site/Configuration"
            assert answer.header("cache-control") == ("no-cache" if cacheable else "no-store")
            assert list(answer.json) == ["success", "message", "data"]
            assert (answer.json["success"], answer.json["message"]) == (True, "OK")


def test_every_time_is_utc_to_the_second_and_every_amount_has_its_currencys_digits(
    answers: list[tuple[ExpectedRoute, Answer]],
) -> None:
    times: list[str] = []
    amounts: list[tuple[str, object]] = []

    def collect_from(value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in ("created", "updated", "queued", "expires", "expiration") and inner is not None:
                    times.append(inner)
                if name in ("price", "unitPrice", "total", "balance", "held", "available", "amount", "creditLimit"):
                    amounts.append((name, inner))
                collect_from(inner)
        elif isinstance(value, list):
            for inner in value:
                collect_from(inner)

    for expected_route, answer in answers:
        if expected_route.demand.kind not in ("public", "keyed") or expected_route.demand.surface is Surface.PAYMENT:
            collect_from(answer.json if expected_route.demand.kind != "public" else {})

    assert len(times) > 10
    assert all(TIME.fullmatch(one) for one in times)
    assert len(amounts) > 15
    assert [one for one in amounts if not (isinstance(one[1], Decimal) and one[1].as_tuple().exponent == -2)] == []


def test_every_request_has_its_own_id(answers: list[tuple[ExpectedRoute, Answer]]) -> None:
    ids = [answer.header("x-request-id") for _, answer in answers]

    assert len(set(ids)) == len(ids)


def test_a_failure_says_its_number_twice_and_repeats_the_request_id(shop: Shop) -> None:
    answer = shop.reseller.post("/Orders/Get", {"orderReference": "never"})

    assert answer.status == 404
    assert answer.json == {
        "success": False,
        "message": answer.json["message"],
        "code": -3,
        "errorCode": -3,
        "data": None,
        "requestId": answer.header("x-request-id"),
    }
    assert answer.header("content-type") == "application/json"


def test_the_field_at_fault_is_named_as_the_wire_spells_it(shop: Shop) -> None:
    basket = [line(shop.card), {"deliverId": "2", "customerStoreProductId": shop.card, "quantity": "two"}]

    answer = shop.reseller.post("/Orders/Create", {"ORDERREFERENCE": "x", "basketdata": basket})

    assert answer.verdict == (400, -2)
    assert answer.fields == ["basketData[1].quantity"]
    assert answer.json["errors"][0]["message"]


@pytest.mark.parametrize(
    "accept",
    [
        PROBLEM,
        f"{PROBLEM}, application/json",
        f"application/json;q=0.5, {PROBLEM};q=0.5",
        f"text/html, {PROBLEM.upper()};q=0.9, application/json;q=0.8",
        f"{PROBLEM}, */*",
        f"*/*;q=0.1, {PROBLEM};q=0.2",
    ],
)
def test_a_caller_that_prefers_problem_documents_gets_one(shop: Shop, accept: str) -> None:
    answer = shop.reseller.post("/Orders/Get", {"orderReference": "never"}, [("Accept", accept)])

    assert answer.status == 404
    assert answer.header("content-type") == PROBLEM
    assert answer.json["status"] == 404
    assert answer.json["code"] == -3
    assert answer.json["requestId"] == answer.header("x-request-id")
    assert answer.json["title"]
    assert shop.client().get(answer.json["type"]).status == 200, "the type is a page about the error"
    assert answer.header("x-content-type-options") == "nosniff"


@pytest.mark.requirement(179)
@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "text/html",
        f"{PROBLEM};q=0.4, application/json;q=0.5",
        f"{PROBLEM};q=0",
        f"{PROBLEM};q=0.9, */*",
        f"application/*;q=0.8, {PROBLEM};q=0.7",
        f"{PROBLEM};q=high",
        "\xff\xfe",
    ],
)
def test_a_caller_that_does_not_prefer_problem_documents_gets_the_envelope(shop: Shop, accept: str) -> None:
    answer = shop.reseller.post("/Orders/Get", {"orderReference": "never"}, [("Accept", accept)])

    assert answer.header("content-type") == "application/json"
    assert answer.json["errorCode"] == -3


def test_a_problem_document_has_fields_data_and_challenge_like_the_envelope(shop: Shop) -> None:
    lines = [("Accept", PROBLEM)]
    wrong = shop.reseller.post("/Orders/Create", {"orderReference": 1, "basketData": []}, lines)
    refused = shop.reseller.post("/Orders/Create", shop.order("prd_0"), lines)
    unknown = shop.client().get("/Account/Details", lines)
    keyless = shop.client().post("/Supplier/Orders/Awaiting", {}, lines)

    assert (wrong.json["code"], wrong.json["errors"][0]["field"]) == (-2, "orderReference")
    assert (refused.status, refused.json["code"]) == (409, -200)
    assert refused.json["data"]["items"] == [{"deliverId": "1", "reason": "unknownProduct"}]
    assert (unknown.status, unknown.json["code"]) == (401, -20)
    assert (unknown.header("www-authenticate") or "").startswith("Bearer ")
    assert (keyless.status, keyless.json["code"]) == (401, -23)
    assert (keyless.header("www-authenticate") or "").startswith("ApiKey realm=")
    assert {one.header("cache-control") for one in (unknown, keyless)} == {"no-store"}


def test_two_accept_lines_are_one_list(shop: Shop) -> None:
    lines = [("Accept", "application/json;q=0.5"), ("Accept", PROBLEM)]

    assert shop.reseller.post("/Orders/Get", {"orderReference": "x"}, lines).header("content-type") == PROBLEM


@pytest.mark.requirement(192)
def test_only_the_storefront_sends_cors_headers(shop: Shop, answers: list[tuple[ExpectedRoute, Answer]]) -> None:
    origin = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")]
    preflights = [
        shop.client().call("OPTIONS", path, lines=origin)
        for path in ("/Orders/Create", "/Payment/Deposits/Create", "/Supplier/Products/List", "/Nothing")
    ]
    asked = [shop.client(None, origin).post(path) for path in ("/Orders/Create", "/Supplier/Products/List")]
    stranger = shop.client().call("OPTIONS", "/Storefront/Products/List", lines=origin)

    for answer in [*preflights, *asked, stranger, *(one for _, one in answers)]:
        assert [name for name, _ in answer.headers if name.startswith("access-control-allow")] == []


# --- keys and paths in any case ---------------------------------------------------------------------------------------


def test_keys_and_paths_are_case_insensitive_and_values_are_not(shop: Shop) -> None:
    client = shop.reseller
    reference = fresh("Case")
    basket = [{"DELIVERID": "1", "customerstoreproductid": shop.card, "QuanTity": 1}]

    placed = client.data("/ORDERS/cREATE", {"OrderReference": reference, "BASKETDATA": basket})

    assert placed["orderReference"] == reference
    assert client.data("/orders/get", {"orderreference": reference})["orderId"] == placed["orderId"]
    assert client.post("/Orders/Get", {"orderReference": reference.lower()}).verdict == (404, -3)
    detail = placed["details"][0]["orderDetailId"]
    assert client.get(f"/ORDERS/detail/{detail}").data["orderDetailId"] == detail
    assert client.get(f"/Orders/Detail/{detail.upper()}").verdict == (404, -3)


@pytest.mark.requirement(4, 7, 95)
def test_the_two_credential_headers_are_case_insensitive(shop: Shop) -> None:
    for name, scheme in (("authorization", "bearer"), ("AUTHORIZATION", "BEARER"), ("Authorization", "BeArEr")):
        client = shop.client(None, [(name, f"  {scheme} {shop.partner_token} \t")])
        assert client.get("/Account/Details").status == 200, "white space around the value is not part of it (R7)"
    for name in ("ApiKey", "apikey", "APIKEY"):
        client = shop.client(None, [(name, f" {shop.supplier_key.text}\t ")])
        assert client.post("/Supplier/Orders/Awaiting").status == 200


@pytest.mark.requirement(88)
def test_unknown_members_are_never_applied(shop: Shop, other_shop: Shop) -> None:
    beyond = {
        "tenant": other_shop.id,
        "tenantId": other_shop.id,
        "buyerId": other_shop.partner,
        "total": 0,
        "status": 1,
        "scope": "everything",
    }
    body = shop.order()

    refused = shop.reseller.post("/Orders/Create", {**body, **beyond})
    assert (*refused.verdict, set(refused.fields)) == (400, -2, set(beyond))

    placed = shop.reseller.data("/Orders/Create", body)
    assert placed["total"] == Decimal("5.00")
    read = shop.reseller.data("/Orders/Get", {"orderId": placed["orderId"], **beyond})
    assert read["total"] == Decimal("5.00")
    assert other_shop.reseller.post("/Orders/Get", {"orderId": placed["orderId"]}).verdict == (404, -3)


def test_an_absent_and_an_empty_body_count_as_an_empty_object(shop: Shop) -> None:
    for body in (b"", b"{}"):
        assert shop.reseller.post("/Products/List", body).data["items"]
    assert shop.reseller.post("/Products/List").data["items"]
    assert shop.reseller.post("/Orders/Get", b"").verdict == (400, -2)


# --- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(87)
@pytest.mark.parametrize("path", ["/Products/List", "/Storefront/Products/List", "/Supplier/Products/List"])
def test_a_cursor_belongs_to_one_list_of_one_tenant(shop: Shop, other_shop: Shop, path: str) -> None:
    surface = EXPECTED_ROUTES["POST", path].demand.surface
    cursor = shop.client(surface).data(path, {"pageSize": 1})["nextCursor"]

    assert len(shop.client(surface).data(path, {"cursor": cursor, "pageSize": 1})["items"]) == 1
    for wrong in (cursor + "=", cursor.swapcase(), "x", "AA", "\u00e9", " ", _pointing_at("\0", cursor), "A" * 301):
        answer = shop.client(surface).post(path, {"cursor": wrong})
        assert (*answer.verdict, answer.fields) == (400, -2, ["cursor"]), wrong
    assert other_shop.client(surface).post(path, {"cursor": cursor}).verdict == (400, -2)
    if surface is not Surface.SUPPLIER:
        assert shop.supplies.post("/Supplier/Products/List", {"cursor": cursor}).verdict == (400, -2)


def _pointing_at(where: str, cursor: str) -> str:
    """A forged cursor: its last three bytes are replaced."""
    plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    return base64.urlsafe_b64encode(plain[:-3] + where.encode()).decode().rstrip("=")


def test_a_forged_cursor_is_400_on_both_engines(each_shop: Shop) -> None:
    cursor = each_shop.reseller.data("/Products/List", {"pageSize": 1})["nextCursor"]

    for where in ("\0", "\ud7ff\0", "'--", " "):
        answer = each_shop.reseller.post("/Products/List", {"cursor": _pointing_at(where, cursor)})
        assert (*answer.verdict, answer.fields) == (400, -2, ["cursor"])


@pytest.mark.requirement(160)
@pytest.mark.parametrize("path", ["/Products/List", "/Storefront/Products/List", "/Supplier/Orders/Awaiting"])
def test_a_page_has_1_to_200_items(shop: Shop, path: str) -> None:
    client = shop.client(EXPECTED_ROUTES["POST", path].demand.surface)

    assert [client.post(path, {"pageSize": size}).status for size in (1, 200)] == [200, 200]
    for size in (0, -1, 201, 10**30):
        answer = client.post(path, {"pageSize": size})
        assert (*answer.verdict, answer.fields) == (400, -2, ["pageSize"])


@pytest.mark.parametrize(
    "since",
    ["yesterday", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00+00:00", "2024-13-01T00:00:00Z",
     "2024-1-1T0:0:0Z", "٢٠٢٤-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z", " 2024-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_time_has_exactly_one_form(shop: Shop, since: str) -> None:
    answer = shop.reseller.post("/Products/List", {"updatedSince": since})

    assert (*answer.verdict, answer.fields) == (400, -2, ["updatedSince"])


def test_updated_since_includes_what_changed_at_that_second(shop: Shop, goods: SampleObjects) -> None:
    assert shop.supplies.data("/Supplier/Orders/Awaiting", {"updatedSince": "2020-01-01T00:00:00Z"})["items"]
    client = shop.reseller
    updated = client.data(f"/Products/Detail/{shop.card}")["updated"]
    year = int(updated[:4])

    found = client.data("/Products/List", {"updatedSince": updated})["items"]

    assert shop.card in [one["customerStoreProductId"] for one in found]
    later = {"updatedSince": f"{year + 1}{updated[4:]}"}
    assert client.data("/Products/List", later)["items"] == []
    assert shop.supplies.data("/Supplier/Products/List", later)["items"] == []
    assert shop.supplies.data("/Supplier/Orders/Awaiting", later)["items"] == []
    assert client.data("/Products/List", {"updatedSince": "0001-01-01T00:00:00Z"})["items"]


# --- regions ----------------------------------------------------------------------------------------------------------


def test_the_region_selects_which_products_are_shown_and_sold(shop: Shop) -> None:
    regional = shop.regional("TR")
    turkey = shop.client(Surface.RESELLER, [("h-region-code", "tr")])

    assert turkey.data(f"/Products/Detail/{regional}")["region"] == "TR"
    assert turkey.data("/Orders/Create", shop.order(regional))["total"] == Decimal("1.00")
    assert shop.reseller.post(f"/Products/Detail/{regional}").verdict == (404, -3)
    assert shop.reseller.post("/Orders/Create", shop.order(regional)).verdict == (409, -200)
    shown = [one["customerStoreProductId"] for one in shop.reseller.data("/Products/List", {"pageSize": 200})["items"]]
    assert regional not in shown
    assert shop.card in shown
    for wrong in ("x", "T R", "a" * 17, "\xe9\xe9", ""):
        answer = shop.client(Surface.RESELLER, [("h-region-code", wrong)]).post("/Products/List")
        assert (*answer.verdict, answer.fields) == (400, -2, ["h-region-code"])


# --- sending again ----------------------------------------------------------------------------------------------------


def test_an_idempotency_key_repeats_the_first_answer_and_refuses_other_content(shop: Shop) -> None:
    partner = shop.token(Surface.RESELLER, shop.partner)
    client = shop.client(None, [*bearer(partner), ("Idempotency-Key", fresh("key"))])
    body = {"orderReference": fresh("order"), "basketData": [line(shop.card)]}
    before = shop.reseller.get("/Account/Details").data["balance"]

    first = client.post("/Orders/Create", body)
    again = client.post("/order/create", {name.upper(): value for name, value in body.items()})

    assert first.data["details"][0]["price"] == Decimal("5.00")
    assert again.data == first.data
    assert client.post("/Orders/Create", {**body, "orderReference": fresh("order")}).verdict == (409, -8)
    assert shop.reseller.get("/Account/Details").data["balance"] == before - 5


def test_the_text_of_an_idempotency_key_is_not_in_the_store(shop: Shop) -> None:
    """The caller chooses it, and may send the credential by mistake."""
    key = fresh("key")
    client = shop.client(None, [*bearer(shop.token(Surface.RESELLER, shop.partner)), ("Idempotency-Key", key)])
    body = {"orderReference": fresh("order"), "basketData": [line(shop.card)]}
    assert client.post("/Orders/Create", body).status == 200
    with raw(shop.site.installation.settings) as other:
        kept = [name for (name,) in other.rows("SELECT key FROM idempotency")]
    assert kept
    assert not [name for name in kept if key in name]


def test_an_idempotency_key_belongs_to_one_owner(shop: Shop, other_shop: Shop) -> None:
    key = [("Idempotency-Key", fresh("key"))]
    upload = {"productId": shop.card, "codes": [fresh("IDEM")]}

    first = shop.supplies.post("/Supplier/Stock/Upload", upload, key)
    again = shop.supplies.post("/Supplier/Stock/Upload", upload, key)
    foreign = other_shop.supplies.post(
        "/Supplier/Stock/Upload", {"productId": other_shop.card, "codes": [fresh("I")]}, key
    )

    assert (first.data["added"], again.data["added"]) == (1, 1), "the first answer, not a second upload's"
    assert foreign.data["added"] == 1
    assert shop.supplies.post("/Supplier/Stock/Upload", upload).data["added"] == 0
    assert shop.supplies.post("/Supplier/Stock/Upload", {**upload, "codes": ["Z"]}, key).verdict == (409, -8)


def test_an_idempotency_key_repeats_a_refusal_for_state_but_a_malformed_request_may_be_corrected(shop: Shop) -> None:
    key, order = [("Idempotency-Key", fresh("key"))], shop.order("prd_0")

    assert shop.reseller.post("/Orders/Create", {**order, "basketData": []}, key).verdict == (400, -2)
    first = shop.reseller.post("/Orders/Create", order, key)
    again = shop.reseller.post("/Orders/Create", order, key)

    assert (first.verdict, again.verdict) == ((409, -200), (409, -200))
    assert again.json["data"] == first.json["data"]
    assert shop.reseller.post("/Orders/Create", shop.order(), key).verdict == (409, -8)
    assert shop.reseller.post("/Orders/Create", shop.order(), [("Idempotency-Key", fresh("key"))]).status == 200


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "caf\xe9", "a\tb"])
def test_an_idempotency_key_is_printable_ascii_of_bounded_length(shop: Shop, key: str) -> None:
    answer = shop.reseller.post("/Orders/Create", shop.order(), [("Idempotency-Key", key)])

    assert (*answer.verdict, answer.fields) == (400, -2, ["Idempotency-Key"])


# --- amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(180)
@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "0.001", "12.505", "1e-3", "1e16", "1e999", "-0.0", "999999999999999999999",
     "12.50000000000000000000000000000000000000001", "0.0100000000000000000000000000000000001",
     '"12.5"', '" 12.5 "', '"1_0"', '"NaN"', '"Infinity"', "true", "null", "[12.5]", '{"value":1}'],
)  # fmt: skip
def test_an_invalid_amount_is_refused_and_its_field_is_named(shop: Shop, amount: str) -> None:
    body = f'{{"partner":"{shop.partner}","reference":"{fresh("bad")}","amount":{amount}}}'

    answer = shop.payments.post("/Payment/Deposits/Create", body.encode())

    assert (*answer.verdict, answer.fields) == (400, -2, ["amount"])


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("1", "1.00"), ("1.5", "1.50"), ("0.01", "0.01"), ("1e2", "100.00"), ("12.500000", "12.50"),
     ("0.1e1", "1.00"), ("9007199254740993", None), ("9999999999999.99", "9999999999999.99"),
     ("4503599627370.49", "4503599627370.49")],
)  # fmt: skip
def test_an_amount_is_exact_to_the_last_digit(shop: Shop, amount: str, shown: str | None) -> None:
    partner = shop.operator.account(shop.id, "partner", f"{fresh('exact')}@example.com")  # no credit: any deposit fits
    body = f'{{"partner":"{partner}","reference":"{fresh("exact")}","amount":{amount}}}'

    answer = shop.payments.post("/Payment/Deposits/Create", body.encode())

    if shown is None:
        assert answer.verdict == (400, -2)
    else:
        assert f'"amount":{shown},'.encode() in answer.body


def test_a_currency_without_cents_has_amounts_without_a_fraction(shop: Shop) -> None:
    yen = shop.sister("yen", "JPY")
    body = {"partner": yen.partner, "amount": 1500, "reference": fresh("yen")}

    assert b'"amount":1500,"currency":"JPY"' in yen.payments.post("/Payment/Deposits/Create", body).body
    assert yen.payments.post("/Payment/Deposits/Create", {**body, "amount": 0.5}).verdict == (400, -2)
