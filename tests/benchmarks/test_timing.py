"""The timing suite compares refusals with identical responses: only for those does the time matter."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gate_contenders import start_app
from benchmarks.harness import Contender, Running, started
from benchmarks.machine import Cores
from benchmarks.material import Case, prepare, read_values
from benchmarks.timing import Series, ask, exchange, line, table

pytestmark = pytest.mark.slow

_OWN = re.compile(rb"req_[0-9a-f]{24}|\r\ndate: [^\r]*")
"""The parts that differ in every response: the request id and the date."""


class Shop:
    """A running server and its groups of requests."""

    def __init__(self, port: int, groups: dict[str, Any]) -> None:
        self.port = port
        self.groups = {
            group: {name: [Case(**case) for case in some] for name, some in names.items()}
            for group, names in groups.items()
        }

    def answers(self, group: str) -> dict[bytes, list[str]]:
        """The names of the cases by their response."""
        found: dict[bytes, list[str]] = {}
        with line(self.port) as sock:
            for name, cases in self.groups[group].items():
                found.setdefault(_OWN.sub(b"", exchange(sock, cases[0].request()(0))), []).append(name)
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("timing")
    prepared = folder / "timing"
    prepare("timing", prepared)

    def start(data: Path, port: int) -> Any:
        return start_app(prepared, "patient", None, data, port)

    with started(Contender("server", start, lambda _, port: Running({})), folder, Cores(None, None)) as port:
        yield Shop(port, read_values(prepared))


@pytest.mark.requirement(85, 111)
def test_every_api_key_that_is_no_good_gets_one_answer(shop: Shop) -> None:
    (names,) = shop.answers("API key").values()
    assert {"unknown", "revoked (R111)", "another tenant's (R85)", "expired", "missing"} < set(names)


def test_a_suspended_tenants_key_gets_the_response_to_an_unknown_key(shop: Shop) -> None:
    assert list(shop.answers("API key, suspended tenant").values()) == [["unknown", "right"]]


@pytest.mark.requirement(77)
def test_a_mac_gets_one_answer_wherever_it_is_wrong(shop: Shop) -> None:
    (names,) = shop.answers("MAC").values()
    assert {"1st byte wrong", "31st byte wrong (R77)"} < set(names)


def test_every_ended_token_gets_the_response_to_a_forged_token(shop: Shop) -> None:
    (names,) = shop.answers("bearer token").values()
    assert {"wrong MAC", "another tenant's", "revoked", "disabled account's"} < set(names)


@pytest.mark.requirement(170)
@pytest.mark.parametrize("group", ["object of another tenant, own token", "object, another tenant's token"])
def test_what_another_tenant_has_gets_the_answer_of_what_nobody_has(shop: Shop, group: str) -> None:
    (names,) = shop.answers(group).values()
    assert {"no such object", "an object (R170)"} < set(names)


@pytest.mark.requirement(113)
def test_every_login_that_fails_gets_one_answer(shop: Shop) -> None:
    (names,) = shop.answers("login").values()
    assert {"wrong password", "unknown account (R113)", "disabled account (R113)"} < set(names)
    assert {"over-long password (R113)", "no e-mail at all", "suspended tenant"} < set(names)


def test_each_case_is_measured_equally_often(shop: Shop) -> None:
    with line(shop.port) as sock:
        found = ask(sock, shop.groups["MAC"], seconds=0.0)
    assert [len(series.times) for series in found.values()] == [5, 5, 5]
    assert [series.wrong for series in found.values()] == [0, 0, 0]


def test_an_unexpected_response_is_counted(shop: Shop) -> None:
    case = shop.groups["MAC"]["1st byte wrong"][0]
    wrong = Case(case.host, case.path, case.token, code=-23)
    with line(shop.port) as sock:
        found = ask(sock, {"right": [case], "wrong": [wrong]}, seconds=0.0)
    assert (found["right"].wrong, found["wrong"].wrong) == (0, 7)


def test_the_table_marks_medians_too_far_from_the_first() -> None:
    groups = {"API key": {"unknown": Series([100.0, 100.0]), "near": Series([105.0] * 2), "far": Series([115.0] * 2)}}
    near, far = table(groups).splitlines()[-2:]
    assert near.split()[-1] == "5.0%"
    assert far.split("  ")[-1].strip() == "above 10%"
