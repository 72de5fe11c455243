"""Text that senders choose, made fit to be stored and shown: bounded and free of control characters."""

import unicodedata
from typing import Final

__all__ = ["MAX_VALUE", "clean"]

MAX_VALUE: Final = 100


def clean(text: str, limit: int = MAX_VALUE) -> str:
    """`text` with its white space joined, without control, format and unassigned characters, cut to `limit`."""
    if not (text.isascii() and text.isprintable()):
        # Cc controls, Cf (text direction, zero width), Cs surrogates, Co, Cn: none has a place in a table.
        text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(text.split())[:limit].rstrip()
