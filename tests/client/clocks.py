"""A monotonic clock that a test advances, and clients that use it."""

import time
from dataclasses import dataclass

import httpx2

from bedesten_client import AsyncResellerClient, ResellerClient
from bedesten_client._base import source_of
from bedesten_client._surfaces import reseller
from bedesten_client._tokens import Login, TokenCredential


@dataclass
class FakeClock:
    """The machine's clock plus an offset."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def credential(email: str, password: str, clock: FakeClock, refresh_path: str | None = None) -> TokenCredential:
    """A partner's token credential with this clock."""
    return TokenCredential(Login(reseller.LOGIN_PATH, email, source_of(password)), clock, refresh_path)


def partner(shop: str, tokens: TokenCredential, http: httpx2.Client | None = None) -> ResellerClient:
    """A client with a shared token credential."""
    made = ResellerClient(shop, email="nobody@partner.example", password="unused", http=http)
    made._credential = tokens
    return made


def partner_async(shop: str, tokens: TokenCredential, http: httpx2.AsyncClient | None = None) -> AsyncResellerClient:
    """A client for asyncio with a shared token credential."""
    made = AsyncResellerClient(shop, email="nobody@partner.example", password="unused", http=http)
    made._credential = tokens
    return made
