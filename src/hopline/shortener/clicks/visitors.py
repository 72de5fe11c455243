"""Who a visitor is without keeping who: a hash under a key that lives for one UTC day, and a country.

The hash is a keyed BLAKE2b of the address (for IPv6 of its /64, which is what one household gets). The key
stands in visitor.key, shared by all worker processes, and is overwritten in place when the first of them
sees a new day. After that no one, ourselves included, can tell whose hashes the old ones were, or
recognise a visitor of yesterday. (A file system or a drive that keeps old blocks keeps this one too.)
"""

import fcntl
import ipaddress
import logging
import os
import secrets
import socket
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, Final

import maxminddb

from hopline.clock import Clock, SystemClock
from hopline.errors import HoplineError

__all__ = ["DAY_SECONDS", "GeoDatabaseError", "VisitorKeyError", "Visitors"]

DAY_SECONDS: Final = 86_400
_UNKNOWN: Final = b"\0\0"
_NOBODY: Final = (0, _UNKNOWN)
_KEY_BYTES: Final = 32
_FILE: Final = Struct(f"<Q{_KEY_BYTES}s8s")  # day, key, checksum

_log = logging.getLogger(__name__)


class GeoDatabaseError(HoplineError):
    """The file given as geoip_db can't be used."""


class VisitorKeyError(HoplineError):
    """The visitor key can't be read or made."""


class Visitors:
    """Identifies addresses: `identify(address) -> (visitor hash, country)`. For one thread.

    `day` is the UTC day (number since 1970) whose key is in use. It moves in identify() and refresh(); an
    answer kept for a connection is good while `day` is what it was. open() and close() by the owner.
    """

    def __init__(self, data_dir: Path, geoip_db: Path | None = None, clock: Clock | None = None) -> None:
        self._path = data_dir / "visitor.key"
        self._geoip_path = geoip_db
        self._clock: Clock = clock or SystemClock()
        self._geoip: maxminddb.Reader | None = None
        self._key = b""
        self._identify = lru_cache(maxsize=16_384)(self._work_out)
        self.day = -1

    def open(self) -> None:
        """Open the database, if one is given, and read or make today's key."""
        if self._geoip_path is not None:
            self._geoip = _open_geoip(self._geoip_path)
        today = self._today()
        try:
            self._key = _shared_key(self._path, today)
        except OSError as exc:
            raise VisitorKeyError(
                f"the visitor key {str(self._path)!r} can't be used: {exc.strerror}; "
                "give the server's user write permission on its data folder"
            ) from exc
        self.day = today

    def close(self) -> None:
        """Close the database and forget the key. Idempotent."""
        if self._geoip is not None:
            self._geoip.close()
            self._geoip = None
        self._key = b""
        self._identify.cache_clear()
        self.day = -1

    def identify(self, address: str) -> tuple[int, bytes]:
        """The visitor's hash (64 bits) and country (two capitals, or zeros). (0, zeros) for no address.

        Answers are kept for the 16,384 addresses seen last, in memory and within the day.
        """
        self.refresh()
        return self._identify(address)

    def refresh(self) -> None:
        """Change to today's key, if the day has changed; cheap enough for every second."""
        today = self._today()
        if today == self.day:
            return
        try:
            self._key = _shared_key(self._path, today)
        except OSError:
            # Visitors first: this process counts on with a key of its own, and today's uniques are a bit high.
            _log.exception("visitor key %s can't be renewed; using one of this process alone", self._path)
            self._key = secrets.token_bytes(_KEY_BYTES)
        self._identify.cache_clear()
        self.day = today

    def _today(self) -> int:
        return int(self._clock.time() // DAY_SECONDS)

    def _work_out(self, address: str) -> tuple[int, bytes]:
        packed = _network(address)
        if packed is None:
            return _NOBODY
        digest = blake2b(packed, digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "little"), self._country(address)

    def _country(self, address: str) -> bytes:
        if self._geoip is None:
            return _UNKNOWN
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if not ip.is_global:
            return _UNKNOWN
        try:
            found = self._geoip.get(ip)
        except (ValueError, maxminddb.InvalidDatabaseError):  # an IPv6 address in an IPv4 database; a damaged entry
            return _UNKNOWN
        return _country_code(found)


def _network(address: str) -> bytes | None:
    """The bytes that stand for a visitor: an IPv4 address, or an IPv6 /64; None for anything else."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed[:8]


def _country_code(found: Any) -> bytes:
    """The ISO code in a country or city record; where only the network's registration is known, that."""
    if not isinstance(found, dict):
        return _UNKNOWN
    for name in ("country", "registered_country"):
        place = found.get(name)
        code = place.get("iso_code") if isinstance(place, dict) else None
        if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
            return code.upper().encode()
    return _UNKNOWN


def _open_geoip(path: Path) -> maxminddb.Reader:
    advice = "give a GeoLite2-Country, GeoLite2-City or compatible .mmdb file, or none"
    try:
        reader = maxminddb.open_database(path)
    except OSError as exc:
        raise GeoDatabaseError(f"geoip_db {str(path)!r} can't be opened: {exc.strerror}; {advice}") from exc
    except (maxminddb.InvalidDatabaseError, ValueError) as exc:
        raise GeoDatabaseError(f"geoip_db {str(path)!r} is not a MaxMind database: {exc}; {advice}") from exc
    kind = reader.metadata().database_type
    if "country" not in kind.lower() and "city" not in kind.lower():
        reader.close()
        raise GeoDatabaseError(f"geoip_db {str(path)!r} is of type {kind!r}, which has no countries; {advice}")
    return reader


def _shared_key(path: Path, today: int) -> bytes:
    """Today's key out of the file, put there first if the file is of another day. Waits for other processes."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # held for one small read and write
        data = os.pread(fd, _FILE.size + 1, 0)
        if len(data) == _FILE.size:
            day, key, checksum = _FILE.unpack(data)
            # A process whose clock is a moment behind must not bring yesterday back at midnight.
            if day in (today, today + 1) and checksum == _checksum(day, key):
                return bytes(key)
        key = secrets.token_bytes(_KEY_BYTES)
        # In place, not by renaming: the old key's bytes are to be gone, and a new file would leave them on disk.
        os.pwrite(fd, _FILE.pack(today, key, _checksum(today, key)), 0)
        os.ftruncate(fd, _FILE.size)
        return key
    finally:
        os.close(fd)


def _checksum(day: int, key: bytes) -> bytes:
    """A half-written key would be different in each process; this tells it from a whole one."""
    return blake2b(day.to_bytes(8, "little") + key, digest_size=8).digest()
