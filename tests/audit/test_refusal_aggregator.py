"""Every refused credential is counted in the trail, in few rows whatever is sent to the server."""

import json

from bedesten.audit import refusal_aggregator
from bedesten.audit import search as reading
from bedesten.audit.refusal_aggregator import MAX_GROUPS, MAX_GROUPS_PER_TENANT, MAX_ROWS, REFUSED, RefusalAggregator
from bedesten.core.clock import SECOND
from tests.audit.rows import Trail

T0 = 1_700_000_000_000
DetailsOf = list[tuple[str, str, str, dict[str, object]]]


def refuse(counts: RefusalAggregator, number: int = 0, tenant: str = "ten_a", **values: object) -> None:
    """Counts a refused token."""
    outcome: dict[str, object] = {
        "code": -21,
        "cause": "wrong MAC",
        "who": "",
        "address": "192.0.2.1",
        "endpoint": "GET /x",
    }
    outcome.update(values)
    counts.add_refusal(tenant=tenant, request_id=f"req_{number}", now=T0 + number, **outcome)  # type: ignore[arg-type]


def written(kept: Trail, counts: RefusalAggregator) -> DetailsOf:
    """Flushes the counts into the trail; returns tenant, actor, subject and detail of each row."""
    batch = counts.drain()
    kept.store.write_now(lambda tx: refusal_aggregator.write(tx, batch))
    rows = kept.store.read_now(lambda tx: reading.newest(tx, 2_000))
    return [(row.tenant, row.actor, row.subject, json.loads(row.detail)) for row in rows]


def test_ten_thousand_refusals_of_one_kind_are_one_row_with_their_count(trail: Trail) -> None:
    counts = RefusalAggregator()
    for number in range(10_000):
        refuse(counts, number)
    assert written(trail, counts) == [
        (
            "ten_a",
            "anonymous",
            "GET /x",
            {
                "code": -21,
                "cause": "wrong MAC",
                "address": "192.0.2.1",
                "count": 10_000,
                "first": "2023-11-14T22:13:20Z",
                "last": "2023-11-14T22:13:29Z",
                "requests": ["req_0", "req_1", "req_2"],
            },
        )
    ]
    assert not counts.drain()


def test_tenant_code_cause_caller_address_and_endpoint_are_kept_apart(trail: Trail) -> None:
    counts = RefusalAggregator()
    refuse(counts)
    for other in (
        {"tenant": "ten_b"}, {"code": -22}, {"cause": "past its exp"}, {"who": "acc_1"}, {"address": "192.0.2.2"},
        {"endpoint": "GET /y"},
    ):  # fmt: skip
        refuse(counts, **other)
    rows = written(trail, counts)
    assert [row[3]["count"] for row in rows] == [1] * 7
    assert ("ten_a", "acc_1", "GET /x") in [row[:3] for row in rows]


def test_the_addresses_of_one_ipv6_subscriber_count_as_one(trail: Trail) -> None:
    counts = RefusalAggregator()
    for number in range(300):
        refuse(counts, number, address=f"2001:db8:1:2::{number:x}")
    rows = written(trail, counts)
    assert [(row[3]["address"], row[3]["count"]) for row in rows] == [("2001:db8:1:2::/64", 300)]


def test_a_distributed_attack_is_two_hundred_rows_and_one_for_the_rest_and_none_is_lost(trail: Trail) -> None:
    counts = RefusalAggregator()
    for number in range(10_000):
        refuse(counts, number, address=f"198.51.{number // 250}.{number % 250}", code=-21 - number % 2)
    rows = written(trail, counts)
    assert len(rows) == MAX_ROWS[REFUSED] + 1 == 201
    (others,) = [row for row in rows if row[2] == "others"]
    assert others[0] == "-"
    assert others[3]["codes"] == {"-22": 4_900, "-21": 4_900}
    assert sum(int(str(row[3]["count"])) for row in rows) == 10_000


def test_an_attack_on_one_tenant_hides_no_other_tenants_refusals(trail: Trail) -> None:
    counts = RefusalAggregator()
    for number in range(20_000):
        refuse(counts, number, tenant="ten_loud", address=f"198.51.{number // 250}.{number % 250}")
    refuse(counts, tenant="ten_quiet", who="acc_9")
    rows = written(trail, counts)
    assert [row[:2] for row in rows if row[0] == "ten_quiet"] == [("ten_quiet", "acc_9")]
    assert len(rows) == 201


def test_the_memory_between_two_flushes_is_bounded() -> None:
    counts = RefusalAggregator()
    for number in range(3 * MAX_GROUPS):
        refuse(counts, number, tenant=f"ten_{number % 7}", address=f"198.51.{number // 250}.{number % 250}")
    assert len(counts._sums[REFUSED]) == MAX_GROUPS
    batch = counts.drain()
    assert sum(one.count for _, one in batch.rows) + batch.others[REFUSED].total.count == 3 * MAX_GROUPS
    for number in range(2 * MAX_GROUPS_PER_TENANT):
        refuse(counts, number, address=f"198.51.{number // 250}.{number % 250}")
    assert len(counts._sums[REFUSED]) == MAX_GROUPS_PER_TENANT


def test_counts_of_a_failed_flush_are_restored(trail: Trail) -> None:
    counts = RefusalAggregator()
    for number in range(400):
        refuse(counts, number, address=f"198.51.100.{number // 2}")
    for number in range(300):
        refuse(counts, number, address=f"203.0.{number}.1")
    failed = counts.drain()
    refuse(counts, 500, address="198.51.100.0")
    counts.restore(failed)
    rows = written(trail, counts)
    assert sum(int(str(row[3]["count"])) for row in rows) == 701
    first = next(row for row in rows if row[3].get("address") == "198.51.100.0")
    assert first[3]["count"] == 3
    assert first[3]["first"] == "2023-11-14T22:13:20Z"


def test_logins_are_aggregated_by_account_and_never_displaced_by_refusals(trail: Trail) -> None:
    counts = RefusalAggregator()
    for number in range(1_000):
        refuse(counts, number, address=f"198.51.{number // 250}.{number % 250}")
    for number in range(400):
        for again in range(2):
            counts.add_login("ten_a", f"acc_{number}", "192.0.2.1", "POST /Login", f"req_{number}", T0 + again * SECOND)
    rows = written(trail, counts)
    logins = [row for row in rows if row[1].startswith("acc_")]
    assert len(logins) == 400
    assert {row[3]["count"] for row in logins} == {2}
    assert next(row[3] for row in logins if row[1] == "acc_7") == {
        "address": "192.0.2.1",
        "count": 2,
        "first": "2023-11-14T22:13:20Z",
        "last": "2023-11-14T22:13:21Z",
        "requests": ["req_7", "req_7"],
    }


def test_a_long_cause_is_truncated(trail: Trail) -> None:
    counts = RefusalAggregator()
    refuse(counts, cause="x" * 1_000_000, address="y" * 1_000_000, endpoint="z" * 1_000_000)
    ((_, _, subject, detail),) = written(trail, counts)
    assert (len(subject), len(str(detail["cause"])), len(str(detail["address"]))) == (200, 200, 200)
