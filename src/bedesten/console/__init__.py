"""The console and the operator's API: how staff work over HTTP, at the admin listener only.

Nouns. An *operation* is one thing that a staff member can do with a tenant: its name, the duty that it demands, the schema
of its input, and the use case of `admin` that it runs. The *API* (`/operator/…`) accepts JSON, with the session's
token in `Authorization`; the *pages* (`/console/…`) accept a form, with the token in a cookie. Both run it through
`OperationRunner.perform`, which reads session, roles and tenant in the transaction of the operation itself.

Invariants. Nothing here answers on a tenant's host. No operation runs without its duty, on a tenant that the member does
not work for, or after the session has ended. A cookie alone changes nothing: a form must also carry its session's CSRF
token and come from a page of the console. Codes are never shown.

Not here: what the operations do (`admin`), who has which duty (`staff.roles`), accounts (`bedesten staff`).
"""
