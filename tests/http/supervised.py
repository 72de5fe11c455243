"""Servers for the tests of supervision: `python supervised.py SCENARIO`, each a function below.

They say what happens on their output, a line an event, which the tests wait for. The workers need no HTTP: they
answer each connection with their process id.
"""

import asyncio
import logging
import os
import select
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hopline.errors import HoplineError
from hopline.http import Limits
from hopline.http.app import App
from hopline.http.child import Slot, SlotContext, Stop
from hopline.http.message import Request, Response
from hopline.http.serve import Companion, serve
from hopline.http.supervisor import Supervisor
from hopline.http.tls import TLS


def say(event: str) -> None:
    os.write(1, f"{event} {os.getpid()}\n".encode())  # one write: lines of several processes don't mix


def answer_pid(
    app: App, sockets: Sequence[socket.socket], stop: Stop, *, ready: Callable[[], None], shutdown_timeout: float
) -> None:
    poll = select.poll()
    by_number = {listener.fileno(): listener for listener in sockets}
    for number in (*by_number, stop.fileno()):
        poll.register(number, select.POLLIN)
    say("worker")
    ready()
    while not stop.is_set():
        for number, _ in poll.poll():
            if number in by_number:
                accept_one(by_number[number])
    say("worker stopped")


def accept_one(listener: socket.socket) -> None:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return  # where a socket is shared, another worker was quicker
    with connection:
        connection.sendall(str(os.getpid()).encode())


def never_stops(app: App, sockets: Sequence[socket.socket], stop: Stop, *, ready: Callable[[], None], **_: Any) -> None:
    say("worker")
    ready()
    while True:
        time.sleep(60)


def drains(
    app: App, sockets: Sequence[socket.socket], stop: Stop, *, ready: Callable[[], None], shutdown_timeout: float
) -> None:
    ready()
    stop.wait()
    for listener in sockets:
        listener.close()
    say("draining")
    wait_for_file()


def wait_for_file() -> None:
    while not os.path.exists(sys.argv[2]):  # noqa: PTH110 - plain polling
        time.sleep(0.01)


def start(**options: Any) -> int:
    options = {"port": 0, "run_worker": answer_pid, "on_ready": lambda url: say(f"ready {url}"), **options}
    return serve(options.pop("make_app", App), **options)


# Scenarios of serve


def one() -> int:
    return start()


def three() -> int:
    return start(workers=3)


def stuck() -> int:
    return start(run_worker=never_stops, shutdown_timeout=0.3)


def stuck_long() -> int:
    return start(run_worker=never_stops, shutdown_timeout=600.0)


def lingers() -> int:
    return start(run_worker=drains)


def broken() -> int:
    def make_app() -> App:
        say("make_app")
        raise LookupError("no such database")

    return start(make_app=make_app, workers=2)


def misconfigured() -> int:
    def make_app() -> App:
        raise HoplineError("redirect_status must be 301 or 302, not 999; change it in hopline.toml")

    return start(make_app=make_app)


def slow_to_start() -> int:
    def make_app() -> App:
        say("make_app")
        wait_for_file()
        return App()

    return start(make_app=make_app)


def with_companion() -> int:
    def run(stop: Stop) -> None:
        say("companion")
        while not stop.wait(60.0):
            pass
        say("companion stopped")

    return start(workers=2, companions=[Companion("ingester", run)])


def companion_crashes() -> int:
    def run(stop: Stop) -> None:
        say("companion")
        if not os.path.exists(sys.argv[2]):  # noqa: PTH110
            raise OSError("the disk is on fire")
        say("companion repaired")
        stop.wait()

    return start(companions=[Companion("ingester", run)])


def engine() -> int:
    def make_app() -> App:
        app = App()

        @app.get("/")
        def pid(request: Request) -> Response:
            return Response(str(os.getpid()))

        return app

    return start(make_app=make_app, run_worker=None, workers=2)


def versioned() -> App:
    """Answers with what a file says, which is read as code is: once a process."""
    version = Path(sys.argv[2]).read_text()
    if version == "broken":
        raise HoplineError("the new version is broken")
    if version == "hangs":
        time.sleep(600)
    app = App(Limits(drain_grace=2.0))  # seconds enough for the slowest machine; it ends with the last connection

    @app.get("/")
    def show(request: Request) -> Response:
        return Response(f"{version} {os.getpid()}")

    return app


