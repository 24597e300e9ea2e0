"""The demo: a throw-away installation, a real server, and the orders of a partner and of a customer over HTTP.

Start with `scenarios`, a script that calls the server as integrators do, with the client library. A *scenario* is a
function, a *step* one of its `with` blocks; the first check that fails ends the demo with exit code 1. The *accounts* are
those of two shops; the *receiver* is the partner's own server for webhooks; the *reporter* shows what happens.

The installation is a temporary directory, removed at the end. The server listens on loopback only, in processes that end
with the demo. Nothing imports this package except the command `bedesten demo`.
"""
