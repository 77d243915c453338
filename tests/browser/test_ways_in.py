"""Choosing, dropping, pasting, the camera, samples; several photos; what goes wrong, and how one goes on."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import PHONE, Visit
from tests.browser.visitor import CAMERA, CAT, COFFEE, NOTES, ROCKET, Visitor, upload, wide
from tests.pictures import CORNERS, corners, encode, gradient

ORIENTATION = 0x0112


def test_chosen_photo_gets_the_caption_of_the_api(visitor: Visitor) -> None:
    with visitor.page.expect_response("**/predict") as answered:
        caption = visitor.describe(CAMERA)
    said = answered.value.json()["caption"]
    assert caption == said[0].upper() + said[1:] + "."
    assert visitor.page.get_attribute("#photo", "alt") == "Your photo, camera.jpg"
    assert caption in visitor.page.inner_text("#status")


def test_photo_dropped_anywhere_is_described(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "dropped.jpg"
    path.write_bytes(CAT.read_bytes())
    mouse = visitor.page.context.new_cdp_session(visitor.page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    place = {"x": 1000, "y": 20, "data": data}  # far from the form
    for kind in ("dragEnter", "dragOver"):
        mouse.send("Input.dispatchDragEvent", {"type": kind, **place})
    visitor.page.wait_for_selector("body.dragging")
    mouse.send("Input.dispatchDragEvent", {"type": "drop", **place})
    visitor.await_all()
    assert visitor.tiles() == ["dropped.jpg"] and visitor.state() == "done"
    assert not visitor.page.locator("body.dragging").count()


def test_picture_pasted_from_the_clipboard_is_described(visit: Visit) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.page.evaluate(
        """async (address) => {
          const bitmap = await createImageBitmap(await (await fetch(address)).blob());
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          canvas.getContext("2d").drawImage(bitmap, 0, 0);
          await navigator.clipboard.write([new ClipboardItem({ "image/png": canvas.convertToBlob() })]);
        }""",
        "/static/samples/chelsea.jpg",
    )
    visitor.page.keyboard.press("Control+V")
    visitor.await_all()
    assert visitor.state() == "done" and visitor.photo().size == (451, 300)


def test_pasted_text_says_what_to_copy_instead(visit: Visit) -> None:
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.page.evaluate("navigator.clipboard.writeText('https://example.org/dog.jpg')")
    visitor.page.keyboard.press("Control+V")
    assert "copy the picture itself" in visitor.page.inner_text("#error")


def test_phone_offers_its_camera(visit: Visit) -> None:
    visitor = visit(**PHONE)
    assert visitor.page.get_attribute("#camera", "capture") == "environment"
    with visitor.page.expect_file_chooser() as chooser:
        visitor.page.locator("label[for=camera]").tap()
    chooser.value.set_files(CAT)
    visitor.await_all()
    assert visitor.state() == "done"


def test_desktop_offers_no_camera(visitor: Visitor) -> None:
    assert not visitor.page.locator("label[for=camera]").is_visible()


def test_every_sample_names_its_source_and_one_click_describes_it(visitor: Visitor) -> None:
    samples = visitor.page.locator("#samples li")
    assert samples.count() == 4
    for sample in samples.all():
        assert "CC0" in sample.inner_text() or "public domain" in sample.inner_text()
    samples.nth(1).get_by_role("button").click()
    visitor.page.wait_for_selector(".tile[data-state=done]")
    assert visitor.tiles() == ["chelsea.jpg"]


def test_many_photos_at_once_are_all_described_in_the_order_chosen(visitor: Visitor) -> None:
    first = visitor.describe(CAMERA, ROCKET, COFFEE, wide())
    assert visitor.tiles() == ["camera.jpg", "rocket.jpg", "coffee.jpg", "wide.jpg"]
    captions = visitor.page.locator(".tile-text").all_text_contents()
    assert captions[0] == first and all(caption.endswith(".") for caption in captions)
    assert visitor.page.inner_text("#to-album") == "Your photos (4)"


def test_one_bad_file_among_good_ones_fails_alone_and_says_why(visitor: Visitor) -> None:
    visitor.describe(CAT, NOTES, upload(gradient(), "empty.jpg") | {"buffer": b""}, ROCKET)
    states = [tile.get_attribute("data-state") for tile in visitor.page.locator(".tile").all()]
    assert states == ["done", "failed", "failed", "done"]
    assert "must be a JPEG" in visitor.tile("notes.txt").inner_text()
    visitor.tile("notes.txt").locator(".open").click()
    assert visitor.state() == "failed" and "must be a JPEG" in visitor.caption()


def test_failed_photo_can_be_tried_again(visitor: Visitor) -> None:
    visitor.page.context.set_offline(True)
    visitor.describe(CAT)
    assert visitor.state() == "failed" and "cannot be reached" in visitor.caption()
    visitor.page.context.set_offline(False)
    visitor.page.click("#retry")
    visitor.await_all()
    assert visitor.state() == "done"


def test_photo_on_its_way_can_be_cancelled_and_sent_again(visitor: Visitor) -> None:
    held = visitor.hold_captions()
    visitor.choose(CAT)
    visitor.sent(held)
    assert visitor.state() == "busy" and visitor.page.locator("#progress").is_visible()
    visitor.page.click("#cancel")
    assert visitor.state() == "cancelled" and visitor.caption() == "Cancelled."
    visitor.page.unroute("**/predict")
    visitor.tile("chelsea.jpg").get_by_role("button", name="Try again").click()
    visitor.await_all()
    assert visitor.state() == "done"


def test_all_that_wait_can_be_cancelled_at_once(visitor: Visitor) -> None:
    held = visitor.hold_captions()
    visitor.choose(CAT, CAMERA, COFFEE, ROCKET)
    visitor.sent(held, 2)
    assert len(held) == 2  # the others wait for their turn
    visitor.page.click("#cancel-all")
    assert visitor.page.locator(".tile[data-state=cancelled]").count() == 4


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_large_photo_is_shrunk_upright_before_it_is_sent(visitor: Visitor, orientation: int) -> None:
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    upright = corners(2400, 1600)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = upright.transpose(turn[orientation]) if orientation in turn else upright
    visitor.describe(upload(stored, "large.jpg", exif=exif))
    sent = visitor.photo()
    assert (sent.format, sent.size) == ("JPEG", (1024, 683))
    assert np.abs(np.asarray(sent).astype(int)[20, 20] - CORNERS[0]).max() < 25


def test_photo_of_1024_pixels_is_sent_as_it_is(visitor: Visitor) -> None:
    photo = upload(gradient(1024, 768), "just.png", "PNG")
    visitor.describe(photo)
    assert visitor.photo().format == "PNG" and visitor.photo().size == (1024, 768)


def test_file_over_the_limit_is_refused_before_it_is_sent(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.describe(NOTES | {"buffer": bytes(11 * 2**20)})
    assert "larger than 10 MB" in visitor.caption()
    assert not any(url.endswith("/predict") for url in asked)


def test_photo_over_the_limit_is_described_once_it_is_shrunk(visitor: Visitor) -> None:
    large = io.BytesIO(encode(gradient(3000, 2000), "BMP")).getvalue()
    assert len(large) > 10 * 2**20
    visitor.describe(upload(gradient(), "large.bmp") | {"buffer": large, "mimeType": "image/bmp"})
    assert visitor.state() == "done" and max(visitor.photo().size) == 1024
