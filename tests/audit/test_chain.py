"""The hash chain: sealed in order by any number of workers; every later tampering is reported."""

import asyncio
import threading
from collections.abc import Callable
from hashlib import sha256

import pytest
import structlog

from bedesten.audit import chain
from bedesten.audit import search as reading
from bedesten.audit.actions import INSTALLATION, OPERATOR, Actor, record
from bedesten.audit.chain import Head, Row, verify
from bedesten.server import audit_sealer
from bedesten.server.installation import Installation, open_store
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction
from tests.audit.rows import Trail


def a_row(**values: object) -> Row:
    """A row of the trail."""
    whole: dict[str, object] = {
        "id": "aud_1", "tenant": "ten_1", "actor": "operator", "action": "key.revoke", "subject": "key_1",
        "detail": "{}", "request_id": None, "at": 1_700_000_000_000, "seq": None, "hash": None,
    }  # fmt: skip
    return Row(**{**whole, **values})  # type: ignore[arg-type]


def test_the_hash_is_what_the_documentation_says_computed_here_by_hand() -> None:
    def field(text: str) -> bytes:
        return len(text.encode()).to_bytes(8, "big") + text.encode()

    previous = bytes(range(32))
    fields = [field(text) for text in ("7", "aud_1", "ten_1", "operator", "key.revoke", "schlüssel", "{}")]
    expected = sha256(
        b"bedesten-audit-1" + previous + b"".join(fields) + b"\xff" * 8 + field("1700000000000")
    ).hexdigest()
    assert a_row(subject="schlüssel").sealed_as(7, previous).hex() == expected


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "aud_2"}, {"tenant": "ten_2"}, {"actor": "operato"}, {"action": "rkey.revoke"}, {"subject": "key_2"},
        {"detail": "{ }"}, {"request_id": ""}, {"request_id": "req_1"}, {"at": 1_700_000_000_001},
    ],
)  # fmt: skip
def test_every_column_of_a_row_enters_its_hash(changed: dict[str, object]) -> None:
    assert a_row(**changed).sealed_as(1, chain.START) != a_row().sealed_as(1, chain.START)


def test_text_that_moves_from_one_column_to_the_next_changes_the_hash() -> None:
    one, other = a_row(actor="ab", action="c"), a_row(actor="a", action="bc")
    assert one.sealed_as(1, chain.START) != other.sealed_as(1, chain.START)


def test_an_empty_trail_is_valid_and_its_head_is_number_zero(trail: Trail) -> None:
    assert verify(trail.store) == []
    assert trail.head() == Head(0, bytes(32))
    assert trail.seal_rows() is None


def test_rows_are_sealed_in_the_order_in_which_they_were_written(trail: Trail) -> None:
    trail.append(5)
    head = trail.seal_rows()
    assert head == trail.head()
    assert trail.head().seq == 5
    assert trail.raw.rows("SELECT seq, subject FROM audit ORDER BY seq") == [(n + 1, f"n{n}") for n in range(5)]
    assert verify(trail.store) == []


def test_a_batch_is_bounded_and_the_next_one_goes_on_where_it_ended(trail: Trail) -> None:
    trail.append(7)
    heads = [trail.seal_rows(3), trail.seal_rows(3), trail.seal_rows(3), trail.seal_rows(3)]
    assert [head.seq if head else None for head in heads] == [3, 6, 7, None]
    assert verify(trail.store) == []


def test_rows_without_a_request_or_in_any_script_are_verified(trail: Trail) -> None:
    def write(tx: SystemTransaction) -> None:
        bound = tx.for_tenant(INSTALLATION)
        record(bound, OPERATOR, "webhooks.networks", "-", before=["10.0.0.0/8"], after=[])
        record(
            bound,
            Actor("acc_1", "req_9"),
            "test.text",
            "Ünïcödé ☃ 漢字 \U0001f600 ' \" \\ %s :x",
            note="\x00\x1b[31m\n",
        )

    trail.store.write_now(write)
    assert trail.seal_rows() is not None
    assert verify(trail.store) == []
    assert reading.shown(trail.store.read_now(lambda tx: reading.newest(tx, 1))[0])["detail"] == {
        "note": "\x00\x1b[31m\n"
    }


