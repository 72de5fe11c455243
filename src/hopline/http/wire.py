"""One connection on an event loop: reads go through the sans-I/O connection, answers leave in one write a read.

Everything that arrived in one read is answered before anything is written, so that sixteen pipelined requests
cost one system call; only an answer that really waits, or a client that doesn't read, ends the batch early.
Pipelined requests are answered in order: while one waits, later ones stay unparsed in a bounded buffer.
"""

import asyncio
import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from hopline.http.answer import CONTINUE, InvalidResponse, encode, plain, send_stream
from hopline.http.connection import HEAD, Connection
from hopline.http.errors import HTTPError, ProtocolError
from hopline.http.head import ConnectionInfo, Head
from hopline.http.message import Request, Response
from hopline.http.phase import Phase
from hopline.http.stepping import start
from hopline.http.streams import BodyStream, ClientGone

if TYPE_CHECKING:
    from hopline.http.engine import Engine

__all__ = ["Wire"]

log = logging.getLogger("hopline.http")
# Looking a member up on its class costs 100 ns (CPython 3.11); these two are asked for on every read.
IDLE: Final = Phase.IDLE
CLOSING: Final = Phase.CLOSING
LINGER = 2.0  # seconds a peer gets to close after the last answer has left
BATCH_BYTES = 262_144  # answers joined into one write at most; a batch of larger ones is written in pieces


