"""The ledger: double entry in whole minor units.

A *transfer* is one row: from one account to another, an amount above zero, one currency. An *account* belongs to an
owner: a partner or a customer (bounded: it may not go below minus its credit limit), or the tenant itself (`clearing`:
money that came in from outside; `sales`). A *hold* sets money of an account aside for one order.

Invariants, all of them constraints of the database where SQL can say them: one transfer per business key;
posted − held ≥ −credit limit, or −what was owed when that was lowered; captured + released ≤ placed. The balance of a
bounded account is cached in its row; the tenant's own accounts have no cached balance, so that no two orders wait for one
row.
"""
