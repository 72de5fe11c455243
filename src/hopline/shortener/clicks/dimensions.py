"""The numbers under which clicks.db keeps the dimensions of protocol.py."""

from typing import Final

__all__ = ["DIMENSION_IDS"]

# A number is never given to another dimension: it is what is stored.
DIMENSION_IDS: Final = {
    "browser": 1,
    "os": 2,
    "device": 3,
    "country": 4,
    "referrer": 5,
    "language": 6,
    "utm_source": 7,
    "utm_medium": 8,
    "utm_campaign": 9,
    "bot": 10,
}
