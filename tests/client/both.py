"""Makes one call with either kind of client."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bedesten_client import AsyncResellerClient, AsyncSupplierClient, ResellerClient, SupplierClient

Does = Callable[..., Any]
KINDS = ("threads", "asyncio")


def partner_call(kind: str, url: str, method: str, *arguments: object, **options: Any) -> object:
    """Make a call with a partner's client."""
    options = {"email": "p@partner.example", "password": "a password of a partner", **options}
    return _call(kind, ResellerClient, AsyncResellerClient, url, method, arguments, options)


def supplier_call(kind: str, url: str, method: str, *arguments: object, **options: Any) -> object:
    """Make a call with a supplier's client."""
    options = {"key": "ak_live_00000000000000000000000000000001", **options}
    return _call(kind, SupplierClient, AsyncSupplierClient, url, method, arguments, options)


def _call(
    kind: str, sync: Does, awaited: Does, url: str, method: str, arguments: tuple[object, ...], options: dict[str, Any]
) -> object:
    if kind == "threads":
        with sync(url, **options) as client:
            return getattr(client, method)(*arguments)

    async def scenario() -> object:
        async with awaited(url, **options) as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(scenario())


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of client."""
    return str(request.param)
