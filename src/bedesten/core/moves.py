"""State machines as tables: which event moves an object from which states to which, who may cause it, what follows.

Each kind of object with a lifecycle (order, order line, unit, payment, deposit, complaint) has one `MoveTable`. The
code derives its statements from it (`store.sql.move_of`), the OpenAPI documents their enums, the documentation and the
tests everything else. No statement can make a transition that the table lacks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

BUYER, SUPPLIER, PAYMENT_SERVICE, OPERATOR, SYSTEM = "buyer", "supplier", "payment service", "operator", "system"
ROLES = frozenset({BUYER, SUPPLIER, PAYMENT_SERVICE, OPERATOR, SYSTEM})


@dataclass(frozen=True, slots=True)
class State:
    """A state: its number in the database, its name on the wire, and one sentence for the documentation."""

    number: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Move:
    """One row of a table.

    `sources` are state numbers; an empty tuple means that the object is created. `money` says what money moves, and
    `events` names the webhook events that are written; both are empty where nothing happens.
    """

    event: str
    sources: tuple[int, ...]
    target: int
    who: tuple[str, ...]
    money: str = ""
    events: tuple[str, ...] = ()


class MoveTable:
    """The states and moves of one kind of object. An event has one target, whatever its source."""

    def __init__(self, thing: str, states: Sequence[State], moves: Sequence[Move]) -> None:
        self.thing = thing
        self.states: Mapping[int, State] = MappingProxyType({one.number: one for one in states})
        self._moves = {one.event: one for one in moves}
        if len(self.states) != len(states) or len({one.name for one in states}) != len(states):
            raise ValueError(f"{thing}: a state stands in the table twice")
        if len(self._moves) != len(moves):
            raise ValueError(f"{thing}: an event stands in the table twice")
        for one in moves:
            if not {*one.sources, one.target} <= self.states.keys():
                raise ValueError(f"{thing}: {one.event} has an unknown state")
            if not one.who or not ROLES.issuperset(one.who):
                raise ValueError(f"{thing}: {one.event} has no role or an unknown one")

    def __getitem__(self, event: str) -> Move:
        """Returns the move of an event. Raises KeyError for an event that the table lacks."""
        return self._moves[event]

    def __iter__(self) -> Iterator[Move]:
        return iter(self._moves.values())

    def allows(self, state: int, event: str) -> bool:
        """Reports whether the event can happen to an object in this state."""
        return state in self._moves[event].sources

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the states in the order of their numbers, as the wire shows them."""
        return tuple(self.states[number].name for number in sorted(self.states))

    @property
    def final(self) -> frozenset[int]:
        """The states that no event leaves."""
        left = {source for one in self for source in one.sources if source != one.target}
        return frozenset(self.states.keys() - left)
