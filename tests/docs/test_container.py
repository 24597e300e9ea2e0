"""The container files fit the repository and the program. No engine runs them here."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.support.documents import ROOT

pytestmark = pytest.mark.external

CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ")


def lines(word: str) -> list[str]:
    """What stands behind an instruction, line by line."""
    return re.findall(rf"^{word}\s+(.+)$", CONTAINERFILE, re.MULTILINE)


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def test_everything_that_is_copied_is_there_and_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {source for line in lines("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in (*wheel["packages"], *wheel["force-include"])}
    assert needed <= copied


def test_the_image_runs_as_nobody_in_particular_and_starts_the_program() -> None:
    assert lines("USER") == ["10001:10001"], "a number: Kubernetes cannot tell of a name that it is not root's"
    assert len(lines("FROM")) == 2
    assert {line.split()[0] for line in lines("FROM")} == {"python:3.11-slim"}
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    (entry,) = lines("ENTRYPOINT")
    assert json.loads(entry)[0] in scripts
    command = json.loads(next(line for line in lines("CMD") if line.startswith("[")))
    assert command[0] == "serve"
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    (row,) = [line for line in reference.splitlines() if line.startswith("| `serve` |")]
    assert all(f"`{option} " in row for option in command if option.startswith("--"))


def test_the_health_check_asks_the_admin_listener_and_compose_publishes_it_to_nobody() -> None:
    assert "http://127.0.0.1:8081/health/ready" in CONTAINERFILE
    assert '"--admin-port", "8081"' in CONTAINERFILE
    services = composed()["services"]
    assert {port for service in services.values() for port in service.get("ports", [])} == {"80:80", "443:443"}
    assert services["bedesten"]["read_only"] is True
    assert services["bedesten"]["cap_drop"] == ["ALL"]
    assert services["proxy"]["network_mode"] == "service:bedesten"


def test_compose_mounts_what_there_is_and_names_the_data_directory_of_the_image() -> None:
    services, volumes = composed()["services"], composed()["volumes"]
    mounts = [mount for service in services.values() for mount in service["volumes"]]
    assert all((ROOT / mount.split(":")[0]).is_file() for mount in mounts if mount.startswith("./"))
    assert {mount.split(":")[0] for mount in mounts if mount[0].isalpha()} == set(volumes)
    assert "data:/data" in mounts
    assert "BEDESTEN_DATA=/data" in CONTAINERFILE
    settings = services["bedesten"]["environment"]
    reference = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    assert all(f"`{name}`" in reference for name in settings)
