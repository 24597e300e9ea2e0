"""Plain applications that do the least a correct one must, each a process: `python -m benchmarks.peers.NAME`.

They share `common` (tokens, the database file, the way they are served) and differ in what they write orders with.
"""
