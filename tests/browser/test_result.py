"""The caption and what can be done with it: attention, candidates, editing, copying, reading aloud."""

import io
import json
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route

from tests.browser.conftest import PHONE, Visit
from tests.browser.visitor import CAMERA, CAT, Visitor

SPOTLIGHT = "document.querySelector('#spotlight')"


def is_lit(visitor: Visitor) -> bool:
    return bool(visitor.page.evaluate(f"{SPOTLIGHT}.classList.contains('lit')"))


def darkness(visitor: Visitor) -> np.ndarray:
    """How much of the photo each pixel of the spotlight hides: (height, width), 0 to 255."""
    address = visitor.page.evaluate(f"{SPOTLIGHT}.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(b64decode(address.split(",")[1]))).convert("RGBA"))[:, :, 3].astype(int)


def described(visitor: Visitor) -> dict[str, Any]:
    with visitor.page.expect_response("**/predict") as answered:
        visitor.describe(CAMERA)
    answer = answered.value.json()
    assert isinstance(answer, dict)
    return answer


# ---------------------------------------------------------------- attention


def test_words_spell_the_caption_and_each_has_its_place(visitor: Visitor) -> None:
    answer = described(visitor)
    spoken = [word["word"] for word in answer["attention"]["words"]]
    assert [word.lower() for word in visitor.words().all_text_contents()] == spoken
    assert visitor.page.locator("#words").text_content() == visitor.caption()


def test_hovering_a_word_lights_up_where_the_network_looked(visitor: Visitor) -> None:
    attention = described(visitor)["attention"]
    rows, columns = attention["grid"]
    for index in (1, len(attention["words"]) - 1):
        visitor.words().nth(index).hover()
        assert is_lit(visitor)
        weights = np.array(attention["words"][index]["weights"]).reshape(rows, columns)
        dark = darkness(visitor)
        cells = dark.reshape(rows, dark.shape[0] // rows, columns, dark.shape[1] // columns).mean((1, 3))
        assert np.corrcoef(weights.ravel(), cells.ravel())[0, 1] < -0.5  # the more it looked, the less is hidden
        assert dark.min() <= 2 and dark.max() > 100
    visitor.page.mouse.move(5, 5)
    assert not is_lit(visitor)


def test_words_are_reached_by_keyboard_with_one_stop_of_tab(visitor: Visitor) -> None:
    described(visitor)
    first, second, last = visitor.words().nth(0), visitor.words().nth(1), visitor.words().last
    first.focus()
    assert is_lit(visitor)
    before = darkness(visitor)
    visitor.page.keyboard.press("ArrowRight")
    assert second.evaluate("word => word === document.activeElement")
    assert (darkness(visitor) != before).any()
    visitor.page.keyboard.press("End")
    assert last.evaluate("word => word === document.activeElement")
    assert [word.get_attribute("tabindex") for word in visitor.words().all()].count("0") == 1
    visitor.page.keyboard.press("Tab")
    assert not is_lit(visitor)
    assert visitor.page.evaluate("document.activeElement.dataset.copy") == "text"


def test_place_is_told_in_words_too(visitor: Visitor) -> None:
    described(visitor)
    word = visitor.words().nth(1)
    word.focus()
    label = word.get_attribute("aria-label") or ""
    assert label.startswith(f"{word.text_content()}, looked at the ")
    assert label.split(", ")[1] in visitor.page.inner_text("#looking-at")


def test_tapped_word_stays_lit_until_tapped_again(visit: Visit) -> None:
    visitor = visit(**PHONE)
    visitor.describe(CAT)
    word = visitor.words().nth(2)
    word.tap()
    assert is_lit(visitor) and word.get_attribute("aria-pressed") == "true"
    visitor.words().nth(1).tap()
    assert word.get_attribute("aria-pressed") == "false" and is_lit(visitor)
    visitor.page.keyboard.press("Escape")
    assert not is_lit(visitor)


def test_spotlight_is_brightest_in_the_one_cell_that_has_all_the_weight(visitor: Visitor) -> None:
    for cell, place in ((0, "top left"), (24, "middle"), (27, "right"), (45, "bottom")):
        found = visitor.page.evaluate(
            """async (cell) => {
              const { shine, whereabouts } = await import("/static/js/spotlight.js");
              const weights = Array.from({ length: 49 }, (_, index) => Number(index === cell));
              shine(document.querySelector("#spotlight"), weights, [7, 7]);
              return whereabouts(weights, [7, 7]);
            }""",
            cell,
        )
        dark = darkness(visitor)
        y, x = np.argwhere(dark == dark.min()).mean(0) // (dark.shape[0] // 7)
        assert (7 * y + x, found) == (cell, place)


def test_network_without_attention_gives_a_caption_without_lights(visitor: Visitor) -> None:
    """The refusal is played here, since the artifact that ships has attention; all that follows is real."""
    refusal = {"code": "no_attention", "detail": "This server's network does not say where it looks."}

    def refuse(route: Route) -> None:
        route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(refusal))

    visitor.page.route("**/predict", refuse, times=1)
    visitor.describe(CAT)
    assert visitor.state() == "done"
    assert visitor.words().count() == 0 and not visitor.page.locator("#looking-at").is_visible()
    assert visitor.page.locator("#caption").bounding_box()["height"] > 20  # type: ignore[index]


# ---------------------------------------------------------------- confidence and candidates


def test_confidence_is_told_in_words_and_number_where_there_is_one(visitor: Visitor) -> None:
    confidence = described(visitor).get("confidence")
    text = visitor.page.inner_text("#confidence")
    assert f"{100 * confidence:.0f}\N{NO-BREAK SPACE}%" in text if confidence is not None else text == ""


def test_each_confidence_has_its_words(visitor: Visitor) -> None:
    words = {0.9: "Quite sure: 90 %", 0.35: "Fairly sure: 35 %", 0.3: "Not so sure: 30 %", 0: "Only guessing: 0 %"}
    said = visitor.page.evaluate(
        """async (confidences) => {
          const { confidenceInWords } = await import("/static/js/wording.js");
          const levels = JSON.parse(document.querySelector("#confidence").dataset.levels);
          return [null, ...confidences].map((confidence) => confidenceInWords(confidence, levels));
        }""",
        list(words),
    )
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in said] == ["", *words.values()]