def reloads() -> int:
    def run(stop: Stop) -> None:
        say("companion")
        stop.wait()
        say("companion stopped")

    companions = [Companion("ingester", run)]
    return start(make_app=versioned, run_worker=None, workers=2, companions=companions)


def unix() -> int:
    return start(host=f"unix:{sys.argv[2]}", make_app=scheme_and_peer, run_worker=None, workers=2)


def socket_activated() -> int:
    """Passes a socket to itself as the service manager would."""
    if "LISTEN_FDS" not in os.environ:
        listener = socket.create_server(("127.0.0.1", 0))
        if listener.fileno() != 3:
            os.set_inheritable(os.dup(3), True)  # what the test holds on to
            os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - no shell
    return start(make_app=scheme_and_peer, run_worker=None, workers=2)


def tls() -> int:
    certificate = Path(sys.argv[2])
    return start(make_app=scheme_and_peer, run_worker=None, tls=TLS(certificate, certificate.with_suffix(".key")))


def tls_quick() -> int:
    certificate = Path(sys.argv[2])
    how = TLS(certificate, certificate.with_suffix(".key"), handshake_timeout=0.2)
    return start(make_app=scheme_and_peer, run_worker=None, tls=how)


def watched() -> int:
    return start(make_app=versioned, run_worker=None, workers=2, reload=[Path(sys.argv[2]).parent])


def scheme_and_peer() -> App:
    app = App()

    @app.get("/")
    def show(request: Request) -> Response:
        return Response(f"{request.scheme} {request.peer} {os.getpid()}")

    @app.get("/slow")
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return Response("slow")

    return app


def reloads_slowly() -> int:
    def run(context: SlotContext) -> None:
        versioned()
        say("started")
        context.ready()
        context.stop.wait()
        wait_for_file()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        slots = [Slot("worker", run, [listener])]
        return Supervisor(slots, on_ready=lambda: say("ready"), start_timeout=0.3, shutdown_timeout=0.3).run()


def on_ready_fails() -> int:
    return start(run_worker=never_stops, shutdown_timeout=600.0, workers=2, on_ready=lambda url: 1 // 0)


def port_taken() -> int:
    return start(port=int(sys.argv[2]), workers=2)


# Scenarios of the supervisor alone


def never_ready() -> int:
    def run(context: SlotContext) -> None:
        say("started")
        context.stop.wait()

    return Supervisor([Slot("sleeper", run)], start_timeout=0.2).run()


def returns_early() -> int:
    def run(context: SlotContext) -> None:
        say("started")
        context.ready()

    return Supervisor([Slot("sprinter", run)], on_ready=lambda: say("ready")).run()


def loses_its_sense_later() -> int:
    """Starts well once, and never again."""

    def run(context: SlotContext) -> None:
        try:
            os.close(os.open(sys.argv[2], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            raise HoplineError("the database has moved away") from None
        say("started")
        context.ready()
        context.stop.wait()

    return Supervisor([Slot("worker", run)], on_ready=lambda: say("ready")).run()


def counts_descriptors() -> int:
    def run(context: SlotContext) -> None:
        context.ready()
        held = sum(is_socket(number) for number in range(256))
        say(f"holds {held} sockets")
        context.stop.wait()

    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    slots = [Slot(f"worker {number}", run, [listener]) for number, listener in enumerate(listeners)]
    return Supervisor(slots, on_ready=lambda: say("ready")).run()


def is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


def takes_sigterm_for_itself() -> int:
    def run(context: SlotContext) -> None:
        signal.signal(signal.SIGTERM, lambda *_: say("swallowed"))
        context.ready()
        context.stop.wait()
        say("stopped")

    return Supervisor([Slot("worker", run)], on_ready=lambda: say("ready")).run()


def twice() -> int:
    def run(context: SlotContext) -> None:
        context.ready()
        os.kill(os.getppid(), signal.SIGTERM)
        context.stop.wait()

    codes = [Supervisor([Slot("worker", run)]).run() for _ in range(2)]
    say(f"codes {codes}")
    return 0


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.DEBUG)
    raise SystemExit(globals()[sys.argv[1]]())
