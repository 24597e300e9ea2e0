"""Plain applications that do the minimum of a correct one, each a process: `python -m benchmarks.peers.NAME`.

They share `setup` (tokens, the database file, uvicorn) and differ in how they write orders.
"""
