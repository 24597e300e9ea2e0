"""The console in the browser: pages by role, and forms that no other site can send."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bedesten.admin.product_settings import set_low_stock
from bedesten.audit.actions import Actor
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import NewComplaint
from bedesten.console.operations import OPERATIONS
from bedesten.console.pages import LISTS
from bedesten.console.templating import assets
from bedesten.payments import actions as payments
from bedesten.payments.deposit_limits import DepositLimits, set_limits
from bedesten.payments.moves import AWAITING
from bedesten.staff.roles import DUTIES, Role
from tests.console.front import ORIGIN, PASSWORD, Browser, Front, header
from tests.domain.tenant import fresh
from tests.store.raw import raw

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN}


def base(front: Front) -> str:
    return f"/console/{front.tenant.id}"


def act(someone: Browser, front: Front, operation: str, **fields: str) -> Any:
    """Submits a form as its page does."""
    where = base(front)
    sent = {"csrf": someone.csrf(where), "back": f"{where}/orders", **fields}
    return someone.post(f"{where}/do/{operation}", None, **sent)


def complain(front: Front, *codes: str) -> str:
    """Opens a complaint about the only unit of a new order; `codes` more are in stock."""
    tenant = front.tenant
    product = tenant.card(1)
    tenant.upload(product, codes)
    line = tenant.order((product, 1)).lines[0].id
    new = NewComplaint(line, "INVALID_CODE", None, "it does <b>not</b> work")
    return tenant.write(complaints.create, front.installation.cipher, tenant.partner, new, Actor(tenant.partner)).id


def test_a_login_by_form_redirects_to_the_tenant_with_a_cookie_only_for_the_console(front: Front) -> None:
    someone = front.staff("support")
    body = f"email={someone.email.replace('@', '%40')}&password={PASSWORD.replace(' ', '+')}".encode()
    answer = front.send("POST", "/console/login", FORM, body)
    assert (answer.status, header(answer, "location")) == (303, "/console")
    cookie = header(answer, "set-cookie")
    token, rest = re.fullmatch(r"bedesten_staff=([\w-]{43})(; .*)", cookie).groups()  # type: ignore[union-attr]
    assert rest == "; Path=/console; HttpOnly; SameSite=Strict"
    home = front.send("GET", "/console", {"cookie": f"bedesten_staff={token}"})
    assert (home.status, header(home, "location")) == (303, base(front))
    secure = front.send(
        "POST", "/console/login", {**FORM, "host": "ops.example", "origin": "https://ops.example"}, body
    )
    assert header(secure, "set-cookie").endswith("; SameSite=Strict; Secure")
    bad = front.send("POST", "/console/login", FORM, body.replace(b"seven", b"eight"))
    assert (bad.status, header(bad, "set-cookie")) == (400, "")


def test_pages_allow_no_script_no_frame_and_no_other_host(front: Front) -> None:
    someone = front.staff("owner")
    paths = ["/console/login", "/console/setup", base(front), *(f"{base(front)}/{page.name}" for page in LISTS)]
    for path in paths:
        answer = someone.get(path)
        assert answer.status == 200, path
        assert header(answer, "content-security-policy").startswith("default-src 'none'; style-src 'self';")
        assert "frame-ancestors 'none'" in header(answer, "content-security-policy")
        assert header(answer, "cache-control") == "no-store"
        assert header(answer, "referrer-policy") == "same-origin"
        assert b"<script" not in answer.body
        assert b"://" not in answer.body.replace(b"xmlns", b"")
    for one in assets():
        style = front.send("GET", f"/console/assets/{one.name}")
        assert (style.status, style.body) == (200, one.body)


def test_without_a_session_every_page_redirects_to_the_login(front: Front) -> None:
    for path in ("/console", base(front), *(f"{base(front)}/{page.name}" for page in LISTS)):
        for cookie in ({}, {"cookie": "bedesten_staff=x"}, {"cookie": "bedesten_staff=x; bedesten_staff=y"}):
            answer = front.send("GET", path, cookie)
            assert (answer.status, header(answer, "location")) == (303, "/console/login")


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_the_pages_of_its_duties_and_a_menu_of_them(front: Front, role: Role) -> None:
    someone = front.staff(role.value)
    menu = someone.get(base(front)).body.decode()
    for page in LISTS:
        may = OPERATIONS[page.operation].duty in DUTIES[role]
        assert someone.get(f"{base(front)}/{page.name}").status == (200 if may else 403)
        assert (f'href="{base(front)}/{page.name}"' in menu) is may


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"csrf": ""}, 400),
        ({"csrf": "0" * 64}, 400),
        ({"origin": "https://evil.example"}, 400),
        ({"origin": "null"}, 400),
        ({"sec-fetch-site": "cross-site"}, 400),
        ({"sec-fetch-site": "same-site"}, 400),
        ({"cookie": ""}, 400),
        ({"content-type": "text/plain"}, 400),
        ({}, 303),
    ],
)
def test_a_form_of_another_site_or_session_changes_nothing(front: Front, change: dict[str, str], status: int) -> None:
    someone = front.staff("support")
    order = front.tenant.order((front.tenant.card(1), 1)).order.id
    csrf = change.get("csrf", someone.csrf(base(front)))
    headers = {name: value for name, value in change.items() if name != "csrf"}
    answer = someone.post(f"{base(front)}/do/orders.note", headers, csrf=csrf, orderId=order, note="hello", back="")
    assert answer.status == status
    notes = someone.call("orders.show", orderId=order)[1]["notes"]
    assert len(notes) == (status == 303)


def test_the_csrf_token_of_another_member_is_refused(front: Front) -> None:
    someone, other = front.staff("support"), front.staff("support")
    answer = someone.post(f"{base(front)}/do/orders.note", csrf=other.csrf(base(front)), orderId="o", note="n", back="")
    assert answer.status == 400


@pytest.mark.parametrize(
    "back",
    ["https://evil.example", "//evil.example", "/console/../x", "/console/{id}/orders\r\nx: y", "/operator/session"],
)
def test_a_form_redirects_only_to_a_page_of_its_tenant(front: Front, back: str) -> None:
    someone = front.staff("support")
    order = front.tenant.order((front.tenant.card(1), 1)).order.id
    fields = {"orderId": order, "note": "n", "back": back.replace("{id}", front.tenant.id)}
    answer = someone.post(f"{base(front)}/do/orders.note", None, csrf=someone.csrf(base(front)), **fields)
    assert header(answer, "location") == f"{base(front)}?done=1"


def test_an_order_can_be_found_shown_noted_and_cancelled(front: Front) -> None:
    someone = front.staff("support")
    reference = fresh("ref")
    order = front.tenant.order((front.tenant.topup(), 1), reference=reference).order.id
    assert order in someone.get(f"{base(front)}/orders?search={reference}").body.decode()
    assert order in someone.get(f"{base(front)}/orders?state=placed&status=").body.decode()
    assert act(someone, front, "orders.note", orderId=order, note="<script>alert(1)</script>").status == 303
    page = someone.get(f"{base(front)}/orders/{order}").body.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert act(someone, front, "orders.cancel", orderId=order, reason="asked for it").status == 303
    assert someone.call("orders.show", orderId=order)[1]["lines"][0]["status"] == "cancelled"


def test_a_complaint_shows_its_code_masked_and_is_answered(front: Front) -> None:
    someone = front.staff("support")
    code = fresh("CODE")
    replaced, refunded, rejected = complain(front, code), complain(front), complain(front)
    page = someone.get(f"{base(front)}/complaints/{replaced}").body.decode()
    assert "it does &lt;b&gt;not&lt;/b&gt; work" in page
    assert "CODE-" not in page
    for one, answer, more in (
        (replaced, "replace", {}), (refunded, "refund", {"amount": "1.50"}), (rejected, "reject", {"text": "It works."})
    ):  # fmt: skip
        assert act(someone, front, "complaints.answer", complaintId=one, answer=answer, **more).status == 303
    states = [someone.call("complaints.show", complaintId=one)[1] for one in (replaced, refunded, rejected)]
    assert [one["state"] for one in states] == ["replaced", "refunded", "rejected"]
    assert {one["decidedBy"] for one in states} == {someone.id}
    assert str(states[1]["refunded"]) == "1.5"
    assert act(someone, front, "complaints.answer", complaintId=rejected, answer="refund").status == 409


def test_a_refund_form_that_is_sent_twice_makes_one_refund(front: Front) -> None:
    someone = front.staff("finance")
    line = front.tenant.order((front.tenant.card(1), 1)).lines[0].id
    before = front.tenant.balance().posted
    fields = {"orderDetailId": line, "reason": "a gift", "key": fresh("key"), "amount": "2.00"}
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: act(someone, front, "orders.refund", **fields).status, range(16)))
    assert set(statuses) == {303}
    assert front.tenant.balance().posted - before == 200


def test_only_finance_decides_waiting_deposits(front: Front) -> None:
    tenant = front.tenant

    def waiting() -> str:
        made = tenant.write(payments.create_deposit, tenant.integration, tenant.partner, fresh("d"), "USD", 900)
        assert tenant.write(payments.confirm_deposit, tenant.integration, made.id).state == AWAITING
        return made.id

    tenant.write(set_limits, tenant.integration, DepositLimits(confirm_above=800), "USD")

    approved, rejected = waiting(), waiting()
    support, finance = front.staff("support"), front.staff("finance")
    assert approved in finance.get(f"{base(front)}/deposits").body.decode()
    assert act(support, front, "deposits.approve", depositId=approved).status == 403
    before = tenant.balance().posted
    assert act(finance, front, "deposits.approve", depositId=approved).status == 303
    assert act(finance, front, "deposits.reject", depositId=rejected).status == 303
    assert tenant.balance().posted - before == 900
    with raw(front.installation.settings) as other:
        rows = other.rows("SELECT action, actor FROM audit WHERE subject IN (:a, :b)", a=approved, b=rejected)
    assert {("deposit.approve", finance.id), ("deposit.reject", finance.id)} <= set(rows)


def test_a_disabled_member_loses_access_to_pages_at_once(front: Front) -> None:
    someone = front.staff("owner")
    assert someone.get(base(front)).status == 200
    front.members.disable(front.installation.store.read_now(lambda tx: _member(tx, someone)))
    assert header(someone.get(base(front)), "location") == "/console/login"


def _member(tx: Any, someone: Browser) -> Any:
    from bedesten.staff import actions as staff

    return staff.find(tx, someone.id)


def test_a_member_sets_a_password_with_a_setup_code_and_logs_in(front: Front) -> None:
    member = front.members.create("support", tenant=front.tenant.id, password=None)
    code = front.members.reset(member)

    def choose(password: str, again: str, text: str = code) -> int:
        body = f"code={text}&password={password}&repeated={again}".encode()
        return front.send("POST", "/console/setup", FORM, body).status

    assert choose("eleven+herons+at+dusk", "another") == 400
    assert choose("short", "short") == 400
    assert choose("eleven+herons+at+dusk", "eleven+herons+at+dusk", "wrong") == 400
    assert choose("eleven+herons+at+dusk", "eleven+herons+at+dusk") == 303
    assert choose("eleven+herons+at+dusk", "eleven+herons+at+dusk") == 400
    body = f"email={member.email}&password=eleven+herons+at+dusk".encode()
    assert front.send("POST", "/console/login", FORM, body).status == 303


@pytest.mark.parametrize("path", ["/x/y/z/w", "/%2e%2e", "/do/orders.note", "//", "/orders/a/b"])
def test_an_unknown_page_is_404(front: Front, path: str) -> None:
    assert front.staff("owner").get(f"{base(front)}{path}").status == 404


def test_a_form_cannot_run_a_reading_operation_and_log_out_ends_the_session(front: Front) -> None:
    someone = front.staff("owner")
    assert act(someone, front, "orders.show", orderId="x").status == 404
    assert someone.post("/console/logout", csrf=someone.csrf(base(front))).status == 303
    assert someone.call("orders.list") == (401, -21)


def test_the_next_page_link_of_a_product_list_keeps_the_filter(front: Front) -> None:
    someone = front.staff("support")
    cards = [front.tenant.card(codes=1) for _ in range(3)]
    front.tenant.write(set_low_stock, cards, 2)
    where = f"{base(front)}/stock"
    skus: list[str] = []
    asked = "onlyLow=yes&limit=2"
    for _ in range(2):
        shown = someone.get(f"{where}?{asked}").body.decode()
        skus += re.findall(r'data-label="Sku">(card-[^<]+)<', shown)
        link = re.search(r'<a rel="next" href="([^"]+)">', shown)
        assert (link is not None) == (len(skus) == 2)
        if link is not None:
            path, asked = link[1].replace("&amp;", "&").split("?")
            assert path == where
            assert asked == f"onlyLow=yes&limit=2&cursor={cards[1]}"
    assert len(set(skus)) == 3
    assert someone.get(f"{where}?limit=201").status == 400
