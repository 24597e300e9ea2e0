"""The four gates of the hall. Each surface is a table of routes, its wire shapes, and handlers of a few lines.

None imports another; what two of them share is in `common`.
"""
