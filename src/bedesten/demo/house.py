"""The real server in processes of its own: what `bedesten serve` runs, told to die with the demo.

`python -m bedesten.demo.house` is the supervisor's process. It says what happens as JSON lines on its standard output,
and what the server logs goes to the file that the demo gave it as standard error.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bedesten.server.listener import PortBusy, die_with_parent, free_port
from bedesten.server.settings import Settings
from bedesten.server.supervisor import ServeSpec, SideProcess, run

HOST = "127.0.0.1"
WORKERS = 2
_VARIABLE = "BEDESTEN_DEMO"


class CannotServe(Exception):
    """The server does not start; the text says why."""


class House:
    """The running server. `on_event` is told, from another thread, of everything that the supervisor says."""

    def __init__(self, settings: Settings, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._settings = settings
        self._on_event = on_event
        self._process: subprocess.Popen[str] | None = None
        self._life = -1
        self.port = 0

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What the server's processes log."""
        return self._settings.data / "server.log"

    def start(self, preferred: int, within: float = 60.0) -> None:
        """Serves on the preferred port, or on a free one if that is busy. Raises `CannotServe`."""
        events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._spawn(_or_any(preferred), events)
        end = time.monotonic() + within
        while True:
            try:
                event = events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise CannotServe(f"it was not ready within {within:.0f} seconds") from None
            match event:
                case {"event": "listening", "name": "web", "port": port}:
                    self.port = port
                case {"event": "ready"}:
                    return
                case {"event": "refused" | "gave-up" | "ended", "reason": reason}:
                    raise CannotServe(str(reason))

    def stop(self) -> None:
        """Ends it, and everything that it started."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(6)
        self._process.kill()
        self._process.wait()
        os.close(self._life)
        self._process = None

    def last_words(self, lines: int = 5) -> list[str]:
        """The end of the log."""
        with contextlib.suppress(OSError):
            return self.log.read_text("utf-8", "replace").splitlines()[-lines:]
        return []

    def _spawn(self, port: int, events: "queue.SimpleQueue[dict[str, Any]]") -> None:
        theirs, self._life = os.pipe()
        told = {
            "parent": os.getpid(),
            "life_fd": theirs,
            "port": port,
            "settings": self._settings.model_dump_json(),
            "lock": str(self._settings.lock_file),
        }
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bedesten.demo.house"],
                env={**os.environ, _VARIABLE: json.dumps(told)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                pass_fds=[theirs],
                process_group=0,  # the terminal's Ctrl-C reaches the demo alone, which ends it in order
            )
        os.close(theirs)
        threading.Thread(target=self._listen, args=(self._process, events), name="house", daemon=True).start()

    def _listen(self, process: "subprocess.Popen[str]", events: "queue.SimpleQueue[dict[str, Any]]") -> None:
        assert process.stdout is not None, "it is a pipe"
        with process.stdout as said:
            for line in said:
                event = json.loads(line)
                events.put(event)
                self._on_event(event)
        ended = {"event": "ended", "reason": f"the server's process ended with exit code {process.wait()}"}
        events.put(ended)
        self._on_event(ended)


def _or_any(preferred: int) -> int:
    with contextlib.suppress(PortBusy):
        return preferred if free_port(preferred, HOST) == preferred else 0
    return 0


def main() -> int:
    """The supervisor's process."""
    told = json.loads(os.environ.pop(_VARIABLE))
    die_with_parent(told["parent"], told["life_fd"])
    spec = ServeSpec(
        host=HOST,
        port=told["port"],
        workers=WORKERS,
        app_factory="bedesten.server.build:web_application",
        settings_json=told["settings"],
        lock_path=Path(told["lock"]),
        side_processes=(SideProcess("worker", "bedesten.server.worker:main"),),
        stop_timeout_s=3.0,
    )

    def say(event: dict[str, object]) -> None:
        print(json.dumps(event), flush=True)  # noqa: T201

    return run(spec, on_ready=lambda: None, on_event=say)


if __name__ == "__main__":
    sys.exit(main())
