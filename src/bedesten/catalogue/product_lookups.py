"""Finds many products with a few queries: on PostgreSQL planning a query for one takes longer than running it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bedesten.catalogue.actions import SELECT_PRODUCTS
from bedesten.catalogue.model import Product
from bedesten.catalogue.tables import products
from bedesten.core.text import key
from bedesten.store.sql import Statement, p, rows_as
from bedesten.store.transaction import Query, Transaction

PRODUCTS_PER_QUERY: Final = 100

_P = products.c
_KEYS: Any = [p(f"key_{at}") for at in range(PRODUCTS_PER_QUERY)]
_BY_ID = rows_as(Product, SELECT_PRODUCTS.where(_P.id.in_(_KEYS)))
_BY_SKU = rows_as(Product, SELECT_PRODUCTS.where(_P.sku_key.in_(_KEYS)))
_BY_OFFER = rows_as(Product, SELECT_PRODUCTS.where(_P.supplier_id == p("supplier"), _P.supplier_sku_key.in_(_KEYS)))


def by_ids(tx: Transaction, ids: Iterable[str]) -> Mapping[str, Product]:
    """Returns the products among these ids."""
    return {one.id: one for one in _all(tx, _queries(tx, _BY_ID, ids))}


def by_skus(tx: Transaction, skus: Iterable[str]) -> Mapping[str, Product]:
    """Returns the products with these skus, by the folded form of their sku."""
    found = _all(tx, _queries(tx, _BY_SKU, map(key, skus)))
    return {key(one.sku): one for one in found if one.sku is not None}


def by_offers(tx: Transaction, offers: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Product]:
    """Returns the products with these skus at these suppliers, by the supplier and the folded form of its sku."""
    wanted: dict[str, list[str]] = {}
    for supplier, sku in offers:
        wanted.setdefault(supplier, []).append(key(sku))
    queries = [one for supplier, keys in wanted.items() for one in _queries(tx, _BY_OFFER, keys, supplier=supplier)]
    found = _all(tx, queries)
    return {(one.supplier_id, key(one.supplier_sku)): one for one in found if one.supplier_id and one.supplier_sku}


def _queries(tx: Transaction, find: Statement[Product], keys: Iterable[str], **fixed: str) -> Sequence[Query[Product]]:
    """Returns queries of `PRODUCTS_PER_QUERY` keys each. The last one repeats a key until it is full."""
    distinct = list(dict.fromkeys(keys))
    made = []
    for start in range(0, len(distinct), PRODUCTS_PER_QUERY):
        part = distinct[start : start + PRODUCTS_PER_QUERY]
        padded = part + part[-1:] * (PRODUCTS_PER_QUERY - len(part))
        named = {f"key_{at}": one for at, one in enumerate(padded)}
        made.append(Query(find, {**fixed, **named, "now": tx.now}))
    return made


def _all(tx: Transaction, queries: Sequence[Query[Product]]) -> list[Product]:
    return [one for rows in tx.all_each(queries) for one in rows] if queries else []
