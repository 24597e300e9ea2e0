"""The program `bedesten`, run as the operator runs it: the server, and commands beside it."""

import contextlib
import io
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from bedesten.server.child_process import die_with_parent, free_port
from bedesten.server.settings import Settings

START_TIMEOUT_S, STOP_TIMEOUT_S = 60.0, 6.0
POLL_INTERVAL_S = 0.5
PYTHON = (sys.executable, "-P", "-m")
Main = Callable[[Sequence[str]], int]
SERVE = ("serve", "--admin-port", "0", "--workers", "2", "--json")


class ProgramFailed(Exception):
    """The program refused a command or did not start. The message has the reason."""


class Operator:
    """Runs commands on the installation, in this process: starting a process would take half a second each time.

    `main` is the program: it takes the arguments and returns the exit code.
    """

    def __init__(self, main: Main, settings: Settings) -> None:
        self._main = main
        self._where = ["--data", str(settings.data)]
        if settings.database:
            self._where += ["--database", settings.database]

    def run(self, *words: str, stdin: str = "") -> Any:
        """Run `bedesten WORDS --json` and return its document. Raises `ProgramFailed`."""
        given, output, errors = (io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8") for text in (stdin, "", ""))
        kept, sys.stdin = sys.stdin, given
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                code = self._main([*words, "--json", *self._where])
        except (Exception, SystemExit) as problem:
            raise ProgramFailed(f"`bedesten {' '.join(words)}`: {type(problem).__name__}: {problem}") from problem
        finally:
            sys.stdin = kept
        written, complaints = map(_written, (output, errors))
        try:
            document = json.loads(written, parse_float=Decimal)
        except ValueError:
            last = (complaints or written).strip().rpartition("\n")[2]
            raise ProgramFailed(f"`bedesten {' '.join(words)}` ended with exit code {code}: {last}") from None
        if "error" in document:
            raise ProgramFailed(f"`bedesten {' '.join(words)}`: {document['error']['message']}")
        return document


class Server:
    """`bedesten serve`, in a process that ends with the demo."""

    def __init__(self, settings: Settings, port: int, check_stop: Callable[[], None]) -> None:
        """Start the server on the port, or on a free one if that is busy."""
        self.port = free_port(port)
        self._check_stop = check_stop
        life, self._life = os.pipe()
        with log_file(settings).open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 (the words are the demo's own)
                [*PYTHON, __name__, str(os.getpid()), str(life), *SERVE, "--port", str(self.port)],
                env=_environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                pass_fds=[life],
                process_group=0,  # Ctrl-C in the terminal reaches only the demo, which then stops the server
            )
        os.close(life)

    def wait_until_ready(self) -> None:
        """Wait until the server answers. Raises `ProgramFailed`."""
        end = time.monotonic() + START_TIMEOUT_S
        while self.next_event().get("event") != "ready":
            if time.monotonic() > end:
                raise ProgramFailed(f"the server was not ready within {START_TIMEOUT_S:.0f} seconds")

    def next_event(self) -> dict[str, Any]:
        """Return the server's next event, empty after a timeout. Raises `ProgramFailed` when the server has ended."""
        self._check_stop()
        output = self._process.stdout
        assert output is not None, "it is a pipe"
        if not select.select([output], [], [], POLL_INTERVAL_S)[0]:
            return {}
        line = output.readline()
        if not line:
            raise ProgramFailed(f"the server's process ended with exit code {self._process.wait()}")
        event: dict[str, Any] = json.loads(line)
        if "error" in event:
            raise ProgramFailed(f"the server ended: {event['error']['message']}")
        return event

    def stop(self) -> None:
        """Stop the server and every process that it started."""
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        self._process.kill()
        self._process.wait()
        os.close(self._life)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def log_file(settings: Settings) -> Path:
    """Return the log of the server's processes."""
    return settings.data / "server.log"


def _environment(settings: Settings) -> dict[str, str]:
    database = {"BEDESTEN_DATABASE": settings.database} if settings.database else {}
    return {**os.environ, "BEDESTEN_DATA": str(settings.data), **database}


if __name__ == "__main__":
    die_with_parent(int(sys.argv.pop(1)), int(sys.argv.pop(1)))
    runpy.run_module("bedesten", run_name="__main__", alter_sys=True)
