"""One connection on an event loop: reads go through the sans-I/O connection, answers leave in one write a read.

Everything that arrived in one read is answered before anything is written, so that sixteen pipelined requests
cost one system call; only an answer that really waits, or a client that doesn't read, ends the batch early.
Pipelined requests are answered in order: while one waits, later ones stay unparsed in a bounded buffer.
"""

import asyncio
import logging
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from hopline.http.answer import CONTINUE, InvalidResponse, encode, plain
from hopline.http.connection import Connection
from hopline.http.errors import HTTPError, ProtocolError
from hopline.http.head import ConnectionInfo, Head
from hopline.http.message import Request, Response
from hopline.http.stepping import start

if TYPE_CHECKING:
    from hopline.http.engine import Engine

__all__ = ["Wire"]

log = logging.getLogger("hopline.http")
LINGER = 2.0  # seconds a peer gets to close after the last answer has left
BATCH_BYTES = 262_144  # answers joined into one write at most; a batch of larger ones is written in pieces


class Phase(IntEnum):
    """What the connection waits for; each has its own time-out."""

    IDLE = 0  # a first byte
    HEAD = 1  # the rest of a head
    BODY = 2  # the rest of a body
    HANDLER = 3  # the application's answer
    CLOSING = 4  # the peer, to read the last answer and close


class Wire(asyncio.Protocol):
    """The protocol object of one connection. Lives on its loop's thread."""

    __slots__ = (
        "_connection",
        "_engine",
        "_eof",
        "_out",
        "_paused",
        "_unsent",
        "info",
        "phase",
        "since",
        "task",
        "transport",
    )

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._out: list[bytes] = []
        self._paused = False
        self._eof = False  # the peer sends no more
        self._unsent = 0  # bytes waiting to be written when the engine last looked
        self.task: asyncio.Task[Response] | None = None
        self.phase = Phase.IDLE
        self.since = engine.now

    # -- called by the loop -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        peer = transport.get_extra_info("peername")
        self.info = ConnectionInfo((peer[0], peer[1]) if isinstance(peer, tuple) else None)
        self._connection = Connection(self._engine.limits, self.info)
        self._engine.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.lost(self)
        if self.task is not None:
            self.task.cancel()

    def eof_received(self) -> bool:
        """The peer sends no more, but may still read: what it asked is answered, then we close."""
        self._eof = True
        return self.task is not None or self._paused

    def pause_writing(self) -> None:
        self._paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if self.phase == Phase.CLOSING:
            return
        if self.task is None:
            self._serve()
        if not self._paused and self._connection.buffered <= self._engine.limits.write_buffer:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.phase == Phase.CLOSING:
            return  # read and dropped, so that the close doesn't destroy the answer on its way (RFC 9112 9.6)
        self._connection.receive(data)
        if self.task is None and not self._paused:
            self._serve()
        elif self._connection.buffered > self._engine.limits.write_buffer:
            self.transport.pause_reading()

    # -- serving ----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Answer all whole requests that have arrived, then write once."""
        connection = self._connection
        engine = self._engine
        out = self._out
        raw_handlers = engine.raw_handlers
        head = connection.head
        try:
            while connection.next():
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
                if not answered and not self._dispatch(head):
                    return
                if not head.keep_alive or engine.draining:
                    self._close_after_answer()
                    return
                if self._paused:
                    return
        except ProtocolError as error:
            self._refuse(error)
            return
        except Exception:
            log.exception("serving %r failed", head.target)
            engine.dispatcher.handler_errors += 1
            self._out.append(encode(plain(500, ""), engine.date, head_only=False, keep_alive=False, version_1_0=False))
            self._close_after_answer()
            return
        self._wait_for_more()

    def _wait_for_more(self) -> None:
        """All that arrived is answered: write it, and note what is missing now."""
        if self._connection.continue_expected:
            self._connection.continue_expected = False
            self._out.append(CONTINUE)
        if self._eof:
            self._close_after_answer()
            return
        self._flush()
        phase = Phase.BODY if self._connection.in_body else Phase.HEAD if self._connection.buffered else Phase.IDLE
        if phase != self.phase or phase == Phase.IDLE:
            self.phase = phase
            self.since = self._engine.now

    def _dispatch(self, head: Head) -> bool:
        """Call the application; False if its answer is still to come."""
        engine = self._engine
        request = Request(head, self._connection.body)
        result = engine.dispatcher.call(request)
        if isinstance(result, Response):
            self._answer(request, result)
            return True
        started = start(result, engine.loop)
        if isinstance(started, Response):
            self._answer(request, started)
            return True
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
            return
        self._answer(request, task.result())
        if not self._connection.head.keep_alive or self._engine.draining:
            self._close_after_answer()
            return
        self.phase = Phase.IDLE
        self._serve()
        if not self._paused and self.phase < Phase.HANDLER:
            self.transport.resume_reading()

    def _answer(self, request: Request, response: Response) -> None:
        engine = self._engine
        engine.requests += 1
        head = self._connection.head
        keep_alive = head.keep_alive and not engine.draining
        head_only = request.method == "HEAD"
        old = head.http_1_0
        try:
            answer = encode(response, engine.date, head_only=head_only, keep_alive=keep_alive, version_1_0=old)
        except InvalidResponse as error:
            response = engine.dispatcher.error(request, error)
            answer = encode(response, engine.date, head_only=head_only, keep_alive=keep_alive, version_1_0=old)
        self._out.append(answer)
        if len(answer) > 16_384 and sum(map(len, self._out)) > BATCH_BYTES:
            self._flush()

    def _refuse(self, error: ProtocolError) -> None:
        """Answer a broken request and close; what was answered before it goes out first."""
        engine = self._engine
        engine.protocol_errors += 1
        engine.broken_rules[error.rule] = engine.broken_rules.get(error.rule, 0) + 1
        if error.status == 413:  # the head is whole, so the application can answer in its own form
            request = Request(self._connection.head)
            response = engine.dispatcher.error(request, HTTPError(error.status, error.detail))
        else:
            response = plain(error.status, error.detail)
        self._out.append(encode(response, engine.date, head_only=False, keep_alive=False, version_1_0=False))
        self._close_after_answer()

    def _flush(self) -> None:
        out = self._out
        if out:
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _close_after_answer(self) -> None:
        """Send what there is and close in two steps: our end now, the rest when the peer has read it."""
        self._flush()
        self.phase = Phase.CLOSING
        self.since = self._engine.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.transport.resume_reading()
        else:
            self.transport.close()

    # -- called by the engine ---------------------------------------------------------------------------

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
        if self.phase == Phase.IDLE:
            return waited > limits.idle_timeout
        if self.phase == Phase.HEAD:
            return waited > limits.head_timeout
        if self.phase == Phase.BODY:
            return waited > limits.body_timeout
        return self.phase == Phase.CLOSING and waited > LINGER

    def time_out(self) -> None:
        """Close an overdue connection, with 408 where a request was under way."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self.phase in (Phase.HEAD, Phase.BODY):
            what = "head" if self.phase == Phase.HEAD else "body"
            self._refuse(ProtocolError(408, f"{what}-timeout", f"the rest of the {what} did not arrive in time"))
        elif self.phase == Phase.CLOSING:
            self.transport.abort()
        else:
            self.transport.close()

    def drain(self) -> None:
        """The worker is going: close now if nothing is under way, else after the answer."""
        if self.task is None and self.phase in (Phase.IDLE, Phase.HEAD):
            self.transport.close()
