"""Middleware: what goes around all handlers of an App, or around one.

Each is a function of settings that gives a `Middleware`, composed once at start-up. A good order, outermost first::

    from hopline.http import App, access_log, compression, request_id, security_headers, timeout

    app = App()
    for middleware in (request_id(), access_log(), security_headers(), compression(), timeout(30)):
        app.use(middleware)
"""

from hopline.http.middleware.access_log import access_log
from hopline.http.middleware.auth import basic_auth, bearer_auth
from hopline.http.middleware.composing import then
from hopline.http.middleware.compression import compression
from hopline.http.middleware.cors import cors
from hopline.http.middleware.request_id import request_id
from hopline.http.middleware.security_headers import security_headers
from hopline.http.middleware.timeout import timeout

__all__ = [
    "access_log",
    "basic_auth",
    "bearer_auth",
    "compression",
    "cors",
    "request_id",
    "security_headers",
    "then",
    "timeout",
]
