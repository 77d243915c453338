"""Axe in every state and both themes, the keyboard alone, small screens, steady layout, little weight."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Response

from tests.browser.conftest import PHONE, Visit
from tests.browser.visitor import CAMERA, CAT, NOTES, Visitor, wide

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BYTES_OF_A_VISIT = 150_000
WATCH_SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    const names = (sources) => sources.map(({ node }) => (node?.outerHTML ?? node?.data ?? "").slice(0, 90));
    for (const { value, sources } of list.getEntries()) window.shifts.push([value, names(sources)]);
  }).observe({ type: "layout-shift" });
"""

# Nothing has changed its place or size for twenty frames: pictures have come, and the page knows how large they are.
SETTLED = """async () => {
  const places = () => [...document.querySelectorAll("main *, footer")].map((node) =>
    [node.offsetLeft, node.offsetTop, node.offsetWidth, node.offsetHeight]).join();
  let before = "";
  for (let same = 0; same < 20; ) {
    await new Promise(requestAnimationFrame);
    const now = places();
    same = now === before ? same + 1 : 0;
    before = now;
  }
}"""

# What fades in is pale for a moment; what turns for ever is not waited for.
AT_REST = """() => Promise.allSettled(document.getAnimations()
  .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity).map(({ finished }) => finished))"""


def violations(visitor: Visitor) -> list[tuple[str, list[str]]]:
    visitor.page.evaluate(AT_REST)
    options = {"runOnly": STANDARDS, "resultTypes": ["violations"]}
    found = Axe().run(visitor.page, options=options).response["violations"]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]


# ---------------------------------------------------------------- states, for axe and for small screens


def empty(visitor: Visitor) -> None:
    assert visitor.state() == ""


def busy(visitor: Visitor) -> None:
    held = visitor.hold_captions()
    visitor.choose(CAT, CAMERA, wide())
    visitor.sent(held, 2)


def result(visitor: Visitor) -> None:
    visitor.describe(CAMERA, CAT)
    visitor.page.click("#others summary")
    visitor.page.click("[data-copy=tag]")
    visitor.words().nth(1).focus()


def editing(visitor: Visitor) -> None:
    visitor.describe(CAT)
    visitor.page.click("#edit")


def error(visitor: Visitor) -> None:
    visitor.describe(NOTES, CAT)
    visitor.page.evaluate("document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: new DataTransfer() }))")
    assert visitor.page.locator("#error").is_visible() and visitor.state() == "failed"


def confirming(visitor: Visitor) -> None:
    visitor.describe(CAT)
    visitor.page.click("#remove-all")


STATES = [empty, busy, result, editing, error, confirming]
in_every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)


@pytest.mark.parametrize("theme", ["light", "dark"])
@in_every_state
def test_axe_finds_nothing(visit: Visit, state: Callable[[Visitor], None], theme: str) -> None:
    visitor = visit(color_scheme=theme, reduced_motion="reduce")
    state(visitor)
    assert violations(visitor) == []


def test_theme_follows_the_visitors_preference(visit: Visit) -> None:
    def paper(theme: str) -> Any:
        return visit(color_scheme=theme).page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert paper("light") != paper("dark")


