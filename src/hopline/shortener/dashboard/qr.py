"""QR codes of short URLs, as SVG for the page and PNG for paper.

Error correction is "M" (15 % may be lost), raised by segno where the symbol has room for more. Modules are
black on white with the full quiet zone of four modules in dark mode too: scanners want it so. Drawing takes a
few milliseconds, hence a small memory of the last ones, and a thread in the handlers.
"""

from functools import lru_cache
from io import BytesIO
from typing import Final

import segno

__all__ = ["png", "svg"]

QUIET_ZONE: Final = 4  # modules, ISO/IEC 18004 section 9.1
REMEMBERED: Final = 256  # images, about 5 kB each
PNG_PIXELS: Final = 1024  # about the least edge of a PNG: 9 cm in print at 300 dots an inch


@lru_cache(maxsize=REMEMBERED)
def svg(url: str) -> bytes:
    """`url` as an SVG document of its own, without style attributes."""
    out = BytesIO()
    _symbol(url).save(out, kind="svg", border=QUIET_ZONE, light="#fff", omitsize=True)
    return out.getvalue()


@lru_cache(maxsize=REMEMBERED)
def png(url: str) -> bytes:
    """`url` as a black and white PNG, at least 1,024 pixels wide, whole pixels a module."""
    symbol = _symbol(url)
    modules = symbol.symbol_size(border=QUIET_ZONE)[0]
    out = BytesIO()
    symbol.save(out, kind="png", border=QUIET_ZONE, scale=-(-PNG_PIXELS // int(modules)))
    return out.getvalue()


def _symbol(url: str) -> segno.QRCode:
    return segno.make_qr(url, error="m")
