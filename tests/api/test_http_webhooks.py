"""Webhooks that cannot arrive: refused at once where that can be known, and told of in the log where it shows later."""

import json
import time
from decimal import Decimal

import pytest

from bedesten.gate.scopes import Surface
from tests.support.client import bearer
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh
from tests.support.sites import Site

SENT = frozenset({"deliveries", "delivery_attempts", "webhook_endpoints"})
"""What the worker changes beside the requests."""
PRIVATE = ("https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[fd00::1]/", "http://10.0.0.1/x")


@pytest.mark.parametrize("url", PRIVATE)
def test_an_order_that_names_a_private_address_is_refused_at_once_with_its_field(each_shop: Shop, url: str) -> None:
    before = each_shop.site.rows(each_shop.id, without=SENT)
    answer = each_shop.reseller.post("/Orders/Create", {**each_shop.order(), "notifyUrl": url})

    assert (*answer.told, answer.fields) == (400, -2, ["notifyUrl"])
    assert "private address" in answer.json["errors"][0]["message"]
    assert each_shop.site.rows(each_shop.id, without=SENT) == before


def test_an_order_may_name_it_once_the_operator_allowed_its_network_and_sent_again_it_is_the_same_order(
    each_shop: Shop, each_operator: Operator
) -> None:
    body = {**each_shop.order(), "notifyUrl": "https://10.99.0.1/x"}
    assert each_shop.reseller.post("/Orders/Create", body).told == (400, -2)
    with each_operator.webhooks_to("10.99.0.0/16"):
        placed = each_shop.reseller.data("/Orders/Create", body)
    assert each_shop.reseller.data("/Orders/Create", body) == placed
    other = {**each_shop.order(), "notifyUrl": "https://10.99.0.1/x"}
    assert each_shop.reseller.post("/Orders/Create", other).told == (400, -2)


def test_the_log_line_of_a_failing_webhook_says_whose_it_is_and_where_it_went(
    each_shop: Shop, each_operator: Operator, each_site: Site
) -> None:
    partner = each_operator.account(each_shop.id, "partner", f"{fresh('deaf')}@example.com")
    each_operator.credit(each_shop.id, partner, 10_00)
    each_operator.endpoint(each_shop.id, partner, "https://no-such-host.invalid:8443/hooks/s3cr3t?token=s3cr3t")
    client = each_shop.client(lines=bearer(each_shop.token(Surface.RESELLER, partner)))

    order = client.data("/Orders/Create", each_shop.order())

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
    assert "s3cr3t" not in json.dumps(line)


def _log_line(site: Site, event: str, order: str) -> dict[str, object]:
    """The first line of the log about an order, once it is there."""
    for _ in range(600):
        for text in site.log.read_text("utf-8").splitlines():
            if order in text and text.startswith("{"):
                line: dict[str, object] = json.loads(text)
                if line.get("event") == event:
                    return line
        time.sleep(0.1)
    raise AssertionError("the log says nothing of it")
