"""The client library of Bedesten: the four surfaces, for threads and for asyncio.

`ResellerClient`, `StorefrontClient`, `PaymentClient` and `SupplierClient` have every operation of their surface as a
method; each has a counterpart for asyncio. `schemas` has the types of requests and responses, `secrets` reads secrets by
reference, `webhooks` receives webhooks, and `testing` has a fake shop for your tests. All other modules are private.

Internally a call is a generator without I/O (`_flow`, `_call`, `_tokens`, `_credentials`), which both kinds of client run.
"""

from bedesten_client._auth import ApiKeyAuth, BearerAuth
from bedesten_client._call import Options
from bedesten_client._clients import AsyncResellerClient, AsyncStorefrontClient, ResellerClient, StorefrontClient
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
from bedesten_client._keyed_clients import AsyncPaymentClient, AsyncSupplierClient, PaymentClient, SupplierClient
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
