"""The library is independent of the server and has two dependencies."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.documents import ROOT

CLIENT = ROOT / "clients" / "python"
WALK = """
import importlib, pkgutil, sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in WALLED:
            raise ImportError(f"{name} is not for the library")

sys.meta_path.insert(0, Wall())
import bedesten_client
for module in pkgutil.walk_packages(bedesten_client.__path__, "bedesten_client."):
    if module.name not in VENDORS:
        importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_library_imports_nothing_of_the_server() -> None:
    walled = {"bedesten", "sqlalchemy", "structlog", "pydantic", "typer", "cryptography", "standardwebhooks", "yaml"}
    vendors = {f"bedesten_client.secrets.{name}" for name in ("_aws", "_azure", "_gcp", "_vault")}
    script = WALK.replace("WALLED", repr(walled)).replace("VENDORS", repr(vendors))
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(CLIENT / 'src')!r})\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    names = set(done.stdout.split())
    assert {"bedesten_client", "httpx2", "msgspec"} <= names
    assert not walled & names


def test_the_library_has_two_dependencies() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]
    assert [one.partition(">")[0] for one in project["dependencies"]] == ["httpx2", "msgspec"]
    assert project["license"] == "Apache-2.0"
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (CLIENT / "src" / "bedesten_client" / "py.typed").is_file()


def test_only_webhooks_use_the_time_of_day() -> None:
    """Token lifetimes use the server's times and a monotonic clock; only webhooks need the time of day."""
    found = {
        path.name
        for path in Path(CLIENT / "src" / "bedesten_client").glob("*.py")
        if "time.time" in path.read_text("utf-8") or "datetime.now" in path.read_text("utf-8")
    }
    assert found <= {"webhooks.py"}
