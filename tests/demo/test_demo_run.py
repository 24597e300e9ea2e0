"""The real demo, started as a user would start it, and observed from outside."""

import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, bearer

pytestmark = pytest.mark.slow

ALL = [sys.executable, "-m", "bedesten", "demo"]
WRONG_ON_PURPOSE = """
import sys
from bedesten.cli import main
from bedesten.demo import run
def two_is_three(demo):
    with demo.step("Right", "Reseller", "none"):
        demo.check("refused", demo.send("GET", "/Categories", {}), (401, -20))
    with demo.step("Wrong on purpose", "Reseller", "none"):
        demo.check("two is three", 2, 3)
    with demo.step("Never", "Reseller", "none"):
        pass
run.SCENARIOS = (two_is_three,)
sys.exit(run.run(main, once=True, port=0))
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
                self.directory = Path(next(word for word in line.split() if "/bedesten-demo-" in word))
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
        with contextlib.suppress(ValueError):  # a test has closed the output
            one.process.communicate(timeout=120)
        shutil.rmtree(one.directory, ignore_errors=True)


def ended(demo: Demo) -> bool:
    """Whether all its processes end within a few seconds."""
    end = time.monotonic() + 120
    while time.monotonic() < end and demo.processes():
        time.sleep(0.05)
    return not demo.processes()


def rows(lines: list[str]) -> dict[str, tuple[str, str, str]]:
    """The table of the summary: surface, credential and responses by step title."""
    head = next(line for line in lines if "credential" in line and "responses" in line)
    at = [head.index(name) for name in ("step", "surface", "credential", "responses")]
    table = (line for line in lines if line.startswith((" ✓ ", " ✗ ")))
    return {
        line[at[0] : at[1]].strip(): (
            line[at[1] : at[2]].strip(),
            line[at[2] : at[3]].strip(),
            line[at[3] :].strip(),
        )
        for line in table
    }


def test_every_step_passes_and_nothing_is_left_behind(demo: Callable[..., Demo]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        played = demo("--once", "--port", str(port))
        lines = list(played.lines())
    assert (played.process.wait(120), played.errors()) == (0, "")
    text = "".join(lines)
    assert f"port {port} is busy" in text
    assert f"serve --port {port}" not in text
    assert "✗" not in text
    assert "\x1b" not in text
    summary = re.search(r"✓ 32 of 32 steps, \d+ requests, (\d+) webhooks in", text)
    assert summary, text[-2000:]
    assert int(summary[1]) >= 3, "those for which a step waits"
    steps = rows(lines)
    assert len(steps) == 32
    assert {(surface, credential) for surface, credential, _ in steps.values()} >= {
        ("Payment", "API key"), ("Reseller", "password"), ("Reseller", "bearer token"), ("Supplier", "API key"),
        ("Storefront", "none"), ("Storefront", "password"), ("Storefront", "bearer token"),
    }  # fmt: skip
    assert {title: answers for title, (_, _, answers) in steps.items() if "-" in answers} == {
        "The word Bearer is missing": "401 -20",
        "The API key is missing": "401 -23",
        "She logs in": "200, 401 -21",
        "Credentials of another shop": "401 -23, 401 -21",
        "A host that no shop has": "421 -10",
        "An API key is revoked": "401 -23",
        "A scope is removed": "200 ×2, 403 -24",
    }
    assert "✓ and so is the next call on each of those connections" in text
    assert text.endswith(f"stopped; {played.directory} is removed\n")
    assert not played.directory.exists()
    assert ended(played)


def test_the_demo_serves_with_new_credentials_until_ctrl_c(demo: Callable[..., Demo]) -> None:
    played = demo("--port", "0")
    text = "".join(played.until("Ctrl-C ends it"))
    before, _, after = text.partition("It is yours now")
    recipes = re.findall(r"^  # .*: (\d+(?:, -\d+)?)\n  (curl .*\n(?:    .*\n)?)", after, re.MULTILINE)
    assert [promised for promised, _ in recipes] == ["200", "401, -20", "200", "401, -23", "200", "200"]
    source = next(line.strip() for line in after.splitlines() if line.startswith("  . "))
    assert [pasted(source, line) for _, line in recipes] == [promised for promised, _ in recipes]
    assert pasted(source, recipes[0][1]) == "200"
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
    assert (played.process.wait(120), played.errors()) == (0, "")
    assert "".join(played.lines()).endswith(f"stopped; {played.directory} is removed\n")
    assert not played.directory.exists()
    assert ended(played)


def pasted(source: str, line: str) -> str:
    """Paste a printed curl line into a shell with the credentials; return `200`, or the status and the code."""
    shell = ["bash", "-eu", "-c", f"{source}\n{line.replace('curl', 'curl --noproxy localhost,127.0.0.1', 1)}"]
    answer = subprocess.run(shell, capture_output=True, text=True, check=True, timeout=60).stdout
    code = re.search(r'"code":(-\d+)', answer)
    return answer.split()[1] + (f", {code[1]}" if code else "")


@pytest.mark.parametrize(("number", "words", "code"), [(signal.SIGINT, (), 0), (signal.SIGTERM, ("--once",), 130)])
def test_a_signal_in_the_middle_cleans_up(
    demo: Callable[..., Demo], number: signal.Signals, words: tuple[str, ...], code: int
) -> None:
    played = demo("--port", "0", *words)
    played.until("The shelf is filled")
    assert len(played.processes()) >= 4
    played.process.send_signal(number)
    assert (played.process.wait(120), played.errors()) == (code, "")
    assert not played.directory.exists()
    assert ended(played)


def test_a_signal_during_the_set_up_ends_the_demo_after_the_current_command(demo: Callable[..., Demo]) -> None:
    played = demo("--port", "0", "--once")
    played.until("bedesten tenants create demo")
    played.process.send_signal(signal.SIGINT)
    rest = list(played.lines())
    assert (played.process.wait(120), played.errors()) == (130, "")
    assert rest[-1] == f"  stopped; {played.directory} is removed\n"
    assert "The shelf is filled" not in "".join(rest)
    assert ended(played)


NEVER_ENDS = """
import sys, time
from bedesten.demo import run
sys.exit(run.run(lambda words: [time.sleep(0.01) for _ in range(100_000)], once=True, port=0))
"""


def test_a_second_signal_ends_a_hanging_command(demo: Callable[..., Demo]) -> None:
    played = demo(command=[sys.executable, "-c", NEVER_ENDS])
    played.until("bedesten init")
    assert played.process.stdout is not None
    played.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        played.process.wait(1)
    played.process.send_signal(signal.SIGINT)
    while not select.select([played.process.stdout], [], [], 2)[0]:  # two pending signals arrive as one
        played.process.send_signal(signal.SIGINT)
    rest = list(played.lines())
    assert (played.process.wait(120), played.errors()) == (130, "")
    assert rest[-1] == f"  stopped; {played.directory} is removed\n"


def test_a_command_that_fails_ends_the_demo_with_1_and_its_reason(demo: Callable[..., Demo]) -> None:
    played = demo(command=[sys.executable, "-c", NEVER_ENDS.replace("time.sleep(0.01)", "1 / 0")])
    text = "".join(played.lines())
    assert (played.process.wait(120), played.errors()) == (1, "")
    assert "✗ `bedesten init`: ZeroDivisionError: division by zero" in text


def test_a_killed_demo_leaves_no_process_behind(demo: Callable[..., Demo]) -> None:
    played = demo("--port", "0")
    played.until("The shelf is filled")
    assert len(played.processes()) >= 4
    played.process.kill()
    assert played.process.wait(120) == -signal.SIGKILL
    assert ended(played)


def test_a_failed_step_ends_the_demo_with_1_and_its_name(demo: Callable[..., Demo]) -> None:
    played = demo(command=[sys.executable, "-c", WRONG_ON_PURPOSE])
    text = "".join(played.lines())
    assert (played.process.wait(120), played.errors()) == (1, "")
    assert "✗ 1 of 2 steps, 1 requests, 0 webhooks" in text
    assert "✗ step 2, 'Wrong on purpose': two is three: expected 3, found 2\n" in text
    assert [outcome[-1] for outcome in rows(text.splitlines()).values()] == ["401 -20", ""]
    assert "Never" not in text
    assert not played.directory.exists()


def test_a_server_that_exits_ends_the_demo_with_1_and_its_reason(demo: Callable[..., Demo]) -> None:
    played = demo("--port", "0")
    played.until("Ctrl-C ends it")
    (server,) = (one for one in played.processes() if b"demo.program" in Path(f"/proc/{one}/cmdline").read_bytes())
    os.kill(server, signal.SIGKILL)
    rest = "".join(played.lines())
    assert (played.process.wait(120), played.errors()) == (1, "")
    assert f"✗ the server's process ended with exit code {-signal.SIGKILL}\n" in rest
    assert ended(played)


def test_a_closed_output_pipe_ends_the_demo_with_1(demo: Callable[..., Demo]) -> None:
    played = demo("--port", "0", "--once")
    played.until("The shelf is filled")
    assert played.process.stdout is not None
    played.process.stdout.close()
    assert (played.process.wait(60), played.errors()) == (1, "")
    assert not played.directory.exists()
    assert ended(played)
