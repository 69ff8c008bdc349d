"""Answers to what is no request that HTTP/1.1 knows, or is too long to be read: no handler sees these (RFC 9110 15.5)."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, ContentEncodingError, LineTooLong

from engine.limits import Limits
from engine.web.errors import problem_response

_LOG = logging.getLogger(__name__)


def unreadable(
    request: web.BaseRequest, error: BaseException | None, request_line_bytes: int, limits: Limits
) -> web.Response:
    """The answer, after which the connection ends.

    Neither the answer nor the log repeats what came: aiohttp's own message would, and a query may name a patient.

    Parameters
    ----------
    request_line_bytes : so long the request line is, as far as it has come.
    """
    status, why = 400, "this is no request of HTTP/1.1"
    if isinstance(error, LineTooLong):
        longest = f"limits.request_header_bytes_max is {limits.request_header_bytes_max}"
        if request_line_bytes > limits.request_header_bytes_max:
            status, why = 414, f"the address is too long: {longest}"
        else:
            status, why = 431, f"a header line is too long: {longest}"
    elif isinstance(error, BadHttpMethod) and "HTTPS" in str(error):
        why = "this port speaks HTTP, not HTTPS"
    elif isinstance(error, BadHttpMethod):
        status, why = 501, "this method is not known here"
    elif isinstance(error, ContentEncodingError):
        status, why = 415, "a body may come plain, as gzip or as deflate (Content-Encoding)"
    elif str(getattr(error, "message", "")).startswith("Too many headers"):
        status, why = 431, "there are too many header lines"
    _LOG.info("a request of %s cannot be read: %s", request.remote, why)
    response = problem_response(request, status, why, None, {"X-Content-Type-Options": "nosniff"})
    response.force_close()
    return response
