"""The commands on the operators' pages do what the pages say, on a real installation; the shipped files match it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bedesten.server.child_process import HttpLimits
from bedesten.server.supervisor import ServeSpec
from tests.support.cli_program import Program
from tests.support.documents import DOCS, ROOT, blocks, section
from tests.support.installed_programs import installed
from tests.support.postgres_databases import postgres_database

pytestmark = pytest.mark.slow

HOW_TO = DOCS / "how-to"
UNIT = ROOT / "deploy" / "bedesten.service"
STUBS = """
systemctl() { :; }
curl() { :; }
runuser() { shift 3; "$@"; }
"""
"""Replacements for commands that need systemd, a server, or root."""


def shell(page: Path, having: str = "") -> list[str]:
    """The page's shell blocks that contain this text."""
    return [one.code for one in blocks(page) if one.language == "sh" and having in one.code]


def run(code: str, folder: Path, **environment: str) -> str:
    """Runs the commands with this environment's program first in PATH and `/srv`, `/opt` inside the folder."""
    code = re.sub(r"(?<![\w/])/(srv|opt)/", rf"{folder}/\1/", code)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDESTEN_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", STUBS + code],
        cwd=folder,
        env={**kept, "PATH": path, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that stands in for `/srv` and `/opt`."""
    for name in ("srv/backups", "srv/backups-of-secrets", "opt"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def program(place: Path) -> Program:
    """An installation at `/srv/bedesten`."""
    made = Program(place / "srv" / "bedesten")
    made.run_json("init")
    made.run_json("tenants", "create", "before", "--host", "before.example")
    return made


def names(program: Program) -> list[str]:
    return [tenant["name"] for tenant in program.run_json("tenants", "list")["tenants"]]


def test_the_commands_of_the_readme_create_an_installation(place: Path) -> None:
    (block,) = shell(ROOT / "README.md", "bedesten init")
    lines = [line for line in block.splitlines() if " -m venv " not in line and "pip " not in line]
    run("\n".join(line for line in lines if "bedesten serve" not in line), place)
    assert names(Program(place / "srv" / "bedesten")) == ["My Shop"]


def test_a_store_is_backed_up_and_restored_as_the_page_says(place: Path, program: Program) -> None:
    page = HOW_TO / "back-up-and-restore.md"
    head = program.run_json("audit", "verify")
    copy, secrets, *restore = [code for code in shell(page) if "pg_dump" not in code]
    data = {"BEDESTEN_DATA": str(program.data)}
    run(copy + secrets, place, **data)
    program.run_json("tenants", "create", "after", "--host", "after.example")
    (made,) = (place / "srv" / "backups").iterdir()
    (kept,) = (place / "srv" / "backups-of-secrets").iterdir()
    known = {"COPY": str(made), "SECRETS": str(kept), "HEAD": f"{head['seq']}:{head['hash']}"}
    *steps, trial = restore
    run("\n".join(steps), place, **data, **known)
    assert names(program) == ["before"]
    assert (program.data / "broken" / "bedesten.db").is_file()
    run(trial, place, **known)


def test_a_database_is_backed_up_and_restored_as_the_page_says(place: Path) -> None:
    installed("pg_dump")
    page = HOW_TO / "back-up-and-restore.md"
    (dump,) = shell(page, "pg_dump")
    (restore,) = [one.code for one in blocks(page) if "pg_restore" in one.code]
    with postgres_database() as url, postgres_database() as fresh:
        program = Program(place / "srv" / "bedesten", url)
        program.run_json("init")
        program.run_json("tenants", "create", "before", "--host", "before.example")
        at = re.compile(r"--host=\S+ --username=\S+ --dbname=\S+")
        assert at.search(dump)
        run(at.sub(f"--dbname='{url}'", dump), place)
        (made,) = (place / "srv" / "backups").iterdir()
        restore = restore.replace("createdb bedesten_restored\n", "").replace("bedesten_restored", f"'{fresh}'")
        run(restore, place, COPY=str(made))
        again = Program(program.data, fresh)
        assert names(again) == ["before"]
        assert again.run_json("check") == {"ok": True, "violations": []}


def test_the_master_secrets_are_rotated_as_the_page_says(place: Path, program: Program) -> None:
    installed("jq")
    run("\n".join(shell(HOW_TO / "rotate-master-secrets.md")), place, BEDESTEN_DATA=str(program.data))
    master_secrets = program.run_json("secrets", "list")
    assert (master_secrets["sign"], master_secrets["digest"], master_secrets["wrap"]) == (["s3"], ["d2", "d1"], ["w1"])


def test_an_upgrade_works_as_the_page_says(place: Path, program: Program) -> None:
    code = "\n".join(shell(HOW_TO / "upgrade.md"))
    lines = [line for line in code.splitlines() if "pip install" not in line]
    assert len(lines) == len(code.splitlines()) - 1
    run("\n".join(lines), place, BEDESTEN_DATA=str(program.data))
    assert len(list(program.data.glob("before-upgrade-*.db"))) == 1
    assert names(program) == ["before"]


# --- the unit -----------------------------------------------------------------------------------------------------------


def settings_of(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"[A-Z]\w+=", line))


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = installed("systemd-analyze")
    text = UNIT.read_text("utf-8").replace("/opt/bedesten/venv/bin/bedesten", str(Path(sys.executable)))
    unit = tmp_path / "bedesten.service"
    unit.write_text(text, "utf-8")
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "bedesten.service" in line]
    assert (done.returncode, said) == (0, [])


def test_the_unit_agrees_with_the_server_and_the_page() -> None:
    unit = settings_of(UNIT.read_text("utf-8"))
    spec = ServeSpec("127.0.0.1", 8080, 1, "", "", Path("serve.lock"))
    assert int(unit["TimeoutStopSec"].removesuffix("s")) >= 2 * spec.stop_timeout_s
    assert int(unit["LimitNOFILE"]) > 8 * HttpLimits().connections
    page = (HOW_TO / "run-as-a-service.md").read_text("utf-8")
    assert f"BEDESTEN_DATA={unit['ReadWritePaths']}\n" in page
    assert f"cat > {unit['EnvironmentFile']} " in page
    program, serve, *_ = unit["ExecStart"].split()
    assert serve == "serve"
    assert f'exec {program} "$@"' in page
    explained = re.findall(r"`([A-Z]\w+=[^`]+)`", section(HOW_TO / "run-as-a-service.md", "## What the unit does"))
    assert len(explained) > 5
    assert set(explained) <= set(UNIT.read_text("utf-8").splitlines())
