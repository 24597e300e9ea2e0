"""Several endpoints of an account: what each receives, and every move of an endpoint and of its deliveries."""

from collections.abc import Callable

import pytest

from bedesten import errors
from bedesten.admin import webhooks as operator_webhooks
from bedesten.audit.actions import Actor
from bedesten.core.clock import DAY, HOUR
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import endpoints, history, simulator
from bedesten.webhooks.endpoints import EVERY_TYPE, MAX_ENDPOINTS, EndpointDetail
from bedesten.webhooks.history import ANY_STATE, DeliveryRecord
from bedesten.webhooks.moves import ACTIVE, DONE, DUE, GIVEN_UP, HELD, PAUSED
from bedesten.webhooks.simulator import SCENARIOS
from tests.domain.tenant import URL, Tenant, open_tenant
from tests.store.raw import RawConnection

ACTOR = Actor("test")
OTHER_URL = "https://other.example.com/hook"
NAMED_URL = "https://orders.example.com/one"


def added(tenant: Tenant, *types: str, url: str = OTHER_URL, owner: str = "") -> EndpointDetail:
    """Adds an endpoint to the partner or to another account."""
    chosen = frozenset(types) if types else None
    cipher = tenant.installation.cipher
    return tenant.write(endpoints.create, cipher, owner or tenant.partner, url, chosen, ACTOR)[0]


def first(tenant: Tenant) -> EndpointDetail:
    """The partner's oldest endpoint."""
    return tenant.read(endpoints.list_endpoints, tenant.partner)[0]


def listed(tenant: Tenant, endpoint: str = "", owner: str = "", state: int = ANY_STATE) -> list[DeliveryRecord]:
    """Deliveries, the newest first."""
    return tenant.read(history.list_deliveries, owner or tenant.partner, endpoint, state, "", 100)


def set_state(other: RawConnection, delivery: str, state: int) -> None:
    """Ends a delivery as the worker would."""
    other.run("UPDATE deliveries SET state = :state, attempts = 14 WHERE id = :id", state=state, id=delivery)


def test_each_endpoint_gets_the_events_that_it_chose(tenant: Tenant) -> None:
    second, third = added(tenant), added(tenant, "balance.low", url=URL)
    tenant.order((tenant.card(1), 1))
    tenant.write(webhooks.notify, tenant.partner, "balance.low", tenant.partner, {})
    outcome = {(one.endpoint_id, one.type, one.url) for one in listed(tenant)}
    assert outcome == {
        (first(tenant).id, "order_line.delivered", URL),
        (second.id, "order_line.delivered", OTHER_URL),
        (second.id, "balance.low", OTHER_URL),
        (third.id, "balance.low", URL),
    }


def test_an_order_s_own_url_gets_one_delivery_which_the_oldest_endpoint_signs(tenant: Tenant) -> None:
    added(tenant)
    tenant.order((tenant.card(1), 1), notify_url=NAMED_URL)
    (only,) = listed(tenant)
    assert (only.endpoint_id, only.url, only.order_url) == (first(tenant).id, NAMED_URL, 1)


def test_an_account_has_at_most_ten_endpoints_and_a_deleted_one_makes_room(tenant: Tenant) -> None:
    for _ in range(MAX_ENDPOINTS - 1):
        added(tenant)
    with pytest.raises(Refusal) as refused:
        added(tenant)
    assert refused.value.code is errors.ENDPOINT_LIMIT
    tenant.write(endpoints.delete, first(tenant), ACTOR)
    added(tenant)


@pytest.mark.parametrize(
    "url", ["ftp://x.example/", "https://127.0.0.1/", "http://x.example/", "nowhere", "https://u:p@x.example"]
)
def test_an_endpoint_cannot_have_a_url_that_cannot_be_reached(tenant: Tenant, url: str) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: added(tenant, url=url),
        lambda: tenant.write(endpoints.change, first(tenant), url, None, ACTOR),
    )
    for act in acts:
        with pytest.raises(Refusal) as refused:
            act()
        assert (refused.value.code, list(refused.value.fields or {})) == (errors.BAD_REQUEST, ["url"])


