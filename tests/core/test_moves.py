"""The tables of moves: consistent, and the only way in which a state changes."""

import importlib
import pkgutil

import pytest
from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.dml import OnConflictDoUpdate
from sqlalchemy.sql.dml import Insert, Update

import bedesten
from bedesten.catalogue.moves import UNIT
from bedesten.complaints.moves import COMPLAINT
from bedesten.connectors.moves import PURCHASE
from bedesten.core.moves import BUYER, OPERATOR, Move, MoveTable, State
from bedesten.mail.moves import MAIL
from bedesten.orders.moves import LINE, ORDER
from bedesten.payments.moves import DEPOSIT, EVENT, PAYMENT, REFUND
from bedesten.store import sql
from bedesten.surfaces.schemas import Status
from bedesten.webhooks.moves import DELIVERY, ENDPOINT

TABLES = (ORDER, LINE, UNIT, PAYMENT, REFUND, EVENT, DEPOSIT, COMPLAINT, PURCHASE, ENDPOINT, DELIVERY, MAIL)
STATE_COLUMNS = {
    "orders": "state",
    "order_lines": "status",
    "stock_codes": "state",
    "payments": "state",
    "payment_refunds": "state",
    "provider_events": "state",
    "deposits": "state",
    "complaints": "state",
    "webhook_endpoints": "state",
    "deliveries": "state",
    "mails": "state",
    "purchases": "state",
}
OPEN, CLOSED = State(0, "open", "It can be closed."), State(1, "closed", "It is over.")
OPENING, CLOSING = Move("open", (), 0, (BUYER,)), Move("close", (0,), 1, (BUYER, OPERATOR), money="released")


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported() -> None:
    """Statements are registered once their modules are imported."""
    for module in pkgutil.walk_packages(bedesten.__path__, "bedesten."):
        if not module.name.startswith(("bedesten.middleware", "bedesten.store.migrations", "bedesten.__main__")):
            importlib.import_module(module.name)


def test_a_table_says_which_moves_are_allowed() -> None:
    table = MoveTable("door", [OPEN, CLOSED], [OPENING, CLOSING])
    assert (table.allows(0, "close"), table.allows(1, "close"), table.allows(0, "open")) == (True, False, False)
    assert (table["close"], list(table), table.names) == (CLOSING, [OPENING, CLOSING], ("open", "closed"))
    assert table.final == {1}
    with pytest.raises(KeyError):
        table["slam"]


@pytest.mark.parametrize(
    ("states", "moves"),
    [
        ([OPEN, OPEN], [OPENING]),
        ([OPEN, State(1, "open", "Again.")], [OPENING]),
        ([OPEN, CLOSED], [OPENING, OPENING]),
        ([OPEN], [OPENING, CLOSING]),
        ([OPEN, CLOSED], [Move("open", (), 0, ())]),
        ([OPEN, CLOSED], [Move("open", (), 0, ("passer-by",))]),
        ([OPEN, CLOSED], [Move("open", (2,), 0, (BUYER,))]),
    ],
)
def test_an_inconsistent_table_cannot_be_created(states: list[State], moves: list[Move]) -> None:
    with pytest.raises(ValueError, match="door"):
        MoveTable("door", states, moves)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.thing)
def test_every_state_can_be_reached(table: MoveTable) -> None:
    reached = {one.target for one in table if not one.sources}
    while True:
        further = reached | {one.target for one in table if reached & set(one.sources)}
        if further == reached:
            break
        reached = further
    assert reached == table.states.keys()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.thing)
def test_a_creating_move_is_not_made_by_an_update(table: MoveTable) -> None:
    for one in table:
        if not one.sources:
            with pytest.raises(ValueError, match="creates"):
                sql.move_of(table, one.event, sql.metadata.tables["orders"].c.state)


def test_a_lines_statuses_on_the_wire_are_those_of_the_table() -> None:
    (meta,) = Status.__metadata__  # type: ignore[attr-defined]
    assert sorted(meta.extra_json_schema["enum"]) == sorted(LINE.states)


def test_only_moves_change_a_state() -> None:
    """An UPDATE that sets a state directly would make moves that no table has."""
    made = {id(one.statement) for one in sql.all_moves()}
    by_hand = [
        str(one.core)
        for one in sql.all_statements()
        if isinstance(one.core, Update) and id(one) not in made and _sets_a_state(one.core)
    ]
    assert by_hand == []


def test_no_insert_overwrites_a_row_with_a_state() -> None:
    overwriting = [
        _table_of(one.core)
        for one in sql.all_statements()
        if isinstance(one.core, Insert) and isinstance(one.core._post_values_clause, OnConflictDoUpdate)
    ]
    assert not {*overwriting} & {*STATE_COLUMNS}


def test_every_statement_of_a_move_changes_the_state_column_of_its_table() -> None:
    for one in sql.all_moves():
        if one.state.table.name in STATE_COLUMNS:
            assert one.state.name == STATE_COLUMNS[one.state.table.name], (one.moves.thing, one.event)


def _sets_a_state(core: Update) -> bool:
    changed = {getattr(column, "name", str(column)) for column in core._values or {}}
    return isinstance(core.table, Table) and STATE_COLUMNS.get(core.table.name, "") in changed


def _table_of(core: Insert) -> str:
    return core.table.name if isinstance(core.table, Table) else ""
