"""The client library of Bedesten: the four surfaces, for threads and for asyncio.

`ResellerClient`, `StorefrontClient`, `PaymentClient` and `SupplierClient` have every operation of their surface as a
method, and each has a twin for asyncio. What is sent and what comes back is in `shapes`, what can go wrong in `errors`.

Inside, a call is a *flow* without I/O (`flow`, `call`, `tokens`, `credentials`) which both kinds of client run.
"""

from bedesten_client._auth import ApiKeyAuth, BearerAuth
from bedesten_client._call import Options
from bedesten_client._clients import (
    AsyncPaymentClient,
    AsyncResellerClient,
    AsyncStorefrontClient,
    AsyncSupplierClient,
    PaymentClient,
    ResellerClient,
    StorefrontClient,
    SupplierClient,
)
from bedesten_client._errors import (
    ApiError,
    BadRequest,
    BedestenError,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    LoginRefused,
    NoResponse,
    NotFound,
    NotSignedIn,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnexpectedResponse,
)
from bedesten_client._secret import Secret
from bedesten_client.schemas import BasketLine, CheckoutItem, CodeItem, LineStatus, Offer, RequireData

__all__ = [
    "ApiError",
    "ApiKeyAuth",
    "AsyncPaymentClient",
    "AsyncResellerClient",
    "AsyncStorefrontClient",
    "AsyncSupplierClient",
    "BadRequest",
    "BasketLine",
    "BearerAuth",
    "BedestenError",
    "CheckoutItem",
    "CodeItem",
    "Conflict",
    "DeadlineExceeded",
    "Forbidden",
    "LineStatus",
    "LoginRefused",
    "NoResponse",
    "NotFound",
    "NotSignedIn",
    "Offer",
    "Options",
    "PaymentClient",
    "RequireData",
    "ResellerClient",
    "Secret",
    "ServerError",
    "StorefrontClient",
    "SupplierClient",
    "TooManyRequests",
    "Unauthorized",
    "UnexpectedResponse",
]
