"""QR codes: valid images that hold the address they were asked for."""

import zlib
from xml.etree import ElementTree

import segno

from hopline.shortener.dashboard import qr

URL = "https://example.com/caf%C3%A9"


def modules_of_png(image: bytes) -> list[list[bool]]:
    """The dark modules in a one-bit greyscale PNG whose lines are plain or repeat the one above (filter "up")."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes(image[16:20], "big")
    length = (width + 7) // 8 + 1
    at = image.index(b"IDAT")
    data = zlib.decompress(image[at + 4 : at + 4 + int.from_bytes(image[at - 4 : at], "big")])
    lines: list[bytes] = []
    for start in range(0, len(data), length):
        filtering, line = data[start], data[start + 1 : start + length]
        assert filtering == 0 or (filtering == 2 and not any(line))
        lines.append(lines[-1] if filtering else line)
    scale = width // int(segno.make_qr(URL, error="m").symbol_size(border=4)[0])
    middles = range(scale // 2, width, scale)
    return [[not lines[y][x // 8] >> (7 - x % 8) & 1 for x in middles] for y in middles]


def test_png_shows_the_modules_of_the_address_in_its_quiet_zone() -> None:
    expected = [[bool(module) for module in row] for row in segno.make_qr(URL, error="m").matrix_iter(border=4)]

    assert modules_of_png(qr.png(URL)) == expected


def test_png_is_large_enough_to_print() -> None:
    assert int.from_bytes(qr.png(URL)[16:20], "big") >= 1024


def test_svg_is_a_document_without_style_attributes() -> None:
    image = qr.svg(URL)

    root = ElementTree.fromstring(image)  # noqa: S314 - our own drawing
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"style" not in image
    assert b"#fff" in image  # light modules stay white in dark mode


def test_the_longest_address_still_fits() -> None:
    longest = "https://example.com/" + "%F0%9F%90%87" * 128  # the longest custom code, percent-encoded

    assert qr.svg(longest)
    assert qr.png(longest)