@pytest.mark.parametrize("names", [[], ["order.awaiting"], ["order_line.delivered", EVERY_TYPE], ["", "x"]])
def test_types_of_another_surface_and_unknown_ones_are_refused(names: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        endpoints.checked_types(Surface.RESELLER, names)
    assert list(refused.value.fields or {}) == ["eventTypes"]
    assert endpoints.checked_types(Surface.RESELLER, [EVERY_TYPE]) is None


def test_another_account_s_endpoint_and_delivery_do_not_exist(tenant: Tenant) -> None:
    tenant.order((tenant.card(1), 1))
    (delivery,) = listed(tenant)
    for act in (
        lambda: tenant.write(endpoints.endpoint_of, tenant.supplier, first(tenant).id),
        lambda: tenant.write(history.replay_one, tenant.supplier, delivery.id, ACTOR),
        lambda: tenant.write(endpoints.endpoint_of, tenant.partner, "whk_nobody"),
        lambda: tenant.write(history.replay_one, tenant.partner, "dlv_nobody", ACTOR),
    ):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.code is errors.NOT_FOUND
    assert listed(tenant, owner=tenant.supplier) == []
    other = open_tenant(tenant.installation)
    assert other.read(history.list_deliveries, "", "", ANY_STATE, "", 100) == []
    with pytest.raises(Refusal):
        other.write(endpoints.endpoint_of, "", first(tenant).id)


def test_a_paused_endpoint_s_deliveries_wait_and_are_released_when_it_is_resumed(tenant: Tenant) -> None:
    tenant.order((tenant.card(1), 1))
    for _ in range(2):  # idempotent
        assert tenant.write(endpoints.set_paused, first(tenant), True, ACTOR).state == PAUSED
    tenant.order((tenant.card(1), 1))
    tenant.order((tenant.card(1), 1), notify_url=NAMED_URL)
    assert [one.state for one in listed(tenant)] == [DUE, HELD, HELD]
    for _ in range(2):
        assert tenant.write(endpoints.set_paused, first(tenant), False, ACTOR).state == ACTIVE
    assert [one.state for one in listed(tenant)] == [DUE, DUE, DUE]


def test_a_deleted_endpoint_gives_up_its_deliveries_and_gets_no_more(tenant: Tenant) -> None:
    tenant.order((tenant.card(1), 1))
    gone = first(tenant)
    tenant.write(endpoints.delete, gone, ACTOR)
    tenant.order((tenant.card(1), 1))
    assert [(one.endpoint_id, one.state) for one in listed(tenant)] == [(gone.id, GIVEN_UP)]
    assert tenant.read(endpoints.list_endpoints, tenant.partner) == []
    with pytest.raises(Refusal) as refused:
        tenant.write(history.replay_one, tenant.partner, listed(tenant)[0].id, ACTOR)
    assert refused.value.code is errors.ENDPOINT_STATE


def test_a_changed_url_applies_to_deliveries_that_are_not_done_yet(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    for _ in range(2):
        tenant.order((tenant.card(1), 1))
    set_state(other_connection, listed(tenant)[1].id, DONE)
    tenant.order((tenant.card(1), 1), notify_url=NAMED_URL)
    known = first(tenant)
    after = tenant.write(endpoints.change, known, OTHER_URL, known.chosen, ACTOR)
    assert (after.url, after.types) == (OTHER_URL, known.types)
    assert [one.url for one in listed(tenant)] == [NAMED_URL, OTHER_URL, URL]


def test_a_rotated_secret_overlaps_and_a_third_ends_the_first(tenant: Tenant, other_connection: RawConnection) -> None:
    cipher, known = tenant.installation.cipher, first(tenant)
    query = "SELECT secret, previous_secret FROM webhook_endpoints WHERE id = :id"

    def stored() -> list[str]:
        kept = [bytes(one) for one in other_connection.rows(query, id=known.id)[0] if one is not None]
        return [tenant.read(cipher.decrypt, webhooks.SECRET, known.id, one) for one in kept]

    (original,) = stored()
    after, second = tenant.write(endpoints.rotate, cipher, known, HOUR, ACTOR)
    assert after.previous_until is not None
    assert stored() == [second.reveal(), original]
    _, third = tenant.write(endpoints.rotate, cipher, after, DAY, ACTOR)
    assert stored() == [third.reveal(), second.reveal()]
    after, fourth = tenant.write(endpoints.rotate, cipher, after, 0, ACTOR)
    assert (stored(), after.previous_until) == ([fourth.reveal()], None)
    for overlap in (-1, endpoints.MAX_OVERLAP + 1):
        with pytest.raises(Refusal):
            tenant.write(endpoints.rotate, cipher, after, overlap, ACTOR)


def test_a_test_event_goes_to_this_endpoint_whatever_it_chose(tenant: Tenant) -> None:
    added(tenant)
    event = tenant.write(endpoints.send_test, first(tenant))
    (only,) = listed(tenant)
    assert (only.event_id, only.type, only.test, only.endpoint_id) == (event, "endpoint.test", 1, first(tenant).id)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("surface", [Surface.RESELLER, Surface.SUPPLIER])
def test_a_scenario_is_two_synthetic_events_of_one_object(tenant: Tenant, surface: Surface, scenario: str) -> None:
    owner = tenant.partner if surface is Surface.RESELLER else tenant.supplier
    known = first(tenant) if surface is Surface.RESELLER else added(tenant, owner=owner)
    made = tenant.write(simulator.simulate, surface, known, scenario)
    found = sorted(listed(tenant, owner=owner), key=lambda one: one.sequence)
    assert [one.event_id for one in found] == made
    assert [(one.sequence, one.test, one.state) for one in found] == [(1, 1, DUE), (2, 1, DUE)]
    assert found[0].object_id == found[1].object_id
    assert (found[0].next_at > found[1].next_at) == (scenario == "outOfOrder")


def test_nothing_is_sent_on_demand_to_an_endpoint_that_is_paused_or_has_no_url(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.order((tenant.card(1), 1))
    delivery = listed(tenant)[0].id
    set_state(other_connection, delivery, GIVEN_UP)
    known = first(tenant)
    paused = tenant.write(endpoints.set_paused, known, True, ACTOR)
    silent = tenant.write(endpoints.change, added(tenant), None, None, ACTOR)
    for one in (paused, silent):
        for act in (
            lambda one=one: tenant.write(endpoints.send_test, one),
            lambda one=one: tenant.write(simulator.simulate, Surface.RESELLER, one, "late"),
            lambda one=one: tenant.write(history.replay_range, one, 0, 1, "", ACTOR, only_failed=True),
            lambda: tenant.write(history.replay_one, tenant.partner, delivery, ACTOR),
        ):
            with pytest.raises(Refusal) as refused:
                act()
            assert refused.value.code is errors.ENDPOINT_STATE
    with pytest.raises(Refusal) as refused:
        tenant.write(simulator.simulate, Surface.RESELLER, known, "unknown")
    assert list(refused.value.fields or {}) == ["scenario"]


def test_a_delivery_is_replayed_to_the_current_url_and_an_order_s_delivery_to_the_order_s_url(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.order((tenant.card(1), 1))
    tenant.order((tenant.card(1), 1), notify_url=NAMED_URL)
    known = first(tenant)
    for one in listed(tenant):
        set_state(other_connection, one.id, GIVEN_UP)
    tenant.write(endpoints.change, known, OTHER_URL, known.chosen, ACTOR)
    for one in listed(tenant):
        for _ in range(2):  # the second time it is due already
            assert tenant.write(history.replay_one, tenant.partner, one.id, ACTOR) == known.id
    assert [(one.state, one.attempts, one.url) for one in listed(tenant)] == [(DUE, 0, NAMED_URL), (DUE, 0, OTHER_URL)]


def test_a_range_is_replayed_in_parts(
    tenant: Tenant, other_connection: RawConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_REPLAYED", 2)
    for _ in range(5):
        tenant.order((tenant.card(1), 1))
    ids = [one.id for one in reversed(listed(tenant))]
    for one, state in zip(ids, (GIVEN_UP, GIVEN_UP, DONE, GIVEN_UP, DUE), strict=True):
        set_state(other_connection, one, state)
    known, end = first(tenant), listed(tenant)[0].created + 1

    def replay(after: str, *, only_failed: bool = True, begin: int = 0) -> tuple[int, str]:
        return tenant.write(history.replay_range, known, begin, end, after, ACTOR, only_failed=only_failed)

    assert replay("") == (2, ids[1])
    assert replay(ids[1]) == (1, "")
    assert [one.id for one in listed(tenant, state=DONE)] == [ids[2]]
    assert replay("", only_failed=False) == (1, "")
    assert {one.state for one in listed(tenant)} == {DUE}
    with pytest.raises(Refusal):
        replay("", begin=end)


def test_deliveries_are_listed_newest_first_in_pages_without_gaps(tenant: Tenant) -> None:
    for _ in range(5):
        tenant.order((tenant.card(1), 1))
    everything = [one.id for one in listed(tenant)]
    assert everything == sorted(everything, reverse=True)
    page = tenant.read(history.list_deliveries, tenant.partner, first(tenant).id, DUE, everything[1], 2)
    assert [one.id for one in page] == everything[2:4]
    assert tenant.read(history.attempts_of, tenant.partner, "", page) == {one.id: [] for one in page}
    shown: list[object] = []
    cursor: str | None = ""
    while cursor is not None:
        some, cursor = tenant.read(operator_webhooks.deliveries_page, tenant.partner, "", "", cursor, 2)
        shown += [one["deliveryId"] for one in some]
    assert shown == everything
