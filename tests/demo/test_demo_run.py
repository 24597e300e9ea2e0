"""The real demo, started as a user would start it, and observed from outside."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bedesten.demo.run import Stopped, _stoppable
from tests.support.client import Client, bearer

pytestmark = pytest.mark.slow

ALL = [sys.executable, "-m", "bedesten", "demo"]
WRONG_ON_PURPOSE = """
import sys
from bedesten.demo import run, steps
scenario = steps.Scenario("A scenario", (
    steps.Step("Right", "Reseller", "none", lambda ctx: ctx.refused_request("GET", "/Categories", {}, 401, -20, "refused")),
    steps.Step("Wrong on purpose", "Reseller", "none", lambda ctx: ctx.check("two is three", 2, 3)),
    steps.Step("Never", "Reseller", "none", lambda ctx: None),
))
run.SCENARIOS = (scenario,)
sys.exit(run.run(once=True, port=0, as_json=True))
"""


class Demo:
    """A running demo. Every process that it starts has its directory in the environment or the command line."""

    def __init__(self, *words: str, command: list[str] | None = None) -> None:
        self.process = subprocess.Popen(
            command or [*ALL, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "BEDESTEN_DATA": "/nonexistent", "PYTHONUTF8": "1"},
        )
        self.directory = Path("/nonexistent")

    def lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "/bedesten-demo-" in line and self.directory.name == "nonexistent":
                self.directory = Path(next(word for word in _words(line) if "/bedesten-demo-" in word))
            yield line

    def until(self, wanted: str) -> list[str]:
        """Return the lines up to the first that contains a text."""
        seen = []
        for line in self.lines():
            seen.append(line)
            if wanted in line:
                return seen
        raise AssertionError(f"no {wanted!r} in {''.join(seen[-20:])}; {self.errors()}")

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def processes(self) -> list[int]:
        """Return the processes of this demo, found by its directory."""
        mark, found = str(self.directory).encode(), []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if not zombie and mark in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found


def _words(line: str) -> list[str]:
    if line.startswith("{"):
        return [value for value in json.loads(line).values() if isinstance(value, str)]
    return line.split()


@pytest.fixture
def demo() -> Iterator[Callable[..., Demo]]:
    """Start demos, and clean up after them."""
    started: list[Demo] = []

    def start(*words: str, command: list[str] | None = None) -> Demo:
        started.append(Demo(*words, command=command))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate(timeout=30)
        shutil.rmtree(one.directory, ignore_errors=True)


def ended(demo: Demo) -> bool:
    """Whether all its processes end within a few seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end and demo.processes():
        time.sleep(0.05)
    return not demo.processes()


