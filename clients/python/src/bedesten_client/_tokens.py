"""Bearer tokens: fetched when needed, renewed before they end, and once when they are refused.

However many threads and tasks need one at the same moment, one of them logs in and the others wait for it. Lifetimes are
those that the server tells, by its own clock, and are counted on a monotonic clock: the time of day here may be wrong.
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
"""Between which parts of its lifetime a token is renewed."""

ROUNDING_S = 1.0
"""Seconds that whole seconds on the wire may be wrong by."""

RENEWAL_TIMEOUT_S = 5.0
"""Seconds that a renewal may take while the old token is still good."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a token is got: an operation that takes e-mail and password."""

    path: str
    email: str
    password: SecretSource = field(repr=False)


@dataclass(slots=True)
class CachedToken:
    """A token. Times on the monotonic clock; `ends` is infinite where the server did not say."""

    presented: CredentialHeader
    due: float
    ends: float
    idle: float
    used: float
    accepted: bool = False

    def living(self, now: float) -> bool:
        """Whether the server should still take it."""
        return now < self.ends and now - self.used < self.idle


@dataclass(slots=True)
class PendingLogin:
    """A login that is under way. `failed` is how it ended, if it did not bring a token and is not to be tried again."""

    done: "Future[None]" = field(default_factory=Future)
    failed: Outcome | SecretError | None = None


