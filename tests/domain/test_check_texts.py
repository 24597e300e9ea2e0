"""`check` names malformed texts that no constraint of the database can detect."""

import pytest

from bedesten.integrity.check import run_queries
from tests.domain.tenant import Tenant
from tests.store.raw import RawConnection


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE tenants SET name = 'a ' WHERE id = :tenant", "the name of tenant {tenant} is not in its normal form"),
        ("UPDATE tenants SET name_key = 'other' WHERE id = :tenant",
         "the name of tenant {tenant} has a wrong comparison key"),
        ("UPDATE products SET name = '  ' WHERE id = :product", "the name of product {product} is not in its normal form"),
        ("UPDATE products SET sku = :unseen WHERE id = :product",
         "the sku of product {product} is not in its normal form"),
        ("UPDATE products SET sku_key = 'other' WHERE id = :product",
         "the sku of product {product} has a wrong comparison key"),
        ("UPDATE products SET supplier_sku_key = 'other' WHERE id = :product",
         "the supplier's sku of product {product} has a wrong comparison key"),
        ("UPDATE accounts SET name = :unseen WHERE id = :supplier",
         "the name of owner {supplier} is not in its normal form"),
        ("UPDATE accounts SET handle = 'other' WHERE id = :supplier",
         "the name of owner {supplier} has a wrong comparison key"),
        ("UPDATE accounts SET handle = 'Ada@Example.COM' WHERE id = :customer",
         "the e-mail of account {customer} is not in its normal form"),
    ],
)  # fmt: skip
def test_a_malformed_text_is_named(tenant: Tenant, other_connection: RawConnection, change: str, says: str) -> None:
    names = {
        "tenant": tenant.id,
        "product": tenant.topup(),
        "supplier": tenant.supplier,
        "customer": tenant.customer,
        "unseen": "a\u200bb",
    }
    with other_connection.undone() as tx:
        assert other_connection.run(change, **{name: names[name] for name in names if f":{name}" in change}) == 1
        found = run_queries(tx, tenant.installation.cipher)

    assert [line for line in found if "comparison key" in line or "normal form" in line] == [
        f"invariant 3: tenant {tenant.id}: {says.format(**names)}"
    ]
