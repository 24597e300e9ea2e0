"""The types of requests and responses. Decoding ignores fields that a newer server adds."""

from bedesten_client.schemas._api_keys import ApiKey, KeyRevocation, KeyRotation, LastUse, PreviousSecret
from bedesten_client.schemas._base import Amount, DeliveredCode, LineStatus, Page, Schema, Status, Token
from bedesten_client.schemas._catalogue import Category, Product, RequireData, Requirement
from bedesten_client.schemas._payment import Deposit, Payment
from bedesten_client.schemas._reseller import (
    Account,
    BasketLine,
    LineSummary,
    Order,
    OrderLine,
    OrderSummary,
    PlacedLine,
    PlacedOrder,
)
from bedesten_client.schemas._storefront import (
    CheckoutItem,
    CustomerLine,
    CustomerLineSummary,
    CustomerOrder,
    CustomerOrderSummary,
    Profile,
    Session,
)
from bedesten_client.schemas._supplier import (
    AwaitingLine,
    CodeItem,
    DeliveryResult,
    Offer,
    SkippedCode,
    SupplierProduct,
    UploadResult,
)

__all__ = [
    "Account",
    "Amount",
    "ApiKey",
    "AwaitingLine",
    "BasketLine",
    "Category",
    "CheckoutItem",
    "CodeItem",
    "CustomerLine",
    "CustomerLineSummary",
    "CustomerOrder",
    "CustomerOrderSummary",
    "DeliveredCode",
    "DeliveryResult",
    "Deposit",
    "KeyRevocation",
    "KeyRotation",
    "LastUse",
    "LineStatus",
    "LineSummary",
    "Offer",
    "Order",
    "OrderLine",
    "OrderSummary",
    "Page",
    "Payment",
    "PlacedLine",
    "PlacedOrder",
    "PreviousSecret",
    "Product",
    "Profile",
    "RequireData",
    "Requirement",
    "Schema",
    "Session",
    "SkippedCode",
    "Status",
    "SupplierProduct",
    "Token",
    "UploadResult",
]
