"""`hopline http module:app`: an application of one's own behind the HTTP server."""

import importlib
import importlib.util
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hopline.cli.errors import USAGE, CliError

if TYPE_CHECKING:
    from hopline.http import App

__all__ = ["http", "load"]

Target = Annotated[
    str, typer.Argument(metavar="MODULE:NAME", help="An App, a function that makes one, or an ASGI application.")
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; unix:/path for a Unix socket.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="0: any that is free.")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, help="Worker processes.")]
ShutdownTimeout = Annotated[
    float, typer.Option("--shutdown-timeout", metavar="SECONDS", min=0.0, help="For requests to end.")
]


def http(
    target: Target,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    workers: Workers = 1,
    shutdown_timeout: ShutdownTimeout = 10.0,
) -> None:
    """Serve an application of your own: an App of hopline.http, or any ASGI application (Starlette, FastAPI, Django).

    MODULE is looked for in the current folder first. SIGHUP replaces the workers, which then import it anew, without
    losing a request; SIGTERM and Ctrl-C let requests end.
    """
    _check(target)
    from hopline.http import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    raise typer.Exit(
        serve(
            _Maker(target),
            host=host,
            port=port,
            workers=workers,
            shutdown_timeout=shutdown_timeout,
            on_ready=lambda url: typer.echo(f"{target} is served on {url}"),
        )
    )


def _check(target: str) -> None:
    """Find what can be found before there are workers, which would each say it, and again when started again."""
    module, _, name = target.partition(":")
    if not (name and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))):
        raise CliError(f"{target!r} must be MODULE:NAME, like shop.main:app; see `hopline http --help`", USAGE)
    _look_here()
    top = module.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        raise CliError(f"there is no module {top!r} in this folder, nor among what is installed", USAGE)
    _try(target)


def _try(target: str) -> None:
    """Import it once in a process of its own: here, workers would inherit it, and a reload could not replace it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _check_type(target, _find(target))
        except CliError as error:
            os.write(writer, str(error).encode("utf-8", "backslashreplace")[:4096])
        except BaseException as error:  # noqa: BLE001 - whatever its import raises; SystemExit must not unwind, either
            traceback.print_exception(error)
            os.write(writer, f"{target} can't be imported: {type(error).__name__}, see above".encode())
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        message = pipe.read()
    os.waitpid(child, 0)
    if message:
        raise CliError(message)


def _look_here() -> None:
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")


class _Maker:
    """Makes the App in each worker."""

    def __init__(self, target: str) -> None:
        self._target = target

    def __call__(self) -> "App":
        return load(self._target)


def load(target: str) -> "App":
    """The App at `target`, "module:name". CliError where there is none, in words for the terminal."""
    from hopline.http import App, host

    found = _find(target)
    _check_type(target, found)
    if not _is_asgi(found):
        found = found()
    if isinstance(found, App):
        return found
    if _is_asgi(found):
        return host(found)
    raise CliError(f"{target} made a {type(found).__name__}; it must make an App or an ASGI application")


def _check_type(target: str, found: Any) -> None:
    if not (_is_asgi(found) or _is_factory(found)):
        what = "name an App, a function that makes one, or an ASGI application"
        raise CliError(f"{target} is of type {type(found).__name__}; {what}")


def _find(target: str) -> Any:
    module_name, _, name = target.partition(":")
    _look_here()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # one that it imports is missing: the traceback says where
        raise CliError(f"there is no module {error.name!r}; {target} can't be served") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise CliError(f"module {module_name!r} has no {name!r}; name what is to be served as MODULE:NAME")
        found = getattr(found, part)
    return found


def _is_asgi(found: Any) -> bool:
    """Whether it can be called as ASGI 3: with scope, receive and send."""
    return not inspect.isclass(found) and callable(found) and _takes(found, 3)


def _is_factory(found: Any) -> bool:
    return callable(found) and not inspect.iscoroutinefunction(found) and _takes(found, 0)


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True
