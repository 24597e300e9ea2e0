"""Imports API keys of another system by their SHA-256, so that nobody sees the keys.

The store holds a keyed digest of that SHA-256, so it reveals as little about them as about our own keys. The first
request that presents such a key proves its text, and the ordinary digest replaces the imported one.

An import stores its keys in batches, so that no other writer waits long for it, and is still all or nothing: its keys
belong to a *run* (`key_import_runs`), and other queries find them only once the run has finished, which is one small
statement. A run that does not continue (the program was killed) is abandoned after a minute; the worker removes its
keys. `admin.key_imports` combines these steps.

Our own keys cannot be imported: such a key would have two ids and stay valid after one of them was revoked.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, or_, select, update

from bedesten.apikeys import actions as key_actions
from bedesten.apikeys.actions import CURRENT, NewKey
from bedesten.apikeys.tables import api_keys, key_import_runs, key_imports, key_secrets
from bedesten.audit.actions import Actor, record
from bedesten.core.clock import MINUTE
from bedesten.core.ids import IdGenerator
from bedesten.errors import BAD_REQUEST, CONFLICT, Refusal
from bedesten.gate.api_keys import SAMPLE_KEY, find_keys, imported_form, imported_form_of_sha256
from bedesten.gate.keyring import Keyring
from bedesten.store.sql import TENANT, any_value, cross_tenant, insert_of, p, statement
from bedesten.store.transaction import SystemTransaction, Transaction

MAX_IMPORT_LINES = 100_000
MAX_HINT = 32
"""Maximum length in characters; a whole API key is longer."""
MAX_REPORTED_LINES = 20
"""Number of invalid lines that a refusal names."""
MAX_KEYS_PER_TRANSACTION = 250
ABANDONED_AFTER = MINUTE
"""A run that has stored nothing for this time (ms) is abandoned."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_REMEMBER = insert_of(key_imports, or_ignore=True)
_IMPORTED = statement(
    select(key_imports.c.key_id).where(key_imports.c.tenant_id == TENANT, key_imports.c.digest == p("digest"))
)

_R = key_import_runs.c
_BEGIN = insert_of(key_import_runs, or_ignore=True)
_PENDING = (_R.tenant_id == TENANT) & (_R.id == p("run")) & (_R.state == "pending")
_RUNNING = statement(select(_R.id).where(_R.tenant_id == TENANT, _R.state == "pending"))
_STORED = statement(
    update(key_import_runs).where(_PENDING).values(stored=_R.stored + p("more"), touched=p("now"))
)  # fmt: skip
_FINISH = statement(update(key_import_runs).where(_PENDING).values(state="finished", touched=p("now")))
_ABANDON = statement(update(key_import_runs).where(_PENDING).values(state="abandoned"))

_GIVE_UP = cross_tenant(
    update(key_import_runs)
    .where(_R.state == "pending", any_value(_R.tenant_id), or_(_R.touched < p("before"), _R.touched > p("ahead")))
    .values(state="abandoned")
)
_ABANDONED = cross_tenant(select(_R.id).where(_R.state == "abandoned").limit(1))
_LEFTOVERS = cross_tenant(
    select(api_keys.c.id).where(api_keys.c.import_id == p("run")).order_by(api_keys.c.id).limit(p("most"))
)
_DROP_LEFTOVERS = (
    cross_tenant(delete(key_secrets).where(key_secrets.c.key_id == p("key_id"))),
    cross_tenant(delete(key_imports).where(key_imports.c.key_id == p("key_id"))),
    cross_tenant(delete(api_keys).where(api_keys.c.id == p("key_id"))),
)
_DROP_RUN = cross_tenant(delete(key_import_runs).where(_R.id == p("run"), _R.state == "abandoned"))


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One line of an import: the SHA-256 of a key in lower-case hexadecimal digits, and a hint that may be shown."""

    line: int
    sha256: str
    hint: str = "imported"


@dataclass(frozen=True, slots=True)
class PreparedKey:
    """One key of an import before it is stored: its future id, and its digest under each pepper, the current one first."""

    line: int
    key_id: str
    hint: str
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import under way: its id, and the columns of `api_keys` that all of its keys share."""

    id: str
    pepper: str
    columns: Mapping[str, object]


