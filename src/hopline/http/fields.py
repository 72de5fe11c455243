"""Header fields that several parts read or write: Vary, Accept-Encoding, Accept-like weights."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from hopline.http.message import Response

__all__ = ["add_vary", "chosen_encoding", "field_of", "is_token", "set_default"]

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def is_token(text: str) -> bool:
    """Whether `text` is a token (RFC 9110 section 5.6.2), as methods and field names are."""
    return _TOKEN.fullmatch(text) is not None


def field_of(response: Response, name: str) -> str | None:
    """The value of the first field `name` (in lower case) of an answer; None where there is none."""
    for field, value in response.headers:
        if field.lower() == name:
            return value
    return None


def set_default(response: Response, fields: Iterable[tuple[str, str]]) -> None:
    """Add those of `fields` (names in lower case) that the answer doesn't have yet."""
    present = {name.lower() for name, _ in response.headers}
    response.headers.extend(field for field in fields if field[0] not in present)


def add_vary(response: Response, *names: str) -> None:
    """Say that the answer depends on the request's fields `names`; what is said already isn't repeated."""
    said = {
        name.strip().lower()
        for field, value in response.headers
        if field.lower() == "vary"
        for name in value.split(",")
    }
    if "*" not in said:
        new = [name for name in names if name.lower() not in said]
        if new:
            response.headers.append(("vary", ", ".join(new)))


def chosen_encoding(accepted: str | None, offered: Sequence[str]) -> str | None:
    """The content coding of `offered` (the best first) that an Accept-Encoding value likes best; None for identity.

    RFC 9110 section 12.5.3: a weight of 0 forbids, "*" is what isn't named. A coding that is liked less than an
    explicit identity loses to it.
    """
    if not accepted or not offered:
        return None
    weights = {}
    for item in accepted.split(","):
        name, _, parameter = item.partition(";")
        weights[name.strip().lower()] = _weight(parameter.strip())
    if "x-gzip" in weights:
        weights.setdefault("gzip", weights["x-gzip"])
    others = weights.get("*", 0.0)
    best = max(offered, key=lambda coding: weights.get(coding, others))  # of equals the first
    weight = weights.get(best, others)
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def _weight(parameter: str) -> float:
    if not parameter:
        return 1.0
    found = _WEIGHT.fullmatch(parameter)
    return float(found[1]) if found else 0.0  # what can't be read isn't a wish
