"""The gate inside your own Python service: ASGI and WSGI middleware, and adapters for FastAPI and Django.

A `LocalAuthorizer` opens an installation within the service's process, with the same auth cache, revision check and
admission as a web worker: what was revoked before a request arrived is refused. Rules say what each path
demands, as in the route file; a path without a rule is refused. An allowed request carries its `Caller`, which can
check further rights.

    from bedesten.middleware import LocalAuthorizer

    authorizer = LocalAuthorizer("gate.toml", data="bedesten-data")
    app = authorizer.asgi(app)  # or authorizer.wsgi(app); FastAPI and Django: bedesten.middleware.fastapi, .django

Reading order: `caller` → `authorizer` → `asgi`, `wsgi` → `fastapi`, `django`.

What does not belong here: the rules of a particular service, and any way around the gate. Nothing here hands out the
store, the keyring or a credential. (The process could take them: it has the installation's secrets. Put a service that
you would not trust with these behind a proxy that asks `/gate/decide`.)
"""

from bedesten.middleware.authorizer import LocalAuthorizer, all_paths
from bedesten.middleware.caller import SCOPE_KEY, Caller, checked_rights

__all__ = ["SCOPE_KEY", "Caller", "LocalAuthorizer", "all_paths", "checked_rights"]
