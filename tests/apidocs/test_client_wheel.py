"""The client library, as partners install it from the shop that they call."""

import base64
import csv
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from email.parser import BytesParser
from importlib import metadata
from pathlib import Path

import pytest

from bedesten.apidocs.site import client_wheel
from bedesten.apidocs.site.assets import FOLDER
from bedesten.apidocs.site.guides import EXAMPLE_URL
from tests.support.cli_program import Program
from tests.support.cli_server import served
from tests.support.documents import DOCS

pytestmark = pytest.mark.slow

ASKED = ("Metadata", "Name", "Version", "Summary", "Requires-Python", "Requires-Dist", "Provides-Extra", "License-File")
SOURCES = Path(client_wheel.folder()) / "src"


@pytest.fixture(scope="module")
def packed() -> zipfile.ZipFile:
    """The opened wheel."""
    return zipfile.ZipFile(io.BytesIO(client_wheel.wheel().body))


def test_the_wheel_has_every_module_and_nothing_else(packed: zipfile.ZipFile) -> None:
    named = {name for name in packed.namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py")}
    assert named == modules | {"bedesten_client/py.typed"}
    assert len(modules) > 20
    for name in named:
        assert packed.read(name) == (SOURCES / name).read_bytes()


def test_the_record_of_the_wheel_matches_its_files(packed: zipfile.ZipFile) -> None:
    (record,) = [name for name in packed.namelist() if name.endswith(".dist-info/RECORD")]
    rows = list(csv.reader(io.StringIO(packed.read(record).decode())))
    assert {name for name, _, _ in rows} == set(packed.namelist())
    for name, digest, size in rows:
        if name == record:
            assert (digest, size) == ("", "")
            continue
        body = packed.read(name)
        assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
        assert size == str(len(body))


def test_the_metadata_of_the_wheel_equals_that_of_the_distribution(packed: zipfile.ZipFile) -> None:
    (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
    own = BytesParser().parsebytes(packed.read(name))
    built = BytesParser().parsebytes((metadata.distribution("bedesten-client").read_text("METADATA") or "").encode())
    for field in ASKED:
        assert own.get_all(field) == built.get_all(field), field
    assert own.get_payload() == (SOURCES.parent / "README.md").read_text("utf-8")


def test_the_same_sources_produce_the_same_bytes() -> None:
    first = client_wheel.wheel()
    client_wheel.wheel.cache_clear()
    assert client_wheel.wheel() == first


@pytest.mark.parametrize("page", ["tutorials/first-order.md", "how-to/use-the-python-client.md"])
def test_pages_name_the_existing_wheel(page: str) -> None:
    (address,) = re.findall(r"^pip install (\S+)", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    assert address == f"{EXAMPLE_URL}{FOLDER}{client_wheel.name()}"


def test_pip_installs_the_wheel_from_the_shop(tmp_path: Path) -> None:
    program = Program(tmp_path / "data")
    program.run_json("init")
    program.run_json("tenants", "create", "shop", "--host", "localhost")
    with served(program, "--workers", "1", "--admin-port", "0") as server:
        address = f"http://localhost:{server.port}{FOLDER}{client_wheel.name()}"
        pip = (sys.executable, "-m", "pip", "--isolated", "install", "--no-deps", "--no-index", "--target")
        subprocess.run([*pip, str(tmp_path / "there"), address], check=True, capture_output=True, timeout=100)
    code = "import bedesten_client, sys; sys.stdout.write(bedesten_client.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'there')!r}); {code}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == str(tmp_path / "there" / "bedesten_client" / "__init__.py")
