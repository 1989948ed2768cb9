"""What a failed request means, in words an agent can act on."""

from __future__ import annotations

import datetime as dt
import email.utils

import httpx

from coreact_tools.errors import WebError

_LATER = "Try again later, or use another page."
_OTHER = "Use another page."


def refused(response: httpx.Response) -> WebError:
    """The error of an answer other than 200."""
    url, status = str(response.url.copy_with(query=None)), response.status_code
    if status in (401, 402, 403, 407, 451):
        return WebError(
            f"{url} may not be read (HTTP {status}).", url=url, reason="status", status=status, remedy=_OTHER
        )
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500 or status == httpx.codes.REQUEST_TIMEOUT:
        return WebError(
            f"{url} is too busy or out of order (HTTP {status}).",
            url=url,
            reason="status",
            status=status,
            retry_after=_retry_after(response.headers.get("retry-after", "")),
            temporary=True,
            remedy=_LATER,
        )
    return WebError(
        f"{url} is not there (HTTP {status}).", url=url, reason="status", status=status, remedy=_OTHER
    )


def failure(error: Exception, url: str) -> WebError:
    """The error of a request that got no whole answer."""
    if isinstance(error, httpx.TimeoutException):
        return WebError(
            f"{url} did not answer in time.", url=url, reason="timeout", temporary=True, remedy=_LATER
        )
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return WebError(f"{url} is no web address.", url=url, reason="refused", remedy=_OTHER)
    if isinstance(error, UnicodeError):  # httpx looks at where a redirect leads, followed or not
        return WebError(
            f"{url} leads to something that is no web address.", url=url, reason="redirects", remedy=_OTHER
        )
    if isinstance(error, httpx.ProtocolError | httpx.DecodingError):
        return WebError(
            f"{url} broke off or did not speak HTTP.",
            url=url,
            reason="garbled",
            temporary=True,
            remedy=_LATER,
        )
    return WebError(
        f"{url} cannot be reached ({type(error).__name__}).",
        url=url,
        reason="unreachable",
        temporary=True,
        remedy=_LATER,
    )


def _retry_after(written: str) -> float | None:
    """Seconds, from a number or a date; None where it is neither."""
    written = written.strip()
    if written.isascii() and written.isdecimal():
        return float(written)
    try:
        when = email.utils.parsedate_to_datetime(written)
    except (ValueError, TypeError, OverflowError):  # a zone of a million hours overflows
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())
