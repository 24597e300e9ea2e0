"""What the demo prints for people never contains a credential."""

import io
from decimal import Decimal

import pytest

from bedesten.demo.receiver import Delivery
from bedesten.demo.recorder import Exchange
from bedesten.demo.reporter import Environment, Outcome, Snippet, Summary
from bedesten.demo.rich_reporter import RichReporter, shortened, terminal

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJiIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
KEY = "ak_live_0123456789abcdef0123456789abcdef"
PASSWORD = "seven-lanterns-and-a-lock"
ORDER = Exchange(
    "POST",
    "/Orders/Create",
    (("Authorization", f"Bearer {TOKEN}"), ("ApiKey", KEY)),
    {"orderReference": "1", "password": PASSWORD, "price": Decimal("24.00")},
    401,
    "Unauthorized",
    (("WWW-Authenticate", "Bearer realm=" + "x" * 200),),
    {"success": False, "code": -21, "data": {"token": TOKEN}},
    1.6,
)
ENVIRONMENT = Environment(
    "/tmp/d", "http://127.0.0.1:8080", "http://127.0.0.1:9/webhooks", {"demo": ("localhost",)}, 3, 1
)


class Screen(io.StringIO):
    """A terminal that records its output."""

    def isatty(self) -> bool:
        return True


def printed(screen: io.StringIO) -> str:
    """Everything that is printed, except the end, which shows the visitor's credentials."""
    reporter = RichReporter(terminal(screen))
    reporter.started(ENVIRONMENT)
    outcome = Outcome(1, "A scenario", "A step", "Reseller", "bearer token", (ORDER,), error="no " * 60)
    reporter.step_started(outcome)
    reporter.exchanges([ORDER])
    reporter.exchanges([ORDER])
    reporter.exchanges([ORDER, ORDER])
    reporter.operator_command("bedesten keys revoke key_1", {"id": "key_1", "revoked": True})
    reporter.delivery(Delivery("evt_1", (("Apikey", KEY),), {"status": 1}))
    reporter.check("a check")
    reporter.step_ended(outcome)
    reporter.summary(Summary([outcome], 2, 1, 0.5))
    reporter.failed("no " * 60, ["a line of the log " * 20])
    return screen.getvalue()


def test_no_credential_is_printed_and_each_can_be_recognised() -> None:
    text = printed(io.StringIO())
    assert [secret for secret in (TOKEN, KEY, PASSWORD) if secret in text] == []
    assert "Authorization: Bearer …tlbg" in text
    assert "ApiKey: ak_live_…cdef" in text
    assert '{"orderReference": "1", "password": "…lock", "price": 24.00}' in text


def test_a_body_is_printed_once_when_it_is_sent_twice() -> None:
    text = printed(io.StringIO())
    assert (text.count('"orderReference"'), text.count("the same body")) == (1, 2)


def test_no_line_is_wider_than_the_terminal() -> None:
    assert max(map(len, printed(io.StringIO()).splitlines())) <= 100


def test_the_summary_counts_steps_requests_and_webhooks() -> None:
    assert "0 of 2 steps, 1 requests, 1 webhooks in 0.5 s" in printed(io.StringIO())


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in printed(Screen())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_escape_sequence_where_colours_are_unwanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in printed(Screen())
    assert "\x1b" not in printed(io.StringIO())


def test_command_lines_to_paste_are_never_broken() -> None:
    screen = io.StringIO()
    reporter = RichReporter(terminal(screen))
    line = f"curl -H 'Authorization: Bearer {TOKEN}' http://127.0.0.1:8080/" + "x" * 200
    reporter.ready(
        ENVIRONMENT, "http://sandbox", "/tmp/d/credentials.env", [Snippet("an order", 401, -20, line, TOKEN)]
    )
    assert f"  {line}\n" in screen.getvalue()
    assert "  # an order: 401, -20\n" in screen.getvalue()


def test_long_texts_and_lists_are_cut() -> None:
    assert shortened(["x" * 61]) == ["x" * 59 + "…"]
    assert shortened(list(range(9))) == [0, 1, 2, 3, "… 5 more"]


def test_passwords_and_tokens_are_masked_at_any_depth() -> None:
    secret = "correct-horse-battery-staple"
    document = {"Password": secret, "data": [{"token": secret}], "short": {"password": "abc"}}
    assert shortened(document) == {"Password": "…aple", "data": [{"token": "…aple"}], "short": {"password": "…"}}