def parse(lines: Iterable[str]) -> list[ImportLine]:
    """Parses the lines `sha256[,hint]` of a file; skips empty lines, comments (`#`) and a heading.

    Raises `Refusal` (-2), which names the invalid lines but does not repeat their content.
    """
    found: list[ImportLine] = []
    wrong: dict[int, str] = {}
    for number, row in _rows(lines, wrong):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#") or (number == 1 and cells[0].lower() in ("sha256", "digest")):
            continue
        problem = _problem(cells)
        if problem:
            wrong[number] = problem
        else:
            found.append(ImportLine(number, cells[0].lower(), cells[1] if len(cells) > 1 and cells[1] else "imported"))
        if len(found) > MAX_IMPORT_LINES:
            raise _refused({number: f"more than {MAX_IMPORT_LINES} lines: import them in parts"})
    if wrong:
        raise _refused(wrong)
    return found


def _rows(lines: Iterable[str], wrong: dict[int, str]) -> Iterator[tuple[int, list[str]]]:
    """Yields CSV rows, each with the number of its first line. A syntax error is added to `wrong` and ends the rows."""
    reader = csv.reader(lines, strict=True)
    number = 1
    try:
        for row in reader:
            yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        wrong[number] = f"not CSV: {error}"


def prepare(keyring: Keyring, ids: IdGenerator, tenant: str, lines: Sequence[ImportLine]) -> list[PreparedKey]:
    """Computes ids and digests without the store.

    Raises `Refusal` (-2) for the sample key of the documentation and for lines that occur twice.
    """
    wrong: dict[int, str] = {}
    seen: set[str] = set()
    current = keyring.digest.current
    peppers = [current, *(pepper for pepper in keyring.digest_ids() if pepper != current)]
    prepared = []
    for one in lines:
        text = imported_form_of_sha256(one.sha256)
        if text == imported_form(SAMPLE_KEY):
            wrong[one.line] = "the sample of the documentation is everybody's"
        elif one.sha256 in seen:
            wrong[one.line] = "occurs twice"
        seen.add(one.sha256)
        digests = tuple(keyring.key_digest(tenant, text, pepper) for pepper in peppers)
        prepared.append(PreparedKey(one.line, ids.new("key"), one.hint, digests))
    refuse(wrong)
    return prepared


def imported_before(tx: Transaction, prepared: Sequence[PreparedKey]) -> dict[int, str]:
    """Returns the lines whose key the tenant has or had under any pepper, with the problem of each."""
    asked = [(one.line, digest) for one in prepared for digest in one.digests]
    found = tx.one_each(_IMPORTED, [{"digest": digest} for _, digest in asked])
    return {line: "was imported before" for (line, _), row in zip(asked, found, strict=True) if row is not None}


def refuse_beside_another(tx: Transaction) -> None:
    """Raises `Refusal` (-8) if the tenant has a run under way.

    Without this check the keys of that run would be reported as imported before.
    """
    if tx.one(_RUNNING) is not None:
        raise _busy()


def begin(tx: Transaction, keyring: Keyring, new: NewKey, count: int) -> ImportRun:
    """Begins a run; a tenant has at most one. Raises `Refusal`: -2 for invalid `new`, -8 if another run is under way."""
    columns = key_actions.columns_of(new, tx.now)
    return ImportRun(open_run(tx, count), keyring.digest.current, columns)


def open_run(tx: Transaction, count: int) -> str:
    """Opens a run that will store `count` keys and returns its id. Raises `Refusal` (-8) if another is under way."""
    run = tx.new_id("imp")
    if not tx.run(_BEGIN, id=run, state="pending", announced=count, stored=0, touched=tx.now):
        raise _busy()
    return run


