"""The operator's API: logins, sessions, and every operation for every role."""

import json
from typing import Any

import pytest

from bedesten.accounts.login_throttle import FREE_FAILURES
from bedesten.audit.actions import OPERATOR
from bedesten.console.operations import OPERATIONS
from bedesten.http.body_fields import fields_of
from bedesten.staff import actions as staff
from bedesten.staff.roles import DUTIES, Role
from bedesten.tenants.mail_settings import set_mail_settings
from tests.console.front import PASSWORD, Front, header
from tests.store.raw import raw

JSON = {"content-type": "application/json"}
INPUTS: dict[str, dict[str, object]] = {
    "orders.list": {},
    "orders.find": {"search": "nothing"},
    "orders.show": {"orderId": "ord_x"},
    "orders.note": {"orderId": "ord_x", "note": "called"},
    "orders.hold": {"orderId": "ord_x", "reason": "r"},
    "orders.release": {"orderId": "ord_x", "reason": "r"},
    "orders.cancel": {"orderId": "ord_x", "reason": "r"},
    "orders.refund": {"orderDetailId": "lin_x", "reason": "r", "key": "k"},
    "complaints.list": {},
    "complaints.show": {"complaintId": "cmp_x"},
    "complaints.answer": {"complaintId": "cmp_x", "answer": "replace"},
    "customers.find": {"search": "@"},
    "customers.show": {"customer": "cus_x"},
    "customers.reset": {"customer": "cus_x"},
    "customers.disable": {"customer": "cus_x"},
    "stock.list": {},
    "deposits.list": {},
    "deposits.approve": {"depositId": "dep_x"},
    "deposits.reject": {"depositId": "dep_x"},
    "webhooks.list": {},
    "webhooks.resume": {"endpointId": "whe_x"},
    "webhooks.replay": {"deliveryId": "dlv_x"},
}
"""A valid input of every operation; the objects that it names do not exist."""


def log_in(front: Front, email: str, password: str) -> tuple[int, Any]:
    answer = front.send("POST", "/operator/login", JSON, json.dumps({"email": email, "password": password}).encode())
    document = json.loads(answer.body)
    return answer.status, document["data"] if answer.status == 200 else document["code"]


def test_a_login_gives_a_session_that_says_who_it_is(front: Front) -> None:
    someone = front.staff("support")
    status, data = log_in(front, someone.email.upper(), PASSWORD)
    assert status == 200
    answer = front.send("GET", "/operator/session", {"authorization": f"Bearer {data['token']}"})
    shown = json.loads(answer.body)["data"]
    assert (shown["id"], shown["roles"]) == (someone.id, ["support"])
    assert [one["id"] for one in shown["tenants"]] == [front.tenant.id]
    assert shown["duties"] == sorted(duty.value for duty in DUTIES[Role.SUPPORT])


def test_every_failed_login_has_the_same_answer_and_too_many_have_to_wait(front: Front) -> None:
    someone = front.staff("support")
    disabled = front.members.create(password=front.password_hash)
    front.members.disable(disabled)
    unready = front.members.create(password=None)
    bodies = set()
    for email, password in (
        (someone.email, "wrong"), ("nobody@shop.example", PASSWORD), (disabled.email, PASSWORD), ("no e-mail", ""),
        (unready.email, PASSWORD),
    ):  # fmt: skip
        body = json.dumps({"email": email, "password": password}).encode()
        answer = front.send("POST", "/operator/login", JSON, body)
        document = json.loads(answer.body) | {"requestId": ""}
        bodies.add((answer.status, json.dumps(document)))
    assert {status for status, _ in bodies} == {400}
    assert len(bodies) == 1
    answers = [log_in(front, "victim@shop.example", "wrong")[1] for _ in range(8)]
    assert answers[:5] == [-26] * 5
    assert answers[-1] == -27


def test_of_many_simultaneous_wrong_passwords_few_are_checked(front: Front) -> None:
    body = json.dumps({"email": "crowd@shop.example", "password": "wrong"}).encode()
    waiting = [front.begin("POST", "/operator/login", JSON, body) for _ in range(16)]
    codes = [json.loads(one.result(60).body)["code"] for one in waiting]
    assert set(codes) == {-26, -27}
    assert codes.count(-26) <= FREE_FAILURES + 1, "the sixth failure begins the wait"


def test_a_reset_ends_the_wait_after_failed_logins(front: Front) -> None:
    someone = front.staff("support")
    while log_in(front, someone.email, "wrong")[1] != -27:
        pass
    assert log_in(front, someone.email, PASSWORD)[1] == -27
    member = front.installation.store.read_now(lambda tx: staff.find(tx, someone.id))
    front.members.reset(member, front.password_hash)
    assert log_in(front, someone.email, PASSWORD)[0] == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, -20),
        ({"authorization": "Basic eA=="}, -20),
        ({"authorization": "Bearer "}, -20),
        ({"authorization": "Bearer nonsense"}, -21),
        ({"authorization": f"Bearer {'x' * 500}"}, -21),
        ({"cookie": "bedesten_staff={token}"}, -20),
        ({"apikey": "ak_live_8f3b1c0e5a4d4f2c9b1e7d6c5a4b3c2d"}, -20),
    ],
)
def test_without_a_session_token_every_operation_is_401_and_a_cookie_is_not_accepted(
    front: Front, headers: dict[str, str], code: int
) -> None:
    token = front.staff("owner").token
    lines = {name: value.replace("{token}", token) for name, value in headers.items()}
    for name in OPERATIONS:
        answer = front.send("POST", f"/operator/{name.replace('.', '/')}", {**JSON, **lines}, b"not even JSON")
        assert (answer.status, json.loads(answer.body)["code"]) == (401, code)
        assert header(answer, "www-authenticate").startswith("Bearer")
        assert header(answer, "cache-control") == "no-store"


