"""The invariants as queries: each returns no row unless the invariant is violated.

Every query groups and joins inside the database, so that a million orders take a few passes over a few tables. The first
column is the tenant; the others fill in the message: row ids, numbers and column names, never a secret.

Database constraints enforce many of the invariants already; the queries do not rely on them.
"""
