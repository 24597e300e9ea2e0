"""The files around the code agree with it: workflow, owners, hooks, versions, changelog, lock file."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.support.documents import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CLIENT = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text("utf-8"))


def test_both_distributions_have_the_same_version() -> None:
    assert PYPROJECT["project"]["version"] == CLIENT["project"]["version"]


def test_the_workflow_runs_the_script_that_anyone_can_run_on_every_tested_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    tested = {f"Programming Language :: Python :: {each}" for each in jobs["check"]["strategy"]["matrix"]["python"]}
    assert tested == {one for one in PYPROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.", one)}
    assert [step["run"] for step in jobs["check"]["steps"] if "run" in step][-1] == ".ci/run"
    assert "make dist" in [step.get("run") for step in jobs["packages"]["steps"]]
    assert workflow["permissions"] == {"contents": "read"}


def test_every_path_of_the_code_owners_exists() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text("utf-8").splitlines()
    paths = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert [path for path in paths if path != "*" and not (ROOT / path.strip("/")).exists()] == []
    assert "/src/bedesten/gate/" in paths


def test_every_hook_runs_a_local_program_and_fetches_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (local,) = config["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        program, *rest = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        assert all((ROOT / one).is_file() for one in rest if one.startswith("scripts/"))


@pytest.mark.parametrize("name", ["bug.yml", "feature.yml", "config.yml"])
def test_issue_forms_are_valid_and_have_unique_ids(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text("utf-8"))
    ids = [field["id"] for field in form.get("body", ()) if "id" in field]
    assert len(ids) == len(set(ids))
    assert form.get("blank_issues_enabled") is not True


def test_towncrier_gathers_every_fragment_and_prints_no_file_name() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "## 9.9.9 (" in done.stdout
    printed = " ".join(done.stdout.split())
    fragments = [path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]
    for fragment in fragments:
        for paragraph in fragment.read_text("utf-8").strip().split("\n- "):
            assert " ".join(paragraph.removeprefix("- ").split()) in printed, fragment.name
        assert f"({fragment.name.split('.')[0]})" not in done.stdout


def test_the_lock_has_every_requirement_of_both_distributions() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked = {_normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    wanted = {
        _normal(match[0])
        for project in (PYPROJECT["project"], CLIENT["project"])
        for group in (project["dependencies"], *project.get("optional-dependencies", {}).values())
        for requirement in group
        if (match := re.match(r"[A-Za-z0-9._-]+", requirement)) and not match[0].startswith("bedesten")
    }
    assert wanted - locked == set()
    assert "://" not in lock


def test_the_lock_of_the_image_is_the_subset_that_the_server_needs() -> None:
    entries, fewer = (
        set(re.split(r"\n(?=[A-Za-z])", (ROOT / name).read_text("utf-8").strip())[1:])
        for name in ("requirements.lock", "deploy/image.lock")
    )
    assert fewer < entries
    names = {_normal(entry.partition("==")[0]) for entry in fewer}
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    wanted = {
        _normal(re.split(r"[^A-Za-z0-9._-]", one)[0])
        for group in (PYPROJECT["project"]["dependencies"], *extras)
        for one in group
    }
    assert wanted - names == {"bedesten-client"}
    assert names & {"boto3", "azure-identity", "google-cloud-secret-manager", "hvac"} == set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
