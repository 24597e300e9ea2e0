"""The demo prints no credential until it hands them over."""

import io
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from bedesten.demo.receiver import Delivery
from bedesten.demo.reporter import Reporter, Step, shortened
from bedesten_client.webhooks import Event

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJiIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
KEY = "ak_live_0123456789abcdef0123456789abcdef"
PASSWORD = "seven-lanterns-and-a-lock"


def refused_order() -> httpx2.Response:
    request = httpx2.Request(
        "POST",
        "http://127.0.0.1:8080/Orders/Create",
        headers={"Authorization": f"Bearer {TOKEN}", "ApiKey": KEY, "Host": "sandbox.localhost"},
        content=f'{{"orderReference": "1", "password": "{PASSWORD}", "price": 24.00}}',
    )
    headers = {"WWW-Authenticate": "Bearer realm=" + "x" * 200}
    body = {"success": False, "code": -21, "data": {"token": TOKEN}}
    response = httpx2.Response(401, headers=headers, json=body, request=request)
    response.elapsed = timedelta(milliseconds=2)
    return response


class Screen(io.StringIO):
    """A terminal that records its output."""

    def isatty(self) -> bool:
        return True


def printed(screen: io.StringIO, tmp_path: Path) -> str:
    """The whole output except the end, which shows where the visitor's credentials are."""
    reporter = Reporter(screen)
    order = refused_order()
    step = Step(1, "A step", "Reseller", "bearer token", [order, order])
    reporter.title("A scenario")
    reporter.step(step.number, step.title, step.surface, step.credential)
    reporter.exchange(order)
    reporter.operator_command(["keys", "create", "--owner", "Back office"], {"id": "key_1", "key": KEY})
    reporter.delivery(Delivery({"Apikey": KEY}, Event("1", "odl_1", 1)))
    reporter.check("a check")
    reporter.summary([step, Step(2, "Another", "Operator", "none", passed=True)], webhooks=1, seconds=0.5)
    log = tmp_path / "server.log"
    log.write_text("".join(f"line {number} of the log {'and more ' * 20}\n" for number in range(9)), "utf-8")
    reporter.failed("no " * 60, log)
    return screen.getvalue()


def test_no_credential_is_printed_and_each_can_be_recognised(tmp_path: Path) -> None:
    text = printed(io.StringIO(), tmp_path)
    assert [secret for secret in (TOKEN, KEY, PASSWORD) if secret in text] == []
    assert "Authorization: Bearer …tlbg" in text
    assert "ApiKey: ak_live_…cdef" in text
    assert "Host: sandbox.localhost" in text
    assert '{"orderReference": "1", "password": "…lock", "price": 24.00}' in text
    assert '{"id": "key_1", "key": "ak_live_…cdef"}' in text


def test_no_line_is_wider_than_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    assert max(map(len, printed(Screen(), tmp_path).splitlines())) <= 60
    assert max(map(len, printed(io.StringIO(), tmp_path).splitlines())) <= 100


def test_the_summary_counts_steps_requests_and_webhooks(tmp_path: Path) -> None:
    text = printed(io.StringIO(), tmp_path)
    assert "✗ 1 of 2 steps, 2 requests, 1 webhooks in 0.5 s" in text
    rows = [line.split() for line in text.splitlines() if line.startswith((" ✓", " ✗"))]
    assert rows[:2] == [
        ["✗", "1", "A", "step", "Reseller", "bearer", "token", "401", "-21", "×2"],
        ["✓", "2", "Another", "Operator", "none"],
    ]


def test_a_failure_shows_the_end_of_the_servers_log(tmp_path: Path) -> None:
    _, _, after = printed(io.StringIO(), tmp_path).rpartition("no no")
    assert [line.split()[1] for line in after.splitlines() if "of the log" in line] == ["4", "5", "6", "7", "8"]


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in printed(Screen(), tmp_path)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_escape_sequences_are_printed_where_colours_are_unwanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in printed(Screen(), tmp_path)
    assert "\x1b" not in printed(io.StringIO(), tmp_path)


def test_command_lines_to_copy_are_never_broken() -> None:
    screen = io.StringIO()
    line = f"curl -H 'Authorization: Bearer {TOKEN}' http://127.0.0.1:8080/" + "x" * 200
    Reporter(screen).command(line)
    assert screen.getvalue() == f"  {line}\n"


def test_long_texts_and_lists_are_truncated() -> None:
    assert shortened(["x" * 61]) == ["x" * 59 + "…"]
    assert shortened(list(range(9))) == [0, 1, 2, 3, "… 5 more"]


def test_passwords_and_tokens_are_masked_at_any_depth() -> None:
    secret = "correct-horse-battery-staple"
    document = {"Password": secret, "data": [{"token": secret}], "short": {"password": "abc"}}
    assert shortened(document) == {"Password": "…aple", "data": [{"token": "…aple"}], "short": {"password": "…"}}
