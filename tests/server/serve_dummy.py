"""Runs a supervisor as a program: `python serve_dummy.py SPEC_JSON`; events go to standard output."""

import json
import sys
from pathlib import Path
from typing import Any

from bedesten.server.child_process import HttpLimits
from bedesten.server.supervisor import RespawnPolicy, ServeSpec, SideProcess, run


def say(event: dict[str, object]) -> None:
    """Prints one event as a line."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main(values: dict[str, Any]) -> int:
    """Runs the supervisor; returns its exit code."""
    values["side_processes"] = tuple(SideProcess(**side) for side in values.pop("side_processes", []))
    values["limits"] = HttpLimits(**values.pop("limits", {}))
    values["respawn"] = RespawnPolicy(**values.pop("respawn", {}))
    values["lock_path"] = Path(values["lock_path"])
    spec = ServeSpec(host="127.0.0.1", **values)
    return run(spec, lambda: say({"event": "on_ready"}), None if spec.settings_json == "{}" else say)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
