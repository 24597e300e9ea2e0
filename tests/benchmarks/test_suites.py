"""Each suite runs with one call, briefly and on a small installation: every response is the expected one."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import nginx, postgres, suites
from benchmarks.app import fairness
from benchmarks.checkout import SetupError
from benchmarks.decide_contenders import BEHIND, DIRECT, Front, asked, check, fastapi
from benchmarks.gate_contenders import PEER_REFUSES
from benchmarks.harness import Outcome, Plan, started
from benchmarks.key_contenders import ONE_EACH, TEN, UNIFORM
from benchmarks.machine import Cores
from benchmarks.material import prepare, read_gate
from benchmarks.suites import Job
from tests.support.installed_programs import installed
from tests.support.postgres_server import server_url

pytestmark = pytest.mark.slow

LOOSE = Cores(None, None)
SHORT = Plan(rounds=1, seconds=0.2, warm_up=0.05, connections=2, pause=0.0)


def contenders(outcomes: list[Outcome]) -> dict[str, set[str]]:
    """The contenders of each workload; asserts that none had an unexpected response."""
    for outcome in outcomes:
        for samples in outcome.samples.values():
            assert [sample.result.errors for sample in samples] == [0]
            assert min(sample.result.requests for sample in samples) > 0
    return {outcome.workload: set(outcome.samples) for outcome in outcomes}


def test_keys_are_drawn_from_all_tenants_one_each_or_ten_in_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = suites.keys(Job(SHORT, LOOSE, tmp_path, tenants=3, keys_each=12))
    assert contenders(outcomes) == {name: {"36-keys", "10-keys"} for name in (TEN, ONE_EACH, UNIFORM)}
    printed = capsys.readouterr().out
    assert "36-keys: " in printed
    assert " s from the start to the first response, filled in " in printed


def test_gates_decide_the_same_directly_and_behind_nginx(tmp_path: Path) -> None:
    installed("nginx")
    found = contenders(suites.decide(Job(SHORT, LOOSE, tmp_path)))
    assert found == {name: {"bedesten", "fastapi"} for name in (*DIRECT, *BEHIND)} | {
        BEHIND[0]: {"bedesten", "fastapi", "ceiling"}
    }


def test_a_gate_with_different_decisions_is_not_measured(tmp_path: Path) -> None:
    prepare("gate", tmp_path / "prepared")
    known = read_gate(tmp_path / "prepared")
    with ExitStack() as stack:
        gate = fastapi(tmp_path / "prepared", Front(stack, None, tmp_path, None))
        port = stack.enter_context(started(gate, tmp_path, LOOSE))
        check(port, known, asked)
        for name in (*PEER_REFUSES, "unknown host"):
            case = known.refused[name]
            other = replace(known, refused=known.refused | {name: replace(case, status=200)})
            with pytest.raises(SetupError, match=f"{case.status} in place of 200"):
                check(port, other, asked)


def test_a_changed_page_is_not_taken_for_the_shipped_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "auth_request /bedesten-gate;" in nginx.shown(1, 2, "shop.example")
    page = tmp_path / "gate-nginx.md"
    page.write_text(nginx.PAGE.read_text("utf-8").replace("listen 443 ssl;", "listen 444 ssl;"), "utf-8")
    monkeypatch.setattr(nginx, "PAGE", page)
    with pytest.raises(SetupError, match="'listen 443 ssl;' stands 0 times"):
        nginx.shown(1, 2, "shop.example")


def test_a_tenant_at_its_limit_and_one_with_a_locked_row_are_compared_with_a_calm_one(tmp_path: Path) -> None:
    with postgres.database(server_url()) as database:
        found = fairness.measure(tmp_path / "data", database, 1, 0.5)
    assert set(found) == {"calm", "limited", "locked", "calm again"}
    assert all(0 < p50 <= p99 for ((p50, p99),) in found.values())
    assert fairness.table("postgresql", found).count(" × |") == 3
