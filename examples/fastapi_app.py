"""A reporting service in FastAPI behind the gate.

    BEDESTEN_DATA=/path/to/bedesten-data uvicorn fastapi_app:app

Partners call it with the bearer tokens that they have for the Reseller surface, under a host name of their tenant.
"""

from typing import Annotated

from fastapi import Depends, FastAPI

from bedesten.middleware import Caller, LocalAuthorizer, all_paths
from bedesten.middleware.fastapi import caller, protect, requires

app = FastAPI(title="Reports")
protect(app, LocalAuthorizer(all_paths("reseller", public=["/status"])))


@app.get("/status")
def status() -> dict[str, str]:
    """Public."""
    return {"status": "ok"}


@app.get("/me")
def me(who: Annotated[Caller, Depends(caller)]) -> dict[str, object]:
    """For every partner with a valid bearer token."""
    return {"tenant": who.tenant, "account": who.account, "rights": sorted(who.rights)}


@app.get("/reports/{month}")
async def report(
    month: str, who: Annotated[Caller, Depends(requires("orders:read", "account:read"))]
) -> dict[str, str]:
    """For partners whose bearer token carries both scopes."""
    return {"month": month, "of": who.account}
