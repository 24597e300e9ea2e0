"""For the tests of programs that use the library: a shop of their own, and webhooks to send to themselves.

`FakeShop` is a real HTTP server on a free port. It does what a shop does for a partner (logins, the catalogue, orders, the
account), gives the answers that a test prescribes for anything else, and keeps what it was asked, without credentials.
"""

from bedesten_client.testing._fake import FakeShop, RecordedRequest
from bedesten_client.testing._webhooks import SignedWebhook, sign

__all__ = ["FakeShop", "RecordedRequest", "SignedWebhook", "sign"]
