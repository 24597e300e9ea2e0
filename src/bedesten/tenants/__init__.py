"""Tenants: the brands of one installation. A tenant owns everything else, and two tenants share nothing.

Nouns. A *host* is a name under which a tenant is reached. A *surface* is one of the APIs that a tenant offers; access
to a surface or a single endpoint can be switched off. A *data key* encrypts the tenant's stored secrets (`cipher`). A
*brand* is the accent and logo of its documentation. *Checkout limits* bound what unpaid checkouts may hold.

States. A tenant is live (0) or suspended (1). A suspended tenant's credentials are refused, and its anonymous callers
find no shop. A *sandbox* tenant has `ak_test_` keys and play money; the isolation between play money and real money is
the isolation between tenants.

Invariants. A host belongs to one tenant. Names of tenants differ in their folded form (`core.text.key`). A tenant keeps
its data key for life. Every change of a right advances the revision and writes an audit row.

Not here: accounts and their tokens (`accounts`), the decision about a request (`gate`), request counters (`ratelimit`).
"""
