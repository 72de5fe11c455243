"""Writes small MaxMind DB files (https://maxmind.github.io/MaxMind-DB/), to test against the real reader."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Tree = list[list[int | None]]
UINT16, UINT32, UINT64 = 5, 6, 9


def write_mmdb(path: Path, networks: Mapping[str, Any], kind: str = "GeoLite2-Country") -> Path:
    """An IPv6 database (IPv4 below ::/96) that gives each network its record."""
    tree: Tree = [[None, None]]
    data = bytearray()
    leaves: dict[tuple[int, int], int] = {}
    for network, entry in networks.items():
        _insert(tree, leaves, ipaddress.ip_network(network), len(data))
        data += _encode(entry)
    count = len(tree)
    nodes = bytearray()
    for number, node in enumerate(tree):
        for side in (0, 1):
            child = node[side]
            leaf = leaves.get((number, side))
            value = count + 16 + leaf if leaf is not None else count if child is None else child
            nodes += value.to_bytes(3, "big")
    metadata = _encode(
        {
            "node_count": (UINT32, count),
            "record_size": (UINT16, 24),
            "ip_version": (UINT16, 6),
            "database_type": kind,
            "languages": [],
            "binary_format_major_version": (UINT16, 2),
            "binary_format_minor_version": (UINT16, 0),
            "build_epoch": (UINT64, 1_769_860_800),
            "description": {"en": "test"},
        }
    )
    path.write_bytes(nodes + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)
    return path


def _insert(tree: Tree, leaves: dict[tuple[int, int], int], network: Any, at: int) -> None:
    bits = int(network.network_address)
    length = network.prefixlen + (96 if network.version == 4 else 0)
    node = 0
    for depth in range(length - 1):
        node = _step(tree, node, bits >> (127 - depth) & 1)
    leaves[node, bits >> (128 - length) & 1] = at


def _step(tree: Tree, node: int, bit: int) -> int:
    child = tree[node][bit]
    if child is None:
        child = tree[node][bit] = len(tree)
        tree.append([None, None])
    return child


def _encode(value: Any) -> bytes:
    if isinstance(value, str):
        return bytes([2 << 5 | len(value)]) + value.encode("ascii")
    if isinstance(value, tuple):
        kind, number = value
        raw: bytes = number.to_bytes((number.bit_length() + 7) // 8, "big")
        # Types above 7 are extended: 0 in the first byte, the rest in a second.
        return (bytes([kind << 5 | len(raw)]) if kind < 8 else bytes([len(raw), kind - 7])) + raw
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encode, value))
    return bytes([7 << 5 | len(value)]) + b"".join(_encode(k) + _encode(v) for k, v in value.items())
