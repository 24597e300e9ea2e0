"""Bedesten with additional routes for benchmarks, in its own processes.

`applications` has the product's application with trivial routes, which measure only the whole path of a request:
framing, revision check, host, route, limits, credential, scope or grant, body, response. Variants lack one part, to
show its cost. `python -m benchmarks.app.prepare` fills an installation and `python -m benchmarks.app.serve` runs it. The
harness itself never imports Bedesten.
"""
