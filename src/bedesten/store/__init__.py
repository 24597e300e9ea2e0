"""The store: each statement is written once, for two engines, SQLite and PostgreSQL.

Nouns: a *statement* is SQL, built once and compiled once per dialect; an *action* is a plain function over one
*transaction*, which is bound to one tenant; the *store* runs actions. An exception rolls the action back; returning
commits, even if the action returns a refusal. Responses are sent only after COMMIT.

The *revision* is a counter that advances whenever a right is granted or revoked, see `revision_log`.

What does not belong here: the meaning of rows. The domain packages define that.
"""
