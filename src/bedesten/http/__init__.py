"""The one pipeline of the four surfaces: admission, then the route's handler.

`steps` lists what happens to a request, in order. `admission` decides whether it may go on; `pipeline` adds the handler;
`failures` answers, logs and counts refusals. `route` and `route_map` are the operations as data. `services` are those of
one process, `context` is what a handler sees. `message` defines requests and responses; `asgi` is the only
file that knows the server.

Reading order: `steps` → `pipeline` → `admission` → `route`.

What does not belong here: decisions about credentials (`gate`), what operations do (`surfaces`), documents (`apidocs`).
"""
