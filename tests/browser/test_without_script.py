"""The page where there is no JavaScript: one photo at a time, through the form."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_for_everyone import violations
from tests.browser.visitor import CAT, NOTES, Visitor


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    return visit(java_script_enabled=False)


def test_photo_is_described_by_the_form(visitor: Visitor) -> None:
    visitor.page.set_input_files("#image", CAT)
    visitor.page.get_by_role("button", name="Describe it").click()
    assert visitor.page.locator("#photo").get_attribute("width") == "451"
    caption = visitor.page.locator("#caption").inner_text()
    assert caption.endswith(".") and caption[0].isupper() and visitor.page.title() == caption
    assert visitor.page.get_by_text("Written by a machine, please check.").is_visible()
    visitor.page.get_by_text("Other ways to put it").click()
    assert visitor.page.locator("#candidates li").count() == 2


def test_error_is_told_with_the_form_to_try_again(visitor: Visitor) -> None:
    visitor.page.set_input_files("#image", [NOTES])
    visitor.page.get_by_role("button", name="Describe it").click()
    assert "must be a JPEG" in visitor.page.get_by_role("alert").inner_text()
    assert visitor.page.get_by_role("button", name="Describe it").is_visible()


def test_nothing_is_offered_that_needs_a_script(visitor: Visitor) -> None:
    visitor.page.set_input_files("#image", CAT)
    visitor.page.get_by_role("button", name="Describe it").click()
    visible = visitor.page.locator("button:visible, input:visible").all()
    assert [control.get_attribute("id") or control.inner_text() for control in visible] == ["image", "Describe it"]
    assert not visitor.page.locator("#image").evaluate("control => control.multiple")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_without_our_scripts(visit: Visit, theme: str) -> None:
    """Axe is a script itself, so only ours are kept away here."""
    visitor = visit(color_scheme=theme, scripts=False)
    assert violations(visitor) == []
    visitor.page.set_input_files("#image", CAT)
    visitor.page.get_by_role("button", name="Describe it").click()
    visitor.page.wait_for_selector("#photo")
    assert violations(visitor) == []
