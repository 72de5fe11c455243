"""What a connection waits for."""

from enum import IntEnum

__all__ = ["Phase"]


class Phase(IntEnum):
    """What the connection waits for; each has its own time-out."""

    IDLE = 0  # a first byte
    HEAD = 1  # the rest of a head
    BODY = 2  # the rest of a body
    HANDLER = 3  # the application's answer
    CLOSING = 4  # the peer, to read the last answer and close
