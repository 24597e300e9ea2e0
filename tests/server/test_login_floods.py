"""A flood of one tenant's logins on a real server, with password hashes of realistic cost."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.metrics import until
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import ENGINES, opened, serving
from tests.support.wire import Answer

pytestmark = pytest.mark.slow

CALLERS = 100
"""More than the 66 logins that a process takes at once."""


@contextmanager
def flooded(shop: Shop) -> Iterator[list[Answer]]:
    """Runs callers that log in without a pause, each from its own address; yields their refused responses."""
    stop = threading.Event()
    refused: list[Answer] = []

    def call() -> None:
        client = shop.client()
        while not stop.is_set():
            answer = log_in(shop, client)
            if answer.status != 200:
                refused.append(answer)
        client.close()

    with ThreadPoolExecutor(CALLERS) as callers:
        calls = [callers.submit(call) for _ in range(CALLERS)]
        try:
            yield refused
        finally:
            stop.set()
        for one in calls:
            one.result()


def log_in(shop: Shop, client: Client) -> Answer:
    """One login of the partner, with the right password."""
    return client.post("/Login/Customer/Api/Verify", {"email": shop.partner_email, "password": PASSWORD})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flood_of_logins_is_refused_with_retry_after_and_those_of_another_tenant_go_on(
    engine: str, tmp_path: Path
) -> None:
    with opened(engine, tmp_path) as installation, serving(installation, tmp_path, 1, real_costs=True) as site:
        loud, quiet = (open_shop(site, Operator(installation), name, stock=1) for name in ("loud", "quiet"))
        with flooded(loud) as refused:
            assert until(lambda: bool(refused))
            client = quiet.client()
            assert [log_in(quiet, client).status for _ in range(5)] == [200] * 5
            seen = len(refused)
            assert until(lambda: len(refused) > seen), "the flood went on"
        assert {(one.status, one.header("retry-after")) for one in refused} == {(503, "2")}
        assert log_in(loud, loud.client()).status == 200
        site.stop()
        assert site.failures() == []
