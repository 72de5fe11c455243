"""`serve`: an application behind listening sockets, with worker processes and companions under one supervisor."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Final, Protocol

from hopline.http.child import Slot, SlotContext, Stop
from hopline.http.sockets import Listeners
from hopline.http.supervisor import Supervisor
from hopline.http.tls import TLS
from hopline.http.trust import TrustedProxies
from hopline.http.unixsockets import InheritedListeners, UnixListeners, passed_sockets
from hopline.http.watching import watch

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
    tls: TLS | None = None,
    proxies: TrustedProxies | None = None,
    unix_mode: int = 0o660,
    reload: Sequence[Path] = (),
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

    `host` "unix:/path" is a Unix socket, its file of mode `unix_mode`; sockets that systemd passes to this process
    are served instead of `host` and `port`. With `tls` all connections speak it. With `proxies`, connections from
    those begin with a PROXY protocol header that names the client. SIGHUP replaces all processes without a request
    being lost (see reloading.py); a change of a Python file under one of the `reload` folders does the same.
    """
    _check(workers, tls, proxies, run_worker)
    with _listeners(host, port, workers, unix_mode) as listeners:
        run = run_worker or _Engine(tls, proxies)
        work = _worker(make_app, run, DRAIN_SHARE * shutdown_timeout)
        slots = [Slot(f"worker {number}", work, sockets) for number, sockets in enumerate(listeners.of_slot, 1)]
        slots += [Slot(companion.name, _companion(companion), stage=1) for companion in companions]
        if reload:
            slots.append(Slot("watcher", watch(reload), stage=1, reloads=False))
        url = listeners.url if tls is None else listeners.url.replace("http:", "https:", 1)
        tell = None if on_ready is None else lambda: on_ready(url)
        return Supervisor(slots, shutdown_timeout=shutdown_timeout, on_ready=tell).run()


def _check(workers: int, tls: TLS | None, proxies: TrustedProxies | None, run_worker: RunWorker | None) -> None:
    """Find what can't work before a process is forked."""
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers!r}")
    if run_worker is not None and (tls or proxies):
        raise ValueError("tls and proxies are the engine's; a run_worker of one's own sees to them itself")
    if tls is not None and proxies is not None:
        raise ValueError("the PROXY protocol in front of TLS is not spoken here; let the proxy end TLS")
    if tls is not None:
        tls.context()


def _listeners(host: str, port: int, slots: int, mode: int) -> Listeners | UnixListeners | InheritedListeners:
    passed = passed_sockets(os.environ, os.getpid())
    if passed:
        return InheritedListeners(passed, slots)
    if host.startswith("unix:"):
        return UnixListeners(host.removeprefix("unix:"), slots, mode)
    return Listeners(host, port, slots)


@dataclass(frozen=True, slots=True)
class _Engine:
    """The RunWorker of this package, with what only it takes."""

    tls: TLS | None
    proxies: TrustedProxies | None

    def __call__(
        self,
        app: "App",
        sockets: Sequence[socket],
        stop: Stop,
        *,
        ready: Callable[[], None],
        shutdown_timeout: float,
    ) -> None:
        from hopline.http.engine import run_worker  # here, in the child: the supervisor has no use for an event loop

        run_worker(
            app,
            sockets,
            stop,
            ready=ready,
            shutdown_timeout=shutdown_timeout,
            tls=self.tls,
            proxies=self.proxies,
        )


def _worker(make_app: Callable[[], "App"], run: RunWorker, drain_timeout: float) -> Callable[[SlotContext], None]:
    def work(context: SlotContext) -> None:
        app = make_app()
        if not context.stop.is_set():
            run(app, context.sockets, context.stop, ready=context.ready, shutdown_timeout=drain_timeout)

    return work


def _companion(companion: Companion) -> Callable[[SlotContext], None]:
    def work(context: SlotContext) -> None:
        context.ready()  # it has no start-up of its own to wait for: the server serves while it gets going
        companion.run(context.stop)

    return work
