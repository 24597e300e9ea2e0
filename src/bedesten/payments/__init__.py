"""Payments: money that enters from outside and goes back there, reported by a trusted payment service.

Nouns. An *integration* is the account of a payment service. A *deposit* adds money to a partner's balance. A *payment*
pays one storefront order. A *refund* returns money of a payment to its payer. A *provider event* is what a provider
reports. A *settlement* compares a provider's statement with what is booked here. *Deposit limits* bound what an
integration may book without the operator's approval.

States and moves of deposits, payments, refunds and events are the tables in `moves`.

Invariants. Every capture, refund and lost dispute is a ledger transfer with its own business key, so each happens once,
however often it is requested. A payment has paid its order when all of it is captured; at most one payment of an order
is captured in full. refunded + lost ≤ captured ≤ amount. A refusal that asks for the money to be returned ends its
payment for good and requests the refund. The same reference with the same content returns the first deposit, payment,
capture or refund; with other content it is refused (-8). An event is kept once by its provider's id.

A customer's account may go into debt: a refund or a lost dispute that a provider reports has happened already, whatever
the balance is. The debt does not stop an order that a payment pays in full.

Locks. The integration's row (only to announce a payment, and for an event without a payment), then the order's row, then
stock levels, then the ledger account.

Modules. Other packages call `actions`; `life`, `refunds` and `order_refunds` hold the steps on a locked payment;
`methods` are the ways of paying that the shop offers, `started` the payments that customers start; `events` decides
what follows from an event.

Not here: balances and transfers (`ledger`), checkouts and delivery (`orders`), the operator's commands (`admin`).
"""
