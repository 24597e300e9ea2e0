"""The operator's program, run beside the server: a process of its own, as anybody would type it."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

from bedesten.server.settings import Settings

DEADLINE = 60.0


class Refused(Exception):
    """The program did not do what it was asked; the text says why."""


def run_command(settings: Settings, *words: str) -> Any:
    """Runs `bedesten WORDS` on the installation; gives its JSON document. Raises `Refused`."""
    done = subprocess.run(  # noqa: S603 (the words are the demo's own)
        [sys.executable, "-P", "-m", "bedesten", *words, "--json"],
        env={**os.environ, "BEDESTEN_DATA": str(settings.data)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    try:
        document = json.loads(done.stdout, parse_float=Decimal)
    except ValueError:
        said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise Refused(f"`bedesten {' '.join(words)}` ended with exit code {done.returncode}: {said}") from None
    if isinstance(document, dict) and "error" in document:
        raise Refused(f"`bedesten {' '.join(words)}`: {document['error']['message']}")
    return document
