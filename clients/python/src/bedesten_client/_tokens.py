"""Bearer tokens: fetched on first use, renewed before they expire, and renewed once after a refusal.

When several threads or tasks need a token at the same moment, one of them logs in and the others wait for it. A lifetime
is the difference of two times of the server and is measured on a monotonic clock: the local time of day may be wrong.
"""

import random
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from bedesten_client._credentials import Cooldown, CredentialHeader
from bedesten_client._errors import LOGIN_REFUSED, BedestenError, DeadlineExceeded, NotSignedIn, UnexpectedResponse
from bedesten_client._flow import Clock, Deadline, Flow, Invoke, Join, Send, Sleep, check
from bedesten_client._retry import RetryPolicy, retry_delay
from bedesten_client._secret import Secret
from bedesten_client._wire import Outcome, Request, Response, encode, error_of, result_of
from bedesten_client.schemas import Token
from bedesten_client.secrets import SecretError, SecretSource

TOKEN_INVALID, TOKEN_EXPIRED = -21, -22
MIN_RENEWAL_SHARE, MAX_RENEWAL_SHARE = 0.80, 0.95
"""A token is renewed at a random moment between these fractions of its lifetime."""

ROUNDING_S = 1.0
"""Rounding error of times on the wire, which are whole seconds."""

RENEWAL_TIMEOUT_S = 5.0
"""Time limit of a renewal while the old token is still valid, and the wait after one that failed."""


@dataclass(frozen=True, slots=True)
class Login:
    """An operation that takes e-mail and password and returns a token."""

    path: str
    email: str
    password: SecretSource = field(repr=False)


@dataclass(slots=True)
class CachedToken:
    """A token. Times are on the monotonic clock; `ends` is infinite if the server did not state the lifetime."""

    presented: CredentialHeader
    due: float
    ends: float
    idle: float
    used: float
    accepted: bool = False

    def live(self, now: float) -> bool:
        """Whether the server should still accept it."""
        return now < self.ends and now - self.used < self.idle


@dataclass(slots=True)
class PendingLogin:
    """A login in progress. `failure`: why it ended without a token."""

    done: "Future[None]" = field(default_factory=Future)
    failure: Outcome | SecretError | None = None


