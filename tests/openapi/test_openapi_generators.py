"""Third-party generators accept the documents: the generated clients log in and place an order."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bedesten.gate.scopes import Surface
from tests.openapi.conftest import IN_CI, ServedShop
from tests.support.shop import fresh

pytestmark = pytest.mark.external

PARTNER = Path(__file__).parent / "partner"
TOTAL, UNORDERABLE = 12.25, "unknownProduct"


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Runs a command that must succeed; returns its output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(*command: str | Path, folder: Path, **environment: str) -> None:
    """Installs what a test needs. Without a network the test is skipped, but never in CI."""
    try:
        run(*command, folder=folder, **environment)
    except (AssertionError, subprocess.TimeoutExpired) as problem:
        if IN_CI:
            raise
        pytest.skip(f"the packages cannot be fetched: {str(problem)[-300:]}")


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment with openapi-python-client in its pinned version."""
    folder = tmp_path_factory.mktemp("generator")
    run(sys.executable, "-m", "venv", "venv", folder=folder)
    install("venv/bin/pip", "install", "-q", "--no-deps", "-r", PARTNER / "requirements.txt", folder=folder)
    return folder / "venv" / "bin"


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages that the lock file pins."""
    if shutil.which("npm") is None and not IN_CI:
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "partner.ts"):
        shutil.copy(PARTNER / name, folder)
    install("npm", "ci", "--no-audit", "--no-fund", folder=folder)
    return folder


def generate(generator: Path, served_shop: ServedShop, surface: Surface, folder: Path) -> Path:
    """The package that openapi-python-client generates for a surface; a warning is a failure."""
    names = folder / "names.yml"
    names.write_text(f"package_name_override: {surface}\n", "utf-8")
    run(
        generator / "openapi-python-client", "generate", "--url", served_shop.document(surface), "--config", names,
        "--output-path", folder / surface, "--meta", "none", "--fail-on-warning",
        folder=folder, PATH=f"{generator}{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    return folder / surface


@pytest.mark.parametrize("surface", list(Surface))
def test_openapi_python_client_generates_a_function_for_every_operation(
    generator: Path, served_shop: ServedShop, tmp_path: Path, surface: Surface
) -> None:
    made = generate(generator, served_shop, surface, tmp_path)

    sources = [path for path in (made / "api").rglob("*.py") if path.name != "__init__.py"]
    operations = {operation["operationId"] for operation in operations_of(served_shop, surface)}
    assert {path.stem.replace("_", "") for path in sources} == {name.lower() for name in operations}
    for path in made.rglob("*.py"):
        ast.parse(path.read_text("utf-8"))


def operations_of(served_shop: ServedShop, surface: Surface) -> list[dict[str, Any]]:
    document = served_shop.shop.client().get(f"/openapi/{surface}.json").json
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_a_generated_python_client_places_an_order(generator: Path, served_shop: ServedShop, tmp_path: Path) -> None:
    generate(generator, served_shop, Surface.RESELLER, tmp_path)

    said = run(
        generator / "python", PARTNER / "partner.py", served_shop.url, *served_shop.login, fresh("python"),
        folder=tmp_path, PYTHONPATH=str(tmp_path),
    )  # fmt: skip

    outcome = json.loads(said)
    assert outcome["order"].startswith("ord_")
    assert outcome["total"] == TOTAL
    assert sorted(outcome["statuses"]) == ["DELIVERED", "PROCESSING"]
    assert sorted(codes is None for codes in outcome["codes"]) == [False, True]
    assert outcome["created"] == "UTC"
    assert outcome["refused"] == [409, "NotOrderableFailure", UNORDERABLE]
    assert outcome["login"] == ["LoginRefusedFailure", -26]
    assert outcome["currency"] == "USD"


def test_a_generated_typescript_client_places_an_order(npm: Path, served_shop: ServedShop) -> None:
    run("npx", "openapi-typescript", served_shop.document(Surface.RESELLER), "-o", "reseller.ts", folder=npm)
    run("npx", "tsc", folder=npm)

    said = run("node", "partner.js", served_shop.url, *served_shop.login, fresh("typescript"), folder=npm)

    outcome = json.loads(said)
    assert outcome["order"].startswith("ord_")
    assert outcome["total"] == TOTAL
    assert sorted(outcome["statuses"]) == [1, 2]
    assert sorted(codes is None for codes in outcome["codes"]) == [False, True]
    assert outcome["refused"] == [409, -200, UNORDERABLE]
    assert outcome["line"]


@pytest.mark.parametrize("surface", list(Surface))
def test_openapi_typescript_accepts_every_document_and_its_output_compiles(
    npm: Path, served_shop: ServedShop, surface: Surface
) -> None:
    run("npx", "openapi-typescript", served_shop.document(surface), "-o", f"types/{surface}.ts", folder=npm)
    run("npx", "tsc", "--noEmit", "--strict", f"types/{surface}.ts", folder=npm)
