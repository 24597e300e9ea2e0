"""The four surfaces: reseller, storefront, payment, supplier.

Each surface is a table of routes, its wire schemas, and handlers of a few lines. No surface imports another. What several of
them use is in `schemas` (wire schemas), `views` (reading requests, building answers), `api_keys` (three operations that two
surfaces have) and `example_values`. `operations` lists the routes of all four.
"""