def count_stored(tx: Transaction, run: str, more: int) -> None:
    """Counts keys that this transaction stores. Raises `Refusal` (-8) if the run was abandoned."""
    assert more <= MAX_KEYS_PER_TRANSACTION, "others wait for this transaction"
    _still_pending(tx.run(_STORED, run=run, more=more, now=tx.now))


def close_run(tx: Transaction, run: str) -> None:
    """Makes every key of the run valid. Raises `Refusal` (-8) if the run was abandoned. The caller records it."""
    _still_pending(tx.run(_FINISH, run=run, now=tx.now))
    tx.advance_revision("tenant", tx.tenant)


def store_some(tx: Transaction, run: ImportRun, some: Sequence[PreparedKey]) -> None:
    """Stores up to `MAX_KEYS_PER_TRANSACTION` keys of a run, which are not valid yet. Raises `Refusal` (-8)."""
    count_stored(tx, run.id, len(some))
    tx.run_each(
        key_actions.CREATE, ({**run.columns, "id": one.key_id, "hint": one.hint, "import_id": run.id} for one in some)
    )
    secret = {"pepper_id": run.pepper, "slot": CURRENT, "imported": 1, "grace": None, "expires": None}
    tx.run_each(key_actions.ADD_SECRET, ({**secret, "key_id": one.key_id, "digest": one.digests[0]} for one in some))
    remembered = tx.run_each(_REMEMBER, ({"key_id": one.key_id, "digest": one.digests[0]} for one in some))
    if remembered != len(some):
        raise Refusal(CONFLICT, "some of these API keys were imported meanwhile by somebody else; none was now")


def finish(tx: Transaction, run: ImportRun, new: NewKey, made: Sequence[str], actor: Actor) -> None:
    """Makes every key of the run valid. Raises `Refusal` (-8) if the run was abandoned."""
    close_run(tx, run.id)
    record(tx, actor, "key.import", made[0], surface=new.surface.value, owner=new.owner, actions=len(made))


def abandon(tx: Transaction, run: str) -> None:
    """Abandons a run unless it has finished; the worker then removes its keys."""
    tx.run(_ABANDON, run=run)


def remove_leftovers(tx: SystemTransaction) -> bool:
    """Deletes some keys of abandoned runs and reports whether there may be more. Safe in any number of processes."""
    tx.run(_GIVE_UP, before=tx.now - ABANDONED_AFTER, ahead=tx.now + ABANDONED_AFTER)
    row = tx.one(_ABANDONED)
    if row is None:
        return False
    left = [{"key_id": key[0]} for key in tx.all(_LEFTOVERS, run=row[0], most=MAX_KEYS_PER_TRANSACTION)]
    for drop in _DROP_LEFTOVERS:
        tx.run_each(drop, left)
    if not left:
        tx.run(_DROP_RUN, run=row[0])
    return True


def refuse(wrong: Mapping[int, str]) -> None:
    """Raises `Refusal` (-2), which names the invalid lines, if there are any."""
    if wrong:
        raise _refused(wrong)


def _busy() -> Refusal:
    return Refusal(CONFLICT, "another import of API keys is under way, or was killed less than a minute ago")


def _still_pending(changed: int) -> None:
    if not changed:
        raise Refusal(CONFLICT, "the import took too long between two steps and was given up; no API key was imported")


def _problem(cells: Sequence[str]) -> str | None:
    if any(find_keys(cell) for cell in cells):
        return "an API key in clear, where only its SHA-256 belongs: take it for leaked"
    if not _SHA256.fullmatch(cells[0]):
        return "not the SHA-256 of a key in 64 hexadecimal digits"
    if len(cells) > 2 or (len(cells) > 1 and (len(cells[1]) > MAX_HINT or not cells[1].isprintable())):
        return f"after the digest only a hint of up to {MAX_HINT} printable characters"
    return None


def _refused(wrong: Mapping[int, str]) -> Refusal:
    named = dict(list(wrong.items())[:MAX_REPORTED_LINES])
    fields = {f"line {line}": problem for line, problem in named.items()}
    return Refusal(BAD_REQUEST, f"{len(wrong)} of the lines cannot be imported; none was", fields=fields)
