"""The catalogue: categories, products, and the stock codes that are sold.

Nouns. A *product* is what a buyer orders; a *category* groups products. A *stock code* is one secret that a buyer
receives (`code` defines its text); a *batch* is a set of codes that one upload added. A *stock level* says how many codes
of a product are free (`levels`). An *offer* is what a supplier says about its own product. Two skus with the same folded
form (`core.text.key`) name the same product.

Ownership. The supplier, if a product has one, owns the cost and decides whether it offers the product. The operator
owns price, category and region and decides whether the shop sells it. A product is sellable when both agree, it has a
price, and the price covers the cost or the operator has accepted the loss. Once a product was *published* (priced and
switched on), a new name from its supplier is a *proposal* until the operator accepts it.

States. `fulfilment` of a product: `stock` (stock codes only), `supplier` (always the supplier), `stock_first`. A stock
code is free (0), claimed (1), delivered (2), withdrawn (3), loading (4) or bad (5).

Invariants. A product's stock level, less what its counters have taken, equals the number of its free codes. A code
belongs to at most one unit of one order line, and a line never has more units than were ordered. A code occurs once in a
tenant; in a product that compares folded codes, so does its folded form. The database enforces all of these except the
first. Codes are encrypted at rest; keyed digests next to them find duplicates.

Not here: orders and checkouts (`orders`), suppliers' deliveries (`fulfilment`), import files (`admin`).
"""
