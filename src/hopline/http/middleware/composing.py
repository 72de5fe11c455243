"""What every middleware is made with: going on with an answer that is there now, or comes later."""

from collections.abc import Awaitable, Callable

from hopline.http.message import Response

__all__ = ["Answer", "then"]

Answer = Response | Awaitable[Response]


def then(answer: Answer, go_on: Callable[[Response], Answer]) -> Answer:
    """Apply `go_on` to an answer: at once where it is there, when it comes where it must be awaited.

    So a plain handler's answer goes through any number of middlewares without a single coroutine.
    """
    if isinstance(answer, Response):
        return go_on(answer)
    return _later(answer, go_on)


async def _later(pending: Awaitable[Response], go_on: Callable[[Response], Answer]) -> Response:
    answer = go_on(await pending)
    return answer if isinstance(answer, Response) else await answer
