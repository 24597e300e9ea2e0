"""Schemathesis runs all of its checks against every operation of a running server, with good credentials.

Three of its defaults are changed, for these reasons:

- Strings with U+0000 are not generated (`allow-x00`): the server refuses them everywhere, and a schema that said so
  would need a pattern at every string.
- 413 may also refuse an invalid request (`negative_data_rejection` does not expect it): a body that is too long for its
  route may be too long for a field, too.
- `only_rules_refuse_what_the_schema_takes` replaces `positive_data_acceptance` and is stricter: a request that matches
  the schema may be refused with 400 only for a listed field, whose rule no schema can express.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.adapters import HTTPAdapter
from schemathesis import Case, CheckContext
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from bedesten.apidocs.openapi_routes import document as surface_document
from bedesten.gate.scopes import Surface
from bedesten.http.schemas import encode
from bedesten.surfaces import example_values
from tests.openapi.conftest import ServedShop
from tests.support.client import api_key, bearer
from tests.support.schema import DOCUMENTS
from tests.support.shop import Shop, fresh
from tests.support.wire import fresh_address

pytestmark = pytest.mark.external

Decorator = Callable[[Callable[..., None]], Callable[..., None]]
EXAMPLES = 12
"""Random requests per operation, besides those that schemathesis derives from the schemas."""
CONFIG = {
    "generation": {"allow-x00": False, "max-examples": EXAMPLES, "deterministic": True, "database": "none"},
    "checks": {
        "negative_data_rejection": {
            "expected-statuses": [400, 401, 403, 404, 405, 406, 409, 413, 415, 421, 422, 429, 503]
        }
    },
    "parameters": {"productId": example_values.CARD, "orderDetailId": example_values.CARD_LINE},
}
RULES: Mapping[str, str] = {
    r"cursor": "a cursor is one that the server gave for this list",
    r"updatedSince": "a day that the month has",
    r"((items|basketData)\[\]\.)?requireData": "a requirement is answered once, and only one that the product has",
    r"basketData": "a deliverId stands once",
    r"basketData\[\]\.maxUnitPrice|products\[\]\.cost|amount|threshold": "as many digits as the shop's currency has",
    r"notifyUrl": "an absolute URL that webhooks may go to",
    r"orderId": "exactly one of orderId and orderReference; a payment's order",
    r"email|newEmail": "an e-mail address",
    r"basketVersion|items": "only together with fromBasket; items or fromBasket, not both",
    r"quantity": "a change of the basket changes the quantity or the answers",
    r"password|newPassword": "not easy to guess, nor shorter than the shop wants it",
    r"currency": "the shop's own",
    r"products": "a sku stands once",
    r"productId": "a product that keeps stock",
    r"deliveryData": "codes or a note, and each code once",
    r"codes": "1 to 1,000 together with those of items",
    r"(codes|deliveryData)\[\]|(items|deliveryItems)\[\]\.code": "no title of a column, no row, no shortened number",
    r"(items|deliveryItems)\[\]\.expires": "a day of the years 2000 to 9000",
    r"depositId|paymentId": "the id or the reference",
    r"batchId": "exactly one of batchId and codes",
    r"deliveryId": "exactly one of deliveryId and endpointId with a range",
    r"code": "a code of the line",
    r"text": "is required with the reason OTHER",
    r"eventTypes(\[\])?": "types of the surface",
    r"((items|deliveryItems)\[\]\.)?url": "an absolute https URL that webhooks may go to",
    r"promisedBy|from|to|createdFrom|createdTo|bookedFrom|bookedTo|occurredAt": "a time, in the future where it is promised",
}
"""Fields that the server may refuse although the request matches the schema, and the rule."""
TEXT_RULES = ("must not be blank", "must not hold ", "must hold printable ", "must not have the form of an id")
"""What the kinds of text refuse besides their length, in any text field."""
LOGINS = {"customersEmailChange", "generateToken", "customersLogin", "customersPassword"}
LINKS = {"resetPassword", "customersPasswordReset", "customersVerify", "customersEmailConfirm"}
SPENDING = {"keysRotate", "keysRevoke", "customersLogout", "customersPassword"}
"""Operations that end the credential or replace it: each request gets its own."""


_asked_for_credentials: set[tuple[Surface, str]] = set()
"""Operations already seen to refuse the same request without a credential and with a wrong one. Once is enough: these
requests come from one address, and too many of its refusals would end in 429."""


@schemathesis.check
def only_rules_refuse_what_the_schema_takes(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A request that matches the schema is refused with 400 only for one of `RULES`, or by a login."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or response.status_code != 400:
        return
    outcome = response.json()
    if outcome["code"] == -26:
        assert operation_id(case) in LOGINS
        return
    if outcome["code"] == -30:
        assert operation_id(case) in LINKS
        return
    faults = outcome.get("errors", ())
    assert faults, "what is refused is named"
    fields = [re.sub(r"\[\d+\]", "[]", one["field"]) for one in faults if not one["message"].startswith(TEXT_RULES)]
    assert all(any(re.fullmatch(rule, field) for rule in RULES) for field in fields), outcome


def operation_id(case: Case[Any]) -> str:
    return str(case.operation.definition.raw["operationId"])


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def credential(shop: Shop, surface: Surface, name: str) -> dict[str, str]:
    """The header of the right credential, or of an additional one if the operation may end it."""
    if name not in SPENDING:
        return dict(shop.lines(surface))
    if surface.uses_tokens:
        customer = shop.operator.account(shop.id, "customer", f"{fresh('spare')}@example.com")
        return dict(bearer(shop.token(surface, customer)))
    owner = shop.supplier if surface is Surface.SUPPLIER else shop.integration
    return dict(api_key(shop.operator.key(shop.id, surface, owner).text))


def try_out(case: Case[Any], served_shop: ServedShop, session: requests.Session, surface: Surface) -> None:
    """Sends the request and runs every check on its answer.

    Valid requests get a fresh `Idempotency-Key`: the same one with other content would be a conflict.
    """
    if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE and "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = fresh("key")
    name = operation_id(case)
    adapter = HTTPAdapter()
    adapter.init_poolmanager(4, 4, source_address=(fresh_address(), 0))  # refusals count by address
    session.mount("http://", adapter)
    answer = case.call_and_validate(
        base_url=served_shop.url,
        session=session,
        headers=credential(served_shop.shop, surface, name),
        excluded_checks=[
            positive_data_acceptance,
            *([ignored_auth] if (surface, name) in _asked_for_credentials else []),
        ],
    )
    if answer.status_code == 200 and case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        _asked_for_credentials.add((surface, name))


def requests_of(surface: Surface) -> Decorator:
    """Parametrizes a test with the requests generated from the surface's document, operation by operation."""
    document = json.loads(encode(surface_document(surface, "http://127.0.0.1")))
    made: Decorator = schemathesis.openapi.from_dict(
        document, config=SchemathesisConfig.from_dict(CONFIG)
    ).parametrize()
    return made


