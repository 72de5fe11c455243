"""Imports whose client, server or connection dies without warning: nothing is lost, nothing made twice."""

import json
import re
import signal
import subprocess
from pathlib import Path

from hopline.testing import ServerProcess, TcpProxy
from tests.cli.real import BATCH, HOPLINE, ROWS, Hopline, exported, one_number, serving, until


def test_an_import_killed_before_it_recorded_an_answer_goes_on_and_creates_nothing_twice(
    hopline: Hopline, many: Path, environment: dict[str, str], data_dir: Path
) -> None:
    for _ in range(3):
        with subprocess.Popen([*HOPLINE, "import", str(many)], env=environment, stderr=subprocess.PIPE) as process:
            until(lambda: stopped_with_a_batch_unrecorded(process, many, data_dir))
            process.kill()
            assert process.wait(timeout=30) == -signal.SIGKILL
    ran = hopline("import", many)
    assert ran.status == 0, ran.err
    assert "going on after row" in ran.err
    assert sorted(row["url"] for row in exported(hopline)) == sorted(f"https://a.example/{n}" for n in range(ROWS))


def stopped_with_a_batch_unrecorded(process: "subprocess.Popen[bytes]", file: Path, data_dir: Path) -> bool:
    """Stop the import and see whether the server has a batch that the progress file calls under way."""
    progress = Path(f"{file}.progress")
    process.send_signal(signal.SIGSTOP)
    try:
        lines = progress.read_bytes().splitlines() if progress.exists() else []
        if len(lines) > 3 and b'"sending"' in lines[-1]:
            done = sum(json.loads(line)["type"] == "sending" for line in lines[:-1]) * BATCH
            until(lambda: one_number(data_dir, "SELECT count(*) FROM links") > done, 1.0)
            return True
    except AssertionError:
        pass  # stopped before it sent
    process.send_signal(signal.SIGCONT)
    return False


def test_an_answer_cut_in_its_middle_is_looked_up_and_nothing_created_twice(
    hopline: Hopline, many: Path, server: ServerProcess
) -> None:
    with TcpProxy(server.address) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        for _ in range(3):
            proxy.cut_after(250_000)  # of the 150,000 bytes or so that a batch's answer has
            ran = hopline("import", many, "--server", url)
            assert (ran.status, "the connection to" in ran.err) == (1, True)
        proxy.heal()
        assert hopline("import", many, "--server", url).status == 0
        assert proxy.stats().cut >= 3
    assert sorted(row["url"] for row in exported(hopline)) == sorted(f"https://a.example/{n}" for n in range(ROWS))


def test_a_server_killed_under_an_import_loses_and_doubles_nothing(
    hopline: Hopline, many: Path, environment: dict[str, str], server: ServerProcess, data_dir: Path
) -> None:
    progress = Path(f"{many}.progress")
    with subprocess.Popen([*HOPLINE, "import", str(many)], env=environment, stderr=subprocess.PIPE) as process:
        until(lambda: progress.exists() and progress.read_bytes().count(b'"sending"') > 3, process=process)
        server.kill()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.fullmatch(rb"hopline: stopped after row [\d,]+: .*; run the same command to go on\n", said)
    with serving(data_dir, server.address[1]):
        assert hopline("import", many).status == 0
        assert sorted(row["url"] for row in exported(hopline)) == sorted(f"https://a.example/{n}" for n in range(ROWS))