class TokenCredential:
    """The token of one account. `refresh_path`: an operation that exchanges a living token for a fresh one."""

    def __init__(self, login: Login | None, clock: Clock, refresh_path: str | None = None) -> None:
        self._login = login
        self._clock = clock
        self._refresh_path = refresh_path
        self._lock = threading.Lock()
        self._held: CachedToken | None = None
        self._flight: PendingLogin | None = None
        self._refusal: Response | None = None
        self._blocked = Cooldown(clock, first=30.0, longest=900.0)
        self._useless = Cooldown(clock, first=1.0, longest=60.0)
        self._unaccepted = 0
        self._soft_pause = float("-inf")

    def __repr__(self) -> str:
        return "TokenCredential(…)"

    # --- what calls ask -----------------------------------------------------------------------------------------------

    def present(self, deadline: Deadline) -> Flow[CredentialHeader]:
        """A token that should be good; logs in, or waits for whoever does, if there is none."""
        while True:
            with self._lock:
                now = self._clock()
                held = self._held
                living = held is not None and (held.living(now) or self._login is None)
                if held is not None and living and not (self._flight is None and self._wants_renewal(held, now)):
                    held.used = now
                    return held.presented
                flight, leads = self._board(living)
            if leads:
                fresh = yield from self._lead(flight, deadline, held if living else None)
                if fresh is not None:
                    return fresh.presented
            else:
                yield Join(flight.done, check(deadline))
                if not flight.done.done():
                    raise DeadlineExceeded("the deadline of the call has passed while another call logged in")
            if flight.failed is not None and not living:
                raise _failure(flight.failed)

    def refuses(self, response: Response) -> bool:
        """-21 or -22, or a gateway's 401 that says so. -20 is a defect of the caller."""
        if response.status != 401:
            return False
        said = response.headers.get("www-authenticate", "").lower()
        invalid = said.startswith("bearer") and 'error="invalid_token"' in said
        return response.code in (TOKEN_INVALID, TOKEN_EXPIRED) or (response.code is None and invalid)

    def accepted(self, presented: CredentialHeader) -> None:
        """The token works."""
        with self._lock:
            if self._held is not None and self._held.presented is presented:
                self._held.accepted = True
                self._unaccepted = 0
                self._useless.clear()

    def renew(self, presented: CredentialHeader, deadline: Deadline) -> Flow[bool]:  # noqa: ARG002
        """Drops the token that was refused, so that `present` logs in; not where logging in was of no use just now."""
        yield from ()
        with self._lock:
            held = self._held
            if held is None or held.presented is not presented:
                return True
            if self._login is None:
                return False
            if not held.accepted:
                self._unaccepted += 1
                if self._unaccepted > 1:
                    if self._useless.left:
                        return False
                    self._useless.more()
            self._held = None
            return True

    # --- what a caller does with its token itself -----------------------------------------------------------------------

    def adopt(self, response: Response, sent: float) -> Token:
        """The token of a login, an exchange or a change of password, which is used from now on."""
        token = result_of(response, Token)
        with self._lock:
            self._held = self._fresh(token, response, sent)
            self._blocked.clear()
        return token

    def forget(self) -> None:
        """Uses the token no more."""
        with self._lock:
            self._held = None

    def change_password(self, password: SecretSource) -> None:
        """Logs in with this password from now on."""
        with self._lock:
            if self._login is not None:
                self._login = Login(self._login.path, self._login.email, password)

    # --- logging in -----------------------------------------------------------------------------------------------------

    def _wants_renewal(self, held: CachedToken, now: float) -> bool:
        if self._login is None and self._refresh_path is None:
            return False
        return now >= held.due and now >= self._soft_pause and not (self._login is not None and self._blocked.left)

    def _board(self, living: bool) -> tuple[PendingLogin, bool]:
        """The login that is under way, or a new one that the caller has to make. Raises if it would be in vain."""
        if self._flight is not None:
            return self._flight, False
        if self._login is None and not living:
            raise NotSignedIn("nobody has logged in: call login() first, or give e-mail and password")
        left = self._blocked.left
        if left and self._refusal is not None and not living:
            error = error_of(self._refusal)
            error.retry_after = left
            raise error
        self._flight = PendingLogin()
        return self._flight, True

    def _lead(self, flight: PendingLogin, deadline: Deadline, living: CachedToken | None) -> Flow[CachedToken | None]:
        """Gets a token for everybody who waits. What fails while the old token is good is tried again later."""
        fresh = None
        try:
            if living is None:
                fresh = yield from self._log_in(flight, deadline)
            else:
                soon = Deadline.after(min(RENEWAL_TIMEOUT_S, deadline.left / 2), self._clock)
                fresh = yield from self._renew_softly(flight, soon, living)
        except BedestenError:
            if living is None:
                raise
        finally:
            with self._lock:
                self._flight = None
                if fresh is not None:
                    self._held = fresh
                else:
                    self._soft_pause = self._clock() + RENEWAL_TIMEOUT_S
            flight.done.set_result(None)
        return fresh

    def _renew_softly(self, flight: PendingLogin, deadline: Deadline, living: CachedToken) -> Flow[CachedToken | None]:
        if self._refresh_path is None:
            return (yield from self._log_in(flight, deadline, attempts=1))
        sent = self._clock()
        request = Request("POST", self._refresh_path, b"{}", credential=living.presented.header)
        outcome: Outcome = yield Send(request, deadline.left)
        if isinstance(outcome, Response) and outcome.status == 200:
            return self._fresh(result_of(outcome, Token), outcome, sent)
        if self._login is None:
            return None
        return (yield from self._log_in(flight, deadline, attempts=1))

    def _log_in(self, flight: PendingLogin, deadline: Deadline, attempts: int = 4) -> Flow[CachedToken | None]:
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
            flight.failed = problem
            return None
        self._note(outcome)
        flight.failed = outcome
        if not (isinstance(outcome, Response) and outcome.status == 200):
            return None
        try:
            fresh = self._fresh(result_of(outcome, Token), outcome, sent)
        except UnexpectedResponse:
            return None
        flight.failed = None
        return fresh

    def _try(self, login: Login, password: Secret, deadline: Deadline, attempts: int) -> Flow[tuple[float, Outcome]]:
        """The last reply to the login, and when its request was sent. Busy servers are asked again, refusals stand."""
        attempt = 0
        while True:
            sent = self._clock()
            request = _login_request(login, password)
            outcome: Outcome = yield Send(request, check(deadline))
            attempt += 1
            next_one = retry_delay(outcome, RetryPolicy.SAFE, attempt)
            if next_one is None or attempt >= attempts or next_one.seconds >= deadline.left:
                return sent, outcome
            yield Sleep(next_one.seconds)

    def _note(self, outcome: Outcome) -> None:
        """Keeps a refusal, so that nobody logs in again before it can help."""
        if not isinstance(outcome, Response):
            return
        if outcome.status == 200:
            self._blocked.clear()
        elif outcome.code == LOGIN_REFUSED:
            self._refusal = outcome
            self._blocked.more()
        elif outcome.status == 429:
            self._refusal = outcome
            self._blocked.pause(outcome.retry_after or 1.0)

    def _fresh(self, token: Token, response: Response, sent: float) -> CachedToken:
        presented = CredentialHeader("Authorization", "Bearer ", token.token)
        made = response.date
        lifetime = token.expiration.timestamp() - made - ROUNDING_S if made is not None else 0.0
        if lifetime <= 0:  # the server does not say, or says what cannot be: then a 401 tells
            lifetime = float("inf")
        idle = float(token.idle_timeout_seconds) if token.idle_timeout_seconds else float("inf")
        due = sent + lifetime * random.uniform(MIN_RENEWAL_SHARE, MAX_RENEWAL_SHARE)
        return CachedToken(presented, due, sent + lifetime, max(idle - ROUNDING_S, idle / 2), self._clock())


def _login_request(login: Login, password: Secret) -> Request:
    return Request("POST", login.path, encode({"email": login.email, "password": password}))


def _failure(failed: Outcome | SecretError) -> Exception:
    """An error of this caller's own: several may raise for the same login."""
    if isinstance(failed, SecretError):
        return type(failed)(*failed.args)
    error: BedestenError = error_of(failed)
    return error
