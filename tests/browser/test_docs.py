"""The page about the API: found from the main page, readable by everyone, on every screen."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_for_everyone import violations
from tests.browser.visitor import Visitor


def read(visitor: Visitor) -> None:
    """By the link in the footer, with every address opened."""
    visitor.page.get_by_role("link", name="All about the API").click()
    visitor.page.wait_for_url("**/docs")
    for address in visitor.page.locator("details").all()[1:]:  # the first one is open
        address.locator("summary").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_api(visit: Visit, theme: str) -> None:
    visitor = visit(color_scheme=theme)
    read(visitor)
    assert visitor.page.get_by_text("multipart/form-data").first.is_visible()
    assert violations(visitor) == []


def test_the_api_has_room_on_320_pixels(visit: Visit) -> None:
    visitor = visit(viewport={"width": 320, "height": 640})
    read(visitor)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320
