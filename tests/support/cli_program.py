"""Runs the program `bedesten` for tests."""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bedesten.cli import main

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("BEDESTEN_")}


@dataclass(frozen=True)
class Outcome:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; amounts are exact."""
        assert self.out.endswith("\n"), (self.out, self.err)
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out, parse_float=Decimal)


def run_main(*arguments: str, stdin: bytes = b"") -> Outcome:
    """Runs the program in this process with exactly these arguments. Catches `SystemExit`, which completion raises."""
    kept = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    sys.stdout, sys.stderr = io.TextIOWrapper(out, "utf-8"), io.TextIOWrapper(err, "utf-8")
    try:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        return Outcome(code, out.getvalue().decode(), err.getvalue().decode())
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


@dataclass(frozen=True)
class Program:
    """`bedesten` on one installation."""

    data: Path
    database: str | None = None

    @property
    def where(self) -> list[str]:
        """The options that select the installation."""
        return ["--data", str(self.data), *(["--database", self.database] if self.database else [])]

    def run(self, *arguments: str, stdin: bytes = b"") -> Outcome:
        """Runs a command in this process, through the program's entry point."""
        return run_main(*arguments, *self.where, stdin=stdin)

    def run_json(self, *arguments: str, stdin: bytes = b"") -> Any:
        """Runs a command that must succeed; returns its JSON document."""
        outcome = self.run(*arguments, "--json", stdin=stdin)
        assert outcome.code == 0, (outcome.out, outcome.err)
        assert outcome.err == ""
        return outcome.document

    def run_error(self, *arguments: str, stdin: bytes = b"") -> Any:
        """Runs a command that must be refused; returns its error."""
        outcome = self.run(*arguments, "--json", stdin=stdin)
        assert outcome.code == 1, (outcome.out, outcome.err)
        assert outcome.err == ""
        assert list(outcome.document) == ["error"]
        return outcome.document["error"]

    def run_process(self, *arguments: str, **environment: str) -> Outcome:
        """Runs a command in a separate process, as a shell does."""
        done = subprocess.run(
            [sys.executable, "-m", "bedesten", *arguments, *self.where],
            env={**ENVIRONMENT, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
