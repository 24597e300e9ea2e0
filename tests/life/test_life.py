"""Random lives of orders, goods and money agree with a plain model of them, step by step, and leave no violation."""

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.life.machine import SUBJECTS
from tests.life.money_machine import LifeMachine
from tests.support.sites import ENGINES

LIVES = int(os.environ.get("BEDESTEN_TEST_LIVES", "20"))
"""Lives of a long run. Each has a number, from which everything random in it follows."""


def live(engine: str, number: int, steps: int) -> None:
    """Runs two lives of `steps` steps, each in its own store; later lives of one run would repeat these too often.

    A life that fails is not shrunk: each attempt would need a fresh store.
    """
    of_life = {"engine": engine, "subject": SUBJECTS[number % len(SUBJECTS)]}
    machine = seed(number)(type("Life", (LifeMachine,), of_life))
    chosen = settings(
        max_examples=2,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.parametrize("number", range(len(SUBJECTS)), ids=SUBJECTS)
def test_a_short_life_agrees_with_the_model(number: int) -> None:
    live("sqlite", number, 40)


@pytest.mark.slow
@pytest.mark.timeout(120 + 30 * LIVES)
@pytest.mark.parametrize("engine", ENGINES)
def test_long_lives_agree_with_the_model(engine: str) -> None:
    for number in range(LIVES):
        live(engine, number, 100)