class Wire(asyncio.Protocol):
    """The protocol object of one connection. Lives on its loop's thread."""

    __slots__ = (
        "_body",
        "_connection",
        "_engine",
        "_eof",
        "_figures",
        "_out",
        "_paused",
        "_unsent",
        "_writable",
        "info",
        "opened_at",
        "phase",
        "since",
        "task",
        "transport",
    )

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._figures = engine.figures
        self._out: list[bytes] = []
        self._body: BodyStream | None = None  # the body that a handler reads as it comes
        self._paused = False
        self._writable: asyncio.Future[None] | None = None  # what a streamed answer waits for while paused
        self._eof = False  # the peer sends no more
        self._unsent = 0  # bytes waiting to be written when the engine last looked
        self.task: asyncio.Task[Any] | None = None
        self.phase = IDLE
        self.since = self.opened_at = engine.now

    # -- called by the loop -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport, peer: tuple[str, int] | None = None) -> None:
        """A connection is there; `peer` is the client where a proxy in front has named it."""
        self.transport: Any = transport
        peer = peer or transport.get_extra_info("peername")
        self.info = ConnectionInfo((peer[0], peer[1]) if isinstance(peer, tuple) else None)
        local = transport.get_extra_info("sockname")
        self.info.local = (local[0], local[1]) if isinstance(local, tuple) else None
        self.info.scheme = self._engine.scheme
        self.info.draining = self._engine.is_draining
        self._connection = Connection(self._engine.limits, self.info)
        self._engine.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.info.gone = True
        self._engine.lost(self)
        if self._body is not None:
            self._body.fail(ClientGone("the peer closed the connection before its body was whole"))
        if self.task is not None:
            self.task.cancel()

    def eof_received(self) -> bool:
        """The peer sends no more, but may still read: what it asked is answered, then we close."""
        self._eof = True
        if self._body is not None:
            self._body.fail(ClientGone("the peer ended before its body was whole"))
        return (self.task is not None or self._paused) and self.transport.can_write_eof()  # TLS has no half-close

    def pause_writing(self) -> None:
        self._paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self.phase == CLOSING:
            return
        if self.task is None:
            self._serve()
        self._read_on()

    def data_received(self, data: bytes) -> None:
        if self.phase == CLOSING:
            return  # read and dropped, so that the close doesn't destroy the answer on its way (RFC 9112 9.6)
        self._figures.bytes_in += len(data)
        self._connection.receive(data)
        if self._body is not None and not self._body.done:
            self.since = self._engine.now
            self._feed_body(self._body)
        elif self.task is None and not self._paused:
            self._serve()
        elif self._connection.buffered > self._engine.limits.write_buffer:
            self.transport.pause_reading()

    def _read_on(self) -> None:
        """Take more from the peer, unless there is too much of it here already."""
        waiting = self._connection.buffered if self._body is None else self._body.size
        if not self._paused and waiting <= self._engine.limits.write_buffer and self.phase < CLOSING:
            self.transport.resume_reading()

    # -- serving ----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Answer all whole requests that have arrived, then write once."""
        try:
            if not self._serve_ready():
                return
        except ProtocolError as error:
            self._refuse(error)
            return
        except Exception:
            engine = self._engine
            log.exception("serving %r failed", self._connection.head.target)
            engine.dispatcher.handler_errors += 1
            answer = encode(plain(500, ""), engine.date, head_only=False, keep_alive=False, http_1_0=False)
            self._out.append(answer)
            self._close_after_answer()
            return
        self._wait_for_more()

    def _serve_ready(self) -> bool:
        """Answer what is there; False where the connection waits for the application, or goes."""
        connection = self._connection
        engine = self._engine
        out = self._out
        raw_handlers = engine.raw_handlers
        head = connection.head
        step = connection.next()
        while step:
            if step == HEAD:
                if not self._begin_body(head):
                    return False
                step = connection.next()
                continue
            answered = False
            if not connection.body and head.method in (b"GET", b"HEAD"):
                for raw in raw_handlers:
                    answer = raw(head)
                    if answer is not None:
                        out.append(answer)
                        out.append(engine.end_of_head if head.keep_alive else engine.last_end_of_head)
                        engine.raw_requests += 1
                        answered = True
                        break
            if not answered and not self._dispatch(Request(head, connection.body)):
                return False
            if not head.keep_alive or engine.draining:
                self._close_after_answer()
                return False
            if self._paused:
                return False
            step = connection.next()
        return True

    def _wait_for_more(self) -> None:
        """All that arrived is answered: write it, and note what is missing now."""
        if self._connection.continue_expected:
            self._connection.continue_expected = False
            self._out.append(CONTINUE)
        if self._eof:
            self._close_after_answer()
            return
        self._flush()
        phase = Phase.BODY if self._connection.in_body else Phase.HEAD if self._connection.buffered else IDLE
        if phase != self.phase or phase == IDLE:
            self.phase = phase
            self.since = self._engine.now

    def _begin_body(self, head: Head) -> bool:
        """Bound the body that follows, and hand it over if its route streams; True to go on reading it whole."""
        engine = self._engine
        route = engine.dispatcher.route_of(head)
        own_limit = None if route is None else route.body_size
        self._connection.limit_body(engine.limits.body_size if own_limit is None else own_limit)
        if route is None or not route.stream:
            return True
        self._body = BodyStream(self._body_wanted)
        self._feed_body(self._body)
        if self._dispatch(Request(head, b"", self._body)):
            self.phase = IDLE
            return self._goes_on()
        return False

    def _feed_body(self, body: BodyStream) -> None:
        try:
            part = self._connection.next_part()
        except ProtocolError as error:
            self._engine.count_broken(error)
            self._connection.head.keep_alive = False
            body.fail(HTTPError(error.status, error.detail))
            return
        body.feed(part, not self._connection.in_body)
        if body.size > self._engine.limits.write_buffer:
            self.transport.pause_reading()

    def _body_wanted(self) -> None:
        """The handler waits for its body, or has made room for more of it."""
        if self._connection.continue_expected:
            self._connection.continue_expected = False
            self.transport.write(CONTINUE)
        self._read_on()

    def _dispatch(self, request: Request) -> bool:
        """Call the application; False if its answer is still to come, or still on its way."""
        engine = self._engine
        request.began = perf_counter()
        result = engine.dispatcher.call(request)
        if isinstance(result, Response):
            return self._answer(request, result)
        started = start(result, engine.loop)
        if isinstance(started, Response):
            return self._answer(request, started)
        self._flush()
        self.task = started
        self.phase = Phase.HANDLER
        started.add_done_callback(lambda done: self._finished(request, done))
        return False

    def _finished(self, request: Request, task: "asyncio.Task[Response]") -> None:
        """A task has the answer that the connection waited for."""
        self.task = None
        if task.cancelled() or self.transport.is_closing():
            self.transport.abort()  # the peer has gone, or the worker is going: nobody waits for an answer
        elif self._answer(request, task.result()):
            self._continue()

    def _sent(self, task: "asyncio.Task[None]") -> None:
        """A streamed answer has come to its end, or broke off: then the peer must not take it for whole."""
        self.task = None
        if task.cancelled() or self.transport.is_closing() or task.exception() is not None:
            if not task.cancelled() and task.exception() is not None:
                self._engine.dispatcher.handler_errors += 1
                log.error("a streamed answer to %r broke off", self._connection.head.target, exc_info=task.exception())
            self.transport.abort()
        else:
            self._continue()

    def _continue(self) -> None:
        """After an answer that took its time: the next request, or the end."""
        self.phase = IDLE
        if self._goes_on():
            self._serve()
            self._read_on()

    def _goes_on(self) -> bool:
        """Whether the connection can take another request; closes it otherwise."""
        body, self._body = self._body, None
        unread = body is not None and not body.done
        if unread or not self._connection.head.keep_alive or self._engine.draining:
            self._close_after_answer()
            return False
        return True

    def _answer(self, request: Request, response: Response) -> bool:
        """Put the answer on its way; False while a streamed one is still being sent."""
        engine = self._engine
        engine.requests += 1
        head = self._connection.head
        if head.http_1_0 and response.stream is not None and response.length is None:
            head.keep_alive = False  # its end is the connection's
        unread = self._body is not None and not self._body.done
        keep_alive = head.keep_alive and not engine.draining and not unread
        head_only = request.method == "HEAD"
        try:
            answer = encode(response, engine.date, head_only=head_only, keep_alive=keep_alive, http_1_0=head.http_1_0)
        except InvalidResponse as error:
            response = engine.dispatcher.error(request, error)
            answer = encode(response, engine.date, head_only=head_only, keep_alive=keep_alive, http_1_0=head.http_1_0)
        self._figures.answered(request, response.status)
        self._out.append(answer)
        if response.stream is not None and not head_only and response.status not in (204, 304):
            self._flush()
            self.phase = Phase.HANDLER
            sending = send_stream(response.stream, response.length, head.http_1_0, self._write, self._room)
            self.task = engine.loop.create_task(sending)
            self.task.add_done_callback(self._sent)
            return False
        if len(answer) > 16_384 and sum(map(len, self._out)) > BATCH_BYTES:
            self._flush()
        return True

    async def _room(self) -> None:
        """Wait while the peer has not taken enough of what it was sent."""
        if self._paused:
            self._writable = self._engine.loop.create_future()
            await self._writable

    def _write(self, data: bytes) -> None:
        self._figures.bytes_out += len(data)
        self.transport.write(data)

    def _refuse(self, error: ProtocolError) -> None:
        """Answer a broken request and close; what was answered before it goes out first."""
        engine = self._engine
        engine.count_broken(error)
        if error.status == 413:  # the head is whole, so the application can answer in its own form
            request = Request(self._connection.head)
            response = engine.dispatcher.error(request, HTTPError(error.status, error.detail))
        else:
            response = plain(error.status, error.detail)
        self._out.append(encode(response, engine.date, head_only=False, keep_alive=False, http_1_0=False))
        self._close_after_answer()

    def _flush(self) -> None:
        out = self._out
        if out:
            data = b"".join(out)
            self._figures.bytes_out += len(data)
            self.transport.write(data)
            out.clear()

    def _close_after_answer(self) -> None:
        """Send what there is and close in two steps: our end now, the rest when the peer has read it."""
        self._flush()
        self.phase = CLOSING
        self.since = self._engine.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.transport.resume_reading()
        else:
            self.transport.close()

    # -- called by the engine ---------------------------------------------------------------------------

    @property
    def was_used(self) -> bool:
        """Whether a request was read on it."""
        return bool(self._connection.head.raw)

    def overdue(self, now: float) -> bool:
        """Whether the peer has had its time. HANDLER never is: an application's time is its own to bound."""
        limits = self._engine.limits
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            if unsent != self._unsent:
                self._unsent = unsent
                self.since = now
            return now - self.since > limits.write_timeout
        waited = now - self.since
        if self.phase == IDLE:
            return waited > limits.idle_timeout
        if self.phase == Phase.HEAD:
            return waited > limits.head_timeout
        if self.phase == Phase.BODY or (self._body is not None and self._body.is_awaited):
            return waited > limits.body_timeout
        return self.phase == CLOSING and waited > LINGER

    def time_out(self) -> None:
        """Close an overdue connection, with 408 where a request was under way."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self.phase in (Phase.HEAD, Phase.BODY):
            what = "head" if self.phase == Phase.HEAD else "body"
            self._refuse(ProtocolError(408, f"{what}-timeout", f"the rest of the {what} did not arrive in time"))
        elif self.phase == CLOSING:
            self.transport.abort()
        elif self._body is not None:
            self._connection.head.keep_alive = False
            self._body.fail(HTTPError(408, "the rest of the body did not arrive in time"))
        else:
            self.transport.close()

    def drain(self) -> bool:
        """The worker is going: close, in two steps, if nothing is under way; whether that was so."""
        idle = self.task is None and self.phase == IDLE
        if idle:
            self._close_after_answer()
        return idle
