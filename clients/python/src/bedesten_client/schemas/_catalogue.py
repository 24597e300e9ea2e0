"""Categories and products, as buyers see them."""

from datetime import datetime
from decimal import Decimal

from bedesten_client.schemas._base import Schema


class Category(Schema, frozen=True):
    """A category, with the number of its products that are sold in the caller's region."""

    category_id: str
    name: str
    products: int


class Requirement(Schema, frozen=True):
    """A value that the buyer supplies with an order of the product."""

    product_require_id: str
    name: str
    required: bool


class Product(Schema, frozen=True):
    """A product as buyers see it.

    `region` None: it is sold everywhere. `on_sale` False: it is no longer sold, which `updated_since` reports; its
    `price` is then None.
    """

    customer_store_product_id: str
    name: str
    description: str
    category_id: str | None
    region: str | None
    price: Decimal | None
    currency: str
    on_sale: bool
    in_stock: bool
    require_data: tuple[Requirement, ...]
    updated: datetime


class RequireData(Schema, frozen=True):
    """The buyer's value for one requirement of a product, such as a player id."""

    product_require_id: str
    value: str
    identifier: str = ""
