"""Log lines: one JSON object each, short, harmless to a terminal, without anything that looks like a credential."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bedesten.core.secret import Secret
from bedesten.server import logs
from bedesten.server.logs import MAX_LINE_BYTES, configure, line
from bedesten.server.settings import Settings

KEY = "ak_live_0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhY2NfMSJ9.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl"
Captured = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def captured(capfd: pytest.CaptureFixture[str]) -> Iterator[Captured]:
    """Captures what the process logs, line by line as JSON."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    configure("debug")
    yield lambda: [json.loads(one) for one in capfd.readouterr().err.splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_has_its_time_level_and_event(captured: Captured) -> None:
    structlog.get_logger("bedesten.test").info("refused", code=-21, tenant=None, ok=True)
    (one,) = captured()
    assert one.pop("timestamp")[-1] == "Z"
    assert one == {
        "level": "info",
        "logger": "bedesten.test",
        "event": "refused",
        "code": -21,
        "tenant": None,
        "ok": True,
    }


def test_the_standard_librarys_loggers_write_the_same_lines(captured: Captured) -> None:
    logging.getLogger("granian").error("it failed: %s", "so\nand so")
    (one,) = captured()
    assert (one["level"], one["event"], one["logger"]) == ("error", "it failed: so\nand so", "granian")


@pytest.mark.requirement(163)
@pytest.mark.parametrize(
    "hostile",
    [
        "a\r\nb", "\x1b[2J\x1b]0;title\x07", "\x00", "\x7f\x80\x9b31m\x9f", "\u202eabc\u2066", "\u2028\u2029", "\ud800",
        "\ufeff\u200b", 'quote " backslash \\',
    ],
)  # fmt: skip
def test_no_value_can_break_a_line_or_steer_a_terminal(hostile: str) -> None:
    made = line("info", {"event": "x", "name": hostile}).decode()
    assert made.isprintable()
    assert len(made.splitlines()) == 1
    expected = hostile if hostile != "\ud800" else "\\ud800"
    assert json.loads(made)["name"] == expected


@pytest.mark.requirement(163)
def test_a_user_name_of_a_megabyte_is_cut(captured: Captured) -> None:
    structlog.get_logger("bedesten.test").info("login", name="n" * 1_000_000)
    (one,) = captured()
    assert one["name"] == "n" * 500 + "… (1000000 characters)"


def test_no_line_is_longer_than_a_pipe_writes_atomically() -> None:
    many = {f"name-{number}": "\x01" * 1_000 for number in range(50)}
    made = line("info", {"event": "x", **many})
    assert len(made) < MAX_LINE_BYTES
    assert json.loads(made)["event"] == "x"


@pytest.mark.requirement(162)
@pytest.mark.parametrize(
    "secret",
    [
        KEY, "ak_test_" + "f" * 32, TOKEN, TOKEN.rsplit(".", 1)[0], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "ok_" + "0123456789abcdef" * 2, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    ],
)  # fmt: skip
def test_what_has_the_form_of_a_credential_is_masked_wherever_it_stands(secret: str) -> None:
    made = line("info", {"event": f"got {secret}", "list": [secret], "path": f"/x?access_token={secret}&y=1"}).decode()
    assert [secret[at : at + 20] for at in range(len(secret) - 19) if secret[at : at + 20] in made] == []
    assert made.count("[masked]") == 3


def test_the_password_in_a_database_address_is_masked() -> None:
    made = line(
        "error", {"event": "x", "cause": "postgresql://bedesten:hunter2-and-more@db.example:5432/shop"}
    ).decode()
    assert "hunter2" not in made
    assert json.loads(made)["cause"] == "postgresql://[masked]db.example:5432/shop"


def test_a_secret_object_shows_nothing_of_its_value() -> None:
    assert json.loads(line("info", {"event": "x", "given": Secret("correct horse")}))["given"] == "Secret(…)"


def fail(password: str, depth: int) -> None:
    """Fails with a secret in a local variable and in the text."""
    if depth:
        fail(password, depth - 1)
    raise ValueError(f"cannot use {KEY} nor {TOKEN} nor c29tZXRoaW5nLXNlY3JldC1lbm91Z2g")


def test_a_logged_exception_shows_no_local_variables_and_no_credential(
    captured: Captured,
) -> None:
    log, password = structlog.get_logger("bedesten.test"), " ".join(["correct", "horse", "battery", "staple"])
    try:
        try:
            fail(password, 3)
        except ValueError as problem:
            raise KeyError("c29tZXRoaW5nLXNlY3JldC1lbm91Z2g") from problem
    except KeyError:
        log.exception("internal-error", request_id="req_1")
    (one,) = captured()
    assert (one["level"], one["event"], one["request_id"]) == ("error", "internal-error", "req_1")
    outcome = one["exception"]
    assert outcome.endswith("KeyError: '[masked]'")
    assert "ValueError: cannot use [masked] nor [masked] nor [masked]" in outcome
    assert "in fail" in outcome
    assert "staple" not in outcome


def recurse(depth: int) -> int:
    """Recurses without end."""
    return recurse(depth + 1)


def test_a_traceback_of_any_length_is_bounded(captured: Captured) -> None:
    error: Exception = ValueError("x" * 100_000)
    for number in range(50):
        try:
            raise RuntimeError(f"{number} " + "é" * 10_000) from error
        except RuntimeError as problem:
            error = problem
    log = structlog.get_logger("bedesten.test")
    log.error("deep", exc_info=error)
    try:
        recurse(0)
    except RecursionError:
        log.exception("recursion")
    deep, recursion = captured()
    assert len(deep["exception"]) <= 2_402
    assert "RuntimeError: 49 é" in deep["exception"]
    assert recursion["exception"].endswith("RecursionError: maximum recursion depth exceeded")


class Unspeakable(Exception):
    """An exception whose text cannot be formatted."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_an_exception_whose_text_cannot_be_formatted_is_logged_anyway() -> None:
    outcome = json.loads(line("error", {"event": "x", "exc_info": Unspeakable()}))["exception"]
    assert outcome.endswith("Unspeakable: (its text cannot be had)")


def test_a_closed_log_pipe_makes_nothing_fail() -> None:
    program = (
        "import structlog; from bedesten.server.logs import configure; configure('info')\n"
        "import logging\n"
        "for _ in range(3): structlog.get_logger('x').info('y'); logging.getLogger('z').error('w')\n"
        "print('done')"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=write, text=True, check=True)
    os.close(write)
    assert done.stdout == "done\n"


def test_the_level_decides_what_is_logged(capfd: pytest.CaptureFixture[str], captured: Captured) -> None:
    logs.configure("warning")
    log = structlog.get_logger("bedesten.level")
    log.info("not this")
    log.warning("this")
    assert [one["event"] for one in captured()] == ["this"]


def test_the_error_of_invalid_settings_does_not_repeat_their_values() -> None:
    with pytest.raises(ValueError) as problem:
        Settings.model_validate_json('{"database": "mysql://bedesten:hunter2-and-more@db.example/shop"}')
    assert "hunter2" not in str(problem.value)
