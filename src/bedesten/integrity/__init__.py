"""`bedesten check`: the invariants of a store, and the queries that find violations."""
