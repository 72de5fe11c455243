"""Bounds of a connection, for every phase of it. Pure."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection; sizes in bytes, times in seconds. Each breach has its status."""

    head_size: int = 32_768  # 431
    head_fields: int = 100  # 431
    target_size: int = 16_384  # 414
    body_size: int = 1_048_576  # 413
    head_timeout: float = 10.0  # 408: from the first byte of a head to its end
    body_timeout: float = 30.0  # 408: from the end of the head to the end of the body
    idle_timeout: float = 75.0  # closed without an answer: nothing was asked
    write_timeout: float = 60.0  # cut: without a single byte of an answer being taken
    drain_grace: float = 0.5  # at a stop: what idle connections get to send a last request, and read that it is
    connections: int = 20_000  # a worker's; 503 and closed beyond
    write_buffer: int = 65_536  # unsent bytes at which a connection's input waits

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)!r}")
