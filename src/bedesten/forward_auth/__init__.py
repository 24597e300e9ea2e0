"""Forward-auth: the gate decides about requests to other services, which a proxy passes on.

`rules` says which access each path of a service demands; `rules_file` reads the rules from TOML. `authorizer` decides: it
composes the same `Admission` as the pipeline. `endpoint` answers proxies, `identity_headers` name the caller to the
service, and `service` keeps all of it open and up to date within the admin process.

Reading order: `rules` → `authorizer` → `endpoint` → `service`.

Invariants: a path without a rule is refused; an ambiguous path is refused; an allowed request carries every identity
header. What does not belong here: CORS for the service, and anything that reads a body.
"""
