"""The gate in somebody's own Python service: ASGI and WSGI middleware, and what FastAPI and Django need of it.

A `Door` opens an installation within the service's process, with the same directory, fence and pipeline as a web worker:
what was revoked before a request arrived is refused. Rules say what each path demands, as in the gate's route file; a path
that no rule names is refused. What is let through carries its `Caller`, who may be asked for further rights.

    from bedesten.middleware import Door

    door = Door("gate.yaml", data="bedesten-data")
    app = door.asgi(app)  # or door.wsgi(app); for FastAPI and Django see bedesten.middleware.fastapi and .django

Reading order: `caller` → `door` → `asgi`, `wsgi` → `fastapi`, `django`.

What does not belong here: rules of a particular service, and anything that a service could do past the gate: nothing here
hands out the store, the keyring or a credential. (The process could take them: it has the installation's secrets. A
service that is not trusted with these stands behind a proxy that asks `/gate/decide`.)
"""

from bedesten.middleware.caller import KEY, Caller, requirement
from bedesten.middleware.door import Door, everything

__all__ = ["KEY", "Caller", "Door", "everything", "requirement"]