def test_two_concurrent_sealers_make_one_chain_without_gaps_or_duplicates(
    installation: Installation, trail: Trail
) -> None:
    trail.append(120)
    other = open_store(installation.settings)
    start = threading.Barrier(4)

    def seal_all(store: Store) -> None:
        start.wait()
        while store.write_now(lambda tx: chain.seal_rows(tx, 5)):
            pass

    threads = [threading.Thread(target=seal_all, args=(store,)) for store in (trail.store, other, trail.store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert trail.head().seq == 120
    assert trail.raw.rows("SELECT count(*), min(seq), max(seq) FROM audit") == [(120, 1, 120)]
    assert verify(trail.store) == []


def test_a_trail_of_several_batches_is_verified_to_its_end(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "VERIFY_BATCH_ROWS", 4)
    trail.append(13)
    trail.seal_rows()
    assert verify(trail.store) == []
    trail.disarm()
    trail.raw.run("UPDATE audit SET actor = 'somebody' WHERE seq = 13")
    assert len(verify(trail.store)) == 1


# --- tampering with it -----------------------------------------------------------------------------------------------


def alter(trail: Trail) -> str:
    trail.raw.run("UPDATE audit SET actor = 'somebody-else' WHERE seq = 4")
    return f"row 4 ({trail.id_of(4)}, test.note, "


def forge_the_hash(trail: Trail) -> str:
    trail.raw.run("UPDATE audit SET hash = :hash WHERE seq = 4", hash=bytes(32))
    return f"row 4 ({trail.id_of(4)}, test.note, "


def delete(trail: Trail) -> str:
    trail.raw.run("DELETE FROM audit WHERE seq = 4")
    return "row 4 is missing"


def delete_several(trail: Trail) -> str:
    trail.raw.run("DELETE FROM audit WHERE seq BETWEEN 2 AND 5")
    return "rows 2 to 5 are missing"


def delete_the_first(trail: Trail) -> str:
    trail.raw.run("DELETE FROM audit WHERE seq = 1")
    return "row 1 is missing"


def cut_off(trail: Trail) -> str:
    trail.raw.run("DELETE FROM audit WHERE seq > 6")
    return "the chain ends with row 6, its head says 8: rows were cut off"


def swap(trail: Trail) -> str:
    for seq, to in ((3, 103), (5, 3), (103, 5)):
        trail.raw.run("UPDATE audit SET seq = :to WHERE seq = :seq", seq=seq, to=to)
    return f"row 3 ({trail.id_of(3)}, test.note, "


def slip_in(trail: Trail) -> str:
    for seq in range(8, 3, -1):
        trail.raw.run("UPDATE audit SET seq = seq + 1 WHERE seq = :seq", seq=seq)
    insert(trail, "aud_forged", 4)
    return "row 4 (aud_forged, test.forged, "


def append_past_the_head(trail: Trail) -> str:
    last = trail.head()
    row = a_row(id="aud_forged", action="test.forged", at=0, subject="s", detail="{}", tenant="ten_a", actor="operator")
    insert(trail, "aud_forged", 9, row.sealed_as(9, last.hash))
    return "row 9 is after the head of the chain, which says 8"


def stand_before_the_first(trail: Trail) -> str:
    insert(trail, "aud_forged", 0)
    return "row 0 (aud_forged) precedes the first one"


def turn_the_head_back(trail: Trail) -> str:
    trail.raw.run("UPDATE audit_chain SET seq = 3")
    return "row 4 is after the head of the chain, which says 3"


def give_the_head_another_hash(trail: Trail) -> str:
    trail.raw.run("UPDATE audit_chain SET hash = :hash", hash=bytes(32))
    return "the head of the chain has another hash than its last row 8"


def unseal(trail: Trail) -> str:
    trail.raw.run("UPDATE audit SET seq = NULL, hash = NULL WHERE seq = 4")
    return "row 4 is missing"


def insert(trail: Trail, row: str, seq: int, digest: bytes = bytes(32)) -> None:
    """Inserts a row that the program never wrote."""
    trail.raw.run(
        "INSERT INTO audit (id, tenant_id, actor, action, subject, detail, request_id, at, seq, hash)"
        " VALUES (:id, 'ten_a', 'operator', 'test.forged', 's', '{}', NULL, 0, :seq, :hash)",
        id=row,
        seq=seq,
        hash=digest,
    )


@pytest.mark.parametrize(
    "tamper",
    [
        alter, forge_the_hash, delete, delete_several, delete_the_first, cut_off, swap, slip_in, append_past_the_head,
        stand_before_the_first, turn_the_head_back, give_the_head_another_hash, unseal,
    ],
)  # fmt: skip
def test_tampering_with_sealed_rows_without_the_triggers_is_reported(
    trail: Trail, tamper: Callable[[Trail], str]
) -> None:
    trail.append(8)
    trail.seal_rows()
    trail.disarm()
    expected = tamper(trail)
    assert verify(trail.store)[0].startswith(expected)


def test_a_truncation_to_an_older_head_is_found_with_a_known_head(trail: Trail) -> None:
    trail.append(8)
    noted = trail.seal_rows()
    assert noted is not None
    sixth = trail.raw.one("SELECT hash FROM audit WHERE seq = 6")
    trail.disarm()
    trail.raw.run("DELETE FROM audit WHERE seq > 6")
    trail.raw.run("UPDATE audit_chain SET seq = 6, hash = :hash", hash=sixth)
    assert verify(trail.store) == []
    assert verify(trail.store, [noted]) == ["row 8 is not the known one: the chain was cut off or replaced before it"]
    trail.append(3)
    trail.seal_rows()
    assert len(verify(trail.store, [noted])) == 1
    assert verify(trail.store, [Head(6, bytes(sixth)), Head(0, bytes(32))]) == []


def test_a_row_that_the_sealer_missed_is_reported(trail: Trail) -> None:
    trail.append(2)
    trail.seal_rows()
    assert verify(trail.store) == []
    trail.append(1)
    assert verify(trail.store) == [], "a row that was just written is allowed to wait"
    trail.raw.run(
        "INSERT INTO audit (id, tenant_id, actor, action, subject, detail, at)"
        " VALUES ('aud_old', 'ten_a', 'operator', 'test.forged', 's', '{}', 1700000000000)"
    )
    found = verify(trail.store)
    assert len(found) == 1
    assert found[0].startswith("row aud_old of 2023-11-14T22:13:20Z is not sealed, although rows of ")


def test_the_violations_of_a_completely_broken_trail_are_limited(trail: Trail) -> None:
    trail.append(120)
    trail.seal_rows()
    trail.disarm()
    trail.raw.run("UPDATE audit SET actor = 'x'")
    found = verify(trail.store)
    assert len(found) == 101
    assert found[-1] == "there may be more: verification stopped here"


# --- what the database itself refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET actor = 'x' WHERE seq = 1",
        "UPDATE audit SET detail = '{}' WHERE seq IS NULL",
        "UPDATE audit SET at = at + 1",
        "UPDATE audit SET hash = hash WHERE seq = 1",
        "UPDATE audit SET seq = NULL, hash = NULL WHERE seq = 1",
        "UPDATE audit SET seq = 99 WHERE seq = 1",
        "UPDATE audit SET seq = 99 WHERE seq IS NULL",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit WHERE seq IS NULL",
        "INSERT INTO audit VALUES ('aud_x', 't', 'a', 'b', 'c', '{}', NULL, 0, 77, NULL)",
        "DELETE FROM audit_chain",
        "UPDATE audit_chain SET seq = 1",
        "UPDATE audit_chain SET seq = seq",
    ],
)
def test_the_database_refuses_to_change_or_delete_a_row_of_the_trail(trail: Trail, sql: str) -> None:
    trail.append(2)
    trail.seal_rows()
    trail.append(1)
    before = trail.raw.rows("SELECT * FROM audit ORDER BY id")
    with pytest.raises(Exception, match="the audit trail is append-only"):
        trail.raw.run(sql)
    assert trail.raw.rows("SELECT * FROM audit ORDER BY id") == before
    assert trail.head().seq == 2


