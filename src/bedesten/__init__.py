"""Bedesten: one hall, four gates. A self-hosted, multi-tenant platform for selling digital goods.

Read `gate` (who is calling, and may they), then `web.pipeline` (the way of a request), then one table of routes
(`surfaces.reseller.routes`). Imports point down only; ARCHITECTURE.md draws the rooms.
"""

__version__ = "0.1.0.dev0"
