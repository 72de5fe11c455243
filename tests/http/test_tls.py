"""TLS with real handshakes: what is offered, what is refused, and certificates that change."""

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hopline.http.serve import serve
from hopline.http.tls import TLS, Certificates, TLSError
from tests.http.server import read_all
from tests.http.supervision import Supervised

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make certificates")
GET = b"GET / HTTP/1.1\r\nhost: h\r\n%b\r\n"


def make_certificate(folder: Path, name: str) -> Path:
    path = folder / f"{name}.pem"
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(["openssl", *kind, "-subj", f"/CN={name}", *files], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    return make_certificate(folder, "first"), make_certificate(folder, "second")


@pytest.fixture
def certificate(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return replace(tmp_path / "current.pem", made[0])


def replace(path: Path, source: Path) -> Path:
    """Put certificate and key in place as renewals do: each whole, one after the other."""
    for suffix in (".key", ".pem"):
        fresh = path.with_suffix(".new")
        fresh.write_bytes(source.with_suffix(suffix).read_bytes())
        fresh.replace(path.with_suffix(suffix))
    return path


@contextlib.contextmanager
def connect(server: Supervised, version: ssl.TLSVersion | None = None) -> Iterator[ssl.SSLSocket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    if version is not None:
        context.minimum_version = context.maximum_version = version
    with server.connect() as raw, context.wrap_socket(raw) as client:
        yield client


def name_of(client: ssl.SSLSocket) -> bytes:
    return b"first" if b"first" in (client.getpeercert(binary_form=True) or b"") else b"second"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_answered_and_know_the_scheme(certificate: Path, version: ssl.TLSVersion) -> None:
    with Supervised("tls", certificate) as server, connect(server, version) as client:
        assert "ready https://" in server.output()
        assert client.selected_alpn_protocol() == "http/1.1"
        client.sendall(GET % b"" + GET % b"connection: close\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
        assert answer.count(b"https ('127.0.0.1'") == 2


def test_an_answer_under_way_comes_through_a_stop(certificate: Path) -> None:
    with Supervised("tls", certificate) as server:
        with connect(server) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
            server.signal(signal.SIGTERM)
            answer = b""
            while part := client.recv(65536):
                answer += part
        assert b"connection: close" in answer
        assert answer.endswith(b"slow")
        assert server.end() == 0


def test_plain_text_and_old_versions_are_refused_and_others_go_on(certificate: Path) -> None:
    with Supervised("tls", certificate) as server, connect(server) as client:
        with server.connect() as plain:
            plain.sendall(GET % b"")
            assert b"HTTP" not in read_all(plain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with server.connect() as raw, pytest.raises(ssl.SSLError):
            context.wrap_socket(raw)
        client.sendall(GET % b"connection: close\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_changed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    certificate: Path, made: tuple[Path, Path]
) -> None:
    with Supervised("tls", certificate) as server, connect(server) as before:
        assert name_of(before) == b"first"
        replace(certificate, made[1])

        def is_new() -> bool:
            with connect(server) as client:
                return name_of(client) == b"second"

        server.until(is_new)
        before.sendall(GET % b"connection: close\r\n")
        assert before.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_pair_that_does_not_belong_together_is_not_used(certificate: Path, made: tuple[Path, Path]) -> None:
    tls = TLS(certificate, certificate.with_suffix(".key"))
    certificates = Certificates(tls)
    shutil.copy(made[1], certificate)
    certificates.refresh()
    assert shown_by(certificates.context) == b"first"
    shutil.copy(made[1].with_suffix(".key"), certificate.with_suffix(".key"))
    certificates.refresh()
    assert shown_by(certificates.context) == b"second"
    certificate.unlink()
    certificates.refresh()
    assert shown_by(certificates.context) == b"second"


def shown_by(context: ssl.SSLContext) -> bytes:
    ours, theirs = socket.socketpair()
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE

    def answer() -> None:
        with context.wrap_socket(theirs, server_side=True) as server:
            server.recv(1)

    thread = threading.Thread(target=answer)
    thread.start()
    with client_context.wrap_socket(ours) as client:
        name = name_of(client)
        client.sendall(b"x")
        thread.join(10)
    return name


def test_errors_name_the_file_and_come_before_a_process_is_forked(tmp_path: Path, made: tuple[Path, Path]) -> None:
    first, second = made
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for tls, message in (
        (TLS(tmp_path / "missing.pem"), r"certfile '.*missing\.pem' can't be read: no such file"),
        (TLS(first, tmp_path / "missing.key"), r"keyfile '.*missing\.key' can't be read"),
        (TLS(nonsense), r"nonsense\.pem' or keyfile .* is not what it should be"),
        (TLS(first, second.with_suffix(".key")), r"second\.key' is not that of the certificate in '.*first\.pem'"),
        (TLS(first, first.with_suffix(".key"), client_ca=nonsense), r"client_ca '.*nonsense\.pem' holds no"),
    ):
        with pytest.raises(TLSError, match=message):
            serve(lambda: pytest.fail("made in the wrong process"), port=0, tls=tls)


def test_a_client_that_never_finishes_its_handshake_is_closed(certificate: Path) -> None:
    with Supervised("tls_quick", certificate) as server, server.connect() as client:
        client.sendall(b"\x16")
        assert read_all(client) == b""
