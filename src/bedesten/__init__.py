"""Bedesten: a self-hosted, multi-tenant platform for selling digital goods.

Read `gate` (authentication and authorisation) first, then `http.pipeline` (the steps of a request), then one table of
routes (`surfaces.reseller.routes`). A package imports only packages below it; ARCHITECTURE.md draws them.
"""

__version__ = "0.1.0.dev0"
