"""A database that says nothing: requests are answered, and are good again as soon as it speaks."""

from collections.abc import Iterator

import pytest

from silence.conftest import Faulty

UNAVAILABLE = (503, -9)


@pytest.fixture(autouse=True)
def healed(faulty: Faulty) -> Iterator[None]:
    """Before and after each test all is well."""
    assert faulty.read().status == 200
    yield
    faulty.proxy.heal()


def test_while_the_database_is_silent_every_request_is_answered_503(faulty: Faulty) -> None:
    before = {kind: answer.status for kind, answer in faulty.each().items()}
    faulty.proxy.silence()
    answers = faulty.each()
    assert {kind: answer.told for kind, answer in answers.items()} == dict.fromkeys(before, UNAVAILABLE)
    assert {answer.header("retry-after") for answer in answers.values()} == {"1"}
    faulty.proxy.heal()
