"""A bound on how long a handler may take."""

import asyncio
import math
from collections.abc import Awaitable

from hopline.http.errors import HTTPError
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer
from hopline.http.protocol import Handler, Middleware

__all__ = ["timeout"]


def timeout(seconds: float, *, retry_after: int | None = None) -> Middleware:
    """Cancel a handler that has no answer after `seconds`; its client reads 503.

    503 and not 504: a 504 speaks of an upstream that a gateway waited for, while here it is this server that can't
    answer now. `retry_after`, in seconds, tells the client when to come again. The bound is on the answer's start:
    a streamed body is bounded by `Limits.write_timeout`. A plain handler can't be interrupted and isn't bounded.
    """
    if not 0 < seconds < math.inf:
        raise ValueError(f"a time-out must be more than 0 s and finite, not {seconds!r}")
    headers = () if retry_after is None else (("retry-after", str(retry_after)),)

    async def bounded(pending: Awaitable[Response]) -> Response:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await pending
        except TimeoutError as error:
            if not limit.expired():
                raise  # the handler's own
            raise HTTPError(503, f"there was no answer within {seconds:g} s", headers) from error

    def wrap(handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            answer = handler(request)
            return answer if isinstance(answer, Response) else bounded(answer)

        return handle

    return wrap
