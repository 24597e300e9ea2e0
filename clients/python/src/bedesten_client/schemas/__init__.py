"""The types of requests and responses. Decoding ignores fields that a newer server adds."""

from bedesten_client.schemas._api_keys import ApiKey, KeyRevocation, KeyRotation, LastUse, PreviousSecret
from bedesten_client.schemas._base import Amount, DeliveredCode, LineStatus, Page, Schema, Status, Token
from bedesten_client.schemas._catalogue import Category, Product, RequireData, Requirement
from bedesten_client.schemas._payment import Deposit, Payment
from bedesten_client.schemas._reseller import Account, BasketLine, Order, OrderLine, PlacedLine, PlacedOrder
from bedesten_client.schemas._storefront import CheckoutItem, CustomerLine, CustomerOrder, Profile, Session
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
    "CustomerOrder",
    "DeliveredCode",
    "DeliveryResult",
    "Deposit",
    "KeyRevocation",
    "KeyRotation",
    "LastUse",
    "LineStatus",
    "Offer",
    "Order",
    "OrderLine",
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
