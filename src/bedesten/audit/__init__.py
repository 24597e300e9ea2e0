"""The audit trail: append-only rows that say who did what to which thing, and when. Never a secret, never a code."""
