"""Payments: money that comes in from outside, on the word of a trusted payment service.

A *deposit* puts money into a partner's balance: created (0), confirmed (1), rejected (2), awaiting approval (3): confirmed
by a service that may not book so much by itself, until the operator approves or rejects it. A *payment* pays one
storefront order: created (0), captured (1), cancelled (2), refused (3). A refusal that asks for the money to be given
back ends a payment for good: it is never captured afterwards. Confirming and capturing are transfers with a business key of
their own, so that they happen once, however often they are asked for. At most one payment of an order is captured.
"""
