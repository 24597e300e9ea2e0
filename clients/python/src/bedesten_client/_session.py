"""A customer's session: calls that give the client another token, or take it away."""

from bedesten_client._call import Call, Options, answered, perform
from bedesten_client._credentials import FixedSecret
from bedesten_client._flow import Clock, Deadline, Flow
from bedesten_client._secret import Secret
from bedesten_client._surfaces import storefront
from bedesten_client._tokens import TokenCredential
from bedesten_client.schemas import Status, Token


def adopting(call: Call[Token], credential: TokenCredential, options: Options, clock: Clock) -> Flow[Token]:
    """The call's token, which the client's calls have from now on."""
    sent = clock()
    response = yield from answered(call, credential, options, Deadline.after(options.deadline, clock))
    return credential.adopt(response, sent)


def forgetting(call: Call[Status], credential: TokenCredential, options: Options, clock: Clock) -> Flow[Status]:
    """The call's answer; the client uses its token no more."""
    status = yield from perform(call, credential, options, clock)
    credential.forget()
    return status


def changing_password(
    current: str | Secret, new: str | Secret, credential: TokenCredential, options: Options, clock: Clock
) -> Flow[Token]:
    """A token after the change, and logins with the new password from now on."""
    fresh = new if isinstance(new, Secret) else Secret(new)
    token = yield from adopting(storefront.change_password(current, fresh), credential, options, clock)
    credential.change_password(FixedSecret(fresh))
    return token
