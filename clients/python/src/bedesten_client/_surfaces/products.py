"""Products, as buyers see them on both of their surfaces."""

from collections.abc import Sequence
from datetime import datetime

from bedesten_client._call import Call, Operation
from bedesten_client._paging import ProductPaging, ids, since
from bedesten_client.schemas import Page, Product


class ProductCalls:
    """The calls of buyers under one path, such as `/Products`."""

    def __init__(self, path: str, *, anonymous: bool = False) -> None:
        self._list = Operation(method="POST", path=f"{path}/List", result=Page[Product], anonymous=anonymous)
        self._detail = Operation(
            method="POST", path=f"{path}/Detail/{{productId}}", result=Product, anonymous=anonymous
        )

    def list_products(
        self,
        *,
        category_id: str | None = None,
        search: str | None = None,
        sku: str | None = None,
        in_stock: bool | None = None,
        regions: Sequence[str] = (),
        sort: str | None = None,
        updated_since: datetime | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Call[Page[Product]]:
        """Return a page of the products that are sold in the region, or in `regions`.

        `search`: words of the name. `sort`: `id` (the default), `name`, `price` or `-price`.
        """
        body = ProductPaging(
            page_size=page_size,
            cursor=cursor,
            updated_since=since(updated_since),
            category_id=category_id,
            search=search,
            sku=sku,
            in_stock=in_stock,
            regions=ids(regions),
            sort=sort,
        )
        return Call(self._list, body)

    def product(self, product_id: str) -> Call[Product]:
        """Return one product."""
        return Call(self._detail, None, product_id)
