"""The pictures of the page in docs/, from the real app and the artifact that ships: `make screenshots`.

The page uses the fonts that a machine has; the pictures in docs/ were taken with Debian's `fonts-roboto-unhinted` and
`fonts-sil-charis` installed.
"""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, FloatRect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, PHONE, TIMEOUT
from tests.browser.visitor import CAMERA, CAT, COFFEE, ROCKET, Visitor
from tests.servers import GUNICORN, ROOT, running

DOCS = ROOT / "docs"
DESKTOP = {"viewport": {"width": 1080, "height": 1290}}
LARGEST = 200_000
MARGIN = 24  # pixels around a part of the page


def main() -> None:
    """Write page-light.png, page-dark.png, page-phone.png and page-attention.png."""
    with (
        TemporaryDirectory() as folder,
        running(GUNICORN, ROOT / "artifacts", Path(folder) / "log") as server,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        take(browser, f"http://127.0.0.1:{server.port}/")
        browser.close()


def take(browser: Browser, site: str) -> None:
    """Every picture, each by a visitor of its own."""
    for theme in ("light", "dark"):
        visitor = arrive(browser, site, color_scheme=theme, **DESKTOP)
        save(visitor.page.screenshot(), f"page-{theme}")
        if theme == "light":
            visitor.words().nth(1).hover()
            visitor.page.wait_for_timeout(400)
            save(visitor.page.screenshot(clip=around(visitor, "#stage")), "page-attention")
    visitor = arrive(browser, site, **PHONE)
    save(visitor.page.screenshot(), "page-phone")


def around(visitor: Visitor, selector: str) -> FloatRect:
    """A part of the page with a margin."""
    box = visitor.page.locator(selector).bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    return {"x": x - MARGIN, "y": y - MARGIN, "width": width + 2 * MARGIN, "height": height + 2 * MARGIN}


def arrive(browser: Browser, site: str, **options: object) -> Visitor:
    """A visitor with four photos described."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(TIMEOUT)
    visitor = Visitor(context.new_page(), site)
    visitor.page.goto(site)
    visitor.page.wait_for_selector("html[data-ready]")
    visitor.describe(CAMERA, CAT, COFFEE, ROCKET)
    visitor.page.evaluate("scrollTo(0, 0)")
    visitor.page.wait_for_timeout(600)
    return visitor


def save(png: bytes, name: str) -> None:
    """As a PNG of as many colours as fit into LARGEST bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    path = DOCS / f"{name}.png"
    for colours in (256, 192, 160, 128, 96):
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < LARGEST:
            break
    print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
