"""A checkout of Bedesten and the processes that run it: this one, or another one that is measured beside it (`--before`).

Both run with this interpreter and its installed packages, each from its own tree: PYTHONPATH comes before an installation.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_TREES: Final = ("src", "clients/python/src", ".")
_PARTS: Final = ("benchmarks.app", "benchmarks.house")
"""Present and former names of the package that runs inside Bedesten's processes, newest first."""
_PROBE: Final = "import bedesten; print(bedesten.__file__)"


class SetupError(RuntimeError):
    """A contender could not be set up, or responds incorrectly."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The root directory of a checkout. It must be absolute, because the processes run there."""

    root: Path

    def process(self) -> dict[str, Any]:
        """Return the directory and the environment of its processes, for `subprocess`."""
        path = os.pathsep.join(str(self.root / tree) for tree in _TREES)
        return {"cwd": self.root, "env": os.environ | {"PYTHONPATH": path}}

    def program(self, *words: str) -> list[str]:
        """Return the command line of its program."""
        return [sys.executable, "-m", "bedesten", *words]

    def part(self, name: str, *words: str) -> list[str]:
        """Return the command line of a module that runs inside Bedesten's processes, such as `prepare` or `serve`."""
        package = next((each for each in _PARTS if self.root.joinpath(*each.split(".")).is_dir()), _PARTS[0])
        return [sys.executable, "-m", f"{package}.{name}", *words]

    def confirm(self) -> None:
        """Check which Bedesten a process imports. Raises `SetupError` unless it is this checkout's."""
        line = [sys.executable, "-c", _PROBE]
        done = subprocess.run(line, capture_output=True, text=True, check=False, **self.process())
        if done.returncode:
            raise SetupError(f"{self.root} does not run: {done.stderr[-2000:]}")
        imported = Path(done.stdout.strip()).resolve()
        if not imported.is_relative_to((self.root / "src").resolve()):
            raise SetupError(f"{self.root} is not what runs, but {imported}")

    def commit(self) -> str:
        """Return the commit, with `-dirty` if files differ from it; `unknown` outside git."""
        line = ["git", "-C", str(self.root), "describe", "--always", "--dirty", "--exclude", "*"]
        try:
            done = subprocess.run(line, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return "unknown"
        return done.stdout.strip() or "unknown"


HERE: Final = Checkout(Path(__file__).resolve().parents[1])
