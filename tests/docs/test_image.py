"""The image that `BEDESTEN_TEST_IMAGE` names runs as its page says. `make image` builds one and runs these tests.

They need podman, and take a minute. `CONTAINERS_CONF` configures podman for the machine.
"""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.metrics import until

IMAGE = os.environ.get("BEDESTEN_TEST_IMAGE", "")

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(not IMAGE, reason="NOT TESTED: no BEDESTEN_TEST_IMAGE; make image (RELEASING.md)"),
]

HARDENED = (
    *("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp", "--cap-drop", "all"),
    *("--security-opt", "no-new-privileges"),
)
HOST = "shop.example"
FORBIDDEN = {"gcc", "cc", "c++", "g++", "clang", "make", "ld", "as", "cargo", "rustc", "git", "curl", "wget"}
LISTING = r"""
import os, stat, json
found = {"programs": [], "writable": [], "setuid": [], "leftovers": []}
for folder, folders, files in os.walk("/"):
    folders[:] = [one for one in folders if (folder, one) not in {("/", "proc"), ("/", "sys"), ("/", "dev")}]
    for name in (*folders, *files):
        path = os.path.join(folder, name)
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode):
            continue
        if stat.S_ISREG(mode) and mode & 0o111:
            found["programs"].append(path)
        if stat.S_ISREG(mode) and mode & 0o6000:
            found["setuid"].append(path)
        if os.access(path, os.W_OK):
            found["writable"].append(path)
        if name in ("pip.conf", ".cache", "secrets.json", ".env", ".git", "ca.crt") or path.startswith("/source"):
            found["leftovers"].append(path)
    found["leftovers"] += [folder] if folder == "/var/lib/apt/lists" and files else []
print(json.dumps(found))
"""


def podman(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Runs a command; returns it with its output."""
    program = shutil.which("podman")
    if program is None:
        pytest.skip("NOT TESTED: podman is missing; apt-get install podman")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0 or not check, done.stderr
    return done


@dataclass(frozen=True)
class Container:
    """A server in a container, and the local port that leads to it."""

    name: str
    port: int

    def healthy(self) -> bool:
        return podman("healthcheck", "run", self.name, check=False).returncode == 0

    def get(self, path: str) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", path, headers={"Host": HOST})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def python(self, code: str) -> "subprocess.CompletedProcess[str]":
        return podman("exec", self.name, "python", "-c", code, check=False)


@pytest.fixture
def volume() -> Iterator[str]:
    """An empty volume, which is removed afterwards."""
    name = f"bedesten-test-{uuid.uuid4().hex}"
    podman("volume", "create", name)
    yield name
    podman("volume", "rm", "--force", name)


@pytest.fixture
def server(volume: str) -> Iterator[Container]:
    """A ready server with one tenant."""
    once = ("run", "--rm", *HARDENED, "--volume", f"{volume}:/data", IMAGE)
    podman(*once, "init")
    podman(*once, "tenants", "create", "Shop", "--host", HOST)
    ports = ("--publish", "127.0.0.1::8080")
    podman("run", "--detach", "--name", volume, *HARDENED, *ports, "--volume", f"{volume}:/data", IMAGE)
    try:
        port = podman("port", volume, "8080/tcp").stdout.strip().rpartition(":")[2]
        started = Container(volume, int(port))
        assert until(started.healthy), podman("logs", volume).stderr
        yield started
    finally:
        podman("rm", "--force", volume)


def test_the_image_has_a_numeric_user_and_a_health_check() -> None:
    (found,) = json.loads(podman("image", "inspect", IMAGE).stdout)
    settings = found["Config"]
    assert settings["User"] == "10001:10001"
    assert settings["Entrypoint"] == ["bedesten"]
    assert settings["Volumes"] == {"/data": {}}
    assert "/health/ready" in str(settings.get("Healthcheck") or found.get("Healthcheck"))
    assert not [one for one in settings["Env"] if one.startswith("PIP_")]


def test_the_image_has_no_compilers_caches_or_secrets_and_no_file_that_its_user_can_change() -> None:
    done = podman("run", "--rm", *HARDENED, "--entrypoint", "python", IMAGE, "-c", LISTING)
    found = json.loads(done.stdout)
    programs = {path.rpartition("/")[2] for path in found["programs"]}
    assert programs & FORBIDDEN == set()
    assert not [path for path in found["programs"] if path.startswith("/opt/") and "/pip" in path]
    assert (found["setuid"], found["leftovers"]) == ([], [])
    assert set(found["writable"]) == {"/data", "/tmp"}


def test_an_unprivileged_server_on_a_read_only_file_system_answers_and_exits_with_0(server: Container) -> None:
    status, page = server.get("/documentation")
    assert status == 200
    assert b"Shop" in page
    status, body = server.get("/Account/Details")
    assert (status, json.loads(body)["code"]) == (401, -20)
    refused = server.python("open('/opt/bedesten/new', 'w')")
    assert "Read-only file system" in refused.stderr
    lines = server.python("print(open('/proc/1/status').read())").stdout.splitlines()
    of_the_server = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert of_the_server["Uid"].split() == ["10001"] * 4
    assert int(of_the_server["CapBnd"], 16) == 0
    assert of_the_server["NoNewPrivs"] == "1"
    podman("stop", "--time", "60", server.name)
    assert podman("inspect", "--format", "{{.State.ExitCode}}", server.name).stdout.strip() == "0"
    assert "Read-only" not in podman("logs", server.name).stderr


def test_the_demo_runs_to_its_end_in_a_container() -> None:
    done = podman("run", "--rm", *HARDENED, IMAGE, "demo", "--once", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