@in_every_state
def test_nothing_sticks_out_at_320_pixels(visit: Visit, state: Callable[[Visitor], None]) -> None:
    """Which is also 1,280 pixels at 400 %, and so covers 200 %."""
    visitor = visit(viewport={"width": 320, "height": 640})
    state(visitor)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_text_at_200_percent_is_not_cut_off(visitor: Visitor) -> None:
    visitor.describe(CAMERA, CAT)
    visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
    cut = visitor.page.evaluate(
        """[...document.querySelectorAll("p, button, .tile-text, h1, h2, summary")]
          .filter((node) => node.checkVisibility() && !node.matches(".unseen"))
          .filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline")
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert cut == []
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_less_motion_is_none(visit: Visit) -> None:
    visitor = visit(reduced_motion="reduce")
    busy(visitor)
    moving = visitor.page.evaluate("document.getAnimations().map(({ effect }) => effect.target.outerHTML)")
    assert moving == []


# ---------------------------------------------------------------- keyboard and screen readers


def test_everything_is_done_by_keyboard_alone(visitor: Visitor) -> None:
    press = visitor.page.keyboard.press

    def tab_to(selector: str) -> None:
        for _ in range(40):
            press("Tab")
            if visitor.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab never comes to {selector}")

    tab_to("#image")
    with visitor.page.expect_file_chooser():
        press("Space")
    tab_to("[data-sample*=chelsea]")
    press("Enter")
    visitor.page.wait_for_selector(".tile[data-state=done]")
    tab_to(".word")
    press("ArrowRight")
    assert visitor.page.evaluate("document.querySelector('#spotlight').classList.contains('lit')")
    tab_to("#edit")
    press("Enter")
    visitor.page.keyboard.type("By keyboard.")
    press("Enter")
    assert visitor.caption() == "By keyboard."
    tab_to("#others summary")
    press("Enter")
    tab_to("#candidates button")
    tab_to("#search")
    tab_to(".tile .open")
    press("Enter")
    tab_to(".tile .remove")
    press("Enter")
    assert visitor.tiles() == []


def test_focus_is_never_invisible(visitor: Visitor) -> None:
    visitor.describe(CAT)
    for _ in range(25):
        visitor.page.keyboard.press("Tab")
        style = visitor.page.evaluate(
            """() => {
              const at = document.activeElement;
              if (at === document.body) return null;
              const shown = at.id === "camera" ? at.nextElementSibling : at;
              return [at.outerHTML.slice(0, 60), getComputedStyle(shown).outlineStyle];
            }"""
        )
        assert style is None or style[1] != "none", style


def test_result_and_failure_are_announced(visitor: Visitor) -> None:
    assert visitor.page.get_attribute("#status", "role") == "status"
    visitor.describe(CAT)
    assert visitor.page.inner_text("#status") == f"chelsea.jpg: {visitor.caption()}"
    visitor.describe(NOTES)
    assert visitor.page.inner_text("#status").startswith("notes.txt: A picture must be")


# ---------------------------------------------------------------- layout and weight


SCREENS = [{}, {"viewport": {"width": 900, "height": 700}}, PHONE, {"viewport": {"width": 320, "height": 640}}]
on_every_screen = pytest.mark.parametrize("options", SCREENS, ids=["desktop", "tablet", "phone", "small"])
LONG = "a young man wearing a yellow shirt and jeans is standing in front of a crowd of people"


@on_every_screen
def test_nothing_moves_when_a_result_or_an_error_comes_in(visit: Visit, options: dict[str, Any]) -> None:
    visitor = visit(**options)
    held = visitor.hold_captions()
    visitor.choose(CAMERA, NOTES, CAT)
    visitor.sent(held, 2)
    watch_shifts(visitor)
    visitor.release(held)
    visitor.await_all()
    visitor.page.wait_for_timeout(300)
    assert visitor.page.evaluate("window.shifts") == []


@on_every_screen
def test_longest_caption_has_its_room(visit: Visit, options: dict[str, Any]) -> None:
    """Its words are played here: no photo promises as many as the network may say."""
    visitor = visit(**options)
    held = visitor.hold_captions()
    visitor.choose(CAT)
    visitor.sent(held)
    watch_shifts(visitor)
    words = [{"word": word, "weights": [1 / 49] * 49} for word in LONG.split()]
    candidates = [{"caption": LONG, "confidence": 0.5}, {"caption": "a cat", "confidence": 0.1}]
    held[0].fulfill(json={"captions": candidates, "attention": {"grid": [7, 7], "words": words}})
    visitor.await_all()
    visitor.page.wait_for_timeout(300)
    assert visitor.words().count() == 18
    assert visitor.page.evaluate("window.shifts") == []


def watch_shifts(visitor: Visitor) -> None:
    """From now on, the page being at rest; only what is in view counts."""
    visitor.page.wait_for_selector("#photo:not([hidden])")
    visitor.page.locator("#tiles").scroll_into_view_if_needed()
    visitor.page.evaluate(SETTLED)
    visitor.page.evaluate(WATCH_SHIFTS)


def test_first_visit_weighs_little(visit: Visit) -> None:
    visitor = visit()
    visitor.page.context.new_cdp_session(visitor.page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    loaded: list[Response] = []
    visitor.page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108
    visitor.page.reload(wait_until="networkidle")
    weight = {each.url: len(gzip.compress(each.body())) for each in loaded if "/samples/" not in each.url}
    assert len(weight) > 10 and sum(weight.values()) < BYTES_OF_A_VISIT
