"""Before a measurement every contender must accept valid requests and refuse invalid ones."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import gate_contenders as gate
from benchmarks.checkout import SetupError
from benchmarks.harness import Plan, measure_cases, started
from benchmarks.machine import Cores
from benchmarks.material import Case, GateMaterial, prepare, read_gate
from benchmarks.refused_contenders import THROTTLED, patient, strict
from tests.support.installed_programs import installed

pytestmark = pytest.mark.slow

CONTENDERS = ["bedesten", "fastapi", "haproxy"]
LOOSE = Cores(None, None)
SHORT = Plan(rounds=1, seconds=0.1, warm_up=0.05, connections=2, pause=0.0)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("gate") / "prepared"
    prepare("gate", data, "--tokens", "50")
    return data


@pytest.fixture(scope="module")
def known(prepared: Path) -> GateMaterial:
    return read_gate(prepared)


@pytest.fixture(scope="module", params=CONTENDERS)
def port(request: pytest.FixtureRequest, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a contender that has passed its own check."""
    if request.param == "haproxy":
        installed("haproxy")
    found = {one.name: one for one in gate.contenders(prepared)}
    with started(found[request.param], tmp_path_factory.mktemp(request.param), LOOSE) as port:
        yield port


def test_every_prepared_token_is_accepted(port: int, known: GateMaterial) -> None:
    tokens = Path(known.tokens).read_text(encoding="ascii").split()
    assert len(set(tokens)) == 50
    gate.check(port, [replace(known.accepted["token"], token=token) for token in tokens])


@pytest.mark.parametrize("name", ["wrong MAC", "expired", "revoked", "another tenant's", "no credential"])
def test_invalid_requests_are_refused(port: int, known: GateMaterial, name: str) -> None:
    gate.check(port, [known.refused[name]])
    with pytest.raises(SetupError, match="401 in place of 200"):
        gate.check(port, [replace(known.refused[name], status=200)])


def test_refusals_are_measured_with_their_expected_status(prepared: Path, tmp_path: Path) -> None:
    prepare("gate", tmp_path / "other")
    outcome = measure_cases([patient(prepared), strict(tmp_path / "other")], "refused", SHORT, LOOSE, tmp_path)
    assert len(outcome.samples) == 3 + 12 + 1
    assert {THROTTLED, "accepted: token", "unknown API key"} < set(outcome.samples)
    for samples in outcome.samples.values():
        assert [sample.result.errors for sample in samples] == [0]
        assert min(sample.result.requests for sample in samples) > 0
        assert min(sample.memory_mib for sample in samples) > 10


def test_a_case_builds_its_complete_request() -> None:
    case = Case("h.example", "/Login", api_key="ak", method="POST", body="{}")
    assert case.request()(0) == (
        b"POST /Login HTTP/1.1\r\nHost: h.example\r\nAccept: application/json\r\nApiKey: ak\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
