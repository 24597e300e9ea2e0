"""The operator's program, run as a separate process beside the server."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

from bedesten.server.settings import Settings

TIMEOUT_S = 60.0


class CommandFailed(Exception):
    """The command failed. The message has the reason."""


def run_command(settings: Settings, *words: str) -> Any:
    """Run `bedesten WORDS --json` on the installation and return its document. Raises `CommandFailed`."""
    done = subprocess.run(  # noqa: S603 (the words are the demo's own)
        [sys.executable, "-P", "-m", "bedesten", *words, "--json"],
        env={**os.environ, "BEDESTEN_DATA": str(settings.data)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    try:
        document = json.loads(done.stdout, parse_float=Decimal)
    except ValueError:
        last = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise CommandFailed(f"`bedesten {' '.join(words)}` ended with exit code {done.returncode}: {last}") from None
    if isinstance(document, dict) and "error" in document:
        raise CommandFailed(f"`bedesten {' '.join(words)}`: {document['error']['message']}")
    return document
