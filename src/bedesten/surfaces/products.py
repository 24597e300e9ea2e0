"""The products that buyers see, alike for partners and customers."""

from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.shop_list import shop_products
from bedesten.http.context import RequestContext
from bedesten.http.schemas import EmptyBody
from bedesten.store.transaction import Transaction
from bedesten.surfaces import views
from bedesten.surfaces.schemas import Page, ProductPaging, ProductView


class ListProducts(ProductPaging, frozen=True):
    """Selects products that buyers can see."""


def list_products(tx: Transaction, context: RequestContext, body: ListProducts) -> Page[ProductView]:
    """One page of the products that are sold in the caller's region."""
    page = views.requested_page(context, "products", body)
    wanted = views.product_filter(body, context.region)
    found = shop_products(tx, page, wanted)
    return views.page_view(
        context, "products", found, page, lambda one: one.id, lambda one: views.product_view(one, *wanted.regions)
    )


def product(tx: Transaction, context: RequestContext, _: EmptyBody) -> ProductView:
    """One product that is sold in the caller's region."""
    return views.product_view(
        catalogue.shop_product(tx, views.path_argument_id(context), context.region), context.region
    )
