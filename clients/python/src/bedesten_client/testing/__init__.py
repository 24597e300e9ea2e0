"""For tests of programs that use the library: a fake shop, and signed webhooks.

`FakeShop` is an HTTP server on a free port. It implements what a partner, a supplier, a payment service and one customer
need (basket, checkout, started payments, mailed links), sends scripted responses for anything else, and records
requests without their credentials.
"""

from bedesten_client.testing._customer import SentMail
from bedesten_client.testing._fake import FakeShop, RecordedRequest
from bedesten_client.testing._webhooks import SignedWebhook, sign

__all__ = ["FakeShop", "RecordedRequest", "SentMail", "SignedWebhook", "sign"]
