"""The server in processes of its own, which end with the demo.

`python -m bedesten.demo.server_process` is the supervisor's process. It writes its events as JSON lines on standard
output; the server's log goes to standard error, which the demo redirects to a file.
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

from bedesten.server.child_process import PortBusy, die_with_parent, free_port
from bedesten.server.settings import Settings
from bedesten.server.supervisor import ServeSpec, SideProcess, run

HOST = "127.0.0.1"
WORKERS = 2
START_TIMEOUT_S, STOP_TIMEOUT_S = 60.0, 6.0
_VARIABLE = "BEDESTEN_DEMO"
Event = dict[str, Any]


class CannotServe(Exception):
    """The server does not start. The message has the reason."""


class ServerProcess:
    """The running server. Another thread calls `on_event` with each event of the supervisor."""

    def __init__(self, settings: Settings, on_event: Callable[[Event], None]) -> None:
        self._settings = settings
        self._on_event = on_event
        self._process: subprocess.Popen[str] | None = None
        self._pipe = -1
        self.port = 0

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The log file of the server's processes."""
        return self._settings.data / "server.log"

    def start(self, preferred_port: int) -> None:
        """Serve on the preferred port, or on a free one if that is busy. Raises `CannotServe`."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._spawn(_available(preferred_port), events)
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                event = events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise CannotServe(f"it was not ready within {START_TIMEOUT_S:.0f} seconds") from None
            match event:
                case {"event": "listening", "name": "web", "port": port}:
                    self.port = port
                case {"event": "ready"}:
                    return
                case {"event": "refused" | "gave-up" | "ended", "reason": reason}:
                    raise CannotServe(str(reason))

    def stop(self) -> None:
        """Stop the server and every process that it started."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        self._process.kill()
        self._process.wait()
        os.close(self._pipe)
        self._process = None

    def log_tail(self, lines: int = 5) -> list[str]:
        """Return the last lines of the log."""
        with contextlib.suppress(OSError):
            return self.log.read_text("utf-8", "replace").splitlines()[-lines:]
        return []

    def _spawn(self, port: int, events: "queue.SimpleQueue[Event]") -> None:
        read_end, self._pipe = os.pipe()
        arguments = {
            "parent": os.getpid(),
            "pipe": read_end,
            "port": port,
            "settings": self._settings.model_dump_json(),
            "lock": str(self._settings.lock_file),
        }
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bedesten.demo.server_process"],
                env={**os.environ, _VARIABLE: json.dumps(arguments)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                pass_fds=[read_end],
                process_group=0,  # so that Ctrl-C in the terminal reaches only the demo, which then stops the server
            )
        os.close(read_end)
        threading.Thread(target=self._read_events, args=(self._process, events), name="server", daemon=True).start()

    def _read_events(self, process: "subprocess.Popen[str]", events: "queue.SimpleQueue[Event]") -> None:
        assert process.stdout is not None, "it is a pipe"
        with process.stdout as output:
            for line in output:
                event = json.loads(line)
                events.put(event)
                self._on_event(event)
        ended = {"event": "ended", "reason": f"the server's process ended with exit code {process.wait()}"}
        events.put(ended)
        self._on_event(ended)


def _available(preferred: int) -> int:
    """Return the preferred port if it is free, else 0."""
    with contextlib.suppress(PortBusy):
        return preferred if free_port(preferred, HOST) == preferred else 0
    return 0


def main() -> int:
    """Run the supervisor."""
    arguments = json.loads(os.environ.pop(_VARIABLE))
    die_with_parent(arguments["parent"], arguments["pipe"])
    spec = ServeSpec(
        host=HOST,
        port=arguments["port"],
        workers=WORKERS,
        app_factory="bedesten.server.build:web_application",
        settings_json=arguments["settings"],
        lock_path=Path(arguments["lock"]),
        side_processes=(SideProcess("worker", "bedesten.server.worker:main"),),
        stop_timeout_s=3.0,
    )
    return run(spec, lambda: None, lambda event: print(json.dumps(event), flush=True))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
