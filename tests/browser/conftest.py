"""One server and one browser for all tests of the page; each test has a visitor of its own."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.visitor import Visitor
from tests.servers import GUNICORN, ROOT, running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# A container's root may not use the sandbox; the pages here are our own.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TIMEOUT = 20_000  # ms; a caption takes a fraction of a second, but for a busy machine

Visit = Callable[..., Visitor]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.real_model)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app as it is run, with the artifact that ships."""
    with running(GUNICORN, ROOT / "artifacts", tmp_path_factory.mktemp("site") / "log") as server:
        yield f"http://127.0.0.1:{server.port}/"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("the page is tested in Chromium: install it, on Debian with `apt-get install chromium`")
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Visit]:
    """Opens the page for a new visitor; whatever a test does there, the page breaks no rule of its own."""
    contexts: list[BrowserContext] = []
    broken: list[str] = []
    requests: list[str] = []

    def open_page(scripts: bool = True, **options: Any) -> Visitor:
        context = browser.new_context(**options)
        context.set_default_timeout(TIMEOUT)
        contexts.append(context)
        page = context.new_page()
        watch(page, broken, requests)
        if not scripts:
            page.route("**/static/js/**", lambda route: route.abort())
        page.goto(site)
        if scripts and options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return Visitor(page, site)

    yield open_page
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # requests that a test still holds
        context.close()
    assert broken == []
    assert [address for address in requests if not address.startswith((site, "blob:", "data:"))] == []


def watch(page: Page, broken: list[str], requests: list[str]) -> None:
    """Note errors of scripts, breaches of the content security policy, and every address asked for."""
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))

    def hear(text: str, kind: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            broken.append(text)

    page.on("console", lambda message: hear(message.text, message.type))


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """On a desktop, in the light."""
    return visit()
