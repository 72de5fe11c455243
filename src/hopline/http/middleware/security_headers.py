"""Fields that tell browsers to be strict with a page (https://owasp.org/www-project-secure-headers/)."""

from hopline.http.fields import set_default
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer, then
from hopline.http.protocol import Handler, Middleware

__all__ = ["security_headers"]


def security_headers(
    *,
    content_security_policy: str | None = None,
    frame_options: str | None = "DENY",
    referrer_policy: str | None = "strict-origin-when-cross-origin",
    opener_policy: str | None = "same-origin",
    permissions_policy: str | None = None,
    hsts: int | None = None,
    hsts_subdomains: bool = False,
) -> Middleware:
    """Add the fields to every answer that doesn't set them itself; None leaves one out. nosniff is always there.

    `hsts` is in seconds and off by default: a browser that has seen it refuses plain HTTP for this host for that
    long, so set it only where all of the host is served over TLS.
    """
    if hsts is not None and hsts < 0:
        raise ValueError(f"hsts is a time in seconds and can't be negative: {hsts!r}")
    strict = None if hsts is None else f"max-age={hsts}" + ("; includeSubDomains" if hsts_subdomains else "")
    settings = (
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", frame_options),
        ("referrer-policy", referrer_policy),
        ("cross-origin-opener-policy", opener_policy),
        ("permissions-policy", permissions_policy),
        ("content-security-policy", content_security_policy),
        ("strict-transport-security", strict),
    )
    fields = tuple((name, value) for name, value in settings if value is not None)

    def add(response: Response) -> Response:
        set_default(response, fields)
        return response

    def wrap(handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            return then(handler(request), add)

        return handle

    return wrap
