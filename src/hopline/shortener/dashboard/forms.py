"""The form of a link: what was typed, read into values, and what is wrong with it, field by field. Pure.

What was typed is kept as it was typed, so that a form comes back with every field as its sender left it.
Whether an address, a code or a moment is acceptable is for the service to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hopline.shortener.dashboard import text
from hopline.shortener.links.link import REDIRECT_STATUSES, InvalidLink, Link

__all__ = ["FIELDS", "STATUSES", "LinkForm", "read_status"]

FIELDS: Final = ("url", "custom_code", "expires_at", "redirect_status")
_OPTIONS: Final = frozenset(FIELDS[1:])
STATUSES: Final = (
    (302, "Temporary (302)"),
    (307, "Temporary, method kept (307)"),
    (301, "Permanent (301)"),
    (308, "Permanent, method kept (308)"),
)


@dataclass(frozen=True, slots=True)
class LinkForm:
    """A form of text fields. `errors` are by field; "" stands for the form as a whole."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def blank(cls, redirect_status: int) -> "LinkForm":
        """The form of a link to be made."""
        return cls({"redirect_status": str(redirect_status)})

    @classmethod
    def of(cls, link: Link) -> "LinkForm":
        """The form of a link that is there."""
        return cls(
            {
                "url": link.url,
                "expires_at": text.input_moment(link.expires_at),
                "redirect_status": str(link.redirect_status),
            }
        )

    @classmethod
    def sent(cls, form: Mapping[str, str]) -> "LinkForm":
        """The fields of a link from the body of a request; others are dropped, missing ones are empty."""
        return cls({name: form.get(name, "").strip() for name in FIELDS})

    def refused(self, name: str, reason: str) -> "LinkForm":
        """This form with an error: at its field, or at the form for a field that it hasn't got."""
        sentence = reason[:1].upper() + reason[1:] + ("" if reason.endswith((".", "!", "?")) else ".")
        place = name if name in FIELDS else ""
        return replace(self, errors={**self.errors, place: sentence})

    @property
    def first_wrong(self) -> str | None:
        """The field where the cursor should stand."""
        return next((name for name in FIELDS if name in self.errors), None)

    @property
    def options_open(self) -> bool:
        """Whether the fields below the fold have something to show."""
        return bool(_OPTIONS & self.errors.keys()) or bool(self.errors and self._options_filled())

    def _options_filled(self) -> bool:
        return bool(self.values.get("custom_code") or self.values.get("expires_at"))


def read_status(typed: str) -> int:
    """One of the four redirect statuses. InvalidLink."""
    for status in REDIRECT_STATUSES:
        if typed == str(status):
            return status
    raise InvalidLink("redirect_status", f"{typed!r} is not a kind of redirect; choose one of the list")
