"""Serves an installation with one of the applications of `app`: `python -m benchmarks.app.serve`.

Uses the product's own supervisor, but without the side processes, so that only the workers use the core.
"""

import argparse
import sys
from pathlib import Path

from bedesten.server.settings import Settings
from bedesten.server.supervisor import ServeSpec, run

APPLICATIONS = ("whole", "unchecked", "patient", "strict")


def main() -> int:
    """Run the supervisor and return its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--database")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--application", choices=APPLICATIONS, default="whole")
    arguments = parser.parse_args()
    settings = Settings(data=arguments.data, database=arguments.database, log_level="error")
    spec = ServeSpec(
        host="127.0.0.1",
        port=arguments.port,
        workers=1,
        app_factory=f"benchmarks.app.applications:{arguments.application}",
        settings_json=settings.model_dump_json(),
        lock_path=arguments.data / f"serve-{arguments.application}.lock",
    )
    return run(spec, lambda: print("ready", flush=True))


if __name__ == "__main__":
    sys.exit(main())
