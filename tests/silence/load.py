"""Callers of all surfaces who go on while something happens to the store, and remember what was acknowledged."""

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
    """Returns once the callers have so many more answers of success."""
    wanted = traffic.acknowledged + count
    until(lambda: traffic.acknowledged >= wanted or bool(traffic.failures), "the callers have answers")
    assert not traffic.failures, traffic.failures


@contextlib.contextmanager
def running(traffic: Traffic, installation: Installation) -> Iterator[Traffic]:
    """The callers go on during the block. What was acknowledged to them is there exactly once afterwards."""
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
    """Callers of a fresh shop, as `running` lets them go on."""
    operator = Operator(site.installation)
    shop = open_shop(site, operator, fresh("loaded"))
    codes = [f"LOADED-CODE-{number:05}" for number in range(CODES)]
    operator.within(shop.id, lambda tx: add_codes(tx, site.installation.cipher, shop.card, codes))
    with running(Traffic(shop, lambda: site.port), site.installation) as traffic:
        yield traffic
