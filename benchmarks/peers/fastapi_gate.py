"""FastAPI + PyJWT, and nothing behind them: the gate alone, with a trivial answer.

It verifies the very tokens that Bedesten issued, by the same key: signature, `exp`, `iss`, `aud`, the tenant, a set of
revoked `jti`s, the scope. An API key is looked up by its keyed digest in a dictionary. Written for speed: one
asynchronous dependency that reads the header from the request itself (a `Header` parameter costs a validation), an
answer as `JSONResponse`.
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
    """A dependency that lets a living, unrevoked token of the tenant with the scope pass, and says whose it is."""
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
    """A dependency that lets a known API key with the grant pass, and says whose it is."""
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
    """The application over what was prepared."""
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
