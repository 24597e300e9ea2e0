"""Bedesten with routes of the benchmarks' own, in processes of its own.

`app` is the product's application with trivial routes beside the others, so that the whole way of a request is taken
and nothing but the way: framing, revision check, host, route, limits, credential, scope or grant, body, answer.
Variants of it lack one part, to show what that part costs. `prepare` fills an installation, `serve` runs it: `python -m
benchmarks.app.prepare`, `python -m benchmarks.app.serve`. The harness itself never loads Bedesten.
"""