def test_the_engines_own_ways_around_a_delete_are_closed(trail: Trail) -> None:
    trail.append(2)
    trail.seal_rows()
    row = trail.id_of(1)
    if trail.raw.dialect == "sqlite":
        ways = [
            f"INSERT OR REPLACE INTO audit VALUES ('{row}', 't', 'a', 'b', 'c', '{{}}', NULL, 0, NULL, NULL)",
            "INSERT OR REPLACE INTO audit_chain VALUES (1, 0, zeroblob(32))",
            "INSERT INTO audit VALUES ('aud_x', 't', 'a', 'b', 'c', '{}', NULL, 0, NULL, NULL);",
        ]
        trail.raw.run(ways.pop())
        ways.append("UPDATE OR REPLACE audit SET seq = 1, hash = zeroblob(32) WHERE id = 'aud_x'")
    else:
        ways = ["TRUNCATE audit", "TRUNCATE audit_chain"]
    for way in ways:
        with pytest.raises(Exception, match="the audit trail is append-only"):
            trail.raw.run(way)
    assert trail.raw.one("SELECT count(*) FROM audit WHERE seq IS NOT NULL") == 2


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_newest_rows_of_one_or_all_tenants_are_read_oldest_first(trail: Trail) -> None:
    trail.append(3, "ten_a")
    trail.append(2, "ten_b")
    read = trail.store.read_now
    assert [row.subject for row in read(lambda tx: reading.newest(tx, 4))] == ["n1", "n2", "n0", "n1"]
    assert [row.subject for row in read(lambda tx: reading.newest(tx, 2, "ten_a"))] == ["n1", "n2"]
    last = read(lambda tx: reading.newest(tx, 5))[1].id
    assert [row.subject for row in read(lambda tx: reading.after(tx, last, 10, "ten_a"))] == ["n2"]
    assert [row.subject for row in read(lambda tx: reading.after(tx, last, 2))] == ["n2", "n0"]


