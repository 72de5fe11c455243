"""The form of a link: what was typed, what it means, what is wrong with it."""

import pytest

from hopline.shortener.dashboard.forms import LinkForm, read_status
from hopline.shortener.links.link import InvalidLink


@pytest.mark.parametrize("typed", ["", "200", "3o2", "303"])
def test_only_the_four_redirects_are_taken(typed: str) -> None:
    with pytest.raises(InvalidLink) as caught:
        read_status(typed)

    assert caught.value.field == "redirect_status"
    assert [read_status(str(status)) for status in (301, 302, 307, 308)] == [301, 302, 307, 308]


def test_a_refused_form_keeps_what_was_typed_and_names_the_field() -> None:
    sent = LinkForm.sent({"url": " javascript:alert(1) ", "custom_code": "sale", "csrf": "x", "id": "7"})

    form = sent.refused("url", "only http and https can be shortened")

    assert form.values == {
        "url": "javascript:alert(1)",
        "custom_code": "sale",
        "expires_at": "",
        "redirect_status": "",
    }
    assert form.errors == {"url": "Only http and https can be shortened."}
    assert form.first_wrong == "url"


def test_an_error_of_a_field_that_is_not_shown_stands_above_the_form() -> None:
    form = LinkForm.sent({}).refused("user_id", "a user id has at most 128 characters")

    assert form.errors == {"": "A user id has at most 128 characters."}
    assert form.first_wrong is None


@pytest.mark.parametrize(
    ("form", "is_open"),
    [
        (LinkForm.blank(302), False),
        (LinkForm.sent({"url": "x"}).refused("url", "no"), False),
        (LinkForm.sent({"url": "x", "custom_code": "sale"}).refused("url", "no"), True),
        (LinkForm.sent({"url": "x"}).refused("redirect_status", "no"), True),
    ],
)
def test_options_are_open_when_there_is_something_to_see(form: LinkForm, is_open: bool) -> None:
    assert form.options_open is is_open
