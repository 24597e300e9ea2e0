"""Bedesten with additional routes of the benchmarks, in its own processes.

`applications` has the product's application with trivial routes, which measure the whole path of a request and nothing
else: framing, revision check, host, route, limits, credential, scope or grant, body, response. Variants lack one part, to
show its cost. `python -m benchmarks.app.prepare` fills an installation and `python -m benchmarks.app.serve` runs it. The
harness itself never imports Bedesten.
"""
