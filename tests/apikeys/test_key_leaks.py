"""Leaked keys: found in whatever a scanner sends, treated as the policy says, and never kept or shown."""

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
from tests.apikeys.hall import START, Hall, Told
from tests.store.raw import raw

REFUSED = -23
FOREIGN = "ak_live_" + "0123456789abcdef" * 2


def policy(hall: Hall, name: str) -> None:
    hall.installation.store.write_now(lambda tx: leak_reports.set_leak_policy(tx, name))


def report(hall: Hall, *lines: str, source: str = "") -> LeakReport:
    return leak_reports.report_leaks(hall.installation.store, lambda _: hall.keyring, lines, source)


def told(hall: Hall) -> list[Told]:
    return [row for row in hall.trail() if row.action == "key.leaked"]


def test_by_default_a_leak_is_told_and_the_key_goes_on(hall: Hall) -> None:
    key = hall.make()
    with structlog.testing.capture_logs() as logged:
        found = report(hall, f"commit 1234: API_KEY='{key.text}'", source="a public repository")
    (one,) = found.leaked
    assert (found.policy, found.candidates) == ("notify", 1)
    assert (one.tenant, one.key_id, one.owner, one.surface) == (hall.tenant, key.id, "Acme", "supplier")
    assert (one.secret, one.done, one.ends) == ("current", "noted", None)
    assert hall.answers(key.text) == [200, 200]
    (row,) = told(hall)
    assert (row.subject, row.actor) == (key.id, "operator")
    assert json.loads(row.detail) == {
        "secret": "current", "source": "a public repository", "policy": "notify", "ends": None,
    }  # fmt: skip
    assert [(one["event"], one["key"], one["log_level"]) for one in logged] == [("key-leaked", key.id, "warning")]


def test_with_revoke_a_leaked_key_is_dead_at_once_everywhere(hall: Hall) -> None:
    policy(hall, "revoke")
    leaked, other = hall.make(), hall.make()
    assert hall.answers(leaked.text, other.text) == [200] * 4
    assert [one.done for one in report(hall, leaked.text).leaked] == ["revoked"]
    assert hall.answers(leaked.text, other.text) == [REFUSED, 200] * 2
    assert report(hall, leaked.text).leaked == ()


def test_with_revoke_a_leaked_old_secret_ends_alone(hall: Hall) -> None:
    policy(hall, "revoke")
    old = hall.make()
    new = hall.rotate(old)
    assert [(one.secret, one.done) for one in report(hall, old.text).leaked] == [("previous", "revoked")]
    assert hall.answers(old.text, new.text) == [REFUSED, 200] * 2


def test_with_grace_a_leaked_secret_ends_after_a_day_and_never_later_than_it_would(hall: Hall) -> None:
    policy(hall, "grace")
    lasting, short = hall.make(), hall.make()
    hall.rotate(short, HOUR)
    found = report(hall, lasting.text, short.text).leaked
    assert [(one.done, one.ends) for one in found] == [("ends", START + DAY), ("ends", START + HOUR)]
    hall.clock.now = START + DAY - 1
    assert hall.answers(lasting.text, short.text) == [200, REFUSED] * 2
    report(hall, lasting.text)
    hall.clock.now += 1
    assert hall.answers(lasting.text) == [REFUSED, REFUSED], "a second report does not put the end off"


def test_a_rotation_during_the_grace_of_a_leak_leaves_the_leaked_secret_its_end(hall: Hall) -> None:
    policy(hall, "grace")
    leaked = hall.make()
    report(hall, leaked.text)
    new = hall.rotate(leaked, 10 * DAY)
    assert hall.secrets(leaked)[PREVIOUS].expires == START + DAY
    assert hall.secrets(leaked)[CURRENT].expires is None
    hall.clock.now = START + DAY
    assert hall.answers(leaked.text, new.text) == [REFUSED, 200] * 2


def test_a_key_whose_leaked_secret_has_ended_can_still_be_rotated(hall: Hall) -> None:
    policy(hall, "grace")
    leaked = hall.make()
    report(hall, leaked.text)
    hall.clock.now = START + DAY
    new = hall.rotate(leaked, HOUR)
    assert hall.answers(leaked.text, new.text) == [REFUSED, 200] * 2
    assert list(hall.secrets(leaked)) == [CURRENT]


def test_every_tenant_that_has_the_key_is_found_under_every_pepper_and_imported_or_not(hall: Hall) -> None:
    policy(hall, "revoke")
    away = hall.new_tenant("away.example")
    owner = hall.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), away)
    here, there = hall.import_key(FOREIGN), hall.import_key(FOREIGN, tenant=away, owner=owner)
    assert hall.answers(FOREIGN) == [200, 200]
    old = hall.make()
    hall.roll_pepper()
    found = report(hall, FOREIGN, old.text).leaked
    assert {(one.tenant, one.key_id) for one in found} == {
        (hall.tenant, here.id),
        (away, there.id),
        (hall.tenant, old.id),
    }
    assert hall.answers(FOREIGN, old.text) == [REFUSED] * 4


def test_what_is_nobodys_live_key_is_counted_and_nothing_is_written(hall: Hall) -> None:
    revoked, expired = hall.make(), hall.make(expires=START + 1)
    hall.revoke(revoked)
    hall.clock.now += 1
    rows = len(hall.trail())
    found = report(
        hall, "ak_live_" + "5" * 32, "", "no key at all", "ak_live_5", revoked.text, expired.text, "ak_live_" + "5" * 32
    )
    assert (found.candidates, found.leaked) == (3, ())
    assert len(hall.trail()) == rows


def test_nothing_of_a_leaked_key_is_kept_shown_or_logged_not_even_by_its_source(hall: Hall) -> None:
    key = hall.make()
    with structlog.testing.capture_logs() as logged:
        found = report(hall, key.text, source=f"found {key.text}\r\n" + "x" * 500)
    with raw(hall.installation.settings) as store:
        rows = str([store.rows(f"SELECT * FROM {table}") for table in ("audit", "api_keys", "key_secrets")])
    for place in (repr(found), str(logged), rows):
        assert key.text[8:] not in place
    source = json.loads(told(hall)[0].detail)["source"]
    assert source.startswith(f"found ak_live_…{key.text[-4:]}xxx")
    assert len(source) == 200


def test_a_report_is_bounded_and_then_nothing_is_done(hall: Hall) -> None:
    policy(hall, "revoke")
    key = hall.make()
    lines = [key.text, *(f"ak_live_{number:032x}" for number in range(1_000))]
    with pytest.raises(Refusal) as refused:
        report(hall, *lines)
    assert refused.value.code is errors.BAD_REQUEST
    assert hall.answers(key.text) == [200, 200]


def test_a_policy_is_one_of_three(hall: Hall) -> None:
    with pytest.raises(Refusal) as refused:
        policy(hall, "ignore")
    assert refused.value.fields == {"policy": "one of notify, grace, revoke"}
    assert hall.installation.store.read_now(leak_reports.leak_policy) == "notify"