def test_other_candidates_are_there_on_demand_and_can_be_taken(visitor: Visitor) -> None:
    answer = described(visitor)
    assert not visitor.page.locator("#candidates").is_visible()
    visitor.page.click("#others summary")
    first = visitor.caption()
    other = visitor.page.locator("#candidates li").first
    assert answer["captions"][1]["caption"] in other.inner_text().lower()
    other.get_by_role("button").click()
    assert visitor.caption().lower() == answer["captions"][1]["caption"] + "."
    assert first in visitor.page.inner_text("#candidates")
    assert visitor.words().count() == 0  # it was not asked where it looked for this one


def test_machine_is_named_as_the_author_until_a_person_is(visitor: Visitor) -> None:
    described(visitor)
    note = visitor.page.locator("#please-check")
    assert note.inner_text() == "Written by a machine, please check."
    edit(visitor, "My own words.")
    assert not note.is_visible()


# ---------------------------------------------------------------- editing, copying, reading aloud


def edit(visitor: Visitor, text: str) -> None:
    visitor.page.click("#edit")
    visitor.page.keyboard.type(text)  # what stood there is selected
    visitor.page.keyboard.press("Enter")


def test_edited_caption_stands_in_stage_and_tile(visitor: Visitor) -> None:
    described(visitor)
    edit(visitor, "A man films a lawn.")
    assert visitor.caption() == visitor.tile("camera.jpg").locator(".tile-text").text_content() == "A man films a lawn."
    assert visitor.page.inner_text("#confidence") == ""  # the network has no opinion of a person's words
    assert visitor.page.evaluate("document.activeElement.id") == "edit"


def test_editing_can_be_left_with_escape(visitor: Visitor) -> None:
    described(visitor)
    before = visitor.caption()
    visitor.page.click("#edit")
    visitor.page.keyboard.type("nonsense")
    visitor.page.keyboard.press("Escape")
    assert visitor.caption() == before and not visitor.page.locator("#draft").is_visible()


@pytest.mark.parametrize(
    ("form", "copied"),
    [
        ("text", 'A "big" dog & <b>.'),
        ("tag", '<img src="camera.jpg" alt="A &quot;big&quot; dog &amp; &lt;b&gt;.">'),
        ("markdown", r'![A "big" dog \& \<b\>.](camera.jpg)'),
    ],
)
def test_caption_is_copied_escaped_for_where_it_goes(visit: Visit, form: str, copied: str) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    described(visitor)
    edit(visitor, 'A "big" dog & <b>.')
    visitor.page.click(f"[data-copy={form}]")
    visitor.page.wait_for_selector("#copied:not(:empty)")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == copied
    assert visitor.page.inner_text("#copied") == f"Copied: {copied}"


def test_no_file_name_breaks_out_of_the_tag_or_the_link(visitor: Visitor) -> None:
    forms = visitor.page.evaluate(
        """async (file) => {
          const { imageTag, markdown } = await import("/static/js/wording.js");
          return [imageTag(file, "A dog."), markdown(file, "A [dog](x)\\n\\nor two.")];
        }""",
        'a "b" <c> (d) [e] é.jpg',
    )
    name = "a%20%22b%22%20%3Cc%3E%20%28d%29%20%5Be%5D%20%C3%A9.jpg"
    assert forms == [f'<img src="{name}" alt="A dog.">', rf"![A \[dog\](x) or two.]({name})"]


def test_caption_is_read_aloud(visit: Visit) -> None:
    visitor = visit()
    visitor.page.evaluate("() => { speechSynthesis.speak = ({ text, lang }) => { window.spoken = [text, lang]; }; }")
    described(visitor)
    visitor.page.click("#read-aloud")
    assert visitor.page.evaluate("window.spoken") == [visitor.caption(), "en"]
