"""Webhooks: every change of an order line's status is one *event*; each has a *delivery* for each matching endpoint.

Both rows are written in the transaction of the change (an outbox), so that a crash loses neither. A delivery is due (0),
done (1) or given up (2). The rows hold references only: the body, with the codes, is made and signed when it is sent, and
again for every attempt. Delivery is at least once; the message id is the event's, the receiver deduplicates by it.

Signed by the Standard Webhooks scheme with the partner's own outbound secret; a separate outbound key goes along in the
header `Apikey`. Redirects are not followed. Private networks are out of reach unless the operator allowed them.
"""