def test_every_step_passes_and_nothing_is_left_behind(demo: Callable[..., Demo]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        played = demo("--once", "--json", "--port", str(port))
        events = [json.loads(line) for line in played.lines()]
    assert (played.process.wait(30), played.errors()) == (0, "")
    assert [one["event"] for one in events] == ["serving", *["step"] * 31, "summary", "ended"]
    serving, summary, last = events[0], events[-2], events[-1]
    steps = events[1:-2]
    assert serving["url"] != f"http://127.0.0.1:{port}"
    assert serving["tenants"] == {"demo": ["localhost", "127.0.0.1", "[::1]"], "sandbox shop": ["sandbox.localhost"]}
    assert [one["step"] for one in steps if not one["ok"] or one["error"] or not one["checks"]] == []
    assert {name: summary[name] for name in ("ok", "steps", "passed", "failed")} == {
        "ok": True, "steps": 31, "passed": 31, "failed": [],
    }  # fmt: skip
    assert summary["webhooks"] >= 3, "those for which a step waits"
    assert {(one["surface"], one["credential"]) for one in steps} >= {
        ("payment", "API key"), ("reseller", "password"), ("reseller", "bearer token"), ("supplier", "API key"),
        ("storefront", "none"), ("storefront", "password"), ("storefront", "bearer token"),
    }  # fmt: skip
    assert refusals(steps) == {
        "The word Bearer is missing": [(401, -20)],
        "The API key is missing": [(401, -23)],
        "She logs in": [(401, -21)],
        "Credentials of another shop": [(401, -23), (401, -21)],
        "A host that no shop has": [(421, -10)],
        "An API key is revoked": [(401, -23)] * 9,
        "A scope is removed": [(403, -24)],
    }
    assert last["removed"] == serving["data"] == str(played.directory)
    assert not played.directory.exists()
    assert ended(played)


def refusals(steps: list[dict[str, Any]]) -> dict[str, list[tuple[int, int]]]:
    """Return status and code of every response other than 200, by the step's title."""
    found = {
        one["title"]: [(each["status"], each["code"]) for each in one["requests"] if each["status"] != 200]
        for one in steps
    }
    return {title: answers for title, answers in found.items() if answers}


def test_it_serves_with_new_credentials_until_ctrl_c(demo: Callable[..., Demo]) -> None:
    played = demo("--port", "0")
    text = "".join(played.until("Ctrl-C ends it"))
    assert "31 of 31 steps" in text
    assert "\x1b" not in text
    before, _, after = text.partition("It is yours now")
    lines = after.splitlines()
    recipes = [(lines[at - 1], line.strip()) for at, line in enumerate(lines) if line.startswith("  curl ")]
    promised = [title.rpartition(": ")[2] for title, _ in recipes]
    assert promised == ["200", "401, -20", "200", "401, -23", "200", "200"]
    assert [pasted(line) for _, line in recipes] == promised
    assert pasted(recipes[0][1]) == "200"
    credentials = dict(line.split("=", 1) for line in (played.directory / "credentials.env").read_text().splitlines())
    assert list(credentials) == ["URL", "TOKEN", "API_KEY", "PRODUCT", "EMAIL", "PASSWORD"]
    assert (played.directory / "credentials.env").stat().st_mode & 0o777 == 0o600
    assert [name for name in ("TOKEN", "API_KEY", "PASSWORD") if shlex.split(credentials[name])[0] in before] == []
    port = int(shlex.split(credentials["URL"])[0].rpartition(":")[2])
    builder = f"http://sandbox.localhost:{port}/documentation/surfaces/reseller"
    assert builder in after
    sandbox = Client(port, "sandbox.localhost")
    assert b"Try it in the sandbox" in sandbox.get("/documentation/surfaces/reseller").body
    login = {"email": shlex.split(credentials["EMAIL"])[0], "password": shlex.split(credentials["PASSWORD"])[0]}
    own = Client(port, "sandbox.localhost", bearer(sandbox.data("/Login/Customer/Api/Verify", login)["token"]))
    assert own.data("/Products/List", {})["items"][0]["inStock"] is True
    webhook = "".join(played.until("LNTN-"))
    assert "to the partner's server" in webhook
    assert '"deliveryData":' in webhook
    played.process.send_signal(signal.SIGINT)
    assert (played.process.wait(15), played.errors()) == (0, "")
    assert "".join(played.lines()).endswith(f"stopped; {played.directory} is removed\n")
    assert not played.directory.exists()
    assert ended(played)


def pasted(line: str) -> str:
    """Send the request of a printed curl line; return `200`, or the status and the code."""
    words = shlex.split(line)
    assert words[:3] == ["curl", "-X", "POST"]
    url, options = words[3], list(zip(words[4::2], words[5::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    body = next((value for option, value in options if option == "-d"), None)
    answer = httpx2.post(url, headers=headers, content=body, timeout=20, trust_env=False)
    code = answer.json().get("code")
    return f"{answer.status_code}" + (f", {code}" if code else "")


@pytest.mark.parametrize(("number", "words", "code"), [(signal.SIGINT, (), 0), (signal.SIGTERM, ("--once",), 130)])
def test_a_signal_in_the_middle_cleans_up(
    demo: Callable[..., Demo], number: signal.Signals, words: tuple[str, ...], code: int
) -> None:
    played = demo("--json", "--port", "0", *words)
    played.until('"serving"')
    assert len(played.processes()) >= 4
    played.process.send_signal(number)
    assert (played.process.wait(15), played.errors()) == (code, "")
    assert not played.directory.exists()
    assert ended(played)


def test_a_signal_during_a_finaliser_is_not_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Ending:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):
                pass

    heard = []
    with _stoppable() as request:
        request.check()
        Ending()
        try:
            request.check()
        except Stopped:
            heard.append(True)
    assert heard == [True]
    assert capsys.readouterr().err == ""


def test_a_killed_demo_leaves_no_process_behind(demo: Callable[..., Demo]) -> None:
    played = demo("--json", "--port", "0")
    played.until('"serving"')
    assert len(played.processes()) >= 4
    played.process.kill()
    assert played.process.wait(15) == -signal.SIGKILL
    assert ended(played)


def test_a_failed_step_ends_the_demo_with_1_and_its_name(demo: Callable[..., Demo]) -> None:
    played = demo(command=[sys.executable, "-c", WRONG_ON_PURPOSE])
    events = [json.loads(line) for line in played.lines()]
    assert (played.process.wait(30), played.errors()) == (1, "")
    assert [one["event"] for one in events] == ["serving", "step", "step", "summary", "failed", "ended"]
    assert [one["ok"] for one in events[1:3]] == [True, False]
    assert events[3]["failed"] == [2]
    assert events[4]["reason"] == ("step 2, 'Wrong on purpose': two is three: expected 3, found 2")
    assert not played.directory.exists()