bounded = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)


@requests_of(Surface.RESELLER)
@bounded
def test_the_reseller_surface_passes_every_check(
    case: Case[Any], served_example_shop: ServedShop, session: requests.Session
) -> None:
    try_out(case, served_example_shop, session, Surface.RESELLER)


@requests_of(Surface.STOREFRONT)
@bounded
def test_the_storefront_surface_passes_every_check(
    case: Case[Any], served_example_shop: ServedShop, session: requests.Session
) -> None:
    try_out(case, served_example_shop, session, Surface.STOREFRONT)


@requests_of(Surface.PAYMENT)
@bounded
def test_the_payment_surface_passes_every_check(
    case: Case[Any], served_example_shop: ServedShop, session: requests.Session
) -> None:
    try_out(case, served_example_shop, session, Surface.PAYMENT)


@requests_of(Surface.SUPPLIER)
@bounded
def test_the_supplier_surface_passes_every_check(
    case: Case[Any], served_example_shop: ServedShop, session: requests.Session
) -> None:
    try_out(case, served_example_shop, session, Surface.SUPPLIER)


def test_no_check_is_left_out_and_every_named_operation_exists() -> None:
    assert {check.__name__ for check in CHECKS.get_all()} >= {
        "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
        "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
        "allow_header_conformance", "ignored_auth", "only_rules_refuse_what_the_schema_takes",
    }  # fmt: skip
    named = {operation.id for document in DOCUMENTS.values() for operation in document.operations.values()}
    assert named >= LOGINS | LINKS | SPENDING
