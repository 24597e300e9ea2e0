"""The store: one text of every statement for two engines, SQLite and PostgreSQL.

Nouns: a *statement* is SQL built once and compiled once a dialect; an *action* is a plain function over one
*transaction*, which is bound to one tenant; the *store* runs actions. An exception rolls the action back; returning
commits, also when the action returns a refusal. Responses are sent only after COMMIT.

The *revision* is a counter that advances with every right that is given or taken, see `revision_log`.

What does not belong here: the meaning of rows. The domain packages define that.
"""
