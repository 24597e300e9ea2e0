"""Webhooks that cannot arrive: their URLs are refused at once if that can be known, else failures are logged."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from bedesten.gate.scopes import Surface
from tests.store.raw import raw
from tests.support.client import bearer
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh
from tests.support.sites import Site

SENT = frozenset({"deliveries", "delivery_attempts", "webhook_endpoints"})
"""Tables that the worker changes independently of requests."""
PRIVATE = ("https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[fd00::1]/", "http://10.0.0.1/x")


@pytest.mark.parametrize("url", PRIVATE)
def test_an_order_that_names_a_private_address_is_refused_at_once_with_its_field(each_shop: Shop, url: str) -> None:
    before = each_shop.site.rows(each_shop.id, without=SENT)
    answer = each_shop.reseller.post("/Orders/Create", {**each_shop.order(), "notifyUrl": url})

    assert (*answer.verdict, answer.fields) == (400, -2, ["notifyUrl"])
    assert "private address" in answer.json["errors"][0]["message"]
    assert each_shop.site.rows(each_shop.id, without=SENT) == before


def test_an_order_may_name_a_private_address_once_the_operator_allows_its_network_and_can_be_repeated(
    each_shop: Shop, each_operator: Operator
) -> None:
    body = {**each_shop.order(), "notifyUrl": "https://10.99.0.1/x"}
    assert each_shop.reseller.post("/Orders/Create", body).verdict == (400, -2)
    with each_operator.webhooks_to("10.99.0.0/16"):
        placed = each_shop.reseller.data("/Orders/Create", body)
    assert each_shop.reseller.data("/Orders/Create", body) == placed
    other = {**each_shop.order(), "notifyUrl": "https://10.99.0.1/x"}
    assert each_shop.reseller.post("/Orders/Create", other).verdict == (400, -2)


def test_the_log_line_of_a_failing_webhook_names_its_owner_and_its_target(
    each_shop: Shop, each_operator: Operator, each_site: Site
) -> None:
    partner = each_operator.account(each_shop.id, "partner", f"{fresh('deaf')}@example.com")
    each_operator.credit(each_shop.id, partner, 10_00)
    each_operator.endpoint(each_shop.id, partner, "https://no-such-host.invalid:8443/hooks/s3cr3t?token=s3cr3t")
    client = each_shop.client(lines=bearer(each_shop.token(Surface.RESELLER, partner)))

    answer = client.post("/Orders/Create", each_shop.order())
    order = answer.data

    line = _log_line(each_site, "webhook", order["orderId"])
    assert order["total"] == Decimal("5.00")
    assert {name: line[name] for name in ("tenant", "partner", "order", "line", "host", "level", "status")} == {
        "tenant": each_shop.id,
        "partner": partner,
        "order": order["orderId"],
        "line": order["details"][0]["orderDetailId"],
        "host": "no-such-host.invalid:8443",
        "level": "warning",
        "status": None,
    }
    assert line["request_id"] == answer.header("x-request-id")
    assert "s3cr3t" not in json.dumps(line)


def test_each_event_is_stored_with_the_request_that_caused_it_even_in_a_group_commit(
    each_shop: Shop, each_operator: Operator, each_site: Site
) -> None:
    """Including a later change of the line by a request of another account."""
    stored = "SELECT request_id, status FROM events WHERE tenant_id = :tenant AND line_id = :line ORDER BY sequence"

    def place(number: int) -> tuple[str | None, str]:
        client = each_shop.client(Surface.RESELLER)
        answer = client.post("/Orders/Create", each_shop.order(each_shop.topup if number == 0 else None))
        client.close()
        return answer.header("x-request-id"), answer.data["details"][0]["orderDetailId"]

    with ThreadPoolExecutor(8) as buyers:
        placed = list(buyers.map(place, range(24)))
    rejected = each_shop.supplies.post(
        "/Supplier/Orders/Reject", {"orderDetailId": placed[0][1], "reason": "none left"}
    )
    assert rejected.status == 200
    with raw(each_site.installation.settings) as database:
        found = [database.rows(stored, tenant=each_shop.id, line=line) for _, line in placed]
    assert found[0] == [(placed[0][0], 2), (rejected.header("x-request-id"), 0)]
    assert found[1:] == [[(request, 1)] for request, _ in placed[1:]]
    assert len({request for request, _ in placed}) == 24


def _log_line(site: Site, event: str, order: str) -> dict[str, object]:
    """Waits for the first log line about an order."""
    for _ in range(600):
        for text in site.log.read_text("utf-8").splitlines():
            if order in text and text.startswith("{"):
                line: dict[str, object] = json.loads(text)
                if line.get("event") == event:
                    return line
        time.sleep(0.1)
    raise AssertionError("the log says nothing of it")
