"""FastAPI + PyJWT: decides about requests to another service, as nginx asks with `auth_request`.

The host determines the tenant, method and path the required access; the credential is checked as in `fastapi_gate`. The
answer names the caller in four headers. Bedesten's also has a request id, and a signature of all of them.
"""

from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response

from benchmarks.material import KEY_PATH, TOKEN_PATH, read_gate
from benchmarks.peers import setup
from benchmarks.peers.fastapi_gate import GRANT, SCOPE, Guard, key_guard, token_guard


def make(data: Path) -> FastAPI:
    """Return the application for the prepared data."""
    known = read_gate(data)
    app = FastAPI(openapi_url=None)
    rules: dict[tuple[str, str], tuple[Guard, str, str]] = {
        ("GET", TOKEN_PATH): (token_guard(known), "reseller", SCOPE),
        ("GET", KEY_PATH): (key_guard(known), "supplier", GRANT),
    }
    tenants = {known.host: (known.tenant, rules)}

    @app.get("/gate/decide")
    async def decide(request: Request) -> Response:
        asked = request.headers
        tenant = tenants.get(asked.get("x-forwarded-host", ""))
        if tenant is None:
            raise HTTPException(421)
        rule = tenant[1].get((asked.get("x-forwarded-method", ""), asked.get("x-forwarded-uri", "").partition("?")[0]))
        if rule is None:
            raise HTTPException(403)
        guard, surface, rights = rule
        account = await guard(request)
        caller = {
            "x-bedesten-tenant": tenant[0],
            "x-bedesten-account": account,
            "x-bedesten-surface": surface,
            "x-bedesten-scopes": rights,
        }
        return Response(headers=caller)

    return app


if __name__ == "__main__":
    setup.serve(make)
