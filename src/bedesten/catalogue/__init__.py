"""The catalogue: categories, products, and the stock codes that are sold.

A *product* is what a buyer orders. Its supplier, if any, owns its cost and whether it is offered; the operator owns its
price, category, region and whether it is sold. It is sellable when both say yes, it has a price, and the price covers the
cost or the operator has accepted that it does not. A supplier's name for a product that was once *published* (priced and
switched on) is a *proposal*. Two skus that people take for the same (`base.text.key`) name one product.
`fulfilment`: `stock` (only from stock codes), `supplier` (always asked), `stock_first`.

A *stock code* (`code` says what one is) is free (0), claimed (1), delivered (2), withdrawn (3) or loading (4). It is
encrypted at rest with its parts; keyed digests beside it find duplicates. Codes that came together are a *batch*.
Invariants: `stock_levels.available` = the number of free codes, never below zero; a code belongs to at most one unit
of one order line, and a line has no more units than were ordered; no code stands twice in a tenant, nor in another
spelling in a product that compares folded codes. All but the first are constraints of the database.
"""
