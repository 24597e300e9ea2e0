"""The audit trail is append-only

Rows are born unsealed, are sealed once, and are never changed or deleted; the head of the chain only moves forward. The
database itself refuses everything else, also of whoever is at its prompt. A migration that copies these tables (SQLite's
way of altering them) has to make the triggers anew.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REFUSED = "the audit trail is append-only"

_SEALED = "OLD.seq IS NOT NULL OR NEW.seq IS NULL OR NEW.hash IS NULL"
_WRITTEN = ("id", "tenant_id", "actor", "action", "subject", "detail", "request_id", "at")
_ALTERED = " OR ".join(f"NEW.{name} {{differs}} OLD.{name}" for name in _WRITTEN)
_TAKEN = "EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)"
_BACKWARDS = "NEW.id <> OLD.id OR NEW.seq <= OLD.seq"

SQLITE = {
    "audit_born_unsealed": "INSERT ON audit WHEN NEW.seq IS NOT NULL OR NEW.hash IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)",
    "audit_sealed_once": f"UPDATE ON audit WHEN {_SEALED} OR {_TAKEN} OR {_ALTERED.format(differs='IS NOT')}",
    "audit_kept": "DELETE ON audit",
    "audit_chain_single": "INSERT ON audit_chain WHEN EXISTS (SELECT 1 FROM audit_chain)",
    "audit_chain_forward": f"UPDATE ON audit_chain WHEN {_BACKWARDS}",
    "audit_chain_kept": "DELETE ON audit_chain",
}
"""`INSERT OR REPLACE` and `UPDATE OR REPLACE` delete without asking the triggers of DELETE: hence the look for a row that
would have to go."""

POSTGRESQL = {
    "audit_born_unsealed": "INSERT ON audit FOR EACH ROW WHEN (NEW.seq IS NOT NULL OR NEW.hash IS NOT NULL)",
    "audit_sealed_once": "UPDATE ON audit FOR EACH ROW"
    f" WHEN ({_SEALED} OR {_ALTERED.format(differs='IS DISTINCT FROM')})",
    "audit_kept": "DELETE ON audit FOR EACH ROW",
    "audit_not_emptied": "TRUNCATE ON audit FOR EACH STATEMENT",
    "audit_chain_forward": f"UPDATE ON audit_chain FOR EACH ROW WHEN ({_BACKWARDS})",
    "audit_chain_kept": "DELETE ON audit_chain FOR EACH ROW",
    "audit_chain_not_emptied": "TRUNCATE ON audit_chain FOR EACH STATEMENT",
}


def upgrade() -> None:
    """Forwards."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("INSERT INTO audit_chain (id, seq, hash) VALUES (1, 0, zeroblob(32))")
        for name, when in SQLITE.items():
            op.execute(f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END")
    else:
        op.execute("INSERT INTO audit_chain (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'))")
        op.execute(
            "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
        )
        for name, when in POSTGRESQL.items():
            op.execute(f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION audit_refuse()")


def downgrade() -> None:
    """Backwards, which an append-only trail does not go."""
    raise NotImplementedError(REFUSED)
