"""The decision table of roles, in full: every role by every duty."""

import pytest

from bedesten.errors import Refusal
from bedesten.staff.roles import DUTIES, Duty, Role, duties_of, read_roles

EXPECTED = {
    # duty:             owner support finance catalogue read-only
    "orders.read":       "yes yes yes no yes",
    "orders.note":       "yes yes yes no no",
    "orders.hold":       "yes yes no no no",
    "orders.cancel":     "yes yes no no no",
    "orders.refund":     "yes no yes no no",
    "complaints.read":   "yes yes yes no yes",
    "complaints.answer": "yes yes no no no",
    "customers.read":    "yes yes yes no yes",
    "customers.reset":   "yes yes no no no",
    "customers.disable": "yes no no no no",
    "stock.read":        "yes yes no yes yes",
    "deposits.read":     "yes no yes no yes",
    "deposits.decide":   "yes no yes no no",
    "webhooks.read":     "yes yes no no yes",
    "webhooks.replay":   "yes yes no no no",
}  # fmt: skip
"""Written by hand, independently of the table that it checks."""


def test_the_table_lists_every_role_and_every_duty() -> None:
    assert set(EXPECTED) == {duty.value for duty in Duty}
    assert set(DUTIES) == set(Role)


@pytest.mark.parametrize("duty", Duty)
def test_each_role_has_exactly_the_duties_of_the_table(duty: Duty) -> None:
    answers = dict(zip(Role, EXPECTED[duty.value].split(), strict=True))
    assert {role: duty in duties_of([role]) for role in Role} == {role: one == "yes" for role, one in answers.items()}


def test_the_duties_of_several_roles_add_up_and_no_role_has_none() -> None:
    assert duties_of([Role.FINANCE, Role.CATALOGUE]) == DUTIES[Role.FINANCE] | DUTIES[Role.CATALOGUE]
    assert duties_of([]) == frozenset()


@pytest.mark.parametrize("names", [[], ["king"], ["owner", "king"], ["Owner"], ["owner support"]])
def test_unknown_roles_and_an_empty_list_are_refused(names: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        read_roles(names)
    assert refused.value.code.number == -2


def test_roles_are_stored_sorted_and_without_duplicates() -> None:
    assert read_roles(["finance", "owner", "finance"]) == (Role.OWNER, Role.FINANCE)
