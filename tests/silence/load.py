"""Callers of all surfaces that continue while something happens to the store, and record what was acknowledged."""

import contextlib
from collections.abc import Iterator

from bedesten.server.installation import Installation
from tests.crash.acknowledged import all_is_as_acknowledged
from tests.crash.traffic import Traffic
from tests.support.operator_actions import Operator
from tests.support.postgres_cluster import until
from tests.support.shop import fresh, open_shop
from tests.support.sites import Site
from tests.support.stock_codes import add_codes

CODES = 2_000


def more_answers(traffic: Traffic, count: int) -> None:
    """Waits until the callers have received this many more successes."""
    wanted = traffic.acknowledged + count
    until(lambda: traffic.acknowledged >= wanted or bool(traffic.failures), "the callers have answers")
    assert not traffic.failures, traffic.failures


@contextlib.contextmanager
def running(traffic: Traffic, installation: Installation) -> Iterator[Traffic]:
    """Runs the callers during the block; asserts that what was acknowledged is stored exactly once afterwards."""
    traffic.start()
    try:
        more_answers(traffic, 10)
        yield traffic
        more_answers(traffic, 10)
    finally:
        traffic.stop()
    all_is_as_acknowledged(traffic, installation)


@contextlib.contextmanager
def under_load(site: Site) -> Iterator[Traffic]:
    """Opens a shop and runs its callers, as `running` does."""
    operator = Operator(site.installation)
    shop = open_shop(site, operator, fresh("loaded"))
    codes = [f"LOADED-CODE-{number:05}" for number in range(CODES)]
    operator.within(shop.id, lambda tx: add_codes(tx, site.installation.cipher, shop.card, codes))
    with running(Traffic(shop, lambda: site.port), site.installation) as traffic:
        yield traffic
