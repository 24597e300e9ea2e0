"""Leaked keys: recognised in a scanner's report, treated by the policy, and never stored or shown."""

import json

import pytest
import structlog

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin import leak_reports
from bedesten.admin.leak_reports import LeakReport
from bedesten.apikeys.actions import CURRENT, PREVIOUS
from bedesten.core.clock import DAY, HOUR
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from tests.apikeys.cluster import START, AuditRow, Cluster
from tests.store.raw import raw

REFUSED = -23
FOREIGN = "ak_live_" + "0123456789abcdef" * 2


def policy(cluster: Cluster, name: str) -> None:
    cluster.installation.store.write_now(lambda tx: leak_reports.set_leak_policy(tx, name))


def report(cluster: Cluster, *lines: str, source: str = "") -> LeakReport:
    return leak_reports.report_leaks(cluster.installation.store, lambda _: cluster.keyring, lines, source)


def outcome(cluster: Cluster) -> list[AuditRow]:
    return [row for row in cluster.trail() if row.action == "key.leaked"]


def test_by_default_a_leak_is_reported_and_the_key_stays_valid(cluster: Cluster) -> None:
    key = cluster.make()
    with structlog.testing.capture_logs() as logged:
        found = report(cluster, f"commit 1234: API_KEY='{key.text}'", source="a public repository")
    (one,) = found.leaked
    assert (found.policy, found.candidates) == ("notify", 1)
    assert (one.tenant, one.key_id, one.owner, one.surface) == (cluster.tenant, key.id, "Acme", "supplier")
    assert (one.secret, one.done, one.ends) == ("current", "noted", None)
    assert cluster.answers(key.text) == [200, 200]
    (row,) = outcome(cluster)
    assert (row.subject, row.actor) == (key.id, "operator")
    assert json.loads(row.detail) == {
        "secret": "current", "source": "a public repository", "policy": "notify", "ends": None,
    }  # fmt: skip
    assert [(one["event"], one["key"], one["log_level"]) for one in logged] == [("key-leaked", key.id, "warning")]


def test_with_revoke_a_leaked_key_is_invalid_everywhere_at_once(cluster: Cluster) -> None:
    policy(cluster, "revoke")
    leaked, other = cluster.make(), cluster.make()
    assert cluster.answers(leaked.text, other.text) == [200] * 4
    assert [one.done for one in report(cluster, leaked.text).leaked] == ["revoked"]
    assert cluster.answers(leaked.text, other.text) == [REFUSED, 200] * 2
    assert report(cluster, leaked.text).leaked == ()


def test_with_revoke_a_leaked_previous_secret_ends_and_the_current_one_stays(cluster: Cluster) -> None:
    policy(cluster, "revoke")
    old = cluster.make()
    new = cluster.rotate(old)
    assert [(one.secret, one.done) for one in report(cluster, old.text).leaked] == [("previous", "revoked")]
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2


def test_with_grace_a_leaked_secret_ends_after_a_day_and_never_later_than_it_would(cluster: Cluster) -> None:
    policy(cluster, "grace")
    lasting, short = cluster.make(), cluster.make()
    cluster.rotate(short, HOUR)
    found = report(cluster, lasting.text, short.text).leaked
    assert [(one.done, one.ends) for one in found] == [("ends", START + DAY), ("ends", START + HOUR)]
    cluster.clock.now = START + DAY - 1
    assert cluster.answers(lasting.text, short.text) == [200, REFUSED] * 2
    report(cluster, lasting.text)
    cluster.clock.now += 1
    assert cluster.answers(lasting.text) == [REFUSED, REFUSED], "a second report does not put the end off"


def test_a_rotation_during_the_grace_of_a_leak_keeps_the_leaked_secrets_end(cluster: Cluster) -> None:
    policy(cluster, "grace")
    leaked = cluster.make()
    report(cluster, leaked.text)
    new = cluster.rotate(leaked, 10 * DAY)
    assert cluster.secrets(leaked)[PREVIOUS].expires == START + DAY
    assert cluster.secrets(leaked)[CURRENT].expires is None
    cluster.clock.now = START + DAY
    assert cluster.answers(leaked.text, new.text) == [REFUSED, 200] * 2


def test_a_key_whose_leaked_secret_has_ended_can_still_be_rotated(cluster: Cluster) -> None:
    policy(cluster, "grace")
    leaked = cluster.make()
    report(cluster, leaked.text)
    cluster.clock.now = START + DAY
    new = cluster.rotate(leaked, HOUR)
    assert cluster.answers(leaked.text, new.text) == [REFUSED, 200] * 2
    assert list(cluster.secrets(leaked)) == [CURRENT]


def test_a_key_is_found_in_every_tenant_under_every_pepper_imported_or_not(cluster: Cluster) -> None:
    policy(cluster, "revoke")
    away = cluster.new_tenant("away.example")
    owner = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), away)
    here, there = cluster.import_key(FOREIGN), cluster.import_key(FOREIGN, tenant=away, owner=owner)
    assert cluster.answers(FOREIGN) == [200, 200]
    old = cluster.make()
    cluster.roll_pepper()
    found = report(cluster, FOREIGN, old.text).leaked
    assert {(one.tenant, one.key_id) for one in found} == {
        (cluster.tenant, here.id),
        (away, there.id),
        (cluster.tenant, old.id),
    }
    assert cluster.answers(FOREIGN, old.text) == [REFUSED] * 4


def test_text_that_is_no_live_key_is_counted_and_nothing_is_written(cluster: Cluster) -> None:
    revoked, expired = cluster.make(), cluster.make(expires=START + 1)
    cluster.revoke(revoked)
    cluster.clock.now += 1
    rows = len(cluster.trail())
    found = report(
        cluster,
        "ak_live_" + "5" * 32,
        "",
        "no key at all",
        "ak_live_5",
        revoked.text,
        expired.text,
        "ak_live_" + "5" * 32,
    )
    assert (found.candidates, found.leaked) == (3, ())
    assert len(cluster.trail()) == rows


def test_nothing_of_a_leaked_key_is_stored_shown_or_logged_not_even_in_its_source(cluster: Cluster) -> None:
    key = cluster.make()
    with structlog.testing.capture_logs() as logged:
        found = report(cluster, key.text, source=f"found {key.text}\r\n" + "x" * 500)
    with raw(cluster.installation.settings) as store:
        rows = str([store.rows(f"SELECT * FROM {table}") for table in ("audit", "api_keys", "key_secrets")])
    for place in (repr(found), str(logged), rows):
        assert key.text[8:] not in place
    source = json.loads(outcome(cluster)[0].detail)["source"]
    assert source.startswith(f"found ak_live_…{key.text[-4:]}xxx")
    assert len(source) == 200


def test_an_oversized_report_is_refused_and_nothing_is_done(cluster: Cluster) -> None:
    policy(cluster, "revoke")
    key = cluster.make()
    lines = [key.text, *(f"ak_live_{number:032x}" for number in range(1_000))]
    with pytest.raises(Refusal) as refused:
        report(cluster, *lines)
    assert refused.value.code is errors.BAD_REQUEST
    assert cluster.answers(key.text) == [200, 200]


def test_a_policy_is_one_of_three(cluster: Cluster) -> None:
    with pytest.raises(Refusal) as refused:
        policy(cluster, "ignore")
    assert refused.value.fields == {"policy": "one of notify, grace, revoke"}
    assert cluster.installation.store.read_now(leak_reports.leak_policy) == "notify"