@pytest.mark.parametrize("role", Role)
def test_each_role_may_run_each_operation_or_not(front: Front, role: Role) -> None:
    assert set(INPUTS) == set(OPERATIONS)
    someone = front.staff(role.value)
    for name, operation in OPERATIONS.items():
        status, outcome = someone.call(name, **INPUTS[name])
        if operation.duty in DUTIES[role]:
            assert status == 200 or outcome == -3, name
        else:
            assert (status, outcome) == (403, -32), name


def test_a_role_is_checked_before_the_body_is_read(front: Front) -> None:
    headers = {**JSON, "authorization": f"Bearer {front.staff('catalogue').token}"}
    answer = front.send("POST", "/operator/orders/cancel", headers, b"{")
    assert json.loads(answer.body)["code"] == -32


@pytest.mark.requirement(217)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_member_of_one_tenant_reaches_no_other_one(front: Front, name: str) -> None:
    someone = front.staff("owner")
    stranger = front.stranger
    for other in (stranger.id, "ten_unknown", "no such shop"):
        assert someone.call(name, tenant=other, **INPUTS[name]) == (404, -3)


def test_an_order_of_another_tenant_is_not_found_even_by_its_id(front: Front) -> None:
    order = front.tenant.order((front.tenant.card(1), 1)).order.id
    assert front.staff("owner").call("orders.show", orderId=order)[0] == 200
    theirs = front.staff("owner", tenant=front.stranger.id)
    for name, members in (("orders.show", {}), ("orders.note", {"note": "x"}), ("orders.cancel", {"reason": "x"})):
        assert theirs.call(name, orderId=order, **members) == (404, -3)
    assert theirs.call("orders.find", search=order) == (200, {"orders": []})


def test_a_member_of_the_installation_must_name_the_tenant(front: Front) -> None:
    member = front.members.create("owner", password=front.password_hash)
    token = front.members.log_in(member)
    assert front.call(token, "orders.list") == (400, -2)
    assert front.call(token, "orders.list", tenant=front.tenant.id)[0] == 200
    assert front.call(token, "orders.list", tenant="no such shop") == (404, -3)


@pytest.mark.requirement(219)
def test_disable_reset_and_roles_hold_on_the_next_request(front: Front) -> None:
    store, members = front.installation.store, front.members
    disabled, renewed, moved, gone = (front.staff("owner") for _ in range(4))
    for one in (disabled, renewed, moved, gone):
        assert one.call("orders.list")[0] == 200
    everybody = {one.id: one for one in store.read_now(staff.list_page)[0]}
    found = {one.id: everybody[one.id] for one in (disabled, renewed, moved)}
    members.disable(found[disabled.id])
    members.reset(found[renewed.id])
    store.write_now(lambda tx: staff.set_roles(tx, found[moved.id], ["catalogue"]))
    front.send("POST", "/operator/logout", {"authorization": f"Bearer {gone.token}"})
    assert disabled.call("orders.list") == (401, -21)
    assert renewed.call("orders.list") == (401, -21)
    assert moved.call("orders.list") == (403, -32)
    assert gone.call("orders.list") == (401, -21)


@pytest.mark.requirement(220)
def test_no_operation_takes_a_password_and_the_reset_answers_with_none(front: Front) -> None:
    for operation in OPERATIONS.values():
        assert not any("password" in name for name in fields_of(operation.shape)), operation.name
    front.tenant.write(set_mail_settings, sender="shop@shop.example", shop_url="https://shop.example")
    status, shown = front.staff("support").call("customers.reset", customer=front.tenant.customer)
    assert (status, set(shown)) == (200, {"id", "email", "status"})


def test_the_actions_of_a_member_are_in_the_audit_trail_under_its_id(front: Front) -> None:
    someone = front.staff("support")
    product = front.tenant.card(1)
    order = front.tenant.order((product, 1)).order.id
    status, shown = someone.call("orders.note", orderId=order, note="called back")
    assert status == 200
    assert [one["text"] for one in shown["notes"]] == ["called back"]
    with raw(front.installation.settings) as other:
        rows = other.rows("SELECT actor, action, request_id FROM audit WHERE subject = :order", order=order)
    assert (someone.id, "order.note") in [row[:2] for row in rows]
    assert all(row[2] for row in rows if row[0] == someone.id)
    assert OPERATOR.name not in {row[0] for row in rows if row[1] == "order.note"}


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (JSON, b"[]", -2),
        (JSON, b'{"orderId": "a", "orderid": "b"}', -2),
        (JSON, b'{"orderId": "a", "more": 1}', -2),
        (JSON, b'{"orderId": 5}', -2),
        (JSON, b"\xff", -2),
        ({"content-type": "text/plain"}, b"{}", -6),
    ],
)
def test_hostile_input_is_refused(front: Front, headers: dict[str, str], body: bytes, code: int) -> None:
    lines = {**headers, "authorization": f"Bearer {front.staff('owner').token}"}
    answer = front.send("POST", "/operator/orders/show", lines, body)
    assert json.loads(answer.body)["code"] == code


def test_another_host_than_the_listeners_is_misdirected(front: Front) -> None:
    token = front.staff("owner").token
    for path in ("/console", "/console/login", "/operator/session", "/operator/login"):
        answer = front.send("GET", path, {"host": "api.shop.example", "authorization": f"Bearer {token}"})
        assert (answer.status, json.loads(answer.body)["code"]) == (421, -10)
