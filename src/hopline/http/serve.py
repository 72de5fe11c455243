"""`serve`: an application behind listening sockets, with worker processes and companions under one supervisor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING, Final, Protocol

from hopline.http.child import Slot, SlotContext, Stop
from hopline.http.sockets import Listeners
from hopline.http.supervisor import Supervisor

if TYPE_CHECKING:
    from hopline.http.app import App

__all__ = ["Companion", "RunWorker", "serve"]

# Of a worker's time to end, what its open connections get; the rest is for shutdown hooks.
DRAIN_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Companion:
    """Another process under the same supervisor: started with the workers and stopped after the last has ended.

    `run` does its work until the Stop it is given is set. Its crashes are logged and it is started again.
    """

    name: str
    run: Callable[[Stop], None]


class RunWorker(Protocol):
    """Serves `app` on `sockets` until `stop`, then ends what is under way within `shutdown_timeout` seconds.

    Calls `ready` once connections are accepted. `hopline.http.run_worker` is one.
    """

    def __call__(
        self,
        app: "App",
        sockets: Sequence[socket],
        stop: Stop,
        *,
        ready: Callable[[], None],
        shutdown_timeout: float,
    ) -> None: ...


def serve(
    make_app: Callable[[], "App"],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    companions: Sequence[Companion] = (),
    shutdown_timeout: float = 10.0,
    on_ready: Callable[[str], None] | None = None,
    run_worker: RunWorker | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code: 0 after a clean stop, 1 if start-up failed or a process was cut.

    `make_app` is called in each worker process and never in this one. `on_ready` is called with the server's
    URL, in this process, once all workers accept connections. At a stop the workers have `shutdown_timeout`
    seconds to end, then the companions have as much; a second signal ends all at once. Must be called from the
    main thread. ListenError if the address can't be had. Under systemd set KillMode=mixed: otherwise it signals
    the companions itself, before the workers have ended.
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers!r}")
    with Listeners(host, port, workers) as listeners:
        work = _worker(make_app, run_worker, DRAIN_SHARE * shutdown_timeout)
        slots = [Slot(f"worker {number}", work, sockets) for number, sockets in enumerate(listeners.of_slot, 1)]
        slots += [Slot(companion.name, _companion(companion), stage=1) for companion in companions]
        tell = None if on_ready is None else lambda: on_ready(listeners.url)
        return Supervisor(slots, shutdown_timeout=shutdown_timeout, on_ready=tell).run()


def _worker(
    make_app: Callable[[], "App"], run_worker: RunWorker | None, drain_timeout: float
) -> Callable[[SlotContext], None]:
    def work(context: SlotContext) -> None:
        app = make_app()
        run = run_worker or _engine()
        if not context.stop.is_set():
            run(app, context.sockets, context.stop, ready=context.ready, shutdown_timeout=drain_timeout)

    return work


def _engine() -> RunWorker:
    from hopline.http.engine import run_worker  # here, in the child: the supervisor has no use for an event loop

    return run_worker


def _companion(companion: Companion) -> Callable[[SlotContext], None]:
    def work(context: SlotContext) -> None:
        context.ready()  # it has no start-up of its own to wait for: the server serves while it gets going
        companion.run(context.stop)

    return work
