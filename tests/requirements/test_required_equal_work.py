"""Responses that are the same for known and unknown e-mails cost the same: argon2 runs equally often (R114)."""

from collections.abc import Callable

import argon2
import pytest

from tests.requirements.populated_tenant import PopulatedTenant

KNOWN, UNKNOWN = "customer@example.com", "nobody@example.com"
PASSWORD = "twelve herons in the reeds"
Work = list[str]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """The recorded argon2 computations: `hash` or `verify` for each."""
    done: Work = []

    def counted(name: str) -> Callable[..., object]:
        real = getattr(argon2.PasswordHasher, name)

        def run(*arguments: object, **options: object) -> object:
            done.append(name)
            return real(*arguments, **options)

        return run

    for name in ("hash", "verify"):
        monkeypatch.setattr(argon2.PasswordHasher, name, counted(name))
    return done


@pytest.mark.requirement(114)
@pytest.mark.parametrize(
    ("call", "code", "expected"),
    [
        ("Password/Forgot", 0, []),
        ("Login", -26, ["verify"]),
        ("Register", 0, ["hash"]),
    ],
)
def test_a_known_and_an_unknown_email_cost_the_same_computations(
    tenant: PopulatedTenant, work: Work, call: str, code: int, expected: Work
) -> None:
    path = f"/Storefront/Customers/{call}"
    tenant.code("POST", "/Storefront/Customers/Login", body={"email": UNKNOWN, "password": PASSWORD})
    for email in (KNOWN, UNKNOWN):  # the first call creates the hasher's dummy hash
        work.clear()
        body = {"email": email} if call == "Password/Forgot" else {"email": email, "password": PASSWORD}
        assert tenant.code("POST", path, body=body) == code
        assert work == expected, email
