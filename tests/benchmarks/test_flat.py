"""A shop is filled with orders that are equivalent to placed ones: only their number differs."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks import postgres, report
from benchmarks.bedesten_contender import Program
from benchmarks.flat_contenders import FilledShop
from benchmarks.harness import ORDER, Outcome, Plan, measure
from benchmarks.machine import Cores
from tests.benchmarks.test_report import sample
from tests.support.postgres_server import server_url

pytestmark = pytest.mark.slow

SHORT = Plan(rounds=1, seconds=0.2, warm_up=0.05, connections=2, pause=0.0)
STORED, STOCK = 120, 40


@pytest.fixture(params=["sqlite", "postgresql"])
def program(request: pytest.FixtureRequest) -> Iterator[Program]:
    with postgres.database(server_url()) if request.param == "postgresql" else nullcontext() as url:
        yield Program(url)


def test_generated_orders_satisfy_every_invariant_and_new_ones_can_be_placed(program: Program, tmp_path: Path) -> None:
    shop = FilledShop(STOCK, program, orders=STORED)
    (outcome,) = measure([shop.contender()], [ORDER], SHORT, Cores(None, None), tmp_path)
    (turn,) = outcome.samples[shop.name]
    assert turn.result.errors == 0
    assert turn.result.requests > 0
    data = tmp_path / shop.name
    assert program(data, "check")["violations"] == []
    (product,) = program(data, "products", "list", "--tenant", "shop")["products"]
    assert 0 <= product["available"] < STOCK


def test_growth_is_shown_relative_to_the_smallest_shop() -> None:
    rounds = {"1,000 orders": [sample(100), sample(200)], "10,000 orders": [sample(50), sample(160)]}
    head, line = report.growth_table(Outcome("order, sqlite", rounds)).splitlines()
    assert head.startswith("order, sqlite, / 1,000 orders ")
    assert line.startswith("10,000 orders ")
    assert "0.65 × (0.50–0.80)" in line
