"""The container files match the repository and the program. `test_image` runs the image."""

import json
import re
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from bedesten.server.settings import Settings
from bedesten.server.supervisor import ServeSpec
from tests.support.documents import ROOT

pytestmark = pytest.mark.external

CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ")


def lines(word: str) -> list[str]:
    """The arguments of each line with this instruction."""
    return re.findall(rf"^{word}\s+(.+)$", CONTAINERFILE, re.MULTILINE)


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found


def test_every_copied_path_exists_and_dockerignore_allows_it() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {source for line in lines("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    assert copied == let_in
    (lock,) = re.findall(r"^ARG LOCK=(.+)$", CONTAINERFILE, re.MULTILINE)
    assert {lock, "requirements.lock"} <= copied
    assert all((ROOT / source).exists() for source in copied)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in (*wheel["packages"], *wheel["force-include"])}
    assert needed <= copied


def test_the_image_runs_as_an_unprivileged_user_and_starts_the_program() -> None:
    assert lines("USER") == ["10001:10001"], "a number: Kubernetes cannot tell of a name that it is not root's"
    assert [line.split()[0] for line in lines("FROM")] == ["${BASE}", "${BASE}"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    (entry,) = lines("ENTRYPOINT")
    assert json.loads(entry)[0] in scripts
    command = json.loads(next(line for line in lines("CMD") if line.startswith("[")))
    assert command[0] == "serve"
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    (row,) = [line for line in reference.splitlines() if line.startswith("| `serve` |")]
    assert all(f"`{option} " in row for option in command if option.startswith("--"))


def test_the_health_check_calls_the_admin_listener_and_compose_does_not_publish_it() -> None:
    assert "http://127.0.0.1:8081/health/ready" in CONTAINERFILE
    assert '"--admin-port", "8081"' in CONTAINERFILE
    assert "--admin-host" not in CONTAINERFILE, "the admin listener stays on loopback"
    services = composed()["services"]
    (check,) = re.findall(r"^HEALTHCHECK .*CMD (\[.+\])$", CONTAINERFILE, re.MULTILINE)
    assert services["bedesten"]["healthcheck"]["test"] == ["CMD", *json.loads(check)]
    assert all(" " not in argument for argument in json.loads(check)), "podman 4 would split it"
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"proxy": ["80:80", "443:443"]}


def test_compose_gives_no_service_more_than_it_needs() -> None:
    services = composed()["services"]
    for name in ("bedesten", "operator", "proxy"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert all(service["security_opt"] == ["no-new-privileges:true"] for service in services.values())
    assert {name for name, service in services.items() if "cap_add" in service} == {"proxy"}


def test_only_the_server_reaches_both_the_proxy_and_the_database() -> None:
    services, networks = composed()["services"], composed()["networks"]
    assert {name: set(service["networks"]) for name, service in services.items()} == {
        "postgres": {"back"},
        "operator": {"back"},
        "bedesten": {"back", "front"},
        "proxy": {"front"},
    }
    assert networks["back"] == {"internal": True}
    (subnet,) = [one["subnet"] for one in networks["front"]["ipam"]["config"]]
    proxy, server = (services[name]["networks"]["front"]["ipv4_address"] for name in ("proxy", "bedesten"))
    assert services["bedesten"]["environment"]["BEDESTEN_TRUSTED_PROXIES"] == proxy
    network = ip_network(_with_default(subnet))
    assert {ip_address(_with_default(one)) for one in (proxy, server)} < set(network.hosts())


def test_the_nginx_file_contains_every_text_that_the_proxy_replaces() -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    replaced = re.findall(r"s\|([^|]+)\|([^|]+)\|", composed()["services"]["proxy"]["command"][2])
    assert [old for old, _ in replaced] == ["127.0.0.1:8080", "/var/log/nginx/bedesten.log"]
    assert all(re.search(rf"^    (server|access_log) {re.escape(old)} ", text, re.MULTILINE) for old, _ in replaced)
    address = composed()["services"]["bedesten"]["networks"]["front"]["ipv4_address"]
    assert replaced[0][1] == f"{address}:8080"


def test_compose_waits_longer_than_the_server_takes_to_stop() -> None:
    grace = int(composed()["services"]["bedesten"]["stop_grace_period"].removesuffix("s"))
    drain = Settings.model_fields["drain_seconds"].default
    assert grace >= drain + 2 * ServeSpec("127.0.0.1", 8080, 1, "", "", Path("serve.lock")).stop_timeout_s


def test_compose_mounts_existing_files_and_the_data_directory_of_the_image() -> None:
    services, volumes = composed()["services"], composed()["volumes"]
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    assert all((ROOT / mount.split(":")[0]).is_file() for mount in mounts if mount.startswith("./"))
    assert {mount.split(":")[0] for mount in mounts if mount[0].isalpha()} == set(volumes)
    assert "data:/data" in mounts
    assert "BEDESTEN_DATA=/data" in CONTAINERFILE
    settings = services["bedesten"]["environment"]
    reference = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    assert all(f"`{name}`" in reference for name in settings)


def _with_default(text: str) -> str:
    """The text with the defaults that apply without a file `.env`."""
    return re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", text)
