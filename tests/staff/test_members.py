"""Staff members and their sessions: `disable`, `reset` and `roles` take effect at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bedesten.core.clock import system_clock
from bedesten.errors import Refusal
from bedesten.gate.passwords import PasswordHash
from bedesten.server.installation import Installation
from bedesten.staff import actions as staff
from bedesten.staff import sessions
from bedesten.staff.roles import Role
from bedesten.staff.sessions import IDLE_TIMEOUT, MAX_SESSION
from tests.domain.tenant import PASSWORD
from tests.staff.members import Members
from tests.store.raw import raw

OTHER = replace(PASSWORD, phc=PASSWORD.phc[:-1] + "R")


@pytest.fixture
def members(installation: Installation) -> Members:
    return Members(installation)


def refused(call: object, *arguments: object) -> int:
    with pytest.raises(Refusal) as problem:
        call(*arguments)  # type: ignore[operator]
    return problem.value.code.number


def test_a_session_says_who_it_is_and_the_store_has_neither_token_nor_code_in_clear(members: Members) -> None:
    member = members.create("support", "finance")
    token = members.log_in(member)
    code = members.reset(members.create(password=None))
    found = members.session(token)
    assert found is not None
    assert (found.member.id, found.member.roles) == (member.id, (Role.SUPPORT, Role.FINANCE))
    with raw(members.installation.settings) as other:
        kept = repr([other.rows(f"SELECT * FROM {table}") for table in ("staff", "staff_sessions", "audit")])
    assert token not in kept
    assert code not in kept


def test_an_e_mail_address_belongs_to_one_member_whatever_its_case(members: Members) -> None:
    first = members.create()
    assert refused(lambda: members.create(email=first.email.upper())) == -8


@pytest.mark.parametrize("action", ["disable", "reset", "reset-with-password"])
def test_disable_and_reset_end_sessions_for_good(members: Members, action: str) -> None:
    member, bystander = members.create(), members.create()
    tokens = [members.log_in(member), members.log_in(member)]
    other = members.log_in(bystander)
    if action == "disable":
        members.disable(member)
        members.disable(member, False)
    else:
        members.reset(member, OTHER if action == "reset-with-password" else None)
    assert [members.session(token) for token in tokens] == [None, None]
    assert members.session(other) is not None


def test_roles_change_in_open_sessions(members: Members) -> None:
    member = members.create("owner")
    token = members.log_in(member)
    members.installation.store.write_now(lambda tx: staff.set_roles(tx, member, ["read-only"]))
    found = members.session(token)
    assert found is not None
    assert found.member.roles == (Role.READ_ONLY,)


def test_a_login_overtaken_by_a_reset_or_a_disable_begins_no_session(members: Members) -> None:
    keyring, store = members.installation.keyring, members.installation.store
    member = members.create()
    members.reset(member, OTHER)
    assert store.write_now(lambda tx: sessions.begin(tx, keyring, member, "192.0.2.1")) is None
    current = members.find(member)
    members.disable(member)
    assert store.write_now(lambda tx: sessions.begin(tx, keyring, current, "192.0.2.1")) is None


def test_sixteen_logins_concurrent_with_a_reset_leave_no_session_of_the_old_password(members: Members) -> None:
    keyring, store = members.installation.keyring, members.installation.store
    member = members.create()

    def log_in(_: int) -> str:
        made = store.write_now(lambda tx: sessions.begin(tx, keyring, member, "192.0.2.1"))
        return made[0].reveal() if made else ""

    with ThreadPoolExecutor(17) as threads:
        logins = [threads.submit(log_in, at) for at in range(8)]
        reset = threads.submit(members.reset, member, OTHER)
        logins += [threads.submit(log_in, at) for at in range(8)]
        tokens = [one.result() for one in logins]
        reset.result()
    assert [members.session(token) for token in tokens if token] == [None] * sum(map(bool, tokens))


def test_a_session_ends_when_idle_and_after_half_a_day_at_the_latest(members: Members) -> None:
    keyring, store = members.installation.keyring, members.installation.store
    token = members.log_in(members.create())
    found = members.session(token)
    assert found is not None
    assert abs(found.expires - system_clock() - MAX_SESSION) < 60_000

    def at(moment: int) -> bool:
        def look(tx: object) -> bool:
            tx.now += moment  # type: ignore[attr-defined]
            return sessions.find(tx, keyring, token) is not None  # type: ignore[arg-type]

        return store.read_now(look)

    assert at(IDLE_TIMEOUT - 60_000)
    assert not at(IDLE_TIMEOUT + 1_000)

    def keep(tx: object) -> None:
        tx.now += MAX_SESSION + 1_000  # type: ignore[attr-defined]
        sessions.renew(tx, found)  # type: ignore[arg-type]

    store.write_now(keep)
    assert at(MAX_SESSION - 60_000)
    assert not at(MAX_SESSION + 1_000)


def test_a_setup_code_sets_a_password_once(members: Members) -> None:
    keyring, store = members.installation.keyring, members.installation.store
    member = members.create(password=None)
    first = members.reset(member)
    code = members.reset(member)

    def use(text: str, password: PasswordHash = OTHER) -> str:
        return store.write_now(lambda tx: staff.use_code(tx, keyring, text, password)).id

    assert refused(use, first) == -30
    assert use(code) == member.id
    assert members.find(member).hashed == OTHER
    for bad in (code, "", "x" * 200, "ü" * 43):
        assert refused(use, bad) == -30


def test_of_sixteen_uses_of_one_setup_code_one_succeeds(members: Members) -> None:
    keyring, store = members.installation.keyring, members.installation.store
    code = members.reset(members.create(password=None))

    def use(_: int) -> bool:
        try:
            store.write_now(lambda tx: staff.use_code(tx, keyring, code, PASSWORD))
        except Refusal:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(use, range(16))) == 1


def test_a_disabled_member_has_no_valid_setup_code_and_gets_no_new_one(members: Members) -> None:
    keyring, store = members.installation.keyring, members.installation.store
    member = members.create(password=None)
    code = members.reset(member)
    members.disable(member)
    assert refused(lambda: store.write_now(lambda tx: staff.use_code(tx, keyring, code, OTHER))) == -30
    assert refused(lambda: members.reset(members.find(member))) == -8


def test_every_change_writes_an_audit_row_of_the_installation(members: Members) -> None:
    member = members.create("support")
    members.installation.store.write_now(lambda tx: staff.set_roles(tx, member, ["finance"]))
    members.log_in(member)
    members.reset(member)
    members.disable(member)
    members.disable(member, False)
    with raw(members.installation.settings) as other:
        rows = other.rows(
            "SELECT tenant_id, actor, action, detail FROM audit WHERE subject = :subject ORDER BY id", subject=member.id
        )
    assert [row[:3] for row in rows] == [
        ("-", "operator", "staff.create"),
        ("-", "operator", "staff.roles"),
        ("-", member.id, "staff.login"),
        ("-", "operator", "staff.reset"),
        ("-", "operator", "staff.disable"),
        ("-", "operator", "staff.enable"),
    ]
    assert json.loads(rows[1][3]) == {"before": ["support"], "after": ["finance"]}
