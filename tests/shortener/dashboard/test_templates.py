"""What the Content-Security-Policy would refuse must not stand in a template or static file."""

import re
from pathlib import Path

import pytest

from hopline.shortener import dashboard

HOME = Path(dashboard.__file__).parent
TEMPLATES = sorted((HOME / "templates").glob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_inline_style_script_or_handler(template: Path) -> None:
    source = template.read_text()

    assert not re.search(r"\bstyle\s*=|<style", source)
    assert not re.search(r"\son[a-z]+\s*=", source)
    assert not re.search(r"<script(?! src=)", source)
    assert "|safe" not in source.replace(" ", "")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_changes_something_carries_a_token(template: Path) -> None:
    forms = re.findall(r"<form\b.*?</form>", template.read_text(), re.DOTALL)

    for form in forms:
        assert ('method="get"' in form) or "csrf" in form


def test_static_files_load_nothing_from_elsewhere() -> None:
    for path in (HOME / "static").iterdir():
        source = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\(|@import", source), path.name
