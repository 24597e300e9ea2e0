"""Serves an installation with all its processes, and writes events to stdout.

`python serve_process.py SETTINGS_JSON WORKERS PORT [admin | admin=PORT] [drain=SECONDS] [real-costs]`

The processes are forked from this one, which has imported everything (`forked_child`). With `real-costs` they start as
the product starts them.
"""

import gc
import importlib
import json
import os
import sys
from pathlib import Path

from bedesten.server import supervisor
from bedesten.server.settings import Settings
from bedesten.server.supervisor import ServeSpec, SideProcess, run

REAL = (
    "bedesten.server.build:web_application",
    "bedesten.server.worker:main",
    "bedesten.server.admin_listener:application",
)
CHEAP = tuple(f"tests.support.cheap:{name}" for name in ("web_application", "outbox_worker", "admin_application"))
"""The same processes with cheap password hashes and small connection pools."""
LATER = tuple(one.replace("support.cheap", "support.next_version") for one in CHEAP)
"""The same processes of a later version, if `SCHEMA` names one."""
SCHEMA = "BEDESTEN_TEST_SCHEMA"


def say(event: dict[str, object]) -> None:
    """Writes an event as one line."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main(settings_json: str, workers: str, port: str, *options: str) -> int:
    """Runs the supervisor and returns its exit code."""
    application, worker, admin = REAL if "real-costs" in options else LATER if os.environ.get(SCHEMA) else CHEAP
    settings = Settings.model_validate_json(settings_json)
    given = dict(option.partition("=")[::2] for option in options)
    spec = ServeSpec(
        host="127.0.0.1",
        port=int(port),
        workers=int(workers),
        app_factory=application,
        settings_json=settings_json,
        lock_path=settings.lock_file,
        drain_s=float(given.get("drain", "0")),
        side_processes=(
            SideProcess("worker", worker),
            *([SideProcess("admin", admin, ("127.0.0.1", int(given["admin"] or 0)))] if "admin" in given else []),
        ),
    )
    if "real-costs" not in options:
        fork_children(spec)
    return run(spec, lambda: say({"event": "serving"}), say)


def fork_children(spec: ServeSpec) -> None:
    """Imports what the children need, and makes the supervisor fork them.

    Freezes the imported objects: the garbage collector skips them, here and in each child.
    """
    gc.disable()
    from tests.support.forked_child import ForkedChild

    for target in (spec.app_factory, *(one.target for one in spec.side_processes)):
        importlib.import_module(target.partition(":")[0])
    gc.freeze()
    gc.enable()
    supervisor.subprocess.Popen = ForkedChild  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.exit(main(*sys.argv[1:]))
