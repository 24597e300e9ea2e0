"""The tutorial runs: its blocks, pasted in order into one shell, do what it says."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bedesten.server.child_process import free_port
from tests.support.documents import DOCS, blocks

pytestmark = pytest.mark.slow

TUTORIAL = DOCS / "tutorials" / "first-run.md"


def run(script: str, directory: Path) -> str:
    """Runs the script as a reader would, with this environment's program first in PATH; returns its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDESTEN_")}
    environment = {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_run_works_as_it_is_printed(tmp_path: Path) -> None:
    shell = [block.code for block in blocks(TUTORIAL) if block.language == "sh"]
    port, admin = free_port(0), free_port(0)
    script = "\n".join(shell).replace("8080", str(port)).replace("8081", str(admin))
    run("trap 'kill \"${SERVER:-}\" 2>/dev/null || true' EXIT\n" + script, tmp_path)

    def answer(name: str) -> dict[str, object]:
        parsed: dict[str, object] = json.loads((tmp_path / "first-run" / name).read_text("utf-8"))
        return parsed

    made = tmp_path / "first-run" / "partner.json"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert str(answer("partner.json")["webhookSecret"]).startswith("whsec_")
    account = dict(answer("account.json")["data"])  # type: ignore[call-overload]
    assert (account["balance"], account["held"]) == (-61.5, 0)
    placed, delivered, refused = answer("order.json"), answer("delivered.json"), answer("refused.json")
    details = dict(placed["data"])["details"]  # type: ignore[call-overload]
    assert [line["status"] for line in details] == [1, 2]
    lines = dict(delivered["data"])["details"]  # type: ignore[call-overload]
    assert [line["status"] for line in lines] == [1, 1]
    assert len(lines[0]["deliveryData"]) == 2
    assert lines[1]["deliveryData"] == ["ESIM-ACTIVATION-1"]
    assert refused["code"] == -23


def test_the_first_run_notices_that_its_port_is_taken(tmp_path: Path) -> None:
    shell = [block.code for block in blocks(TUTORIAL) if block.language == "sh"]
    serving = next(at for at, code in enumerate(shell) if "bedesten serve" in code)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        script = "\n".join(shell[: serving + 1]).replace("8080", str(taken.getsockname()[1]))
        said = run(script.replace("8081", str(free_port(0))) + '\necho "URL=<$URL>"', tmp_path)
    assert "Address already in use" in said
    assert said.endswith("URL=<>\n")
