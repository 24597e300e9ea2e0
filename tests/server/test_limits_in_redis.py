"""A server with its limits in Redis: while Redis is down logins fail closed, and everything else goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.races.nodes import wait_until
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.redis_server import RedisServer, running_redis
from tests.support.shop import Shop, open_shop
from tests.support.sites import opened, serving

pytestmark = pytest.mark.slow
LOGIN = "/Login/Customer/Api/Verify"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def shop(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder: Path = tmp_path_factory.mktemp("redis")
    with opened("sqlite", folder, limits=redis.url) as installation, serving(installation, folder, 1) as site:
        yield open_shop(site, Operator(installation), "acme")
        site.stop()
        assert site.failures() == []
        log = site.log.read_text("utf-8")
        assert "limits-not-shared" in log
        assert "limits-shared-again" in log


@pytest.mark.requirement(158)
def test_while_redis_is_down_logins_fail_closed_and_reads_go_on(shop: Shop, redis: RedisServer) -> None:
    shop.operator.within(shop.id, lambda tx: tenants.set_limits(tx, {"credential": 100}))
    body = {"email": shop.partner_email, "password": PASSWORD}
    client, reader = shop.client(), shop.client(Surface.RESELLER)
    try:
        assert client.post(LOGIN, body).status == 200
        assert reader.get("/Account/Details").header("ratelimit-limit") == "100"
        redis.stop()
        refused = client.post(LOGIN, body)
        assert refused.verdict == (503, -9)
        assert refused.header("retry-after") == "1"
        answer = reader.get("/Account/Details")
        assert (answer.status, answer.header("ratelimit-limit")) == (200, "100"), "this machine counts alone"
        redis.start()
        wait_until(lambda: client.post(LOGIN, body).status == 200)
    finally:
        client.close()
        reader.close()
