"""Serves an installation with its processes, and writes events to stdout.

python serve_process.py SETTINGS_JSON WORKERS PORT [plane]
"""

import json
import sys

from bedesten.server.settings import Settings
from bedesten.server.supervisor import ServeSpec, SideProcess, run

_ADMIN_LISTENER = SideProcess("admin", "bedesten.server.admin_listener:application", ("127.0.0.1", 0))


def say(event: dict[str, object]) -> None:
    """One event a line."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main(settings_json: str, workers: str, port: str, plane: str = "") -> int:
    """Gives the supervisor's exit code."""
    settings = Settings.model_validate_json(settings_json)
    spec = ServeSpec(
        host="127.0.0.1",
        port=int(port),
        workers=int(workers),
        app_factory="bedesten.server.build:web_application",
        settings_json=settings_json,
        lock_path=settings.lock_file,
        side_processes=(SideProcess("worker", "bedesten.server.worker:main"), *([_ADMIN_LISTENER] if plane else [])),
    )
    return run(spec, lambda: say({"event": "serving"}), say)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
