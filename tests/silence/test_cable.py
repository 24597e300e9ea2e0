"""The network link to the database is down: no packet arrives, and no kernel acknowledges one."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from bedesten.integrity.check import violations
from tests.silence.conftest import Faulty, faulty_server
from tests.silence.load import more_answers, under_load
from tests.store.raw import raw
from tests.support.cable import Cable, plugged
from tests.support.metrics import until
from tests.support.shop import fresh
from tests.support.sites import opened

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
Down = Callable[[Cable], None]


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    """The cable to the database."""
    with plugged() as made:
        yield made


@pytest.fixture(scope="module")
def distant(cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A server whose database is at the other end of the cable. The test's own queries go another way."""
    folder = tmp_path_factory.mktemp("distant")
    with opened("postgresql", folder) as installation, faulty_server(installation, folder, cable.listener) as made:
        yield made


@pytest.fixture(autouse=True)
def plugged_in(cable: Cable, distant: Faulty) -> Iterator[None]:
    """Asserts that the server works before each test; plugs the cable in after it."""
    assert distant.read().status == 200
    yield
    cable.plug()
    assert until(lambda: distant.read().status == 200)


@pytest.mark.parametrize("down", [Cable.pull, Cable.lose_answers])
def test_while_no_packet_comes_back_every_request_is_answered_503_until_one_does(
    cable: Cable, distant: Faulty, down: Down
) -> None:
    before = {kind: answer.status for kind, answer in distant.each().items()}
    assert 503 not in before.values()
    down(cable)
    for _ in range(2):  # on existing connections and on new ones
        assert {kind: answer.verdict for kind, answer in distant.each().items()} == dict.fromkeys(before, UNAVAILABLE)
    assert distant.ready() == (503, "the store is out of reach")
    cable.plug()
    assert until(lambda: {kind: answer.status for kind, answer in distant.each().items()} == before)
    assert until(lambda: distant.ready() == (200, ""))


@pytest.mark.parametrize("down", [Cable.pull, Cable.lose_answers])
def test_orders_that_were_under_way_are_stored_once_or_not_at_all(cable: Cable, distant: Faulty, down: Down) -> None:
    """Clients repeat them until they get an answer. Some whose answer was lost in COMMIT had been stored."""
    shop = distant.shop
    bodies = [shop.order(reference=fresh("cable")) for _ in range(48)]
    with ThreadPoolExecutor(16) as callers:
        coming = [callers.submit(distant.order, body=body) for body in bodies]
        wait(coming, return_when=FIRST_COMPLETED)
        down(cable)
        answers = {one.result().verdict for one in coming}
    assert answers == {(200, None), UNAVAILABLE}
    cable.plug()
    assert until(lambda: {distant.order(body=body).status for body in bodies} == {200})
    with raw(shop.site.installation.settings) as other:
        found = other.rows("SELECT reference FROM orders WHERE tenant_id = :tenant", tenant=shop.id)
    placed = Counter(reference for (reference,) in found)
    assert [placed[str(body["orderReference"])] for body in bodies] == [1] * len(bodies)
    assert violations(shop.site.installation) == []


@pytest.mark.parametrize("down", [Cable.pull, Cable.lose_answers])
def test_what_was_acknowledged_before_and_after_an_outage_is_there_exactly_once(
    cable: Cable, distant: Faulty, down: Down
) -> None:
    with under_load(distant.shop.site) as traffic:
        for _ in range(2):
            down(cable)
            assert until(lambda: distant.read().verdict == UNAVAILABLE)
            cable.plug()
            more_answers(traffic, 20)
    assert violations(distant.shop.site.installation) == []
