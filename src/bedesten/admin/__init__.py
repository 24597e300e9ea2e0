"""The operator: who runs the installation, and what only such a person may do.

Use cases that cross rooms, each a plain function over one transaction: `partners` (an account, its ledger account and
its webhook endpoint), `owners` (suppliers and integrations), `products` (a catalogue from a file), `keys` (which tenant
has this one), `access`, `networks`. What stays inside one room is called there.

The admin listener is a listener of its own (`listener`), on loopback unless told otherwise: nothing of it answers on a
tenant's host, and nothing of a tenant's answers there.

What does not belong here: reading command lines and printing, which is `cli`'s; anything a tenant's caller may do.
"""
