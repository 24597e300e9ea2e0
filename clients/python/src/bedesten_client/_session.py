"""A customer's calls that replace or remove the client's token."""

from bedesten_client._call import Call, Options, last_response, perform
from bedesten_client._credentials import FixedSecret
from bedesten_client._flow import Clock, Deadline, Flow
from bedesten_client._secret import Secret
from bedesten_client._surfaces import storefront
from bedesten_client._tokens import TokenCredential
from bedesten_client.schemas import Status, Token


def adopt_token(call: Call[Token], credential: TokenCredential, options: Options, clock: Clock) -> Flow[Token]:
    """Perform a call that returns a token, and use that token from now on."""
    sent = clock()
    response = yield from last_response(call, credential, options, Deadline.after(options.deadline, clock))
    return credential.adopt(response, sent)


def forget_token(call: Call[Status], credential: TokenCredential, options: Options, clock: Clock) -> Flow[Status]:
    """Perform a call that ends the session, and drop the client's token."""
    status = yield from perform(call, credential, options, clock)
    credential.forget()
    return status


def change_password(
    current: str | Secret, new: str | Secret, credential: TokenCredential, options: Options, clock: Clock
) -> Flow[Token]:
    """Change the password, use the new token, and log in with the new password from now on."""
    fresh = new if isinstance(new, Secret) else Secret(new)
    token = yield from adopt_token(storefront.change_password(current, fresh), credential, options, clock)
    credential.change_password(FixedSecret(fresh))
    return token


class CustomerSession:
    """The customer's session, for both Storefront clients."""

    _tokens: TokenCredential
    _options: Options
    _clock: Clock

    def _adopt_token(self, call: Call[Token]) -> Flow[Token]:
        return adopt_token(call, self._tokens, self._options, self._clock)

    def _change_password(self, current: str | Secret, new: str | Secret) -> Flow[Token]:
        return change_password(current, new, self._tokens, self._options, self._clock)

    def _forget_token(self, call: Call[Status]) -> Flow[Status]:
        return forget_token(call, self._tokens, self._options, self._clock)
