"""Errors of calls. Decide by class or by `code`, never by the text.

`BedestenError` is the base class. `ApiError` is a refusal by the server, with its number. `NoResponse`: no complete
response arrived, so the request may or may not have been processed. `UnexpectedResponse`: the response is not one of this
API. No error contains a credential, nor does the exception that caused it.
"""

from collections.abc import Mapping


class BedestenError(Exception):
    """A call that failed. `code`, `status` and `request_id` are None if no response had them."""

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
        """Seconds after which the server accepts a retry, if it stated them."""


class NoResponse(BedestenError):
    """No complete response: the server is unreachable, or the connection broke. The request may have been processed."""


class DeadlineExceeded(NoResponse):
    """The deadline of the call passed."""


class UnexpectedResponse(BedestenError):
    """The response is not one of this API: a proxy's page, a truncated document, a redirect."""


class NotSignedIn(BedestenError):
    """The call needs a logged-in customer."""


class ApiError(BedestenError):
    """A refusal by the server. `code` is its number."""

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
        """The reason for each invalid field."""
        self.data = data
        """Details, described on the page of the number. Example: -200 lists the lines that cannot be ordered."""


class BadRequest(ApiError):
    """400, 405, 413, 415, 421: the request is wrong."""


class LoginRefused(BadRequest):
    """-26: e-mail or password is wrong, or the account may not use the API."""


class Unauthorized(ApiError):
    """401: the credential is refused, also after its renewal."""


class Forbidden(ApiError):
    """403: the credential is valid, but does not permit this."""


class NotFound(ApiError):
    """404: not found."""


class Conflict(ApiError):
    """409: the current state does not allow it. `code` has the reason."""


class TooManyRequests(ApiError):
    """429: wait `retry_after` seconds."""


class ServerError(ApiError):
    """5xx: the server failed."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}
LOGIN_REFUSED = -26


def api_error_class(status: int, code: int) -> type[ApiError]:
    """Return the class of a refusal."""
    if code == LOGIN_REFUSED:
        return LoginRefused
    return _BY_STATUS.get(status, ServerError if status >= 500 else BadRequest)