class TokenCredential:
    """The token of one account. `refresh_path`: an operation that exchanges a valid token for a new one."""

    def __init__(self, login: Login | None, clock: Clock, refresh_path: str | None = None) -> None:
        self._login = login
        self._clock = clock
        self._refresh_path = refresh_path
        self._lock = threading.Lock()
        self._token: CachedToken | None = None
        self._pending: PendingLogin | None = None
        self._refusal: Response | None = None
        self._refused_logins = Cooldown(clock, first=30.0, longest=900.0)
        self._futile = Cooldown(clock, first=1.0, longest=60.0)
        self._unaccepted = 0
        self._no_renewal_before = float("-inf")

    def __repr__(self) -> str:
        return "TokenCredential(…)"

    # --- the protocol `Credential` ------------------------------------------------------------------------------------

    def present(self, deadline: Deadline) -> Flow[CredentialHeader]:
        """Return a token that should be valid. Without one, log in or wait for the login in progress."""
        while True:
            with self._lock:
                now = self._clock()
                cached = self._token
                live = cached is not None and (cached.live(now) or self._login is None)
                if cached is not None and live and not (self._pending is None and self._wants_renewal(cached, now)):
                    cached.used = now
                    return cached.presented
                pending, is_leader = self._join_login(live)
            if is_leader:
                fresh = yield from self._run_login(pending, deadline, cached if live else None)
                if fresh is not None:
                    return fresh.presented
            else:
                yield Join(pending.done, check(deadline))
                if not pending.done.done():
                    raise DeadlineExceeded("the deadline of the call has passed while another call logged in")
            if pending.failure is not None and not live:
                raise _failure(pending.failure)

    def refuses(self, response: Response) -> bool:
        """Whether the response is -21 or -22, or a gateway's equivalent 401. -20 is a defect of the caller."""
        if response.status != 401:
            return False
        said = response.headers.get("www-authenticate", "").lower()
        invalid = said.startswith("bearer") and 'error="invalid_token"' in said
        return response.code in (TOKEN_INVALID, TOKEN_EXPIRED) or (response.code is None and invalid)

    def accepted(self, presented: CredentialHeader) -> None:
        """Record that the server accepted the token."""
        with self._lock:
            if self._token is not None and self._token.presented is presented:
                self._token.accepted = True
                self._unaccepted = 0
                self._futile.reset()

    def renew(self, presented: CredentialHeader, deadline: Deadline) -> Flow[bool]:  # noqa: ARG002
        """Drop the refused token, so that `present` logs in, unless a login was futile a moment ago."""
        yield from ()
        with self._lock:
            cached = self._token
            if cached is None or cached.presented is not presented:
                return True
            if self._login is None:
                return False
            if not cached.accepted:
                self._unaccepted += 1
                if self._unaccepted > 1:
                    if self._futile.left:
                        return False
                    self._futile.extend()
            self._token = None
            return True

    # --- explicit changes by the caller -------------------------------------------------------------------------------

    def adopt(self, response: Response, sent: float) -> Token:
        """Use the token of a login, an exchange or a change of password from now on."""
        token = result_of(response, Token)
        with self._lock:
            self._token = self._fresh(token, response, sent)
            self._refused_logins.reset()
        return token

    def forget(self) -> None:
        """Drop the token."""
        with self._lock:
            self._token = None

    def change_password(self, password: SecretSource) -> None:
        """Log in with this password from now on."""
        with self._lock:
            if self._login is not None:
                self._login = Login(self._login.path, self._login.email, password)

    # --- login and renewal --------------------------------------------------------------------------------------------

    def _wants_renewal(self, cached: CachedToken, now: float) -> bool:
        if self._login is None and self._refresh_path is None:
            return False
        return (
            now >= cached.due
            and now >= self._no_renewal_before
            and not (self._login is not None and self._refused_logins.left)
        )

    def _join_login(self, live: bool) -> tuple[PendingLogin, bool]:
        """Return the login in progress, or a new one that the caller must perform. Raises if it would be futile."""
        if self._pending is not None:
            return self._pending, False
        if self._login is None and not live:
            raise NotSignedIn("nobody is logged in: call login() first, or pass email and password")
        left = self._refused_logins.left
        if left and self._refusal is not None and not live:
            error = error_of(self._refusal)
            error.retry_after = left
            raise error
        self._pending = PendingLogin()
        return self._pending, True

    def _run_login(
        self, pending: PendingLogin, deadline: Deadline, live: CachedToken | None
    ) -> Flow[CachedToken | None]:
        """Get a token for all waiting callers. A failure while the old token is valid is retried later."""
        fresh = None
        try:
            if live is None:
                fresh = yield from self._log_in(pending, deadline)
            else:
                limit = Deadline.after(min(RENEWAL_TIMEOUT_S, deadline.left / 2), self._clock)
                fresh = yield from self._renew_softly(pending, limit, live)
        except BedestenError:
            if live is None:
                raise
        finally:
            with self._lock:
                self._pending = None
                if fresh is not None:
                    self._token = fresh
                else:
                    self._no_renewal_before = self._clock() + RENEWAL_TIMEOUT_S
            pending.done.set_result(None)
        return fresh

    def _renew_softly(self, pending: PendingLogin, deadline: Deadline, live: CachedToken) -> Flow[CachedToken | None]:
        if self._refresh_path is None:
            return (yield from self._log_in(pending, deadline, attempts=1))
        sent = self._clock()
        request = Request("POST", self._refresh_path, b"{}", credential=live.presented.header)
        outcome: Outcome = yield Send(request, deadline.left)
        if isinstance(outcome, Response) and outcome.status == 200:
            return self._fresh(result_of(outcome, Token), outcome, sent)
        if self._login is None:
            return None
        return (yield from self._log_in(pending, deadline, attempts=1))

    def _log_in(self, pending: PendingLogin, deadline: Deadline, attempts: int = 4) -> Flow[CachedToken | None]:
        login = self._login
        if login is None:
            return None
        try:
            password: Secret = yield Invoke(lambda: Secret(login.password.get()))
            sent, outcome = yield from self._try(login, password, deadline, attempts)
            if isinstance(outcome, Response) and outcome.code == LOGIN_REFUSED:
                stale = password
                password = yield Invoke(lambda: Secret(login.password.refresh(stale.reveal())))
                if password.reveal() != stale.reveal():
                    sent, outcome = yield from self._try(login, password, deadline, attempts)
        except SecretError as problem:
            pending.failure = problem
            return None
        self._remember(outcome)
        pending.failure = outcome
        if not (isinstance(outcome, Response) and outcome.status == 200):
            return None
        try:
            fresh = self._fresh(result_of(outcome, Token), outcome, sent)
        except UnexpectedResponse:
            return None
        pending.failure = None
        return fresh

    def _try(self, login: Login, password: Secret, deadline: Deadline, attempts: int) -> Flow[tuple[float, Outcome]]:
        """Return the last outcome of the login and when its request was sent. A busy server is retried, a refusal is not."""
        attempt = 0
        while True:
            sent = self._clock()
            request = _login_request(login, password)
            outcome: Outcome = yield Send(request, check(deadline))
            attempt += 1
            delay = retry_delay(outcome, RetryPolicy.SAFE, attempt)
            if delay is None or attempt >= attempts or delay.seconds >= deadline.left:
                return sent, outcome
            yield Sleep(delay.seconds)

    def _remember(self, outcome: Outcome) -> None:
        """Remember a refused login, so that no call logs in again before it may succeed."""
        if not isinstance(outcome, Response):
            return
        if outcome.status == 200:
            self._refused_logins.reset()
        elif outcome.code == LOGIN_REFUSED:
            self._refusal = outcome
            self._refused_logins.extend()
        elif outcome.status == 429:
            self._refusal = outcome
            self._refused_logins.pause(outcome.retry_after or 1.0)

    def _fresh(self, token: Token, response: Response, sent: float) -> CachedToken:
        presented = CredentialHeader("Authorization", "Bearer ", token.token)
        server_time = response.date
        lifetime = token.expiration.timestamp() - server_time - ROUNDING_S if server_time is not None else 0.0
        if lifetime <= 0:  # unknown or impossible: wait for a 401
            lifetime = float("inf")
        idle = float(token.idle_timeout_seconds) if token.idle_timeout_seconds else float("inf")
        due = sent + lifetime * random.uniform(MIN_RENEWAL_SHARE, MAX_RENEWAL_SHARE)
        return CachedToken(presented, due, sent + lifetime, max(idle - ROUNDING_S, idle / 2), self._clock())


def _login_request(login: Login, password: Secret) -> Request:
    return Request("POST", login.path, encode({"email": login.email, "password": password}))


def _failure(failure: Outcome | SecretError) -> Exception:
    """Build a new error for this caller: several callers may raise for the same login."""
    if isinstance(failure, SecretError):
        return type(failure)(*failure.args)
    error: BedestenError = error_of(failure)
    return error
