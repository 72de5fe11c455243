import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hopline.testing import ProcessFailed, ServerProcess, free_port

SERVER = """
import os, signal, socket, sys, time
print("up as", os.getpid(), flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ.get("EXIT", "0"))))
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""
# A parent and a child that are deaf to SIGTERM; the child can be asked whether it lives.
DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, lambda *_: print("alive", flush=True))
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(3600)
"""


def serve(port: int, **options: object) -> ServerProcess:
    return ServerProcess([sys.executable, "-c", SERVER, str(port)], address=("127.0.0.1", port), **options)  # type: ignore[arg-type] # options vary


def until(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within 10 s: what another process does can only be polled."""
    end = time.monotonic() + 10
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def gone(pid: int) -> bool:
    """Whether the process has ended; one that we did not fork may stay a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " in stat.read_text()


def deaf_pair() -> ServerProcess:
    deaf = ServerProcess([sys.executable, "-c", DEAF], ready=lambda: deaf.output().endswith("\n"), stop_timeout=0.1)
    return deaf


def test_it_answers_inside_the_with_and_is_gone_after_it() -> None:
    port = free_port()

    with serve(port) as server:
        socket.create_connection(server.address, timeout=5).close()
        pid = server.pid
        assert server.returncode is None

    assert gone(pid)
    assert server.output() == f"up as {pid}\n"


def test_it_is_gone_when_the_test_inside_fails() -> None:
    with pytest.raises(KeyboardInterrupt), serve(free_port()) as server:
        raise KeyboardInterrupt

    assert gone(server.pid)


def test_stop_gives_the_exit_code() -> None:
    with serve(free_port(), env={"EXIT": "7"}) as server:
        assert server.stop() == 7


def test_kill_ends_it_without_asking() -> None:
    with serve(free_port()) as server:
        server.kill()
        server.kill()

        assert server.returncode == -signal.SIGKILL


def test_a_killed_server_can_be_started_again_on_its_port() -> None:
    with serve(free_port()) as server:
        first = server.pid
        server.kill()
        server.start()

        socket.create_connection(server.address, timeout=5).close()
        assert server.pid != first


def test_what_it_forked_ends_with_it() -> None:
    with deaf_pair() as deaf:
        child = int(deaf.output())
        assert not gone(child)

    assert gone(deaf.pid)
    assert until(lambda: gone(child))  # its files are closed by now; its id may take a moment more


def test_one_that_does_not_stop_is_reported_and_killed() -> None:
    with deaf_pair() as deaf:
        with pytest.raises(ProcessFailed, match=r"process 'python.*' still runs after 0.1 s; it said:\n\d+"):
            deaf.stop()

        assert deaf.returncode == -signal.SIGKILL


def test_a_signal_reaches_the_process_alone() -> None:
    with deaf_pair() as deaf:
        deaf.signal(signal.SIGKILL)
        deaf.wait(10)
        os.kill(int(deaf.output()), signal.SIGUSR1)

        assert until(lambda: deaf.output().endswith("\nalive\n"))


def test_one_that_ends_before_it_answers_is_reported_with_its_output() -> None:
    broken = ServerProcess([sys.executable, "-c", "raise SystemExit('no luck')"], ready=lambda: False)

    with pytest.raises(ProcessFailed, match=r"ended with 1 before it answered; it said:\nno luck"):
        broken.start()


def test_one_that_never_answers_is_reported_and_killed() -> None:
    mute = ServerProcess([sys.executable, "-c", SERVER, "0"], ready=lambda: False, start_timeout=0.05)

    with pytest.raises(ProcessFailed, match=r"gave no answer in 0\.05 s"):
        mute.start()

    assert mute.returncode == -signal.SIGKILL


def test_using_one_that_was_not_started_says_how_to_start_it() -> None:
    with pytest.raises(ProcessFailed, match="was not started; use `with`"):
        ServerProcess(["true"]).stop()


def test_output_is_cut_to_its_tail() -> None:
    chatty = ServerProcess([sys.executable, "-c", "print('x' * 100_000 + 'end')"])
    chatty.start()
    chatty.wait(30)
    chatty.close()

    assert len(chatty.output()) == 65_536
    assert chatty.output().endswith("end\n")
