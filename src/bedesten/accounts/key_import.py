"""API keys that another system made, taken over without anybody ever seeing them: by their SHA-256.

What is stored is a keyed digest of that SHA-256, so that the store says as little about them as about our own. The first
request that brings such a key proves what it is, and the ordinary digest takes the place of the other one.

Not to be imported: our own keys. Such a key would have two ids, and go on after one of them was revoked.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from bedesten.accounts import keys
from bedesten.accounts.keys import NewKey
from bedesten.accounts.tables import key_imports, key_secrets
from bedesten.audit.actions import Actor, record
from bedesten.errors import BAD_REQUEST, Refusal
from bedesten.gate.apikeys import SAMPLE, foreign_form, foreign_form_of, keys_in
from bedesten.gate.keyring import Keyring
from bedesten.store.sql import TENANT, inserting, p, statement
from bedesten.store.transaction import Transaction

MOST_AT_ONCE = 100_000
LONGEST_HINT = 40
MOST_NAMED = 20
"""So many of the wrong lines are named."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_REMEMBER = inserting(key_imports, or_ignore=True)
_IMPORTED = statement(
    select(key_imports.c.key_id).where(key_imports.c.tenant_id == TENANT, key_imports.c.digest == p("digest"))
)
_STORED = statement(
    select(key_secrets.c.key_id).where(key_secrets.c.tenant_id == TENANT, key_secrets.c.digest == p("digest"))
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """One line of an import: the SHA-256 of a key in lower-case hexadecimal digits, and what may be shown of the key."""

    line: int
    sha256: str
    hint: str = "imported"


def parse(lines: Iterable[str]) -> list[Foreign]:
    """The lines `sha256[,hint]` of a file; empty lines, comments (`#`) and a heading are left out.

    Raises `Refusal` (-2) that names the lines at fault and repeats nothing of them.
    """
    found: list[Foreign] = []
    wrong: dict[int, str] = {}
    for number, row in enumerate(csv.reader(lines), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#") or (number == 1 and cells[0].lower() in ("sha256", "digest")):
            continue
        problem = _problem(cells)
        if problem:
            wrong[number] = problem
        else:
            found.append(Foreign(number, cells[0].lower(), cells[1] if len(cells) > 1 and cells[1] else "imported"))
        if len(found) > MOST_AT_ONCE:
            raise _refused({number: f"more than {MOST_AT_ONCE} lines: import them in parts"})
    if wrong:
        raise _refused(wrong)
    return found


def import_keys(tx: Transaction, keyring: Keyring, new: NewKey, lines: Sequence[Foreign], actor: Actor) -> list[str]:
    """Takes keys over, all or none; answers their ids. Each becomes a key of its own with what `new` says of it.

    Raises `Refusal` (-2) that names the lines at fault: the documented sample, a line that stands twice, a key that was
    imported before, also if it was revoked since.
    """
    wrong: dict[int, str] = {}
    seen: set[str] = set()
    for one in lines:
        if foreign_form_of(one.sha256) == foreign_form(SAMPLE):
            wrong[one.line] = "the sample of the documentation is everybody's"
        elif one.sha256 in seen:
            wrong[one.line] = "stands twice"
        elif _known(tx, keyring, one):
            wrong[one.line] = "was imported before"
        seen.add(one.sha256)
    if wrong:
        raise _refused(wrong)
    made = [_import(tx, keyring, new, one) for one in lines]
    if made:
        tx.changed("tenant", tx.tenant)
        record(tx, actor, "key.import", made[0], surface=new.surface.value, owner=new.owner, keys=len(made))
    return made


def _import(tx: Transaction, keyring: Keyring, new: NewKey, one: Foreign) -> str:
    key_id = keys.insert(tx, new, one.hint)
    digest = keys.add_secret(tx, keyring, key_id, foreign_form_of(one.sha256), imported=True)
    tx.run(_REMEMBER, digest=digest, key_id=key_id)
    return key_id


def _known(tx: Transaction, keyring: Keyring, one: Foreign) -> bool:
    """Whether the tenant has, or had, this digest under any pepper."""
    digests = [keyring.key_digest(tx.tenant, foreign_form_of(one.sha256), pepper) for pepper in keyring.digest_ids()]
    return any(tx.one(query, digest=digest) is not None for digest in digests for query in (_IMPORTED, _STORED))


def _problem(cells: Sequence[str]) -> str | None:
    if any(keys_in(cell) for cell in cells):
        return "an API key in clear, where only its SHA-256 belongs: take it for leaked"
    if not _SHA256.fullmatch(cells[0]):
        return "not the SHA-256 of a key in 64 hexadecimal digits"
    if len(cells) > 2 or (len(cells) > 1 and (len(cells[1]) > LONGEST_HINT or not cells[1].isprintable())):
        return f"after the digest only a hint of up to {LONGEST_HINT} printable characters"
    return None


def _refused(wrong: dict[int, str]) -> Refusal:
    named = dict(list(wrong.items())[:MOST_NAMED])
    fields = {f"line {line}": problem for line, problem in named.items()}
    return Refusal(BAD_REQUEST, f"{len(wrong)} of the lines cannot be imported; none was", fields=fields)
