"""Webhooks: notifies partners about every change of an order line's status.

Nouns. An *event* is one change of one line's status. An *endpoint* is an account's URL with its two secrets: one signs
messages, the other (the outbound key) goes along in the header `Apikey`. A *delivery* sends one event to one endpoint;
an order's own `notifyUrl` takes precedence over the endpoint's URL. The *outbox* is the set of due deliveries.

States of a delivery: due (0), done (1), given up (2). A worker leases a due delivery while it sends it.

Invariants. Events and deliveries are written in the transaction of the change, so a crash loses neither. Rows hold
references only: the body, with the codes, is built and signed for every attempt. Delivery is at least once; the message
id is the event's, and the receiver deduplicates by it. Messages are signed by the Standard Webhooks scheme. Redirects
are not followed. Private networks are unreachable unless the operator allows them.

Not here: the body of an event (`orders.event_payload`), the worker that sends deliveries (`server`).
"""
