"""The demo: a throw-away installation, a real server, and the orders of a partner and of a customer over HTTP.

It calls the server as integrators do, with the client library. The *accounts* are the demo's partner, suppliers and
integration with their credentials; the *recorder* is the HTTP transport that records every request; the *receiver* is the
partner's own web server for webhooks. A *step* is one action with its checks; a *scenario* is a group of steps; a
*reporter* shows them. The first check that fails ends the demo with the step's name and exit code 1.

The installation is a temporary directory, removed at the end. The server listens on loopback only, in processes that end
with the demo. Nothing imports this package except the command `bedesten demo`.
"""
