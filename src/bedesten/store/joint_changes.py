"""The last changes of several actions as the statements of one transaction, on PostgreSQL.

The actions have the same statements with different values. Their INSERTs become one statement with a row for each
action. The other statements follow: equal texts together, added up where the effect is the same (`Step.sums`), and
sorted by their values, of which the first name the row. So every transaction locks its rows in the same order: new
rows, counters, codes, balances.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from bedesten.store.sql import Statement
from bedesten.store.transaction import Changes, Step

_INSERT = re.compile(
    r"(?P<head>INSERT INTO \w+ \([^()]*\) VALUES )"
    r"(?P<row>\((?:[^()]|%\(\w+\)s)*\))"
    r"(?P<tail> ON CONFLICT DO NOTHING)?"
)
_NAME = re.compile(r"%\((?!tenant\))(\w+)\)s")


class BoundText(NamedTuple):
    """SQL with named parameters, and their values."""

    text: str
    values: dict[str, Any]


def shape(changes: Changes) -> tuple[Statement[Any], ...]:
    """Returns what changes must have in common to be joined."""
    return tuple(step.statement for step in changes.steps)


def joined(changes: Sequence[Changes]) -> list[BoundText]:
    """Returns the statements that make the changes of several actions of one tenant and shape.

    A statement that changes a wrong number of rows fails: then the caller must roll the transaction back.
    """
    first = changes[0]
    inserts = [at for at, step in enumerate(first.steps) if _insert(step.statement)]
    made: list[BoundText] = []
    if inserts:
        statements = tuple(first.steps[at].statement for at in inserts)
        values = {"tenant": first.tenant}
        for place, at in enumerate(inserts):
            for row, one in enumerate(changes):
                values.update((f"{place}_{row}_{name}", value) for name, value in one.steps[at].parameters.items())
        made.append(BoundText(_inserts(statements, len(changes)), values))
    others: dict[Statement[Any], list[Step]] = {}
    for at, step in enumerate(first.steps):
        if at not in inserts:
            others.setdefault(step.statement, []).extend(one.steps[at] for one in changes)
    for steps in others.values():
        made += _each(first.tenant, _summed(sorted(steps, key=_values)))
    return made


def _summed(steps: Iterable[Step]) -> list[Step]:
    """Adds up the steps whose `sums` allow it, and keeps the order of the steps."""
    made: dict[object, Step] = {}
    for place, step in enumerate(steps):
        rest = tuple(item for item in step.parameters.items() if item[0] not in step.sums)
        known = made.get(rest) if step.sums else None
        if known is None:
            made[rest if step.sums else place] = step
            continue
        summed = {name: known.parameters[name] + step.parameters[name] for name in step.sums}
        made[rest] = replace(known, parameters=known.parameters | summed)
    return list(made.values())


def _values(step: Step) -> list[str]:
    return [str(value) for value in step.parameters.values()]


def _each(tenant: str, steps: Iterable[Step]) -> Iterable[BoundText]:
    for step in steps:
        alone = Changes(tenant, (step,))
        yield BoundText(alone.text, alone.parameters | {"part": 0})


@lru_cache(256)
def _insert(statement: Statement[Any]) -> re.Match[str] | None:
    """Finds the row of an INSERT of one row of plain values that replaces no row."""
    return _INSERT.fullmatch(statement.compiled("postgresql"))


@lru_cache(256)
def _inserts(statements: tuple[Statement[Any], ...], rows: int) -> str:
    """Returns one text that inserts `rows` rows with each statement, and fails if one of them inserts fewer."""
    ran, right = [], []
    for place, statement in enumerate(statements):
        found = _insert(statement)
        assert found is not None, "the caller has looked"
        each = ", ".join(_NAME.sub(rf"%({place}_{row}_\1)s", found["row"]) for row in range(rows))
        ran.append(f"s{place} AS ({found['head']}{each}{found['tail'] or ''} RETURNING 1)")
        right.append(f"(SELECT count(*) FROM s{place}) = {rows}")  # noqa: S608
    return f"WITH {', '.join(ran)} SELECT 1 / CASE WHEN {' AND '.join(right)} THEN 1 ELSE 0 END"
