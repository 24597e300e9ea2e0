"""FastAPI + PyJWT: authentication alone, with a trivial response.

It verifies the same tokens as Bedesten with the same key: signature, `exp`, `iss`, `aud`, tenant, a set of revoked `jti`s,
scope. It looks API keys up by their keyed digest in a dictionary. For speed, one asynchronous dependency reads the header
from the request itself (a `Header` parameter costs a validation), and the response is a `JSONResponse`.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from benchmarks.material import KEY_PATH, TOKEN_PATH, GateMaterial, read_gate
from benchmarks.peers import setup

SCOPE, GRANT = "account:read", "products:read"
_REQUIRED = ["exp", "aud", "iss", "sub", "jti"]
Guard = Callable[[Request], Awaitable[str]]


def token_guard(known: GateMaterial) -> Guard:
    """Return a dependency that accepts a valid, unrevoked token of the tenant with the scope, and returns its owner."""
    key = bytes.fromhex(known.signing_key)
    revoked = frozenset(known.denied)
    options: Any = {"require": _REQUIRED}

    async def owner(request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401)
        try:
            claims = jwt.decode(
                token, key, algorithms=["HS256"], audience=known.audience, issuer=known.issuer, options=options
            )
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None
        if claims["tenant"] != known.tenant or claims["jti"] in revoked:
            raise HTTPException(401)
        if SCOPE not in claims["scope"].split():
            raise HTTPException(403)
        return str(claims["sub"])

    return owner


def key_guard(known: GateMaterial) -> Guard:
    """Return a dependency that accepts a known API key with the grant, and returns its owner."""
    pepper = secrets.token_bytes(32)

    def digest(key: str) -> bytes:
        return hmac.digest(pepper, f"{known.tenant} {key}".encode(), "sha256")

    owners = {digest(known.api_key): ("warehouse", frozenset({GRANT}))}

    async def owner(request: Request) -> str:
        found = owners.get(digest(request.headers.get("apikey", "")))
        if found is None:
            raise HTTPException(401)
        if GRANT not in found[1]:
            raise HTTPException(403)
        return found[0]

    return owner


def make(data: Path) -> FastAPI:
    """Return the application for the prepared data."""
    known = read_gate(data)
    app = FastAPI(openapi_url=None)
    by_token, by_key = token_guard(known), key_guard(known)

    @app.get(TOKEN_PATH)
    async def token(owner: Annotated[str, Depends(by_token)]) -> JSONResponse:
        return JSONResponse({"success": True, "message": "OK", "data": {"owner": owner}})

    @app.get(KEY_PATH)
    async def key(owner: Annotated[str, Depends(by_key)]) -> JSONResponse:
        return JSONResponse({"success": True, "message": "OK", "data": {"owner": owner}})

    return app


if __name__ == "__main__":
    setup.serve(make)
