"""Webhooks: notifies partners and suppliers of changes to their orders, money and keys.

Nouns. An *event* is one thing that happened to one object, for one account; its `sequence` counts the object's events
for the account. The events of an order line are the changes of its status. An *endpoint* is an account's URL with its
two secrets: one signs messages, the other (the outbound key) is sent in the header `Apikey`. It receives the types of
events that it chose (`event_types`). A *delivery* sends one event to one endpoint; an order's own `notifyUrl` takes
precedence over the endpoints' URLs. The *outbox* is the set of due deliveries.

States of a delivery: due (0), delivered (1), failed (2), held (3). A worker leases a due delivery while it sends it.

Invariants. Events and deliveries are written in the transaction of the change, so a crash loses neither. A body
that may contain codes is never stored: it is built for every attempt; the other bodies are stored with their events.
Every attempt has a new signature. Delivery is at least once; the message
id is the event's, and the receiver deduplicates by it. Messages are signed by the Standard Webhooks scheme. Redirects
are not followed. Private networks are unreachable unless the operator allows them.

Not here: the body of an order line's event (`orders.event_payload`), the worker that sends deliveries (`server`).
"""
