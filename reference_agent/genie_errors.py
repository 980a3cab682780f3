"""Everything that goes wrong with Genie, by name."""

from __future__ import annotations


class GenieError(Exception):
    """Genie did not answer; `retry_after_seconds` is set where asking again may help."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class GenieFailedError(GenieError):
    """Genie could not turn the question into an answer."""


class GenieCancelledError(GenieError):
    """Somebody cancelled the message."""


class GenieResultExpiredError(GenieError):
    """The answer's query ran, but its result is no longer there."""


class GenieRateLimitedError(GenieError):
    """429: the workspace's allowance of questions is used up for the moment."""


class GenieUnavailableError(GenieError):
    """503, or no connection."""


class GeniePermissionError(GenieError):
    """401 or 403: not this user, not this space."""


class GenieSpaceNotFoundError(GenieError):
    """404."""


class GenieServerError(GenieError):
    """500."""


class GenieRejectedError(GenieError):
    """Any other refusal of the request."""


class GenieBadResponseError(GenieError):
    """The response is not what the API promises: HTML, an empty object, an answer without content."""


class GenieTimeoutError(GenieError, TimeoutError):
    """Genie was still at it when the time was up."""


def as_genie_error(error: Exception, space_id: str) -> GenieError:
    """Say in our words what the SDK, the connection or the body of a response did."""
    import requests
    from databricks.sdk import errors
    from databricks.sdk.errors.base import DatabricksError

    if isinstance(error, TimeoutError) and isinstance(error.__cause__, Exception):
        # How the SDK reports that it ran out of retries; the cause is what happened.
        return as_genie_error(error.__cause__, space_id)

    # The SDK appends its configuration to refusals, which is nobody's business in a trace.
    message = f"space {space_id}: {str(error).split('. Config: ')[0]}"
    if isinstance(error, errors.TooManyRequests):
        return GenieRateLimitedError(message, retry_after_seconds=_retry_after(error))
    if isinstance(error, errors.TemporarilyUnavailable):
        return GenieUnavailableError(message, retry_after_seconds=_retry_after(error))
    if isinstance(error, (ValueError, KeyError, TypeError, AttributeError)):
        # Before connection errors: `requests` files a body that is not JSON under those of its own.
        return GenieBadResponseError(f"space {space_id}: the body is not what the API promises ({error!r})")
    named: list[tuple[type[Exception] | tuple[type[Exception], ...], type[GenieError]]] = [
        ((errors.Unauthenticated, errors.PermissionDenied), GeniePermissionError),
        (errors.NotFound, GenieSpaceNotFoundError),
        (errors.InternalError, GenieServerError),
        (DatabricksError, GenieRejectedError),
        (requests.RequestException, GenieUnavailableError),
    ]
    for kind, ours in named:
        if isinstance(error, kind):
            return ours(message)
    return GenieError(f"{message} ({type(error).__name__})")


def _retry_after(error: Exception) -> float:
    return float(getattr(error, "retry_after_secs", None) or 1.0)
