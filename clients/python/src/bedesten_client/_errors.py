"""What can go wrong with a call: a small family. Decide on the class or on `code`, never on the text.

`BedestenError` is all of it. `ApiError` is a refusal of the server, with its number; `NoResponse` means that no whole answer
came, and nobody knows whether the request was done; `UnexpectedResponse` means that what answered was not the API.
None of them holds a credential, and none has another exception behind it that does.
"""

from collections.abc import Mapping


class BedestenError(Exception):
    """A call that did not succeed. `code`, `status` and `request_id` are None where no such answer came."""

    def __init__(
        self,
        text: str,
        *,
        code: int | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again, if it said so."""


class NoResponse(BedestenError):
    """No whole answer came: the server is away, or the connection broke. Was it done? Send it again and see."""


class DeadlineExceeded(NoResponse):
    """The call's deadline passed."""


class UnexpectedResponse(BedestenError):
    """Something answered that does not speak this API: a proxy's page, half a document, a redirect."""


class NotSignedIn(BedestenError):
    """The call needs a customer, and nobody has logged in."""


class ApiError(BedestenError):
    """A refusal of the server, by its number."""

    def __init__(
        self,
        text: str,
        *,
        code: int,
        status: int,
        request_id: str | None = None,
        retry_after: float | None = None,
        fields: Mapping[str, str] | None = None,
        data: object = None,
    ) -> None:
        super().__init__(text, code=code, status=status, request_id=request_id, retry_after=retry_after)
        self.fields: Mapping[str, str] = fields or {}
        """What is wrong with which field."""
        self.data = data
        """What the number's page says: -200 names the lines that cannot be ordered."""


class BadRequest(ApiError):
    """400, 405, 413, 415, 421: the request has to be mended."""


class LoginRefused(BadRequest):
    """-26: e-mail or password is wrong, or the account may not use the API."""


class Unauthorized(ApiError):
    """401, after everything was tried that may help: the credential is not accepted."""


class Forbidden(ApiError):
    """403: the credential is good, but not for this."""


class NotFound(ApiError):
    """404: there is no such thing."""


class Conflict(ApiError):
    """409: the present state does not allow it; `code` says why."""


class TooManyRequests(ApiError):
    """429: wait for `retry_after` seconds."""


class ServerError(ApiError):
    """5xx: the server could not do it."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}
LOGIN_REFUSED = -26


def api_error_class(status: int, code: int) -> type[ApiError]:
    """The class of a refusal."""
    if code == LOGIN_REFUSED:
        return LoginRefused
    return _BY_STATUS.get(status, ServerError if status >= 500 else BadRequest)
