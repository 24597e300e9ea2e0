"""Payments: money that enters from outside, reported by a trusted payment service.

Nouns. An *integration* is the account of a payment service. A *deposit* adds money to a partner's balance. A *payment*
pays one storefront order. *Deposit limits* bound what an integration may book without the operator.

States of a deposit: created (0), confirmed (1), rejected (2), awaiting approval (3): the service has confirmed it but
may not book that much alone, until the operator approves or rejects it. States of a payment: created (0), captured (1),
cancelled (2), refused (3).

Invariants. A confirmation and a capture are ledger transfers with their own business keys, so each happens once,
however often it is requested. At most one payment of an order is captured. A refusal that asks for the money to be
returned ends its payment for good; the payment is never captured afterwards. The same reference with the same content
returns the first deposit or payment; with other content it is refused (-8).

Not here: balances and transfers (`ledger`), checkouts and delivery (`orders`), the operator's commands (`admin`).
"""
