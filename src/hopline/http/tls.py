"""TLS for the server: what is offered, and certificates that are renewed without a restart.

TLS 1.2 and 1.3 with the ciphers that OpenSSL holds to be sound, of TLS 1.2 only those with forward secrecy and
authenticated encryption: the "intermediate" advice of https://wiki.mozilla.org/Security/Server_Side_TLS

A renewed certificate is loaded into the context that is in use: connections that are open keep what they agreed
on, new ones get the new one. It is tried in a context of its own first, since OpenSSL replaces a certificate
before it finds that the key is another's, and a half-written pair would leave the server without any.
"""

import logging
import os
import ssl
from dataclasses import dataclass
from typing import Final

from hopline.http.errors import HTTPServerError

__all__ = ["TLS", "Certificates", "TLSError"]

log = logging.getLogger("hopline.http")
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"  # of TLS 1.2; those of 1.3 are all sound
HANDSHAKE_TIMEOUT: Final = 10.0  # seconds; then the connection is closed

Stamp = tuple[tuple[int, int, int], ...]


class TLSError(HTTPServerError):
    """A certificate or a key can't be used; the message names the file."""


@dataclass(frozen=True, slots=True)
class TLS:
    """How `serve` speaks TLS. Files are PEM.

    `certfile` holds the certificate and then those that vouch for it, `keyfile` the private key unless it is in
    `certfile`, too. With `client_ca` only clients that show a certificate of one of its authorities are served.
    `handshake_timeout` is in seconds; `protocols` is offered by ALPN, the best first.
    """

    certfile: str | os.PathLike[str]
    keyfile: str | os.PathLike[str] | None = None
    password: str | None = None
    client_ca: str | os.PathLike[str] | None = None
    handshake_timeout: float = HANDSHAKE_TIMEOUT
    protocols: tuple[str, ...] = ("http/1.1",)

    def context(self) -> ssl.SSLContext:
        """A server's context. TLSError where a file is missing or wrong."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(list(self.protocols))
        self.load(context)
        if self.client_ca is not None:
            _check_readable("client_ca", self.client_ca)
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                raise TLSError(f"client_ca {os.fspath(self.client_ca)!r} holds no certificates in PEM form") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Read certificate and key into `context`. TLSError where that can't be."""
        for name, path in (("certfile", self.certfile), ("keyfile", self.keyfile)):
            if path is not None:
                _check_readable(name, path)
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self.certfile, self.keyfile, password=self.password or "")
        except (ssl.SSLError, ValueError) as error:
            raise TLSError(self._explain(error)) from error

    def _explain(self, error: Exception) -> str:
        certificate, key = os.fspath(self.certfile), os.fspath(self.keyfile or self.certfile)
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            return f"the key in {key!r} is not that of the certificate in {certificate!r}; give the two of one pair"
        if isinstance(error, ssl.SSLError) and error.reason in (None, "NO_START_LINE", "PEM_LIB"):
            return f"certfile {certificate!r} or keyfile {key!r} is not what it should be in PEM form"
        return f"certfile {certificate!r} with keyfile {key!r} can't be used ({error}); is the password right?"

    def stamp(self) -> Stamp:
        """What changes when a file does: replaced, rewritten or pointed elsewhere. OSError where one is missing."""
        found = (os.stat(path) for path in (self.certfile, self.keyfile) if path is not None)  # noqa: PTH116
        return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)


class Certificates:
    """A context whose certificate follows its files. Belongs to one loop's thread."""

    def __init__(self, tls: TLS) -> None:
        self.tls = tls
        self._stamp = _stamp_of(tls)
        self.context = tls.context()

    def refresh(self) -> None:
        """Load the files anew if they have changed; two system calls if not. On an error, logs and goes on."""
        stamp = _stamp_of(self.tls)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.tls.context()
            self.tls.load(self.context)
        except TLSError as error:
            log.error("a changed certificate is not used, the one before is: %s", error)
        else:
            log.info("loaded the certificate in %r anew", os.fspath(self.tls.certfile))


def _stamp_of(tls: TLS) -> Stamp | None:
    try:
        return tls.stamp()
    except OSError:
        return None  # between a removal and what follows it


def _check_readable(name: str, path: str | os.PathLike[str]) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 - any path-like
            pass
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise TLSError(f"{name} {os.fspath(path)!r} can't be read: {reason}") from error
