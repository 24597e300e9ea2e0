"""What is shown never holds a credential."""

import io

import pytest

from bedesten.demo.client import Exchange
from bedesten.demo.pretty import Pretty, terminal
from bedesten.demo.receiver import Received
from bedesten.demo.show import Scenery, Snippet

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJiIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
KEY = "ak_live_0123456789abcdef0123456789abcdef"
PASSWORD = "one-hall-four-gates-and-a-lock"
ORDER = Exchange(
    "POST",
    "/Orders/Create",
    (("Authorization", f"Bearer {TOKEN}"), ("ApiKey", KEY)),
    {"orderReference": "1", "password": PASSWORD},
    401,
    "Unauthorized",
    (("WWW-Authenticate", "Bearer realm=" + "x" * 200),),
    {"success": False, "code": -21, "data": {"token": TOKEN}},
    1.6,
)


class Screen(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def shown(screen: io.StringIO) -> str:
    """Everything that can be shown, without the end, where credentials are handed over."""
    show = Pretty(terminal(screen))
    scenery = Scenery(
        "/tmp/d", "http://127.0.0.1:8080", "http://127.0.0.1:9/webhooks", (("demo", "localhost"),), "3", 1
    )
    show.begins(scenery)
    show.act("An act")
    show.step(1, "A step", "Reseller", "bearer token")
    show.exchange(ORDER)
    show.exchange(ORDER)
    show.burst([ORDER, ORDER])
    show.command("bedesten keys revoke key_1")
    show.document({"id": "key_1", "revoked": True})
    show.delivery(Received("evt_1", (("Apikey", KEY),), {"status": 1}))
    show.check("a check")
    show.trouble("no " * 60, ["a line of the log " * 20])
    return screen.getvalue()


def test_no_credential_is_shown_and_each_can_be_recognised() -> None:
    text = shown(io.StringIO())
    assert [secret for secret in (TOKEN, KEY, PASSWORD) if secret in text] == []
    assert "Authorization: Bearer …tlbg" in text
    assert "ApiKey: ak_live_…cdef" in text
    assert '{"orderReference": "1", "password": "…lock"}' in text


def test_a_body_that_was_just_shown_is_not_shown_again() -> None:
    text = shown(io.StringIO())
    assert (text.count('"orderReference"'), text.count("the same body")) == (1, 1)


def test_no_line_is_wider_than_the_terminal() -> None:
    assert max(map(len, shown(io.StringIO()).splitlines())) == 100


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in shown(Screen())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_escape_sequence_where_colours_are_unwanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in shown(Screen())
    assert "\x1b" not in shown(io.StringIO())


def test_command_lines_to_be_pasted_are_whole_lines_however_long() -> None:
    screen = io.StringIO()
    show = Pretty(terminal(screen))
    line = f"curl -H 'Authorization: Bearer {TOKEN}' http://127.0.0.1:8080/" + "x" * 200
    scenery = Scenery("/tmp/d", "http://127.0.0.1:8080", "", (), "3", 1)
    show.serving(scenery, [Snippet("an order", 401, -20, line, TOKEN)], "/tmp/d/credentials.env")
    assert f"  {line}\n" in screen.getvalue()
    assert "  # an order: 401, -20\n" in screen.getvalue()
