# mypy: ignore-errors
"""A partner's back end on a client that openapi-python-client generated: logs in, looks round, orders, reads the codes.

Run by the test, with the generated package beside it: `partner.py URL EMAIL PASSWORD REFERENCE`.
"""

import json
import sys

from reseller import AuthenticatedClient, Client
from reseller.api.account import account_details
from reseller.api.login import generate_token
from reseller.api.orders import orders_create, orders_get
from reseller.api.products import products_list
from reseller.models import BasketLine, CreateOrder, GetOrder, ListProducts, Login, RequireData

url, email, password, reference = sys.argv[1:]
login = generate_token.sync(client=Client(url), body=Login(email=email, password=password))
assert login.success, login
client = AuthenticatedClient(url, token=login.data.token)

products = products_list.sync(client=client, body=ListProducts(page_size=10)).data.items
lines = [
    BasketLine(
        deliver_id=str(at),
        customer_store_product_id=product.customer_store_product_id,
        quantity=1,
        require_data=[RequireData(one.product_require_id, "p-77") for one in product.require_data],
    )
    for at, product in enumerate(products)
]
order = CreateOrder(order_reference=reference, basket_data=lines)
placed = orders_create.sync(client=client, body=order, idempotency_key=f"key-{reference}")
again = orders_create.sync(client=client, body=order, idempotency_key=f"key-{reference}")
assert again.data.order_id == placed.data.order_id

read = orders_get.sync(client=client, body=GetOrder(order_reference=reference)).data
refused = orders_create.sync_detailed(
    client=client,
    body=CreateOrder(
        order_reference="x",
        basket_data=[BasketLine(deliver_id="1", customer_store_product_id="prd_unknown", quantity=1)],
    ),
)
unknown = generate_token.sync(client=Client(url), body=Login(email=email, password="not this one"))
outcome = {
    "order": read.order_id,
    "total": read.total,
    "statuses": [line.status.name for line in read.details],
    "codes": [line.delivery_data for line in read.details],
    "created": str(read.created.tzinfo),
    "refused": [refused.status_code, type(refused.parsed).__name__, refused.parsed.data.items[0].reason],
    "login": [type(unknown).__name__, unknown.code],
    "currency": account_details.sync(client=client).data.currency,
}
sys.stdout.write(json.dumps(outcome) + "\n")