def test_the_number_of_unsealed_rows_is_reported(trail: Trail) -> None:
    assert trail.store.read_now(reading.unsealed) == (0, None)
    trail.append(3)
    count, oldest = trail.store.read_now(reading.unsealed)
    first = trail.store.read_now(lambda tx: reading.newest(tx, 3))[0]
    assert (count, oldest) == (3, first.at)


@pytest.mark.parametrize("text", ["", "5", "5:", "x:" + "0" * 64, "5:" + "g" * 64, "5:" + "0" * 63, "-1:" + "0" * 64])
def test_an_invalid_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Head.parse(text)


def test_a_written_head_is_parsed_back() -> None:
    head = Head(17, bytes(range(32)))
    assert Head.parse(str(head)) == head


# --- a store that went back -------------------------------------------------------------------------------------------


def test_the_sealer_reports_that_a_logged_head_is_gone_and_continues(trail: Trail) -> None:
    """Rows and head are those of an older state, whose chain is intact: only a head from outside shows it."""

    def outcome(before: Head) -> tuple[Head, list[str]]:
        with structlog.testing.capture_logs() as lines:
            head = asyncio.run(audit_sealer._log_head(trail.store, before))
        return head, [line["event"] for line in lines]

    def sealed(count: int) -> Head:
        trail.append(count)
        head = trail.seal_rows()
        assert head is not None
        return head

    early, late = sealed(3), sealed(2)
    assert outcome(early) == (late, ["audit-head"])
    assert outcome(late) == (late, [])
    trail.disarm()
    trail.raw.run("DELETE FROM audit WHERE seq > 3")
    trail.raw.run("UPDATE audit_chain SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)")
    assert outcome(late) == (early, ["audit-rolled-back", "audit-head"])
    again = sealed(2)
    assert again.seq == late.seq
    assert outcome(early) == (again, ["audit-head"])
    assert outcome(late) == (again, ["audit-rolled-back", "audit-head"])
    assert verify(trail.store) == []
    assert len(verify(trail.store, [late])) == 1
